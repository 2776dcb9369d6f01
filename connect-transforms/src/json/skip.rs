//! Stepping over values as fast as their ends can be found.
//!
//! Of a string only quotes and backslashes are looked at, of a container only its strings and brackets. Whatever is out
//! of the ordinary on the way (an escape in a key, a text that is broken where it shows) is left to the scanner.

use super::{Span, pick::Step};

/// A position in a text that is not checked to be JSON or UTF-8.
#[derive(Debug)]
pub(super) struct Skip<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Skip<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Where the value stands that `steps` lead to, if it is one. The outer `None`: ask the scanner.
    #[allow(clippy::option_option, reason = "that nothing is there is an answer, too")]
    pub(super) fn find(mut self, steps: &[Step]) -> Option<Option<Span>> {
        for step in steps {
            let found = match (self.peek()?, step) {
                (b'{', Step::Name(name)) => self.member(name)?,
                (b'[', Step::Index(index)) => self.element(*index)?,
                (b'[', Step::FromEnd(distance)) => self.element_from_end(*distance)?,
                _ => false,
            };
            if !found {
                return Some(None);
            }
        }
        self.peek()?;
        let start = self.at;
        self.skip()?;
        Some(Some(start..self.at))
    }

    /// Goes to the value of the member with this key.
    #[inline]
    fn member(&mut self, name: &str) -> Option<bool> {
        self.at += 1;
        if self.peek()? == b'}' {
            return Some(false);
        }
        loop {
            if self.peek()? != b'"' {
                return None;
            }
            let start = self.at + 1;
            if self.string()? {
                return None;
            }
            let found = &self.bytes[start..self.at - 1] == name.as_bytes();
            if self.peek()? != b':' {
                return None;
            }
            self.at += 1;
            if found {
                return Some(true);
            }
            self.skip()?;
            if !self.another(b'}')? {
                return Some(false);
            }
        }
    }

    /// Goes to the element with this number.
    #[inline]
    fn element(&mut self, index: usize) -> Option<bool> {
        self.at += 1;
        if self.peek()? == b']' {
            return Some(false);
        }
        for _ in 0..index {
            self.skip()?;
            if !self.another(b']')? {
                return Some(false);
            }
        }
        Some(true)
    }

    /// Goes to the element that is so far from the end: the array is stepped over first, to count its elements.
    fn element_from_end(&mut self, distance: usize) -> Option<bool> {
        let start = self.at;
        self.at += 1;
        let mut length = 0_usize;
        if self.peek()? != b']' {
            length = 1;
            self.skip()?;
            while self.another(b']')? {
                self.skip()?;
                length += 1;
            }
        }
        self.at = start;
        match length.checked_sub(distance) {
            Some(index) => self.element(index),
            None => Some(false),
        }
    }

    /// After a value: whether a comma follows, which is stepped over, or the end of the container.
    #[inline]
    fn another(&mut self, closer: u8) -> Option<bool> {
        match self.peek()? {
            b',' => {
                self.at += 1;
                Some(true)
            }
            byte if byte == closer => Some(false),
            _ => None,
        }
    }

    /// Skips blanks and shows the next byte.
    #[inline]
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                other => return other.copied(),
            }
        }
    }

    /// Steps over a value.
    #[inline]
    fn skip(&mut self) -> Option<()> {
        match self.peek()? {
            b'"' => self.string().map(drop),
            b'{' | b'[' => self.container(),
            _ => {
                let start = self.at;
                let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t');
                while self.bytes.get(self.at).is_some_and(|byte| !ends(byte)) {
                    self.at += 1;
                }
                (self.at > start).then_some(())
            }
        }
    }

    /// Steps over a string, whose opening quote stands here; tells whether there are escapes in it.
    #[inline]
    fn string(&mut self) -> Option<bool> {
        let mut end = find_quote(self.bytes, self.at + 1);
        let mut escaped = false;
        // What a backslash stands before is not the end, whatever it is.
        while *self.bytes.get(end)? == b'\\' {
            escaped = true;
            end = find_quote(self.bytes, end + 2);
        }
        self.at = end + 1;
        Some(escaped)
    }

    #[inline(never)]
    fn container(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match *self.bytes.get(self.at)? {
                b'"' => {
                    self.string()?;
                    // Most often the next string follows at once, which needs no search.
                    if self.comes(b":\"") {
                        self.at += 1;
                        self.string()?;
                    }
                    if self.comes(b",\"") {
                        self.at += 1;
                        continue;
                    }
                }
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                // A quote or a bracket is all that is searched for.
                _ => {
                    depth -= 1;
                    self.at += 1;
                    if depth == 0 {
                        return Some(());
                    }
                }
            }
            self.at = find_structure(self.bytes, self.at);
        }
    }

    #[inline]
    fn comes(&self, two: &[u8; 2]) -> bool {
        self.bytes.get(self.at..self.at + 2).is_some_and(|next| next == two)
    }
}

