//! Single requests: what is sent, and what each kind of answer means.

use base64::{Engine, engine::general_purpose::STANDARD};
use connect_core::{
    Assigned, Batch, Budget, Bulk, BulkConfig, BulkSink, Class, Error, Outcome, PartitionId, Progress, Task,
    config::{Config, Providers, Settings},
    testing::{
        Bench, batch,
        http::{HttpServer, Reply, Request},
    },
};
use connect_es::{Elasticsearch, EsConfig};
use std::{io::Write, time::Duration};

fn target(servers: &[&HttpServer], change: impl FnOnce(&mut EsConfig)) -> Elasticsearch {
    let mut config = EsConfig::new(servers.iter().map(|server| server.url().parse().unwrap()).collect());
    change(&mut config);
    Elasticsearch::new(&config).unwrap()
}

fn rows(count: usize) -> Batch {
    batch((0..count).map(|n| format!("{{\"n\":{n}}}")))
}

async fn answered(reply: Reply, count: usize) -> Result<Outcome, Error> {
    let server = HttpServer::start().await.unwrap();
    server.push(reply);
    target(&[&server], |_| {}).write(&rows(count)).await
}

fn class(result: Result<Outcome, Error>) -> Class {
    result.unwrap_err().class()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn delivered(rows: usize) -> String {
    let items = vec![r#"{"index":{"_index":"logs","_id":"\"status\":","status":201}}"#; rows].join(",");
    format!(r#"{{"took":1,"errors":false,"items":[{items}]}}"#)
}

#[tokio::test]
async fn a_request_is_what_bulk_wants_and_carries_the_credentials() {
    let server = HttpServer::start().await.unwrap();
    server.push(Reply::json(200, delivered(2)));
    let target = target(&[&server], |config| {
        config.username = Some("elastic".into());
        config.password = Some("hunter2".into());
        config.index = "logs".into();
    });
    assert!(target.write(&rows(2)).await.unwrap().is_delivered());
    let request = &server.requests()[0];
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/_bulk"));
    assert_eq!(request.header("content-type"), Some("application/x-ndjson"));
    assert_eq!(request.header("authorization"), Some("Basic ZWxhc3RpYzpodW50ZXIy"));
    let actions: Vec<String> = request.text().lines().map(str::to_owned).collect();
    assert_eq!(actions.len(), 4);
    assert!(actions[0].starts_with("{\"index\":{\"_index\":\"logs\",\"_id\":\""), "{}", actions[0]);
    assert_eq!(actions[3], "{\"n\":1}");
    let shown = format!("{target:?}");
    assert!(!shown.contains("hunter2") && !shown.contains("ZWxhc3RpYzpodW50ZXIy"), "{shown}");
}

#[tokio::test]
async fn answers_to_the_whole_request_have_their_classes() {
    for status in [400, 413, 422] {
        assert_eq!(class(answered(Reply::new(status), 2).await), Class::Poison, "{status}");
    }
    for status in [401, 403, 404, 408, 429, 500, 502, 503, 504] {
        assert_eq!(class(answered(Reply::new(status), 2).await), Class::Retriable, "{status}");
    }
    for status in [405, 415] {
        assert_eq!(class(answered(Reply::new(status), 2).await), Class::Fatal, "{status}");
    }
    for broken in [Reply::reset(), Reply::close(), Reply::new(200).body("<html>"), Reply::new(200)] {
        assert_eq!(class(answered(broken, 2).await), Class::Retriable);
    }
    let wait = answered(Reply::new(429).header("retry-after", "7"), 1).await.unwrap_err().retry_after();
    assert_eq!(wait, Some(Duration::from_secs(7)));
}

#[tokio::test]
async fn an_answer_that_breaks_off_counts_only_if_it_has_an_item_for_each_row() {
    let success = delivered(2);
    let (len, closed) = (success.len(), success.clone() + &" ".repeat(10_000));
    assert!(answered(Reply::json(200, closed).close_after(len + 500), 2).await.unwrap().is_delivered());
    for cut in [len / 3, len - 20] {
        let result = answered(Reply::json(200, success.clone()).close_after(cut), 2).await;
        assert_eq!(class(result), Class::Retriable, "after {cut} bytes");
    }
    let failure = success.replace("false", "true");
    assert_eq!(class(answered(Reply::json(200, failure).close_after(200), 2).await), Class::Retriable);
}

#[tokio::test]
async fn a_success_without_an_item_for_each_row_is_no_success() {
    for items in [0, 1, 7] {
        let error = answered(Reply::json(200, delivered(items)), 8).await.unwrap_err();
        assert_eq!((error.class(), error.is_doubtful()), (Class::Retriable, true), "{items} items");
        assert!(error.report().contains(&format!("{items} items for 8 rows")), "{error:?}");
    }
    assert!(answered(Reply::json(200, delivered(8)), 8).await.unwrap().is_delivered());
    assert_eq!(class(answered(Reply::json(200, delivered(9)), 8).await), Class::Fatal);
}

#[tokio::test]
async fn a_gateway_that_answers_without_items_costs_no_record() {
    let server = HttpServer::start().await.unwrap();
    let target = target(&[&server], |_| {});
    let mut bench = Bench::new(BulkSink::new(target, BulkConfig::default()), Budget::new(1 << 20));
    server.push(Reply::json(200, r#"{"took":1,"errors":false,"items":[]}"#));
    server.push(Reply::json(200, delivered(1)));
    server.push(Reply::json(200, delivered(2)));
    let id = PartitionId::new(0, 1);
    let assigned =
        Assigned { id, topic: "topic".into(), partition: 0, offset: 0, note: None, partitions: None };
    bench.assigned(&[assigned]).unwrap();
    bench.put(rows(2)).unwrap();
    let mut retried = 0;
    loop {
        match bench.progress().await.unwrap() {
            Progress::Retrying(_) => retried += 1,
            Progress::Done(batch, outcome) => break assert!(batch.len() == 2 && outcome.is_delivered()),
            _ => {}
        }
    }
    assert_eq!((retried, server.requests().len()), (2, 3));
}

#[tokio::test]
async fn a_missing_item_is_unanswered_and_one_too_many_stops() {
    let item = r#"{"index":{"status":201}}"#;
    let answer =
        |items: &[&str]| Reply::json(200, format!(r#"{{"errors":true,"items":[{}]}}"#, items.join(",")));
    let rows = answered(answer(&[item]), 2).await.unwrap().into_rows().unwrap();
    assert!(rows[0].is_ok());
    assert_eq!(rows[1].as_ref().unwrap_err().class(), Class::Retriable);
    assert_eq!(class(answered(answer(&[item; 3]), 2).await), Class::Fatal);
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_no_records_fault() {
    let large = format!(r#"{{"errors":true,"items":["{}"#, "x".repeat(17 << 20));
    for rows in [1, 2] {
        let error = answered(Reply::json(200, large.clone()), rows).await.unwrap_err();
        assert_eq!(error.class(), Class::Retriable, "{error:?}");
    }
    // Neither is one that grows when it is unpacked.
    let reply = Reply::json(200, gzip(large.as_bytes())).header("content-encoding", "gzip");
    let error = answered(reply, 1).await.unwrap_err();
    assert!(error.class() == Class::Retriable && error.report().contains("16777216 bytes"), "{error:?}");
}

#[tokio::test]
async fn an_answer_that_is_compressed_unasked_is_read() {
    let compressed = |reply: Reply, encoding: &str| reply.header("content-encoding", encoding);
    let failed = r#"{"took":1,"errors":true,"items":[{"index":{"status":201}},{"index":{"status":400,
        "error":{"type":"mapper_parsing_exception","reason":"no"}}}]}"#;
    for encoding in ["gzip", "X-GZIP"] {
        let reply = compressed(Reply::json(200, gzip(delivered(2).as_bytes())), encoding);
        assert!(answered(reply, 2).await.unwrap().is_delivered(), "{encoding}");
        let reply = compressed(Reply::json(200, gzip(failed.as_bytes())), encoding);
        let rows = answered(reply, 2).await.unwrap().into_rows().unwrap();
        assert_eq!((rows[0].is_ok(), rows[1].as_ref().map_err(Error::class)), (true, Err(Class::Poison)));
    }
    let refusal = r#"{"error":{"type":"circuit_breaking_exception","reason":"data too large"}}"#;
    let reply = compressed(Reply::json(429, gzip(refusal.as_bytes())), "gzip");
    let report = answered(reply, 1).await.unwrap_err().report();
    assert!(report.contains("circuit_breaking_exception: data too large"), "{report}");

    let mut cut = gzip(failed.as_bytes());
    cut.truncate(cut.len() - 9);
    for (body, encoding) in [(cut, "gzip"), (failed.into(), "gzip"), (failed.into(), "br")] {
        let error = answered(compressed(Reply::json(200, body), encoding), 2).await.unwrap_err();
        assert_eq!(error.class(), Class::Retriable, "{error:?}");
        assert!(error.report().contains(&format!("`{encoding}`")), "{}", error.report());
    }
}

#[tokio::test]
async fn the_start_up_check_reads_compressed_answers_and_says_what_is_understood() {
    let server = HttpServer::start().await.unwrap();
    let info = gzip(br#"{"version":{"number":"8.19.0"}}"#);
    server.push(Reply::json(200, info).header("content-encoding", "gzip"));
    server.push(Reply::json(200, delivered(1)));
    let target = target(&[&server], |_| {});
    target.open().await.unwrap();
    assert!(target.write(&rows(1)).await.unwrap().is_delivered());
    for request in server.requests() {
        assert_eq!(request.header("accept-encoding"), Some("identity"), "{}", request.path);
    }
}

#[tokio::test]
async fn a_redirect_is_waited_out_and_the_body_goes_nowhere_else() {
    let (server, elsewhere) = (HttpServer::start().await.unwrap(), HttpServer::start().await.unwrap());
    let target = target(&[&server], |_| {});
    for status in [301, 302, 303, 307, 308] {
        let location = elsewhere.url().replace("http://", "http://ann:hunter2@") + "/_bulk?token=hunter2";
        server.push(Reply::new(status).header("location", &location));
        let error = target.write(&rows(1)).await.unwrap_err();
        assert_eq!(error.class(), Class::Retriable, "{error:?}");
        let report = error.report();
        assert!(report.contains(&format!("{}/_bulk", elsewhere.url())), "{report}");
        assert!(report.contains("connection.url") && !report.contains("hunter2"), "{report}");
    }
    server.push(Reply::new(302).header("location", "/login"));
    let report = target.write(&rows(1)).await.unwrap_err().report();
    assert!(report.contains(&format!("{}/login", server.url())), "{report}");
    server.push(Reply::new(304));
    assert_eq!(class(target.write(&rows(1)).await), Class::Retriable);
    assert_eq!(elsewhere.requests().len(), 0);

    // What answers like this at the first start is another server than is meant.
    server.push(Reply::new(301).header("location", "https://elsewhere:9200/"));
    let error = target.open().await.unwrap_err();
    assert!(error.class() == Class::Fatal && error.report().contains("https://elsewhere:9200/"), "{error:?}");
}

#[tokio::test]
async fn a_cluster_that_is_away_is_told_in_one_short_sentence() {
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", unused.local_addr().unwrap());
    drop(unused);
    let target = Elasticsearch::new(&EsConfig::new(vec![url.parse().unwrap()])).unwrap();
    let refused = format!("no answer from {url}: Connection refused (os error 111)");
    let error = target.open().await.unwrap_err();
    assert_eq!(error.report(), format!("failed to reach the cluster: {refused}"));
    let error = target.write(&rows(1)).await.unwrap_err();
    assert_eq!(error.report(), format!("failed to send a bulk request: {refused}"));
}

#[tokio::test]
async fn nodes_take_turns_and_one_that_fails_rests() {
    let handler = |_: &Request| Reply::json(200, delivered(1));
    let (sound, broken) =
        (HttpServer::with_handler(handler).await.unwrap(), HttpServer::start().await.unwrap());
    let target = target(&[&sound, &broken], |_| {});
    broken.push(Reply::json(200, delivered(1)));
    broken.push(Reply::reset());
    let mut failed = 0;
    for _ in 0..8 {
        failed += usize::from(target.write(&rows(1)).await.is_err());
    }
    assert_eq!((failed, sound.requests().len(), broken.requests().len()), (1, 6, 2));
}

#[tokio::test]
async fn all_problems_are_named_at_the_start() {
    let (old, strange, down) = (
        HttpServer::start().await.unwrap(),
        HttpServer::start().await.unwrap(),
        HttpServer::start().await.unwrap(),
    );
    old.push(Reply::json(200, r#"{"version":{"number":"6.8.23"}}"#));
    old.push(Reply::new(404));
    strange.push(Reply::json(403, r#"{"error":{"type":"security_exception","reason":"not allowed"}}"#));
    down.push(Reply::reset());
    let target = target(&[&old, &strange, &down], |config| {
        config.index = "missing".into();
        config.index_required = true;
    });
    let error = target.open().await.unwrap_err();
    assert_eq!(error.class(), Class::Fatal);
    for text in ["6.8.23", "not allowed", "no index `missing`"] {
        assert!(error.report().contains(text), "{text} in {error:?}");
    }
}

#[tokio::test]
async fn credentials_that_fail_a_task_that_ran_before_are_retriable() {
    let server = HttpServer::start().await.unwrap();
    let config = EsConfig::new(vec![server.url().parse().unwrap()]);
    for (restarts, class) in [(0, Class::Fatal), (1, Class::Retriable)] {
        server.push(Reply::json(401, r#"{"error":{"type":"security_exception","reason":"who are you"}}"#));
        let task =
            Task { pipeline: "p".into(), number: 0, of: 1, restarts, transforms: None, preview: false };
        let sink = Elasticsearch::sink_for(&config, &task).unwrap();
        let error = Bench::new(sink, Budget::new(1 << 20)).open().await.unwrap_err();
        assert_eq!(error.class(), class, "{error:?}");
        for text in ["who are you", "connection.password"] {
            assert!(error.report().contains(text), "{text} in {}", error.report());
        }
    }
}

#[tokio::test]
async fn a_password_that_was_rotated_is_looked_up_again() {
    let accepted = |password: &'static str| {
        let header = format!("Basic {}", STANDARD.encode(format!("elastic:{password}")));
        move |request: &Request| match request.header("authorization") == Some(&header) {
            true if request.method == "POST" => Reply::json(200, delivered(1)),
            true => Reply::json(200, r#"{"version":{"number":"8.1.0"}}"#),
            false => Reply::json(401, r#"{"error":{"type":"security_exception","reason":"who are you"}}"#),
        }
    };
    let server = HttpServer::with_handler(accepted("new-word")).await.unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "old-word\n").unwrap();
    let text = format!("${{file:{}}}", file.path().display());
    let url = server.url();
    let pairs = [
        ("connection.url", url.as_str()),
        ("connection.username", "elastic"),
        ("connection.password", text.as_str()),
    ];
    let settings = Settings::new(pairs, &Providers::system());
    let config = EsConfig::parse(&settings).unwrap();
    let target = Elasticsearch::new(&config).unwrap();

    let error = target.write(&rows(1)).await.unwrap_err();
    assert_eq!(error.class(), Class::Retriable);
    for text in ["who are you", "connection.password was looked up again and is the same"] {
        assert!(error.report().contains(text), "{text} in {}", error.report());
    }
    std::fs::write(file.path(), "new-word\n").unwrap();
    assert_eq!(class(target.write(&rows(1)).await), Class::Retriable, "the refused request goes again");
    assert!(target.write(&rows(1)).await.unwrap().is_delivered());
    // A task that starts again is made of the configuration as it was read once.
    Elasticsearch::new(&config).unwrap().open().await.unwrap();

    std::fs::remove_file(file.path()).unwrap();
    let error = Elasticsearch::new(&config).unwrap().write(&rows(1)).await.unwrap_err();
    assert!(error.report().contains("could not be looked up again"), "{}", error.report());
    assert!(!error.report().contains("old-word"), "{}", error.report());
}

#[tokio::test]
async fn a_cluster_that_is_away_is_no_mistake_and_one_node_is_enough() {
    let (up, down) = (HttpServer::start().await.unwrap(), HttpServer::start().await.unwrap());
    up.push(Reply::json(200, r#"{"version":{"number":"2.18.0","distribution":"opensearch"}}"#));
    down.push(Reply::reset());
    target(&[&down, &up], |_| {}).open().await.unwrap();
    // A node without that part of its API, or a gateway that hides it.
    up.push(Reply::new(405));
    target(&[&up], |_| {}).open().await.unwrap();
    down.push(Reply::new(503));
    assert_eq!(target(&[&down], |_| {}).open().await.unwrap_err().class(), Class::Retriable);
}
