//! A proxy in front of the broker that reads along: it can corrupt what is fetched, and it can turn deaf.

use super::cluster;
use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, MutexGuard},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

/// Where brokers say they are, in answers.
const HOST: &[u8] = b"127.0.0.1";
const FETCH: i16 = 1;

/// Clients that come by the proxy never hear of another way. Dropping it ends all connections.
pub(crate) struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

struct Shared {
    broker: u16,
    port: u16,
    /// Nothing passes in either direction, and connections stay.
    deaf: watch::Sender<bool>,
    corruption: Mutex<Option<Corruption>>,
}

/// Bytes that are changed in each answer to a fetch.
struct Corruption {
    needle: Vec<u8>,
    /// From the first byte of the needle.
    distance: usize,
    /// In so many answers; then everything is whole.
    answers: usize,
}

impl Corruption {
    fn strike(&mut self, answer: &mut [u8]) {
        if self.answers == 0 {
            return;
        }
        let mut at = 0;
        while let Some(found) = find(&answer[at..], &self.needle) {
            at += found + self.distance;
            answer[at] ^= 0x55;
        }
        self.answers -= usize::from(at > 0);
    }
}

impl Proxy {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let broker = cluster::bootstrap().rsplit(':').next().and_then(|port| port.parse().ok());
        let broker = broker.expect("the broker's port");
        let (deaf, corruption) = (watch::Sender::new(false), Mutex::default());
        let shared = Arc::new(Shared { broker, port, deaf, corruption });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::clone(&shared)));
        Self { port, shared, _tasks: tasks }
    }

    pub(crate) fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Changes the byte `distance` behind the beginning of each `needle` that is fetched.
    pub(crate) fn corrupt(&self, needle: &[u8], distance: usize) {
        self.corrupt_in(usize::MAX, needle, distance);
    }

    /// The same in the next `answers` in which the needle is.
    pub(crate) fn corrupt_in(&self, answers: usize, needle: &[u8], distance: usize) {
        *self.shared.corruption() = Some(Corruption { needle: needle.to_vec(), distance, answers });
    }

    /// Lets everything through as it is again.
    pub(crate) fn heal(&self) {
        *self.shared.corruption() = None;
    }

    /// Lets nothing pass for a while.
    pub(crate) fn set_deaf(&self, deaf: bool) {
        self.shared.deaf.send_replace(deaf);
    }
}

impl Shared {
    fn corruption(&self) -> MutexGuard<'_, Option<Corruption>> {
        self.corruption.lock().expect("no test panics while it holds this")
    }

    async fn passes(&self) {
        let mut deaf = self.deaf.subscribe();
        // The sender lives in `self`.
        let _ = deaf.wait_for(|deaf| !*deaf).await;
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        shared.passes().await;
        let Ok(broker) = TcpStream::connect(("127.0.0.1", shared.broker)).await else { continue };
        // Requests of 30 bytes wait for nothing.
        let _ = (client.set_nodelay(true), broker.set_nodelay(true));
        let asked = Arc::default();
        let ((from_client, to_client), (from_broker, to_broker)) = (client.into_split(), broker.into_split());
        connections.spawn(requests(from_client, to_broker, Arc::clone(&shared), Arc::clone(&asked)));
        connections.spawn(answers(from_broker, to_client, Arc::clone(&shared), asked));
        while connections.try_join_next().is_some() {}
    }
}

/// What was asked for, by correlation id.
type Asked = Arc<Mutex<HashMap<[u8; 4], i16>>>;

async fn requests(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    shared: Arc<Shared>,
    asked: Asked,
) {
    while let Ok(frame) = frame(&mut from).await {
        if let ([a, b, _, _, id @ ..], true) = (&frame[..], frame.len() >= 8) {
            let id = [id[0], id[1], id[2], id[3]];
            asked.lock().expect("held for a moment").insert(id, i16::from_be_bytes([*a, *b]));
        }
        shared.passes().await;
        if send(&mut to, &frame).await.is_err() {
            return;
        }
    }
}

async fn answers(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    shared: Arc<Shared>,
    asked: Asked,
) {
    while let Ok(mut frame) = frame(&mut from).await {
        let id = frame.first_chunk::<4>().and_then(|id| asked.lock().expect("held for a moment").remove(id));
        redirect(&mut frame, &shared);
        if let (Some(FETCH), Some(corruption)) = (id, &mut *shared.corruption()) {
            corruption.strike(&mut frame);
        }
        shared.passes().await;
        if send(&mut to, &frame).await.is_err() {
            return;
        }
    }
}

/// Where the broker names its port, the client is to read ours.
fn redirect(frame: &mut [u8], shared: &Shared) {
    let address = |port: u16| [HOST, &i32::from(port).to_be_bytes()].concat();
    let (theirs, ours) = (address(shared.broker), address(shared.port));
    let mut at = 0;
    while let Some(found) = find(&frame[at..], &theirs) {
        at += found;
        frame[at..at + ours.len()].copy_from_slice(&ours);
    }
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}

async fn frame(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; from.read_u32().await? as usize];
    from.read_exact(&mut frame).await?;
    Ok(frame)
}

async fn send(to: &mut (impl AsyncWrite + Unpin), frame: &[u8]) -> io::Result<()> {
    let size = u32::try_from(frame.len()).expect("it came with such a size");
    to.write_all(&[&size.to_be_bytes(), frame].concat()).await
}
