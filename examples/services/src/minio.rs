//! One real MinIO server.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::golang::{self, Module};
use crate::ports::{check_free, free_port};
use crate::server::{Home, Launch, Life, Server, Spec};
use crate::{Error, Pid, Result, http, pid};

const NAME: &str = "minio";
const MODULE: Module =
    Module { name: NAME, path: "github.com/minio/minio", version: "v0.0.0-20260212201848-7aac2a2c5b7c" };
const ATTEMPTS: usize = 3;
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// A running (or stopped) MinIO server of February 2026 on 127.0.0.1, with one drive: an object store that speaks S3.
#[derive(Debug)]
pub struct Minio {
    server: Server,
    address: String,
    url: String,
    options: MinioBuilder,
}

impl Minio {
    /// Options, each with a default.
    #[must_use]
    pub fn builder() -> MinioBuilder {
        MinioBuilder::default()
    }

    /// Starts a server with all defaults: a free port, temporary data, no bucket.
    ///
    /// # Errors
    ///
    /// As [`MinioBuilder::start`].
    pub fn start() -> Result<Self> {
        Self::builder().start()
    }

    /// `http://host:port` without a slash at the end, the same for the whole life of the value.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// `host:port`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The region that clients have to name.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.options.region
    }

    /// The name of the root user, which is its access key.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.options.user
    }

    /// The root user's password, which is its secret key.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.options.password
    }

    /// The server's process while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<Pid> {
        self.server.pid()
    }

    /// The directory with `data` and `server.log`.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.server.home()
    }

    /// Stops the server orderly (SIGTERM) and waits for its end. Does nothing to a stopped one.
    ///
    /// # Errors
    ///
    /// When the signal fails, or when the server had to be killed after 30 s.
    pub fn stop(&mut self) -> Result<()> {
        self.server.stop()
    }

    /// Kills the server (SIGKILL), as a power cut would. Does nothing to a stopped one.
    ///
    /// # Errors
    ///
    /// When the operating system refuses.
    pub fn kill(&mut self) -> Result<()> {
        self.server.kill()
    }

    /// Stops the server if it runs, and starts it again on the same port and data.
    ///
    /// # Errors
    ///
    /// As [`stop`](Self::stop) and [`MinioBuilder::start`].
    pub fn restart(&mut self) -> Result<()> {
        self.server.restart()
    }
}

/// How a [`Minio`] is started.
#[derive(Debug, Clone)]
pub struct MinioBuilder {
    port: Option<u16>,
    region: String,
    user: String,
    password: String,
    buckets: Vec<String>,
    home: Option<PathBuf>,
    life: Life,
}

impl Default for MinioBuilder {
    fn default() -> Self {
        Self {
            port: None,
            region: "us-east-1".to_owned(),
            user: "minioadmin".to_owned(),
            password: "minioadmin".to_owned(),
            buckets: Vec::new(),
            home: None,
            life: Life::default(),
        }
    }
}

