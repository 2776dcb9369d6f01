//! The sink's configuration. Keys are Connect's Elasticsearch sink's where the meaning is the same.

use crate::bulk::index::IndexName;
use connect_core::{
    BackoffConfig, BulkConfig,
    config::{ByteSize, Problems, Secret, Timeout, Type, Value, not_empty},
};
use std::{fmt, time::Duration};

connect_core::choices! {
    /// What happens to a record whose value is null.
    pub enum OnNull {
        /// It is poison: the pipeline's policy decides.
        Fail = "fail",
        /// Nothing is written for it; it counts as delivered.
        Ignore = "ignore",
        /// The document with the record's key as id is deleted. Needs `key.ignore=false`. Safe against repetition
        /// within the index's `gc_deletes` (60 s by default) only: after that a late write of an older version
        /// brings the document back.
        Delete = "delete",
    }
}

connect_core::choices! {
    /// What happens to a document that Elasticsearch refuses.
    pub enum OnMalformed {
        /// It is poison: the pipeline's policy decides. `ignore` and `warn` of Connect's sink are what
        /// `errors.tolerance=all` does here for every kind of poison.
        Fail = "fail",
    }
}

connect_core::choices! {
    /// How a document is written.
    pub enum WriteMethod {
        /// The document replaces one with its id.
        Insert = "insert",
        /// The document is written only if there is none with its id; otherwise it counts as already present. Where
        /// ids are made from topic, partition and offset, `behavior.on.replay` has a say.
        Create = "create",
        /// The document's fields are merged into one with its id. Not versioned: order is kept while no outcome
        /// is unknown. Each value is checked to be a JSON object.
        Upsert = "upsert",
    }
}

connect_core::choices! {
    /// What happens when a document is there already (409) though nobody can have written its record before.
    pub enum OnReplay {
        /// The task stops: ids belong to another incarnation of the topic, or stand for other records too.
        Fail = "fail",
        /// The document counts as already present, for deliberate replays into an index that has them.
        Accept = "accept",
    }
}

connect_core::choices! {
    /// Which version a document gets where ids are record keys.
    pub enum Version {
        /// The record's offset: a late or repeated write never replaces a newer one. Breaks when partitions are
        /// added to the topic and a key moves to one with lower offsets: the task stops then, and goes on when it is
        /// started again.
        Offset = "offset",
        /// None: the last write wins, whichever it is.
        None = "none",
    }
}

