//! A pipeline inside somebody's axum service: `/healthz` for an orchestrator, `/metrics` for Prometheus, and a graceful
//! stop of both.
//!
//! ```text
//! cargo run --bin embed -- localhost:9092 earthquakes http://localhost:9200
//! curl -i localhost:8080/healthz
//! curl localhost:8080/metrics
//! ```
//!
//! `PORT` names another port.

use axum::{Router, extract::State, http::StatusCode, routing::get};
use connect_core::{
    BoxError, Handle, Pipeline, TaskState,
    kafka::{KafkaConfig, KafkaSource},
};
use connect_es::{Elasticsearch, EsConfig};
use connect_transforms::Flatten;
use examples::stop;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::{env, sync::Arc, time::Duration};
use tokio::net::TcpListener;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [brokers, topic, elasticsearch] = &arguments[..] else {
        return Err("usage: embed <bootstrap servers> <topic> <elasticsearch url>".into());
    };
    // Before the pipeline: it registers its metrics when it starts.
    let metrics = PrometheusBuilder::new().install_recorder()?;

    let kafka = KafkaConfig::new(brokers, "embed", [topic]);
    let search = EsConfig::new(vec![elasticsearch.parse()?]);
    let pipeline = Pipeline::builder("embed")
        .source(move |task| Ok(KafkaSource::new(kafka.clone(), task)))
        .transform(Flatten::value())
        .sink(move |task| Elasticsearch::sink_for(&search, task))
        .build()?;
    let handle = Arc::new(pipeline.start());

    let scraped = metrics.clone();
    let app = Router::new()
        .route("/healthz", get(health))
        .with_state(Arc::clone(&handle))
        .route("/metrics", get(move || async move { scraped.render() }));
    let port = env::var("PORT").map_or(Ok(8080), |port| port.parse())?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let served = axum::serve(listener, app).with_graceful_shutdown(async { drop(stop::requested().await) });
    tokio::select! {
        ended = async { served.await } => ended?,
        () = keep_small(&metrics) => {}
    }

    let status = handle.stop().await;
    let counts = status.counts();
    println!("stopped: read {}, delivered {}, abandoned {}", counts.read, counts.delivered, counts.abandoned);
    match status.tasks.iter().find_map(|task| task.last_error.clone()) {
        Some(error) if status.state() == TaskState::Failed => Err(error.into()),
        _ => Ok(()),
    }
}

/// The exporter's histograms grow until somebody scrapes them, or does this.
async fn keep_small(metrics: &PrometheusHandle) {
    loop {
        tokio::time::sleep(Duration::from_secs(5)).await;
        metrics.run_upkeep();
    }
}

/// Healthy while it runs, starts, pauses or tries again; what it retries is in the text. Only a person can help a
/// failed pipeline: then an orchestrator should know.
async fn health(State(pipeline): State<Arc<Handle>>) -> (StatusCode, String) {
    let status = pipeline.status();
    let (state, counts) = (status.state(), status.counts());
    let trouble = status.tasks.iter().find_map(|task| {
        let retrying = task.retrying.as_ref().map(|(since, why)| format!("retrying for {since:?}: {why}"));
        retrying.or_else(|| task.last_error.clone())
    });
    let code = if state == TaskState::Failed { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let (read, delivered, trouble) = (counts.read, counts.delivered, trouble.unwrap_or_default());
    (code, format!("{state:?} read={read} delivered={delivered} lag={:?} {trouble}\n", status.lag()))
}
