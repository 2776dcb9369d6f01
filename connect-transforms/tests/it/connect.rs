//! Kafka Connect's transforms, configured as in Connect. What Kafka's own classes do stands in `differential`; here are
//! the behaviours by name, what Kafka does not have, and hostile records.

#![allow(clippy::unwrap_used, reason = "a test, whose helpers stand beside it")]

use connect_core::{
    BatchBuilder, Chain, Entry, PartitionId, Transform, config::Settings, registry::Registry,
};
use proptest::prelude::*;
use std::sync::Arc;

type Keys<'a> = &'a [(&'a str, &'a str)];

fn transform(name: &str, keys: Keys<'_>) -> Result<Arc<dyn Transform>, String> {
    let mut known = Registry::new("transform");
    connect_transforms::register(&mut known).unwrap();
    let make = known.find(name).unwrap().parse(&Settings::literal(keys.iter().copied()));
    Ok(make.map_err(|e| e.to_string())?().unwrap())
}

/// The value that becomes of a value; `None` is null.
fn value(name: &str, keys: Keys<'_>, value: Option<&[u8]>) -> Result<Option<String>, String> {
    apply(&transform(name, keys).unwrap(), value)
}

fn apply(transform: &Arc<dyn Transform>, value: Option<&[u8]>) -> Result<Option<String>, String> {
    let mut builder = BatchBuilder::new();
    let entry = Entry { offset: 7, timestamp_ms: Some(1_000), key: Some(b"{\"k\":1}"), value };
    builder.push(PartitionId::new(0, 1), &"t".into(), 2, entry, [("h", Some(&b"1"[..]))]);
    let done = Chain::new(vec![Arc::clone(transform)]).apply(builder.finish(), 0);
    if let Some((_, error)) = done.rejected.first() {
        return Err(error.report());
    }
    let record = done.batch.get(0).ok_or("filtered")?;
    Ok(record.value().map(|value| String::from_utf8(value.to_vec()).unwrap()))
}

fn text(name: &str, keys: Keys<'_>, json: &str) -> String {
    value(name, keys, Some(json.as_bytes())).unwrap().unwrap()
}

fn error(name: &str, keys: Keys<'_>, json: &str) -> String {
    value(name, keys, Some(json.as_bytes())).unwrap_err()
}

