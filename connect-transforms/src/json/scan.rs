//! A scanner for JSON texts (RFC 8259) that checks everything and builds nothing.
//!
//! It accepts what `serde_json` accepts and refuses what it refuses, with three decisions of its own:
//!
//! - The range and precision of a number are not looked at: `1e999` and `12345678901234567890123` are numbers.
//! - An escape that is half of a surrogate pair (`"\ud800"`) is an error: no text stands for it. `serde_json` decides
//!   the same for strings it reads, and lets it pass in strings it skips.
//! - There is no limit on nesting: no function here calls itself, and one byte a level is kept.

use std::ops::Range;

/// Where something stands in the scanned text, in bytes.
pub(crate) type Span = Range<usize>;

/// What is wrong with a text that is not JSON, and the byte (from 0) at which it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SyntaxError {
    #[error("invalid UTF-8 at byte {0}")]
    Utf8(usize),
    #[error("the JSON ends too early, at byte {0}")]
    End(usize),
    #[error("expected {1} at byte {0}")]
    Expected(usize, &'static str),
    #[error("a control character that is not escaped at byte {0}")]
    Control(usize),
    #[error("an invalid escape at byte {0}")]
    Escape(usize),
    #[error("half of a surrogate pair, which no text stands for, at byte {0}")]
    Surrogate(usize),
    #[error("an invalid number at byte {0}")]
    Number(usize),
    #[error("text after the JSON value at byte {0}")]
    Trailing(usize),
}

/// The body of a string, without its quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Body<'a> {
    pub(crate) text: &'a str,
    pub(crate) escaped: bool,
}

