//! The framework against the hand-written loop, one command:
//!
//! `cargo run --release -p benches --bin throughput -- [--pairs 7] [--records 2000000]
//! [--bootstrap HOST:PORT] [--without-framework]`
//!
//! It starts a real broker (or uses the one named), loads the topic, starts the null bulk server, and runs
//! the contenders in turn as child processes, each in a new group from the start of the topic: the
//! framework, the yardstick, the yardstick once more (A/A) and the yardstick's reading alone. What arrived
//! is counted at the server. Before that, one untimed run of each proves by ids that every record arrives,
//! and one counts allocations.

mod children;
mod table;

use benches::{BoxError, args::Args, exit_code};
use children::{Bench, Contender, Server};
use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};
use table::Results;

fn main() -> ExitCode {
    exit_code(run())
}

fn run() -> Result<(), BoxError> {
    let args = Args::parse(&["pairs", "records", "bootstrap"], &["without-framework"])?;
    let pairs: usize = args.value("pairs", 7)?;
    let records: u64 = args.value("records", 2_000_000)?;
    build()?;
    let broker = if args.text("bootstrap").is_none() { Some(services::Kafka::start()?) } else { None };
    let bootstrap = match (&broker, args.text("bootstrap")) {
        (Some(broker), _) => broker.bootstrap().to_owned(),
        (None, named) => named.unwrap_or_default().to_owned(),
    };
    let bench = Bench { programs: programs()?, bootstrap, topic: format!("bench-logs-{records}"), records };
    bench.load()?;
    let mut contenders =
        vec![Contender::Yardstick, Contender::Framework, Contender::Again, Contender::ReadOnly];
    if args.switch("without-framework") {
        contenders.retain(|contender| *contender != Contender::Framework);
    }
    verify(&bench, &contenders)?;
    let mut results = Results::new(records);
    let server = Server::start(&bench, false)?;
    for contender in contenders.iter().filter(|contender| **contender != Contender::Again) {
        results.add_allocations(*contender, &bench.run(*contender, &server, true)?);
    }
    for pair in 0..pairs {
        for place in 0..contenders.len() {
            // Each contender starts a round equally often.
            let contender = contenders[(place + pair) % contenders.len()];
            let run = bench.run(contender, &server, false)?;
            println!("{:>3}  {contender:<24} {run}", pair + 1);
            results.add(contender, run);
        }
    }
    results.print();
    Ok(())
}

/// One run of each sink against a server that remembers ids: every record, each once.
fn verify(bench: &Bench, contenders: &[Contender]) -> Result<(), BoxError> {
    let server = Server::start(bench, true)?;
    for contender in [Contender::Yardstick, Contender::Framework] {
        if contenders.contains(&contender) {
            bench.run(contender, &server, false)?;
            println!("{contender}: {} records arrived, each once by id", bench.records);
        }
    }
    Ok(())
}

/// Builds the sibling binaries when cargo runs this one: `cargo run --bin` builds only what it names.
fn build() -> Result<(), BoxError> {
    let Some(cargo) = std::env::var_os("CARGO") else { return Ok(()) };
    let status = Command::new(cargo).args(["build", "--release", "-p", "benches", "--bins"]).status()?;
    if status.success() { Ok(()) } else { Err("the binaries of the benches do not build".into()) }
}

/// The directory of the sibling binaries.
fn programs() -> Result<PathBuf, BoxError> {
    let own = std::env::current_exe()?;
    if cfg!(debug_assertions) {
        return Err("a debug build measures nothing, use cargo run --release".into());
    }
    Ok(own.parent().unwrap_or(Path::new(".")).to_owned())
}
