//! An S3 server in this process, over a directory: it outlives the children.

use axum::{Router, body::Body, extract::Request, http::StatusCode, response::IntoResponse};
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use s3s_fs::FileSystem;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::mpsc,
};
use tokio::runtime::Handle;

const KEY: &str = "chaos";
const SECRET: &str = "chaos-secret";
const BUCKET: &str = "bucket";

/// A running server; it ends with the process.
pub(crate) struct S3 {
    endpoint: String,
    root: PathBuf,
}

impl S3 {
    /// Serves `root`.
    pub(crate) fn start(root: &Path) -> Self {
        std::fs::create_dir_all(root.join(BUCKET)).expect("a directory for the bucket");
        let mut service = S3ServiceBuilder::new(FileSystem::new(root).expect("a store"));
        service.set_auth(SimpleAuth::from_single(KEY, SECRET));
        let service = service.build();
        let app = Router::new().fallback(move |request: Request| {
            let service = service.clone();
            async move {
                // A task of its own, which a client's death does not end: a store that stops between an object and its
                // metadata is not what S3 is.
                let answer = Handle::current()
                    .spawn(async move { service.call(request.map(s3s::Body::http_body_unsync)).await });
                match answer.await {
                    Ok(Ok(answer)) => answer.map(Body::new).into_response(),
                    Ok(Err(e)) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{e:?}")).into_response(),
                    Err(e) => (StatusCode::INTERNAL_SERVER_ERROR, e.to_string()).into_response(),
                }
            }
        });
        let (address, bound) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
                address.send(listener.local_addr().expect("an address")).expect("somebody waits for it");
                axum::serve(listener, app).await.expect("the server runs");
            });
        });
        let address = bound.recv().expect("the server starts");
        Self { endpoint: format!("http://{address}"), root: root.to_owned() }
    }

    /// Settings of a sink that writes here, below `prefix`.
    pub(crate) fn settings(&self, prefix: &str) -> BTreeMap<String, String> {
        [
            ("store.url", format!("s3://{BUCKET}/{prefix}")),
            ("store.endpoint", self.endpoint.clone()),
            ("store.region", "us-east-1".to_owned()),
            ("store.access.key.id", KEY.to_owned()),
            ("store.secret.access.key", SECRET.to_owned()),
            ("s3.path.style.access.enabled", "true".to_owned()),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .into()
    }

    /// Where the objects below `prefix` lie as files.
    pub(crate) fn dir(&self, prefix: &str) -> PathBuf {
        self.root.join(BUCKET).join(prefix)
    }
}