/// One configuration of each transform that reads values.
const ALL: [(&str, Keys<'static>); 18] = [
    ("Cast", &[("spec", "a:string,b:int8,c:float64,d:boolean")]),
    ("Cast", &[("spec", "string")]),
    ("Cast", &[("spec", "a.b:int32"), ("field.syntax.version", "V2")]),
    ("ExtractField", &[("field", "a")]),
    ("ExtractField", &[("field", "a.b"), ("field.syntax.version", "V2")]),
    ("Flatten", &[("delimiter", "_")]),
    ("HeaderFrom", &[("fields", "a,b"), ("headers", "x,y"), ("operation", "move")]),
    ("HoistField", &[("field", "a")]),
    ("InsertField", &[("topic.field", "a"), ("offset.field", "o"), ("timestamp.field", "t")]),
    ("MaskField", &[("fields", "a,b")]),
    ("MaskField", &[("fields", "a,b"), ("replacement", "7")]),
    ("ReplaceField", &[("exclude", "a"), ("renames", "b:x")]),
    ("ReplaceField", &[("include", "a.b,c"), ("field.syntax.version", "V2")]),
    ("SetSchemaMetadata", &[("schema.name", "n")]),
    (
        "TimestampConverter",
        &[("field", "a"), ("target.type", "string"), ("format", "yyyy-MM-dd HH:mm:ss.SSS")],
    ),
    ("TimestampConverter", &[("target.type", "unix"), ("format", "yyyy-MM-dd")]),
    ("ValueToKey", &[("fields", "a,b")]),
    ("Filter", &[]),
];

/// An envelope with this many fields, every one of them null with a default, and in the middle `a` and `b`.
fn wide(count: usize) -> String {
    let (mut fields, mut members) = (Vec::new(), Vec::new());
    for n in 0..count {
        fields.push(format!(
            r#"{{"type":"string","optional":true,"default":"d{n}","field":"column_number_{n}"}}"#
        ));
        members.push(format!("\"column_number_{n}\":null"));
        if n == count / 2 {
            fields.extend(
                ["a", "b"].map(|name| format!(r#"{{"type":"int64","optional":false,"field":"{name}"}}"#)),
            );
            members.extend([r#""b":2"#, r#""a":1"#].map(str::to_owned));
        }
    }
    let (fields, members) = (fields.join(","), members.join(","));
    format!(
        r#"{{"schema":{{"type":"struct","fields":[{fields}],"optional":false}},"payload":{{{members}}}}}"#
    )
}

#[test]
fn twenty_thousand_fields_with_defaults_pass_all_transforms() {
    let json = wide(20_000);
    for (name, keys) in [
        ("InsertField", &[("topic.field", "topic")] as Keys<'_>),
        ("Cast", &[("spec", "a:string,b:int8")]),
        ("MaskField", &[("fields", "a,b")]),
        ("ReplaceField", &[("exclude", "a"), ("renames", "b:x")]),
        ("TimestampConverter", &[("field", "a"), ("target.type", "Date")]),
        ("SetSchemaMetadata", &[("schema.name", "n")]),
        ("HeaderFrom", &[("fields", "a,b"), ("headers", "x,y"), ("operation", "move")]),
        ("Flatten", &[]),
    ] {
        let made = text(name, keys, &json);
        assert!(made.contains(r#""column_number_19999":"d19999""#), "{name}");
    }
}

/// The topic that becomes of a topic.
fn topic(name: &str, keys: Keys<'_>, of: &str) -> String {
    let mut builder = BatchBuilder::new();
    let entry = Entry { offset: 7, timestamp_ms: Some(1_000), key: None, value: Some(b"{}") };
    builder.push(PartitionId::new(0, 1), &of.into(), 2, entry, []);
    let done = Chain::new(vec![transform(name, keys).unwrap()]).apply(builder.finish(), 0);
    done.batch.get(0).unwrap().topic().to_owned()
}

#[test]
fn a_field_that_is_null_with_its_schema_is_a_tombstone_for_the_next_transform() {
    let settings = Settings::literal([
        ("transforms", "extract,drop"),
        ("transforms.extract.type", "ExtractField$Value"),
        ("transforms.extract.field", "after"),
        ("transforms.drop.type", "Filter"),
        ("transforms.drop.predicate", "deleted"),
        ("predicates", "deleted"),
        ("predicates.deleted.type", "RecordIsTombstone"),
    ]);
    let (mut transforms, mut predicates) = (Registry::new("transform"), Registry::new("predicate"));
    connect_transforms::register(&mut transforms).unwrap();
    connect_transforms::register_predicates(&mut predicates).unwrap();
    let mut reader = connect_core::config::Reader::new(&settings);
    let steps = connect_core::read_transforms(&transforms, &predicates, &mut reader);
    let steps = reader.finish().result(steps).unwrap();
    let chain = Chain::new(steps.iter().map(|make| make().unwrap()).collect());
    let schema =
        r#"{"type":"struct","fields":[{"type":"int32","optional":true,"field":"after"}],"optional":false}"#;
    let mut builder = BatchBuilder::new();
    for (offset, after) in [(0, "1"), (1, "null"), (2, "3")] {
        let value = format!(r#"{{"schema":{schema},"payload":{{"after":{after}}}}}"#);
        let entry = Entry { offset, timestamp_ms: None, key: None, value: Some(value.as_bytes()) };
        builder.push(PartitionId::new(0, 1), &"t".into(), 2, entry, []);
    }
    let done = chain.apply(builder.finish(), 0);
    assert_eq!(done.batch.iter().map(|record| record.origin().offset).collect::<Vec<_>>(), [0, 2]);
}

#[test]
fn values_of_keys_are_trimmed_as_kafka_does() {
    assert_eq!(topic("RegexRouter", &[("regex", " (.*)\t"), ("replacement", "$1-x ")], "logs"), "logs-x");
    assert_eq!(
        topic("TimestampRouter", &[("topic.format", "${topic} "), ("timestamp.format", " yyyy")], "logs"),
        "logs"
    );
    let keys = [("static.field", " f "), ("static.value", " a b ")];
    assert_eq!(text("InsertField", &keys, "{}"), r#"{"f":"a b"}"#);
    assert_eq!(
        text("MaskField", &[("fields", " a "), ("replacement", " * ")], r#"{"a":"x"}"#),
        r#"{"a":"*"}"#
    );
    assert_eq!(text("HoistField", &[("field", "a ")], "1"), r#"{"a":1}"#);
}

#[test]
fn numbers_and_order_stay_where_no_rule_changes_them() {
    let json = r#"{"z":1.0, "a":12345678901234567890,"n":1e999,"b":1.50}"#;
    assert_eq!(
        text("ReplaceField", &[("exclude", "b")], json),
        r#"{"z":1.0, "a":12345678901234567890,"n":1e999}"#
    );
    assert_eq!(
        text("ReplaceField", &[("renames", "a:x")], json),
        r#"{"z":1.0,"x":12345678901234567890,"n":1e999,"b":1.50}"#
    );
    assert_eq!(
        text("InsertField", &[("static.field", "s"), ("static.value", "v")], json),
        r#"{"z":1.0, "a":12345678901234567890,"n":1e999,"b":1.50,"s":"v"}"#
    );
    assert_eq!(
        text("Cast", &[("spec", "a:string")], json),
        r#"{"z":1.0,"a":"12345678901234567890","n":1e999,"b":1.50}"#
    );
    assert_eq!(text("ExtractField", &[("field", "a")], json), "12345678901234567890");
}

/// Kafka's `CastTest`.
#[test]
fn cast_narrows_as_java_does() {
    let cast = |spec: &str, json: &str| text("Cast", &[("spec", spec)], json);
    assert_eq!(cast("a:int8", r#"{"a":300}"#), r#"{"a":44}"#);
    assert_eq!(cast("a:int8", r#"{"a":1e20}"#), r#"{"a":-1}"#);
    assert_eq!(cast("a:int64", r#"{"a":-1e300}"#), r#"{"a":-9223372036854775808}"#);
    assert_eq!(cast("a:int32", r#"{"a":-1.9}"#), r#"{"a":-1}"#);
    assert_eq!(cast("a:boolean", r#"{"a":"TRUE"}"#), r#"{"a":true}"#);
    assert_eq!(cast("a:float32", r#"{"a":true}"#), r#"{"a":1.0}"#);
    assert_eq!(cast("a:string", r#"{"a":1E5}"#), r#"{"a":"100000.0"}"#);
    assert_eq!(cast("a:string,b:string", r#"{"a":null}"#), r#"{"a":null,"b":null}"#);
    assert_eq!(cast("int8", "\"7\""), "7");
    assert!(
        error("Cast", &[("spec", "a:int8")], r#"{"a":"300"}"#)
            .contains("Value (300) was out of range for requested data type")
    );
    assert!(
        error("Cast", &[("spec", "a:int8")], r#"{"a":[1]}"#).contains("does not support casting from ARRAY")
    );
    assert!(error("Cast", &[("spec", "a:float32")], r#"{"a":1e300}"#).contains("infinity"));
    assert_eq!(value("Cast", &[("spec", "a:int8")], None), Ok(None));
}

#[test]
fn all_that_is_wrong_is_told_at_once_with_what_is_allowed() {
    let types = "allowed: int8, int16, int32, int64, float32, float64, boolean or string";
    let entries = "allowed: field:type for each field, or one type alone";
    let wrong = "a:int,b:c:d,e:bytes,string,`f:int8";
    let cast = transform("Cast", &[("spec", wrong), ("field.syntax.version", "V2")]);
    let cast = cast.err().unwrap();
    for expected in [
        format!("spec = \"{wrong}\": \"a:int\": Invalid type found in casting spec: int; {types}"),
        format!("Invalid rename mapping: b:c:d; {entries}"),
        format!("INT64, FLOAT32, FLOAT64, BOOLEAN, STRING]; {types}"),
        format!("may only specify a single cast in their spec; {entries}"),
        "Incomplete backtick pair in path: [`f]".to_owned(),
    ] {
        assert!(cast.contains(&expected), "{expected}: {cast}");
    }
    assert!(cast.starts_with("5 configuration problems"), "{cast}");
    let keys =
        [("field", "`a"), ("fields", "b,`c,`d"), ("field.syntax.version", "V2"), ("target.type", "string")];
    let time = transform("TimestampConverter", &keys).err().unwrap();
    for expected in [
        "field = \"`a\": Incomplete backtick pair in path: [`a]",
        "fields = \"b,`c,`d\": Incomplete backtick pair in path: [`c]",
        "fields = \"b,`c,`d\": Incomplete backtick pair in path: [`d]",
        "; allowed: backticks in pairs",
        "string timestamps; allowed: a pattern such as yyyy-MM-dd HH:mm:ss",
    ] {
        assert!(time.contains(expected), "{expected}: {time}");
    }
    assert!(time.starts_with("4 configuration problems"), "{time}");
}

/// `testConfigMixWholeAndFieldTransformation` and its neighbours.
#[test]
fn what_kafka_refuses_when_it_is_configured_is_refused_with_its_words() {
    for (name, keys, what) in [
        ("Cast", &[("spec", "a:int8,int32")][..], "may only specify a single cast in their spec"),
        ("Cast", &[("spec", "a:b:c")], "Invalid rename mapping: a:b:c"),
        ("Cast", &[("spec", "a:int")], "Invalid type found in casting spec: int"),
        ("Cast", &[("spec", "")], "Must specify at least one field to cast."),
        ("InsertField", &[], "No field insertion configured"),
        ("InsertField", &[("static.field", "a")], "No value specified for static field"),
        (
            "HeaderFrom",
            &[("fields", "a"), ("headers", "b,c"), ("operation", "move")],
            "same number of elements",
        ),
        ("MaskField", &[("fields", "")], "fields"),
        ("ReplaceField", &[("renames", "a")], "Invalid rename mapping: a"),
        ("SetSchemaMetadata", &[], "Neither schema name nor version configured"),
        ("TimestampConverter", &[("target.type", "string")], "requires format option to be specified"),
        (
            "TimestampConverter",
            &[("target.type", "unix"), ("format", "YYYY")],
            "the letter 'Y' is not supported",
        ),
        ("ExtractField", &[("field", "`a"), ("field.syntax.version", "V2")], "Incomplete backtick pair"),
        ("RegexRouter", &[("regex", "(?=a)"), ("replacement", "b")], "look-ahead"),
        ("TimestampRouter", &[("timestamp.format", "ww")], "the letter 'w' is not supported"),
    ] {
        let error = transform(name, keys).err().unwrap_or_default();
        assert!(error.contains(what), "{name} {keys:?}: {error}");
    }
}

#[test]
fn every_transform_reaches_into_objects_if_told_so() {
    const V2: (&str, &str) = ("field.syntax.version", "V2");
    let json = r#"{"a":{"b":"1","c":{"d":2}},"a.b":"3"}"#;
    for (name, keys, expected) in [
        ("Cast", vec![("spec", "a.b:int8")], r#"{"a":{"b":1,"c":{"d":2}},"a.b":"3"}"#),
        ("Cast", vec![("spec", "`a.b`:int8")], r#"{"a":{"b":"1","c":{"d":2}},"a.b":3}"#),
        ("ExtractField", vec![("field", "a.c")], r#"{"d":2}"#),
        ("MaskField", vec![("fields", "a.c.d,a.b")], r#"{"a":{"b":"","c":{"d":0}},"a.b":"3"}"#),
        (
            "ReplaceField",
            vec![("exclude", "a.c.d"), ("renames", "a.b:x")],
            r#"{"a":{"x":"1","c":{}},"a.b":"3"}"#,
        ),
        ("ReplaceField", vec![("include", "a.c")], r#"{"a":{"c":{"d":2}}}"#),
        (
            "HeaderFrom",
            vec![("fields", "a.c"), ("headers", "h"), ("operation", "move")],
            r#"{"a":{"b":"1"},"a.b":"3"}"#,
        ),
        (
            "InsertField",
            vec![("topic.field", "a.c.topic")],
            r#"{"a":{"b":"1","c":{"d":2,"topic":"t"}},"a.b":"3"}"#,
        ),
        (
            "TimestampConverter",
            vec![("field", "a.c.d"), ("target.type", "string"), ("format", "SSS")],
            r#"{"a":{"b":"1","c":{"d":"002"}},"a.b":"3"}"#,
        ),
    ] {
        let mut keys = keys;
        keys.push(V2);
        assert_eq!(text(name, &keys, json), expected, "{name} {keys:?}");
    }
    // Without the key a dot is a letter like any other.
    assert_eq!(text("ReplaceField", &[("exclude", "a.b")], json), r#"{"a":{"b":"1","c":{"d":2}}}"#);
}

#[test]
fn a_schema_changes_where_its_nested_fields_do() {
    let schema = |inner: &str| {
        format!(
            r#"{{"type":"struct","fields":[{{"type":"struct","fields":[{inner}],"optional":true,"field":"a"}}],"optional":false}}"#
        )
    };
    let int = r#"{"type":"string","optional":false,"field":"b"}"#;
    let json = format!(r#"{{"schema":{},"payload":{{"a":{{"b":"7"}}}}}}"#, schema(int));
    let keys = [("spec", "a.b:int8"), ("field.syntax.version", "V2")];
    let changed = schema(r#"{"type":"int8","optional":false,"field":"b"}"#);
    let expected = format!(r#"{{"schema":{changed},"payload":{{"a":{{"b":7}}}}}}"#);
    assert_eq!(text("Cast", &keys, &json), expected);
    // Remembered by the schema's text, and the same the second time.
    let cast = transform("Cast", &keys).unwrap();
    for _ in 0..3 {
        assert_eq!(apply(&cast, Some(json.as_bytes())).unwrap().as_deref(), Some(&*expected));
    }
    let dropped = text("ReplaceField", &[("exclude", "a.b"), ("field.syntax.version", "V2")], &json);
    assert_eq!(dropped, format!(r#"{{"schema":{},"payload":{{"a":{{}}}}}}"#, schema("")));
}

#[test]
fn a_missing_field_is_what_the_policy_says() {
    let json = r#"{"x":1}"#;
    for (policy, cast, extracted) in [
        ("connect", Ok(r#"{"x":1,"a":null}"#), Ok(None)),
        ("null", Ok(r#"{"x":1,"a":null}"#), Ok(None)),
        ("skip", Ok(r#"{"x":1}"#), Ok(Some(json.to_owned()))),
        ("fail", Err("Field does not exist: a"), Err("Unknown field: a")),
    ] {
        let got = value("Cast", &[("spec", "a:int8"), ("on.missing.field", policy)], Some(json.as_bytes()));
        match (got, cast) {
            (Ok(got), Ok(expected)) => assert_eq!(got.as_deref(), Some(expected), "{policy}"),
            (Err(got), Err(expected)) => assert!(got.contains(expected), "{got}"),
            (got, _) => panic!("{policy}: {got:?}"),
        }
        let got =
            value("ExtractField", &[("field", "a"), ("on.missing.field", policy)], Some(json.as_bytes()));
        match (got, extracted) {
            (Ok(got), Ok(expected)) => assert_eq!(got, expected, "{policy}"),
            (Err(got), Err(expected)) => assert!(got.contains(expected), "{got}"),
            (got, _) => panic!("{policy}: {got:?}"),
        }
    }
}

#[test]
fn times_keep_their_microseconds_where_kafka_cuts_them() {
    let keys = |more: Keys<'static>| {
        let mut keys = vec![("fields", "t,u"), ("unix.precision", "microseconds")];
        keys.extend(more);
        keys
    };
    let json = r#"{"t":1672880523123456,"u":0}"#;
    let fine = keys(&[
        ("target.type", "string"),
        ("format", "uuuu-MM-dd'T'HH:mm:ss.SSSSSS"),
        ("format.style", "DateTimeFormatter"),
    ]);
    let written = r#"{"t":"2023-01-05T01:02:03.123456","u":"1970-01-01T00:00:00.000000"}"#;
    assert_eq!(text("TimestampConverter", &fine, json), written);
    let mut back = fine.clone();
    back[2] = ("target.type", "unix");
    assert_eq!(text("TimestampConverter", &back, written), json);
    let nanos = keys(&[("target.type", "unix"), ("unix.precision.target", "nanoseconds")]);
    assert_eq!(text("TimestampConverter", &nanos, json), r#"{"t":1672880523123456000,"u":0}"#);
}

#[test]
fn a_rename_never_hides_another_field() {
    let keys = [("renames", "a:b")];
    assert_eq!(text("ReplaceField", &keys, r#"{"a":1,"c":2}"#), r#"{"b":1,"c":2}"#);
    assert!(error("ReplaceField", &keys, r#"{"a":1,"b":2}"#).contains("two fields would be named \"b\""));
    assert_eq!(
        text("ReplaceField", &[("renames", "a:b"), ("exclude", "b")], r#"{"a":1,"b":2}"#),
        r#"{"b":1}"#
    );
    assert_eq!(text("ReplaceField", &[("renames", "a:b,b:a")], r#"{"a":1}"#), r#"{"b":1}"#);
}

#[test]
fn of_several_members_with_one_name_the_last_one_counts() {
    let json = r#"{"a":1,"\u0061":2,"b":3}"#;
    assert_eq!(text("Cast", &[("spec", "a:string")], json), r#"{"\u0061":"2","b":3}"#);
    assert_eq!(text("ReplaceField", &[("exclude", "a")], json), r#"{"b":3}"#);
    assert_eq!(text("ExtractField", &[("field", "a")], json), "2");
    assert_eq!(
        text("ReplaceField", &[("exclude", "b")], json),
        r#"{"a":1,"\u0061":2}"#,
        "nothing else is touched"
    );
}

#[test]
fn an_object_that_only_looks_like_an_envelope_is_an_object() {
    let json = r#"{"schema":"public","payload":{"a":1}}"#;
    assert_eq!(text("ReplaceField", &[("renames", "schema:s")], json), r#"{"s":"public","payload":{"a":1}}"#);
    let keys = [("exclude", "a"), ("schemas.enable", "true")];
    assert!(error("ReplaceField", &keys, json).contains("schema"));
    let nested = r#"{"schema":null,"payload":{"a":{"b":1.0}}}"#;
    assert_eq!(text("Flatten", &[], nested), r#"{"schema":null,"payload":{"a.b":1.0}}"#);
    let empty = r#"{"schema":null,"payload":{"a":1,"b":2}}"#;
    assert_eq!(text("ReplaceField", &[("exclude", "a")], empty), r#"{"schema":null,"payload":{"b":2}}"#);
    assert_eq!(
        text("ReplaceField", &[("exclude", "schema"), ("schemas.enable", "false")], empty),
        r#"{"payload":{"a":1,"b":2}}"#
    );
}

#[test]
fn hostile_records_are_refused_or_changed_and_never_panic() {
    let deep = format!(r#"{{"a":{}1{},"b":2}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let nested = format!(r#"{}1{}"#, r#"{"a":"#.repeat(100_000), "}".repeat(100_000));
    let schema = format!(
        r#"{{"schema":{}1{},"payload":1}}"#,
        r#"{"type":"array","items":"#.repeat(10_000),
        "}".repeat(10_000)
    );
    let twice = format!("{{{}\"a\":1}}", "\"a\":0,".repeat(100_000));
    let digits =
        format!(r#"{{"a":{},"b":-{}e-{}}}"#, "9".repeat(100_000), "8".repeat(100_000), "7".repeat(100_000));
    let texts = [deep, nested, schema, twice, digits];
    let broken: [&[u8]; 9] = [
        b"",
        b"{",
        b"{\"a\":",
        b"{\"a\":\"\xff\"}",
        b"{\"a\":\"\\ud800\"}",
        b"{\"schema\":{\"type\":\"struct\"},\"payload\":{}}x",
        b"{\"schema\":",
        b"\xef\xbb\xbf{}",
        b"{\"a\":1}}",
    ];
    for (name, keys) in ALL {
        let made = transform(name, keys).unwrap();
        for text in &texts {
            drop(apply(&made, Some(text.as_bytes())));
        }
        for bytes in broken {
            assert!(apply(&made, Some(bytes)).is_err(), "{name} {keys:?} {}", String::from_utf8_lossy(bytes));
        }
        drop(apply(&made, None));
    }
}

/// JSON of a few levels whose names and forms the configurations of `ALL` know.
fn any_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|b| b.to_string()),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<u64>().prop_map(|n| format!("-{n}{n}.{n}e{}", n % 400)),
        "\\PC{0,8}".prop_map(|text| serde_json::to_string(&text).unwrap()),
        Just(r#"{"type":"struct","fields":[{"type":"int8","field":"a"}]}"#.to_owned()),
        Just("\"2023-01-05 01:02:03.004\"".to_owned()),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        let name = prop_oneof![
            "[a-d]",
            Just("\\u0061".to_owned()),
            Just("schema".to_owned()),
            Just("payload".to_owned())
        ];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5)
                .prop_map(|items| format!("[{}]", items.join(", "))),
            proptest::collection::vec((name, inner), 0..6).prop_map(|members| {
                let members: Vec<_> =
                    members.iter().map(|(name, value)| format!("\"{name}\" :{value}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

proptest! {
    // Each case goes through all transforms.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_comes_out_is_json_again_and_the_same_every_time(json in any_json()) {
        for (name, keys) in ALL {
            let made = transform(name, keys).unwrap();
            let first = apply(&made, Some(json.as_bytes()));
            if let Ok(Some(out)) = &first {
                let parsed: Result<&serde_json::value::RawValue, _> = serde_json::from_str(out);
                prop_assert!(parsed.is_ok(), "{} {:?}: {} from {}", name, keys, out, json);
            }
            prop_assert_eq!(&apply(&made, Some(json.as_bytes())), &first, "{}", name);
        }
    }

    #[test]
    fn any_bytes_are_refused_or_changed(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        for (name, keys) in ALL {
            drop(apply(&transform(name, keys).unwrap(), Some(&bytes)));
        }
    }

    #[test]
    fn what_is_renamed_there_and_back_is_as_before(members in proptest::collection::btree_map("[b-z]{1,3}", any::<i64>(), 0..8)) {
        let mut json = String::from("{\"a\":1.0");
        members.iter().for_each(|(name, value)| json.push_str(&format!(",\"{name}\":{value}")));
        json.push('}');
        let there = text("ReplaceField", &[("renames", "a:AA")], &json);
        prop_assert_eq!(text("ReplaceField", &[("renames", "AA:a")], &there), json);
    }
}

#[test]
fn a_decimal_is_masked_by_a_number_that_its_scale_can_hold() {
    let value = |payload: &str| {
        format!(
            r#"{{"schema":{{"type":"struct","fields":[{{"type":"bytes","optional":false,"field":"d","name":"org.apache.kafka.connect.data.Decimal","version":1,"parameters":{{"scale":"2"}}}}]}},"payload":{{"d":{payload}}}}}"#
        )
    };
    for (replacement, before, after) in [
        ("0.00", "123.45", "0.00"),
        ("0.00", r#""MDk=""#, r#""AA==""#),
        ("1", "123.45", "1.00"),
        ("-1.28", r#""MDk=""#, r#""gA==""#),
        ("1.500", "0.01", "1.50"),
    ] {
        let keys = [("fields", "d"), ("replacement", replacement)];
        assert_eq!(text("MaskField", &keys, &value(before)), value(after), "{replacement}");
    }
    let refused =
        |replacement| error("MaskField", &[("fields", "d"), ("replacement", replacement)], &value("1.00"));
    assert!(refused("0.001").contains("more digits behind the point"), "{}", refused("0.001"));
    assert!(refused("none").contains("Unable to convert none"), "{}", refused("none"));
}

#[test]
fn a_decimal_whose_scale_java_cannot_have_is_refused() {
    let record = |scale: &str| {
        format!(
            r#"{{"schema":{{"type":"struct","fields":[{{"type":"bytes","field":"d","name":"org.apache.kafka.connect.data.Decimal","version":1,"parameters":{{"scale":"{scale}"}}}}]}},"payload":{{"d":"MDk="}}}}"#
        )
    };
    for spec in ["d:string", "d:float64", "d:int64"] {
        for scale in ["-9223372036854775808", "9223372036854775807", "2147483648", "x", ""] {
            assert!(error("Cast", &[("spec", spec)], &record(scale)).contains("scale"), "{spec} {scale}");
        }
    }
    let made = text("Cast", &[("spec", "d:string")], &record("-2147483648"));
    assert!(made.ends_with(r#""payload":{"d":"1.2345E+2147483652"}}"#), "{made}");
}

#[test]
fn a_message_about_a_huge_value_is_short() {
    let json = format!("{{\"a\":\"{}\"}}", "é".repeat(1 << 20));
    for (name, keys) in [
        ("TimestampConverter", &[("field", "a"), ("target.type", "unix"), ("format", "yyyy")][..]),
        ("Cast", &[("spec", "a:int8")]),
        ("Cast", &[("spec", "a:float64")]),
    ] {
        let error = error(name, keys, &json);
        assert!(error.contains("ééé") && error.len() < 4096, "{name}: {} bytes", error.len());
    }
}
