//! The end of a server that cannot watch the process that started it.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::{Error, Result};

/// Waits for the end of its input, then kills process `$0` and removes directory `$1`, if there is one.
const SCRIPT: &str = "\
read -r line
kill -KILL \"$0\"
tries=0
while kill -0 \"$0\" && [ $tries -lt 100 ]; do tries=$((tries + 1)); sleep 0.05; done
[ -z \"$1\" ] || rm -rf -- \"$1\"";

/// A shell that reads a pipe which only this process holds: the pipe ends with the process, SIGKILL included.
#[derive(Debug)]
pub(crate) struct Tether(Child);

impl Tether {
    /// Ties process `pid` to this one, and `remove`, a directory, to both.
    pub(crate) fn new(pid: u32, remove: Option<&Path>) -> Result<Self> {
        let mut shell = Command::new("sh");
        shell.args(["-c", SCRIPT]).arg(pid.to_string()).arg(remove.unwrap_or(Path::new("")));
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        shell.spawn().map(Self).map_err(Error::io("run sh"))
    }
}

/// The server has ended in order: its number may belong to another process soon.
impl Drop for Tether {
    fn drop(&mut self) {
        if let Err(e) = self.0.kill().and_then(|()| self.0.wait()) {
            eprintln!("services: cannot end the watch over a server: {e}");
        }
    }
}
