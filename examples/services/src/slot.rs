//! The run directory: for each server a directory with its data and a file that says which process serves it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use services::{Engine, Kafka, Pid, Search, engine};

use crate::args::{Command, Kind};

const STOP_PATIENCE: Duration = Duration::from_secs(30);

/// The servers of one run directory.
#[derive(Debug)]
pub(crate) struct Slots {
    dir: PathBuf,
    // Held to the end of the command: two commands on one directory take turns.
    _lock: Option<File>,
}

/// What a pid file says.
struct Running {
    pid: Pid,
    address: String,
}

impl Slots {
    /// Opens the directory; a command that changes something has it alone.
    pub(crate) fn open(dir: &Path, exclusive: bool) -> Result<Self, String> {
        let failed = |e: io::Error| format!("cannot use {}: {e}", dir.display());
        let dir = std::path::absolute(dir).map_err(failed)?;
        if !exclusive {
            return Ok(Self { dir, _lock: None });
        }
        fs::create_dir_all(&dir).map_err(failed)?;
        let lock = File::create(dir.join("services.lock")).map_err(failed)?;
        lock.lock().map_err(failed)?;
        Ok(Self { dir, _lock: Some(lock) })
    }

    /// Starts the server unless it runs, and answers where.
    pub(crate) fn start(&self, kind: Kind, command: &Command) -> Result<String, String> {
        if let Some(Running { pid, address }) = self.running(kind)? {
            return Ok(format!("{}: {address} (pid {}, already running)", kind.name(), pid.number()));
        }
        let home = self.home(kind);
        let (pid, address) = match kind {
            Kind::Kafka => start_kafka(&home, command)?,
            Kind::Elasticsearch => start_search::<engine::Elasticsearch>(&home, kind, command)?,
            Kind::Elasticsearch8 => start_search::<engine::Elasticsearch8>(&home, kind, command)?,
            Kind::Elasticsearch9 => start_search::<engine::Elasticsearch9>(&home, kind, command)?,
            Kind::OpenSearch => start_search::<engine::OpenSearch>(&home, kind, command)?,
            Kind::OpenSearch3 => start_search::<engine::OpenSearch3>(&home, kind, command)?,
        };
        let number = pid.number();
        let file = self.file(kind);
        if let Err(e) = fs::write(&file, format!("{number}\n{address}\n{}\n", home.display())) {
            // A server that no later command can find must not stay.
            pid.stop(STOP_PATIENCE).map_err(|e| e.to_string())?;
            return Err(format!("cannot write {}: {e}", file.display()));
        }
        Ok(format!("{}: {address} (pid {number}, log {})", kind.name(), home.join("server.log").display()))
    }

    /// Stops the server if it runs; `wipe` removes its data as well.
    pub(crate) fn stop(&self, kind: Kind, wipe: bool) -> Result<String, String> {
        let name = kind.name();
        let said = match self.running(kind)? {
            Some(Running { pid, .. }) => {
                pid.stop(STOP_PATIENCE).map_err(|e| e.to_string())?;
                format!("{name}: stopped (pid {})", pid.number())
            }
            None => format!("{name}: was not running"),
        };
        gone(&self.file(kind), fs::remove_file(self.file(kind)))?;
        if wipe {
            gone(&self.home(kind), fs::remove_dir_all(self.home(kind)))?;
        }
        Ok(said)
    }

    /// Says where the server runs; an error when it does not.
    pub(crate) fn status(&self, kind: Kind) -> Result<String, String> {
        match self.running(kind)? {
            Some(Running { pid, address }) => {
                Ok(format!("{}: {address} (pid {})", kind.name(), pid.number()))
            }
            None => Err(format!("{} is not running", kind.name())),
        }
    }

    /// The server of the pid file, if that process still is ours.
    fn running(&self, kind: Kind) -> Result<Option<Running>, String> {
        let file = self.file(kind);
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(format!("cannot read {}: {e}", file.display())),
        };
        let mut lines = text.lines();
        let number = lines.next().and_then(|line| line.parse().ok());
        let (Some(number), Some(address), Some(home)) = (number, lines.next(), lines.next()) else {
            return Err(format!("{} is damaged: remove it", file.display()));
        };
        let pid = Pid::of_server(number, Path::new(home));
        Ok(pid.is_alive().then(|| Running { pid, address: address.to_owned() }))
    }

    fn home(&self, kind: Kind) -> PathBuf {
        self.dir.join(kind.name())
    }

    fn file(&self, kind: Kind) -> PathBuf {
        self.dir.join(format!("{}.pid", kind.name()))
    }
}

fn start_kafka(home: &Path, command: &Command) -> Result<(Pid, String), String> {
    // People expect a topic to appear when they write to it.
    let mut builder = Kafka::builder().property("auto.create.topics.enable", "true");
    for (key, value) in &command.kafka_properties {
        builder = builder.property(key, value);
    }
    let builder =
        builder.port(command.port(Kind::Kafka)).heap_mib(command.heap_mib).data_dir(home).detached(true);
    let kafka = builder.start().map_err(|e| e.to_string())?;
    let pid = kafka.pid().ok_or("kafka ended at once")?;
    Ok((pid, kafka.bootstrap().to_owned()))
}

fn start_search<E: Engine>(home: &Path, kind: Kind, command: &Command) -> Result<(Pid, String), String> {
    let builder = Search::<E>::builder().port(command.port(kind)).heap_mib(command.heap_mib);
    let builder = builder.data_dir(home).detached(true);
    let node = builder.start().map_err(|e| e.to_string())?;
    let pid = node.pid().ok_or("the node ended at once")?;
    Ok((pid, node.url().to_owned()))
}

/// Removed, or not there in the first place.
fn gone(path: &Path, removed: io::Result<()>) -> Result<(), String> {
    match removed {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            Err(format!("cannot remove {}: {e}", path.display()))
        }
        _ => Ok(()),
    }
}
