//! What only a real node can say, of each version that is supported.

use connect_core::{
    Batch, Bulk, Class, Error,
    testing::{Message, batch, batch_at},
};
use connect_es::{Elasticsearch, EsConfig, OnNull, Version};
use serde_json::Value;
use services::{Engine, Search, engine, http::request};
use std::time::Duration;

pub(crate) struct Node {
    pub(crate) address: String,
    url: String,
}

impl Node {
    fn target(&self, index: &str, change: impl FnOnce(&mut EsConfig)) -> Elasticsearch {
        let mut config = EsConfig::new(vec![self.url.parse().unwrap()]);
        config.index = index.into();
        change(&mut config);
        Elasticsearch::new(&config).unwrap()
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        let (_, body) = request(&self.address, "GET", path, "", Duration::from_secs(30)).unwrap();
        serde_json::from_str(&body).unwrap_or_else(|e| panic!("{path}: {e}: {body}"))
    }

    pub(crate) fn count(&self, index: &str) -> u64 {
        request(&self.address, "POST", &format!("/{index}/_refresh"), "", Duration::from_secs(30)).unwrap();
        self.get(&format!("/{index}/_count"))["count"].as_u64().unwrap()
    }
}

async fn verdicts(target: &Elasticsearch, batch: &Batch) -> Vec<Result<(), Error>> {
    match target.write(batch).await.unwrap().into_rows() {
        Some(rows) => rows,
        None => batch.iter().map(|_| Ok(())).collect(),
    }
}

/// The list of `measurements`: each is refused on its own, between two good ones.
const MALFORMED: [&[u8]; 14] = [
    b"not json",
    b"{\"a\":1",
    b"[1,2]",
    b"\"str\"",
    b"12",
    b"",
    b"null",
    b"{\"a\":1}{\"b\":2}",
    b"{\"a\":\"\xff\xfe\"}",
    b"{\"a\":1,\"a\":2}",
    b"{\"a\":\"\x01\"}",
    b"{\"a\":NaN}",
    b"{a:1}",
    b"{\"a\":1} trailing",
];

const ODD_BUT_GOOD: [&[u8]; 6] = [
    b"  {\"b\":1}  ",
    b"\xef\xbb\xbf{\"b\":1}",
    b"{\"b\":1}\r",
    b"{\"c\":\"\\ud800\"}",
    b"{\n  \"b\": 1\n}\n",
    b"{\"c\":\"line\\nfeed\"}",
];

async fn each_malformed_document_is_poison_and_its_neighbours_are_written(node: &Node) {
    let target = node.target("malformed", |_| {});
    target.open().await.unwrap();
    let good = |n: usize| format!("{{\"n\":{n}}}").into_bytes();
    let values = MALFORMED.iter().enumerate().flat_map(|(n, bad)| [good(n), bad.to_vec()]);
    let rows = batch(values.chain([good(99)]).map(Message::new));
    for (row, verdict) in verdicts(&target, &rows).await.into_iter().enumerate() {
        let what = format!("row {row}: {:?}", rows.get(row).and_then(|record| record.value()));
        let expected = if row % 2 == 0 { Ok(()) } else { Err(Class::Poison) };
        assert_eq!(verdict.as_ref().copied().map_err(Error::class), expected, "{what}: {verdict:?}");
    }
    assert_eq!(node.count("malformed"), MALFORMED.len() as u64 + 1);
    let odd = node.target("odd", |_| {});
    let rows = batch(ODD_BUT_GOOD.map(|value| Message::new(value.to_vec())));
    assert!(verdicts(&odd, &rows).await.iter().all(Result::is_ok));
    assert_eq!(node.count("odd"), ODD_BUT_GOOD.len() as u64);
}

