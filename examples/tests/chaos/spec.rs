//! What the parent tells a child, and what the child tells the parent.

use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::PathBuf};

/// The variable that makes this binary a child; it holds a [`Spec`] as JSON.
pub(crate) const VARIABLE: &str = "CHAOS_WORKER";
/// The file in [`Spec::dir`] that the child rewrites ten times a second.
pub(crate) const STATUS: &str = "status.json";
/// While this file stands in [`Spec::dir`], sinks do nothing at all.
pub(crate) const GATE: &str = "gate";
/// While this file exists, sinks hear no answers: of their targets, as far as they can tell.
pub(crate) const SILENCE: &str = "silence";
/// The pipeline named in this file does not hear that its notes are committed.
pub(crate) const DEAF_TO_NOTED: &str = "deaf-to-noted";
/// Written by the child when [`DEAF_TO_NOTED`] has struck.
pub(crate) const AT_NOTED: &str = "at-noted";
/// Written by the parent: end in good order.
pub(crate) const STOP: &str = "stop";

/// A child's work.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Spec {
    /// Where status and markers are.
    pub(crate) dir: PathBuf,
    pub(crate) pipelines: Vec<PipelineSpec>,
}

/// One pipeline of a child.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PipelineSpec {
    pub(crate) name: String,
    pub(crate) bootstrap: String,
    pub(crate) topic: String,
    pub(crate) group: String,
    /// librdkafka properties, the protocol among them.
    pub(crate) properties: BTreeMap<String, String>,
    pub(crate) revoke_timeout_ms: u64,
    /// `on.data.loss=continue` in the source.
    pub(crate) continue_on_loss: bool,
    pub(crate) sink: SinkSpec,
    pub(crate) commit_interval_ms: u64,
    /// End ranges by their size instead of the clock.
    pub(crate) max_uncommitted_records: Option<u64>,
    /// Cluster and topic of dead letters.
    pub(crate) letters: Option<(String, String)>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum SinkSpec {
    /// Settings of the Elasticsearch sink.
    Search(BTreeMap<String, String>),
    /// Settings of the object sink.
    Objects(BTreeMap<String, String>),
}

/// What a child says about itself.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) pipelines: BTreeMap<String, PipelineReport>,
}

/// What a child says about one pipeline.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PipelineReport {
    pub(crate) state: String,
    pub(crate) read: u64,
    pub(crate) delivered: u64,
    pub(crate) dead_lettered: u64,
    pub(crate) skipped: u64,
    pub(crate) lost: u64,
    pub(crate) in_flight: u64,
    pub(crate) assigned: u64,
    pub(crate) revoked: u64,
    pub(crate) partitions_lost: u64,
    pub(crate) commits: u64,
    pub(crate) commit_failures: u64,
    pub(crate) reconciles: bool,
    pub(crate) lag: Option<u64>,
    pub(crate) restarts: u32,
    pub(crate) last_error: Option<String>,
    pub(crate) retrying: Option<String>,
    pub(crate) held_bytes: usize,
    pub(crate) peak_bytes: usize,
    /// By partition: position, watermark and committed offset.
    pub(crate) partitions: BTreeMap<i32, (i64, i64, i64)>,
}

impl PipelineSpec {
    /// A pipeline with the defaults of these tests: offsets committed five times a second.
    pub(crate) fn new(name: &str, bootstrap: &str, topic: &str, protocol: Protocol, sink: SinkSpec) -> Self {
        Self {
            name: name.to_owned(),
            bootstrap: bootstrap.to_owned(),
            topic: topic.to_owned(),
            group: format!("{topic}-{name}"),
            properties: protocol.properties(),
            revoke_timeout_ms: 5_000,
            continue_on_loss: false,
            sink,
            commit_interval_ms: 200,
            max_uncommitted_records: None,
            letters: None,
        }
    }

    pub(crate) fn property(mut self, name: &str, value: impl Into<String>) -> Self {
        self.properties.insert(name.to_owned(), value.into());
        self
    }
}

/// How members of a group come, stay and are missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// Classic, cooperative-sticky, missed after 6 s.
    Classic,
    /// Classic, the same member after a restart.
    Static,
    /// KIP-848; the broker misses members after 6 s.
    Consumer,
}

impl Protocol {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Static => "static",
            Self::Consumer => "consumer",
        }
    }

    fn properties(self) -> BTreeMap<String, String> {
        let classic = [("session.timeout.ms", "6000"), ("heartbeat.interval.ms", "500")];
        let own: &[(&str, &str)] = match self {
            Self::Classic => &classic,
            Self::Static => &[classic[0], classic[1], ("group.instance.id", "chaos")],
            Self::Consumer => &[("group.protocol", "consumer")],
        };
        own.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }
}