/// A position in a JSON text. Every method that succeeds leaves it right behind what it has read.
#[derive(Debug)]
pub(crate) struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    /// At the start of `text`, which is checked to be UTF-8: one fast pass costs less than a check per string.
    pub(crate) fn new(text: &'a [u8]) -> Result<Self, SyntaxError> {
        let text = std::str::from_utf8(text).map_err(|e| SyntaxError::Utf8(e.valid_up_to()))?;
        Ok(Self { text, bytes: text.as_bytes(), at: 0 })
    }

    /// At the start of a text that is known to be UTF-8.
    pub(crate) fn of(text: &'a str) -> Self {
        Self { text, bytes: text.as_bytes(), at: 0 }
    }

    /// Skips blanks and shows the next byte.
    #[inline]
    pub(crate) fn peek(&mut self) -> Option<u8> {
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                other => return other.copied(),
            }
        }
    }

    /// Where the scanner stands.
    #[inline]
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// The whole text.
    #[inline]
    pub(crate) fn text(&self) -> &'a str {
        self.text
    }

    /// Goes to a place that is known to be where a token begins.
    #[inline]
    pub(crate) fn skip_to(&mut self, at: usize) {
        self.at = at;
    }

    /// Bytes in the whole text.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Steps over the byte that `peek` has shown.
    #[inline]
    pub(crate) fn step(&mut self) {
        self.at += 1;
    }

    /// The text at a place that this scanner returned.
    #[inline]
    pub(crate) fn slice(&self, span: Span) -> &'a [u8] {
        &self.bytes[span]
    }

    /// The key of an object's member and the colon behind it.
    #[inline]
    pub(crate) fn key(&mut self) -> Result<Body<'a>, SyntaxError> {
        if self.peek() != Some(b'"') {
            return Err(self.expected("a key in quotes"));
        }
        let key = self.string()?;
        if self.peek() != Some(b':') {
            return Err(self.expected("`:`"));
        }
        self.at += 1;
        Ok(key)
    }

    /// A string, whose opening quote `peek` has shown.
    #[inline]
    pub(crate) fn string(&mut self) -> Result<Body<'a>, SyntaxError> {
        let start = self.at + 1;
        let mut end = find_special(self.bytes, start);
        let mut escaped = false;
        loop {
            match self.bytes.get(end) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    end = find_special(self.bytes, self.escape(end)?);
                }
                Some(_) => return Err(SyntaxError::Control(end)),
                None => return Err(SyntaxError::End(end)),
            }
        }
        self.at = end + 1;
        Ok(Body { text: &self.text[start..end], escaped })
    }

    /// Checks the escape whose backslash stands at `at`; returns where it ends.
    #[cold]
    fn escape(&self, at: usize) -> Result<usize, SyntaxError> {
        match self.bytes.get(at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
            Some(b'u') => match self.unit(at)? {
                0xd800..0xdc00 => self.low_surrogate(at),
                0xdc00..0xe000 => Err(SyntaxError::Surrogate(at)),
                _ => Ok(at + 6),
            },
            Some(_) => Err(SyntaxError::Escape(at)),
            None => Err(SyntaxError::End(at + 1)),
        }
    }

    /// The second half of the pair that begins at `first`.
    fn low_surrogate(&self, first: usize) -> Result<usize, SyntaxError> {
        let second = first + 6;
        if !self.bytes[second..].starts_with(b"\\u") {
            return Err(SyntaxError::Surrogate(first));
        }
        match self.unit(second)? {
            0xdc00..0xe000 => Ok(second + 6),
            _ => Err(SyntaxError::Surrogate(first)),
        }
    }

    /// The four digits of the `\uXXXX` at `at`.
    fn unit(&self, at: usize) -> Result<u32, SyntaxError> {
        let digits = self.bytes.get(at + 2..at + 6).ok_or(SyntaxError::Escape(at))?;
        digits.iter().try_fold(0, |unit, &digit| {
            let digit = char::from(digit).to_digit(16).ok_or(SyntaxError::Escape(at))?;
            Ok(unit << 4 | digit)
        })
    }

    /// A string, number or literal, whose first byte `peek` has shown.
    #[inline]
    pub(crate) fn scalar(&mut self) -> Result<(), SyntaxError> {
        match self.bytes.get(self.at) {
            Some(b'"') => self.string().map(drop),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.literal(b"true", "`true`"),
            Some(b'f') => self.literal(b"false", "`false`"),
            Some(b'n') => self.literal(b"null", "`null`"),
            _ => Err(self.expected("a value")),
        }
    }

    #[inline]
    fn literal(&mut self, word: &'static [u8], name: &'static str) -> Result<(), SyntaxError> {
        if !self.bytes[self.at..].starts_with(word) {
            return Err(SyntaxError::Expected(self.at, name));
        }
        self.at += word.len();
        Ok(())
    }

    #[inline]
    fn number(&mut self) -> Result<(), SyntaxError> {
        let start = self.at;
        let invalid = SyntaxError::Number(start);
        let mut at = start + usize::from(self.bytes[start] == b'-');
        match self.bytes.get(at) {
            Some(b'0') => at += 1,
            Some(b'1'..=b'9') => at = self.digits(at),
            _ => return Err(invalid),
        }
        if self.bytes.get(at) == Some(&b'.') {
            let digits = at + 1;
            at = self.digits(digits);
            if at == digits {
                return Err(invalid);
            }
        }
        if let Some(b'e' | b'E') = self.bytes.get(at) {
            let sign = matches!(self.bytes.get(at + 1), Some(b'+' | b'-'));
            let digits = at + 1 + usize::from(sign);
            at = self.digits(digits);
            if at == digits {
                return Err(invalid);
            }
        }
        self.at = at;
        Ok(())
    }

    /// Where the digits that begin at `at` end.
    #[inline]
    fn digits(&self, mut at: usize) -> usize {
        while let Some(b'0'..=b'9') = self.bytes.get(at) {
            at += 1;
        }
        at
    }

    /// Any value with all that is in it. `closers` is scratch: one byte for each level that is open.
    pub(crate) fn value(&mut self, closers: &mut Vec<u8>) -> Result<Span, SyntaxError> {
        self.peek();
        let start = self.at;
        closers.clear();
        loop {
            if !self.opens(closers)? {
                self.closes(closers)?;
                if closers.is_empty() {
                    return Ok(start..self.at);
                }
            }
            if closers.last() == Some(&b'}') {
                self.key()?;
            }
        }
    }

    /// Steps over any value without looking closer than it takes to find its end: that the brackets match in kind and
    /// that scalars and separators are right is not checked.
    pub(crate) fn skip(&mut self) -> Result<(), SyntaxError> {
        match self.peek() {
            Some(b'"') => self.string().map(drop),
            Some(b'{' | b'[') => self.skip_container(),
            _ => {
                let start = self.at;
                while let Some(byte) = self.bytes.get(self.at) {
                    if matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t') {
                        break;
                    }
                    self.at += 1;
                }
                if self.at == start { Err(self.expected("a value")) } else { Ok(()) }
            }
        }
    }

    fn skip_container(&mut self) -> Result<(), SyntaxError> {
        let mut depth = 0_usize;
        loop {
            self.at = find_structure(self.bytes, self.at);
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    self.string()?;
                    continue;
                }
                Some(b'{' | b'[') => depth += 1,
                Some(_) => depth -= 1,
                None => return Err(SyntaxError::End(self.at)),
            }
            self.at += 1;
            if depth == 0 {
                return Ok(());
            }
        }
    }

    /// Reads a scalar, an empty container, or the opening of one with something in it (`true`).
    #[inline]
    fn opens(&mut self, closers: &mut Vec<u8>) -> Result<bool, SyntaxError> {
        let closer = match self.peek() {
            Some(b'{') => b'}',
            Some(b'[') => b']',
            _ => return self.scalar().map(|()| false),
        };
        self.at += 1;
        if self.peek() == Some(closer) {
            self.at += 1;
            return Ok(false);
        }
        closers.push(closer);
        Ok(true)
    }

    /// After a value: closes what ends here, up to the comma before the next one, if there is a next one.
    #[inline]
    fn closes(&mut self, closers: &mut Vec<u8>) -> Result<(), SyntaxError> {
        while let Some(&closer) = closers.last() {
            match self.peek() {
                Some(b',') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(byte) if byte == closer => {
                    self.at += 1;
                    closers.pop();
                }
                _ => return Err(self.expected(if closer == b'}' { "`,` or `}`" } else { "`,` or `]`" })),
            }
        }
        Ok(())
    }

    /// Nothing but blanks may be left.
    pub(crate) fn end(&mut self) -> Result<(), SyntaxError> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(SyntaxError::Trailing(self.at)),
        }
    }

    /// What stands here is not `what`.
    #[cold]
    pub(crate) fn expected(&self, what: &'static str) -> SyntaxError {
        if self.at >= self.bytes.len() {
            SyntaxError::End(self.at)
        } else {
            SyntaxError::Expected(self.at, what)
        }
    }
}

