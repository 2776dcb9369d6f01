//! The framework on the yardstick's job: Kafka to Elasticsearch with the defaults of `Pipeline::builder()`,
//! `KafkaConfig` and `EsConfig`, a metrics recorder installed, dead letters and tracking on.
//!
//! `framework --bootstrap HOST:PORT --topic NAME --group ID --records N --url http://…
//! [--count-allocations] [--in-flight 5] [--batch-size 2000]` ends when N records are delivered and committed, then prints its
//! figures.

use benches::{
    BoxError,
    args::Args,
    exit_code,
    figures::{Figures, SteadyState},
    native::Counting,
};
use connect_core::{
    Pipeline,
    kafka::{KafkaConfig, KafkaDeadLetters, KafkaDeadLettersConfig, KafkaSource},
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
    let args = Args::parse(
        &["bootstrap", "topic", "group", "records", "url", "in-flight", "batch-size"],
        &["count-allocations"],
    )?;
    // As many as the yardstick has: one thread reads, one sends.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(deliver(&args))
}

#[expect(clippy::future_not_send, reason = "block_on runs it where it is")]
async fn deliver(args: &Args) -> Result<(), BoxError> {
    let records: u64 = args.required("records")?.parse()?;
    let _metrics = PrometheusBuilder::new().install_recorder()?;
    let kafka =
        KafkaConfig::new(args.required("bootstrap")?, args.required("group")?, [args.required("topic")?]);
    let letters = KafkaDeadLettersConfig::new(args.required("bootstrap")?, "bench-letters").create(1, 1);
    let mut es = EsConfig::new(vec![args.required("url")?.parse()?]);
    es.in_flight = args.value("in-flight", es.in_flight)?;
    es.batch_records = args.value("batch-size", es.batch_records)?;
    let pipeline = Pipeline::builder("bench")
        .source(move |task| Ok(KafkaSource::new(kafka.clone(), task)))
        .sink(move |_| Elasticsearch::sink(&es))
        .dead_letters(move |_| KafkaDeadLetters::new(letters.clone()))
        .build()?;
    let steady = RefCell::new(SteadyState::new(records, args.switch("count-allocations")));
    let handle = pipeline.start();
    handle.wait_until(|status| status.counts().read > 0).await;
    let started = Instant::now();
    let reached = handle
        .wait_until(|status| {
            steady.borrow_mut().observe(status.counts().read);
            status.counts().delivered >= records || status.tasks.iter().any(|task| task.last_error.is_some())
        })
        .await;
    let wall = started.elapsed();
    let counts = handle.shutdown().await.counts();
    if counts.delivered != records || !counts.reconcile() {
        return Err(format!("not every record was delivered: {reached:?}, then {counts:?}").into());
    }
    let allocations = steady.borrow().per_record();
    Figures::take(counts.delivered, wall, allocations)?.print()
}
