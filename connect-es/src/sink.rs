//! The sink: a bulk target for connect-core's `BulkSink`.

use crate::{
    buffer::Buffers,
    bulk::{
        blame,
        body::Body,
        encode::{Action, Encoder, Fate},
        framer::EsFramer,
        response::{Item, Success},
    },
    check::check,
    client::{Answered, BulkBody, Client},
    config::{EsConfig, Ids, OnReplay},
    error::Failure,
    growth::Growth,
    replay::{Conflict, News, Replays},
    writers::Writers,
};
use async_trait::async_trait;
use connect_core::{
    Assigned, Batch, Bulk, BulkSink, Error, Framer, Origin, Outcome, PartitionId, Record, Task,
    config::Config,
};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// What an action and its id take besides the document, about: batching by size and the budget count it.
const ACTION_BYTES: usize = 100;

/// The Elasticsearch sink.
pub type EsSink = BulkSink<Elasticsearch>;

/// Elasticsearch or OpenSearch as a target of bulk requests. [`EsSink`] is what a pipeline takes.
pub struct Elasticsearch {
    client: Client,
    encoder: Arc<Encoder>,
    buffers: Buffers,
    ordered: bool,
    index_required: bool,
    /// The task was started again by itself.
    again: bool,
    already_present: AtomicU64,
    /// Where a conflict may say that something is wrong.
    replays: Option<Replays>,
    /// Where a conflict may say that two partitions have one key.
    writers: Option<Writers>,
    /// Where versions come from offsets.
    growth: Option<Growth>,
}

impl Elasticsearch {
    /// A target as configured. Sends nothing yet.
    ///
    /// # Errors
    /// Fatal, with all problems of the configuration at once.
    pub fn new(config: &EsConfig) -> Result<Self, Error> {
        let wrong = |e: String| Error::fatal("configure the Elasticsearch sink", e);
        config.validate().map_err(|e| wrong(e.to_string()))?;
        let replays = config.conflicts_tell() && config.on_replay == OnReplay::Fail;
        let versioned = config.ids() == Ids::Key { versioned: true };
        let encoder = Arc::new(Encoder::new(config).map_err(wrong)?);
        let writers = (replays && versioned).then(|| Writers::new(encoder.index().fixed().is_none()));
        Ok(Self {
            client: Client::new(config)?,
            encoder,
            buffers: Buffers::new(&config.bulk()),
            ordered: matches!(config.ids(), Ids::Key { .. }),
            index_required: config.index_required,
            again: false,
            already_present: AtomicU64::new(0),
            replays: replays.then(Replays::default),
            writers,
            growth: versioned.then(|| Growth::new(config)),
        })
    }

    /// The sink of this target.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn sink(config: &EsConfig) -> Result<EsSink, Error> {
        Ok(BulkSink::new(Self::new(config)?, config.bulk()))
    }

    /// The same for `task`: if it was started again by itself, credentials that are refused are no mistake but a fault
    /// that may pass, and it is started once more.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn sink_for(config: &EsConfig, task: &Task) -> Result<EsSink, Error> {
        let target = Self { again: task.restarts > 0, ..Self::new(config)? };
        Ok(BulkSink::new(target, config.bulk()))
    }

    /// Rows that Elasticsearch had already, in this or a newer version (409): repetitions, counted as delivered.
    pub fn already_present(&self) -> u64 {
        self.already_present.load(Ordering::Relaxed)
    }

    /// Joins what was known before with what the server says; `None`: that all is well.
    fn outcome(&self, sent: Sent<'_>, answered: Option<&BulkBody>) -> Result<Outcome, Error> {
        let Sent { batch, fates, news } = sent;
        let count = rows_sent(batch, fates.as_deref());
        let alone = batch.len() == 1;
        let wait = answered.and_then(|body| body.wait);
        let mut items = answered.map(|body| body.items(count)).transpose()?.map(Vec::into_iter);
        let mut verdict = |record: Record<'_>, action| match &mut items {
            None => Ok(()),
            Some(items) => match verdict(items.next(), action, of(record, alone), wait)? {
                Success::Written => Ok(()),
                Success::AlreadyPresent => self.conflict(record, &news),
            },
        };
        let records = batch.iter();
        Ok(match fates {
            None => records.map(|record| verdict(record, Action::Write)).collect(),
            Some(fates) => {
                let each = records.zip(fates).map(|(record, fate)| match fate {
                    Fate::Settled(fate) => fate,
                    Fate::Sent(action) => verdict(record, action),
                });
                each.collect()
            }
        })
    }

    /// Says it at the first time, and whenever the number has doubled.
    fn count_present(&self, origin: Origin<'_>) {
        let count = self.already_present.fetch_add(1, Ordering::Relaxed) + 1;
        if count.is_power_of_two() {
            tracing::info!(
                topic = origin.topic,
                partition = origin.partition,
                offset = origin.offset,
                already_present = count,
                "documents were there already, in this version or a newer one",
            );
        }
    }

    /// Elasticsearch had the document already.
    fn conflict(&self, record: Record<'_>, news: &News) -> Result<(), Error> {
        let origin = record.origin();
        let place = || format!("{}-{} at offset {}", origin.topic, origin.partition, origin.offset);
        if let Some(other) = self.writers.as_ref().and_then(|writers| writers.other(record)) {
            return Err(Failure::Shared { place: place(), other }.into());
        }
        match self.replays.as_ref().map(|replays| replays.conflict(origin, news)) {
            None | Some(Conflict::Repetition) => {
                self.count_present(origin);
                Ok(())
            }
            Some(Conflict::Doubt) => Err(Failure::Doubt { place: place() }.into()),
            Some(Conflict::Foreign) => Err(Failure::Foreign { place: place() }.into()),
        }
    }
}

