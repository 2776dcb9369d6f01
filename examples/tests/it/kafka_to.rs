//! The programs that a configuration file drives: they deliver, drain at Ctrl-C and go on where they stopped.

use crate::process::Process;
use connect_core::testing::http::{HttpServer, Reply, Request};
use examples::{earthquakes, elastic::Elastic, mock_kafka::MockKafka};
use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// Earthquakes of this range of numbers go to Kafka.
fn send(kafka: &MockKafka, numbers: std::ops::Range<usize>) {
    for (partition, record) in &earthquakes::all()[numbers] {
        kafka.send(earthquakes::TOPIC, *partition, record).unwrap();
    }
    kafka.flush().unwrap();
}

/// Writes a configuration with these lines about the target.
fn config(folder: &Path, kafka: &MockKafka, target: &str) -> PathBuf {
    let file = folder.join("pipeline.properties");
    // After a member has left, the mock cluster waits almost a session for more before it lets the next one join.
    let session = "consumer.override.session.timeout.ms=3000\nconsumer.override.heartbeat.interval.ms=500";
    let transform = "transforms=flat\ntransforms.flat.type=Flatten";
    let brokers = kafka.bootstrap();
    let pipeline =
        format!("name=test\ntopics=earthquakes\nbootstrap.servers={brokers}\n{session}\n{transform}");
    fs::write(&file, format!("{pipeline}\n{target}\n")).unwrap();
    file
}

fn start(program: &str, file: &Path) -> Process {
    Process::start(Command::new(program).arg(file))
}

async fn until(what: impl Fn() -> bool) {
    let patience = Instant::now() + Duration::from_secs(30);
    while !what() {
        assert!(Instant::now() < patience, "it takes too long");
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafka_to_es_goes_on_where_ctrl_c_stopped_it() {
    let kafka = MockKafka::start(earthquakes::TOPIC, earthquakes::PARTITIONS).unwrap();
    let (elastic, folder) = (Elastic::start(0).await.unwrap(), tempfile::tempdir().unwrap());
    let file = config(folder.path(), &kafka, &format!("connection.url={}", elastic.url()));
    for sent in [0..100, 100..250] {
        send(&kafka, sent.clone());
        let mut process = start(env!("CARGO_BIN_EXE_kafka-to-es"), &file);
        until(|| elastic.documents(earthquakes::TOPIC).len() == sent.end).await;
        process.interrupt();
        assert_eq!(process.wait().code(), Some(0));
    }
    let documents = elastic.documents(earthquakes::TOPIC);
    assert!(documents.iter().all(|(_, document)| document.version == 1), "what was committed was read again");
    assert!(documents[0].1.source.get().contains(r#""geometry.type":"Point""#));
}

/// The lines of all objects below `folder`.
fn lines(folder: &Path) -> io::Result<usize> {
    let mut count = 0;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() {
            count += fs::read_to_string(path)?.lines().count();
        } else if !path.ends_with(".connect") {
            count += lines(&path)?;
        }
    }
    Ok(count)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafka_to_cos_completes_open_objects_at_ctrl_c() {
    let kafka = MockKafka::start(earthquakes::TOPIC, earthquakes::PARTITIONS).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let objects = folder.path().join("objects");
    // Objects of 30 records, or when the program stops: the age alone would take ten minutes.
    let file =
        config(folder.path(), &kafka, &format!("store.url=file://{}\nflush.size=30", objects.display()));
    for sent in [0..100, 100..250] {
        send(&kafka, sent.clone());
        let full = sent.end / 90 * 90;
        let mut process = start(env!("CARGO_BIN_EXE_kafka-to-cos"), &file);
        until(|| lines(&objects).is_ok_and(|lines| lines >= full)).await;
        process.interrupt();
        assert_eq!(process.wait().code(), Some(0));
        assert_eq!(lines(&objects).unwrap(), sent.end);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_is_away_is_one_line_for_all_tasks_and_ctrl_c_says_why() {
    let kafka = MockKafka::start(earthquakes::TOPIC, earthquakes::PARTITIONS).unwrap();
    let starting = |_: &Request| Reply::json(503, r#"{"error":{"type":"x","reason":"starting"}}"#);
    let (cluster, folder) = (HttpServer::with_handler(starting).await.unwrap(), tempfile::tempdir().unwrap());
    let target = format!("connection.url={}\ntasks.max=2", cluster.url());
    let mut command = Command::new(env!("CARGO_BIN_EXE_kafka-to-es"));
    let log = folder.path().join("log");
    command.arg(config(folder.path(), &kafka, &target)).stderr(fs::File::create(&log).unwrap());
    let mut process = Process::start(&mut command);
    until(|| cluster.requests().len() >= 8).await;
    process.interrupt();
    assert_eq!(process.wait().code(), Some(1));

    let log = fs::read_to_string(log).unwrap();
    let why = format!("failed to reach the cluster: {} answered 503: x: starting", cluster.url());
    let warnings: Vec<&str> = log.lines().filter(|line| line.contains("WARN")).collect();
    assert!(matches!(&*warnings, [one] if one.contains(&why) && one.len() < 330), "{log}");
    assert!(log.trim_end().ends_with(&format!("stopped before it could start: {why}")), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kafka_that_is_away_is_one_line_for_all_tasks_and_ctrl_c_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let file = folder.path().join("pipeline.properties");
    let objects = folder.path().join("objects");
    let lines = format!("name=test\ntopics=t\nbootstrap.servers={nowhere}\ntasks.max=2\nflush.size=1");
    fs::write(&file, format!("{lines}\nstore.url=file://{}\n", objects.display())).unwrap();
    let log = folder.path().join("log");
    let mut command = Command::new(env!("CARGO_BIN_EXE_kafka-to-cos"));
    command.arg(&file).stderr(fs::File::create(&log).unwrap());
    let mut process = Process::start(&mut command);
    let begun = Instant::now();
    let said = || fs::read_to_string(&log).unwrap();
    until(|| said().contains("WARN")).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}: {}", begun.elapsed(), said());
    // Some more starts.
    sleep(Duration::from_secs(3)).await;
    process.interrupt();
    assert_eq!(process.wait().code(), Some(1));

    let log = said();
    let why = format!("check bootstrap.servers={nowhere} and security.protocol=plaintext");
    let warnings: Vec<&str> = log.lines().filter(|line| line.contains("WARN")).collect();
    assert!(matches!(&*warnings, [one] if one.contains(&why) && one.contains("Connection refused")), "{log}");
    let last = log.trim_end().lines().last().unwrap_or_default();
    assert!(last.contains("stopped before it could start") && last.contains(&why), "{log}");
}

#[test]
fn a_failure_is_an_exit_code_and_says_why() {
    let kafka = MockKafka::start(earthquakes::TOPIC, earthquakes::PARTITIONS).unwrap();
    let folder = tempfile::tempdir().unwrap();
    send(&kafka, 0..1);
    kafka.send(earthquakes::TOPIC, 0, "no JSON").unwrap();
    kafka.flush().unwrap();
    let target = format!("store.url=file://{}/objects", folder.path().display());
    let run = Command::new(env!("CARGO_BIN_EXE_kafka-to-cos"))
        .arg(config(folder.path(), &kafka, &target))
        .output()
        .unwrap();
    let err = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(1), "{err}");
    assert!(err.contains("(errors.tolerance=none) (earthquakes-0 at offset 1)"), "{err}");
}
