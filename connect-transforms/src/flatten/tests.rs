mod choices;

use super::*;
use crate::json::scan::tests::json;
use proptest::prelude::*;
use serde_json::value::RawValue;

fn flat(flatten: &Flatten, json: &str) -> Result<String, String> {
    let mut out = b"before".to_vec();
    match flatten.write(json.as_bytes(), &mut out) {
        Ok(()) => Ok(String::from_utf8(out.split_off(6)).unwrap()),
        Err(error) => {
            assert_eq!(out, b"before", "what was written is taken back");
            assert_eq!(error.class(), connect_core::Class::Poison);
            Err(error.report())
        }
    }
}

#[track_caller]
fn becomes(flatten: &Flatten, json: &str, expected: &str) {
    assert_eq!(flat(flatten, json).as_deref(), Ok(expected), "{json}");
}

#[test]
fn objects_are_dissolved_and_the_rest_is_kept_as_it_stands() {
    let value = Flatten::value();
    for (json, expected) in [
        ("{}", "{}"),
        (" { } ", "{}"),
        (r#"{"a":1}"#, r#"{"a":1}"#),
        (r#"{"a":{"b":{"c":1}},"d":2}"#, r#"{"a.b.c":1,"d":2}"#),
        (r#"{"d":2,"a":{"c":1,"b":0},"e":{}}"#, r#"{"d":2,"a.c":1,"a.b":0,"e":{}}"#),
        ("{ \"a\" : { \"b\"\t:\r\n1 ,\n\"c\" : { } } }\n", r#"{"a.b":1,"a.c":{}}"#),
        (r#"{"a":[1,{"b":[]}],"c":{"d":[{"e":2}]}}"#, r#"{"a":[1,{"b":[]}],"c.d":[{"e":2}]}"#),
        (
            r#"{"a":null,"b":{"c":null,"d":true,"e":false}}"#,
            r#"{"a":null,"b.c":null,"b.d":true,"b.e":false}"#,
        ),
        (r#"{"":{"":1}}"#, r#"{".":1}"#),
        ("null", "null"),
        (" null\n", "null"),
    ] {
        becomes(&value, json, expected);
    }
}

#[test]
fn numbers_and_strings_keep_their_text() {
    let json =
        r#"{"a":{"f":1.0,"e":1E+05,"big":12345678901234567890123,"huge":1e999,"neg":-0,"s":"\u00e9\/\n"}}"#;
    let expected = r#"{"a.f":1.0,"a.e":1E+05,"a.big":12345678901234567890123,"a.huge":1e999,"a.neg":-0,"a.s":"\u00e9\/\n"}"#;
    becomes(&Flatten::value(), json, expected);
}

#[test]
fn keys_are_escaped_in_one_way() {
    let value = Flatten::value();
    becomes(
        &value,
        r#"{"\u0061\/\"":{"\n":1,"\u000a\\":2},"é":{"\ud83d\ude00":3}}"#,
        r#"{"a/\".\n":1,"a/\".\n\\":2,"é.😀":3}"#,
    );
    becomes(&Flatten::value().delimiter("\"\n"), r#"{"a":{"b":1}}"#, r#"{"a\"\nb":1}"#);
    becomes(&Flatten::value().delimiter(""), r#"{"a":{"b":1}}"#, r#"{"ab":1}"#);
    becomes(&Flatten::value().delimiter(" → "), r#"{"a":{"b":1}}"#, r#"{"a → b":1}"#);
}

#[test]
fn arrays_are_indexed_if_told_so() {
    let index = Flatten::value().arrays(Arrays::Index);
    becomes(
        &index,
        r#"{"a":[10,{"b":1,"c":[]},[2,[3]],null,{}],"d":[]}"#,
        r#"{"a.0":10,"a.1.b":1,"a.1.c":[],"a.2.0":2,"a.2.1.0":3,"a.3":null,"a.4":{},"d":[]}"#,
    );
    let many: Vec<String> = (0..12).map(|n| n.to_string()).collect();
    let expected: Vec<String> = many.iter().map(|n| format!("\"a.{n}\":{n}")).collect();
    becomes(&index, &format!("{{\"a\":[{}]}}", many.join(" , ")), &format!("{{{}}}", expected.join(",")));
}

#[test]
fn what_lies_deeper_than_the_limit_is_kept() {
    let json = r#"{"a":{"b":{"c":{"d":1}},"e":[{"f":2}]},"g":3}"#;
    let limit = |levels| Flatten::value().max_depth(levels);
    becomes(&limit(0), json, json);
    becomes(&limit(1), json, r#"{"a.b":{"c":{"d":1}},"a.e":[{"f":2}],"g":3}"#);
    becomes(&limit(2), json, r#"{"a.b.c":{"d":1},"a.e":[{"f":2}],"g":3}"#);
    becomes(&limit(3), json, r#"{"a.b.c.d":1,"a.e":[{"f":2}],"g":3}"#);
    becomes(&limit(2).arrays(Arrays::Index), json, r#"{"a.b.c":{"d":1},"a.e.0":{"f":2},"g":3}"#);
}

#[test]
fn the_result_is_one_line() {
    becomes(
        &Flatten::value().max_depth(0),
        "{\n \"a\": [\n  1,\r\n  \"x\\n\"\n ],\n \"b\": {\n },\n \"c\":\n2}",
        r#"{"a":[  1,  "x\n" ],"b":{},"c":2}"#,
    );
}

#[test]
fn fields_of_one_name_are_refused_by_name() {
    let refused = |flatten: &Flatten, json: &str| flat(flatten, json).unwrap_err();
    let message = |name: &str| {
        format!(
            "failed to flatten the value: two fields would be named \"{name}\": \
             rename one of them, or choose a delimiter that stands in no key"
        )
    };
    let value = Flatten::value();
    assert_eq!(refused(&value, r#"{"a":{"b":1},"a.b":2}"#), message("a.b"));
    assert_eq!(refused(&value, r#"{"a\u002eb":{"c":1},"a":{"b.c":2}}"#), message("a.b.c"));
    assert_eq!(refused(&value, r#"{"a":1,"b":2,"a":1}"#), message("a"));
    assert_eq!(refused(&value, r#"{"a":{"b":1},"a":{"b":2}}"#), message("a.b"));
    assert_eq!(refused(&value, r#"{"a\"":1,"\u0061\"":2}"#), message("a\\\""));
    assert_eq!(refused(&Flatten::value().delimiter(""), r#"{"ab":{"c":1},"a":{"bc":2}}"#), message("abc"));
    let index = Flatten::value().arrays(Arrays::Index);
    assert_eq!(refused(&index, r#"{"a":[1],"a.0":2}"#), message("a.0"));
    let long = "é".repeat(1000);
    let shown = format!("{}…", "é".repeat(128));
    assert_eq!(refused(&value, &format!("{{\"{long}\":1,\"{long}\":2}}")), message(&shown));
    // Nothing is lost here, so nothing is refused.
    becomes(&value, r#"{"a":{"b":1},"a":{"c":2}}"#, r#"{"a.b":1,"a.c":2}"#);
    becomes(&value, r#"{"a":1,"a":{"c":2}}"#, r#"{"a":1,"a.c":2}"#);
}

#[test]
fn what_is_no_object_is_refused_by_kind() {
    for (json, kind) in [
        ("[{}]", "java.util.ArrayList"),
        ("\"a\"", "java.lang.String"),
        ("true", "java.lang.Boolean"),
        ("false", "java.lang.Boolean"),
        ("-1", "java.lang.Long"),
    ] {
        let what = "Only Map objects supported in absence of schema for [flattening], found";
        let expected = format!("failed to flatten the key: {what}: {kind}");
        assert_eq!(flat(&Flatten::key(), json), Err(expected));
    }
    for (json, what) in [
        ("", "the JSON ends too early, at byte 0"),
        ("nul", "expected `null` at byte 0"),
        ("null null", "text after the JSON value at byte 5"),
        ("[1", "the JSON ends too early, at byte 2"),
        ("1 1", "text after the JSON value at byte 2"),
        ("hello", "expected a value at byte 0"),
        ("{\"a\":{\"b\":1}", "the JSON ends too early, at byte 12"),
        ("{\"a\":{\"b\":1]}", "expected `,` or `}` at byte 11"),
        ("{\"a\":1}}", "text after the JSON value at byte 7"),
        ("{\"a\":1,}", "expected a key in quotes at byte 7"),
        ("{\"a\":tru}", "expected `true` at byte 5"),
    ] {
        assert_eq!(
            flat(&Flatten::value(), json),
            Err(format!("failed to flatten the value: {what}")),
            "{json}"
        );
    }
    let index = Flatten::value().arrays(Arrays::Index);
    for json in ["{\"a\":[1,]}", "{\"a\":[1}", "{\"a\":[,]}", "{\"a\":{1}}", "{\"a\":[\"b\":1]}"] {
        assert!(flat(&index, json).is_err(), "{json}");
    }
}

#[test]
fn a_hundred_thousand_levels_give_the_right_result() {
    let levels = 100_000;
    let json = format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels));
    let expected = format!("{{\"{}\":1}}", vec!["a"; levels].join("."));
    becomes(&Flatten::value(), &json, &expected);
    becomes(&Flatten::value().max_depth(0), &json, &json);
    let arrays = format!("{{\"a\":{}1{}}}", "[".repeat(levels), "]".repeat(levels));
    becomes(&Flatten::value(), &arrays, &arrays);
    let expected = format!("{{\"a{}\":1}}", ".0".repeat(levels));
    becomes(&Flatten::value().arrays(Arrays::Index), &arrays, &expected);
    SCRATCH.with_borrow(|scratch| assert!(format!("{scratch:?}").len() < 4096, "nothing large is kept"));
}

#[test]
fn a_result_that_would_grow_without_bound_is_refused() {
    // Each level has a field of its own, so that the names together are quadratic in the record.
    let levels = 100_000;
    let json = format!("{}0{}", "{\"x\":1,\"a\":".repeat(levels), "}".repeat(levels));
    let limit = 64 * 1024 + 16 * json.len();
    let expected = format!(
        "failed to flatten the value: the result would have more than {limit} bytes: limit the levels to dissolve by `max.depth`"
    );
    assert_eq!(flat(&Flatten::value(), &json), Err(expected));
    let fields: Vec<String> = (0..1000).map(|n| format!("\"{n}\":0")).collect();
    let json = format!("{{\"{}\":{{{}}}}}", "k".repeat(100_000), fields.join(","));
    assert!(flat(&Flatten::value(), &json).unwrap_err().contains("the result would have more than"));
    // A deep record of the ordinary kind is far from it.
    let json = format!("{}{{}}{}", "{\"kubernetes\":{\"x\":1,\"labels\":".repeat(20), "}}".repeat(20));
    assert!(flat(&Flatten::value(), &json).is_ok());
}

#[test]
fn a_description_tells_all_options() {
    let describe = |flatten: Flatten| flatten.describe().unwrap();
    assert_eq!(describe(Flatten::value()), r#"Flatten of=value delimiter="." arrays=keep max.depth=none"#);
    assert_eq!(
        describe(Flatten::key().delimiter("_").arrays(Arrays::Index).max_depth(3)),
        r#"Flatten of=key delimiter="_" arrays=index max.depth=3"#
    );
}

/// The obvious way to write it, by recursion over the members: names as text, values as `RawValue`.
fn reference(options: &Flatten, json: &str) -> Option<Vec<(String, String)>> {
    fn walk(
        options: &Flatten,
        name: Option<&str>,
        depth: u32,
        value: &RawValue,
        out: &mut Vec<(String, String)>,
    ) {
        let text = value.get();
        let dissolved = depth <= options.max_depth.unwrap_or(u32::MAX);
        let array = options.arrays == Arrays::Index;
        let join =
            |key: &str| name.map_or(key.to_owned(), |name| format!("{name}{}{key}", options.delimiter));
        match text.as_bytes()[0] {
            b'{' if dissolved && !text[1..text.len() - 1].trim().is_empty() => {
                let members: Members = serde_json::from_str(text).unwrap();
                for (key, value) in members.0 {
                    walk(options, Some(&join(&key)), depth + 1, &value, out);
                }
            }
            b'[' if dissolved && array && !text[1..text.len() - 1].trim().is_empty() => {
                let items: Vec<&RawValue> = serde_json::from_str(text).unwrap();
                for (index, value) in items.into_iter().enumerate() {
                    walk(options, Some(&join(&index.to_string())), depth + 1, value, out);
                }
            }
            first @ (b'{' | b'[') if text[1..text.len() - 1].trim().is_empty() => {
                out.push((name.unwrap().to_owned(), if first == b'{' { "{}" } else { "[]" }.to_owned()));
            }
            b'{' | b'[' => out.push((name.unwrap().to_owned(), text.replace(['\n', '\r'], ""))),
            _ => out.push((name.unwrap().to_owned(), text.to_owned())),
        }
    }
    let value: &RawValue = serde_json::from_str(json).ok()?;
    if !value.get().starts_with('{') {
        return None;
    }
    let mut fields = Vec::new();
    if !value.get()[1..value.get().len() - 1].trim().is_empty() {
        walk(options, None, 0, value, &mut fields);
    }
    let mut names: Vec<_> = fields.iter().map(|(name, _)| name).collect();
    names.sort();
    names.dedup();
    (names.len() == fields.len()).then_some(fields)
}

/// The members of an object in order, duplicates included.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> serde::Deserialize<'de> for Members {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Members;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

fn options() -> impl Strategy<Value = Flatten> {
    let delimiter = prop_oneof![Just("."), Just(""), Just("__"), Just("\"")];
    let arrays = prop_oneof![Just(Arrays::Keep), Just(Arrays::Index)];
    (delimiter, arrays, proptest::option::of(0_u32..4)).prop_map(|(delimiter, arrays, depth)| {
        let flatten = Flatten::value().delimiter(delimiter).arrays(arrays);
        depth.map_or(flatten.clone(), |levels| flatten.max_depth(levels))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn the_result_is_what_the_obvious_way_gives(options in options(), json in json()) {
        let json = format!("{{\"x\":{json}}}");
        let expected = reference(&options, &json).map(|fields| {
            let fields: Vec<_> = fields
                .iter()
                .map(|(name, value)| format!("{}:{value}", serde_json::to_string(name).unwrap()))
                .collect();
            format!("{{{}}}", fields.join(","))
        });
        prop_assert_eq!(flat(&options, &json).ok(), expected, "{}", json);
    }
}