/// Documents that are JSON, or nearly, and that a mapping, the parser or a limit refuses; in the order of their ids.
fn refused() -> Vec<(&'static str, Vec<u8>)> {
    let text = |text: &str| text.as_bytes().to_vec();
    let nested = |depth: usize| [b"{\"deep\":".repeat(depth), b"1".to_vec(), b"}".repeat(depth)].concat();
    vec![
        ("cut off", text("{\"a\":")),
        ("one brace more", text("{\"a\":1}}")),
        ("a blank", text(" ")),
        ("a tab in a string", text("{\"a\":\"x\ty\"}")),
        ("a number out of range", text("{\"n\":12345678901234567890}")),
        ("text for a number", text("{\"n\":\"bad\"}")),
        ("half a surrogate pair for a number", text("{\"n\":\"cut \\ud83d\"}")),
        ("an object for a number", text("{\"n\":{\"x\":1}}")),
        ("an empty name", text("{\"\":1}")),
        ("a dot for a name", text("{\".\":1}")),
        ("two dots in a name", text("{\"a..b\":1}")),
        ("nested 25 deep", nested(25)),
        ("CBOR", b"\xbf\x61a\x01\xff".to_vec()),
        ("Smile", text(":)")),
        ("YAML", text("---a: 1")),
    ]
}

async fn refused_documents_are_poison_everywhere(node: &Node) {
    let target = node.target("refused", |_| {});
    assert!(verdicts(&target, &batch(["{\"n\":1}"])).await[0].is_ok());
    for (what, value) in refused() {
        for company in [false, true] {
            let values = std::iter::once(value.clone()).chain(company.then(|| b"{\"n\":2}".to_vec()));
            let verdicts = verdicts(&target, &batch(values.map(Message::new))).await;
            let error = verdicts[0].as_ref().unwrap_err();
            assert_eq!((error.class(), error.is_doubtful()), (Class::Poison, false), "{what}: {error:?}");
            assert!(verdicts[1..].iter().all(Result::is_ok), "{what}");
        }
    }
}

async fn a_deletion_that_finds_no_index_is_done(node: &Node) {
    for version in [Version::Offset, Version::None] {
        let target = node.target("never-made", |config| {
            config.key_ignore = false;
            config.on_null = OnNull::Delete;
            config.version = version;
        });
        let verdicts = verdicts(&target, &batch([Message::tombstone("a")])).await;
        assert!(verdicts[0].is_ok(), "{version:?}: {verdicts:?}");
    }
}

/// Many requests that bring the same new fields at once, as long and as float.
async fn rows_that_lost_a_race_for_the_mapping_are_taken_alone(node: &Node) {
    for round in 0..3 {
        let target = node.target(&format!("race-{round}"), |_| {});
        let field = |field: usize, of: usize| {
            let value = if of.is_multiple_of(2) { "1" } else { "1.5" };
            Message::new(format!("{{\"m{field}\":{value}}}"))
        };
        let rows: Vec<Batch> = (0..4_usize)
            .map(|of| batch_at("t", 0, 100 * i64::try_from(of).unwrap(), (0..20).map(|n| field(n, of))))
            .collect();
        let [one, two, three, four] = &rows[..] else { unreachable!() };
        let all = tokio::join!(
            verdicts(&target, one),
            verdicts(&target, two),
            verdicts(&target, three),
            verdicts(&target, four)
        );
        for (rows, verdicts) in rows.iter().zip([all.0, all.1, all.2, all.3]) {
            for (row, verdict) in (0..).zip(&verdicts) {
                let Err(error) = verdict else { continue };
                assert!(error.class() == Class::Poison && error.is_doubtful(), "{error:?}");
                assert!(self::verdicts(&target, &rows.subset(&[row])).await[0].is_ok(), "{error:?}");
            }
        }
    }
}

