//! Of whom an item's error speaks: of the record, the index, the request or the service. One table.
//!
//! Only what speaks of the record can be poison. Types are those of Elasticsearch 7 to 9 and OpenSearch 2 and 3;
//! `recorded` holds answers of each, which the tests look up here.

use crate::{document::is_object, error::Cause};

/// Of whom an error speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blame {
    /// The record: poison.
    Record,
    /// The mapping that another request has just made: sent again, and only if it is refused alone, the record.
    Race,
    /// The record or the index: found out by what becomes of other records.
    Unclear,
    /// The index or the rights to it: waits until somebody acts, as this says.
    Index(&'static str),
    /// The service: waits.
    Service,
    /// The service, unless this record alone brings it about.
    Failing,
}

/// What is known of the row besides its error.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent<'a> {
    /// The document; `None`: there is none.
    pub(crate) value: Option<&'a [u8]>,
    /// No other row was in the request.
    pub(crate) alone: bool,
}

const CREATE_INDEX: &str =
    "create the index, or let the cluster create it (action.auto_create_index, require_alias)";

/// Of whom the error of an item speaks.
pub(crate) fn blame(status: u16, cause: &Cause<'_>, sent: Sent<'_>) -> Blame {
    match of(status, cause) {
        // Elasticsearch 8 and 9 answer 500 to a document that is no JSON.
        Blame::Unclear | Blame::Failing if sent.value.is_some_and(|value| !is_object(value)) => Blame::Record,
        Blame::Race if sent.alone => Blame::Record,
        blame => blame,
    }
}

fn of(status: u16, cause: &Cause<'_>) -> Blame {
    match (status, cause.kind()) {
        (401 | 403, _) => {
            Blame::Index("allow writing: the index is blocked, or the user has no right to write to it")
        }
        (404, _) => Blame::Index(CREATE_INDEX),
        // Of an update without a version, and of a write that is no conflict of versions.
        (408 | 409 | 425 | 429 | 501..=599, _) => Blame::Service,
        (500, _) => Blame::Failing,
        (400, kind) => of_kind(kind, cause),
        _ => Blame::Unclear,
    }
}

/// The types that come with status 400.
fn of_kind(kind: &str, cause: &Cause<'_>) -> Blame {
    match kind {
        "mapper_parsing_exception"
        | "document_parsing_exception"
        | "strict_dynamic_mapping_exception"
        | "parsing_exception"
        | "parse_exception"
        | "json_parse_exception"
        | "x_content_parse_exception"
        | "x_content_e_o_f_exception"
        | "not_x_content_exception" => Blame::Record,
        "validation_exception" => Blame::Index(
            "make room: the limit of shards is reached (delete indices, add nodes, or raise cluster.max_shards_per_node)",
        ),
        "index_closed_exception" => Blame::Index("open the index"),
        "index_not_found_exception" => Blame::Index(CREATE_INDEX),
        "cluster_block_exception" => Blame::Index("remove the block from the index"),
        "routing_missing_exception" => {
            Blame::Index("write to an index that needs no routing: this sink sends none")
        }
        "invalid_index_name_exception" => Blame::Index("correct the key `index`"),
        // Two requests create the same index.
        "resource_already_exists_exception" => Blame::Service,
        "illegal_argument_exception" => of_arguments(cause),
        _ => Blame::Unclear,
    }
}

/// The type that servers use for everything: known sentences, and the cause. Sentences that are not known decide
/// nothing.
fn of_arguments(cause: &Cause<'_>) -> Blame {
    let reason = cause.reason();
    let begins = |starts: &[&str]| starts.iter().any(|start| reason.starts_with(start));
    let has = |text: &str| reason.contains(text);
    if begins(&["mapper [", "Mapper for ["]) || has("cannot be changed from type") || has("can't merge") {
        return Blame::Race;
    }
    let deep = cause.caused_by().is_some_and(|cause| cause.kind() == "max_bytes_length_exceeded_exception");
    let document =
        ["Limit of ", "Document contains at least one immense term", "Malformed content", "if _id is"];
    if deep || begins(&document) {
        return Blame::Record;
    }
    if has("no write index is defined for alias") {
        return Blame::Index("give the alias a write index (is_write_index)");
    }
    if begins(&["pipeline with id ["]) {
        return Blame::Index("create the ingest pipeline, or take it out of the index's settings");
    }
    if has("op_type of create are allowed in data streams") {
        return Blame::Index("set write.method=create: a data stream takes nothing else");
    }
    Blame::Unclear
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bulk::response::Item;
    use connect_core::{Class, Error};
    use serde::Deserialize;
    use serde_json::value::RawValue;

    /// Answers to the same list of documents and actions, one file per server. Recorded on fresh nodes by sending each
    /// alone in a `_bulk` request with plain HTTP and cutting the item out of the answer; `index_uuid` and `shard` are
    /// taken out.
    const RECORDED: [(&str, &str); 5] = [
        ("Elasticsearch 7.17.28", include_str!("recorded/elasticsearch-7.17.jsonl")),
        ("Elasticsearch 8.19.0", include_str!("recorded/elasticsearch-8.19.jsonl")),
        ("Elasticsearch 9.1.0", include_str!("recorded/elasticsearch-9.1.jsonl")),
        ("OpenSearch 2.18.0", include_str!("recorded/opensearch-2.18.jsonl")),
        ("OpenSearch 3.3.2", include_str!("recorded/opensearch-3.3.jsonl")),
    ];

    #[derive(Deserialize)]
    struct Recorded<'a> {
        case: &'a str,
        expect: &'a str,
        #[serde(borrow)]
        item: &'a RawValue,
    }

    /// In words, of a row that was sent with others.
    fn word(item: Item<'_>, case: &str) -> &'static str {
        let value = if ["not json", "array", "number", "string", "null", "empty", "Smile"].contains(&case) {
            b"x"
        } else {
            &b"{}"[..]
        };
        let sent = Sent { value: Some(value), alone: false };
        let action = item.action();
        let Err(failure) = item.verdict(action, sent, None) else { return "ok" };
        let error = Error::from(failure);
        match (error.class(), error.is_doubtful()) {
            (Class::Poison, false) => "record",
            (Class::Poison, true) => "race",
            (Class::Retriable, _) => "index",
            (Class::Fatal, _) => "fatal",
        }
    }

    #[test]
    fn recorded_answers_of_every_server_speak_of_whom_they_should() {
        for (server, lines) in RECORDED {
            assert!(lines.lines().count() > 45, "{server}");
            for line in lines.lines() {
                let Recorded { case, expect, item } = serde_json::from_str(line).unwrap();
                let item = serde_json::from_str(item.get()).unwrap();
                assert_eq!(word(item, case), expect, "{server}: {line}");
            }
        }
    }

    #[test]
    fn what_is_unknown_is_no_verdict_unless_the_value_is_no_object() {
        let cause: Cause<'_> =
            serde_json::from_str(r#"{"type":"illegal_argument_exception","reason":"never seen"}"#).unwrap();
        let sent = |value: &'static [u8]| Sent { value: Some(value), alone: true };
        for status in [400, 413, 418] {
            assert_eq!(blame(status, &cause, sent(b"{}")), Blame::Unclear);
            assert_eq!(blame(status, &cause, sent(b"[1]")), Blame::Record);
        }
        assert_eq!(blame(500, &cause, sent(b"{\"a\":1}")), Blame::Failing);
        assert_eq!(blame(500, &cause, sent(b"{\"a\":1} 2")), Blame::Record);
        assert_eq!(blame(503, &cause, sent(b"nothing")), Blame::Service);
    }
}
