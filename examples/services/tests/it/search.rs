use std::time::Duration;

use services::{
    Elasticsearch, Elasticsearch8, Elasticsearch9, Engine, OpenSearch, OpenSearch3, Search, http,
};

#[test]
fn elasticsearch_keeps_documents_over_kill_and_restart_and_leaves_nothing() {
    let mut node = Elasticsearch::start().unwrap();
    keeps_documents(&mut node);
    let (_, body) = ask(&node, "GET", "/", "");
    assert!(body.contains("7.17.28"), "{body}");
    leaves_nothing(node);
}

#[test]
fn opensearch_keeps_documents_and_takes_data_streams() {
    let mut node = OpenSearch::start().unwrap();
    let template = r#"{"index_patterns": ["logs-*"], "data_stream": {}}"#;
    let (status, body) = ask(&node, "PUT", "/_index_template/logs", template);
    assert_eq!(status, 200, "{body}");
    let (status, body) = ask(&node, "PUT", "/_data_stream/logs-a", "");
    assert_eq!(status, 200, "{body}");
    keeps_documents(&mut node);
    leaves_nothing(node);
}

#[test]
fn elasticsearch_8_and_9_keep_documents_and_make_data_streams() {
    let node = Elasticsearch8::start().unwrap();
    makes_data_streams(&node);
    leaves_nothing(node);
    let mut node = Elasticsearch9::start().unwrap();
    makes_data_streams(&node);
    keeps_documents(&mut node);
    leaves_nothing(node);
}

#[test]
fn opensearch_3_makes_data_streams() {
    let node = OpenSearch3::start().unwrap();
    let (_, body) = ask(&node, "GET", "/", "");
    assert!(body.contains("3.3.2"), "{body}");
    makes_data_streams(&node);
    leaves_nothing(node);
}

#[test]
fn elasticsearch_refuses_bad_rows_and_old_versions_one_by_one() {
    let node = Elasticsearch::start().unwrap();
    let mapping = r#"{"mappings": {"properties": {"n": {"type": "long"}}}}"#;
    assert_eq!(ask(&node, "PUT", "/rows", mapping).0, 200);
    let rows = concat!(
        r#"{"index": {"_id": "a", "version": 5, "version_type": "external"}}"#,
        "\n{\"n\": 1}\n",
        r#"{"index": {"_id": "b"}}"#,
        "\n{\"n\": \"text\"}\n",
        r#"{"index": {"_id": "a", "version": 4, "version_type": "external"}}"#,
        "\n{\"n\": 2}\n",
    );
    let (status, body) = ask(&node, "POST", "/rows/_bulk", rows);
    assert_eq!(status, 200, "{body}");
    for expected in ["\"status\":201", "mapper_parsing_exception", "\"status\":409"] {
        assert!(body.contains(expected), "{expected} is not in {body}");
    }
}

fn keeps_documents<E: Engine>(node: &mut Search<E>) {
    let (status, body) = ask(node, "PUT", "/kept/_doc/1", r#"{"text": "before the restart"}"#);
    assert_eq!(status, 201, "{body}");
    let url = node.url().to_owned();
    for orderly in [false, true] {
        if orderly { node.stop() } else { node.kill() }.unwrap();
        assert!(http::request(node.address(), "GET", "/", "", Duration::from_secs(1)).is_err());
        node.restart().unwrap();
        assert_eq!(node.url(), url);
        let (status, body) = ask(node, "GET", "/kept/_doc/1", "");
        assert_eq!(status, 200, "{body}");
        assert!(body.contains("before the restart"), "{body}");
    }
}

/// By a template and the first document.
fn makes_data_streams<E: Engine>(node: &Search<E>) {
    let template = r#"{"index_patterns": ["logs-*"], "data_stream": {}}"#;
    let (status, body) = ask(node, "PUT", "/_index_template/logs", template);
    assert_eq!(status, 200, "{body}");
    let rows = "{\"create\":{}}\n{\"@timestamp\":\"2026-01-01T00:00:00Z\"}\n";
    let (status, body) = ask(node, "POST", "/logs-a/_bulk", rows);
    assert!(status == 200 && body.contains("\"_index\":\".ds-logs-a-"), "{status} {body}");
}

fn leaves_nothing<E: Engine>(node: Search<E>) {
    let (pid, home) = (node.pid().unwrap(), node.home().to_owned());
    assert!(pid.is_alive());
    drop(node);
    assert!(!pid.is_alive());
    assert!(!home.exists());
}

fn ask<E: Engine>(node: &Search<E>, method: &str, path: &str, json: &str) -> (u16, String) {
    http::request(node.address(), method, path, json, Duration::from_secs(30)).unwrap()
}
