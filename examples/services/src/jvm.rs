//! One server process: started, watched until it answers, stopped, killed, started again.

use std::fs::{self, OpenOptions};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};
use std::{env, fmt, process};

use crate::cache::{self, Program, tail};
use crate::pid::{self, Pid};
use crate::{Error, Result};

const POLL: Duration = Duration::from_millis(25);
const STOP_PATIENCE: Duration = Duration::from_secs(30);
const TAIL_LINES: usize = 40;

/// Asks a server whether it answers; the error is only shown when time is up.
pub(crate) type Probe = Box<dyn Fn() -> Result<(), String> + Send + Sync>;

/// Everything a server is started from, and started again from.
pub(crate) struct Spec {
    pub(crate) name: &'static str,
    pub(crate) program: Program,
    pub(crate) home: Home,
    pub(crate) options: JvmOptions,
    /// Arguments of the launcher.
    pub(crate) arguments: Vec<String>,
    pub(crate) probe: Probe,
}

/// What the builders of all servers share.
#[derive(Debug, Clone)]
pub(crate) struct JvmOptions {
    pub(crate) heap_mib: u32,
    pub(crate) extra: Vec<String>,
    pub(crate) start_timeout: Duration,
    pub(crate) detached: bool,
}

/// A server's directory: data, configuration, log.
#[derive(Debug)]
pub(crate) struct Home {
    path: PathBuf,
    temporary: bool,
}

impl Home {
    /// The given directory, kept at the end, or a new temporary one, removed at the end.
    pub(crate) fn open(name: &str, given: Option<&Path>) -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let path = given.map_or_else(
            || {
                let clock = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                let next = NEXT.fetch_add(1, Ordering::Relaxed);
                let unique = format!("{}-{next}-{:x}", process::id(), clock.as_nanos());
                env::temp_dir().join(format!("connect-{name}-{unique}"))
            },
            Path::to_owned,
        );
        let path = std::path::absolute(&path).map_err(Error::io(format!("resolve {}", path.display())))?;
        fs::create_dir_all(&path).map_err(Error::io(format!("create {}", path.display())))?;
        Ok(Self { path, temporary: given.is_none() })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if self.temporary
            && let Err(e) = cache::remove(&self.path)
        {
            eprintln!("services: {e}");
        }
    }
}

/// A server, running or stopped.
pub(crate) struct Server {
    // Before `spec`: the process ends before its directory goes.
    process: Option<Process>,
    spec: Spec,
}

impl Server {
    /// Starts the process and waits until the probe succeeds.
    pub(crate) fn start(spec: Spec) -> Result<Self> {
        let mut server = Self { process: None, spec };
        server.launch(None)?;
        Ok(server)
    }

    /// Starts, stops, and leaves the archive of all classes that were loaded.
    pub(crate) fn train(spec: Spec, archive: &Path) -> Result<()> {
        let mut server = Self { process: None, spec };
        server.launch(Some(archive))?;
        server.stop()
    }

    pub(crate) fn stop(&mut self) -> Result<()> {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        pid::send("TERM", process.child.id())?;
        let deadline = Instant::now() + STOP_PATIENCE;
        while Instant::now() < deadline {
            if process.exited()?.is_some() {
                return Ok(());
            }
            sleep(POLL);
        }
        process.kill()?;
        let name = self.spec.name;
        Err(Error::Config(format!("{name} did not stop within {STOP_PATIENCE:?} and was killed")))
    }

    pub(crate) fn kill(&mut self) -> Result<()> {
        self.process.take().map_or(Ok(()), |mut process| process.kill())
    }

    pub(crate) fn restart(&mut self) -> Result<()> {
        self.stop()?;
        self.launch(None)
    }

    /// The running process.
    pub(crate) fn pid(&self) -> Option<Pid> {
        self.process.as_ref().map(|process| Pid::of_server(process.child.id(), self.home()))
    }

    pub(crate) fn home(&self) -> &Path {
        self.spec.home.path()
    }

