//! Documents are spliced as they are: Elasticsearch parses them anyway, and refuses each bad one on its own.
//!
//! One thing it can't take is a raw line feed: a bulk body is cut at line feeds before anything is parsed, so one
//! inside a document breaks the request, and could smuggle an action in.

use memchr::{memchr, memchr3};
use serde::de::IgnoredAny;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Why a value can't be a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadDocument {
    #[error("a line feed stands inside a string of the document: write it as \\n")]
    LineFeedInString,
    #[error("the value is not a JSON object")]
    NotAnObject,
}

/// Appends the value as one line, without the line feed at its end.
pub(crate) fn splice(value: &[u8], body: &mut Vec<u8>) -> Result<(), BadDocument> {
    match memchr(b'\n', value) {
        None => body.extend_from_slice(value),
        Some(_) => return join_lines(value, body),
    }
    Ok(())
}

/// Appends the value where text of ours follows on the same line: what is no object could reach into it.
pub(crate) fn splice_object(value: &[u8], body: &mut Vec<u8>) -> Result<(), BadDocument> {
    let marked = value.starts_with(BYTE_ORDER_MARK);
    if marked || !is_object(value) {
        return Err(BadDocument::NotAnObject);
    }
    splice(value, body)
}

/// Whether the value is one JSON object and nothing else, as far as servers agree about it: they take a byte order mark.
pub(crate) fn is_object(value: &[u8]) -> bool {
    let value = value.strip_prefix(BYTE_ORDER_MARK).unwrap_or(value);
    let object = value.trim_ascii_start().first() == Some(&b'{');
    object && serde_json::from_slice::<IgnoredAny>(value).is_ok()
}

/// Pretty-printed JSON as one line: a line feed and the blanks behind it become one blank. In one pass, and what was
/// no JSON before does not become JSON by it.
fn join_lines(value: &[u8], body: &mut Vec<u8>) -> Result<(), BadDocument> {
    let start = body.len();
    let (mut rest, mut in_string) = (value, false);
    while let Some(at) = memchr3(b'"', b'\\', b'\n', rest) {
        let (before, from) = rest.split_at(at);
        body.extend_from_slice(before);
        match from[0] {
            b'\n' if in_string => {
                body.truncate(start);
                return Err(BadDocument::LineFeedInString);
            }
            b'\n' => {
                body.push(b' ');
                rest = from.trim_ascii_start();
                continue;
            }
            b'\\' if in_string => {
                // What is escaped is taken along, unless it is a line feed, which the next round refuses.
                let taken = if from.get(1).is_some_and(|&next| next != b'\n') { 2 } else { 1 };
                body.extend_from_slice(&from[..taken]);
                rest = &from[taken..];
                continue;
            }
            b'"' => in_string = !in_string,
            _ => {}
        }
        body.push(from[0]);
        rest = &from[1..];
    }
    body.extend_from_slice(rest);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn spliced(value: &str) -> Result<String, BadDocument> {
        let mut body = b"before".to_vec();
        splice(value.as_bytes(), &mut body)?;
        Ok(String::from_utf8(body).unwrap()["before".len()..].to_owned())
    }

    #[test]
    fn a_value_on_one_line_is_not_touched() {
        for value in ["{}", "not json", "", "{\"a\":\"\\n\"}", "\u{feff}{}\r"] {
            assert_eq!(spliced(value).as_deref(), Ok(value));
        }
    }

    #[test]
    fn a_value_on_several_lines_becomes_one() {
        let check = |value: &str, line: &str| assert_eq!(spliced(value).as_deref(), Ok(line));
        check("{\n  \"a\": 1,\n\t\"b\": [\n 2 ]\n}\n", "{ \"a\": 1, \"b\": [ 2 ] } ");
        check("{\"a\\\"\": \"x\\\\\",\n\"b\":1}", "{\"a\\\"\": \"x\\\\\", \"b\":1}");
        check("1\n2", "1 2");
    }

    #[test]
    fn a_line_feed_inside_a_string_is_refused() {
        for value in ["{\"a\":\"x\ny\"}", "{\"a\":\"x\\\ny\"}"] {
            assert_eq!(spliced(value), Err(BadDocument::LineFeedInString), "{value}");
        }
    }

    #[test]
    fn only_objects_stand_inside_other_json() {
        let object = |value: &str| splice_object(value.as_bytes(), &mut Vec::new());
        assert_eq!(object(" {\"a\":1} "), Ok(()));
        for value in ["1", "[]", "{\"a\":1},\"script\":{\"source\":\"x\"}", "{\"a\":1", "", "{} {}"] {
            assert_eq!(object(value), Err(BadDocument::NotAnObject), "{value}");
        }
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            any::<i64>().prop_map(Into::into),
            "[a\"\\\\\n é]{0,6}".prop_map(serde_json::Value::from),
            Just(serde_json::Value::Null),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
                prop::collection::btree_map("[a\"\\\\\n]{0,3}", inner, 0..4)
                    .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
            ]
        })
    }

    proptest! {
        #[test]
        fn pretty_json_keeps_its_meaning(value in json()) {
            let line = spliced(&serde_json::to_string_pretty(&value).unwrap()).unwrap();
            prop_assert!(!line.contains('\n'));
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&line).unwrap(), value);
        }

        #[test]
        fn no_value_reaches_the_next_line_and_no_text_becomes_json(value in "[{}\"\\\\\n a1:,]{0,24}") {
            if let Ok(line) = spliced(&value) {
                prop_assert!(!line.contains('\n'));
                let json = |text: &str| serde_json::from_str::<IgnoredAny>(text).is_ok();
                prop_assert_eq!(json(&line), json(&value));
            }
        }
    }
}
