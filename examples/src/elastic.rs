//! An endpoint within the process that speaks enough of Elasticsearch for the sink to write to it and for curl to
//! look into it. It answers what it cannot do with 400, and holds everything in memory.
//!
//! | request | answer |
//! |---|---|
//! | `GET /` | name and version |
//! | `POST /_bulk` | `index` and `create`, with a result per row |
//! | `GET /{index}/_count` | how many documents there are |
//! | `GET /{index}/_doc/{id}` | one document |
//! | `GET /{index}/_search?q=field:value&from=0&size=10` | documents whose field has this value, in order of their ids |

mod bulk;
mod query;
mod store;

pub use store::Document;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{get, post},
};
use std::{io, net::SocketAddr, sync::Arc};
use store::Store;
use tokio::{net::TcpListener, task::JoinSet};

/// The endpoint. Dropping it ends it.
#[derive(Debug)]
pub struct Elastic {
    address: SocketAddr,
    store: Arc<Store>,
    _server: JoinSet<()>,
}

impl Elastic {
    /// Listens on `port` of 127.0.0.1; 0: any that is free.
    ///
    /// # Errors
    /// If the port is taken.
    ///
    /// # Cancel safety
    /// Safe to drop.
    pub async fn start(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let (address, store) = (listener.local_addr()?, Arc::new(Store::default()));
        let app = Router::new()
            .route("/", get(query::root))
            .route("/_bulk", post(bulk::write))
            .route("/{index}/_count", get(query::count))
            .route("/{index}/_doc/{id}", get(query::document))
            .route("/{index}/_search", get(query::search))
            .layer(DefaultBodyLimit::max(100 << 20)) // Elasticsearch's own
            .with_state(Arc::clone(&store));
        let mut server = JoinSet::new();
        server.spawn(async move { drop(axum::serve(listener, app).await) });
        Ok(Self { address, store, _server: server })
    }

    /// Its address, `http://127.0.0.1:port`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All documents of an index with their ids, in order of the ids.
    #[must_use]
    pub fn documents(&self, index: &str) -> Vec<(String, Document)> {
        self.store
            .lock()
            .get(index)
            .into_iter()
            .flatten()
            .map(|(id, document)| (id.clone(), document.clone()))
            .collect()
    }
}