connect_core::config! {
    /// Writes records as documents to Elasticsearch 7, 8, 9 or OpenSearch, by the plain `_bulk` API.
    pub struct EsConfig {
        /// Base URLs of the cluster's nodes, taken in turns; one that fails rests for a while.
        "connection.url" => urls: Vec<NodeUrl>, importance: High, group: "Connection", check: not_empty;
        /// The user.
        "connection.username" => username: Option<String>, group: "Connection";
        /// The user's password. One that is given by a reference (`${file:…}`) is looked up again when the cluster refuses it.
        "connection.password" => password: Option<Secret>, group: "Connection";
        /// An API key as Elasticsearch prints it (`encoded`), instead of user and password. Looked up again as a password is.
        "connection.api.key" => api_key: Option<Secret>, group: "Connection";
        /// The longest wait for a connection. Own default: Connect's 1 s is short for TLS over a slow network.
        "connection.timeout.ms" => connect_timeout: Duration = Duration::from_secs(5), range: Duration::from_millis(1).., group: "Connection";
        /// The longest wait for the answer to a request, which is then sent again. Own default, the server's own
        /// `timeout` of a bulk request: Connect's 3 s fails under load.
        "read.timeout.ms" => read_timeout: Duration = Duration::from_secs(60), range: Duration::from_millis(1).., group: "Connection";

        /// The index: text, in which `${topic}` stands for the record's topic in lower case.
        "index" => index: String = "${topic}".to_owned(), importance: High, group: "Documents", check: |template| IndexName::parse(template).map(drop);
        /// Whether a fixed index must exist at the start. Otherwise the cluster creates it, if it is allowed to.
        "index.required" => index_required: bool = false, group: "Documents";
        /// Whether ids are made from topic, partition and offset (`topic+partition+offset`, and `+number` for
        /// siblings), which makes repetition harmless; `false`: the record's key is the id. Own default: Connect's
        /// is false.
        "key.ignore" => key_ignore: bool = true, importance: High, group: "Documents";
        /// Whether Elasticsearch makes the ids. Documents that are sent again are then stored twice.
        "use.autogenerated.ids" => autogenerated_ids: bool = false, group: "Documents";
        /// Which version a document gets where ids are record keys.
        "external.version" => version: Version = Version::Offset, group: "Documents";
        /// How a document is written.
        "write.method" => write_method: WriteMethod = WriteMethod::Insert, group: "Documents";
        /// What happens to a record whose value is null.
        "behavior.on.null.values" => on_null: OnNull = OnNull::Fail, group: "Documents";
        /// What happens when a document is there already though nobody can have written its record before: not within
        /// what a restart repeats (`max.uncommitted.records` and what is read ahead), nor by an attempt of our own.
        /// Matters with `write.method=create` where ids are made from topic, partition and offset, and with versions.
        "behavior.on.replay" => on_replay: OnReplay = OnReplay::Fail, group: "Documents";
        /// What happens to a document that Elasticsearch refuses.
        "behavior.on.malformed.documents" => on_malformed: OnMalformed = OnMalformed::Fail, group: "Documents";

        /// Records in a request at most. Connect's default, and the cheapest by measurement (see `BulkConfig`).
        "batch.size" => batch_records: usize = 2_000, range: 1..=1_000_000, group: "Batching", importance: High;
        /// Bytes in a request at most; a larger record goes alone. Connect's default.
        "bulk.size.bytes" => batch_bytes: ByteSize = ByteSize::mib(5), range: ByteSize::kib(1)..=ByteSize::mib(100), group: "Batching";
        /// The longest wait for a request to fill. Own default, see `BulkConfig::linger`; Connect's is 1 ms.
        "linger.ms" => linger: Duration = Duration::from_millis(100), range: ..=Duration::from_secs(600), group: "Batching";
        /// Requests in flight at most; fewer while the cluster is overloaded. Connect's default.
        "max.in.flight.requests" => in_flight: usize = 5, range: 1..=1_000, group: "Batching";
        /// Before the first repetition; it doubles up to `retry.backoff.max.ms`. Connect's default.
        "retry.backoff.ms" => backoff: Duration = Duration::from_millis(100), group: "Batching";
        /// The longest wait before a repetition. Connect's `errors.retry.delay.max.ms`.
        "retry.backoff.max.ms" => backoff_max: Duration = Duration::from_secs(60), group: "Batching";
        /// How long a record may fail for passing reasons until the task stops; -1: for ever, Connect's `-1` of
        /// `errors.retry.timeout` and against the 6 s of its Elasticsearch sink.
        "retry.timeout.ms" => retry_timeout: Timeout = Timeout::Never, group: "Batching";
    } check whole
}

impl EsConfig {
    /// How requests are made of records.
    #[must_use]
    pub fn bulk(&self) -> BulkConfig {
        BulkConfig {
            batch_bytes: self.batch_bytes.len(),
            batch_records: self.batch_records,
            linger: self.linger,
            in_flight_max: self.in_flight,
            // The client gives up first, so that it learns which node was silent.
            request_timeout: self.read_timeout + self.connect_timeout + Duration::from_secs(1),
            backoff: BackoffConfig { initial: self.backoff, max: self.backoff_max },
            retry_timeout: self.retry_timeout.limit(),
        }
    }

    /// Whether a conflict (409) says that a record was written before. Created under a record's key, a document is
    /// that of the key's first record, whichever came before.
    pub(crate) fn conflicts_tell(&self) -> bool {
        match self.ids() {
            Ids::Origin => self.write_method == WriteMethod::Create,
            Ids::Key { versioned } => versioned,
            Ids::Server => false,
        }
    }

    /// Where ids come from.
    pub(crate) fn ids(&self) -> Ids {
        match (self.autogenerated_ids, self.key_ignore, self.version) {
            (true, ..) => Ids::Server,
            (false, true, _) => Ids::Origin,
            (false, false, version) => {
                let versioned = version == Version::Offset && self.write_method == WriteMethod::Insert;
                Ids::Key { versioned }
            }
        }
    }
}

/// Where a document's id comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ids {
    /// Topic, partition and offset.
    Origin,
    /// The record's key.
    Key { versioned: bool },
    /// Elasticsearch.
    Server,
}

