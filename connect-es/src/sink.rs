//! The sink: a bulk target for connect-core's `BulkSink`.

use crate::{
    buffer::Buffers,
    bulk::{
        encode::{Action, Encoder, Fate},
        response::{Item, Success},
    },
    check::check,
    client::{Answered, BulkBody, Client},
    config::{EsConfig, Ids},
    error::Failure,
};
use async_trait::async_trait;
use connect_core::{Batch, Bulk, BulkSink, Error, Outcome, Record, config::Config};
use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// What an action and its id take besides the document, about: batching by size and the budget count it.
const ACTION_BYTES: usize = 100;

/// The Elasticsearch sink.
pub type EsSink = BulkSink<Elasticsearch>;

/// Elasticsearch or OpenSearch as a target of bulk requests. [`EsSink`] is what a pipeline takes.
pub struct Elasticsearch {
    client: Client,
    encoder: Encoder,
    buffers: Buffers,
    ordered: bool,
    index_required: bool,
    already_present: AtomicU64,
}

impl Elasticsearch {
    /// A target as configured. Sends nothing yet.
    ///
    /// # Errors
    /// Fatal, with all problems of the configuration at once.
    pub fn new(config: &EsConfig) -> Result<Self, Error> {
        let wrong = |e: String| Error::fatal("configure the Elasticsearch sink", e);
        config.validate().map_err(|e| wrong(e.to_string()))?;
        Ok(Self {
            client: Client::new(config)?,
            encoder: Encoder::new(config).map_err(wrong)?,
            buffers: Buffers::new(&config.bulk()),
            ordered: matches!(config.ids(), Ids::Key { .. }),
            index_required: config.index_required,
            already_present: AtomicU64::new(0),
        })
    }

    /// The sink of this target.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn sink(config: &EsConfig) -> Result<EsSink, Error> {
        Ok(BulkSink::new(Self::new(config)?, config.bulk()))
    }

    /// Rows that Elasticsearch had already, in this or a newer version (409): repetitions, counted as delivered.
    pub fn already_present(&self) -> u64 {
        self.already_present.load(Ordering::Relaxed)
    }

    /// Joins what was known before with what the server says.
    fn outcome(
        &self,
        rows: usize,
        fates: Option<Vec<Fate>>,
        answered: Option<&BulkBody>,
    ) -> Result<Outcome, Error> {
        let sent = |fate: &Fate| matches!(fate, Fate::Sent(_));
        let count = fates.as_ref().map_or(rows, |fates| fates.iter().filter(|fate| sent(fate)).count());
        let wait = answered.and_then(|body| body.wait);
        let mut items = answered.map(|body| body.items(count)).transpose()?.map(Vec::into_iter);
        let mut verdict = |action| match &mut items {
            None => Ok(()),
            Some(items) => self.verdict(items.next(), action, wait),
        };
        Ok(match fates {
            None => (0..rows).map(|_| verdict(Action::Write)).collect(),
            Some(fates) => {
                let each = fates.into_iter().map(|fate| match fate {
                    Fate::Settled(fate) => fate,
                    Fate::Sent(action) => verdict(action),
                });
                each.collect()
            }
        })
    }

    fn verdict(&self, item: Option<Item<'_>>, action: Action, wait: Option<Duration>) -> Result<(), Error> {
        let item = item.ok_or(Failure::Unanswered)?;
        match item.verdict(action, wait)? {
            Success::Written => {}
            Success::AlreadyPresent => {
                self.already_present.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Bulk for Elasticsearch {
    async fn open(&self) -> Result<(), Error> {
        let index = self.encoder.index().fixed().filter(|_| self.index_required);
        check(&self.client, index).await
    }

    async fn write(&self, batch: &Batch) -> Result<Outcome, Error> {
        let mut body = self.buffers.take(batch);
        let fates = self.encoder.encode(batch, &mut body);
        if body.is_empty() {
            return self.outcome(batch.len(), fates, None);
        }
        match (self.client.bulk(self.buffers.freeze(body)).await?, fates) {
            (Answered::AllSucceeded, None) => Ok(Outcome::delivered()),
            (Answered::AllSucceeded, fates) => self.outcome(batch.len(), fates, None),
            (Answered::Body(answer), fates) => self.outcome(batch.len(), fates, Some(&answer)),
        }
    }

    /// The key, where it is the id: a repetition must not put an old document over a newer one.
    fn order_key<'a>(&self, record: Record<'a>) -> Option<&'a [u8]> {
        if self.ordered { record.key() } else { None }
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
