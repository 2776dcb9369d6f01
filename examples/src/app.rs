//! A program that runs one pipeline from Kafka as one configuration file says: what `kafka-to-es` and `kafka-to-cos`
//! have in common.

mod config;

pub use config::PipelineConfig;

use crate::stop;
use connect_core::{
    Handle, Pipeline, PipelineBuilder, Status, TaskState,
    config::{Config, Providers, Settings},
    kafka::KafkaSource,
};
use std::{io, process::ExitCode, time::Duration};
use tracing::info;
use tracing_subscriber::EnvFilter;

/// Something failed at run time, or was not done at the stop's deadline.
const FAILED: u8 = 1;
/// The configuration cannot be used.
const MISCONFIGURED: u8 = 2;

/// Runs the pipeline of the file that the first argument names until Ctrl-C, SIGTERM or a failure. `add_sink` adds the
/// sink that the keys of `C` describe; they stand beside the pipeline's own in the same file.
///
/// The exit code is 0 if it was stopped and everything read is delivered and committed, 1 if not, and 2 if the
/// configuration cannot be used; then standard error lists all that is wrong with it.
///
/// # Cancel safety
/// Dropping it stops the pipeline.
pub async fn run<C: Config>(add_sink: impl FnOnce(C, PipelineBuilder) -> PipelineBuilder + Send) -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();
    let pipeline = match load(add_sink) {
        Ok(pipeline) => pipeline,
        Err(problems) => {
            eprintln!("{problems}");
            return ExitCode::from(MISCONFIGURED);
        }
    };
    match drive(pipeline.start()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::from(FAILED)
        }
    }
}

fn load<C: Config>(add_sink: impl FnOnce(C, PipelineBuilder) -> PipelineBuilder) -> Result<Pipeline, String> {
    let file = std::env::args().nth(1).ok_or("give the configuration file as the first argument")?;
    let settings = Settings::from_file(file, &Providers::system()).map_err(|e| e.to_string())?;
    let config::File { pipeline, sink, converters, transforms } =
        config::read::<C>(&settings).map_err(|e| e.to_string())?;
    let kafka = pipeline.kafka();
    let mut builder = Pipeline::builder(&pipeline.name)
        .tasks_max(pipeline.tasks_max)
        .poison(pipeline.poison())
        .options(|options| options.commit_interval = pipeline.commit_interval)
        .source(move |task| Ok(KafkaSource::new(kafka.clone(), task)));
    for convert in converters.first().map_err(|e| e.report())? {
        builder = builder.transform(convert);
    }
    for make in transforms {
        builder = builder.transform(make().map_err(|e| e.report())?);
    }
    add_sink(sink, builder).build().map_err(|e| e.report())
}

/// Until it is stopped or fails. A second Ctrl-C does not wait for the rest.
async fn drive(handle: Handle) -> Result<(), String> {
    info!("running; Ctrl-C drains and stops");
    tokio::select! {
        failed = handle.wait() => return Err(last_error(&failed)),
        () = log_progress(&handle) => {}
        stop = stop::requested() => stop.map_err(|e| e.to_string())?,
    }
    info!("stopping: what was read is delivered and committed");
    // Rebalances hand records back too; what counts is what the stop itself leaves behind.
    let before = handle.status().counts().abandoned;
    let status = tokio::select! {
        status = handle.stop() => status,
        _ = stop::requested() => return Err("stopped at once; what was not committed is read again".to_owned()),
    };
    let counts = status.counts();
    let abandoned = counts.abandoned - before;
    info!(read = counts.read, delivered = counts.delivered, abandoned, "stopped");
    match abandoned {
        _ if status.state() == TaskState::Failed => Err(last_error(&status)),
        0 => Ok(()),
        left => Err(format!(
            "{left} records were not delivered in time; they are read again after the next start"
        )),
    }
}

async fn log_progress(handle: &Handle) {
    loop {
        tokio::time::sleep(Duration::from_secs(10)).await;
        let status = handle.status();
        let (counts, state) = (status.counts(), status.state());
        info!(?state, read = counts.read, delivered = counts.delivered, lag = status.lag(), "progress");
        for (waiting, why) in status.tasks.iter().filter_map(|task| task.retrying.as_ref()) {
            info!(?waiting, why, "retrying");
        }
    }
}

fn last_error(status: &Status) -> String {
    status
        .tasks
        .iter()
        .find_map(|task| task.last_error.clone())
        .unwrap_or_else(|| "all tasks have ended".to_owned())
}
