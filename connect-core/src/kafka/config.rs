//! What a Kafka source is told.

use super::names::NAMES;
use crate::config::Passthrough;
use std::{collections::BTreeMap, time::Duration};

/// Topics that brokers keep for themselves; no pattern finds them.
const INTERNAL: [&str; 3] = ["__consumer_offsets", "__transaction_state", "__share_group_state"];

/// Which topics are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Topics {
    /// These.
    List(Vec<String>),
    /// All whose whole name matches this regular expression (of the `regex` crate), those that are created later
    /// included: they are found within `topic.metadata.refresh.interval.ms`, librdkafka's 5 minutes by default.
    /// Matched here, because librdkafka's own expressions know neither `\d` nor `(?:`.
    Pattern(String),
}

/// Start position of partitions when a group begins, which is when it has committed nothing yet.
///
/// One member then commits the start of all partitions that there are. Those that appear later start at the
/// earliest offset whatever this says: they are known by having no commit where others have one, also after a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum StartPosition {
    /// At the first record that the log holds. The default, as in Kafka Connect.
    #[default]
    Earliest,
    /// Behind the last record.
    Latest,
    /// At the first record with this timestamp (milliseconds since the Unix epoch) or a later one; at the end if there
    /// is none.
    Timestamp(i64),
    /// At these offsets, by topic and partition; others at the earliest.
    Offsets(BTreeMap<(String, i32), i64>),
}

/// What to do when the log does not have what is to be read next.
///
/// The same goes for a batch that is corrupt. Checksums are verified with the property `check.crcs=true`, which librdkafka
/// leaves off; what cannot be unpacked is noticed without.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnDataLoss {
    /// Stop and say what is missing. The default.
    #[default]
    Stop,
    /// Report an [`Event::Gap`](crate::Event::Gap) and go on. Where a corrupt batch ends is found by fetches from behind
    /// its beginning, with clients of their own outside of the group: all of its offsets count as lost, and no others. One
    /// that is whole when it is fetched again is read. If the end is not found within half of `max.poll.interval.ms` or
    /// `revoke.timeout.ms`, whichever is shorter, the task stops all the same, and so it does over a batch of a
    /// compression or format that this build does not know, or that is intact and only larger than
    /// `receive.message.max.bytes` lets it be unpacked.
    Continue,
}

/// The configuration of a [`KafkaSource`](super::KafkaSource).
///
/// Any librdkafka property can be set by [`property`](Self::property), but for those that are ours (the error says
/// which and why). Where nothing is set, librdkafka's defaults hold, except for:
///
/// | property | here | why |
/// |---|---|---|
/// | `partition.assignment.strategy` | `cooperative-sticky` | partitions that stay are not stopped; not set with `group.protocol=consumer` |
/// | `fetch.queue.backoff.ms` | 5 | librdkafka's 1,000 stalls a consumer that is slower than its broker |
/// | `queued.max.messages.kbytes` | 8,192 | full speed; librdkafka's 65,536 only takes memory |
/// | `queued.min.messages` | 20,000 | bounds what many small records cost beside their bytes |
/// | `fetch.message.max.bytes` | 262,144 | how far one partition can exceed the bound above |
/// | `fetch.max.bytes` | 4,194,304 | how far one broker can exceed it; the most, see below |
/// | `receive.message.max.bytes` | 350,000,000 | a batch packed with zstd is unpacked into at most that many bytes, and may need three times its size; librdkafka's 100,000,000 calls an intact batch of 60 MB corrupt |
/// | `client.id` | `connector-consumer-<pipeline>-<task>` | Kafka Connect's |
///
/// # Memory
/// `queued.max.messages.kbytes` counts unpacked bytes, `fetch.max.bytes` compressed ones, and librdkafka unpacks an answer as
/// a whole. So the size of answers is adapted to what waits unread, between 1 KiB and `fetch.max.bytes`, from 16 KiB on.
/// A task's consumer holds at most the sum of:
///
/// - twice `queued.max.messages.kbytes`, whatever the compression ratio;
/// - 32 KiB for each partition that it is assigned;
/// - one answer of each further broker;
/// - one batch, which a broker sends whole however little is asked for;
/// - while the ratio rises, the one answer that is under way: what was asked for at the former ratio, unpacked at the new
///   one (for the first answer of a consumer, what exceeds a ratio of 1,000:1).
///
/// # Leaving the group
/// A broker reads nothing else of a connection before it has answered the wish to join, and while a member that was killed
/// has not timed out it does not answer (`session.timeout.ms` at most; the status is `STARTING` until then). A task that
/// is stopped meanwhile waits for that answer and then leaves. A stop waits ten seconds for it: a process that ends before
/// the answer is there stays a member until its own session ends, unless it has a `group.instance.id`.
///
/// `Debug` shows no secrets.
///
/// ```
/// use connect_core::kafka::{KafkaConfig, StartPosition};
/// let config = KafkaConfig::new("localhost:9092", "to-search", ["orders"])
///     .start(StartPosition::Latest)
///     .property("isolation.level", "read_committed");
/// ```
#[derive(Clone, Debug)]
pub struct KafkaConfig {
    pub(super) bootstrap: String,
    pub(super) group: String,
    pub(super) topics: Topics,
    pub(super) start: StartPosition,
    pub(super) on_data_loss: OnDataLoss,
    pub(super) revoke_timeout: Duration,
    pub(super) properties: Passthrough,
}

