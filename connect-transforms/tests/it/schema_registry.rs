//! Converters by a schema registry, against a scripted one.

use crate::batch;
use connect_core::{
    Chain, Class, Transform,
    config::{Reader, Settings},
    testing::http::{HttpServer, Reply},
};
use connect_transforms::converters::ConvertersRegistry;
use std::sync::Arc;

const AVRO: &str =
    r#"{"type":"record","name":"R","fields":[{"name":"z","type":"long"},{"name":"a","type":"other.Item"}]}"#;
const ITEM: &str = r#"{"type":"enum","name":"other.Item","symbols":["X","Y"]}"#;
const PROTO: &str = r#"syntax = "proto3"; message A { int32 x = 1; message B { string y = 1; } }"#;

fn answer(path: &str) -> Reply {
    let json = |value: serde_json::Value| Reply::json(200, value.to_string());
    let link = serde_json::json!([{ "name": "other.Item", "subject": "items", "version": 3 }]);
    match path {
        "/schemas/ids/1" => json(serde_json::json!({ "schema": AVRO, "references": link })),
        "/subjects/items/versions/3?deleted=true" => json(serde_json::json!({ "schema": ITEM })),
        "/schemas/ids/2" => json(serde_json::json!({ "schema": PROTO, "schemaType": "PROTOBUF" })),
        "/schemas/ids/3" => json(serde_json::json!({ "schema": "{}", "schemaType": "JSON" })),
        _ => Reply::json(404, r#"{"error_code":40403,"message":"Schema not found"}"#),
    }
}

async fn registry() -> HttpServer {
    HttpServer::with_handler(|request| answer(&request.path)).await.expect("a port is free")
}

fn chain(converter: &str, server: &HttpServer) -> Chain {
    let url = server.url();
    let settings = Settings::literal([
        ("value.converter", converter),
        ("value.converter.schema.registry.url", url.as_str()),
    ]);
    let mut reader = Reader::new(&settings);
    let converters = ConvertersRegistry::new().read(&mut reader);
    let converters = reader.finish().result(converters).expect("a sound configuration");
    let steps: Vec<Arc<dyn Transform>> = converters.first().expect("a client");
    Chain::new(steps)
}

/// Values, or why they are poison, in the order read.
async fn converted(chain: &Chain, values: &[&[u8]]) -> Vec<Result<Option<String>, String>> {
    let batch = batch(values.iter().map(|value| (None, Some(*value))));
    if let Some(preparation) = chain.prepare(&batch) {
        preparation.await.expect("the registry answers");
    }
    let done = chain.apply(batch, 0);
    let mut all: Vec<(i64, Result<Option<String>, String>)> = Vec::new();
    for record in done.batch.iter() {
        let value = record.value().map(|value| String::from_utf8_lossy(value).into_owned());
        all.push((record.origin().offset, Ok(value)));
    }
    for (record, error) in &done.rejected {
        assert_eq!(error.class(), Class::Poison);
        all.push((record.runs()[0].offsets.start, Err(error.report())));
    }
    all.sort_by_key(|(offset, _)| *offset);
    all.into_iter().map(|(_, result)| result).collect()
}

fn poison(result: &Result<Option<String>, String>, says: &str) {
    assert!(result.as_ref().is_err_and(|error| error.contains(says)), "{says} in {result:?}");
}

#[tokio::test]
async fn avro_is_read_by_the_schema_that_each_record_names() {
    let server = registry().await;
    let chain = chain("io.confluent.connect.avro.AvroConverter", &server);
    let results = converted(
        &chain,
        &[
            &[0, 0, 0, 0, 1, 2, 2],
            &[0, 0, 0, 0, 9, 1],
            &[0, 0, 0, 0, 1, 2],
            &[0, 0, 0],
            b"{}",
            &[0, 0, 0, 0, 2, 0],
        ],
    )
    .await;
    assert_eq!(results[0], Ok(Some(r#"{"z":1,"a":"Y"}"#.to_owned())));
    poison(&results[1], "the schema registry does not have schema 9: Schema not found");
    poison(&results[2], "failed to convert the value: failed to read Avro: the data end too early");
    poison(&results[3], "3 bytes");
    poison(&results[4], "Unknown magic byte! It is 123");
    poison(&results[5], "it is in PROTOBUF, not in Avro");
    assert_eq!(server.requests().len(), 4);
    assert_eq!(
        converted(&chain, &[&[0, 0, 0, 0, 1, 4, 0]]).await,
        [Ok(Some(r#"{"z":2,"a":"X"}"#.to_owned()))]
    );
    assert_eq!(server.requests().len(), 4, "the schema was kept");
}

#[tokio::test]
async fn protobuf_is_read_by_the_message_that_each_record_names() {
    let server = registry().await;
    let chain = chain("Protobuf", &server);
    let nested = [&[0, 0, 0, 0, 2, 4, 0, 0][..], &[0x0a, 2, b'h', b'i']].concat();
    let results = converted(
        &chain,
        &[
            &[0, 0, 0, 0, 2, 0, 8, 5],
            &nested,
            &[0, 0, 0, 0, 2, 2, 8],
            &[0, 0, 0, 0, 2, 0, 8],
            &[0, 0, 0, 0, 1, 0],
        ],
    )
    .await;
    assert_eq!(results[0], Ok(Some(r#"{"x":5}"#.to_owned())));
    assert_eq!(results[1], Ok(Some(r#"{"y":"hi"}"#.to_owned())));
    poison(&results[2], "the schema has no message at [4]");
    poison(&results[3], "failed to read Protobuf");
    poison(&results[4], "not in Protobuf");
}

#[tokio::test]
async fn json_by_a_registry_keeps_its_bytes() {
    let server = registry().await;
    let chain = chain("JsonSchemaConverter", &server);
    let results = converted(
        &chain,
        &[
            b"\0\0\0\0\x03{\"b\": 1.0, \"a\":12345678901234567890}",
            b"\0\0\0\0\x03null",
            b"\0\0\0\0\x03{",
            b"\0\0\0\0\x01{}",
        ],
    )
    .await;
    assert_eq!(results[0], Ok(Some("{\"b\": 1.0, \"a\":12345678901234567890}".to_owned())));
    assert_eq!(results[1], Ok(None));
    poison(&results[2], "failed to read JSON");
    poison(&results[3], "it is in AVRO, not in JSON Schema");
}

#[tokio::test]
async fn a_registry_that_is_away_is_no_poison() {
    let server = registry().await;
    let chain = chain("Avro", &server);
    server.push(Reply::new(503));
    let records = || batch([(None, Some(&[0, 0, 0, 0, 1, 2, 2][..]))]);
    let error = chain.prepare(&records()).expect("the schema is unknown").await.unwrap_err();
    assert_eq!(error.class(), Class::Retriable);
    chain.prepare(&records()).expect("it is still unknown").await.unwrap();
    assert!(chain.prepare(&records()).is_none());
    assert_eq!(chain.apply(records(), 0).batch.len(), 1);
}
