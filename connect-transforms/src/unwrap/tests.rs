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
    let row = r#"{"type":"struct","fields":[{"type":"int32","optional":false,"field":"id"}],"optional":true,"name":"s.Value"}"#;
    assert_eq!(value(&unwrap(), &create), Some(Some(format!(r#"{{"schema":{row},"payload":{{"id":1}}}}"#))));
    let adding =
        unwrap().deletes(DeleteHandling::Rewrite).add_fields(["source.table", "ts_ms", "nothing"]).unwrap();
    let added = r#"{"type":"struct","fields":[{"type":"int32","optional":false,"field":"id"},{"type":"string","optional":true,"field":"__deleted"},{"type":"string","optional":true,"field":"__source_table"},{"type":"int64","optional":true,"field":"__ts_ms"}],"optional":true,"name":"s.Value"}"#;
    let payload = r#"{"id":1,"__deleted":"false","__source_table":"t","__ts_ms":null}"#;
    assert_eq!(value(&adding, &create), Some(Some(format!(r#"{{"schema":{added},"payload":{payload}}}"#))));
    assert_eq!(value(&unwrap(), &event(r#"{"before":{"id":1},"after":null,"op":"d"}"#)), Some(None));
    let other = create.replace("s.Envelope", "s.Heartbeat");
    assert_eq!(value(&unwrap(), &other), some(&other), "another kind of record passes");
    let plain = r#"{"schema":null,"payload":{"before":null,"after":{"id":1},"op":"c"}}"#;
    assert_eq!(value(&unwrap(), plain), some(r#"{"schema":null,"payload":{"id":1}}"#));
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
