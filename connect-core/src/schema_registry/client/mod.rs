//! HTTP: the only place that asks a registry.

use super::{Reference, RegisteredSchema, RegistryUrl, SchemaKind, SchemaRegistryConfig};
use crate::{Class, Error};
use reqwest::{
    StatusCode,
    header::{ACCEPT, HeaderMap, HeaderValue, RETRY_AFTER},
};
use serde::Deserialize;
use std::{
    collections::HashSet,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// A schema, or the answer about a subject, is not larger than this.
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// Schemas that one schema may refer to, directly and indirectly.
const REFERENCES_MAX: usize = 1000;
/// Connections that nobody used for this long are closed.
const IDLE: Duration = Duration::from_secs(60);
/// What the registry says about ids, subjects and versions that do not exist.
const UNKNOWN: [u32; 3] = [40401, 40402, 40403];

/// A client of a schema registry. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct SchemaRegistry(Arc<Inner>);

struct Inner {
    http: reqwest::Client,
    urls: Vec<RegistryUrl>,
    credentials: Credentials,
    /// It has answered once: from then on a refusal is taken for a passing one.
    answered: AtomicBool,
}

enum Credentials {
    None,
    User(String, String),
    Token(String),
}

/// What a registry says about a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// The schema.
    Found(RegisteredSchema),
    /// There is none, or it refers to one that there is not; the registry's words.
    Missing(String),
}

#[derive(Deserialize)]
struct Answer {
    schema: String,
    #[serde(rename = "schemaType")]
    kind: Option<String>,
    #[serde(default)]
    references: Vec<Link>,
}

#[derive(Deserialize)]
struct Link {
    name: String,
    subject: String,
    version: i64,
}

#[derive(Deserialize)]
struct Refusal {
    error_code: u32,
    #[serde(default)]
    message: String,
}

impl SchemaRegistry {
    /// A client; nothing is sent yet.
    ///
    /// # Errors
    /// Fatal, if the HTTP client cannot be set up or a credential cannot stand in a header.
    pub fn new(config: &SchemaRegistryConfig) -> Result<Self, Error> {
        let fatal = |source| Error::fatal("set up the schema registry's client", source);
        let accept = HeaderValue::from_static("application/vnd.schemaregistry.v1+json, application/json");
        let http = reqwest::Client::builder()
            .default_headers(HeaderMap::from_iter([(ACCEPT, accept)]))
            .connect_timeout(config.connect_timeout)
            .timeout(config.read_timeout)
            .pool_idle_timeout(IDLE)
            // Credentials must not follow to where nobody has configured them to go.
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .build()
            .map_err(fatal)?;
        let credentials = match (&config.user_info, &config.token) {
            (Some(info), _) => {
                let (user, password) = info.expose().split_once(':').unwrap_or((info.expose(), ""));
                Credentials::User(user.to_owned(), password.to_owned())
            }
            (None, Some(token)) => Credentials::Token(token.expose().to_owned()),
            (None, None) => Credentials::None,
        };
        let urls = config.urls.clone();
        Ok(Self(Arc::new(Inner { http, urls, credentials, answered: AtomicBool::new(false) })))
    }

    /// The schema of that number, with everything that it refers to. Of several URLs the first that has it is believed;
    /// it is missing once none of those that answer has it.
    ///
    /// # Errors
    /// Retriable if the registry is away, overloaded or does not answer in time, after each URL was tried. A refusal
    /// (401, 403 and the like) is fatal until the registry has answered once, and retriable from then on.
    ///
    /// # Cancel safety
    /// May be dropped; requests under way are given up.
    pub async fn schema(&self, id: u32) -> Result<Lookup, Error> {
        let root = match self.get(&["schemas", "ids", &id.to_string()], false).await? {
            Ok(answer) => answer,
            Err(missing) => return Ok(Lookup::Missing(missing)),
        };
        let kind = SchemaKind::parse(root.kind.as_deref());
        Ok(match self.references(root.references).await? {
            Ok(references) => Lookup::Found(RegisteredSchema { id, kind, text: root.schema, references }),
            Err(missing) => Lookup::Missing(missing),
        })
    }

