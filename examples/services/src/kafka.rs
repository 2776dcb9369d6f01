//! One real Kafka broker, its own controller.

mod probe;
mod properties;

use std::path::{Path, PathBuf};
use std::time::Duration;

use self::properties::Listeners;
use crate::cache::{self, Bundle, Program};
use crate::jvm::{Home, JvmOptions, Server, Spec};
use crate::ports::{check_free, free_port};
use crate::{Error, Pid, Result};

const BUNDLE: Bundle = Bundle {
    name: "kafka-4.1.0",
    pom: include_str!("../poms/kafka.xml"),
    main: "KafkaMain",
    source: include_str!("../java/KafkaMain.java"),
    java: 17,
    jvm: &[],
    module: None,
};
/// Base64 of "connect-services": a constant, so that data survives everything but its own removal.
const CLUSTER_ID: &str = "Y29ubmVjdC1zZXJ2aWNlcw";
const ATTEMPTS: usize = 3;

/// A running (or stopped) Kafka 4.1 broker on 127.0.0.1.
///
/// It differs from a broker with Kafka's defaults where tests would wait: no delay before a group's first rebalance,
/// four partitions of `__consumer_offsets`, which exist when `start` returns, session time-outs from 1 s (6 s by
/// default for `group.protocol=consumer`), retention looked at every second, topics never created by themselves.
/// [`KafkaBuilder::property`] changes each of these.
#[derive(Debug)]
pub struct Kafka {
    server: Server,
    bootstrap: String,
    sasl_bootstrap: Option<String>,
}

impl Kafka {
    /// Options, each with a default.
    #[must_use]
    pub fn builder() -> KafkaBuilder {
        KafkaBuilder::default()
    }

    /// Starts a broker with all defaults: free ports, temporary data, no SASL, 512 MiB of heap.
    ///
    /// # Errors
    ///
    /// As [`KafkaBuilder::start`].
    pub fn start() -> Result<Self> {
        Self::builder().start()
    }

    /// `host:port` of the plain listener, the same for the whole life of the value.
    #[must_use]
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// `host:port` of the SASL_PLAINTEXT listener, if [`KafkaBuilder::sasl_plain`] asked for one.
    #[must_use]
    pub fn sasl_bootstrap(&self) -> Option<&str> {
        self.sasl_bootstrap.as_deref()
    }

    /// The broker's process while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<Pid> {
        self.server.pid()
    }

    /// The directory with `data`, `server.properties` and `server.log`.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.server.home()
    }

    /// Stops the broker orderly (SIGTERM) and waits for its end. Does nothing to a stopped one.
    ///
    /// # Errors
    ///
    /// When the signal fails, or when the broker had to be killed after 30 s.
    pub fn stop(&mut self) -> Result<()> {
        self.server.stop()
    }

    /// Kills the broker (SIGKILL), as a power cut would. Does nothing to a stopped one.
    ///
    /// # Errors
    ///
    /// When the operating system refuses.
    pub fn kill(&mut self) -> Result<()> {
        self.server.kill()
    }

    /// Stops the broker if it runs, and starts it again on the same ports and data.
    ///
    /// After [`kill`](Self::kill) this takes about 5 s longer than after [`stop`](Self::stop): the controller waits
    /// until the dead broker's session of 4 s ends.
    ///
    /// # Errors
    ///
    /// As [`stop`](Self::stop) and [`KafkaBuilder::start`].
    pub fn restart(&mut self) -> Result<()> {
        self.server.restart()
    }
}

/// How a [`Kafka`] is started.
#[derive(Debug, Clone)]
pub struct KafkaBuilder {
    port: Option<u16>,
    sasl: Option<(String, String)>,
    properties: Vec<(String, String)>,
    home: Option<PathBuf>,
    jvm: JvmOptions,
}

impl Default for KafkaBuilder {
    fn default() -> Self {
        let jvm = JvmOptions {
            heap_mib: 512,
            extra: Vec::new(),
            start_timeout: Duration::from_secs(120),
            detached: false,
        };
        Self { port: None, sasl: None, properties: Vec::new(), home: None, jvm }
    }
}

