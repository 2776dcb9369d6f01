//! HTTP: the only place that sends anything.

mod auth;
mod nodes;
mod parts;

use crate::{
    bulk::response::{Answer, Item, ItemCount, all_succeeded, reason},
    config::{EsConfig, NodeUrl},
    error::Failure,
};
use bytes::Bytes;
use connect_core::Error;
use nodes::Nodes;
use parts::Parts;
use reqwest::{
    Body, Response, StatusCode, Url,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER},
};
use std::{
    cmp::Ordering,
    collections::VecDeque,
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
const NDJSON: HeaderValue = HeaderValue::from_static("application/x-ndjson");

/// The cluster.
#[derive(Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    urls: Vec<NodeUrl>,
    /// Where each node takes bulk requests.
    bulk_urls: Vec<Url>,
    authorization: Option<HeaderValue>,
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
            authorization: auth::authorization(config).map_err(fatal)?,
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
        let response = self.send(url, request).await?;
        let wait = retry_after(&response);
        if !response.status().is_success() {
            return Err(refusal(url, response).await);
        }
        read_answer(url, response, wait, rows).await
    }

    /// `GET` or `HEAD` of one node, for the start-up check.
    pub(crate) async fn ask(&self, url: &NodeUrl, head: bool, path: &str) -> Result<Vec<u8>, Failure> {
        let target = url.join(path);
        let request = if head { self.http.head(target) } else { self.http.get(target) };
        let mut response = self.send(url, request).await?;
        if !response.status().is_success() {
            return Err(refusal(url, response).await);
        }
        let mut body = Vec::new();
        read_up_to(&mut response, &mut body, REASON_BYTES_MAX).await.map_err(|e| no_answer(url, e))?;
        Ok(body)
    }

    pub(crate) fn urls(&self) -> &[NodeUrl] {
        &self.urls
    }

    async fn send(&self, url: &NodeUrl, mut request: reqwest::RequestBuilder) -> Result<Response, Failure> {
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        request.send().await.map_err(|e| no_answer(url, e))
    }
}

/// Without the URL, which the error names already.
fn no_answer(url: &NodeUrl, error: reqwest::Error) -> Failure {
    Failure::NoAnswer { node: url.to_string(), source: error.without_url() }
}

/// Reads an answer. If its beginning says that all is well, items are counted and nothing is kept.
async fn read_answer(
    url: &NodeUrl,
    mut response: Response,
    wait: Option<Duration>,
    rows: usize,
) -> Result<Answered, Failure> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| no_answer(url, e))? {
        if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(Failure::TooLarge { node: url.to_string(), max: ANSWER_BYTES_MAX });
        }
        // Usually the first chunk has it all.
        if bytes.is_empty() && all_succeeded(&chunk) {
            return count_items(url, response, &chunk, rows).await;
        }
        bytes.extend_from_slice(&chunk);
        if all_succeeded(&bytes) {
            return count_items(url, response, &bytes, rows).await;
        }
    }
    Ok(Answered::Body(BulkBody { node: url.to_string(), bytes, wait }))
}

/// Reads the rest of an answer that says that all is well: it holds only if there is an item for each row.
async fn count_items(
    url: &NodeUrl,
    mut response: Response,
    beginning: &[u8],
    rows: usize,
) -> Result<Answered, Failure> {
    let mut count = ItemCount::default();
    count.add(beginning);
    loop {
        match response.chunk().await {
            Ok(Some(part)) => count.add(&part),
            Ok(None) => break,
            // With an item for each row the answer is known: what breaks now is a connection, nothing else.
            Err(_) if count.items() == rows => break,
            Err(e) => return Err(no_answer(url, e)),
        }
    }
    let (node, items) = (|| url.to_string(), count.items());
    match items.cmp(&rows) {
        Ordering::Less => Err(Failure::Uncounted { node: node(), items, rows }),
        Ordering::Equal => Ok(Answered::AllSucceeded),
        Ordering::Greater => Err(Failure::Mismatch { node: node(), items, rows }),
    }
}

async fn refusal(url: &NodeUrl, mut response: Response) -> Failure {
    let (status, wait) = (response.status(), retry_after(&response));
    let mut body = Vec::new();
    let reason = match read_up_to(&mut response, &mut body, REASON_BYTES_MAX).await {
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

async fn read_up_to(response: &mut Response, body: &mut Vec<u8>, max: usize) -> Result<(), reqwest::Error> {
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk[..chunk.len().min(max - body.len())]);
        if body.len() == max {
            break;
        }
    }
    Ok(())
}

/// `Retry-After` in seconds (RFC 9110, 10.2.3). Elasticsearch, OpenSearch and the proxies before them send no date.
fn retry_after(response: &Response) -> Option<Duration> {
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}
