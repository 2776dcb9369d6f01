//! Header values.

use crate::json::{
    Scanner,
    escape::{quote, unescape},
};
use connect_core::{Error, Output, Record, Transform};
use std::borrow::Cow;

/// `org.apache.kafka.connect.storage.SimpleHeaderConverter`: a header's value is text whose type is guessed. No keys.
///
/// | header | JSON |
/// |---|---|
/// | null, or the text `null` | null |
/// | `true`, `false` | itself |
/// | a number, such as `12`, `007`, `+1.50`, `1e3` | the number: `12`, `7`, `1.50`, `1e3` |
/// | an object or an array in JSON | itself |
/// | any other text, also an empty one | a JSON string |
/// | bytes that are not UTF-8 | a JSON string, U+FFFD for what is no text |
///
/// It never refuses a header. Back, a JSON string becomes its text, and any other JSON stays as it is.
///
/// # Differences from Kafka
/// A number keeps its digits, where Kafka makes a float of 32 bits of a fraction. Dates and times stay strings. Arrays
/// and maps are those of JSON, and Kafka's own form with bare words stays a string.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SimpleHeaderConverter;

impl SimpleHeaderConverter {
    /// The JSON text for a header's value; `None` is null.
    #[must_use]
    pub fn decode(self, value: &[u8]) -> Option<Cow<'_, [u8]>> {
        let text = String::from_utf8_lossy(value);
        let token = text.trim();
        match token {
            "null" => return None,
            "true" | "false" => return Some(Cow::Owned(token.as_bytes().to_vec())),
            _ => {}
        }
        if let Some(number) = number(token) {
            return Some(Cow::Owned(number.into_bytes()));
        }
        if token.starts_with(['{', '[']) && is_json(token) {
            return Some(Cow::Owned(token.as_bytes().to_vec()));
        }
        let mut quoted = Vec::new();
        quote(&text, &mut quoted);
        Some(Cow::Owned(quoted))
    }

    /// The bytes for a JSON text; `None` is null.
    #[must_use]
    pub fn encode(self, json: &[u8]) -> Option<Cow<'_, [u8]>> {
        if json == b"null" {
            return None;
        }
        let text = std::str::from_utf8(json).ok().filter(|text| text.starts_with('"') && is_json(text));
        let Some(body) = text.and_then(|text| text.strip_prefix('"')?.strip_suffix('"')) else {
            return Some(Cow::Borrowed(json));
        };
        let mut text = String::new();
        unescape(body, &mut text);
        Some(Cow::Owned(text.into_bytes()))
    }
}

fn is_json(text: &str) -> bool {
    let mut scanner = Scanner::of(text);
    scanner.value(&mut Vec::new()).is_ok() && scanner.end().is_ok()
}

/// A number as Java's `BigDecimal` reads it, in the form that JSON has for it.
fn number(token: &str) -> Option<String> {
    let (sign, digits) = match token.as_bytes().first()? {
        b'-' => ("-", &token[1..]),
        b'+' => ("", &token[1..]),
        b'0'..=b'9' => ("", token),
        _ => return None,
    };
    let (mantissa, exponent) = match digits.find(['e', 'E']) {
        Some(at) => digits.split_at(at),
        None => (digits, ""),
    };
    let (whole, fraction) = mantissa.split_once('.').map_or((mantissa, None), |(w, f)| (w, Some(f)));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let exponent_digits = exponent.trim_start_matches(['e', 'E']).trim_start_matches(['+', '-']);
    let sound = all_digits(whole)
        && fraction.is_none_or(all_digits)
        && (!whole.is_empty() || fraction.is_some_and(|digits| !digits.is_empty()))
        && (exponent.is_empty() || (!exponent_digits.is_empty() && all_digits(exponent_digits)));
    if !sound {
        return None;
    }
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    let fraction = fraction.filter(|digits| !digits.is_empty()).map(|digits| format!(".{digits}"));
    let json = format!("{sign}{whole}{}{exponent}", fraction.unwrap_or_default());
    // What is left, such as two signs of an exponent, JSON refuses as Java does.
    is_json(&json).then_some(json)
}

