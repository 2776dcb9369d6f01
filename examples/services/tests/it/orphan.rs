use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use services::{Kafka, Pid};

/// Not a test: the process that the next one kills.
#[test]
#[ignore = "started by the test below, in a process of its own"]
fn start_a_broker_and_wait_to_be_killed() {
    let kafka = Kafka::start().unwrap();
    println!("\n{}\n{}", kafka.pid().unwrap().number(), kafka.home().display());
    sleep(Duration::from_secs(300));
}

#[test]
fn a_test_killed_by_sigkill_leaves_neither_server_nor_data() {
    let mut test = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "orphan::start_a_broker_and_wait_to_be_killed"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(test.stdout.take().unwrap()).lines().map(Result::unwrap);
    let pid: u32 = lines.find_map(|line| line.parse().ok()).unwrap();
    let home = PathBuf::from(lines.next().unwrap());
    let broker = Pid::of_server(pid, &home);
    assert!(broker.is_alive());
    assert!(home.exists());

    test.kill().unwrap();
    test.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while (broker.is_alive() || home.exists()) && Instant::now() < deadline {
        sleep(Duration::from_millis(50));
    }
    let (runs, data_is_there) = (broker.is_alive(), home.exists());
    // Should it fail, this test leaves no orphan of its own.
    broker.stop(Duration::ZERO).unwrap();
    assert!(!runs, "the broker outlived its test");
    assert!(!data_is_there, "the data outlived its test");
}
