//! Texts of others in messages: cut off, and without control characters.

use std::fmt::{self, Write as _};

/// Enough to recognise a key or a value by.
pub(super) const SHOWN_MAX_CHARS: usize = 200;

/// Prints a text with its control characters escaped, so that it can neither steer a terminal nor begin a line of a log.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c.is_control() {
            true => write!(f, "{}", c.escape_default()),
            false => f.write_char(c),
        })
    }
}

/// The text, or its beginning and an ellipsis if it is longer than [`SHOWN_MAX_CHARS`].
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN_MAX_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
