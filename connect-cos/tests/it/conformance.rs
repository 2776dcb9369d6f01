//! The suite that every sink runs, on a directory and on an S3 server.

use crate::{
    server::{BUCKET, KEY, SECRET, Server},
    task,
};
use async_trait::async_trait;
use connect_core::{
    Error,
    config::Secret,
    testing::conformance::{
        pipeline,
        sink::{Capabilities, EmptyValues, Fault, Found, SinkHarness, Tombstones, run_all},
    },
};
use connect_cos::{CosConfig, CosSink};
use std::{path::Path, sync::atomic::Ordering, time::Duration};

fn config(url: String) -> CosConfig {
    CosConfig {
        max_age: Duration::from_millis(200),
        backoff: Duration::from_millis(5),
        ..CosConfig::new(url)
    }
}

fn sink(config: CosConfig) -> Result<CosSink, Error> {
    CosSink::new(config, &task())
}

fn capabilities() -> Capabilities {
    Capabilities {
        idempotent_by_offset: true,
        tombstones: Tombstones::Rejected,
        empty_values: EmptyValues::Rejected,
        ..Capabilities::default()
    }
}

/// The records of all objects below `dir`, in order of name.
fn records(dir: &Path) -> Vec<Found> {
    let mut names = Vec::new();
    walk(dir, &mut names);
    names.sort();
    let lines = |name| std::fs::read(name).unwrap();
    let all: Vec<Vec<u8>> = names.iter().map(lines).collect();
    all.iter()
        .flat_map(|bytes| bytes.split(|byte| *byte == b'\n'))
        .filter(|line| !line.is_empty())
        .map(|line| Found::from_value(line).unwrap_or_else(|| Found::new(0, 0, Some(line.to_vec()))))
        .collect()
}

fn walk(dir: &Path, names: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = entry_name(&path);
        // Proofs, and what a start-up check leaves that was ended in the middle: no records.
        if name.starts_with('.') || name.starts_with("_connect-probe-") {
            continue;
        }
        if path.is_dir() { walk(&path, names) } else { names.push(path) }
    }
}

fn entry_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

struct Directory(tempfile::TempDir);

#[async_trait]
impl SinkHarness for Directory {
    type Sink = CosSink;

    fn capabilities(&self) -> Capabilities {
        capabilities()
    }

    async fn build(&self) -> Result<CosSink, Error> {
        sink(config(format!("file://{}", self.0.path().display())))
    }

    async fn read_back(&self) -> Vec<Found> {
        records(self.0.path())
    }
}

struct Bucket(Server);

impl Bucket {
    fn config(&self) -> CosConfig {
        CosConfig {
            endpoint: Some(self.0.url.clone()),
            access_key: Some(Secret::from(KEY)),
            secret_key: Some(Secret::from(SECRET)),
            ..config(format!("s3://{BUCKET}/root"))
        }
    }
}

#[async_trait]
impl SinkHarness for Bucket {
    type Sink = CosSink;

    fn capabilities(&self) -> Capabilities {
        Capabilities { faults: true, ..capabilities() }
    }

    async fn build(&self) -> Result<CosSink, Error> {
        sink(self.config())
    }

    async fn read_back(&self) -> Vec<Found> {
        let root = self.0.dir().join("root");
        if root.exists() { records(&root) } else { Vec::new() }
    }

    async fn fail_next(&self, n: usize, how: Fault) {
        match how {
            Fault::AnswerLost => self.0.faults.lose_answers.store(n, Ordering::SeqCst),
            _ => self.0.faults.busy.store(n, Ordering::SeqCst),
        }
    }

    fn secrets(&self) -> Vec<String> {
        vec![SECRET.to_owned()]
    }

    fn exposed(&self) -> Vec<String> {
        vec![format!("{:?}", self.config()), format!("{:?}", sink(self.config()))]
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sink_conforms_on_a_directory() {
    run_all(|| Directory(tempfile::tempdir().unwrap())).await.assert_passed();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sink_conforms_on_an_s3_server() {
    run_all(|| Bucket(Server::start(true))).await.assert_passed();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_at_every_boundary_lose_and_repeat_nothing_in_a_directory() {
    let report = pipeline::run_some(|| Directory(tempfile::tempdir().unwrap())).await;
    println!("{report}");
    report.assert_passed();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_at_every_boundary_lose_and_repeat_nothing_on_an_s3_server() {
    let report = pipeline::run_some(|| Bucket(Server::start(true))).await;
    println!("{report}");
    report.assert_passed();
}
