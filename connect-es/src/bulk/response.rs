//! Answers of `_bulk`.

use crate::error::{Cause, Failure, shortened};
use memchr::memmem;
use serde::Deserialize;
use std::time::Duration;

use super::{
    blame::{Sent, blame},
    encode::Action,
};

/// Where `errors` stands in an answer: behind `took` and, with ingest pipelines, `ingest_took`.
const HEAD_BYTES: usize = 256;

/// Whether the beginning of an answer says that every item succeeded. `false` may also mean that it is not known yet.
pub(crate) fn all_succeeded(beginning: &[u8]) -> bool {
    let head = &beginning[..beginning.len().min(HEAD_BYTES)];
    let head = memmem::find(head, b"\"items\"").map_or(head, |items| &head[..items]);
    memmem::find(head, b"\"errors\":false").is_some()
}

/// Counts the items of an answer in which every item succeeded, without parsing it.
///
/// Each item has one member `status`, and nothing else reads `"status":` in JSON: inside a text, be it an id or the name
/// of an index, its second quote would stand behind a backslash. Servers write no blank in front of the colon; where a
/// gateway does, too few are counted, and the request is sent again.
#[derive(Debug, Default)]
pub(crate) struct ItemCount {
    items: usize,
    /// The last bytes seen, one fewer than the token has.
    tail: Vec<u8>,
}

const STATUS: &[u8] = b"\"status\":";

impl ItemCount {
    /// Counts in the next part of the answer.
    pub(crate) fn add(&mut self, part: &[u8]) {
        let border = STATUS.len() - 1;
        let seen = self.tail.len();
        self.tail.extend_from_slice(&part[..part.len().min(border)]);
        // What lies across the border; what lies in the part is counted there.
        let across = memmem::find_iter(&self.tail, STATUS).filter(|at| *at < seen).count();
        self.items += across + memmem::find_iter(part, STATUS).count();
        if part.len() >= border {
            self.tail.clear();
            self.tail.extend_from_slice(&part[part.len() - border..]);
        } else {
            let excess = self.tail.len().saturating_sub(border);
            self.tail.drain(..excess);
        }
    }

    /// Items so far.
    pub(crate) fn items(&self) -> usize {
        self.items
    }
}

/// An answer with failures, item by item.
#[derive(Debug, Deserialize)]
pub(crate) struct Answer<'a> {
    #[serde(borrow)]
    pub(crate) items: Vec<Item<'a>>,
}

/// One item, by the operation that it answers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Item<'a> {
    #[serde(borrow)]
    Index(Reply<'a>),
    #[serde(borrow)]
    Create(Reply<'a>),
    #[serde(borrow)]
    Update(Reply<'a>),
    #[serde(borrow)]
    Delete(Reply<'a>),
}

/// What became of an item.
#[derive(Debug, Deserialize)]
pub(crate) struct Reply<'a> {
    status: u16,
    #[serde(borrow)]
    error: Option<Cause<'a>>,
}

/// A request that was refused as a whole.
#[derive(Debug, Deserialize)]
struct Refusal<'a> {
    #[serde(borrow)]
    error: Cause<'a>,
}

/// The server's own words for an answer that is an error, as far as there are any.
pub(crate) fn reason(body: &[u8]) -> String {
    match serde_json::from_slice::<Refusal<'_>>(body) {
        Ok(refusal) => shortened(&refusal.error.to_string()),
        Err(_) => shortened(String::from_utf8_lossy(body).trim()),
    }
}

/// What an item's answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Success {
    Written,
    /// A document with this id and this or a newer version was there.
    AlreadyPresent,
}

impl Item<'_> {
    /// Success, or why not.
    pub(crate) fn verdict(
        self,
        action: Action,
        sent: Sent<'_>,
        wait: Option<Duration>,
    ) -> Result<Success, Failure> {
        let (conflict_is_success, reply) = match self {
            // An update without a version conflicts with others at the same moment: it goes again.
            Self::Update(reply) => (false, reply),
            Self::Index(reply) | Self::Create(reply) | Self::Delete(reply) => (true, reply),
        };
        match reply.status {
            200..=299 => Ok(Success::Written),
            // Deleting what is not there: not even for `errors` a failure, unless there is no index either.
            404 if action == Action::Delete && reply.is_gone() => Ok(Success::Written),
            409 if conflict_is_success => Ok(Success::AlreadyPresent),
            status => {
                let cause = reply.error.unwrap_or_default();
                let blame = blame(status, &cause, sent);
                Err(Failure::Item { status, blame, reason: shortened(&cause.to_string()), wait })
            }
        }
    }

    /// What the body asked for.
    #[cfg(test)]
    pub(crate) fn action(&self) -> Action {
        if matches!(self, Self::Delete(_)) { Action::Delete } else { Action::Write }
    }
}