/// What was written, to be compared with conflicts to come.
fn note_written(writers: &Writers, batch: &Batch, outcome: Option<&[Result<(), Error>]>) {
    let written = |row: usize| outcome.is_none_or(|rows| rows[row].is_ok());
    writers.wrote(batch.iter().enumerate().filter(|(row, _)| written(*row)).map(|(_, record)| record));
}

fn verdict(
    item: Option<Item<'_>>,
    action: Action,
    sent: blame::Sent<'_>,
    wait: Option<Duration>,
) -> Result<Success, Failure> {
    item.ok_or(Failure::Unanswered)?.verdict(action, sent, wait)
}

fn of(record: Record<'_>, alone: bool) -> blame::Sent<'_> {
    blame::Sent { value: record.value(), alone }
}

/// Rows that are in the body.
fn rows_sent(batch: &Batch, fates: Option<&[Fate]>) -> usize {
    let is_sent = |fate: &&Fate| matches!(fate, Fate::Sent(_));
    fates.map_or(batch.len(), |fates| fates.iter().filter(is_sent).count())
}

/// What an answer is compared with.
struct Sent<'a> {
    batch: &'a Batch,
    /// What was known before; `None`: each row was sent, as a write.
    fates: Option<Vec<Fate>>,
    news: News,
}

#[async_trait]
impl Bulk for Elasticsearch {
    async fn open(&self) -> Result<(), Error> {
        let index = self.encoder.index().fixed().filter(|_| self.index_required);
        check(&self.client, index, self.again).await
    }

    fn assigned(&self, partitions: &[Assigned], redelivery: u64) -> Result<(), Error> {
        if let Some(growth) = &self.growth {
            growth.look(partitions)?;
        }
        if let Some((one, other)) = self.writers.as_ref().and_then(|writers| writers.assigned(partitions)) {
            tracing::warn!(
                topics = ?[&one, &other],
                index = self.encoder.index().fixed().unwrap_or_default(),
                "two topics go to one index, where ids are keys and versions offsets: if they have a key in common, \
                 the task stops; index=${{topic}} keeps them apart",
            );
        }
        if let Some(replays) = &self.replays {
            for Assigned { id, offset, .. } in partitions {
                replays.assigned(*id, *offset, redelivery);
            }
        }
        Ok(())
    }

    fn unassigned(&self, ids: &[PartitionId]) {
        if let Some(replays) = &self.replays {
            replays.unassigned(ids);
        }
        if let Some(writers) = &self.writers {
            writers.unassigned(ids);
        }
    }

    async fn write(&self, batch: &Batch) -> Result<Outcome, Error> {
        let mut body = Body::new(&self.buffers, batch);
        let fates = self.encoder.encode(batch, &mut body);
        let news = self.replays.as_ref().map(|replays| replays.send(batch)).unwrap_or_default();
        let sent = Sent { batch, fates, news };
        let parts = body.parts();
        if parts.is_empty() {
            return self.outcome(sent, None);
        }
        let rows = rows_sent(batch, sent.fates.as_deref());
        let outcome = match self.client.bulk(parts, rows).await? {
            Answered::AllSucceeded if sent.fates.is_none() => Outcome::delivered(),
            Answered::AllSucceeded => self.outcome(sent, None)?,
            Answered::Body(answer) => self.outcome(sent, Some(&answer))?,
        };
        if let Some(writers) = &self.writers {
            note_written(writers, batch, outcome.rows());
        }
        Ok(outcome)
    }

    /// The key, where it is the id: a repetition must not put an old document over a newer one.
    fn order_key<'a>(&self, record: Record<'a>) -> Option<&'a [u8]> {
        if self.ordered { record.key() } else { None }
    }

    fn framer(&self) -> Option<Box<dyn Framer>> {
        let framer = EsFramer::new(Arc::clone(&self.encoder))?;
        Some(Box::new(framer))
    }

    fn row_overhead(&self) -> usize {
        ACTION_BYTES
    }
}

impl fmt::Debug for Elasticsearch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Elasticsearch")
            .field("nodes", &self.client.urls())
            .field("encoder", &self.encoder)
            .finish_non_exhaustive()
    }
}
