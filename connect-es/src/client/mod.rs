//! HTTP: the only place that sends anything.

mod auth;
mod nodes;
mod parts;
mod reader;

use crate::{
    bulk::response::{Answer, Item, ItemCount, all_succeeded, reason},
    config::{EsConfig, NodeUrl},
    error::{Failure, shortened},
};
use auth::{Credentials, Renewed};
use bytes::Bytes;
use connect_core::Error;
use nodes::Nodes;
use parts::Parts;
use reader::Reader;
use reqwest::{
    Body, Response, StatusCode, Url,
    header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER},
};
use std::{
    cmp::Ordering,
    collections::VecDeque,
    error::Error as StdError,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// An answer is held up to this size, to be read item by item. 5,000 items that failed take about 2 MB.
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// The beginning of an answer that is no bulk answer: enough for the reason.
const REASON_BYTES_MAX: usize = 16 << 10;
/// Connections that nobody used for this long are closed, as `max.connection.idle.time.ms` of Connect's sink.
const IDLE: Duration = Duration::from_secs(60);
/// Answers are wanted as they are: unpacking one costs more than the few bytes per row that packing it saves. What comes in
/// gzip all the same is read.
const IDENTITY: HeaderValue = HeaderValue::from_static("identity");
const NDJSON: HeaderValue = HeaderValue::from_static("application/x-ndjson");

/// The cluster.
#[derive(Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    urls: Vec<NodeUrl>,
    /// Where each node takes bulk requests.
    bulk_urls: Vec<Url>,
    credentials: Credentials,
    nodes: Mutex<Nodes>,
}

/// What a bulk request brought.
#[derive(Debug)]
pub(crate) enum Answered {
    /// Every item succeeded. What kind of success is not looked at.
    AllSucceeded,
    /// The answer, to be read item by item.
    Body(BulkBody),
}

/// An answer of `_bulk` with failures in it.
#[derive(Debug)]
pub(crate) struct BulkBody {
    node: String,
    bytes: Vec<u8>,
    /// What the answer's `Retry-After` says; it holds for each item.
    pub(crate) wait: Option<Duration>,
}

impl BulkBody {
    /// The items, as many as there are rows or fewer.
    pub(crate) fn items(&self, rows: usize) -> Result<Vec<Item<'_>>, Failure> {
        let answer: Answer<'_> = serde_json::from_slice(&self.bytes)
            .map_err(|source| Failure::NotAnAnswer { node: self.node.clone(), source })?;
        let items = answer.items.len();
        if items > rows {
            return Err(Failure::Mismatch { node: self.node.clone(), items, rows });
        }
        Ok(answer.items)
    }
}

impl Client {
    pub(crate) fn new(config: &EsConfig) -> Result<Self, Error> {
        let fatal = |what: &'static str| Error::fatal("set up the HTTP client", what);
        let http = reqwest::Client::builder()
            .connect_timeout(config.connect_timeout)
            .timeout(config.read_timeout)
            .pool_idle_timeout(IDLE)
            .default_headers(HeaderMap::from_iter([(ACCEPT_ENCODING, IDENTITY)]))
            // A body must not follow to where nobody has configured it to go.
            .redirect(reqwest::redirect::Policy::none())
            // Repetition is the bulk sink's business.
            .retry(reqwest::retry::never())
            .build()
            .map_err(|e| Error::fatal("set up the HTTP client", e))?;
        Ok(Self {
            http,
            urls: config.urls.clone(),
            bulk_urls: config.urls.iter().map(|url| url.join("_bulk")).collect(),
            credentials: Credentials::new(config).map_err(fatal)?,
            nodes: Mutex::new(Nodes::new(config.urls.len())),
        })
    }

