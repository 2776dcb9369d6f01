//! The `_bulk` API: bodies out, answers in. Pure: no I/O, no clock.

pub(crate) mod encode;
pub(crate) mod index;
pub(crate) mod response;
