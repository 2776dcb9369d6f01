//! Records that are made of others.

use crate::by_hand::Members;
use serde_json::json;

/// The logs' plain fields, with a schema.
pub(crate) fn envelopes(logs: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let field = |name: &str, kind: &str| json!({"type": kind, "optional": false, "field": name});
    let fields = [
        field("@timestamp", "string"),
        field("level", "string"),
        field("sequence", "int64"),
        field("message", "string"),
    ];
    let schema = json!({"type": "struct", "fields": fields, "optional": false, "name": "log"});
    let wrap = |record: &Vec<u8>| {
        let mut payload: Members = serde_json::from_slice(record).expect("logs are objects");
        payload.retain(|_, value| !value.is_object() && !value.is_array());
        // The order of the JSON converter's members.
        let schema = serde_json::to_string(&schema).expect("a tree can be written");
        let payload = serde_json::to_string(&payload).expect("a tree can be written");
        format!("{{\"schema\":{schema},\"payload\":{payload}}}").into_bytes()
    };
    logs.iter().map(wrap).collect()
}

/// Each record as the new row of a change event, as Debezium sends it without schemas.
pub(crate) fn events(records: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let head = br#"{"before":null,"after":"#;
    let tail = br#","source":{"version":"3.3.1.Final","connector":"mysql","name":"shop","ts_ms":1700000000000,"snapshot":"false","db":"shop","table":"orders","server_id":223344,"gtid":null,"file":"mysql-bin.000003","pos":484,"row":0},"op":"c","ts_ms":1700000000012,"transaction":null}"#;
    records.iter().map(|record| [&head[..], record, tail].concat()).collect()
}

/// What Kafka's serializer of `long` writes.
pub(crate) fn numbers(count: usize) -> Vec<Vec<u8>> {
    (0..).take(count).map(|number: i64| (number * 7_919_000_003).to_be_bytes().to_vec()).collect()
}
