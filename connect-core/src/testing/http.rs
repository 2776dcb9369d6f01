//! A scripted HTTP/1.1 server on a port of its own.
//!
//! A real listener on 127.0.0.1, so that a client is tested with its connection pool, its timeouts and its handling
//! of resets. [`FaultProxy`] stands in front of a real server instead and fails single requests. Replies come from a queue ([`HttpServer::push`]) and, once that is empty, from a handler
//! ([`HttpServer::with_handler`]). Every request is kept. Nothing here sleeps: a reply waits at a [`Gate`].
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! use connect_core::testing::http::{HttpServer, Reply};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! let server = HttpServer::start().await?;
//! server.push(Reply::new(429).header("retry-after", "3"));
//! let mut client = tokio::net::TcpStream::connect(server.addr()).await?;
//! client.write_all(b"POST /_bulk HTTP/1.1\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}").await?;
//! let mut answer = String::new();
//! client.read_to_string(&mut answer).await?;
//! assert!(answer.starts_with("HTTP/1.1 429 "));
//! assert_eq!(server.requests()[0].path, "/_bulk");
//! # Ok::<(), std::io::Error>(()) })?;
//! # Ok::<(), std::io::Error>(())
//! ```

mod proxy;
mod serve;
mod wire;

pub use proxy::{Fault, FaultProxy};

use super::Gate;
use bytes::Bytes;
use std::{
    collections::VecDeque,
    fmt, io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{net::TcpListener, sync::watch, task::JoinSet};

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method, such as `POST`.
    pub method: String,
    /// Path and query as sent, such as `/_bulk?refresh=true`.
    pub path: String,
    /// The headers in order; names as sent.
    pub headers: Vec<(String, String)>,
    /// The body, without its chunked framing.
    pub body: Bytes,
    /// The number of the connection that it came by, from 0.
    pub connection: usize,
}

impl Request {
    /// The first header of this name, whatever its case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body as text; what is not UTF-8 is replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// What the server does about one request.
#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Bytes,
    gate: Option<Gate>,
    ending: Ending,
}

/// How a reply ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// As HTTP wants it; the connection stays open.
    Whole,
    /// After so many bytes of head and body the connection is closed.
    Closed(usize),
    /// After so many bytes of head and body the connection is reset.
    Reset(usize),
}

impl Reply {
    /// An empty reply with this status.
    #[must_use]
    pub fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new(), gate: None, ending: Ending::Whole }
    }

    /// A reply with a JSON body.
    #[must_use]
    pub fn json(status: u16, body: impl Into<Bytes>) -> Self {
        Self::new(status).header("content-type", "application/json").body(body)
    }

    /// No answer: the connection is reset (RST) after the request was read.
    #[must_use]
    pub fn reset() -> Self {
        Self::new(200).reset_after(0)
    }

    /// No answer: the connection is closed (FIN) after the request was read.
    #[must_use]
    pub fn close() -> Self {
        Self::new(200).close_after(0)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// The answer waits at `gate`.
    #[must_use]
    pub fn when(mut self, gate: &Gate) -> Self {
        self.gate = Some(gate.clone());
        self
    }

    /// The connection is closed after `bytes` of the answer, its head included.
    #[must_use]
    pub fn close_after(mut self, bytes: usize) -> Self {
        self.ending = Ending::Closed(bytes);
        self
    }

    /// The connection is reset after `bytes` of the answer, its head included.
    #[must_use]
    pub fn reset_after(mut self, bytes: usize) -> Self {
        self.ending = Ending::Reset(bytes);
        self
    }
}

type Handler = Box<dyn Fn(&Request) -> Reply + Send + Sync>;

/// The server. Dropping it ends the listener and all connections.
pub struct HttpServer {
    addr: SocketAddr,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

struct Shared {
    script: Mutex<VecDeque<Reply>>,
    handler: Option<Handler>,
    requests: Mutex<Vec<Request>>,
    received: watch::Sender<usize>,
}

impl HttpServer {
    /// A server that answers from its queue, and 501 once that is empty.
    ///
    /// # Errors
    /// If no port of 127.0.0.1 can be bound.
    ///
    /// # Cancel safety
    /// Safe to drop.
    pub async fn start() -> io::Result<Self> {
        Self::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), None).await
    }

    /// A server that answers from its queue, and by `handler` once that is empty.
    ///
    /// # Errors
    /// If no port of 127.0.0.1 can be bound.
    ///
    /// # Cancel safety
    /// Safe to drop.
    pub async fn with_handler(
        handler: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> io::Result<Self> {
        Self::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), Some(Box::new(handler))).await
    }

    /// A server like [`start`](Self::start) at an address where another one was: a node that comes back.
    ///
    /// # Errors
    /// If the address is taken.
    ///
    /// # Cancel safety
    /// Safe to drop.
    pub async fn start_at(addr: SocketAddr) -> io::Result<Self> {
        Self::bind(addr, None).await
    }

    async fn bind(addr: SocketAddr, handler: Option<Handler>) -> io::Result<Self> {
        let listener = TcpListener::bind(addr).await?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared {
            script: Mutex::default(),
            handler,
            requests: Mutex::default(),
            received: watch::Sender::new(0),
        });
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

    /// Adds a reply to the queue.
    pub fn push(&self, reply: Reply) {
        lock(&self.shared.script).push_back(reply);
    }

    /// Replies still in the queue.
    #[must_use]
    pub fn scripted(&self) -> usize {
        lock(&self.shared.script).len()
    }

    /// All requests so far, in the order in which they were complete.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.shared.requests).clone()
    }

    /// Takes the requests so far, so that a long run does not keep them.
    #[must_use]
    pub fn take_requests(&self) -> Vec<Request> {
        std::mem::take(&mut *lock(&self.shared.requests))
    }

    /// Waits until `n` requests have arrived since the start.
    ///
    /// # Cancel safety
    /// Safe to drop.
    pub async fn received(&self, n: usize) {
        let mut received = self.shared.received.subscribe();
        // The sender lives in `self`, so waiting ends only by the condition.
        let _ = received.wait_for(|&count| count >= n).await;
    }
}

impl fmt::Debug for HttpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpServer").field("addr", &self.addr).finish_non_exhaustive()
    }
}

impl Shared {
    /// Decides about `request` and keeps it. The reply is chosen before anybody is told that the request is here.
    fn decide(&self, request: Request) -> Reply {
        let scripted = lock(&self.script).pop_front();
        let reply = scripted.unwrap_or_else(|| match &self.handler {
            Some(handler) => handler(&request),
            None => Reply::new(501).body("nothing is scripted for this request"),
        });
        lock(&self.requests).push(request);
        self.received.send_modify(|count| *count += 1);
        reply
    }
}

impl serve::Answers for Shared {
    async fn answer(&self, request: Request) -> Reply {
        self.decide(request)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
