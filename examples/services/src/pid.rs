//! Processes known by number only: checked before they are signalled.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::{Error, Result};

/// A process that may be ours: numbers are reused, so a mark on its command line has to agree.
#[derive(Debug, Clone)]
pub struct Pid {
    number: u32,
    mark: String,
}

impl Pid {
    /// The process `number`, ours only while it is the server whose directory is `home` (absolute, as
    /// [`Kafka::home`](crate::Kafka::home) answers it).
    #[must_use]
    pub fn of_server(number: u32, home: &Path) -> Self {
        Self::marked(number, server_mark(home))
    }

    /// The process `number`, ours only while one of its arguments is exactly `mark`.
    fn marked(number: u32, mark: impl Into<String>) -> Self {
        Self { number, mark: mark.into() }
    }

    /// The process's number.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Whether the process runs and is ours. A zombie does not run.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        command_line(self.number).contains(&self.mark)
    }

    /// Sends SIGTERM, waits, and sends SIGKILL when `patience` is over. Nothing happens to a process that is not ours.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the signal cannot be sent, [`Error::Config`] when the process survives both.
    pub fn stop(&self, patience: Duration) -> Result<()> {
        for (signal, patience) in [("TERM", patience), ("KILL", Duration::from_secs(10))] {
            if !self.is_alive() {
                return Ok(());
            }
            send(signal, self.number)?;
            let deadline = Instant::now() + patience;
            while self.is_alive() && Instant::now() < deadline {
                sleep(Duration::from_millis(20));
            }
        }
        if self.is_alive() {
            return Err(Error::Config(format!("process {} survived SIGKILL", self.number)));
        }
        Ok(())
    }
}

/// The argument by which a process is known to be the server of this directory.
pub(crate) fn server_mark(home: &Path) -> String {
    format!("-Dservices.home={}", home.display())
}

/// Sends a signal by the shell's own `kill`, which every POSIX system has: the call itself would need `unsafe`.
pub(crate) fn send(signal: &str, pid: u32) -> Result<()> {
    let status = Command::new("sh")
        .args(["-c", "kill -s \"$0\" \"$1\"", signal, &pid.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .map_err(Error::io("run sh"))?;
    // A process that is gone already is what the caller wanted.
    if !status.success() && !command_line(pid).is_empty() {
        return Err(Error::Config(format!("cannot send SIG{signal} to process {pid}: not allowed")));
    }
    Ok(())
}

/// The arguments of a process; empty when it is gone or a zombie.
fn command_line(pid: u32) -> Vec<String> {
    if fs::exists("/proc/self/cmdline").unwrap_or(false) {
        let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        return bytes
            .split(|&byte| byte == 0)
            .filter(|argument| !argument.is_empty())
            .map(|argument| String::from_utf8_lossy(argument).into_owned())
            .collect();
    }
    let shown = Command::new("ps").args(["-ww", "-o", "args=", "-p", &pid.to_string()]).output();
    let shown = shown.map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&shown).split_whitespace().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_process_without_the_mark_is_not_ours_and_is_left_alone() {
        let mut child = Command::new("sh");
        child.args(["-c", "echo up; read line", "ours"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = child.spawn().unwrap();
        // Its arguments are readable only some time after the spawn.
        child.stdout.as_mut().unwrap().read_exact(&mut [0; 3]).unwrap();
        let foreign = Pid::of_server(child.id(), Path::new("/nowhere"));
        assert!(!foreign.is_alive());
        foreign.stop(Duration::ZERO).unwrap();
        assert!(child.try_wait().unwrap().is_none(), "a foreign process was signalled");

        let ours = Pid::marked(child.id(), "ours");
        assert!(ours.is_alive());
        ours.stop(Duration::from_secs(5)).unwrap();
        child.wait().unwrap();
        assert!(!ours.is_alive());
    }
}
