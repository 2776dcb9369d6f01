//! One real search node: Elasticsearch 7.17, 8.19 or 9.1, OpenSearch 2.18 or 3.3.

pub mod engine;

use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use self::engine::Engine;
use crate::cache::{self, Program};
use crate::jvm::{Home, JvmOptions, Server, Spec};
use crate::ports::{check_free, free_port};
use crate::{Error, Pid, Result, http};

const ATTEMPTS: usize = 3;
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// Elasticsearch 7.17.28, a single node without the commercial modules (no data streams, no security).
pub type Elasticsearch = Search<engine::Elasticsearch>;

/// OpenSearch 2.18.0, a single node with data streams.
pub type OpenSearch = Search<engine::OpenSearch>;

/// Elasticsearch 8.19.0, a single node with data streams, made by a template and the first document. It does not answer
/// `GET /` (405), for that module is not in Maven's reach.
pub type Elasticsearch8 = Search<engine::Elasticsearch8>;

/// Elasticsearch 9.1.0, otherwise as [`Elasticsearch8`]. Needs a JDK of 21 or newer.
pub type Elasticsearch9 = Search<engine::Elasticsearch9>;

/// OpenSearch 3.3.2, a single node with data streams. Needs a JDK of 21 or newer.
pub type OpenSearch3 = Search<engine::OpenSearch3>;

/// A running (or stopped) search node on 127.0.0.1.
#[derive(Debug)]
pub struct Search<E> {
    server: Server,
    address: String,
    url: String,
    engine: PhantomData<E>,
}

impl<E: Engine> Search<E> {
    /// Options, each with a default.
    #[must_use]
    pub fn builder() -> SearchBuilder<E> {
        SearchBuilder::default()
    }

    /// Starts a node with all defaults: a free port, temporary data, 512 MiB of heap.
    ///
    /// # Errors
    ///
    /// As [`SearchBuilder::start`].
    pub fn start() -> Result<Self> {
        Self::builder().start()
    }

    /// `http://host:port` without a slash at the end, the same for the whole life of the value.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// `host:port`, for [`http::request`].
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The node's process while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<Pid> {
        self.server.pid()
    }

    /// The directory with `data`, `config` and `server.log`.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.server.home()
    }

    /// Stops the node orderly (SIGTERM) and waits for its end. Does nothing to a stopped one.
    ///
    /// # Errors
    ///
    /// When the signal fails, or when the node had to be killed after 30 s.
    pub fn stop(&mut self) -> Result<()> {
        self.server.stop()
    }

    /// Kills the node (SIGKILL), as a power cut would. Does nothing to a stopped one.
    ///
    /// # Errors
    ///
    /// When the operating system refuses.
    pub fn kill(&mut self) -> Result<()> {
        self.server.kill()
    }

    /// Stops the node if it runs, and starts it again on the same ports and data.
    ///
    /// # Errors
    ///
    /// As [`stop`](Self::stop) and [`SearchBuilder::start`].
    pub fn restart(&mut self) -> Result<()> {
        self.server.restart()
    }
}

/// How a [`Search`] node is started.
#[derive(Debug, Clone)]
pub struct SearchBuilder<E> {
    port: Option<u16>,
    settings: Vec<(String, String)>,
    home: Option<PathBuf>,
    jvm: JvmOptions,
    engine: PhantomData<E>,
}

impl<E> Default for SearchBuilder<E> {
    fn default() -> Self {
        let jvm = JvmOptions {
            heap_mib: 512,
            extra: Vec::new(),
            start_timeout: Duration::from_secs(120),
            detached: false,
        };
        Self { port: None, settings: Vec::new(), home: None, jvm, engine: PhantomData }
    }
}

impl<E: Engine> SearchBuilder<E> {
    /// The HTTP port. Default: a free one.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// One node setting, as in `elasticsearch.yml`; it wins over the one set by this crate.
    #[must_use]
    pub fn setting(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((key.into(), value.into()));
        self
    }

