use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use services::{Error, Kafka, Pid};

#[test]
fn kafka_starts_stops_and_comes_back_on_the_same_ports_and_leaves_nothing() {
    let mut kafka = Kafka::builder().sasl_plain("ann", "secret").start().unwrap();
    let bootstrap = kafka.bootstrap().to_owned();
    let sasl = kafka.sasl_bootstrap().unwrap().to_owned();
    TcpStream::connect(&bootstrap).unwrap();
    TcpStream::connect(&sasl).unwrap();
    let home = kafka.home().to_owned();
    let first = kafka.pid().unwrap();
    assert!(first.is_alive());

    kafka.stop().unwrap();
    assert!(!first.is_alive());
    assert!(kafka.pid().is_none());
    assert!(TcpStream::connect(&bootstrap).is_err());
    kafka.stop().unwrap();

    kafka.restart().unwrap();
    let second = kafka.pid().unwrap();
    assert_ne!(first.number(), second.number());
    assert_eq!(kafka.bootstrap(), bootstrap);
    assert_eq!(kafka.sasl_bootstrap(), Some(sasl.as_str()));
    TcpStream::connect(&bootstrap).unwrap();

    kafka.kill().unwrap();
    assert!(!second.is_alive());
    kafka.restart().unwrap();
    let third = kafka.pid().unwrap();
    assert!(home.join("data").join("__consumer_offsets-0").exists());
    drop(kafka);
    assert!(!third.is_alive());
    assert!(!home.exists());
}

#[test]
fn kafkas_own_client_uses_sasl_and_both_group_protocols_and_finds_its_data_after_a_kill() {
    let mut kafka = Kafka::builder().sasl_plain("ann", "secret").start().unwrap();
    client_check(&kafka, "write");
    kafka.kill().unwrap();
    kafka.restart().unwrap();
    client_check(&kafka, "read");
}

#[test]
fn a_broker_that_cannot_start_says_why_with_its_own_words() {
    let error = Kafka::builder().property("log.retention.check.interval.ms", "often").start().unwrap_err();
    assert!(matches!(error, Error::Exited { name: "kafka", .. }), "{error}");
    assert!(error.to_string().contains("log.retention.check.interval.ms"), "{error}");
}

#[test]
fn a_broker_that_does_not_answer_in_time_is_killed_and_shows_its_log() {
    let dir = std::env::temp_dir().join(format!("connect-services-slow-{}", std::process::id()));
    let error = Kafka::builder().data_dir(&dir).start_timeout(Duration::from_millis(1)).start().unwrap_err();
    assert!(matches!(error, Error::NotReady { name: "kafka", .. }), "{error}");
    assert!(processes().iter().all(|pid| !Pid::of_server(*pid, &dir).is_alive()));
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn detached_without_a_directory_is_refused() {
    let error = Kafka::builder().detached(true).start().unwrap_err();
    assert!(error.to_string().contains("data_dir"), "{error}");
}

/// Runs `ClientCheck.java` on the broker's own class path.
fn client_check(kafka: &Kafka, what: &str) {
    let output = Command::new("java")
        .arg(format!("@{}", kafka.home().join("java.args").display()))
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/ClientCheck.java"))
        .args([what, kafka.bootstrap(), kafka.sasl_bootstrap().unwrap()])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.ends_with("checked\n"), "{output:?}");
}

fn processes() -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}
