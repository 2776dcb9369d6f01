//! What a chain works on: fields with values that stand somewhere else.

use crate::json::{
    Scanner, SyntaxError,
    escape::{quote, unescape},
    object::each_member,
};
use bumpalo::{Bump, collections::Vec as BumpVec};

/// The fields of a record, in order. Names may stand twice: the last one counts.
pub(super) type Fields<'a> = BumpVec<'a, Field<'a>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field<'a> {
    pub(super) name: &'a str,
    pub(super) value: Val<'a>,
}

/// A value: JSON as it stands in the record (or was made), or text that is no JSON string yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Val<'a> {
    Json(&'a str),
    Text(&'a str),
}

impl<'a> Val<'a> {
    pub(super) fn is_null(self) -> bool {
        self == Self::Json("null")
    }

    pub(super) fn is_string(self) -> bool {
        match self {
            Self::Text(_) => true,
            Self::Json(json) => json.starts_with('"'),
        }
    }

    /// A string's characters, and the JSON of anything else.
    pub(super) fn text(self, bump: &'a Bump) -> &'a str {
        let json = match self {
            Self::Text(text) => return text,
            Self::Json(json) => json,
        };
        match json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
            Some(body) => decoded(body, body.contains('\\'), bump),
            None => json,
        }
    }

    /// As [`text`](Self::text), with JSON on one line.
    pub(super) fn line(self, bump: &'a Bump) -> &'a str {
        match self {
            Self::Json(json) if json.starts_with(['{', '[']) && json.contains(['\n', '\r']) => {
                bump.alloc_str(&json.replace(['\n', '\r'], ""))
            }
            other => other.text(bump),
        }
    }

    /// The value as JSON.
    pub(super) fn json(self, bump: &'a Bump) -> &'a str {
        match self {
            Self::Json(json) => json,
            Self::Text(text) => {
                let mut json = Vec::with_capacity(text.len() + 2);
                quote(text, &mut json);
                bump.alloc_str(std::str::from_utf8(&json).expect("escaped text is text"))
            }
        }
    }

    /// Appends the value as JSON on one line. A line break in JSON is always a blank: strings have them escaped.
    pub(super) fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) => quote(text, out),
            Self::Json(json) => {
                let mut rest = json.as_bytes();
                if matches!(rest.first(), Some(b'{' | b'[')) {
                    while let Some(at) = memchr::memchr2(b'\n', b'\r', rest) {
                        out.extend_from_slice(&rest[..at]);
                        rest = &rest[at + 1..];
                    }
                }
                out.extend_from_slice(rest);
            }
        }
    }

    /// Bytes that the value takes at least; text may take up to six times as many.
    pub(super) fn len(self) -> usize {
        match self {
            Self::Json(text) | Self::Text(text) => text.len(),
        }
    }
}

fn decoded<'a>(body: &'a str, escaped: bool, bump: &'a Bump) -> &'a str {
    if !escaped {
        return body;
    }
    let mut text = String::with_capacity(body.len());
    unescape(body, &mut text);
    bump.alloc_str(&text)
}

/// The members of an object that is one.
pub(super) fn members<'a>(
    text: &'a str,
    bump: &'a Bump,
    mut member: impl FnMut(&'a str, &'a str),
) -> Result<(), SyntaxError> {
    let mut scanner = Scanner::of(text);
    each_member(&mut scanner, &mut Vec::new(), |found| {
        member(decoded(&text[found.key], found.escaped, bump), &text[found.value]);
    })?;
    scanner.end()
}

/// What kind of JSON value begins like this.
pub(super) fn kind_of(json: &str) -> &'static str {
    match json.as_bytes().first() {
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b'"') => "a string",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}
