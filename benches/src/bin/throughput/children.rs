//! The child processes: the loader, the null server, the contenders.

use benches::{BoxError, figures::Figures, logs::PARTITIONS};
use rdkafka::{
    ClientConfig, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
};
use serde::Deserialize;
use std::{
    fmt,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

const TIMEOUT: Duration = Duration::from_secs(10);

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Contender {
    /// The hand-written loop.
    Yardstick,
    /// connect-core with its defaults.
    Framework,
    /// The hand-written loop again: what the noise of this machine is.
    Again,
    /// The hand-written loop without its sink.
    ReadOnly,
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Yardstick => "yardstick",
            Self::Framework => "framework",
            Self::Again => "yardstick again (A/A)",
            Self::ReadOnly => "yardstick, reading only",
        })
    }
}

/// What every run has in common.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) programs: PathBuf,
    pub(crate) bootstrap: String,
    pub(crate) topic: String,
    pub(crate) records: u64,
}

/// One run: the child's own figures, and the wall time at the target where there is one.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) figures: Figures,
    pub(crate) seconds: f64,
}

impl Run {
    /// Records per second.
    pub(crate) fn rate(&self) -> f64 {
        self.figures.records as f64 / self.seconds
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (cpu, rate) = (self.figures.cpu_per_million(), self.rate() / 1e6);
        let peak = self.figures.peak_rss as f64 / 1e6;
        write!(f, "{cpu:.3} CPU-s per M, {rate:.2} M records/s, {peak:.0} MB")
    }
}

impl Bench {
    /// Fills the topic if need be.
    pub(crate) fn load(&self) -> Result<(), BoxError> {
        let records = self.records.to_string();
        let mut command = Command::new(self.programs.join("load"));
        command.args(["--bootstrap", &self.bootstrap, "--topic", &self.topic, "--records", &records]);
        let status = command.status()?;
        if status.success() { Ok(()) } else { Err("the topic could not be loaded".into()) }
    }

    /// Runs one contender to its end and compares what it says with what the server counted.
    pub(crate) fn run(
        &self,
        contender: Contender,
        server: &Server,
        allocations: bool,
    ) -> Result<Run, BoxError> {
        server.request("POST", "/reset")?;
        let program = if contender == Contender::Framework { "framework" } else { "yardstick" };
        let (group, records) = (group()?, self.records.to_string());
        let mut command = Command::new(self.programs.join(program));
        command.args(["--bootstrap", &self.bootstrap, "--topic", &self.topic, "--records", &records]);
        command.args(["--group", &group, "--url", &server.url]);
        if contender == Contender::ReadOnly {
            command.arg("--read-only");
        }
        if allocations {
            command.arg("--count-allocations");
        }
        let output = command.stderr(Stdio::inherit()).output()?;
        if !output.status.success() {
            return Err(format!("{contender} ended with {}", output.status).into());
        }
        let figures = Figures::parse(&String::from_utf8(output.stdout)?)?;
        if contender == Contender::ReadOnly {
            let seconds = figures.wall_seconds;
            return Ok(Run { figures, seconds });
        }
        let seen: Seen = serde_json::from_str(&server.request("GET", "/stats")?)?;
        let distinct = seen.distinct.unwrap_or(self.records);
        if (seen.documents, distinct, figures.records) != (self.records, self.records, self.records) {
            return Err(format!("{contender} says {figures:?}, but the server saw {seen:?}").into());
        }
        let committed = self.committed(&group)?;
        if committed != self.records {
            return Err(format!("{contender} committed {committed} of {} records", self.records).into());
        }
        Ok(Run { figures, seconds: seen.seconds })
    }
}

impl Bench {
    /// What the broker holds as the group's offsets, summed: the topic starts at 0 in each partition.
    fn committed(&self, group: &str) -> Result<u64, BoxError> {
        let mut config = ClientConfig::new();
        let config = config.set("bootstrap.servers", &self.bootstrap).set("group.id", group);
        let consumer: BaseConsumer = config.create()?;
        let mut partitions = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            partitions.add_partition(&self.topic, partition);
        }
        let committed = consumer.committed_offsets(partitions, TIMEOUT)?;
        let offsets = committed.elements().into_iter().filter_map(|element| element.offset().to_raw());
        Ok(offsets.map(|offset| u64::try_from(offset).unwrap_or(0)).sum())
    }
}

/// The server's counters that matter here.
#[derive(Debug, Deserialize)]
struct Seen {
    documents: u64,
    seconds: f64,
    distinct: Option<u64>,
}

/// A group that nobody used before.
fn group() -> Result<String, BoxError> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    Ok(format!("bench-{now}-{}", NUMBER.fetch_add(1, Relaxed)))
}

/// The running null server; killed on drop.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    url: String,
}

impl Server {
    pub(crate) fn start(bench: &Bench, verify_ids: bool) -> Result<Self, BoxError> {
        let mut command = Command::new(bench.programs.join("null_bulk"));
        if verify_ids {
            command.arg("--verify-ids");
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut url = String::new();
        BufReader::new(child.stdout.take().ok_or("no stdout")?).read_line(&mut url)?;
        Ok(Self { child, url: url.trim().to_owned() })
    }

    /// One small request by hand: the driver needs no client.
    fn request(&self, method: &str, path: &str) -> Result<String, BoxError> {
        let address = self.url.strip_prefix("http://").ok_or("the null server printed no URL")?;
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.write_all(format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\n\r\n").as_bytes())?;
        stream.shutdown(std::net::Shutdown::Write)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or("an answer without a head")?;
        if head.starts_with("HTTP/1.1 200") { Ok(body.to_owned()) } else { Err(head.to_owned().into()) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already dead is as good.
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}
