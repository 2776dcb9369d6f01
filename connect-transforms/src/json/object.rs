//! The members of one object, as places in its text, and writing an object out of pieces of another one.

use super::{
    Scanner, Span, SyntaxError,
    escape::{escape, unescape},
};
use std::borrow::Cow;

/// A member of an object.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// The body of the key, without its quotes.
    pub(crate) key: Span,
    /// Whether the key has escapes in it.
    pub(crate) escaped: bool,
    pub(crate) value: Span,
}

impl Member {
    /// What the key stands for.
    #[inline]
    pub(crate) fn name<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let key = &text[self.key.clone()];
        if !self.escaped {
            return Cow::Borrowed(key);
        }
        let mut plain = String::new();
        unescape(key, &mut plain);
        Cow::Owned(plain)
    }

    /// Whether the key stands for `name`.
    #[inline]
    pub(crate) fn is(&self, text: &str, name: &str) -> bool {
        self.name(text) == name
    }

    /// From the opening quote of the key to the end of the value.
    #[inline]
    pub(crate) fn whole(&self) -> Span {
        self.key.start - 1..self.value.end
    }
}

/// Reads the members of the object that the scanner stands before, appending them to `members`; afterwards the scanner
/// stands behind it. `closers` is scratch.
pub(crate) fn read_members(
    scanner: &mut Scanner<'_>,
    members: &mut Vec<Member>,
    closers: &mut Vec<u8>,
) -> Result<(), SyntaxError> {
    each_member(scanner, closers, |member| members.push(member))
}

/// As [`read_members`], showing each member as soon as it is read.
#[inline]
pub(crate) fn each_member(
    scanner: &mut Scanner<'_>,
    closers: &mut Vec<u8>,
    mut see: impl FnMut(Member),
) -> Result<(), SyntaxError> {
    if scanner.peek() != Some(b'{') {
        return Err(scanner.expected("`{`"));
    }
    scanner.step();
    if scanner.peek() == Some(b'}') {
        scanner.step();
        return Ok(());
    }
    loop {
        scanner.peek();
        let start = scanner.at() + 1;
        let key = scanner.key()?;
        let key_span = start..start + key.text.len();
        // Most values are scalars, for which nothing has to be remembered.
        let value = match scanner.peek() {
            Some(b'{' | b'[') => scanner.value(closers)?,
            _ => {
                let start = scanner.at();
                scanner.scalar()?;
                start..scanner.at()
            }
        };
        see(Member { key: key_span, escaped: key.escaped, value });
        match scanner.peek() {
            Some(b',') => scanner.step(),
            Some(b'}') => {
                scanner.step();
                return Ok(());
            }
            _ => return Err(scanner.expected("`,` or `}`")),
        }
    }
}

/// Writes one object, member by member. Members that stood side by side are copied in one go.
#[derive(Debug)]
pub(crate) struct ObjectWriter<'a> {
    text: &'a str,
    /// What is to be copied next.
    pending: Option<Span>,
    any: bool,
}

impl<'a> ObjectWriter<'a> {
    /// Begins an object that takes members from `text`.
    pub(crate) fn new(text: &'a str, out: &mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { text, pending: None, any: false }
    }

    /// A member of the text as it stands. `follows`: the one before it in the text was kept as well.
    #[inline]
    pub(crate) fn keep(&mut self, member: &Member, follows: bool, out: &mut Vec<u8>) {
        match &mut self.pending {
            Some(pending) if follows => pending.end = member.value.end,
            _ => {
                self.flush(out);
                self.pending = Some(member.whole());
            }
        }
    }

    /// The beginning of a member with another name; its value is for the caller to append.
    #[inline]
    pub(crate) fn name(&mut self, escaped: &[u8], out: &mut Vec<u8>) {
        self.flush(out);
        self.comma(out);
        out.push(b'"');
        out.extend_from_slice(escaped);
        out.extend_from_slice(b"\":");
    }

    /// The beginning of a member with the key of one of the text; its value is for the caller to append.
    #[inline]
    pub(crate) fn key_of(&mut self, member: &Member, out: &mut Vec<u8>) {
        let text = self.text;
        self.name(&text.as_bytes()[member.key.clone()], out);
    }

    pub(crate) fn end(mut self, out: &mut Vec<u8>) {
        self.flush(out);
        out.push(b'}');
    }

    #[inline]
    fn flush(&mut self, out: &mut Vec<u8>) {
        if let Some(pending) = self.pending.take() {
            self.comma(out);
            out.extend_from_slice(&self.text.as_bytes()[pending]);
        }
    }

    #[inline]
    fn comma(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.any, true) {
            out.push(b',');
        }
    }
}

/// The body of the JSON string for `text`.
pub(crate) fn escaped(text: &str) -> Vec<u8> {
    let mut body = Vec::with_capacity(text.len());
    escape(text, &mut body);
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(text: &str) -> Result<Vec<Member>, SyntaxError> {
        let (mut members, mut scanner) = (Vec::new(), Scanner::new(text.as_bytes())?);
        read_members(&mut scanner, &mut members, &mut Vec::new())?;
        scanner.end()?;
        Ok(members)
    }

    #[test]
    fn members_are_found_with_their_text() {
        let text = r#" { "a" : 1.0 , "b\u0063":[{"x":2}, 3],"":null } "#;
        let found: Vec<_> = members(text)
            .unwrap()
            .into_iter()
            .map(|member| (&text[member.key.clone()], member.escaped, &text[member.value]))
            .collect();
        assert_eq!(found, [("a", false, "1.0"), ("b\\u0063", true, r#"[{"x":2}, 3]"#), ("", false, "null")]);
        assert!(members(text).unwrap()[1].is(text, "bc"));
        assert_eq!(members("{}").unwrap().len(), 0);
        for broken in ["{", "[]", r#"{"a":1,}"#, r#"{"a" 1}"#, r#"{"a":1]"#, r#"{"a":1}x"#, r#"{"a":}"#] {
            assert!(members(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn members_that_stay_keep_what_stands_between_them() {
        let text = r#"{"a": 1,  "b":2,"c":3, "d":4}"#;
        let (members, mut out) = (members(text).unwrap(), Vec::new());
        let mut writer = ObjectWriter::new(text, &mut out);
        writer.keep(&members[0], false, &mut out);
        writer.keep(&members[1], true, &mut out);
        writer.name(b"x", &mut out);
        out.extend_from_slice(b"0");
        writer.keep(&members[3], false, &mut out);
        writer.end(&mut out);
        assert_eq!(out, br#"{"a": 1,  "b":2,"x":0,"d":4}"#);
    }
}