impl MinioBuilder {
    /// The port. Default: a free one.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// The region. Default: `us-east-1`.
    #[must_use]
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = region.into();
        self
    }

    /// Name and password of the root user, at least 3 and 8 characters long. Default: `minioadmin` for both.
    #[must_use]
    pub fn root(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        (self.user, self.password) = (user.into(), password.into());
        self
    }

    /// A bucket that is there from the start, any number of them.
    #[must_use]
    pub fn bucket(mut self, name: impl Into<String>) -> Self {
        self.buckets.push(name.into());
        self
    }

    /// The directory for data and log, kept at the end. Default: a temporary one, removed at the end.
    #[must_use]
    pub fn data_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.home = Some(dir.into());
        self
    }

    /// How long a start may take. Default: 120 s.
    #[must_use]
    pub fn start_timeout(mut self, timeout: Duration) -> Self {
        self.life.start_timeout = timeout;
        self
    }

    /// Lets the server live on when the value is dropped and when this process ends. Needs a
    /// [`data_dir`](Self::data_dir). Default: off.
    #[must_use]
    pub fn detached(mut self, detached: bool) -> Self {
        self.life.detached = detached;
        self
    }

    /// Starts the server and waits until it answers for reads and writes. The first call on a machine also builds it.
    ///
    /// # Errors
    ///
    /// [`Error::MissingTool`] and [`Error::Install`] while building; [`Error::Exited`] and [`Error::NotReady`] with the
    /// end of the server's log; [`Error::Config`] for options that contradict each other or that MinIO refuses.
    pub fn start(self) -> Result<Minio> {
        self.check()?;
        let program = golang::install(&MODULE)?;
        let mut attempt = 1;
        loop {
            let (spec, address) = self.spec(&program)?;
            match Server::start(spec) {
                Err(e) if e.is_port_taken() && self.port.is_none() && attempt < ATTEMPTS => attempt += 1,
                Err(e) => return Err(e),
                Ok(server) => {
                    let url = format!("http://{address}");
                    return Ok(Minio { server, address, url, options: self });
                }
            }
        }
    }

    fn check(&self) -> Result<()> {
        if self.life.detached && self.home.is_none() {
            return Err(Error::Config(
                "a detached minio needs a data_dir: nobody would remove it".to_owned(),
            ));
        }
        if self.user.len() < 3 || self.password.len() < 8 {
            return Err(Error::Config(
                "the root user of minio needs a name of 3 and a password of 8 characters".to_owned(),
            ));
        }
        let bad = |name: &&String| {
            let known = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-' || c == b'.';
            name.len() < 3 || name.starts_with('.') || !name.bytes().all(known)
        };
        match self.buckets.iter().find(bad) {
            Some(name) => Err(Error::Config(format!("`{name}` is no name of a bucket"))),
            None => Ok(()),
        }
    }

    fn spec(&self, program: &Path) -> Result<(Spec, String)> {
        let address = format!("127.0.0.1:{}", self.port.map_or_else(free_port, check_free)?);
        let home = Home::open(NAME, self.home.as_deref())?;
        let data = home.join("data");
        // A directory of the drive is a bucket.
        for dir in self.buckets.iter().map(|bucket| data.join(bucket)).chain([data.clone()]) {
            fs::create_dir_all(&dir).map_err(Error::io(format!("create {}", dir.display())))?;
        }
        let probed = address.clone();
        let spec = Spec {
            name: NAME,
            launch: Box::new(Program {
                program: program.to_owned(),
                address: address.clone(),
                options: self.clone(),
            }),
            home,
            life: self.life.clone(),
            probe: Box::new(move || is_ready(&probed)),
        };
        Ok((spec, address))
    }
}

struct Program {
    program: PathBuf,
    address: String,
    options: MinioBuilder,
}

impl Launch for Program {
    fn command(&self, home: &Home, _: &Life) -> Result<Command> {
        let mut minio = Command::new(&self.program);
        // MinIO takes no argument that it does not know, and takes any name of itself.
        minio.arg0(pid::server_mark(home.path()));
        minio.args(["server", "--quiet", "--address", &self.address]).arg(home.join("data"));
        minio.env("MINIO_ROOT_USER", &self.options.user).env("MINIO_ROOT_PASSWORD", &self.options.password);
        minio.env("MINIO_REGION", &self.options.region).env("MINIO_BROWSER", "off");
        // Neither is asked for over the network.
        minio.env("MINIO_UPDATE", "off").env("MINIO_CALLHOME_ENABLE", "off");
        minio.stdin(Stdio::null()).current_dir(home.path()).process_group(0);
        Ok(minio)
    }

    fn missing(&self, source: io::Error) -> Error {
        Error::io(format!("run {}", self.program.display()))(source)
    }

    fn watches_its_parent(&self) -> bool {
        false
    }
}

fn is_ready(address: &str) -> Result<(), String> {
    let asked = http::request(address, "GET", "/minio/health/cluster", "", PROBE_TIMEOUT);
    let (status, body) = asked.map_err(|e| e.to_string())?;
    if status == 200 { Ok(()) } else { Err(format!("status {status}: {body}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_minio_refuses_are_named() {
        for (builder, named) in [
            (Minio::builder().detached(true), "data_dir"),
            (Minio::builder().root("me", "long enough"), "3"),
            (Minio::builder().root("root", "short"), "8"),
            (Minio::builder().bucket("../up"), "`../up`"),
            (Minio::builder().bucket("Upper"), "`Upper`"),
        ] {
            let error = builder.start().unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }
}
