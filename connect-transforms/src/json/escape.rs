//! Between the body of a JSON string and the text that it stands for.
//!
//! The escaped form written here is canonical: two texts are equal exactly if their escaped forms are. It is the form
//! that `serde_json` writes: `\"`, `\\`, `\b`, `\t`, `\n`, `\f`, `\r`, `\u00xx` for the other control characters, and
//! everything else as it stands.

use super::scan::find_special;

/// For each byte: 0 it stands for itself, `u` it becomes `\u00xx`, anything else it becomes `\` and that byte.
const ESCAPES: [u8; 256] = {
    let mut table = [0; 256];
    let mut control = 0;
    while control < 0x20 {
        table[control] = b'u';
        control += 1;
    }
    table[0x08] = b'b';
    table[b'\t' as usize] = b't';
    table[b'\n' as usize] = b'n';
    table[0x0c] = b'f';
    table[b'\r' as usize] = b'r';
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table
};

/// Appends `text` as the body of a JSON string, without the quotes.
pub(crate) fn escape(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let mut copied = 0;
    loop {
        let at = find_special(bytes, copied);
        out.extend_from_slice(&bytes[copied..at]);
        let Some(&byte) = bytes.get(at) else { return };
        copied = at + 1;
        let escape = ESCAPES[usize::from(byte)];
        out.extend_from_slice(&[b'\\', escape]);
        if escape == b'u' {
            let hex = |digit: u8| b"0123456789abcdef"[usize::from(digit)];
            out.extend_from_slice(&[b'0', b'0', hex(byte >> 4), hex(byte & 15)]);
        }
    }
}

/// Appends `text` as a JSON string.
pub(crate) fn quote(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    escape(text, out);
    out.push(b'"');
}

/// Appends the text that the body of a JSON string stands for. The body must have passed the scanner: of anything
/// else it makes some text, and does not panic.
pub(crate) fn unescape(body: &str, out: &mut String) {
    let mut rest = body;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let mut after = rest.chars();
        out.push(match after.next() {
            Some('b') => '\u{8}',
            Some('t') => '\t',
            Some('n') => '\n',
            Some('f') => '\u{c}',
            Some('r') => '\r',
            Some('u') => {
                let (character, left) = unicode(rest);
                rest = left;
                out.push(character);
                continue;
            }
            Some(itself) => itself,
            None => char::REPLACEMENT_CHARACTER,
        });
        rest = after.as_str();
    }
    out.push_str(rest);
}

/// The character of `uXXXX` or `uXXXX\uXXXX` at the start of `text`, and what follows it.
fn unicode(text: &str) -> (char, &str) {
    let unit = |digits: Option<&str>| digits.and_then(|digits| u16::from_str_radix(digits, 16).ok());
    let after = |at: usize| text.get(at..).unwrap_or_default();
    let Some(first) = unit(text.get(1..5)) else {
        return (char::REPLACEMENT_CHARACTER, after(1));
    };
    let second = if (0xd800..0xdc00).contains(&first) { unit(text.get(7..11)) } else { None };
    let decoded = char::decode_utf16([Some(first), second].into_iter().flatten()).next();
    let character = decoded.and_then(Result::ok).unwrap_or(char::REPLACEMENT_CHARACTER);
    (character, after(if second.is_some() { 11 } else { 5 }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn escaped(text: &str) -> String {
        let mut out = Vec::new();
        escape(text, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn unescaped(body: &str) -> String {
        let mut out = String::new();
        unescape(body, &mut out);
        out
    }

    #[test]
    fn every_control_character_is_escaped_and_nothing_else_but_quote_and_backslash() {
        for code in 0..0x250_u32 {
            let text = char::from_u32(code).unwrap().to_string();
            let expected = serde_json::to_string(&text).unwrap();
            assert_eq!(format!("\"{}\"", escaped(&text)), expected, "{code:#x}");
        }
        assert_eq!(escaped("a\"b\\c/d\u{7f}\u{2028}😀"), "a\\\"b\\\\c/d\u{7f}\u{2028}😀");
    }

    #[test]
    fn all_escapes_are_undone() {
        assert_eq!(unescaped(r#"\"\\\/\b\f\n\r\t"#), "\"\\/\u{8}\u{c}\n\r\t");
        assert_eq!(unescaped(r"a\u00e9\u4E2D\ud83d\ude00z\u0000"), "aé中😀z\0");
        assert_eq!(unescaped(""), "");
    }

    #[test]
    fn a_body_that_never_passed_the_scanner_does_not_panic() {
        for body in
            [r"\", r"\u", r"\u12", r"\u12é", r"\ud83d", r"\ud83d\u", r"\ud83d\u0041", r"\udc00", r"\é"]
        {
            unescaped(body);
        }
    }

    proptest! {
        #[test]
        fn escaping_is_what_serde_json_writes_and_can_be_undone(text: String) {
            prop_assert_eq!(format!("\"{}\"", escaped(&text)), serde_json::to_string(&text).unwrap());
            prop_assert_eq!(unescaped(&escaped(&text)), text);
        }

        #[test]
        fn unescaping_is_what_serde_json_reads(units in proptest::collection::vec(any::<char>(), 0..20)) {
            let body: String = units
                .iter()
                .flat_map(|c| c.encode_utf16(&mut [0; 2]).to_vec())
                .map(|unit| format!("\\u{unit:04X}"))
                .collect();
            let expected: String = serde_json::from_str(&format!("\"{body}\"")).unwrap();
            prop_assert_eq!(unescaped(&body), expected);
        }
    }
}
