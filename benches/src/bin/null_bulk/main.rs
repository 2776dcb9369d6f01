//! The zero-cost bulk server: `null_bulk [--port 0] [--verify-ids]`.
//!
//! It answers `_bulk` like Elasticsearch does, one 201 per document, and stores nothing. Documents are
//! counted by their line feeds; with `--verify-ids` each `_id` of the form `topic+partition+offset` is
//! remembered too, so that a run can prove that each record arrived. Its first line on stdout is its URL.
//! It ends when its stdin does, so that it never outlives the benchmark.
//!
//! - `GET /`: an Elasticsearch-like banner
//! - `POST [/{index}]/_bulk`: the answer; only `index` and `create` actions, which have two lines each
//! - `GET /stats`: what arrived, as JSON; `POST /reset`: all of it to zero

mod answer;
mod connection;
mod stats;

use benches::{BoxError, args::Args, exit_code};
use connection::Connection;
use stats::Stats;
use std::{
    io::{Read, Write},
    net::TcpListener,
    process::ExitCode,
    sync::Arc,
    thread,
};

fn main() -> ExitCode {
    exit_code(run())
}

fn run() -> Result<(), BoxError> {
    let args = Args::parse(&["port"], &["verify-ids"])?;
    let listener = TcpListener::bind(("127.0.0.1", args.value("port", 0_u16)?))?;
    println!("http://{}", listener.local_addr()?);
    std::io::stdout().flush()?;
    let stats = Arc::new(Stats::new(args.switch("verify-ids")));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let stats = Arc::clone(&stats);
            thread::spawn(move || {
                // A client that goes away ends its own connection, nothing else.
                if let Err(error) = Connection::new(stream, &stats).and_then(|mut peer| peer.serve()) {
                    eprintln!("null_bulk: {error}");
                }
            });
        }
    });
    // Nothing is ever written to stdin: end of file means that the parent is gone.
    let mut byte = [0];
    while std::io::stdin().read(&mut byte)? > 0 {}
    Ok(())
}
