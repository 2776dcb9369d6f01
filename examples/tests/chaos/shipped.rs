//! The programs and configurations that we ship, as they stand, against real servers: each earthquake arrives, once.

use crate::{cluster, search, tier::pick};
use examples::earthquakes;
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus},
    time::Duration,
};

const PATIENCE: Duration = Duration::from_secs(60);

/// A program that runs; killed when dropped.
struct Program {
    child: Child,
    log: PathBuf,
}

impl Program {
    /// Starts a program with its shipped configuration, in which `elsewhere` replaces addresses and paths, and nothing else.
    fn start(program: &str, file: &str, folder: &Path, elsewhere: &[(&str, &str)]) -> Self {
        let shipped = format!("{}/config/{file}.properties", env!("CARGO_MANIFEST_DIR"));
        let mut text = fs::read_to_string(shipped).expect("the shipped configuration");
        for (from, to) in elsewhere {
            assert!(text.contains(from), "{file}.properties does not name {from}");
            text = text.replace(from, to);
        }
        let (config, log) = (folder.join("shipped.properties"), folder.join("log"));
        fs::write(&config, text).expect("a copy of the configuration");
        let output = File::create(&log).expect("a log");
        let child = Command::new(program).arg(config).stderr(output).spawn().expect("the program starts");
        Self { child, log }
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).expect("the log")
    }

    /// Waits until the log says so; fails if the program ends before.
    fn says(&mut self, text: &str) {
        cluster::wait(text, PATIENCE, || {
            if let Some(status) = self.child.try_wait().expect("the child's state") {
                panic!("it ended by itself with {status}:\n{}", self.log());
            }
            let log = self.log();
            assert!(!log.contains(" ERROR "), "{log}");
            log.contains(text).then_some(()).ok_or(log)
        });
    }

    /// Ctrl-C, and what came of it.
    fn interrupt(&mut self) -> ExitStatus {
        let kill = format!("kill -INT {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().expect("sh runs").success());
        cluster::wait("end", PATIENCE, || {
            self.child.try_wait().expect("the child's state").ok_or_else(|| self.log())
        })
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has ended by itself unless the test failed.
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// The topic with all earthquakes, on a cluster where no group has read it.
fn fill(bootstrap: &str) -> usize {
    cluster::create_topic(bootstrap, earthquakes::TOPIC, earthquakes::PARTITIONS);
    let all = earthquakes::all();
    cluster::send(bootstrap, earthquakes::TOPIC, &all);
    assert_eq!(all.len(), 1_707);
    all.len()
}

#[test]
fn the_shipped_configurations_deliver_each_earthquake_once() {
    let _turn = cluster::turn();
    let bootstrap = cluster::bootstrap();
    let count = fill(&bootstrap);
    let read = format!("read={count} ");
    for round in 0..pick(1, 20) {
        let folder = tempfile::tempdir().expect("a directory");
        to_search(&bootstrap, folder.path(), &read, count);
        to_objects(&bootstrap, folder.path(), &read);
        println!("round {round}: {count} of {count}");
        for group in ["connect-earthquakes-to-search", "connect-earthquakes-to-objects"] {
            cluster::delete_group(&bootstrap, group);
        }
        search::ask("DELETE", &format!("/{}", earthquakes::TOPIC), "");
    }
    cluster::delete_topic(&bootstrap, earthquakes::TOPIC);
}

/// Into an index that does not exist: its mapping is made by the documents.
fn to_search(bootstrap: &str, folder: &Path, read: &str, count: usize) {
    let elsewhere = [("localhost:9092", bootstrap), ("http://localhost:9200", cluster::search().url())];
    let mut program = Program::start(env!("CARGO_BIN_EXE_kafka-to-es"), "kafka-to-es", folder, &elsewhere);
    program.says(read);
    let status = program.interrupt();
    assert_eq!(status.code(), Some(0), "{}", program.log());
    assert!(program.log().contains(&format!("stopped {read}delivered={count} ")), "{}", program.log());
    assert_eq!(search::count(earthquakes::TOPIC), count as u64, "{}", program.log());
}

/// Into a directory that does not exist.
fn to_objects(bootstrap: &str, folder: &Path, read: &str) {
    let objects = folder.join("objects");
    let store = objects.display().to_string();
    let elsewhere = [("localhost:9092", bootstrap), ("/tmp/kafka-to-cos", store.as_str())];
    let mut program = Program::start(env!("CARGO_BIN_EXE_kafka-to-cos"), "kafka-to-cos", folder, &elsewhere);
    program.says(read);
    assert_eq!(program.interrupt().code(), Some(0), "{}", program.log());
    let mut lines = Vec::new();
    collect(&objects, &mut lines);
    lines.sort_unstable();
    let mut sent: Vec<String> = earthquakes::all().into_iter().map(|(_, line)| line.to_owned()).collect();
    sent.sort_unstable();
    assert!(lines == sent, "{} of {} lines:\n{}", lines.len(), sent.len(), program.log());
}

/// The lines of all objects below `folder`.
fn collect(folder: &Path, lines: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            let text = fs::read_to_string(&path).expect("an object");
            lines.extend(text.lines().map(str::to_owned));
        } else if !path.ends_with(".connect") {
            collect(&path, lines);
        }
    }
}