const ONES: u64 = u64::MAX / 255;

/// Sets the top bit of the lowest byte that is zero. Borrows run upwards, so bits above it may be wrong.
#[inline]
fn zero(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word
}

#[inline]
fn find(bytes: &[u8], mut at: usize, marks: impl Fn(u64) -> u64, is: impl Fn(u8) -> bool) -> usize {
    while let Some(word) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let found = marks(u64::from_le_bytes(*word)) & (ONES << 7);
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while bytes.get(at).is_some_and(|byte| !is(*byte)) {
        at += 1;
    }
    at
}

/// The first place from `at` on with a quote or a backslash, or the end.
#[inline]
fn find_quote(bytes: &[u8], at: usize) -> usize {
    let marks = |word: u64| zero(word ^ (ONES * u64::from(b'"'))) | zero(word ^ (ONES * u64::from(b'\\')));
    find(bytes, at, marks, |byte| matches!(byte, b'"' | b'\\'))
}

/// The first place from `at` on with a quote or a bracket of either kind, or the end.
#[inline]
fn find_structure(bytes: &[u8], at: usize) -> usize {
    let marks = |word: u64| {
        // `{` and `[` differ in one bit, as do `}` and `]`.
        let folded = word | (ONES * 0x20);
        zero(word ^ (ONES * u64::from(b'"')))
            | zero(folded ^ (ONES * u64::from(b'{')))
            | zero(folded ^ (ONES * u64::from(b'}')))
    };
    find(bytes, at, marks, |byte| matches!(byte, b'"' | b'{' | b'[' | b'}' | b']'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_found_at_every_place_and_nothing_else_is() {
        type Search = fn(&[u8], usize) -> usize;
        for (search, wanted) in [(find_quote as Search, &b"\"\\"[..]), (find_structure, b"\"{}[]")] {
            for byte in 0..=u8::MAX {
                for (length, place) in
                    (1..20).flat_map(|length| (0..length).map(move |place| (length, place)))
                {
                    let mut text = vec![b'x'; length];
                    text[place] = byte;
                    let expected = if wanted.contains(&byte) { place } else { length };
                    assert_eq!(search(&text, 0), expected, "{byte:#x} at {place} of {length}");
                    assert_eq!(search(&text, place + 1), length);
                }
            }
        }
    }

    #[test]
    fn what_is_out_of_the_ordinary_is_left_to_the_scanner() {
        let a = [Step::Name("a".to_owned())];
        for text in [
            r#"{"\u0061":1}"#,
            "{\"b\":1",
            "{\"b\" 1}",
            "{\"b\":1]",
            "{b:1}",
            "{\"b\":,",
            "",
            "{\"b\":\"x\\",
            "{\"b\":[1",
        ] {
            assert_eq!(Skip::new(text.as_bytes()).find(&a), None, "{text}");
        }
        assert_eq!(Skip::new(b"{}").find(&a), Some(None));
        assert_eq!(Skip::new(br#"{"b":[{"}":"]"}],"a":7}"#).find(&a), Some(Some(21..22)));
    }
}