    /// Sends a bulk request of `rows` rows to one node, once.
    pub(crate) async fn bulk(&self, body: VecDeque<Bytes>, rows: usize) -> Result<Answered, Failure> {
        let node = self.nodes().pick(Instant::now());
        let result = self.bulk_to(node, body, rows).await;
        match &result {
            Err(failure) if failure.is_the_nodes() => self.nodes().failed(node, Instant::now()),
            _ => self.nodes().answered(node),
        }
        result
    }

    fn nodes(&self) -> std::sync::MutexGuard<'_, Nodes> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn bulk_to(&self, node: usize, body: VecDeque<Bytes>, rows: usize) -> Result<Answered, Failure> {
        let url = &self.urls[node];
        let request = self.http.post(self.bulk_urls[node].clone()).header(CONTENT_TYPE, NDJSON);
        let request = request.body(Body::wrap(Parts(body)));
        let authorization = self.credentials.header();
        let response = send(url, request, authorization.clone()).await?;
        let wait = retry_after(&response);
        if !response.status().is_success() {
            let mut failure = refusal(url, response).await;
            // Whatever comes of it: the request goes again, as all of this kind do.
            self.renew(&mut failure, authorization.as_ref()).await;
            return Err(failure);
        }
        read_answer(url, response, wait, rows).await
    }

    /// `GET` or `HEAD` of one node, for the start-up check.
    pub(crate) async fn ask(&self, url: &NodeUrl, head: bool, path: &str) -> Result<Vec<u8>, Failure> {
        let mut renewed = false;
        let response = loop {
            let target = url.join(path);
            let request = if head { self.http.head(target) } else { self.http.get(target) };
            let authorization = self.credentials.header();
            let response = send(url, request, authorization.clone()).await?;
            if response.status().is_success() {
                break response;
            }
            let mut failure = refusal(url, response).await;
            // A task that starts again begins with what was configured once.
            if renewed || !self.renew(&mut failure, authorization.as_ref()).await {
                return Err(failure);
            }
            renewed = true;
        };
        let mut body = Vec::new();
        read_beginning(url, response, &mut body).await?;
        Ok(body)
    }

    pub(crate) fn urls(&self) -> &[NodeUrl] {
        &self.urls
    }

    /// Looks the credentials up again if they were refused, and says in the failure what came of it. Whether there are
    /// others now.
    async fn renew(&self, failure: &mut Failure, refused: Option<&HeaderValue>) -> bool {
        let Failure::Status { node, status: status @ (401 | 403), reason, .. } = failure else {
            return false;
        };
        let key = self.credentials.key();
        let renewed = self.credentials.renew(refused).await;
        match &renewed {
            Renewed::Changed => {
                tracing::warn!(%node, status, "credentials were refused, {key} has another value now, which is used from here on");
            }
            Renewed::Same => reason.push_str(&format!(" ({key} was looked up again and is the same)")),
            Renewed::Failed(why) => reason.push_str(&format!(" ({key} could not be looked up again: {why})")),
            Renewed::Fixed => {}
        }
        renewed == Renewed::Changed
    }
}

async fn send(
    url: &NodeUrl,
    mut request: reqwest::RequestBuilder,
    authorization: Option<HeaderValue>,
) -> Result<Response, Failure> {
    if let Some(authorization) = authorization {
        request = request.header(AUTHORIZATION, authorization);
    }
    request.send().await.map_err(|e| no_answer(url, &e))
}

/// With the innermost cause alone: what wraps it says in three sentences that a request was sent.
fn no_answer(url: &NodeUrl, error: &reqwest::Error) -> Failure {
    let mut cause: &dyn StdError = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    let cause = shortened(&cause.to_string());
    Failure::NoAnswer { node: url.to_string(), cause, reached: !error.is_connect() }
}

