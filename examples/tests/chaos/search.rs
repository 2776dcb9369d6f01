//! What stands in Elasticsearch: every document by id, every byte of its source.

use crate::{
    cluster,
    records::{Plan, Tally},
};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::{collections::BTreeMap, time::Duration};

#[derive(Deserialize)]
struct Page<'p> {
    #[serde(rename = "_scroll_id")]
    scroll: String,
    #[serde(borrow)]
    hits: Hits<'p>,
}

#[derive(Deserialize)]
struct Hits<'p> {
    #[serde(borrow)]
    hits: Vec<Hit<'p>>,
}

#[derive(Deserialize)]
struct Hit<'p> {
    #[serde(rename = "_id")]
    id: String,
    #[serde(rename = "_source", borrow)]
    source: &'p RawValue,
}

/// One request that must succeed.
pub(crate) fn ask(method: &str, path: &str, body: &str) -> String {
    let address = cluster::search().address();
    let answer = services::http::request(address, method, path, body, Duration::from_secs(60));
    let (status, text) = answer.expect("elasticsearch answers");
    assert!((200..300).contains(&status), "{method} {path}: {status} {text}");
    text
}

/// A new index that keeps documents without looking into them, but for `n`, which is a number.
pub(crate) fn create_index(name: &str) {
    let body = r#"{"settings":{"number_of_shards":1,"number_of_replicas":0,"refresh_interval":"5s"},
        "mappings":{"dynamic":false,"properties":{"n":{"type":"long"}}}}"#;
    ask("PUT", &format!("/{name}"), body);
}

/// Settings of a sink that writes into `index`.
pub(crate) fn settings(index: &str) -> BTreeMap<String, String> {
    [("connection.url", cluster::search().url()), ("index", index)]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

/// Documents in `index`, once those written before can be seen.
pub(crate) fn count(index: &str) -> u64 {
    ask("POST", &format!("/{index}/_refresh"), "");
    let answer: serde_json::Value =
        serde_json::from_str(&ask("GET", &format!("/{index}/_count"), "")).expect("an answer in JSON");
    answer["count"].as_u64().expect("a count")
}

/// Checks every document against the plan. `excused` records may be missing.
pub(crate) fn assert_exactly_once(index: &str, plan: Plan, excused: impl Fn(i32, u64) -> bool) {
    ask("POST", &format!("/{index}/_refresh"), "");
    let mut tally = Tally::new(plan);
    let first = format!("/{index}/_search?scroll=2m&size=5000");
    let mut answer = ask("POST", &first, r#"{"sort":["_doc"]}"#);
    loop {
        let page: Page<'_> = serde_json::from_str(&answer).expect("a page of hits");
        for hit in &page.hits.hits {
            let counted = tally.count(hit.source.get());
            let (partition, number) = counted.unwrap_or_else(|e| panic!("{index}/{}: {e}", hit.id));
            // Made from topic, partition and offset, and the plan's numbers are offsets.
            assert!(
                hit.id.ends_with(&format!("+{partition}+{number}")),
                "{} holds {partition}-{number}",
                hit.id
            );
        }
        if page.hits.hits.is_empty() {
            break;
        }
        let next = format!(r#"{{"scroll":"2m","scroll_id":"{}"}}"#, page.scroll);
        answer = ask("POST", "/_search/scroll", &next);
    }
    if let Some(faults) = tally.faults(excused) {
        panic!("{index}: {faults}");
    }
}