impl Reply<'_> {
    fn is_gone(&self) -> bool {
        self.error.as_ref().is_none_or(|cause| cause.kind() == "index_not_found_exception")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use connect_core::{Class, Error};

    #[test]
    fn success_is_read_off_the_beginning() {
        assert!(all_succeeded(br#"{"took":30,"errors":false,"items":[{"index":"#));
        assert!(all_succeeded(br#"{"took":30,"ingest_took":2,"errors":false,"#));
        assert!(!all_succeeded(br#"{"took":30,"errors":true,"items":["#));
        assert!(!all_succeeded(br#"{"took":30,"err"#));
        assert!(!all_succeeded(br#"{"items":[{"x":"y"}],"errors":false}"#), "what items hold does not count");
    }

    fn verdict(item: &str, action: Action) -> Result<Success, Class> {
        let answer = format!(r#"{{"took":1,"errors":true,"items":[{item}]}}"#);
        let answer: Answer<'_> = serde_json::from_str(&answer).unwrap();
        let item = answer.items.into_iter().next().unwrap();
        let sent = Sent { value: Some(b"{}"), alone: false };
        item.verdict(action, sent, None).map_err(|failure| Error::from(failure).class())
    }

    #[test]
    fn items_are_sorted_by_status_and_operation() {
        let check = |operation: &str, status: u16, kind: &str, expected: Result<Success, Class>| {
            let error = format!(r#""error":{{"type":"{kind}","reason":"a \"b\"","index":"x"}}"#);
            let error = if kind.is_empty() { r#""result":"x""#.to_owned() } else { error };
            let item = format!(r#"{{"{operation}":{{"_index":"i","_id":"1","status":{status},{error}}}}}"#);
            let action = if operation == "delete" { Action::Delete } else { Action::Write };
            assert_eq!(verdict(&item, action), expected, "{item}");
        };
        check("index", 200, "", Ok(Success::Written));
        check("create", 201, "", Ok(Success::Written));
        check("create", 409, "version_conflict_engine_exception", Ok(Success::AlreadyPresent));
        check("index", 409, "version_conflict_engine_exception", Ok(Success::AlreadyPresent));
        check("delete", 404, "", Ok(Success::Written));
        check("delete", 409, "version_conflict_engine_exception", Ok(Success::AlreadyPresent));
        check("update", 409, "version_conflict_engine_exception", Err(Class::Retriable));
        check("index", 400, "mapper_parsing_exception", Err(Class::Poison));
        check("index", 429, "es_rejected_execution_exception", Err(Class::Retriable));
        check("index", 503, "unavailable_shards_exception", Err(Class::Retriable));
        check("index", 403, "cluster_block_exception", Err(Class::Retriable));
        check("index", 404, "index_not_found_exception", Err(Class::Retriable));
        check("delete", 404, "index_not_found_exception", Ok(Success::Written));
        check("delete", 404, "alias_not_found_exception", Err(Class::Retriable));
        check("index", 413, "", Err(Class::Poison));
    }

    #[test]
    fn items_are_counted_wherever_parts_end_and_whatever_ids_hold() {
        let item = r#"{"index":{"_index":"a","_id":"x\"status\":1","result":"status","status":201}},"#;
        let answer = format!(r#"{{"took":1,"errors":false,"items":[{}]}}"#, item.repeat(7));
        for size in 1..answer.len() {
            let mut count = ItemCount::default();
            answer.as_bytes().chunks(size).for_each(|part| count.add(part));
            assert_eq!(count.items(), 7, "parts of {size} bytes");
        }
    }

    #[test]
    fn half_a_surrogate_pair_in_a_reason_hides_neither_status_nor_type() {
        let reason = r#"Preview of field's value: 'cut \ud83d'"#;
        let error = format!(
            r#"{{"type":"mapper_parsing_exception","reason":"{reason}","caused_by":{{"type":"x","reason":"{reason}"}}}}"#
        );
        let item = format!(r#"{{"index":{{"_index":"i","_id":"\ud83d","status":400,"error":{error}}}}}"#);
        assert_eq!(verdict(&item, Action::Write), Err(Class::Poison));
        let refusal = format!(r#"{{"error":{error},"status":400}}"#);
        assert!(reason_of(&refusal).starts_with("mapper_parsing_exception: Preview"));
    }

    fn reason_of(body: &str) -> String {
        reason(body.as_bytes())
    }

    #[test]
    fn a_refusal_is_told_in_the_servers_words() {
        let json = br#"{"error":{"root_cause":[],"type":"security_exception","reason":"missing credentials"},"status":401}"#;
        assert_eq!(reason(json), "security_exception: missing credentials");
        assert_eq!(reason(b"<html>Bad Gateway</html>\n"), "<html>Bad Gateway</html>");
    }
}