fn whole(config: &EsConfig, problems: &mut Problems) {
    if config.username.is_some() != config.password.is_some() {
        problems.add("connection.username", "give both connection.username and connection.password, or none");
    }
    if config.api_key.is_some() && config.username.is_some() {
        problems.add("connection.api.key", "give either an API key or a user, not both");
    }
    let ids = config.ids();
    if config.on_null == OnNull::Delete && !matches!(ids, Ids::Key { .. }) {
        problems.add("behavior.on.null.values", "delete needs record keys as ids: set key.ignore=false");
    }
    if ids == Ids::Server && config.write_method != WriteMethod::Insert {
        problems.add("write.method", "only insert goes with use.autogenerated.ids=true");
    }
    if config.index_required && config.index.contains("${") {
        problems.add("index.required", "only a fixed index can be looked for at the start");
    }
}

/// The base URL of a node: `http` or `https`, without user and password, which have keys of their own. So it can be
/// shown.
#[derive(Clone, PartialEq, Eq)]
pub struct NodeUrl(reqwest::Url);

impl NodeUrl {
    /// The URL of `path`, which has no slash in front, below this one.
    pub(crate) fn join(&self, path: &str) -> reqwest::Url {
        let url = format!("{self}/{path}");
        url.parse().expect("a path below a base URL is a URL")
    }
}

impl fmt::Display for NodeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl fmt::Debug for NodeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Value for NodeUrl {
    const TYPE: Type = Type::String;
    const URL: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        let url = reqwest::Url::parse(text.trim()).map_err(|_| "not a URL".to_owned())?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err("not an http or https URL".into());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(
                "a user does not belong in a URL: use connection.username and connection.password".into()
            );
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("a base URL has no query and no fragment".into());
        }
        Ok(Self(url))
    }

    fn show(&self) -> String {
        self.to_string()
    }

    fn allowed() -> Option<String> {
        Some("a URL such as https://node1:9200".into())
    }
}

impl std::str::FromStr for NodeUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use connect_core::config::{Config, Settings};

    fn problems(pairs: &[(&str, &str)]) -> String {
        let mut all = vec![("connection.url", "http://a:9200")];
        all.extend(pairs);
        EsConfig::parse(&Settings::literal(all)).map_or_else(|e| e.to_string(), |_| String::new())
    }

    #[test]
    fn a_connect_users_keys_are_read() {
        let settings = Settings::literal([
            ("connection.url", "http://a:9200/, https://b/es"),
            ("connection.username", "elastic"),
            ("connection.password", "secret-word"),
            ("key.ignore", "false"),
            ("behavior.on.null.values", "DELETE"),
            ("behavior.on.malformed.documents", "FAIL"),
            ("write.method", "UPSERT"),
            ("batch.size", "100"),
        ]);
        let config = EsConfig::parse(&settings).unwrap();
        let urls: Vec<String> = config.urls.iter().map(|url| url.join("_bulk").into()).collect();
        assert_eq!(urls, ["http://a:9200/_bulk", "https://b/es/_bulk"]);
        assert_eq!((config.ids(), config.bulk().batch_records), (Ids::Key { versioned: false }, 100));
        assert!(!format!("{config:?}").contains("secret-word"));
    }

    #[test]
    fn every_problem_is_named_at_once() {
        let wrong = [
            ("connection.username", "elastic"),
            ("use.autogenerated.ids", "true"),
            ("write.method", "create"),
            ("behavior.on.null.values", "delete"),
        ];
        let text = problems(&wrong);
        for key in ["connection.username", "write.method", "behavior.on.null.values"] {
            assert!(text.contains(key), "{key} in {text}");
        }
        let text = problems(&[("index", "UPPER"), ("behavior.on.malformed.documents", "warn")]);
        assert!(text.contains("lower case") && text.contains("behavior.on.malformed.documents"), "{text}");
    }

    #[test]
    fn a_secret_in_a_url_is_refused_and_not_shown() {
        let text = problems(&[("connection.url", "https://elastic:hunter2@a:9200")]);
        assert!(text.contains("connection.password") && !text.contains("hunter2"), "{text}");
        for wrong in
            ["http://a:9200/?api_key=hunter2", "http://a:9200/#hunter2", "ApiKey hunter2", "a:9200/hunter2"]
        {
            let settings = Settings::literal([("connection.url", wrong)]);
            let error = EsConfig::parse(&settings).unwrap_err();
            let shown = format!("{error} {error:?} {}", EsConfig::infos("es", &settings));
            assert!(shown.contains("connection.url") && !shown.contains("hunter2"), "{shown}");
        }
        assert!("ftp://a".parse::<NodeUrl>().is_err());
        assert!("http://a/?x=1".parse::<NodeUrl>().is_err());
    }
}
