use super::*;
use connect_core::{
    Chain,
    testing::{Message, batch},
};
use proptest::prelude::*;
use std::sync::Arc;

/// What goes on: value, topic and headers; `None` if it is filtered.
type Seen = Option<(Option<String>, String, Vec<(String, Option<String>)>)>;

fn run(unwrap: &ExtractNewRecordState, message: Message) -> Result<Seen, String> {
    let done = Chain::new(vec![Arc::new(unwrap.clone())]).apply(batch([message]), 0);
    if let Some((_, error)) = done.rejected.first() {
        return Err(error.report());
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(done.batch.iter().next().map(|record| {
        let headers = record.headers().map(|(name, value)| (name.to_owned(), value.map(text))).collect();
        (record.value().map(text), record.topic().to_owned(), headers)
    }))
}

/// The value that goes on; `Some(None)` is a tombstone.
fn value(unwrap: &ExtractNewRecordState, event: &str) -> Option<Option<String>> {
    run(unwrap, Message::new(event.to_owned())).unwrap().map(|(value, ..)| value)
}

fn some(text: &str) -> Option<Option<String>> {
    Some(Some(text.to_owned()))
}

const CREATE: &str = r#"{"before":null,"after":{"id":1,"n":1.0},"source":{"table":"users","ts_ms":7},"op":"c","ts_ms":8,"transaction":null}"#;
const DELETE: &str = r#"{"before":{"id":1},"after":null,"source":{"table":"users"},"op":"d","ts_ms":8}"#;
const TRUNCATE: &str = r#"{"before":null,"after":null,"op":"t"}"#;

fn unwrap() -> ExtractNewRecordState {
    ExtractNewRecordState::new()
}

#[test]
fn the_row_after_the_change_goes_on_as_it_stands() {
    assert_eq!(value(&unwrap(), CREATE), some(r#"{"id":1,"n":1.0}"#));
    assert_eq!(value(&unwrap(), TRUNCATE), None);
    for other in
        [r#"{"ts_ms":1}"#, "[1]", "\"text\"", r#"{"op":1,"after":{}}"#, r#"{"schema":null,"payload":1}"#]
    {
        assert_eq!(value(&unwrap(), other), some(other), "passes as it is");
    }
}

#[test]
fn deletes_and_tombstones_are_handled_as_the_mode_says() {
    use DeleteHandling::{DeleteToTombstone, Drop, Rewrite, RewriteWithTombstone, Tombstone};
    let rewritten = some(r#"{"id":1,"__deleted":"true"}"#);
    for (mode, delete, tombstone_stays) in [
        (Drop, None, false),
        (Tombstone, Some(None), false),
        (Rewrite, rewritten.clone(), false),
        (RewriteWithTombstone, rewritten, true),
        (DeleteToTombstone, Some(None), false),
    ] {
        let unwrap = unwrap().deletes(mode);
        assert_eq!(value(&unwrap, DELETE), delete, "{mode}");
        let tombstone = run(&unwrap, Message::tombstone("k")).unwrap();
        assert_eq!(tombstone.is_some(), tombstone_stays, "{mode}");
        assert_eq!(value(&unwrap, TRUNCATE), None, "{mode}");
        let rewrites = matches!(mode, Rewrite | RewriteWithTombstone);
        let expected =
            if rewrites { r#"{"id":1,"n":1.0,"__deleted":"false"}"# } else { r#"{"id":1,"n":1.0}"# };
        assert_eq!(value(&unwrap, CREATE), some(expected), "{mode}");
    }
}

#[test]
fn fields_of_the_event_are_added_by_their_new_names() {
    let unwrap = unwrap().add_fields([
        "op",
        "table",
        "source.ts_ms",
        "source.table:T",
        "total_order",
        "ts_ms",
        "nothing",
    ]);
    assert_eq!(
        value(&unwrap.unwrap(), CREATE),
        some(
            r#"{"id":1,"n":1.0,"__op":"c","__table":"users","__source_ts_ms":7,"__T":"users","__total_order":null,"__ts_ms":8}"#
        )
    );
    let replacing = ExtractNewRecordState {
        fields: references("", &["op:id".into()]).unwrap(),
        ..super::ExtractNewRecordState::new()
    };
    assert_eq!(value(&replacing, CREATE), some(r#"{"n":1.0,"id":"c"}"#));
    for wrong in ["", "a.b.c", "a:b:c", "a.", ":x", "a:"] {
        assert!(FieldReference::parse("__", wrong).is_err(), "{wrong}");
    }
}

#[test]
fn headers_are_added_behind_those_that_are_there_also_to_tombstones() {
    let unwrap = unwrap()
        .deletes(DeleteHandling::RewriteWithTombstone)
        .add_headers(["op", "source.ts_ms", "total_order"])
        .unwrap();
    let header = |name: &str, value: Option<&str>| (name.to_owned(), value.map(str::to_owned));
    let (_, _, headers) = run(&unwrap, Message::new(CREATE).header("h", "1")).unwrap().unwrap();
    assert_eq!(
        headers,
        [
            header("h", Some("1")),
            header("__op", Some("c")),
            header("__source_ts_ms", Some("7")),
            header("__total_order", None)
        ]
    );
    let (_, _, headers) = run(&unwrap, Message::tombstone("k")).unwrap().unwrap();
    assert_eq!(headers, [header("__op", Some("d"))]);
}

#[test]
fn a_field_of_the_row_names_the_topic() {
    let unwrap = unwrap().route_by("to");
    let event = |to: &str| Message::new(format!(r#"{{"before":null,"after":{{"to":{to}}},"op":"c"}}"#));
    let topic = |to: &str| run(&unwrap, event(to)).map(|seen| seen.unwrap().1);
    assert_eq!(topic("\"users\""), Ok("users".to_owned()));
    let unchanged = topic("null").unwrap();
    assert_eq!(topic("\" \""), Ok(unchanged));
    assert!(topic("1").unwrap_err().contains("route.by.field"));
    assert!(run(&unwrap, Message::new(CREATE)).is_err());
    let delete = r#"{"before":{"to":"gone"},"after":null,"op":"d"}"#;
    let (value, topic, _) = run(&unwrap, Message::new(delete)).unwrap().unwrap();
    assert_eq!((value, topic.as_str()), (None, "gone"));
}

const SCHEMA: &str = r#"{"type":"struct","fields":[{"type":"struct","fields":[{"type":"int32","optional":false,"field":"id"}],"optional":true,"name":"s.Value","field":"before"},{"type":"struct","fields":[{"type":"int32","optional":false,"field":"id"}],"optional":true,"name":"s.Value","field":"after"},{"type":"struct","fields":[{"type":"string","optional":false,"default":"x","field":"table"}],"optional":false,"name":"src","field":"source"},{"type":"string","optional":false,"field":"op"},{"type":"int64","optional":true,"field":"ts_ms"}],"optional":false,"name":"s.Envelope"}"#;

#[test]
fn with_a_schema_the_result_has_that_of_the_row_and_of_what_was_added() {
    let event = |payload: &str| format!(r#"{{"schema":{SCHEMA},"payload":{payload}}}"#);
    let create = event(r#"{"before":null,"after":{"id":1},"source":{"table":"t"},"op":"c"}"#);
    let row = r#"{"type":"struct","fields":[{"type":"int32","optional":false,"field":"id"}],"optional":false,"name":"s.Value"}"#;
    assert_eq!(value(&unwrap(), &create), Some(Some(format!(r#"{{"schema":{row},"payload":{{"id":1}}}}"#))));
    let adding =
        unwrap().deletes(DeleteHandling::Rewrite).add_fields(["source.table", "ts_ms", "nothing"]).unwrap();
    let added = r#"{"type":"struct","fields":[{"type":"int32","optional":false,"field":"id"},{"type":"string","optional":true,"field":"__deleted"},{"type":"string","optional":true,"field":"__source_table"},{"type":"int64","optional":true,"field":"__ts_ms"}],"optional":false,"name":"s.Value"}"#;
    let payload = r#"{"id":1,"__deleted":"false","__source_table":"t","__ts_ms":null}"#;
    assert_eq!(value(&adding, &create), Some(Some(format!(r#"{{"schema":{added},"payload":{payload}}}"#))));
    assert_eq!(value(&unwrap(), &event(r#"{"before":{"id":1},"after":null,"op":"d"}"#)), Some(None));
    let other = create.replace("s.Envelope", "s.Heartbeat");
    assert_eq!(value(&unwrap(), &other), some(&other), "another kind of record passes");
    let plain = r#"{"schema":null,"payload":{"before":null,"after":{"id":1},"op":"c"}}"#;
    assert_eq!(value(&unwrap(), plain), some(r#"{"schema":null,"payload":{"id":1}}"#));
}

/// As configured by keys.
fn keyed(keys: &[(&str, &str)]) -> ExtractNewRecordState {
    use connect_core::config::{Config, Settings};
    let config =
        UnwrapConfig::parse(&Settings::literal(keys.iter().copied())).unwrap_or_else(|e| panic!("{e}"));
    ExtractNewRecordState::from_config(&config).unwrap()
}

#[test]
fn fields_that_a_header_names_are_left_out() {
    let plain = unwrap().drop_fields("drop").add_fields(["op", "ts_ms"]).unwrap();
    let seen = |unwrap: &ExtractNewRecordState, event: &str, names: &str| {
        run(unwrap, Message::new(event.to_owned()).header("drop", names.to_owned()))
            .map(|seen| seen.unwrap().0)
    };
    let made = |text: &str| Ok(Some(text.to_owned()));
    assert_eq!(seen(&plain, CREATE, r#"["n","__op","other"]"#), made(r#"{"id":1,"__ts_ms":8}"#));
    assert_eq!(seen(&plain, CREATE, "[]"), made(r#"{"id":1,"n":1.0,"__op":"c","__ts_ms":8}"#));
    assert_eq!(value(&plain, CREATE), some(r#"{"id":1,"n":1.0,"__op":"c","__ts_ms":8}"#), "no header");
    assert_eq!(seen(&unwrap().drop_fields("drop"), CREATE, r#"["id","n"]"#), made("{}"));
    // Of a deleted row fields are left out before others are added.
    let rewriting = plain.clone().deletes(DeleteHandling::Rewrite);
    let deleted = r#"{"__op":"d","__ts_ms":8}"#;
    assert_eq!(seen(&rewriting, DELETE, r#"["id","__op","__deleted"]"#), made(deleted));
    for wrong in ["id", "{}", "[1]", "[\"id\"", "[\"id\"]x", ""] {
        let why = seen(&plain, CREATE, wrong).unwrap_err();
        assert!(why.contains("drop.fields.header.name"), "{wrong}: {why}");
    }
    assert_eq!(unwrap().drop_fields(" "), unwrap());
}

const KEYED: &str = r#"{"type":"struct","fields":[{"type":"int32","optional":false,"field":"id"},{"type":"string","optional":true,"field":"n"}],"optional":false}"#;

#[test]
fn what_a_schema_requires_stays_unless_that_does_not_matter() {
    let schema = r#"{"type":"struct","fields":[{"type":"struct","fields":[{"type":"int32","optional":false,"field":"id"},{"type":"string","optional":true,"default":"d","field":"n"},{"type":"string","optional":true,"default":"e","field":"o"}],"optional":true,"field":"after"}],"name":"s.Envelope"}"#;
    let event = format!(r#"{{"schema":{schema},"payload":{{"after":{{"id":1,"n":null}},"op":"c"}}}}"#);
    let key = format!(r#"{{"schema":{KEYED},"payload":{{"id":1,"n":"x"}}}}"#);
    let done = |keys: &[(&str, &str)]| {
        let mut all = vec![("drop.fields.header.name", "drop")];
        all.extend(keys);
        let unwrap = Arc::new(keyed(&all));
        let message = Message::new(event.clone()).key(key.clone()).header("drop", r#"["id","n"]"#);
        let done = Chain::new(vec![unwrap]).apply(batch([message]), 0);
        let record = done.batch.get(0).unwrap();
        let payload = |bytes: Option<&[u8]>| {
            let json: serde_json::Value = serde_json::from_slice(bytes.unwrap()).unwrap();
            let names = json["schema"]["fields"]
                .as_array()
                .unwrap()
                .iter()
                .map(|field| field["field"].as_str().unwrap());
            (names.collect::<Vec<_>>().join(","), json["payload"].to_string())
        };
        (payload(record.value()), payload(record.key()))
    };
    let pair = |names: &str, payload: &str| (names.to_owned(), payload.to_owned());
    let (whole_key, kept) = (pair("id,n", r#"{"id":1,"n":"x"}"#), pair("id,o", r#"{"id":1,"o":"e"}"#));
    assert_eq!(done(&[]), (kept.clone(), whole_key.clone()));
    assert_eq!(done(&[("drop.fields.from.key", "true")]), (kept, pair("id", r#"{"id":1}"#)));
    let all = [("drop.fields.from.key", "true"), ("drop.fields.keep.schema.compatible", "false")];
    assert_eq!(done(&all), (pair("o", r#"{"o":"e"}"#), pair("", "{}")));
    assert_eq!(done(&[("replace.null.with.default", "false")]).0, pair("id,o", r#"{"id":1}"#));
}

#[test]
fn keys_without_a_schema_or_without_members_are_understood() {
    let unwrap = keyed(&[("drop.fields.header.name", "drop"), ("drop.fields.from.key", "true")]);
    for (key, becomes) in [
        (r#"{"id":1,"n":2}"#, r#"{"n":2}"#),
        (r#"{"schema":null,"payload":{"id":1}}"#, r#"{"schema":null,"payload":{}}"#),
        (r#"{"schema":{"type":"int32"},"payload":1}"#, r#"{"schema":{"type":"int32"},"payload":1}"#),
        ("\"text\"", "\"text\""),
        ("7", "7"),
    ] {
        // Of a delete, whose value is a tombstone then, the key is changed as well.
        for event in [CREATE, DELETE] {
            let message = Message::new(event).key(key).header("drop", r#"["id"]"#);
            let done = Chain::new(vec![Arc::new(unwrap.clone())]).apply(batch([message]), 0);
            let record = done.batch.get(0).unwrap();
            assert_eq!(record.key(), Some(becomes.as_bytes()), "{event}");
        }
    }
}

#[test]
fn null_gets_the_default_of_its_schema_where_a_row_is_rewritten() {
    let schema = r#"{"type":"struct","fields":[{"type":"struct","fields":[{"type":"int32","optional":true,"default":7,"field":"a"}],"optional":true,"field":"after"}],"name":"s.Envelope"}"#;
    let event = format!(r#"{{"schema":{schema},"payload":{{"after":{{"a":null}},"op":"c"}}}}"#);
    let payload = |keys: &[(&str, &str)]| {
        let made = value(&keyed(keys), &event).unwrap().unwrap();
        made[made.find("\"payload\":").unwrap() + 10..made.len() - 1].to_owned()
    };
    let rewrite = ("delete.tombstone.handling.mode", "rewrite");
    assert_eq!(payload(&[]), r#"{"a":null}"#);
    assert_eq!(payload(&[rewrite]), r#"{"a":7,"__deleted":"false"}"#);
    let kept = [rewrite, ("replace.null.with.default", "false")];
    assert_eq!(payload(&kept), r#"{"a":null,"__deleted":"false"}"#);
}

#[test]
fn keys_about_dropping_without_a_header_are_told_together() {
    use connect_core::config::{Config, Settings};
    let keys = [("drop.fields.from.key", "true"), ("drop.fields.keep.schema.compatible", "false")];
    let error = UnwrapConfig::parse(&Settings::literal(keys)).unwrap_err();
    assert_eq!(error.problems().len(), 2);
    assert!(error.to_string().contains("drop.fields.from.key = \"true\": no fields are left out; allowed: only with drop.fields.header.name"), "{error}");
}

#[test]
fn broken_events_are_poison() {
    for wrong in [
        "{",
        "",
        r#"{"op":"c","after":1}"#,
        r#"{"op":"c","after":"{}"}"#,
        r#"{"op":"c","before":[]}"#,
        "\u{feff}{}",
    ] {
        assert!(run(&unwrap(), Message::new(wrong)).is_err(), "{wrong}");
    }
    assert!(run(&unwrap(), Message::new(vec![b'"', 0xff, b'"'])).is_err());
    let deep = format!(r#"{{"op":"c","after":{{"x":{}{}}}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert!(run(&unwrap(), Message::new(deep)).is_ok());
}

proptest! {
    #[test]
    fn whatever_an_event_holds_the_result_is_json(row in "[a-z\"\\\\{}:,1\\[\\]]{0,20}", op in "[a-z]{1}") {
        let event = format!(r#"{{"op":"{op}","after":{{"x":{row}}},"source":{{"y":{row}}}}}"#);
        let unwrap = unwrap().add_fields(["source.y", "op"]).unwrap();
        if let Ok(Some((Some(value), ..))) = run(&unwrap, Message::new(event)) {
            prop_assert!(serde_json::from_str::<serde::de::IgnoredAny>(&value).is_ok(), "{}", value);
        }
    }
}