impl KafkaBuilder {
    /// The plain listener's port. Default: a free one.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Adds a listener on a free port with SASL_PLAINTEXT and PLAIN, and one user. Default: none.
    #[must_use]
    pub fn sasl_plain(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.sasl = Some((user.into(), password.into()));
        self
    }

    /// Adds a line to `server.properties`; it wins over the one set by this crate.
    #[must_use]
    pub fn property(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.properties.push((key.into(), value.into()));
        self
    }

    /// The directory for data, configuration and log, kept at the end. Default: a temporary one, removed at the end.
    #[must_use]
    pub fn data_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.home = Some(dir.into());
        self
    }

    /// The largest Java heap in MiB. Default: 512.
    #[must_use]
    pub fn heap_mib(mut self, heap: u32) -> Self {
        self.jvm.heap_mib = heap;
        self
    }

    /// One more argument of the Java virtual machine.
    #[must_use]
    pub fn jvm_argument(mut self, argument: impl Into<String>) -> Self {
        self.jvm.extra.push(argument.into());
        self
    }

    /// How long a start may take. Default: 120 s.
    #[must_use]
    pub fn start_timeout(mut self, timeout: Duration) -> Self {
        self.jvm.start_timeout = timeout;
        self
    }

    /// Lets the broker live on when the value is dropped and when this process ends. Needs a
    /// [`data_dir`](Self::data_dir). Default: off.
    #[must_use]
    pub fn detached(mut self, detached: bool) -> Self {
        self.jvm.detached = detached;
        self
    }

    /// Starts the broker and waits until it answers for consumer groups. The first call on a machine also fetches it.
    ///
    /// # Errors
    ///
    /// [`Error::MissingTool`] and [`Error::Install`] while fetching; [`Error::Exited`] and [`Error::NotReady`] with
    /// the end of the broker's log; [`Error::Config`] for options that contradict each other.
    pub fn start(self) -> Result<Kafka> {
        if self.jvm.detached && self.home.is_none() {
            return Err(Error::Config(
                "a detached kafka needs a data_dir: nobody would remove it".to_owned(),
            ));
        }
        let program = cache::install(&BUNDLE, |program, archive| {
            let (spec, _) = KafkaBuilder::default().spec(program)?;
            Server::train(spec, archive)
        })?;
        let mut attempt = 1;
        loop {
            let (spec, listeners) = self.spec(&program)?;
            match Server::start(spec) {
                Err(e) if e.is_port_taken() && self.port.is_none() && attempt < ATTEMPTS => attempt += 1,
                Err(e) => return Err(e),
                Ok(server) => {
                    let sasl_bootstrap = listeners.sasl.map(address);
                    return Ok(Kafka { server, bootstrap: address(listeners.plain), sasl_bootstrap });
                }
            }
        }
    }

    fn spec(&self, program: &Program) -> Result<(Spec, Listeners)> {
        let listeners = Listeners {
            plain: self.port.map_or_else(free_port, check_free)?,
            controller: free_port()?,
            sasl: self.sasl.as_ref().map(|_| free_port()).transpose()?,
        };
        let home = Home::open("kafka", self.home.as_deref())?;
        let file = home.join("server.properties");
        let users = self.sasl.as_ref().map(|(user, password)| (user.as_str(), password.as_str()));
        let text = properties::render(&listeners, users, &home.join("data"), &self.properties)?;
        cache::write(&file, &text)?;
        let bootstrap = address(listeners.plain);
        let spec = Spec {
            name: "kafka",
            program: program.clone(),
            home,
            options: self.jvm.clone(),
            arguments: vec![CLUSTER_ID.to_owned(), file.display().to_string()],
            probe: Box::new(move || probe::coordinator_answers(&bootstrap)),
        };
        Ok((spec, listeners))
    }
}

fn address(port: u16) -> String {
    format!("127.0.0.1:{port}")
}