    /// Depth first, so that each stands behind what it refers to.
    async fn references(&self, links: Vec<Link>) -> Result<Result<Vec<Reference>, String>, Error> {
        enum Step {
            Visit(Link),
            Leave(Reference),
        }
        let mut steps: Vec<Step> = links.into_iter().rev().map(Step::Visit).collect();
        let (mut seen, mut done) = (HashSet::new(), Vec::new());
        while let Some(step) = steps.pop() {
            let link = match step {
                Step::Leave(reference) => {
                    done.push(reference);
                    continue;
                }
                Step::Visit(link) => link,
            };
            if !seen.insert((link.name.clone(), link.subject.clone(), link.version)) {
                continue;
            }
            if seen.len() > REFERENCES_MAX {
                return Ok(Err(format!("it refers to more than {REFERENCES_MAX} schemas")));
            }
            let path = ["subjects", &link.subject, "versions", &link.version.to_string()];
            // A version that was deleted softly may still be referred to.
            match self.get(&path, true).await? {
                Err(missing) => return Ok(Err(format!("it refers to {}: {missing}", link.name))),
                Ok(answer) => {
                    steps.push(Step::Leave(Reference { name: link.name, text: answer.schema }));
                    steps.extend(answer.references.into_iter().rev().map(Step::Visit));
                }
            }
        }
        Ok(Ok(done))
    }

    /// One resource, from the first URL that has it. None of those that answer has it: it is missing.
    ///
    /// Confluent's client takes the word of the first that answers
    /// (<https://github.com/confluentinc/schema-registry/blob/master/client/src/main/java/io/confluent/kafka/schemaregistry/client/rest/RestService.java>).
    /// Behind that word a record is poison for good, and a registry that follows another's log may not have read of a
    /// new schema yet.
    async fn get(&self, path: &[&str], deleted: bool) -> Result<Result<Answer, String>, Error> {
        let (mut last, mut missing) = (None, None);
        for base in &self.0.urls {
            let mut url = base.join(path);
            if deleted {
                url.query_pairs_mut().append_pair("deleted", "true");
            }
            match self.ask(url).await {
                Err(error) if error.class() == Class::Retriable => last = Some(error),
                Ok(Err(words)) => {
                    missing.get_or_insert(words);
                }
                answer => return answer,
            }
        }
        if let Some(words) = missing {
            return Ok(Err(words));
        }
        Err(last.unwrap_or_else(|| Error::fatal("fetch a schema", "schema.registry.url names no URL")))
    }

    async fn ask(&self, url: reqwest::Url) -> Result<Result<Answer, String>, Error> {
        let about = url.to_string();
        let failed = |error: reqwest::Error| {
            Error::retriable("fetch a schema", error.without_url()).about(about.clone())
        };
        let request = self.0.http.get(url);
        let request = match &self.0.credentials {
            Credentials::None => request,
            Credentials::User(user, password) => request.basic_auth(user, Some(password)),
            Credentials::Token(token) => request.bearer_auth(token),
        };
        let mut response = request.send().await.map_err(failed)?;
        let (status, wait) = (response.status(), retry_after(response.headers()));
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                let text = format!("the answer has more than {ANSWER_BYTES_MAX} bytes");
                return Err(self.refused(text).about(about));
            }
            body.extend_from_slice(&chunk);
        }
        self.understand(status, &body).map_err(|error| error.about(about).after(wait))
    }

    fn understand(&self, status: StatusCode, body: &[u8]) -> Result<Result<Answer, String>, Error> {
        if status.is_success() {
            let answer = serde_json::from_slice(body).map_err(|_| {
                self.refused(
                    "the answer is not that of a schema registry: see schema.registry.url".to_owned(),
                )
            })?;
            self.0.answered.store(true, Ordering::Relaxed);
            return Ok(Ok(answer));
        }
        let refusal = serde_json::from_slice::<Refusal>(body).ok();
        let said = refusal.as_ref().map_or("", |refusal| &refusal.message);
        let transient = status.is_server_error()
            || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
        match &refusal {
            // Anything else with this status is not a registry: a wrong URL must not condemn records.
            Some(known) if status == StatusCode::NOT_FOUND && UNKNOWN.contains(&known.error_code) => {
                self.0.answered.store(true, Ordering::Relaxed);
                Ok(Err(if said.is_empty() { "not found".to_owned() } else { said.to_owned() }))
            }
            _ if transient => Err(Error::retriable("fetch a schema", format!("status {status} {said}"))),
            _ => Err(self.refused(format!("status {status} {said}"))),
        }
    }

    /// A refusal that a person may have to look at.
    fn refused(&self, why: String) -> Error {
        let class = if self.0.answered.load(Ordering::Relaxed) { Class::Retriable } else { Class::Fatal };
        Error::new(class, "fetch a schema", why)
    }
}

impl fmt::Debug for SchemaRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SchemaRegistry").field("urls", &self.0.urls).finish_non_exhaustive()
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests;
