//! A program that runs one pipeline from Kafka as one configuration file says: what `kafka-to-es` and `kafka-to-cos`
//! have in common.

use crate::{stop, usage};
use connect_core::{
    BoxError, Counts, Handle, Pipeline, Status, TaskState,
    config::{Providers, Settings},
    connector::{Plugins, SinkPlugin},
    registry::{DuplicateName, Registry},
};
use connect_transforms::converters::ConvertersRegistry;
use std::{
    io::{self, Write},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};
use tracing::info;
use tracing_subscriber::EnvFilter;

/// Something failed at run time, or was not done at the stop's deadline.
const FAILED: u8 = 1;
/// The configuration cannot be used.
const MISCONFIGURED: u8 = 2;

/// Runs the pipeline of the file that the first argument names until Ctrl-C, SIGTERM or a failure. `add_sink` adds the
/// program's sink, which `class` is a name of: it is meant where the file names none by `connector.class`.
///
/// The exit code is 0 if it was stopped and everything read is delivered and committed, 1 if not or if a task could not
/// start until then, and 2 if the configuration cannot be used. Standard error says why, or all that is wrong with the
/// configuration.
///
/// # Cancel safety
/// Dropping it stops the pipeline.
pub async fn run(
    class: &str,
    add_sink: fn(&mut Registry<SinkPlugin>) -> Result<(), DuplicateName>,
) -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();
    if std::env::args().nth(1).is_some_and(|argument| matches!(argument.as_str(), "-h" | "--help")) {
        return help(class, add_sink);
    }
    let pipeline = match load(class, add_sink) {
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

fn help(class: &str, add_sink: fn(&mut Registry<SinkPlugin>) -> Result<(), DuplicateName>) -> ExitCode {
    match plugins(add_sink) {
        Ok(plugins) => {
            // Whoever closes the pipe has read enough.
            let _closed = writeln!(io::stdout(), "{}", usage::text(&plugins, class));
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::from(MISCONFIGURED)
        }
    }
}

fn load(
    class: &str,
    add_sink: fn(&mut Registry<SinkPlugin>) -> Result<(), DuplicateName>,
) -> Result<Pipeline, String> {
    let file =
        std::env::args().nth(1).ok_or("give the configuration file as the first argument, or --help")?;
    let mut settings = Settings::from_file(file, &Providers::system()).map_err(|e| e.to_string())?;
    if settings.keys().all(|key| key != "connector.class") {
        settings.set("connector.class", class);
    }
    let plugins = plugins(add_sink).map_err(|e| e.to_string())?;
    let connector = plugins.read(&settings).map_err(|e| e.to_string())?;
    connector.pipeline().map_err(|e| e.report())
}

/// Kafka, one sink, and all transforms and converters.
fn plugins(
    add_sink: fn(&mut Registry<SinkPlugin>) -> Result<(), DuplicateName>,
) -> Result<Plugins, BoxError> {
    let mut plugins = Plugins::new();
    add_sink(&mut plugins.sinks)?;
    connect_transforms::register(&mut plugins.transforms)?;
    connect_transforms::register_predicates(&mut plugins.predicates)?;
    plugins.first(|reader| {
        let converters = ConvertersRegistry::new().read(reader)?;
        Some(Arc::new(move || converters.first()))
    });
    Ok(plugins)
}

/// Until it is stopped or fails. A second Ctrl-C does not wait for the rest.
async fn drive(handle: Handle) -> Result<(), String> {
    info!("running; Ctrl-C drains and stops");
    tokio::select! {
        ended = handle.wait() => return at_its_end(&ended),
        () = log_progress(&handle) => {}
        stop = stop::requested() => stop.map_err(|e| e.to_string())?,
    }
    info!("stopping: what was read is delivered and committed");
    // Rebalances hand records back too; what counts is what the stop itself leaves behind.
    let before = handle.status();
    let status = tokio::select! {
        status = handle.stop() => status,
        _ = stop::requested() => return Err("stopped at once; what was not committed is read again".to_owned()),
    };
    let counts = status.counts();
    log_fates("stopped", &counts);
    match counts.abandoned - before.counts().abandoned {
        _ if status.state() == TaskState::Failed => Err(last_error(&status)),
        0 => not_started(&before, &status)
            .map_or(Ok(()), |why| Err(format!("stopped before it could start: {why}"))),
        left => {
            let retrying = before.tasks.iter().find_map(|task| task.retrying.as_ref());
            let why = retrying.map_or_else(String::new, |(_, why)| format!(" ({why})"));
            Err(format!(
                "{left} records were not delivered in time{why}; they are read again after the next start"
            ))
        }
    }
}

/// Returns the reason why a task did not run when the stop came.
fn not_started<'a>(before: &Status, stopped: &'a Status) -> Option<&'a str> {
    let starts = |state| matches!(state, TaskState::Starting | TaskState::Restarting);
    let tasks = before.tasks.iter().zip(&stopped.tasks);
    tasks.filter(|(before, _)| starts(before.state)).find_map(|(_, task)| task.last_error.as_deref())
}

/// The source has no more, or something has failed.
fn at_its_end(status: &Status) -> Result<(), String> {
    log_fates("ended", &status.counts());
    if status.tasks.iter().any(|task| task.state == TaskState::Failed) {
        return Err(last_error(status));
    }
    Ok(())
}

/// What became of all that was read.
fn log_fates(what: &str, counts: &Counts) {
    let Counts { read, delivered, filtered, dead_lettered, skipped, abandoned, in_flight, lost, .. } =
        *counts;
    info!(read, delivered, filtered, dead_lettered, skipped, abandoned, in_flight, lost, "{what}");
}

async fn log_progress(handle: &Handle) {
    loop {
        tokio::time::sleep(Duration::from_secs(10)).await;
        let status = handle.status();
        info!(state = ?status.state(), lag = status.lag(), "progress");
        log_fates("so far", &status.counts());
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
