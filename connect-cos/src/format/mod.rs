//! How records become the bytes of an object.

pub(crate) mod field;
mod json_lines;

pub(crate) use json_lines::JsonLines;

use std::error::Error as StdError;

/// A record that this format can't write.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FormatError {
    #[error("the value is null; set `behavior.on.null.values=ignore` to leave such records out")]
    Null,
    #[error("the value is empty, which is no JSON document")]
    Empty,
    #[error("the value is not JSON")]
    NotJson(#[source] Box<dyn StdError + Send + Sync>),
}

/// Turns one value into the bytes that an object holds for it. Formats that need a frame around all records
/// (a header, a footer) or a compressor add their own calls here.
pub(crate) trait Format: Send + Sync {
    /// What goes into the fingerprint: another text means other bytes for the same record.
    fn fingerprint(&self) -> &'static str;

    /// The ending of object names, without the dot.
    fn extension(&self) -> &'static str;

    /// The bytes for one value, borrowed from it or written to `scratch` (which is cleared first).
    fn encode<'a>(&self, value: &'a [u8], scratch: &'a mut Vec<u8>) -> Result<&'a [u8], FormatError>;

    /// Appended after each record.
    fn separator(&self) -> &'static [u8];
}
