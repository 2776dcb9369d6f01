//! One JSON document per line: the value as it is, after a check that it is one line.

use super::{Format, FormatError};
use serde::de::IgnoredAny;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JsonLines {
    /// Whether every value is parsed (about 1 GB/s), or only looked at.
    pub(crate) validate: bool,
}

impl JsonLines {
    /// See [`Format::extension`].
    pub(crate) const EXTENSION: &str = "json";
}

impl Format for JsonLines {
    fn fingerprint(&self) -> &'static str {
        // Validation belongs here: it decides which records are left out.
        if self.validate { "json-lines/1 valid" } else { "json-lines/1" }
    }

    fn extension(&self) -> &'static str {
        Self::EXTENSION
    }

    fn encode<'a>(&self, value: &'a [u8], scratch: &'a mut Vec<u8>) -> Result<&'a [u8], FormatError> {
        if value.iter().all(u8::is_ascii_whitespace) {
            return Err(FormatError::Empty);
        }
        let one_line = memchr::memchr2(b'\n', b'\r', value).is_none();
        if self.validate || !one_line {
            let _: IgnoredAny = serde_json::from_slice(value).map_err(|e| FormatError::NotJson(e.into()))?;
            // IgnoredAny does not look at the bytes of texts.
            std::str::from_utf8(value).map_err(|e| FormatError::NotJson(e.into()))?;
        }
        if one_line {
            return Ok(value);
        }
        minify(value, scratch);
        Ok(scratch)
    }

    fn separator(&self) -> &'static [u8] {
        b"\n"
    }
}

/// Copies valid JSON without the white space between its tokens. Line feeds are only there: inside a text JSON
/// wants them escaped.
fn minify(json: &[u8], out: &mut Vec<u8>) {
    out.clear();
    out.reserve(json.len());
    let mut rest = json;
    while let Some(&byte) = rest.first() {
        match byte {
            b'"' => {
                let text = text_len(rest);
                out.extend_from_slice(&rest[..text]);
                rest = &rest[text..];
            }
            b' ' | b'\t' | b'\n' | b'\r' => rest = &rest[1..],
            _ => {
                out.push(byte);
                rest = &rest[1..];
            }
        }
    }
}

/// Bytes of the text at the start of `json`, both quotes included.
fn text_len(json: &[u8]) -> usize {
    let mut at = 1;
    while let Some(found) = memchr::memchr2(b'"', b'\\', &json[at..]) {
        at += found;
        if json[at] == b'"' {
            return at + 1;
        }
        at += 2;
        if at >= json.len() {
            break;
        }
    }
    json.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(validate: bool, value: &str) -> Result<String, FormatError> {
        let mut scratch = b"left over".to_vec();
        let bytes = JsonLines { validate }.encode(value.as_bytes(), &mut scratch)?;
        Ok(String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[test]
    fn a_value_on_one_line_is_spliced_untouched() {
        for value in [r#"{ "a" : 1.50 }"#, "[1, 2]", "no json", "  1"] {
            assert_eq!(encode(false, value).unwrap(), value);
        }
    }

    #[test]
    fn a_value_on_several_lines_becomes_one_and_keeps_its_texts_and_numbers() {
        let value = "{\r\n  \"a b\" : \"x \\\" \\\\\" ,\n\t\"n\": [1.50,\n 12345678901234567890123],\r\"e\":\"\\\\\"\n}\n";
        let want = r#"{"a b":"x \" \\","n":[1.50,12345678901234567890123],"e":"\\"}"#;
        assert_eq!(encode(false, value).unwrap(), want);
        let (one, two): (serde_json::Value, serde_json::Value) =
            (serde_json::from_str(value).unwrap(), serde_json::from_str(want).unwrap());
        assert_eq!(one, two);
    }

    #[test]
    fn what_would_break_the_file_is_poison() {
        for value in ["", " ", "\n", "two\nlines", "{\"a\":\"x\ny\"}", "{}\n{}"] {
            assert!(encode(false, value).is_err(), "{value:?}");
        }
    }

    #[test]
    fn validation_refuses_what_is_not_json() {
        for value in ["no json", "{\"a\":}", "{} {}"] {
            assert!(encode(false, value).is_ok(), "{value:?}");
            assert!(matches!(encode(true, value), Err(FormatError::NotJson(_))), "{value:?}");
        }
        let mut scratch = Vec::new();
        assert!(JsonLines { validate: true }.encode(b"\"\xff\"", &mut scratch).is_err());
        assert_eq!(encode(true, "{\"a\": 1}").unwrap(), "{\"a\": 1}");
    }

    proptest::proptest! {
        #[test]
        fn minified_json_means_the_same(texts in proptest::collection::vec(".*", 0..4), n in proptest::num::i64::ANY) {
            let tree = serde_json::json!({ "texts": texts, "deep": [{ "n": n }, null, true] });
            let pretty = serde_json::to_string_pretty(&tree).unwrap();
            let mut scratch = Vec::new();
            let line = JsonLines { validate: false }.encode(pretty.as_bytes(), &mut scratch).unwrap();
            proptest::prop_assert!(!line.contains(&b'\n'));
            let back: serde_json::Value = serde_json::from_slice(line).unwrap();
            proptest::prop_assert_eq!(back, tree);
        }
    }
}
