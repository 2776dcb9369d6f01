//! A sink of your own, in one file: posts records as JSON lines to an HTTP endpoint.
//!
//! The sink is [`Webhook`]: one request, an answer per row. Batching by bytes, records and time, several requests in
//! flight, repetition of what failed, back-pressure and commits come with [`Bulk`].
//!
//! ```text
//! cargo run --bin custom-sink                                  # posts to a receiver that it starts itself
//! cargo run --bin custom-sink -- http://localhost:8080/ingest  # posts to yours
//! cargo test -p examples --bin custom-sink                     # runs the conformance suite on it
//! ```

use async_trait::async_trait;
use connect_core::{Batch, BoxError, Bulk, BulkConfig, Error, Origin, Outcome, Pipeline, Record, TaskState};
use examples::{earthquakes, receiver::Receiver, stop};
use reqwest::{Client, Response, Url, header};
use serde_json::value::RawValue;
use std::{io::Write, time::Duration};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Posts `{"id":"topic+partition+offset+child","value":…}` per record. The ids tell the receiver what it has already.
struct Webhook {
    client: Client,
    url: Url,
}

#[async_trait]
impl Bulk for Webhook {
    async fn write(&self, batch: &Batch) -> Result<Outcome, Error> {
        let mut body = Vec::with_capacity(batch.payload_bytes() + 64 * batch.len());
        let rows: Vec<_> = batch.iter().map(|record| append_line(record, &mut body)).collect();
        let post = self.client.post(self.url.clone()).header(header::CONTENT_TYPE, "application/x-ndjson");
        let answer =
            post.body(body).send().await.map_err(|e| Error::retriable("post lines", e.without_url()))?;
        match answer.status().as_u16() {
            200..=299 => Ok(rows.into_iter().collect()),
            400 | 413 | 422 => Err(Error::poison("post lines", answer.status().to_string())),
            _ => Err(Error::retriable("post lines", answer.status().to_string()).after(retry_after(&answer))),
        }
    }
}

/// What is no JSON is poison, which is a verdict about this row and no other.
fn append_line(record: Record<'_>, body: &mut Vec<u8>) -> Result<(), Error> {
    let Origin { topic, partition, offset, index, .. } = record.origin();
    // Between the tokens of JSON a line break is nothing but white space.
    let (value, child) = (record.json::<&RawValue>()?.get().replace('\n', " "), index.unwrap_or_default());
    writeln!(body, r#"{{"id":"{topic}+{partition}+{offset}+{child}","value":{value}}}"#)
        .map_err(|e| Error::poison("append a line", e))
}

fn retry_after(answer: &Response) -> Option<Duration> {
    let seconds = answer.headers().get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let receiver = Receiver::start().await?;
    let url = std::env::args().nth(1).unwrap_or_else(|| receiver.url());
    let (url, client, log) = (Url::parse(&url)?, Client::new(), earthquakes::in_memory());
    let handle = Pipeline::builder("custom-sink")
        .source(move |_| Ok(log.source("custom-sink", &[earthquakes::TOPIC])))
        .bulk(BulkConfig::default(), move |_| Ok(Webhook { client: client.clone(), url: url.clone() }))
        .build()?
        .start();
    let status = tokio::select! {
        ended = handle.wait() => ended,
        stop = stop::requested() => { stop?; handle.stop().await }
    };
    let counts = status.counts();
    println!(
        "read {}, delivered {}; our own receiver has {}",
        counts.read,
        counts.delivered,
        receiver.received()
    );
    match status.tasks[0].last_error.clone() {
        Some(error) if status.state() == TaskState::Failed => Err(error.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use connect_core::{
        BulkSink,
        testing::{
            conformance::{
                pipeline,
                sink::{self, Capabilities, EmptyValues, Fault, Found, SinkHarness, Tombstones},
            },
            http::{HttpServer, Reply, Request},
        },
    };
    use std::{
        collections::{BTreeMap, VecDeque},
        sync::{Arc, Mutex},
    };
    use tokio::sync::OnceCell;

    /// A receiver that keeps each id once and fails when it is told to.
    #[derive(Default)]
    struct Target {
        values: Mutex<BTreeMap<(i32, i64), Box<RawValue>>>,
        faults: Mutex<VecDeque<Fault>>,
    }

    #[derive(serde::Deserialize)]
    struct Line {
        id: String,
        value: Box<RawValue>,
    }

    impl Target {
        fn answer(&self, request: &Request) -> Reply {
            let fault = self.faults.lock().unwrap().pop_front();
            if let Some(Fault::Busy(wait)) = fault {
                let wait = wait.map_or(0, |wait| wait.as_secs());
                return Reply::new(429).header("retry-after", &wait.to_string());
            }
            for line in request.text().lines() {
                let Line { id, value } = serde_json::from_str(line).unwrap();
                let origin: Vec<i64> = id.split('+').skip(1).map(|part| part.parse().unwrap()).collect();
                self.values.lock().unwrap().insert((i32::try_from(origin[0]).unwrap(), origin[1]), value);
            }
            if fault.is_some() { Reply::reset() } else { Reply::new(204) }
        }
    }

    #[derive(Default)]
    struct Harness {
        target: Arc<Target>,
        server: OnceCell<HttpServer>,
    }

    #[async_trait]
    impl SinkHarness for Harness {
        type Sink = BulkSink<Webhook>;

        fn capabilities(&self) -> Capabilities {
            Capabilities {
                idempotent_by_offset: true,
                tombstones: Tombstones::Rejected,
                empty_values: EmptyValues::Rejected,
                ordered: false,
                faults: true,
                retry_after: true,
                patience: Duration::from_secs(3), // here time is real
                ..Capabilities::default()
            }
        }

        async fn build(&self) -> Result<BulkSink<Webhook>, Error> {
            let target = Arc::clone(&self.target);
            let start = || HttpServer::with_handler(move |request| target.answer(request));
            let server =
                self.server.get_or_try_init(start).await.map_err(|e| Error::fatal("start the server", e))?;
            let url = server.url().parse().map_err(|e| Error::fatal("parse the URL", e))?;
            Ok(BulkSink::new(Webhook { client: Client::new(), url }, BulkConfig::default()))
        }

        async fn read_back(&self) -> Vec<Found> {
            let values = self.target.values.lock().unwrap();
            values
                .iter()
                .map(|((partition, offset), value)| {
                    Found::new(*partition, *offset, Some(value.get().to_owned()))
                })
                .collect()
        }

        async fn fail_next(&self, n: usize, how: Fault) {
            self.target.faults.lock().unwrap().extend(std::iter::repeat_n(how, n));
        }
    }

    #[tokio::test]
    async fn the_webhook_passes_the_conformance_suite() {
        sink::run_all(Harness::default).await.assert_passed();
    }

    #[tokio::test]
    async fn faults_at_every_boundary_lose_nothing_of_the_webhooks() {
        let report = pipeline::run_some(Harness::default).await;
        println!("{report}");
        report.assert_passed();
    }
}
