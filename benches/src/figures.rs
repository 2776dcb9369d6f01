//! What one run of one contender cost, printed by the child and read by the driver.

use crate::{BoxError, native};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The figures of one process; its last line on stdout, as JSON.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Figures {
    /// Records read, or read and acknowledged.
    pub records: u64,
    /// User and system time of the whole process from its start, in seconds.
    pub cpu_seconds: f64,
    /// From the first record read to the last one acknowledged, in seconds, by the child's own clock.
    pub wall_seconds: f64,
    /// The highest resident set of the process (`VmHWM`), in bytes.
    pub peak_rss: u64,
    /// Allocations through Rust's global allocator per record in steady state; only when counted.
    pub allocations_per_record: Option<f64>,
}

impl Figures {
    /// Reads the process's own counters now.
    ///
    /// # Errors
    ///
    /// `/proc/self/status` cannot be read: Linux only.
    pub fn take(records: u64, wall: Duration, allocations_per_record: Option<f64>) -> Result<Self, BoxError> {
        Ok(Self {
            records,
            cpu_seconds: native::cpu_time().as_secs_f64(),
            wall_seconds: wall.as_secs_f64(),
            peak_rss: peak_rss()?,
            allocations_per_record,
        })
    }

    /// Prints the line that [`Figures::parse`] reads.
    ///
    /// # Errors
    ///
    /// A figure is not a number.
    pub fn print(&self) -> Result<(), BoxError> {
        println!("{}", serde_json::to_string(self)?);
        Ok(())
    }

    /// Reads the last line of a child's output.
    ///
    /// # Errors
    ///
    /// The output does not end with a line of figures.
    pub fn parse(output: &str) -> Result<Self, BoxError> {
        let line = output.lines().last().ok_or("the child printed nothing")?;
        serde_json::from_str(line).map_err(|error| format!("no figures in {line:?}: {error}").into())
    }

    /// CPU-seconds per million records, the first column.
    pub fn cpu_per_million(&self) -> f64 {
        self.cpu_seconds * 1e6 / self.records as f64
    }
}

fn peak_rss() -> Result<u64, BoxError> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM in /proc")?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kilobytes * 1024)
}

/// Counts allocations between two points of a run, so that start-up and tear-down stay out.
#[derive(Debug)]
pub struct SteadyState {
    enabled: bool,
    from: u64,
    until: u64,
    started_at: Option<u64>,
    result: Option<f64>,
}

impl SteadyState {
    /// Counts from one quarter of `records` to 19 twentieths of them, if `enabled`.
    pub fn new(records: u64, enabled: bool) -> Self {
        Self { enabled, from: records / 4, until: records / 20 * 19, started_at: None, result: None }
    }

    /// To be called now and then with the number of records done.
    pub fn observe(&mut self, done: u64) {
        if !self.enabled || self.result.is_some() {
            return;
        }
        match self.started_at {
            None if done >= self.from => {
                native::count_allocations();
                self.started_at = Some(done);
            }
            Some(start) if done >= self.until && done > start => {
                self.result = Some(native::allocations() as f64 / (done - start) as f64);
            }
            _ => {}
        }
    }

    /// Allocations per record, once the window has been passed.
    pub fn per_record(&self) -> Option<f64> {
        self.result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_of_a_child_is_its_figures() {
        let figures = Figures::take(2_000_000, Duration::from_secs(2), Some(0.01)).unwrap();
        let output = format!("noise\n{}\n", serde_json::to_string(&figures).unwrap());
        let parsed = Figures::parse(&output).unwrap();
        assert_eq!(parsed.records, 2_000_000);
        assert!(parsed.peak_rss > 0 && parsed.cpu_seconds >= 0.0);
        assert!(Figures::parse("noise").is_err());
    }
}
