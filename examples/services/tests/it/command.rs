use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use services::Pid;

#[test]
fn the_command_starts_servers_that_stay_and_stops_exactly_those() {
    let guard = StopAll(std::env::temp_dir().join(format!("connect-services-run-{}", std::process::id())));
    let dir = guard.0.as_path();
    let (kafka, search) = (free_port(), free_port());
    let start = ["start", "--kafka-port", &kafka, "--es-port", &search];

    let started = services(dir, &start);
    assert!(started.status.success(), "{started:?}");
    let said = text(&started);
    assert!(said.contains(&format!("kafka: 127.0.0.1:{kafka} ")), "{said}");
    assert!(said.contains(&format!("elasticsearch: http://127.0.0.1:{search} ")), "{said}");
    let brokers = ["kafka", "elasticsearch"].map(|name| {
        let file = fs::read_to_string(dir.join(format!("{name}.pid"))).unwrap();
        Pid::of_server(file.lines().next().unwrap().parse().unwrap(), &dir.join(name))
    });
    assert!(brokers.iter().all(Pid::is_alive));

    assert!(services(dir, &["status"]).status.success());
    let again = services(dir, &start);
    assert!(text(&again).matches("already running").count() == 2, "{again:?}");

    let stopped = services(dir, &["stop", "--only", "kafka"]);
    assert!(stopped.status.success(), "{stopped:?}");
    assert!(!brokers[0].is_alive() && brokers[1].is_alive());
    assert!(dir.join("kafka/data").exists(), "data stays without --wipe");
    assert_eq!(services(dir, &["status"]).status.code(), Some(1));

    assert!(services(dir, &["stop", "--wipe"]).status.success());
    assert!(!brokers[1].is_alive());
    assert!(!dir.join("kafka").exists() && !dir.join("elasticsearch").exists());
}

#[test]
fn the_command_starts_minio_and_stops_it() {
    let guard = StopAll(std::env::temp_dir().join(format!("connect-services-minio-{}", std::process::id())));
    let (dir, port) = (guard.0.as_path(), free_port());
    let started = services(dir, &["start", "--only", "minio", "--minio-port", &port]);
    assert!(text(&started).contains(&format!("minio: http://127.0.0.1:{port} (pid ")), "{started:?}");
    assert!(services(dir, &["status", "--only", "minio"]).status.success());
    assert!(services(dir, &["stop"]).status.success());
    assert_eq!(services(dir, &["status", "--only", "minio"]).status.code(), Some(1));
}

#[test]
fn a_pid_file_that_names_a_foreign_process_is_not_believed() {
    let guard =
        StopAll(std::env::temp_dir().join(format!("connect-services-foreign-{}", std::process::id())));
    let dir = guard.0.as_path();
    fs::create_dir_all(dir).unwrap();
    let mut foreign = Command::new("sleep").arg("60").spawn().unwrap();
    fs::write(dir.join("kafka.pid"), format!("{}\n127.0.0.1:1\n/nowhere\n", foreign.id())).unwrap();

    let stopped = services(dir, &["stop", "--only", "kafka"]);
    assert!(text(&stopped).contains("was not running"), "{stopped:?}");
    assert!(foreign.try_wait().unwrap().is_none(), "a foreign process was stopped");
    foreign.kill().unwrap();
    foreign.wait().unwrap();
}

#[test]
fn a_mistake_on_the_command_line_is_named_and_ends_with_2() {
    let refused = Command::new(env!("CARGO_BIN_EXE_services")).arg("begin").output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("`begin`"));
}

/// Servers that outlive the command must not outlive a test that fails.
struct StopAll(PathBuf);

impl Drop for StopAll {
    fn drop(&mut self) {
        services(&self.0, &["stop", "--wipe"]);
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn services(dir: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_services"));
    command.args(arguments).arg("--run-dir").arg(dir).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn free_port() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string()
}
