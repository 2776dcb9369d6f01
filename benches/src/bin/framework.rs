//! The framework on the yardstick's job: Kafka to Elasticsearch with the defaults of `Pipeline::builder()`,
//! `KafkaConfig` and `EsConfig`, a metrics recorder installed, dead letters and tracking on.
//!
//! `framework --bootstrap HOST:PORT --topic NAME --group ID --records N --url http://…
//! [--count-allocations] [--in-flight 5]` ends when N records are delivered and committed, then prints its
//! figures.

use async_trait::async_trait;
use benches::{
    BoxError,
    args::Args,
    exit_code,
    figures::{Figures, SteadyState},
    native::Counting,
};
use connect_core::{
    DeadLetters, Error, Letter, Pipeline,
    kafka::{KafkaConfig, KafkaSource},
};
use connect_es::{Elasticsearch, EsConfig};
use metrics_exporter_prometheus::PrometheusBuilder;
use std::{cell::RefCell, process::ExitCode, time::Instant};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> ExitCode {
    exit_code(run())
}

fn run() -> Result<(), BoxError> {
    let args =
        Args::parse(&["bootstrap", "topic", "group", "records", "url", "in-flight"], &["count-allocations"])?;
    tokio::runtime::Runtime::new()?.block_on(deliver(&args))
}

#[expect(clippy::future_not_send, reason = "block_on runs it where it is")]
async fn deliver(args: &Args) -> Result<(), BoxError> {
    let records: u64 = args.required("records")?.parse()?;
    let _metrics = PrometheusBuilder::new().install_recorder()?;
    let kafka =
        KafkaConfig::new(args.required("bootstrap")?, args.required("group")?, [args.required("topic")?]);
    let mut es = EsConfig::new(vec![args.required("url")?.parse()?]);
    es.in_flight = args.value("in-flight", es.in_flight)?;
    let pipeline = Pipeline::builder("bench")
        .source(move |task| Ok(KafkaSource::new(kafka.clone(), task)))
        .sink(move |_| Elasticsearch::sink(&es))
        .dead_letters(|_| Ok(NoLetters))
        .build()?;
    let steady = RefCell::new(SteadyState::new(records, args.switch("count-allocations")));
    let mut started = None;
    let handle = pipeline.start();
    handle.wait_until(|status| status.counts().read > 0).await;
    started.get_or_insert_with(Instant::now);
    let reached = handle
        .wait_until(|status| {
            steady.borrow_mut().observe(status.counts().read);
            status.counts().delivered >= records || status.tasks.iter().any(|task| task.last_error.is_some())
        })
        .await;
    let wall = started.map_or_else(Default::default, |at: Instant| at.elapsed());
    let counts = handle.shutdown().await.counts();
    if counts.delivered != records || !counts.reconcile() {
        return Err(format!("not every record was delivered: {reached:?}, then {counts:?}").into());
    }
    let allocations = steady.borrow().per_record();
    Figures::take(counts.delivered, wall, allocations)?.print()
}

/// The dead letter queue of an input without poison: a letter would be a mistake of the benchmark.
struct NoLetters;

#[async_trait]
impl DeadLetters for NoLetters {
    async fn open(&self) -> Result<(), Error> {
        Ok(())
    }

    async fn write(&self, letters: &[Letter]) -> Vec<Result<(), Error>> {
        let refuse = |letter: &Letter| Err(Error::fatal("write a letter", format!("unexpected: {letter:?}")));
        letters.iter().map(refuse).collect()
    }
}
