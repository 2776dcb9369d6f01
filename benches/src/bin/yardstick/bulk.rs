//! The sending side: two requests in flight, each answered per document.

use benches::BoxError;
use bytes::Bytes;
use reqwest::header::CONTENT_TYPE;
use serde::{
    Deserialize, Deserializer as _,
    de::{Error as _, IgnoredAny, MapAccess, Visitor},
};
use std::{collections::HashMap, fmt, time::Duration};
use tokio::{runtime::Runtime, task::JoinSet, time};

const IN_FLIGHT: usize = 2;
/// 5,000 records of the input with their action lines.
const BODY_BYTES: usize = 3 << 20;
const TIMEOUT: Duration = Duration::from_secs(30);

/// A body's number and its buffer, once every document of it is stored.
pub(crate) type Answered = Result<(u64, Bytes), BoxError>;

/// A client, its one worker thread, and the requests in flight.
pub(crate) struct Bulk {
    // Before the runtime, so that requests are dropped first.
    flights: JoinSet<Answered>,
    runtime: Runtime,
    client: reqwest::Client,
    url: String,
    spare: Vec<Vec<u8>>,
}

impl Bulk {
    pub(crate) fn new(url: &str) -> Result<Self, BoxError> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let client = reqwest::Client::builder().no_proxy().tcp_nodelay(true).timeout(TIMEOUT).build()?;
        let url = format!("{}/bench/_bulk", url.trim_end_matches('/'));
        Ok(Self { flights: JoinSet::new(), runtime, client, url, spare: Vec::new() })
    }

    pub(crate) fn has_room(&self) -> bool {
        self.flights.len() < IN_FLIGHT
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.flights.is_empty()
    }

    /// Starts a request; there must be room.
    pub(crate) fn send(&mut self, sequence: u64, body: Vec<u8>) {
        let (client, url) = (self.client.clone(), self.url.clone());
        let body = Bytes::from(body);
        let request = async move {
            deliver(&client, &url, &body).await?;
            Ok((sequence, body))
        };
        self.flights.spawn_on(request, self.runtime.handle());
    }

    /// A request that has been answered, without waiting.
    pub(crate) fn answered(&mut self) -> Option<Answered> {
        self.flights.try_join_next().map(flatten)
    }

    /// A request that has been answered, within `most`.
    pub(crate) fn wait(&mut self, most: Duration) -> Option<Answered> {
        let flights = &mut self.flights;
        let next = self.runtime.block_on(async { time::timeout(most, flights.join_next()).await });
        next.ok().flatten().map(flatten)
    }

    /// Takes a body's buffer back; the kernel would zero a new one page by page.
    pub(crate) fn recycle(&mut self, body: Bytes) {
        if let Ok(mut body) = body.try_into_mut() {
            body.clear();
            self.spare.push(Vec::from(body));
        }
    }

    /// An empty buffer, used before if there is one, else as large as bodies become: growing would copy.
    pub(crate) fn buffer(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_else(|| Vec::with_capacity(BODY_BYTES))
    }
}

fn flatten(joined: Result<Answered, tokio::task::JoinError>) -> Answered {
    joined.map_err(BoxError::from)?
}

/// Why a body is not stored yet.
enum Refusal {
    /// Sent again after a pause: the ids make that harmless.
    Again(BoxError),
    /// Ends the loop.
    Never(BoxError),
}

async fn deliver(client: &reqwest::Client, url: &str, body: &Bytes) -> Result<(), BoxError> {
    let mut pause = Duration::from_millis(100);
    loop {
        match attempt(client, url, body.clone()).await {
            Ok(()) => return Ok(()),
            Err(Refusal::Never(error)) => return Err(error),
            Err(Refusal::Again(error)) => eprintln!("yardstick: again in {pause:?}: {error}"),
        }
        time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(10));
    }
}

async fn attempt(client: &reqwest::Client, url: &str, body: Bytes) -> Result<(), Refusal> {
    let again = |error: reqwest::Error| Refusal::Again(error.into());
    let request = client.post(url).header(CONTENT_TYPE, "application/x-ndjson").body(body);
    let mut response = request.send().await.map_err(again)?;
    let status = response.status();
    if status.is_server_error() || status.as_u16() == 429 {
        return Err(Refusal::Again(format!("the server answered {status}").into()));
    }
    if !status.is_success() {
        return Err(Refusal::Never(format!("the server answered {status}").into()));
    }
    // Elasticsearch says `errors` before the items: when it is false, they are drained, not kept.
    let (mut answer, mut errors) = (Vec::new(), None);
    while let Some(chunk) = response.chunk().await.map_err(again)? {
        if errors == Some(false) {
            continue;
        }
        answer.extend_from_slice(&chunk);
        if errors.is_none() {
            errors = errors_flag(&answer);
        }
    }
    match errors {
        Some(false) => Ok(()),
        Some(true) => items(&answer),
        None => Err(Refusal::Never("the answer says nothing about errors".into())),
    }
}

/// The `errors` member of a bulk answer that may be cut off behind it.
fn errors_flag(answer: &[u8]) -> Option<bool> {
    struct Search<'f>(&'f mut Option<bool>);
    impl<'de> Visitor<'de> for Search<'_> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a bulk answer")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
            while let Some(name) = members.next_key::<&str>()? {
                if name == "errors" {
                    *self.0 = Some(members.next_value()?);
                    return Err(A::Error::custom("found"));
                }
                members.next_value::<IgnoredAny>()?;
            }
            Ok(())
        }
    }
    let mut flag = None;
    // The error ends the parse where the flag or the text ends; the flag is the result.
    let _stopped = serde_json::Deserializer::from_slice(answer).deserialize_map(Search(&mut flag));
    flag
}

/// Judges the items of an answer with errors: all transient, then again; one that never works, then stop.
fn items(answer: &[u8]) -> Result<(), Refusal> {
    #[derive(Deserialize)]
    struct Answer {
        items: Vec<HashMap<String, Item>>,
    }
    #[derive(Deserialize)]
    struct Item {
        status: u16,
        #[serde(rename = "_id")]
        id: String,
    }
    let answer: Answer = serde_json::from_slice(answer).map_err(|error| Refusal::Again(error.into()))?;
    let failed = answer.items.iter().flat_map(HashMap::values).filter(|item| item.status >= 300);
    let (mut transient, mut count) = (true, 0);
    for item in failed {
        count += 1;
        if item.status != 429 && item.status < 500 {
            transient = false;
            eprintln!("yardstick: {} was refused with {}", item.id, item.status);
        }
    }
    let error = format!("{count} documents were refused").into();
    Err(if transient { Refusal::Again(error) } else { Refusal::Never(error) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_is_found_before_the_items_have_come() {
        assert_eq!(errors_flag(br#"{"took":3,"errors":false,"items":[{"ind"#), Some(false));
        assert_eq!(errors_flag(br#"{"took":3,"errors":true,"it"#), Some(true));
        assert_eq!(errors_flag(br#"{"took":3,"err"#), None);
        assert_eq!(errors_flag(br#"{"items":[{"index":{"errors":true}}]}"#), None);
    }

    #[test]
    fn one_document_that_never_works_stops_the_loop_and_busy_ones_do_not() {
        let busy = br#"{"errors":true,"items":[{"index":{"_id":"a","status":201}},{"index":{"_id":"b","status":429}}]}"#;
        assert!(matches!(items(busy), Err(Refusal::Again(_))));
        let bad = br#"{"errors":true,"items":[{"index":{"_id":"a","status":400}},{"index":{"_id":"b","status":429}}]}"#;
        assert!(matches!(items(bad), Err(Refusal::Never(_))));
    }
}
