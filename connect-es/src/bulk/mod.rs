//! The `_bulk` API: bodies out, answers in. Pure: no I/O, no clock.

pub(crate) mod blame;
pub(crate) mod body;
pub(crate) mod encode;
pub(crate) mod framer;
pub(crate) mod index;
pub(crate) mod response;