    /// The directory for data and log, kept at the end. Default: a temporary one, removed at the end.
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

    /// Lets the node live on when the value is dropped and when this process ends. Needs a
    /// [`data_dir`](Self::data_dir). Default: off.
    #[must_use]
    pub fn detached(mut self, detached: bool) -> Self {
        self.jvm.detached = detached;
        self
    }

    /// Starts the node and waits until all its primary shards are in service. The first call on a machine also
    /// fetches it.
    ///
    /// # Errors
    ///
    /// [`Error::NoJdk`] where Java is too old; [`Error::MissingTool`] and [`Error::Install`] while fetching; [`Error::Exited`] and [`Error::NotReady`] with
    /// the end of the node's log; [`Error::Config`] for options that contradict each other.
    pub fn start(self) -> Result<Search<E>> {
        if self.jvm.detached && self.home.is_none() {
            let name = E::NAME;
            return Err(Error::Config(format!("a detached {name} needs a data_dir: nobody would remove it")));
        }
        if let Some((key, _)) = self.settings.iter().find(|(key, _)| key.is_empty() || key.contains('=')) {
            return Err(Error::Config(format!("`{key}` is no name of a node setting")));
        }
        let program = cache::install(&E::BUNDLE, |program, archive| {
            let (spec, _) = SearchBuilder::<E>::default().spec(program)?;
            Server::train(spec, archive)
        })?;
        let mut attempt = 1;
        loop {
            let (spec, address) = self.spec(&program)?;
            match Server::start(spec) {
                Err(e) if e.is_port_taken() && self.port.is_none() && attempt < ATTEMPTS => attempt += 1,
                Err(e) => return Err(e),
                Ok(server) => {
                    let url = format!("http://{address}");
                    return Ok(Search { server, address, url, engine: PhantomData });
                }
            }
        }
    }

    fn spec(&self, program: &Program) -> Result<(Spec, String)> {
        let port = self.port.map_or_else(free_port, check_free)?;
        let home = Home::open(E::NAME, self.home.as_deref())?;
        // The node refuses to start without a config directory, even an empty one.
        let config = home.join("config");
        std::fs::create_dir_all(&config).map_err(Error::io(format!("create {}", config.display())))?;
        let address = format!("127.0.0.1:{port}");
        let probed = address.clone();
        let spec = Spec {
            name: E::NAME,
            program: program.clone(),
            options: self.jvm.clone(),
            arguments: self.arguments(&home, port, free_port()?),
            home,
            probe: Box::new(move || shards_are_in_service(&probed)),
        };
        Ok((spec, address))
    }

    fn arguments(&self, home: &Home, http: u16, transport: u16) -> Vec<String> {
        let settings = [
            ("path.home", home.path().display().to_string()),
            ("path.data", home.join("data").display().to_string()),
            ("node.name", "services".to_owned()),
            ("discovery.type", "single-node".to_owned()),
            ("http.type", "netty4".to_owned()),
            ("http.host", "127.0.0.1".to_owned()),
            ("http.port", http.to_string()),
            ("transport.type", "netty4".to_owned()),
            ("transport.host", "127.0.0.1".to_owned()),
            ("transport.port", transport.to_string()),
            // A nearly full disk would turn indices read-only in the middle of a test.
            ("cluster.routing.allocation.disk.threshold_enabled", "false".to_owned()),
        ];
        let own = settings.iter().map(|(key, value)| format!("{key}={value}"));
        own.chain(self.settings.iter().map(|(key, value)| format!("{key}={value}"))).collect()
    }
}

/// Waits on the server's side until every primary shard is assigned.
fn shards_are_in_service(address: &str) -> Result<(), String> {
    let path = "/_cluster/health?wait_for_status=yellow&timeout=2s";
    let (status, body) = http::request(address, "GET", path, "", PROBE_TIMEOUT).map_err(|e| e.to_string())?;
    if status == 200 { Ok(()) } else { Err(format!("status {status}: {body}")) }
}
