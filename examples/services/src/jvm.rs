//! Servers in Java: the command line of the virtual machine, and the archive of classes that shortens a start.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::cache::{self, Program};
use crate::server::{Home, Launch, Life, Server, Spec};
use crate::{Error, Result, pid};

/// What the builders of all servers in Java share.
#[derive(Debug, Clone)]
pub(crate) struct JvmOptions {
    pub(crate) heap_mib: u32,
    pub(crate) extra: Vec<String>,
}

impl Default for JvmOptions {
    fn default() -> Self {
        Self { heap_mib: 512, extra: Vec::new() }
    }
}

/// A launcher with its jars.
pub(crate) struct Jvm {
    pub(crate) program: Program,
    pub(crate) options: JvmOptions,
    /// Arguments of the launcher.
    pub(crate) arguments: Vec<String>,
    /// The archive of loaded classes to write at the end of this run.
    pub(crate) train: Option<PathBuf>,
}

/// Starts, stops, and leaves the archive of all classes that were loaded.
pub(crate) fn train(spec: Spec) -> Result<()> {
    Server::start(spec)?.stop()
}

impl Launch for Jvm {
    fn command(&self, home: &Home, life: &Life) -> Result<Command> {
        let class_path = home.join("java.args");
        // In a file, because 50 jars on a command line hide everything else that `ps` shows.
        cache::write(&class_path, &format!("-cp\n\"{}\"\n", self.program.class_path()?))?;
        let options = &self.options;
        let mut java = self.program.java();
        java.arg(format!("-Xmx{}m", options.heap_mib));
        // No hsperfdata file, which a killed process would leave behind.
        java.args(["-XX:+UseSerialGC", "-XX:-UsePerfData", "-XX:+ExitOnOutOfMemoryError"]);
        match (&self.train, self.program.archive()) {
            (Some(archive), _) => {
                java.arg(format!("-XX:ArchiveClassesAtExit={}", archive.display()));
            }
            (None, Some(archive)) => {
                java.arg(format!("-XX:SharedArchiveFile={}", archive.display()));
            }
            (None, None) => {}
        }
        java.arg(pid::server_mark(home.path()));
        if life.detached {
            java.stdin(Stdio::null());
        } else {
            java.arg("-Dservices.tied=true").stdin(Stdio::piped());
            if let Some(path) = home.to_remove() {
                java.arg(format!("-Dservices.remove={}", path.display()));
            }
        }
        java.args(&options.extra).arg(format!("@{}", class_path.display()));
        java.arg(self.program.main).args(&self.arguments).current_dir(home.path());
        java.process_group(0);
        Ok(java)
    }

    fn missing(&self, source: io::Error) -> Error {
        cache::no_java(source)
    }

    /// By `Tether.java`.
    fn watches_its_parent(&self) -> bool {
        true
    }
}