/// The first place from `at` on with a quote, a backslash or a control character, or the end.
#[inline]
pub(super) fn find_special(bytes: &[u8], mut at: usize) -> usize {
    while let Some(word) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let found = special(u64::from_le_bytes(*word));
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while let Some(&byte) = bytes.get(at) {
        if byte < 0x20 || byte == b'"' || byte == b'\\' {
            break;
        }
        at += 1;
    }
    at
}

/// The first place from `at` on with a quote or a bracket of either kind, or the end.
#[inline]
fn find_structure(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = u64::MAX / 255;
    let zero = |x: u64| x.wrapping_sub(ONES) & !x;
    while let Some(word) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*word);
        // `{` and `[` differ in one bit, as do `}` and `]`.
        let folded = word | (ONES * 0x20);
        let found = zero(word ^ (ONES * u64::from(b'"')))
            | zero(folded ^ (ONES * u64::from(b'{')))
            | zero(folded ^ (ONES * u64::from(b'}')));
        let found = found & (ONES << 7);
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while let Some(byte) = bytes.get(at) {
        if matches!(byte, b'"' | b'{' | b'[' | b'}' | b']') {
            break;
        }
        at += 1;
    }
    at
}

/// Sets the top bit of the lowest byte that is special. Borrows run upwards, so bits above it may be wrong.
#[inline]
fn special(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const TOPS: u64 = ONES << 7;
    const QUOTES: u64 = ONES * b'"' as u64;
    const BACKSLASHES: u64 = ONES * b'\\' as u64;
    let zero = |x: u64| x.wrapping_sub(ONES) & !x;
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (control | zero(word ^ QUOTES) | zero(word ^ BACKSLASHES)) & TOPS
}

#[cfg(test)]
pub(crate) mod tests;
