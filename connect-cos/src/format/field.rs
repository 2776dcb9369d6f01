//! One field of a JSON value by its path, found by streaming over the bytes: no tree is built.

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::{borrow::Cow, fmt};

/// What a path led to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Scalar {
    /// A text, number (as written) or boolean.
    Text(String),
    /// Nothing, null, an object or an array.
    None,
}

/// Finds the field at `path`. A key that occurs twice counts as its last occurrence, as in most parsers.
///
/// A key with dots, such as the ones that `Flatten` makes, is found by the same path: `a.b` is the field `b` of `a` as
/// well as the field `a.b`. Where both have a value the nested one counts, since a path with dots means that first.
pub(crate) fn find(json: &[u8], path: &[String]) -> Result<Scalar, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let found = Step { path }.deserialize(&mut reader)?;
    reader.end()?;
    Ok(found)
}

struct Step<'p> {
    path: &'p [String],
}

impl<'de> DeserializeSeed<'de> for Step<'_> {
    type Value = Scalar;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Scalar, D::Error> {
        if self.path.is_empty() {
            let raw = <&'de RawValue as serde::Deserialize>::deserialize(reader)?;
            return Ok(scalar(raw.get()));
        }
        reader.deserialize_any(self)
    }
}

fn scalar(raw: &str) -> Scalar {
    match raw.as_bytes().first() {
        Some(b'"') => serde_json::from_str::<Cow<'_, str>>(raw)
            .map_or(Scalar::None, |text| Scalar::Text(text.into_owned())),
        None | Some(b'{' | b'[' | b'n') => Scalar::None,
        Some(_) => Scalar::Text(raw.to_owned()),
    }
}

impl<'de> Visitor<'de> for Step<'_> {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar, A::Error> {
        let mut found = Scalar::None;
        // How much of the path the key of `found` stands for: the less, the deeper the value was nested.
        let mut of = usize::MAX;
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            let Some(taken) = keys_in(&key, self.path) else {
                let _: IgnoredAny = map.next_value()?;
                continue;
            };
            let value = map.next_value_seed(Step { path: &self.path[taken..] })?;
            if taken == of || found == Scalar::None || (taken < of && value != Scalar::None) {
                (found, of) = (value, taken);
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Scalar, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Scalar, E> {
        Ok(Scalar::None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Scalar, E> {
        Ok(Scalar::None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Scalar, E> {
        Ok(Scalar::None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Scalar, E> {
        Ok(Scalar::None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Scalar, E> {
        Ok(Scalar::None)
    }

    fn visit_unit<E>(self) -> Result<Scalar, E> {
        Ok(Scalar::None)
    }
}

/// How many keys of the path's beginning, joined by dots, make this key. `None`: it is another key.
fn keys_in(key: &str, path: &[String]) -> Option<usize> {
    let mut rest = key;
    for (at, name) in path.iter().enumerate() {
        rest = rest.strip_prefix(name.as_str())?;
        if rest.is_empty() {
            return Some(at + 1);
        }
        rest = rest.strip_prefix('.')?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(json: &str, path: &str) -> Scalar {
        let path: Vec<String> = path.split('.').map(str::to_owned).collect();
        find(json.as_bytes(), &path).unwrap()
    }

    #[test]
    fn a_scalar_is_found_at_its_path_as_written() {
        let json =
            r#"{"x":{"a":{"b":"no"}},"a":{"b":"\u0041b","n":-1.50e3,"t":false,"z":null,"o":{},"l":[]}}"#;
        assert_eq!(at(json, "a.b"), Scalar::Text("Ab".into()));
        assert_eq!(at(json, "a.n"), Scalar::Text("-1.50e3".into()));
        assert_eq!(at(json, "a.t"), Scalar::Text("false".into()));
        for path in ["a.z", "a.o", "a.l", "a.b.c", "gone", "a.gone"] {
            assert_eq!(at(json, path), Scalar::None, "{path}");
        }
    }

    #[test]
    fn a_key_with_dots_is_found_and_a_nested_value_wins() {
        for (json, want) in [
            (r#"{"p.net":"us"}"#, Some("us")),
            (r#"{"p":{"net":"deep"},"p.net":"flat"}"#, Some("deep")),
            (r#"{"p.net":"flat","p":{"net":"deep"}}"#, Some("deep")),
            (r#"{"p.net":"flat","p":{"net":null}}"#, Some("flat")),
            (r#"{"p":{},"p.net":"flat"}"#, Some("flat")),
            (r#"{"p.net.":"x","p.nets":"x","p.ne":"x",".net":"x"}"#, None),
        ] {
            let want = want.map_or(Scalar::None, |text| Scalar::Text(text.into()));
            assert_eq!(at(json, "p.net"), want, "{json}");
        }
        assert_eq!(at(r#"{"a":{"b.c":1}}"#, "a.b.c"), Scalar::Text("1".into()));
        assert_eq!(at(r#"{"a.b":{"c":2}}"#, "a.b.c"), Scalar::Text("2".into()));
    }

    #[test]
    fn the_last_of_equal_keys_counts() {
        assert_eq!(at(r#"{"a":1,"a":2}"#, "a"), Scalar::Text("2".into()));
    }

    #[test]
    fn what_is_not_one_json_value_is_an_error() {
        for json in ["", "x", "{\"a\":1", "{\"a\":1} x"] {
            assert!(find(json.as_bytes(), &["a".into()]).is_err(), "{json}");
        }
    }
}
