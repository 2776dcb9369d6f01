//! Sends the records at a pace that one can follow, and shows how far the pipelines are.

use crate::{earthquakes, mock_kafka::MockKafka};
use connect_core::{BoxError, Handle, Status, TaskState};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::time::Duration;
use tokio::time::{Instant, interval, timeout};

/// About 5 s for all of them.
const RECORDS_PER_TICK: usize = 35;
const TICK: Duration = Duration::from_millis(100);
/// Longer than it can take.
const PATIENCE: Duration = Duration::from_secs(50);

/// Waits until both pipelines have their partitions, sends all earthquakes, and returns when both pipelines have delivered them.
///
/// # Errors
/// If a pipeline fails, if it takes too long, and what the producer says.
///
/// # Cancel safety
/// May be dropped; some records are not sent then.
pub async fn send_and_watch(kafka: &MockKafka, pipelines: [&Handle; 2]) -> Result<(), BoxError> {
    let work = async {
        println!("Joining the groups, then sending {} records ...", earthquakes::all().len());
        for pipeline in pipelines {
            pipeline.wait_until(|status| has_all_partitions(status) || failed(status).is_err()).await;
        }
        let screen = Screen::new(pipelines);
        let ((), ()) = tokio::try_join!(send(kafka), screen.watch())?;
        Ok(())
    };
    timeout(PATIENCE, work).await.unwrap_or_else(|_| Err(format!("not done after {PATIENCE:?}").into()))
}

async fn send(kafka: &MockKafka) -> Result<(), BoxError> {
    let mut ticks = interval(TICK);
    for records in earthquakes::all().chunks(RECORDS_PER_TICK) {
        ticks.tick().await;
        for (partition, record) in records {
            kafka.send(earthquakes::TOPIC, *partition, record)?;
        }
    }
    Ok(())
}

/// A bar for each pipeline, or a line a second where nobody watches.
struct Screen<'h> {
    bars: MultiProgress,
    lines: Vec<(&'h Handle, ProgressBar)>,
}

impl<'h> Screen<'h> {
    fn new(pipelines: [&'h Handle; 2]) -> Self {
        let style = ProgressStyle::with_template("{prefix:8} {bar:40} {pos:>5}/{len} {msg}")
            .expect("the template is well formed");
        let bars = MultiProgress::new();
        let add = |handle: &'h Handle| {
            let bar = ProgressBar::new(earthquakes::all().len() as u64).with_style(style.clone());
            (handle, bars.add(bar.with_prefix(handle.status().name.to_string())))
        };
        let lines = pipelines.map(add).into();
        Self { lines, bars }
    }

    /// Until everything is delivered.
    async fn watch(&self) -> Result<(), BoxError> {
        let (mut ticks, mut printed, start) = (interval(TICK), Instant::now(), Instant::now());
        loop {
            ticks.tick().await;
            let plain = self.bars.is_hidden() && printed.elapsed() >= Duration::from_secs(1);
            let mut done = true;
            for (handle, bar) in &self.lines {
                let status = handle.status();
                let delivered = status.counts().delivered;
                let rate = delivered as f64 / start.elapsed().as_secs_f64().max(0.1);
                let lag = status.lag().map_or_else(|| "unknown".to_owned(), |lag| lag.to_string());
                bar.set_message(format!("{rate:.0} records/s, lag {lag}"));
                bar.set_position(delivered);
                if plain {
                    println!("{}: {delivered}/{} {}", status.name, bar.length().unwrap_or(0), bar.message());
                }
                failed(&status)?;
                done &= delivered >= bar.length().unwrap_or(0);
            }
            if plain {
                printed = Instant::now();
            }
            if done {
                self.lines.iter().for_each(|(_, bar)| bar.abandon());
                return Ok(());
            }
        }
    }
}

fn has_all_partitions(status: &Status) -> bool {
    let partitions = usize::try_from(earthquakes::PARTITIONS).unwrap_or(0);
    status.tasks.iter().map(|task| task.partitions.len()).sum::<usize>() == partitions
}

fn failed(status: &Status) -> Result<(), BoxError> {
    let error = status.tasks.iter().find_map(|task| task.last_error.clone());
    match status.state() {
        TaskState::Failed => Err(format!("{}: {}", status.name, error.unwrap_or_default()).into()),
        _ => Ok(()),
    }
}
