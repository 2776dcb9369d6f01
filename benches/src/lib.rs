//! Benchmarks: the framework against the loop a good engineer would write by hand.
//!
//! `throughput` is the one command; it starts a real broker, runs `load`, `null_bulk`, `yardstick` and
//! `framework` as child processes, and prints the table that `benches/README.md` records.
//! Nothing here is published and nothing here uses connect-core but the `framework` binary and the
//! criterion benches.

pub mod args;
pub mod figures;
pub mod logs;
pub mod native;
pub mod samples;

use std::{error::Error, process::ExitCode};

/// Any error of a benchmark: it ends the run and is printed.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Runs a binary's body and prints its error with all its causes, one line, on stderr.
pub fn exit_code(result: Result<(), BoxError>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    let mut line = format!("error: {error}");
    let mut cause = error.source();
    while let Some(inner) = cause {
        line = format!("{line}: {inner}");
        cause = inner.source();
    }
    eprintln!("{line}");
    ExitCode::FAILURE
}
