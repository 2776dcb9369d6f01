//! An HTTP endpoint within the process that takes JSON lines and keeps each id once.

use axum::{Router, extract::State, http::StatusCode, routing::post};
use serde::Deserialize;
use std::{
    collections::BTreeSet,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{net::TcpListener, task::JoinSet};

/// The endpoint. Dropping it ends it.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    ids: Ids,
    _server: JoinSet<()>,
}

type Ids = Arc<Mutex<BTreeSet<String>>>;

#[derive(Deserialize)]
struct Line {
    id: String,
}

impl Receiver {
    /// Listens on a port of 127.0.0.1.
    ///
    /// # Errors
    /// If there is none.
    ///
    /// # Cancel safety
    /// Safe to drop.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let (address, ids) = (listener.local_addr()?, Ids::default());
        let app = Router::new().route("/", post(receive)).with_state(Arc::clone(&ids));
        let mut server = JoinSet::new();
        server.spawn(async move { drop(axum::serve(listener, app).await) });
        Ok(Self { address, ids, _server: server })
    }

    /// Where to post to.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// How many different lines have arrived.
    #[must_use]
    pub fn received(&self) -> usize {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// All lines or none.
async fn receive(State(ids): State<Ids>, body: String) -> StatusCode {
    let lines: Result<Vec<Line>, _> = body.lines().map(serde_json::from_str).collect();
    let Ok(lines) = lines else { return StatusCode::BAD_REQUEST };
    ids.lock().unwrap_or_else(PoisonError::into_inner).extend(lines.into_iter().map(|line| line.id));
    StatusCode::NO_CONTENT
}