async fn what_speaks_of_the_index_is_no_verdict_about_the_record(node: &Node) {
    let put = |path: &str, body: &str| {
        let (status, answer) = request(&node.address, "PUT", path, body, Duration::from_secs(30)).unwrap();
        assert_eq!(status, 200, "{path}: {answer}");
    };
    put("/one", r#"{"aliases":{"many":{}}}"#);
    put("/two", r#"{"aliases":{"many":{}}}"#);
    put("/piped", r#"{"settings":{"index.default_pipeline":"nowhere"}}"#);
    put("/blocked", r#"{"settings":{"index.blocks.write":true}}"#);
    put("/shut", "{}");
    request(&node.address, "POST", "/shut/_close", "", Duration::from_secs(30)).unwrap();
    for (index, advice) in [
        ("many", "is_write_index"),
        ("piped", "pipeline"),
        ("blocked", "blocked"),
        ("shut", "open the index"),
    ] {
        let verdicts = verdicts(&node.target(index, |_| {}), &batch(["{\"a\":1}"])).await;
        let error = verdicts[0].as_ref().unwrap_err();
        assert_eq!(error.class(), Class::Retriable, "{index}: {error:?}");
        assert!(error.report().contains(advice), "{index}: {error:?}");
    }
}

async fn a_repetition_changes_nothing(node: &Node) {
    let target = node.target("again", |_| {});
    let rows = batch((0..100).map(|n| Message::new(format!("{{\"n\":{n}}}"))));
    for _ in 0..3 {
        assert!(target.write(&rows).await.unwrap().is_delivered());
    }
    assert_eq!(node.count("again"), 100);
    let create = node.target("created", |config| config.write_method = connect_es::WriteMethod::Create);
    for already in [0, 100] {
        assert!(verdicts(&create, &rows).await.iter().all(Result::is_ok));
        assert_eq!(create.already_present(), already);
    }
    assert_eq!(node.count("created"), 100);
}

async fn versions_keep_late_writes_out_and_deletes_hold(node: &Node) {
    let target = node.target("versions", |config| {
        config.key_ignore = false;
        config.on_null = OnNull::Delete;
    });
    // One batch per row, as the order key wants it: offsets 0 to 3.
    let rows = batch([
        Message::new("{\"v\":0}").key("a"),
        Message::new("{\"v\":1}").key("a"),
        Message::tombstone("a"),
        Message::tombstone("never there"),
    ]);
    let one = |row: u32| rows.subset(&[row]);
    for (row, version) in [(0, Some(0)), (1, Some(1)), (0, Some(1)), (2, None), (1, None), (3, None)] {
        assert!(verdicts(&target, &one(row)).await.iter().all(Result::is_ok), "row {row}");
        let found = node.get("/versions/_doc/a");
        assert_eq!(found["_source"]["v"].as_i64(), version, "after row {row}: {found}");
    }
    assert_eq!(target.already_present(), 2);
}

async fn upserts_merge_fields(node: &Node) {
    let target = node.target("merged", |config| {
        config.key_ignore = false;
        config.write_method = connect_es::WriteMethod::Upsert;
    });
    for value in ["{\"a\":1}", "{\"b\":2}", "{\"a\":3}"] {
        assert!(target.write(&batch([Message::new(value).key("k")])).await.unwrap().is_delivered());
    }
    assert_eq!(node.get("/merged/_doc/k")["_source"], serde_json::json!({"a": 3, "b": 2}));
}

async fn a_required_index_is_looked_for(node: &Node) {
    let error = node.target("nowhere", |config| config.index_required = true).open().await.unwrap_err();
    assert!(error.class() == Class::Fatal && error.report().contains("nowhere"), "{error:?}");
    node.target("again", |config| config.index_required = true).open().await.unwrap();
}

/// What every kind of node must do.
async fn suite(node: &Node) {
    each_malformed_document_is_poison_and_its_neighbours_are_written(node).await;
    refused_documents_are_poison_everywhere(node).await;
    a_deletion_that_finds_no_index_is_done(node).await;
    rows_that_lost_a_race_for_the_mapping_are_taken_alone(node).await;
    what_speaks_of_the_index_is_no_verdict_about_the_record(node).await;
    a_repetition_changes_nothing(node).await;
    versions_keep_late_writes_out_and_deletes_hold(node).await;
    upserts_merge_fields(node).await;
    a_required_index_is_looked_for(node).await;
}

/// Starts a node of its own for `checks`.
pub(crate) async fn with_node<E: Engine>(checks: impl AsyncFnOnce(&Node)) {
    let server = tokio::task::spawn_blocking(Search::<E>::start).await.unwrap().unwrap();
    let node = Node { address: server.address().to_owned(), url: server.url().to_owned() };
    checks(&node).await;
    tokio::task::spawn_blocking(move || drop(server)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn elasticsearch_7() {
    with_node::<engine::Elasticsearch>(suite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn elasticsearch_8() {
    with_node::<engine::Elasticsearch8>(suite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn elasticsearch_9() {
    with_node::<engine::Elasticsearch9>(suite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn opensearch_2() {
    with_node::<engine::OpenSearch>(suite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn opensearch_3() {
    with_node::<engine::OpenSearch3>(suite).await;
}
