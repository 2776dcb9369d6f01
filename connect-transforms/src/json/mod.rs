//! JSON read and written as bytes: no tree, no copy but the one into the output.
//!
//! [`scan`] walks over a text and checks its grammar; what it returns are slices of the input, so numbers keep their
//! text and strings keep their escapes. [`escape`] goes between string bodies and text. Both are pure.

pub(crate) mod escape;
pub(crate) mod scan;

pub(crate) use scan::{Scanner, Span, SyntaxError};
