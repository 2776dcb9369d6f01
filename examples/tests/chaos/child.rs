//! A child process that runs pipelines: started, watched, frozen, killed.

use crate::{
    cluster::wait,
    spec::{
        AT_NOTED, DEAF_TO_NOTED, GATE, PipelineReport, PipelineSpec, Report, SILENCE, STATUS, STOP, Spec,
        VARIABLE,
    },
};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

/// How much of its log a failed child shows.
const TAIL: usize = 12_000;

/// A running child. Killed when dropped; if the test has failed, the end of its log is shown.
pub(crate) struct Worker {
    name: String,
    child: Child,
    dir: PathBuf,
    log: PathBuf,
}

/// What README recommends where memory is short: jemalloc otherwise keeps what was freed for ten seconds.
const MALLOC_CONF: &str = "narenas:1,dirty_decay_ms:100";

impl Worker {
    /// Starts a child. `root` keeps its log and markers.
    pub(crate) fn start(root: &Path, name: &str, pipelines: &[PipelineSpec]) -> Self {
        let dir = root.join(name);
        fs::create_dir_all(&dir).expect("a directory for the child");
        for old in [STATUS, GATE, SILENCE, DEAF_TO_NOTED, AT_NOTED, STOP] {
            // None of these is a must.
            let _absent = fs::remove_file(dir.join(old));
        }
        let spec = Spec { dir: dir.clone(), pipelines: pipelines.to_vec() };
        let log = dir.join("log");
        let output = File::options().create(true).append(true).open(&log).expect("a log");
        let level = std::env::var("CHAOS_LOG").unwrap_or_else(|_| "info".to_owned());
        let child = Command::new(std::env::current_exe().expect("this binary"))
            .args(["--ignored", "--exact", "worker::child", "--nocapture", "--test-threads=1"])
            .env(VARIABLE, serde_json::to_string(&spec).expect("a spec is JSON"))
            .env("RUST_LOG", level)
            .env("MALLOC_CONF", MALLOC_CONF)
            // The child ends when this pipe does, that is with us.
            .stdin(Stdio::piped())
            .stdout(output.try_clone().expect("a log"))
            .stderr(output)
            .spawn()
            .expect("the child starts");
        Self { name: name.to_owned(), child, dir, log }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it said last; nothing before it has said anything.
    pub(crate) fn report(&self) -> Report {
        let text = fs::read(self.dir.join(STATUS)).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    pub(crate) fn pipeline(&self, name: &str) -> PipelineReport {
        self.report().pipelines.remove(name).unwrap_or_default()
    }

    /// Waits until all pipelines are as wished.
    pub(crate) fn wait_all(
        &mut self,
        what: &str,
        patience: Duration,
        wished: impl Fn(&PipelineReport) -> bool,
    ) {
        self.wait(what, patience, |report| report.pipelines.values().all(&wished));
    }

    /// Waits until one pipeline is as wished.
    pub(crate) fn wait_one(
        &mut self,
        name: &str,
        what: &str,
        patience: Duration,
        wished: impl Fn(&PipelineReport) -> bool,
    ) -> PipelineReport {
        self.wait(&format!("{what} in {name}"), patience, |report| {
            report.pipelines.get(name).is_some_and(&wished)
        });
        self.pipeline(name)
    }

    /// Waits until the child is as wished.
    pub(crate) fn wait(&mut self, what: &str, patience: Duration, wished: impl Fn(&Report) -> bool) {
        wait(&format!("{what} by {}", self.name), patience, || {
            if let Some(status) = self.child.try_wait().expect("the child's state") {
                panic!("{} ended by itself: {status}", self.name);
            }
            let report = self.report();
            let wished = !report.pipelines.is_empty() && wished(&report);
            wished.then_some(()).ok_or_else(|| format!("{report:#?}"))
        });
    }

    /// SIGKILL, at once.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("the child is killed");
        self.child.wait().expect("the child has ended");
    }

    /// SIGSTOP: it holds all it has and does nothing, as a machine that hangs.
    pub(crate) fn freeze(&self) {
        self.signal("STOP");
    }

    pub(crate) fn thaw(&self) {
        self.signal("CONT");
    }

    /// By the shell's own `kill`: the call itself would need `unsafe`.
    fn signal(&self, signal: &str) {
        let status = Command::new("sh")
            .args(["-c", "kill -s \"$0\" \"$1\"", signal, &self.pid().to_string()])
            .status()
            .expect("sh runs");
        assert!(status.success(), "SIG{signal} to {}", self.name);
    }

    /// Stops or frees all its sinks.
    pub(crate) fn block_sinks(&self, blocked: bool) {
        self.mark(GATE, blocked.then_some(""));
    }

    /// Keeps every answer from its sinks, or lets them hear again: what a target that hangs does to a sink.
    pub(crate) fn silence_targets(&self, silent: bool) {
        self.mark(SILENCE, silent.then_some(""));
    }

    /// Keeps from `pipeline`'s sink that its notes are committed.
    pub(crate) fn keep_noted_from(&self, pipeline: &str) {
        self.mark(DEAF_TO_NOTED, Some(pipeline));
    }

    /// Whether a note was committed that the sink did not hear of.
    pub(crate) fn is_at_noted(&self) -> bool {
        self.dir.join(AT_NOTED).exists()
    }

    fn mark(&self, name: &str, text: Option<&str>) {
        let path = self.dir.join(name);
        match text {
            Some(text) => fs::write(path, text).expect("a marker is written"),
            None => fs::remove_file(path).expect("a marker is removed"),
        }
    }

    /// Ends it in good order, and returns its last words.
    pub(crate) fn stop(mut self, patience: Duration) -> Report {
        self.mark(STOP, Some(""));
        let status = wait(&format!("orderly end of {}", self.name), patience, || {
            let ended = self.child.try_wait().expect("the child's state");
            ended.ok_or_else(|| format!("{:#?}", self.report()))
        });
        assert!(status.success(), "{} ended with {status}", self.name);
        self.report()
    }

    /// The most memory it has had resident, in KiB. In a build without optimisation the program's own text, several
    /// times as large as in one with it, is left out.
    pub(crate) fn peak_rss_kib(&self) -> u64 {
        let text = if cfg!(debug_assertions) { self.proc_kib("RssFile:") } else { 0 };
        self.proc_kib("VmHWM:") - text
    }

    fn proc_kib(&self, field: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("the child runs");
        let line = status.lines().find_map(|line| line.strip_prefix(field)).expect("the kernel says it");
        line.trim().trim_end_matches("kB").trim().parse().expect("a number")
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.child.kill();
        let _ended = self.child.wait();
        if std::thread::panicking() {
            let log = fs::read(&self.log).unwrap_or_default();
            let tail = String::from_utf8_lossy(&log[log.len().saturating_sub(TAIL)..]).into_owned();
            println!(
                "---- the end of {}'s log ----\n{tail}\n---- its last report: {:#?}",
                self.name,
                self.report()
            );
        }
    }
}
