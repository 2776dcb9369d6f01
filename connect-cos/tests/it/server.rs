//! An S3 server in this process, with faults.

use axum::{Router, body::Body, extract::Request, response::Response};
use s3s::{
    auth::SimpleAuth,
    service::{S3Service, S3ServiceBuilder},
};
use s3s_fs::FileSystem;
use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};
use tokio::task::JoinSet;

pub(crate) const BUCKET: &str = "bucket";
pub(crate) const KEY: &str = "access";
/// Another key with the same secret.
pub(crate) const NEXT_KEY: &str = "next-access";
pub(crate) const SECRET: &str = "a-secret-of-the-tests";

/// What the server does wrong.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// The next so many answers to writes get lost after their effect.
    pub(crate) lose_answers: AtomicUsize,
    /// The next so many requests are refused with 503 before any effect.
    pub(crate) busy: AtomicUsize,
    /// The access key that is refused, and with which status, code and sentence.
    pub(crate) refused: Mutex<Option<(&'static str, u16, &'static str, &'static str)>>,
    /// Whether writes need a checksum, as in a bucket with object lock.
    pub(crate) wants_checksum: AtomicBool,
    /// Completions of multipart uploads.
    pub(crate) completions: AtomicUsize,
}

/// A server on a port of its own; ends when dropped.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) faults: Arc<Faults>,
    root: tempfile::TempDir,
    _task: JoinSet<()>,
}

impl Server {
    /// `conditional`: whether it honours `If-None-Match`. Has to be called within a runtime.
    pub(crate) fn start(conditional: bool) -> Self {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join(BUCKET)).unwrap();
        let mut builder = S3ServiceBuilder::new(FileSystem::new(root.path()).unwrap());
        let mut auth = SimpleAuth::from_single(KEY, SECRET);
        auth.register(NEXT_KEY.to_owned(), SECRET.into());
        builder.set_auth(auth);
        let overwrites = (!conditional).then(|| root.path().to_owned());
        let (service, faults) = (builder.build(), Arc::new(Faults::default()));
        let shared = Arc::clone(&faults);
        let app = Router::new().fallback(move |request: Request| {
            answer(service.clone(), Arc::clone(&shared), overwrites.clone(), request)
        });
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let mut task = JoinSet::new();
        task.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, faults, root, _task: task }
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.root.path().join(BUCKET)
    }
}

fn take(counter: &AtomicUsize) -> bool {
    counter.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

async fn answer(
    service: S3Service,
    faults: Arc<Faults>,
    overwrites: Option<PathBuf>,
    request: Request,
) -> Response {
    // The start-up check is spared: what fails is what comes after it.
    let uri = request.uri();
    let spared = [Some(uri.path()), uri.query()].into_iter().flatten().any(|part| part.contains(".connect"));
    if !spared && take(&faults.busy) {
        return Response::builder().status(503).body(Body::empty()).unwrap();
    }
    if let Some(refusal) = refused(&faults, &request) {
        return refusal;
    }
    let completes =
        request.method() == "POST" && request.uri().query().is_some_and(|query| query.contains("uploadId"));
    let writes = completes || request.method() == "PUT";
    if let Some(root) = overwrites.filter(|_| writes) {
        let _ = std::fs::remove_file(root.join(request.uri().path().trim_start_matches('/')));
    }
    // A task of its own, which a client's death does not end: a store that stops between an object and its metadata is
    // not what S3 is.
    let call = async move { service.call(request.map(s3s::Body::http_body_unsync)).await };
    let response = tokio::runtime::Handle::current().spawn(call).await.unwrap().unwrap();
    if completes && !spared {
        faults.completions.fetch_add(1, Ordering::SeqCst);
    }
    if writes && !spared && response.status().is_success() && take(&faults.lose_answers) {
        return Response::builder().status(500).body(Body::empty()).unwrap();
    }
    response.map(Body::new)
}

/// The answer to a request with the wrong key, or without the checksum that is wanted.
fn refused(faults: &Faults, request: &Request) -> Option<Response> {
    let error = |status, code: &str, sentence: &str| {
        let body = format!("<Error><Code>{code}</Code><Message>{sentence}</Message></Error>");
        Response::builder().status(status).body(Body::from(body)).unwrap()
    };
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    if let Some((key, status, code, sentence)) = *faults.refused.lock().unwrap()
        && header("authorization").is_some_and(|text| text.contains(&format!("Credential={key}/")))
    {
        return Some(error(status, code, sentence));
    }
    let wants = faults.wants_checksum.load(Ordering::SeqCst) && request.method() == "PUT";
    let has = header("content-md5").or(header("x-amz-checksum-crc32c")).is_some();
    (wants && !has).then(|| error(400, "InvalidRequest", "Content-MD5 HTTP header is required"))
}
