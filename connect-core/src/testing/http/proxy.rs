//! A proxy that fails single requests on their way to a real server.

use super::{Reply, Request, lock, serve, wire};
use std::{
    collections::{BTreeMap, HashMap},
    fmt, io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{net::TcpListener, sync::watch, task::JoinSet};

/// What a [`FaultProxy`] does to one request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Answers with this reply. The request is never sent upstream.
    Before(Reply),
    /// Sends the request upstream, which executes it, and answers with this reply.
    After(Reply),
    /// Sends the request upstream, and closes the connection after so many bytes of its answer, head included.
    Cut(usize),
    /// Sends the request upstream after this time.
    HoldRequest(Duration),
    /// Sends the request upstream, and its answer back after this time.
    HoldAnswer(Duration),
}

impl Fault {
    /// Resets the connection. The request is never sent upstream.
    #[must_use]
    pub fn reset_before() -> Self {
        Self::Before(Reply::reset())
    }

    /// Resets the connection once upstream has executed the request.
    #[must_use]
    pub fn reset_after() -> Self {
        Self::After(Reply::reset())
    }
}

type Classify = Box<dyn Fn(&Request) -> &'static str + Send + Sync>;

/// An HTTP/1.1 proxy on a port of its own, in front of a server on this machine.
///
/// A closure tells the kinds of requests apart. Each request is counted under its kind, and the n-th of a kind can be
/// failed, before or after the server has executed it. Everything else passes: head and body of a request are the
/// client's, apart from framing and `connection`, so that signatures that cover `host` hold if the client was told
/// the proxy's address.
///
/// A request that has arrived is executed even if its client gives up meanwhile, as a server would. Dropping the
/// proxy ends the listener and all connections.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// use connect_core::testing::http::{Fault, FaultProxy, HttpServer, Reply};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// let server = HttpServer::with_handler(|_| Reply::new(201)).await?;
/// let proxy = FaultProxy::start(server.addr(), |request| match request.method.as_str() {
///     "PUT" => "write",
///     _ => "other",
/// })
/// .await?;
/// proxy.fail("write", 1, Fault::After(Reply::new(503)));
/// let mut client = tokio::net::TcpStream::connect(proxy.addr()).await?;
/// client.write_all(b"PUT /a HTTP/1.1\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}").await?;
/// let mut answer = String::new();
/// client.read_to_string(&mut answer).await?;
/// assert!(answer.starts_with("HTTP/1.1 503 "));
/// assert_eq!((server.requests().len(), proxy.count("write"), proxy.unmet()), (1, 1, 0));
/// # Ok::<(), std::io::Error>(()) })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct FaultProxy {
    addr: SocketAddr,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

struct Shared {
    upstream: SocketAddr,
    classify: Classify,
    plan: Mutex<Plan>,
    /// Changes with each request.
    counted: watch::Sender<()>,
}

/// Faults to come, and what came so far.
#[derive(Default)]
struct Plan {
    counts: BTreeMap<&'static str, usize>,
    /// By kind and the absolute number of the request.
    single: HashMap<(String, usize), Fault>,
    standing: HashMap<String, Fault>,
}

impl Plan {
    /// Counts a request and takes its fault.
    fn next(&mut self, kind: &'static str) -> Option<Fault> {
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        let single = self.single.remove(&(kind.to_owned(), *count));
        single.or_else(|| self.standing.get(kind).cloned())
    }

    fn count(&self, kind: &str) -> usize {
        self.counts.get(kind).copied().unwrap_or_default()
    }
}

impl FaultProxy {
    /// Starts a proxy in front of the server at `upstream`. `classify` names the kind of each request.
    ///
    /// # Errors
    /// If no port of 127.0.0.1 can be bound.
    ///
    /// # Cancel safety
    /// Safe to drop.
    pub async fn start(
        upstream: SocketAddr,
        classify: impl Fn(&Request) -> &'static str + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let addr = listener.local_addr()?;
        let (plan, counted) = (Mutex::default(), watch::Sender::new(()));
        let shared = Arc::new(Shared { upstream, classify: Box::new(classify), plan, counted });
        let mut tasks = JoinSet::new();
        tasks.spawn(serve::accept(listener, Arc::clone(&shared)));
        Ok(Self { addr, shared, _tasks: tasks })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `http://127.0.0.1:port`, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Fails the `n`-th request of `kind` from now on; the next one is 1.
    pub fn fail(&self, kind: &str, n: usize, fault: Fault) {
        let mut plan = lock(&self.shared.plan);
        let number = plan.count(kind) + n;
        plan.single.insert((kind.to_owned(), number), fault);
    }

    /// Fails each request of `kind` that has no fault of its own, until [`heal`](Self::heal).
    pub fn fail_all(&self, kind: &str, fault: Fault) {
        lock(&self.shared.plan).standing.insert(kind.to_owned(), fault);
    }

    /// Forgets all faults that have not been met.
    pub fn heal(&self) {
        let mut plan = lock(&self.shared.plan);
        plan.single.clear();
        plan.standing.clear();
    }

    /// Requests of `kind` so far, failed ones included.
    #[must_use]
    pub fn count(&self, kind: &str) -> usize {
        lock(&self.shared.plan).count(kind)
    }

    /// Requests so far by kind, failed ones included.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<&'static str, usize> {
        lock(&self.shared.plan).counts.clone()
    }

    /// Faults set by [`fail`](Self::fail) that no request has met yet.
    #[must_use]
    pub fn unmet(&self) -> usize {
        lock(&self.shared.plan).single.len()
    }

    /// Waits until `n` requests of `kind` have arrived since the start.
    ///
    /// # Cancel safety
    /// Safe to drop.
    pub async fn counted(&self, kind: &str, n: usize) {
        let mut counted = self.shared.counted.subscribe();
        // The sender lives in `self`, so waiting ends only by the condition.
        let _ = counted.wait_for(|()| self.count(kind) >= n).await;
    }
}

impl fmt::Debug for FaultProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultProxy").field("addr", &self.addr).finish_non_exhaustive()
    }
}

impl serve::Answers for Shared {
    async fn answer(&self, request: Request) -> Reply {
        let fault = lock(&self.plan).next((self.classify)(&request));
        self.counted.send_replace(());
        match fault {
            None => self.forward(&request).await,
            Some(Fault::Before(reply)) => reply,
            Some(Fault::After(reply)) => {
                self.forward(&request).await;
                reply
            }
            Some(Fault::Cut(bytes)) => self.forward(&request).await.close_after(bytes),
            Some(Fault::HoldRequest(time)) => {
                tokio::time::sleep(time).await;
                self.forward(&request).await
            }
            Some(Fault::HoldAnswer(time)) => {
                let reply = self.forward(&request).await;
                tokio::time::sleep(time).await;
                reply
            }
        }
    }
}

impl Shared {
    /// Upstream's answer, or a 502 that says why there is none.
    async fn forward(&self, request: &Request) -> Reply {
        let answer = wire::exchange(self.upstream, request).await;
        answer.unwrap_or_else(|error| {
            Reply::new(502).body(format!("no answer from {}: {error}", self.upstream))
        })
    }
}

#[cfg(test)]
mod tests;