/// Converts the values of all headers by [`SimpleHeaderConverter`], as the first step of a chain or the last one.
///
/// Without it headers stay the bytes that they are, which is what most pipelines want. It has no keys: `header.converter`
/// names it. It never fails: what is no value of Connect's is text.
///
/// ```
/// use connect_core::{Chain, testing::{Message, batch}};
/// use connect_transforms::converters::ConvertHeaders;
///
/// let chain = Chain::new(vec![std::sync::Arc::new(ConvertHeaders::new())]);
/// let done = chain.apply(batch([Message::new("x").header("retries", "007").header("from", "web")]), 0);
/// let headers: Vec<_> = done.batch.iter().next().unwrap().headers().collect();
/// assert_eq!(headers, [("retries", Some(&b"7"[..])), ("from", Some(&b"\"web\""[..]))]);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConvertHeaders {
    back: bool,
}

impl ConvertHeaders {
    /// From bytes to JSON text.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The other way: from JSON text to bytes.
    #[must_use]
    pub fn back(self) -> Self {
        Self { back: true }
    }

    fn convert(self, value: &[u8]) -> Option<Cow<'_, [u8]>> {
        if self.back { SimpleHeaderConverter.encode(value) } else { SimpleHeaderConverter.decode(value) }
    }
}

impl Transform for ConvertHeaders {
    fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error> {
        if record.headers().next().is_none() {
            out.keep(record);
            return Ok(());
        }
        let headers: Vec<_> = record
            .headers()
            .map(|(name, value)| (name, value.and_then(|value| self.convert(value))))
            .collect();
        out.derive(record).headers(headers.iter().map(|(name, value)| (*name, value.as_deref()))).emit();
        Ok(())
    }

    fn describe(&self) -> Option<String> {
        let direction = if self.back { " back" } else { "" };
        Some(format!("ConvertHeaders{direction} by SimpleHeaderConverter"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn json(header: &str) -> Option<String> {
        SimpleHeaderConverter
            .decode(header.as_bytes())
            .map(|json| String::from_utf8_lossy(&json).into_owned())
    }

    #[test]
    fn the_type_of_a_header_is_guessed_from_its_text() {
        for (header, expected) in [
            ("true", "true"),
            (" false ", "false"),
            ("12", "12"),
            ("-007", "-7"),
            ("+1.50", "1.50"),
            (".5e3", "\".5e3\""),
            ("-5.", "-5"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("1e400", "1e400"),
            ("", "\"\""),
            ("1-2", "\"1-2\""),
            ("1e", "\"1e\""),
            ("1e++5", "\"1e++5\""),
            ("-", "\"-\""),
            ("2024-01-01", "\"2024-01-01\""),
            ("true}", "\"true}\""),
            ("[1, \"a\"]", "[1, \"a\"]"),
            ("{a:b}", "\"{a:b}\""),
            ("say \"hi\"", "\"say \\\"hi\\\"\""),
        ] {
            assert_eq!(json(header).as_deref(), Some(expected), "{header}");
        }
        assert_eq!(json("null"), None);
        assert_eq!(SimpleHeaderConverter.decode(b"\xff").as_deref(), Some("\"\u{fffd}\"".as_bytes()));
    }

    proptest! {
        #[test]
        fn whatever_a_header_holds_it_becomes_json_and_text_comes_back(text in ".*") {
            if let Some(json) = SimpleHeaderConverter.decode(text.as_bytes()) {
                prop_assert!(is_json(std::str::from_utf8(&json).unwrap()));
                if json.starts_with(b"\"") {
                    let back = SimpleHeaderConverter.encode(&json);
                    prop_assert_eq!(back.as_deref(), Some(text.as_bytes()));
                }
            }
        }
    }
}
