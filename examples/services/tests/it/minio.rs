use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use services::{Minio, Pid, http};

const TIMEOUT: Duration = Duration::from_secs(5);

#[test]
fn a_server_with_a_bucket_keeps_port_and_data_over_a_kill_and_goes_with_its_handle() {
    let mut minio = Minio::builder().bucket("test").region("eu-west-1").start().unwrap();
    let (url, pid, home) = (minio.url().to_owned(), minio.pid().unwrap(), minio.home().to_owned());
    assert_eq!((minio.region(), minio.user(), minio.password()), ("eu-west-1", "minioadmin", "minioadmin"));
    assert!(pid.is_alive());
    // A request without a signature: a bucket that is not there would be 404.
    let refused = http::request(minio.address(), "GET", "/test/", "", TIMEOUT).unwrap();
    assert!(refused.0 == 403 && refused.1.contains("AccessDenied"), "{refused:?}");

    minio.kill().unwrap();
    assert!(minio.pid().is_none() && !pid.is_alive());
    minio.restart().unwrap();
    assert_eq!(minio.url(), url);
    assert!(minio.home().join("data/test").exists());

    let pid = minio.pid().unwrap();
    drop(minio);
    assert!(!pid.is_alive() && !home.exists());
}

/// Not a test: the process that the next one kills.
#[test]
#[ignore = "started by the test below, in a process of its own"]
fn start_minio_and_wait_to_be_killed() {
    let minio = Minio::start().unwrap();
    println!("\n{}\n{}", minio.pid().unwrap().number(), minio.home().display());
    sleep(Duration::from_secs(300));
}

#[test]
fn minio_ends_with_a_test_that_is_killed_and_leaves_no_data() {
    let mut test = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "minio::start_minio_and_wait_to_be_killed"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(test.stdout.take().unwrap()).lines().map(Result::unwrap);
    let pid: u32 = lines.find_map(|line| line.parse().ok()).unwrap();
    let home = PathBuf::from(lines.next().unwrap());
    let minio = Pid::of_server(pid, &home);
    assert!(minio.is_alive() && home.exists());

    test.kill().unwrap();
    test.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while (minio.is_alive() || home.exists()) && Instant::now() < deadline {
        sleep(Duration::from_millis(50));
    }
    let (runs, data_is_there) = (minio.is_alive(), home.exists());
    // Should it fail, this test leaves no orphan of its own.
    minio.stop(Duration::ZERO).unwrap();
    assert!(!runs, "minio outlived its test");
    assert!(!data_is_there, "the data outlived its test");
}