    fn launch(&mut self, train: Option<&Path>) -> Result<()> {
        let spec = &self.spec;
        let log_path = spec.home.join("server.log");
        let mut log = OpenOptions::new();
        let log = log.create(true).append(true).open(&log_path).and_then(|log| Ok((log.try_clone()?, log)));
        let (out, err) = log.map_err(Error::io(format!("open {}", log_path.display())))?;
        let child = spec.command(train)?.stdout(out).stderr(err).spawn().map_err(cache::no_java)?;
        // From here on a failure ends the process: it is dropped unless it answers.
        let mut process = Process { child, keep: false };
        spec.wait_ready(&mut process, &log_path)?;
        process.keep = spec.options.detached;
        self.process = Some(process);
        Ok(())
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pid = self.process.as_ref().map(|process| process.child.id());
        f.debug_struct("Server").field("name", &self.spec.name).field("pid", &pid).finish_non_exhaustive()
    }
}

impl Spec {
    fn command(&self, train: Option<&Path>) -> Result<process::Command> {
        let class_path = self.home.join("java.args");
        // In a file, because 50 jars on a command line hide everything else that `ps` shows.
        cache::write(&class_path, &format!("-cp\n\"{}\"\n", self.program.class_path()?))?;
        let options = &self.options;
        let mut java = self.program.java();
        java.arg(format!("-Xmx{}m", options.heap_mib));
        // No hsperfdata file, which a killed process would leave behind.
        java.args(["-XX:+UseSerialGC", "-XX:-UsePerfData", "-XX:+ExitOnOutOfMemoryError"]);
        match (train, self.program.archive()) {
            (Some(archive), _) => {
                java.arg(format!("-XX:ArchiveClassesAtExit={}", archive.display()));
            }
            (None, Some(archive)) => {
                java.arg(format!("-XX:SharedArchiveFile={}", archive.display()));
            }
            (None, None) => {}
        }
        java.arg(pid::server_mark(self.home.path()));
        if options.detached {
            java.stdin(Stdio::null());
        } else {
            java.arg("-Dservices.tied=true").stdin(Stdio::piped());
            if self.home.temporary {
                java.arg(format!("-Dservices.remove={}", self.home.path.display()));
            }
        }
        java.args(&options.extra).arg(format!("@{}", class_path.display()));
        java.arg(self.program.main).args(&self.arguments).current_dir(&self.home.path);
        // A Ctrl-C in the terminal is for the program under test, which still needs its servers to drain.
        java.process_group(0);
        Ok(java)
    }

    fn wait_ready(&self, process: &mut Process, log: &Path) -> Result<()> {
        let waited = self.options.start_timeout;
        let deadline = Instant::now() + waited;
        let end_of_log = || tail(&fs::read_to_string(log).unwrap_or_default(), TAIL_LINES);
        loop {
            if let Some(status) = process.exited()? {
                let status = describe(status);
                return Err(Error::Exited {
                    name: self.name,
                    status,
                    log: log.to_owned(),
                    tail: end_of_log(),
                });
            }
            let Err(last) = (self.probe)() else { return Ok(()) };
            if Instant::now() >= deadline {
                return Err(Error::NotReady {
                    name: self.name,
                    waited,
                    last,
                    log: log.to_owned(),
                    tail: end_of_log(),
                });
            }
            sleep(POLL);
        }
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "an unknown status".to_owned(),
    }
}

/// A child that is killed when it is forgotten, unless it is meant to stay.
struct Process {
    child: Child,
    keep: bool,
}

impl Process {
    fn exited(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().map_err(Error::io("wait for a server"))
    }

    fn kill(&mut self) -> Result<()> {
        self.child.kill().map_err(Error::io("kill a server"))?;
        self.child.wait().map(drop).map_err(Error::io("wait for a server"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.keep
            && let Err(e) = self.kill()
        {
            eprintln!("services: {e}");
        }
    }
}