impl KafkaConfig {
    /// Reads `topics` as the group `group`, from the cluster of the brokers `bootstrap` (`host:port`, separated by
    /// commas).
    #[must_use]
    pub fn new(
        bootstrap: impl Into<String>,
        group: impl Into<String>,
        topics: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        let topics = Topics::List(topics.into_iter().map(Into::into).collect());
        Self::with_topics(bootstrap, group, topics)
    }

    /// Reads all topics whose whole name matches `pattern`.
    #[must_use]
    pub fn with_pattern(
        bootstrap: impl Into<String>,
        group: impl Into<String>,
        pattern: impl Into<String>,
    ) -> Self {
        Self::with_topics(bootstrap, group, Topics::Pattern(pattern.into()))
    }

    fn with_topics(bootstrap: impl Into<String>, group: impl Into<String>, topics: Topics) -> Self {
        Self {
            bootstrap: bootstrap.into(),
            group: group.into(),
            topics,
            start: StartPosition::default(),
            on_data_loss: OnDataLoss::default(),
            revoke_timeout: Duration::from_secs(15),
            properties: Passthrough::default(),
        }
    }

    /// Where partitions without a commit start. Default: [`StartPosition::Earliest`].
    #[must_use]
    pub fn start(mut self, start: StartPosition) -> Self {
        self.start = start;
        self
    }

    /// What to do when records are gone. Default: [`OnDataLoss::Stop`].
    #[must_use]
    pub fn on_data_loss(mut self, policy: OnDataLoss) -> Self {
        self.on_data_loss = policy;
        self
    }

    /// How long the sink may take to give partitions up; never longer than half of `max.poll.interval.ms`. Default:
    /// 15 s.
    #[must_use]
    pub fn revoke_timeout(mut self, timeout: Duration) -> Self {
        self.revoke_timeout = timeout;
        self
    }

    /// Sets a librdkafka property, checked when the source is opened.
    #[must_use]
    pub fn property(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.properties.set_among(NAMES, name, value);
        self
    }

    /// Whether `topic` of the cluster of the brokers `bootstrap` is among what is read.
    pub(crate) fn reads(&self, bootstrap: &str, topic: &str) -> bool {
        self.topics.matches(topic) && self.shares_a_broker(bootstrap)
    }

    /// Whether `bootstrap` names one of the brokers that are read from.
    pub(crate) fn shares_a_broker(&self, bootstrap: &str) -> bool {
        let addresses = |list: &str| -> Vec<String> {
            list.split(',').map(|address| address.trim().to_ascii_lowercase()).collect()
        };
        let ours = addresses(&self.bootstrap);
        addresses(bootstrap).iter().any(|address| ours.contains(address))
    }

    /// Which topics are read.
    #[must_use]
    pub fn topics(&self) -> &Topics {
        &self.topics
    }
}

impl Topics {
    /// Whether a topic of this name is read.
    #[must_use]
    pub fn matches(&self, topic: &str) -> bool {
        match self {
            Self::List(names) => names.iter().any(|name| name == topic),
            Self::Pattern(pattern) => {
                let internal = INTERNAL.contains(&topic);
                !internal && regex::Regex::new(&anchored(pattern)).is_ok_and(|regex| regex.is_match(topic))
            }
        }
    }
}

/// The pattern for whole names.
fn anchored(pattern: &str) -> String {
    format!("^(?:{pattern})$")
}
