//! `KeyWrap`: what is not a JSON object becomes one.

use crate::{
    error::Refused,
    json::{Scanner, escape::escape},
    part::Part,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use connect_core::{Error, Output, Record, Transform};
use std::cell::RefCell;

/// Scratch kept for the next record: one byte a level of nesting.
const KEPT_MAX: usize = 64 << 10;

thread_local! {
    static CLOSERS: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

connect_core::choices! {
    /// What becomes of bytes that are not UTF-8 in [`KeyWrap`]: no JSON string can hold them.
    pub enum InvalidUtf8 {
        /// Each invalid sequence becomes one U+FFFD (`�`), as `String::from_utf8_lossy` does it.
        Replace = "replace",
        /// The record is poison.
        Fail = "fail",
        /// The whole value is written as base64 (RFC 4648 §4, with padding). Nothing marks it as such.
        Base64 = "base64",
    }
}

connect_core::config! {
    /// Makes a JSON object of each value that is none, with the value as text in one field.
    pub struct KeyWrapConfig {
        /// The field that holds the text.
        "field" => field: String, importance: High, check: connect_core::config::not_empty;
        /// What becomes of bytes that are not UTF-8.
        "on.invalid.utf8" => on_invalid_utf8: InvalidUtf8 = InvalidUtf8::Replace;
    }
}

/// Keeps values that are JSON objects and wraps all others as text: `{"<field>":"<text>"}`.
///
/// | key | builder | default | meaning |
/// |---|---|---|---|
/// | `field` | [`new`](Self::new) | none, must be given | the field that holds the text (the product's `ContentKey`) |
/// | `on.invalid.utf8` | [`on_invalid_utf8`](Self::on_invalid_utf8) | `replace` | `replace`, `fail` or `base64`, see [`InvalidUtf8`] |
///
/// # Example
/// ```
/// # use connect_transforms::KeyWrap;
/// let (wrap, mut out) = (KeyWrap::new("message"), Vec::new());
/// assert!(wrap.write(b"disk \"sda\" is full", &mut out)?);
/// assert_eq!(out, br#"{"message":"disk \"sda\" is full"}"#);
/// assert!(!wrap.write(br#"{"level":"INFO"}"#, &mut out)?, "kept as it is");
/// # Ok::<(), connect_core::Error>(())
/// ```
///
/// # What is wrapped
/// Everything but one JSON object, blanks around it allowed: text, broken JSON, arrays, numbers, `null`, an empty
/// value (its text is empty). An object is judged by the grammar of RFC 8259; one with half a surrogate pair
/// (`"\ud800"`) is no JSON here, keys that stand twice are not looked for. Null values (tombstones) pass as they are.
///
/// # Errors
/// Poison, if the bytes are not UTF-8 and the policy is [`InvalidUtf8::Fail`]. Objects and other texts never fail.
///
/// # Performance
/// An object is scanned once and not copied. In steady state nothing is allocated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyWrap {
    field: String,
    /// What stands before the text: `{"field":"`.
    head: Vec<u8>,
    on_invalid_utf8: InvalidUtf8,
}

impl KeyWrap {
    /// Wraps under `field`.
    #[must_use]
    pub fn new(field: &str) -> Self {
        let mut head = br#"{""#.to_vec();
        escape(field, &mut head);
        head.extend_from_slice(br#"":""#);
        Self { field: field.to_owned(), head, on_invalid_utf8: InvalidUtf8::Replace }
    }

    /// Wraps as configured.
    #[must_use]
    pub fn from_config(config: &KeyWrapConfig) -> Self {
        Self::new(&config.field).on_invalid_utf8(config.on_invalid_utf8)
    }

    /// What becomes of bytes that are not UTF-8.
    #[must_use]
    pub fn on_invalid_utf8(mut self, policy: InvalidUtf8) -> Self {
        self.on_invalid_utf8 = policy;
        self
    }

    /// Appends the wrapped form of `value` to `out`; `false`: it is a JSON object, and nothing was appended.
    ///
    /// # Errors
    /// Poison, see [`KeyWrap`]. Nothing was appended.
    pub fn write(&self, value: &[u8], out: &mut Vec<u8>) -> Result<bool, Error> {
        if is_object(value) {
            return Ok(false);
        }
        self.wrap(value, out).map(|()| true).map_err(|refused| refused.during("wrap the value"))
    }

    fn wrap(&self, value: &[u8], out: &mut Vec<u8>) -> Result<(), Refused> {
        match std::str::from_utf8(value) {
            Ok(text) => {
                out.extend_from_slice(&self.head);
                escape(text, out);
            }
            Err(invalid) => self.wrap_bytes(value, invalid.valid_up_to(), out)?,
        }
        out.extend_from_slice(br#""}"#);
        Ok(())
    }

    #[cold]
    fn wrap_bytes(&self, value: &[u8], invalid: usize, out: &mut Vec<u8>) -> Result<(), Refused> {
        if self.on_invalid_utf8 == InvalidUtf8::Fail {
            return Err(Refused::NotText(invalid));
        }
        out.extend_from_slice(&self.head);
        if self.on_invalid_utf8 == InvalidUtf8::Base64 {
            let start = out.len();
            out.resize(start + value.len().div_ceil(3) * 4, 0);
            STANDARD
                .encode_slice(value, &mut out[start..])
                .expect("base64 has four characters for three bytes");
            return Ok(());
        }
        for chunk in value.utf8_chunks() {
            escape(chunk.valid(), out);
            if !chunk.invalid().is_empty() {
                out.extend_from_slice("\u{fffd}".as_bytes());
            }
        }
        Ok(())
    }
}

impl Transform for KeyWrap {
    fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error> {
        match record.value() {
            Some(value) if !is_object(value) => {
                let wrap = |buffer: &mut Vec<u8>| self.write(value, buffer).map(drop);
                Part::Value.emit(record, out, wrap)?;
            }
            _ => out.keep(record),
        }
        Ok(())
    }

    fn describe(&self) -> Option<String> {
        Some(format!("KeyWrap field={:?} on.invalid.utf8={}", self.field, self.on_invalid_utf8.as_str()))
    }
}

/// Whether `value` is one JSON object and nothing else.
fn is_object(value: &[u8]) -> bool {
    // Most texts are told by their first byte.
    if value.trim_ascii_start().first() != Some(&b'{') {
        return false;
    }
    CLOSERS.with_borrow_mut(|closers| {
        let scanned = Scanner::new(value).and_then(|mut scanner| {
            scanner.value(closers)?;
            scanner.end()
        });
        if closers.capacity() > KEPT_MAX {
            *closers = Vec::new();
        }
        scanned.is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wrapped(wrap: &KeyWrap, value: &[u8]) -> Option<String> {
        let mut out = Vec::new();
        wrap.write(value, &mut out).unwrap().then(|| String::from_utf8(out).unwrap())
    }

    #[test]
    fn objects_are_kept() {
        let wrap = KeyWrap::new("KEY");
        for value in ["{}", " {\n} ", r#"{"a":[1,{"b":null}]}"#, r#"{"a":1,"a":2}"#, r#"{"a":1e999}"#] {
            assert_eq!(wrapped(&wrap, value.as_bytes()), None, "{value}");
        }
    }

    #[test]
    fn everything_else_is_wrapped_exactly() {
        let wrap = KeyWrap::new("KEY");
        for (value, text) in [
            ("", ""),
            ("hello", "hello"),
            ("a \"b\" \\ / \u{8}\t\n\u{c}\r\u{1}\u{7f} é 😀", r#"a \"b\" \\ / \b\t\n\f\r\u0001"#),
            ("[1,2]", "[1,2]"),
            ("12", "12"),
            ("null", "null"),
            ("\"text\"", r#"\"text\""#),
            ("{\"a\":1", r#"{\"a\":1"#),
            ("{\"a\":1} {}", r#"{\"a\":1} {}"#),
            ("{a:1}", "{a:1}"),
            ("\u{feff}{}", "\u{feff}{}"),
            ("\u{c}{}", r"\f{}"),
            (r#"{"a":"\ud800"}"#, r#"{\"a\":\"\\ud800\"}"#),
        ] {
            let text = if text.ends_with("0001") { format!("{text}\u{7f} é 😀") } else { text.to_owned() };
            assert_eq!(wrapped(&wrap, value.as_bytes()), Some(format!("{{\"KEY\":\"{text}\"}}")), "{value}");
        }
        assert_eq!(wrapped(&KeyWrap::new("a\"\n"), b"x").as_deref(), Some(r#"{"a\"\n":"x"}"#));
    }

    #[test]
    fn bytes_that_are_no_text_follow_the_policy() {
        let value = b"a\xffb\xe2\x82\"\xf0\x9f\x98";
        let wrap = |policy| KeyWrap::new("KEY").on_invalid_utf8(policy);
        let replaced = wrapped(&wrap(InvalidUtf8::Replace), value);
        assert_eq!(replaced.as_deref(), Some("{\"KEY\":\"a\u{fffd}b\u{fffd}\\\"\u{fffd}\"}"));
        for length in 1..=value.len() {
            let encoded = STANDARD.encode(&b"\xff\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09"[..length]);
            let got = wrapped(
                &wrap(InvalidUtf8::Base64),
                &b"\xff\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09"[..length],
            );
            assert_eq!(got, Some(format!("{{\"KEY\":\"{encoded}\"}}")));
        }
        assert_eq!(wrapped(&wrap(InvalidUtf8::Base64), b"text").as_deref(), Some(r#"{"KEY":"text"}"#));
        let mut out = Vec::new();
        let error = wrap(InvalidUtf8::Fail).write(value, &mut out).unwrap_err();
        assert_eq!(
            error.report(),
            "failed to wrap the value: invalid UTF-8 at byte 1: `on.invalid.utf8` can be `replace` or `base64`"
        );
        assert!(out.is_empty());
        assert_eq!(error.class(), connect_core::Class::Poison);
    }

    #[test]
    fn an_object_with_bytes_that_are_no_text_is_no_object() {
        let replaced = wrapped(&KeyWrap::new("KEY"), b"{\"a\":\"\xff\"}");
        assert_eq!(replaced.as_deref(), Some("{\"KEY\":\"{\\\"a\\\":\\\"\u{fffd}\\\"}\"}"));
    }

    #[test]
    fn a_description_tells_all_options() {
        let wrap = KeyWrap::new("KEY").on_invalid_utf8(InvalidUtf8::Base64);
        assert_eq!(wrap.describe().as_deref(), Some(r#"KeyWrap field="KEY" on.invalid.utf8=base64"#));
    }

    proptest! {
        #[test]
        fn the_result_is_an_object_and_its_field_the_text(value: Vec<u8>, field: String) {
            if let Some(json) = wrapped(&KeyWrap::new(&field), &value) {
                let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&json).unwrap();
                prop_assert_eq!(object.len(), 1);
                prop_assert_eq!(object[&field].as_str(), Some(&*String::from_utf8_lossy(&value)));
            }
        }
    }
}
