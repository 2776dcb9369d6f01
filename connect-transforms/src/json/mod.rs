//! JSON read and written as bytes: no tree, no copy but the one into the output.
//!
//! [`scan`] walks over a text and checks its grammar; what it returns are slices of the input, so numbers keep their
//! text and strings keep their escapes. [`escape`] goes between string bodies and text. [`pick`] takes one value out of
//! a text. [`tree`] is for the few things that need a tree. All are pure.

pub(crate) mod escape;
pub(crate) mod members;
pub(crate) mod names;
pub(crate) mod object;
pub(crate) mod pick;
pub(crate) mod scan;
mod skip;
pub(crate) mod tree;

pub(crate) use scan::{Scanner, Span, SyntaxError};
