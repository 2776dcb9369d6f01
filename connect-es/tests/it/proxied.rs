//! Whole pipelines into a real node behind a proxy that fails single `_bulk` requests: before they are sent, after they were
//! executed, in the middle of the answer, or too late.

use crate::real::{Node, with_node};
use connect_core::{
    Pipeline, TaskState,
    testing::{
        MemoryLog,
        http::{Fault, FaultProxy, Reply, Request},
    },
};
use connect_es::{Elasticsearch, EsConfig};
use services::engine;
use std::{collections::BTreeSet, time::Duration};

/// Records of a run, in requests of [`BATCH`].
const RECORDS: usize = 60;
const BATCH: usize = 10;
const TIME_OUT: Duration = Duration::from_millis(700);

fn kind(request: &Request) -> &'static str {
    if request.path == "/_bulk" { "bulk" } else { "other" }
}

/// Each way in which a request fails.
fn faults() -> Vec<(&'static str, Fault)> {
    let refused = |status, kind: &str| {
        Reply::json(
            status,
            format!(r#"{{"error":{{"type":"{kind}","reason":"scripted"}},"status":{status}}}"#),
        )
    };
    let busy = refused(429, "es_rejected_execution_exception");
    let error = refused(500, "illegal_state_exception");
    let away = refused(503, "cluster_block_exception");
    vec![
        ("429 before", Fault::Before(busy.clone())),
        ("429 after", Fault::After(busy)),
        ("500 before", Fault::Before(error.clone())),
        ("500 after", Fault::After(error)),
        ("503 before", Fault::Before(away.clone())),
        ("503 after", Fault::After(away)),
        ("redirect", Fault::Before(Reply::new(302).header("location", "http://127.0.0.1:1/"))),
        ("reset before", Fault::reset_before()),
        ("reset after", Fault::reset_after()),
        ("no answer", Fault::Cut(0)),
        ("cut in the head", Fault::Cut(20)),
        ("cut before the verdict", Fault::Cut(100)),
        ("late request", Fault::HoldRequest(TIME_OUT * 2)),
        ("late answer", Fault::HoldAnswer(TIME_OUT * 2)),
    ]
}

/// Runs a pipeline to its end and compares what the index has with what was read.
async fn delivers_each_row_once(node: &Node, proxy: &FaultProxy, index: &str, what: &str) {
    let log = MemoryLog::new();
    log.topic("t", 1);
    for n in 0..RECORDS {
        log.append("t", 0, format!("{{\"n\":{n}}}"));
    }
    log.finish();
    let config = EsConfig {
        index: index.to_owned(),
        batch_records: BATCH,
        linger: Duration::from_millis(5),
        in_flight: 2,
        read_timeout: TIME_OUT,
        backoff: Duration::from_millis(5),
        backoff_max: Duration::from_millis(50),
        ..EsConfig::new(vec![proxy.url().parse().unwrap()])
    };
    let pipeline = Pipeline::builder("to-es")
        .source(move |_| Ok(log.source("group", &["t"])))
        .sink(move |_| Elasticsearch::sink(&config));
    let handle = pipeline.build().unwrap().start();
    let status = tokio::time::timeout(Duration::from_secs(60), handle.wait()).await;
    let status = status.unwrap_or_else(|_| panic!("{what}: the pipeline does not end"));
    assert_eq!(status.state(), TaskState::Stopped, "{what}: {status:?}");
    let counts = status.counts();
    assert!(counts.reconcile(), "{what}: {counts:?}");
    let fates = (counts.read, counts.delivered, counts.dead_lettered + counts.skipped);
    assert_eq!(fates, (RECORDS as u64, RECORDS as u64, 0), "{what}: {counts:?}");

    assert_eq!(node.count(index), RECORDS as u64, "{what}");
    let found = node.get(&format!("/{index}/_search?size={RECORDS}"));
    let hits = found["hits"]["hits"].as_array().unwrap();
    let ids: BTreeSet<(i64, &str)> = hits
        .iter()
        .map(|hit| (hit["_source"]["n"].as_i64().unwrap(), hit["_id"].as_str().unwrap()))
        .collect();
    let right = ids.iter().zip(0..).all(|(&(n, id), number)| n == number && id == format!("t+0+{n}"));
    assert!(ids.len() == RECORDS && right, "{what}: {ids:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_bulk_request_failing_once_loses_and_doubles_nothing() {
    with_node::<engine::Elasticsearch8>(async |node| {
        let upstream = node.address.parse().unwrap();
        for (number, (what, fault)) in faults().into_iter().enumerate() {
            // The first request and one in the middle, and two at once.
            for (run, failing) in [[1, 4], [2, 3]].into_iter().enumerate() {
                let proxy = FaultProxy::start(upstream, kind).await.unwrap();
                failing.iter().for_each(|&n| proxy.fail("bulk", n, fault.clone()));
                let index = format!("proxied-{number}-{run}");
                delivers_each_row_once(node, &proxy, &index, &format!("{what}, requests {failing:?}")).await;
                assert_eq!(proxy.unmet(), 0, "{what}: {:?}", proxy.counts());
            }
        }
    })
    .await;
}
