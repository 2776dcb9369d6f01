//! Everything that can keep a server from running.

use std::path::PathBuf;
use std::time::Duration;
use std::{fmt, io};

/// Why a server could not be fetched, started or stopped.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// A program that must be installed is not.
    MissingTool {
        /// The program.
        tool: &'static str,
        /// What to install.
        install: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
    /// No Java development kit on the machine is new enough.
    NoJdk {
        /// The oldest major version that does.
        least: u32,
        /// Versions and homes of those that are too old.
        found: Vec<(u32, PathBuf)>,
    },
    /// Maven or the Java compiler failed.
    Install {
        /// What was being installed.
        what: String,
        /// The last lines of its output.
        output: String,
    },
    /// A file, directory, process or connection failed.
    Io {
        /// What was being done.
        doing: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// The options contradict each other or what is on the machine.
    Config(String),
    /// The server ended by itself while it should have started.
    Exited {
        /// Which server.
        name: &'static str,
        /// How it ended.
        status: String,
        /// Its whole log, if the file is still there.
        log: PathBuf,
        /// The last lines of its log.
        tail: String,
    },
    /// The server runs but did not answer in time.
    NotReady {
        /// Which server.
        name: &'static str,
        /// How long it was given.
        waited: Duration,
        /// What the last probe said.
        last: String,
        /// Its whole log, if the file is still there.
        log: PathBuf,
        /// The last lines of its log.
        tail: String,
    },
}

impl Error {
    /// For `map_err`: keeps what was being done beside what the operating system said.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Error::Io { doing, source }
    }

    /// Another process took the port between the choice and the bind.
    pub(crate) fn is_port_taken(&self) -> bool {
        match self {
            Error::Exited { tail, .. } => {
                tail.contains("Address already in use") || tail.contains("BindHttpException")
            }
            _ => false,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::MissingTool { tool, install, .. } => write!(f, "cannot run `{tool}`: install {install}"),
            Error::NoJdk { least, found } => {
                write!(f, "no JDK {least} or newer: install one and set JAVA_HOME_{least} to it")?;
                let mut separator = "; too old: ";
                for (version, home) in found {
                    write!(f, "{separator}{version} in {}", home.display())?;
                    separator = ", ";
                }
                Ok(())
            }
            Error::Install { what, output } => write!(f, "cannot install {what}: {output}"),
            Error::Io { doing, source } => write!(f, "cannot {doing}: {source}"),
            Error::Config(problem) => f.write_str(problem),
            Error::Exited { name, status, log, tail } => {
                write!(f, "{name} ended with {status} while starting; the end of {}:\n{tail}", log.display())
            }
            Error::NotReady { name, waited, last, log, tail } => write!(
                f,
                "{name} did not answer within {waited:?} (last probe: {last}); the end of {}:\n{tail}",
                log.display()
            ),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::MissingTool { source, .. } | Error::Io { source, .. } => Some(source),
            Error::NoJdk { .. }
            | Error::Install { .. }
            | Error::Config(_)
            | Error::Exited { .. }
            | Error::NotReady { .. } => None,
        }
    }
}
