//! Stepping over values as fast as their ends can be found.
//!
//! Of a string only quotes and backslashes are looked at, of a container only its strings and brackets. Whatever is out
//! of the ordinary on the way (an escape in a key, a text that is broken where it shows) is left to the scanner.

use super::pick::Walk;

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

    /// Steps over a key and its colon; tells whether it is `name`.
    #[inline]
    fn key(&mut self, name: &str) -> Option<bool> {
        if self.peek()? != b'"' {
            return None;
        }
        let start = self.at + 1;
        if self.string()? {
            return None;
        }
        let is = &self.bytes[start..self.at - 1] == name.as_bytes();
        if self.peek()? != b':' {
            return None;
        }
        self.at += 1;
        Some(is)
    }

    /// Steps over a value.
    #[inline]
    fn value(&mut self) -> Option<()> {
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

/// Something is out of the ordinary: the scanner knows what.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AskTheScanner;

impl Walk for Skip<'_> {
    type Stop = AskTheScanner;

    #[inline]
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                other => return other.copied(),
            }
        }
    }

    #[inline]
    fn at(&self) -> usize {
        self.at
    }

    #[inline]
    fn step(&mut self) {
        self.at += 1;
    }

    #[inline]
    fn key_is(&mut self, name: &str) -> Result<bool, AskTheScanner> {
        self.key(name).ok_or(AskTheScanner)
    }

    #[inline]
    fn skip(&mut self) -> Result<(), AskTheScanner> {
        self.value().ok_or(AskTheScanner)
    }

    fn expected(&self, _what: &'static str) -> AskTheScanner {
        AskTheScanner
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
        for text in ["{\"\\u0061\":1}", "{\"b\" 1}", "{b:1}", "{", "{\"b"] {
            let mut skip = Skip { bytes: text.as_bytes(), at: 1 };
            assert_eq!(skip.key_is("a"), Err(AskTheScanner), "{text}");
        }
        for text in ["", ",", "\"x\\", "[1"] {
            assert_eq!(Skip::new(text.as_bytes()).skip(), Err(AskTheScanner), "{text}");
        }
        let mut skip = Skip::new(br#" [{"}":"]"}] ,"#);
        assert_eq!((skip.skip(), skip.at()), (Ok(()), 12));
    }
}
