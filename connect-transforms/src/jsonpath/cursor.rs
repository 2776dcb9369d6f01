//! A position in an expression, and the tokens that are read from there.

use super::JsonPathError;
use crate::json::escape::quote;

/// Levels of brackets, parentheses, literals and functions in one another.
const DEPTH_MAX: usize = 32;
/// The largest index: integers up to it are exact in every JSON implementation.
const INDEX_MAX: i64 = (1 << 53) - 1;

#[derive(Debug)]
pub(super) struct Cursor<'s> {
    pub(super) source: &'s str,
    pub(super) at: usize,
    depth: usize,
}

impl<'s> Cursor<'s> {
    pub(super) fn new(source: &'s str) -> Self {
        Self { source, at: 0, depth: 0 }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.source.as_bytes().get(self.at).copied()
    }

    pub(super) fn rest(&self) -> &'s str {
        &self.source[self.at..]
    }

    pub(super) fn blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// Steps over `text` if it stands here.
    pub(super) fn take(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    /// Steps over `text`, which must stand here.
    pub(super) fn need(&mut self, text: &str, reason: &str) -> Result<(), JsonPathError> {
        if self.take(text) { Ok(()) } else { Err(self.error(reason)) }
    }

    pub(super) fn error(&self, reason: impl Into<String>) -> JsonPathError {
        self.error_at(self.at, reason)
    }

    pub(super) fn error_at(&self, at: usize, reason: impl Into<String>) -> JsonPathError {
        JsonPathError::new(self.source, at, reason)
    }

    /// Reads something that can have itself in it.
    pub(super) fn enter(&mut self) -> Result<(), JsonPathError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.error(format!("more than {DEPTH_MAX} brackets and functions in one another")));
        }
        Ok(())
    }

    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }

    /// A key without quotes; empty if there is none.
    pub(super) fn name(&mut self) -> &'s str {
        let rest = self.rest();
        let end = rest.find(|c: char| !in_name(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// A word of letters and `_`; empty if there is none.
    pub(super) fn word(&mut self) -> &'s str {
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_ascii_alphabetic() && c != '_').unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// A string in either kind of quotes.
    pub(super) fn string(&mut self) -> Result<String, JsonPathError> {
        let start = self.at;
        let mut chars = self.rest().char_indices();
        let delimiter = chars.next().map_or('"', |(_, first)| first);
        let mut text = String::new();
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => {
                    let escaped = chars.next().and_then(|(_, c)| escape(c, delimiter, &mut chars));
                    let wrong = || self.error_at(start, "an invalid escape in this string");
                    text.push(escaped.ok_or_else(wrong)?);
                }
                _ if c == delimiter => {
                    self.at = start + at + 1;
                    return Ok(text);
                }
                control if control < ' ' => {
                    return Err(
                        self.error_at(start, "a control character in this string: write it as `\\u…`")
                    );
                }
                _ => text.push(c),
            }
        }
        Err(self.error_at(start, "a string that is not closed"))
    }

    /// A whole number that is an index or part of a slice.
    pub(super) fn integer(&mut self) -> Result<i64, JsonPathError> {
        let start = self.at;
        let negative = self.take("-");
        let digits = self.digits();
        match digits.as_bytes() {
            [] => return Err(self.error("expected a whole number")),
            [b'0'] if negative => return Err(self.error_at(start, "no index is a negative zero")),
            [b'0', _, ..] => {
                return Err(self
                    .error_at(start + usize::from(negative) + 1, "expected no digit behind a leading zero"));
            }
            _ => {}
        }
        let number: Option<i64> = digits.parse().ok().filter(|number| *number <= INDEX_MAX);
        let number = number.ok_or_else(|| self.error_at(start, format!("no index is beyond {INDEX_MAX}")))?;
        Ok(if negative { -number } else { number })
    }

    /// A number of JSON, as it is written.
    pub(super) fn number(&mut self) -> Result<&'s str, JsonPathError> {
        let start = self.at;
        self.take("-");
        let whole = self.digits();
        if whole.is_empty() {
            return Err(self.error("expected a digit"));
        }
        if whole.len() > 1 && whole.starts_with('0') {
            self.at -= whole.len() - 1;
            return Err(self.error("expected no digit behind a leading zero"));
        }
        if self.take(".") && self.digits().is_empty() {
            return Err(self.error("expected a digit"));
        }
        if self.take("e") || self.take("E") {
            let _ = self.take("+") || self.take("-");
            if self.digits().is_empty() {
                return Err(self.error("expected a digit"));
            }
        }
        Ok(&self.source[start..self.at])
    }

    fn digits(&mut self) -> &'s str {
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// A literal as JSON text, in which strings can have either kind of quotes; `None`: there is none.
    pub(super) fn literal(&mut self) -> Result<Option<String>, JsonPathError> {
        let mut json = Vec::new();
        Ok(match self.write_literal(&mut json)? {
            true => Some(String::from_utf8(json).map_err(|_| self.error("invalid UTF-8"))?),
            false => None,
        })
    }

    fn write_literal(&mut self, json: &mut Vec<u8>) -> Result<bool, JsonPathError> {
        match self.peek() {
            Some(b'"' | b'\'') => quote(&self.string()?, json),
            Some(b'-' | b'0'..=b'9') => json.extend_from_slice(self.number()?.as_bytes()),
            Some(b'[') => self.write_container(json, false)?,
            Some(b'{') => self.write_container(json, true)?,
            _ => {
                let start = self.at;
                let word = self.word();
                if !matches!(word, "true" | "false" | "null") {
                    self.at = start;
                    return Ok(false);
                }
                json.extend_from_slice(word.as_bytes());
            }
        }
        Ok(true)
    }

    fn write_container(&mut self, json: &mut Vec<u8>, object: bool) -> Result<(), JsonPathError> {
        let (opener, closer) = if object { (b'{', "}") } else { (b'[', "]") };
        self.enter()?;
        self.at += 1;
        json.push(opener);
        self.blanks();
        let mut closed = self.take(closer);
        while !closed {
            if object {
                if !matches!(self.peek(), Some(b'"' | b'\'')) {
                    return Err(self.error("expected a key in quotes"));
                }
                quote(&self.string()?, json);
                self.blanks();
                self.need(":", "expected `:`")?;
                json.push(b':');
                self.blanks();
            }
            if !self.write_literal(json)? {
                return Err(
                    self.error("expected a string, a number, `true`, `false`, `null`, an array or an object")
                );
            }
            self.blanks();
            closed = self.take(closer);
            if !closed {
                self.need(",", &format!("expected `,` or `{closer}`"))?;
                json.push(b',');
                self.blanks();
            }
        }
        json.extend_from_slice(closer.as_bytes());
        self.leave();
        Ok(())
    }
}

/// The character that an escape stands for; `c` stands behind the backslash.
fn escape(c: char, delimiter: char, rest: &mut std::str::CharIndices<'_>) -> Option<char> {
    Some(match c {
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        '/' | '\\' => c,
        _ if c == delimiter => c,
        'u' => match hex4(rest)? {
            high @ 0xd800..=0xdbff => {
                let follows = rest.next()?.1 == '\\' && rest.next()?.1 == 'u';
                let low = hex4(rest).filter(|low| follows && (0xdc00..0xe000).contains(low))?;
                char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00))?
            }
            unit => char::from_u32(unit)?,
        },
        _ => return None,
    })
}

fn hex4(chars: &mut std::str::CharIndices<'_>) -> Option<u32> {
    (0..4).try_fold(0, |unit, _| Some(unit * 16 + chars.next()?.1.to_digit(16)?))
}

fn in_name(c: char) -> bool {
    c.is_alphanumeric()
        || matches!(c, '_' | '-' | '@' | '$' | '#' | ':' | '/')
        || (c >= '\u{80}' && !c.is_whitespace())
}