/// Reads an answer. If its beginning says that all is well, items are counted and nothing is kept.
async fn read_answer(
    url: &NodeUrl,
    response: Response,
    wait: Option<Duration>,
    rows: usize,
) -> Result<Answered, Failure> {
    let mut body = Reader::new(url, response)?;
    let mut bytes = Vec::new();
    while let Some(chunk) = body.chunk().await? {
        if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(Failure::TooLarge { node: url.to_string(), max: ANSWER_BYTES_MAX });
        }
        // Usually the first chunk has it all.
        if bytes.is_empty() && all_succeeded(&chunk) {
            return count_items(url, body, &chunk, rows).await;
        }
        bytes.extend_from_slice(&chunk);
        if all_succeeded(&bytes) {
            return count_items(url, body, &bytes, rows).await;
        }
    }
    Ok(Answered::Body(BulkBody { node: url.to_string(), bytes, wait }))
}

/// Reads the rest of an answer that says that all is well: it holds only if there is an item for each row.
async fn count_items(
    url: &NodeUrl,
    mut body: Reader<'_>,
    beginning: &[u8],
    rows: usize,
) -> Result<Answered, Failure> {
    let mut count = ItemCount::default();
    count.add(beginning);
    // More items than rows are too many whatever follows: nobody reads on.
    while count.items() <= rows {
        match body.chunk().await {
            Ok(Some(part)) => count.add(&part),
            Ok(None) => break,
            // With an item for each row the answer is known: what breaks now is a connection, nothing else.
            Err(_) if count.items() == rows => break,
            Err(failure) => return Err(failure),
        }
    }
    let (node, items) = (|| url.to_string(), count.items());
    match items.cmp(&rows) {
        Ordering::Less => Err(Failure::Uncounted { node: node(), items, rows }),
        Ordering::Equal => Ok(Answered::AllSucceeded),
        Ordering::Greater => Err(Failure::Mismatch { node: node(), items, rows }),
    }
}

async fn refusal(url: &NodeUrl, response: Response) -> Failure {
    let (status, wait) = (response.status(), retry_after(&response));
    if status.is_redirection() {
        let location = location(url, &response);
        return Failure::Redirect { node: url.to_string(), status: status.as_u16(), location };
    }
    let mut body = Vec::new();
    let reason = match read_beginning(url, response, &mut body).await {
        Ok(()) if !body.is_empty() => reason(&body),
        _ => status.canonical_reason().unwrap_or("no reason given").to_owned(),
    };
    Failure::Status { node: url.to_string(), status: status.as_u16(), reason: hint(status, reason), wait }
}

fn hint(status: StatusCode, reason: String) -> String {
    match status {
        StatusCode::UNAUTHORIZED => {
            format!("{reason} (see connection.username, connection.password and connection.api.key)")
        }
        StatusCode::PAYLOAD_TOO_LARGE => format!("{reason} (see bulk.size.bytes)"),
        _ => reason,
    }
}

/// Reads as much as is looked at: enough for a reason.
async fn read_beginning(url: &NodeUrl, response: Response, beginning: &mut Vec<u8>) -> Result<(), Failure> {
    let mut body = Reader::new(url, response)?;
    while let Some(chunk) = body.chunk().await? {
        beginning.extend_from_slice(&chunk[..chunk.len().min(REASON_BYTES_MAX - beginning.len())]);
        if beginning.len() == REASON_BYTES_MAX {
            break;
        }
    }
    Ok(())
}

/// Where a redirect leads, without what may be a secret there: user, password and query.
fn location(url: &NodeUrl, response: &Response) -> String {
    let text = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
    let Some(mut target) = text.and_then(|text| url.join("").join(text).ok()) else {
        return "an unnamed place".to_owned();
    };
    target.set_query(None);
    target.set_fragment(None);
    // Not of every kind of URL; one that cannot have them has none.
    let _none = target.set_username("").and_then(|()| target.set_password(None));
    shortened(target.as_str())
}

/// `Retry-After` in seconds (RFC 9110, 10.2.3). Elasticsearch, OpenSearch and the proxies before them send no date.
fn retry_after(response: &Response) -> Option<Duration> {
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}
