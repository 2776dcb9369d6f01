//! Plays the runtime's part for one sink, and keeps books on what it says.

use super::{SinkHarness, harness::Found};
use crate::{
    Assigned, Batch, BatchBuilder, Budget, Class, Delivery, Error, Flush, Outcome, PartitionId, Progress,
    driven::{Driven, DynSink},
    testing::{
        Message,
        conformance::report::{Broken, ensure},
    },
};
use bytes::Bytes;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::time::timeout;

pub(super) const ONCE: &str = "each record put is reported once";
pub(super) const DURABLE: &str = "nothing is reported before it is durable at the target";
pub(super) const FORGETTING: &str = "forgetting is not success: what was put is reported in the end";
const KINDS: &str = "Rows reports by Done, Ranges by Note, Durable and Rejected";
const POISON: &str = "Ok is delivered, an error is poison";
const NOTED: &str =
    "it reports a Note, waits for noted, completes its objects create-only, then reports Durable(to)";
const NOTE_STANDS: &str = "a note once reported is never changed";
const NOTE_OWN: &str = "if Assigned::note stands, it rebuilds exactly that range";
pub(super) const RELEASED: &str = "give these partitions up: finish what can be finished, then report Released; nothing of them is left here";
pub(super) const UNCOMMITTED: &str =
    "this partition has too much uncommitted: end its range, and report Durable up to the last position put";
pub(super) const CLOSES: &str = "close ends, whatever came before it";
const METHODS: &str =
    "what may work in a moment is not an error but a job started again; an error ends the task";

/// The topic of all records of the suite.
pub(super) const TOPIC: &str = "conformance";
const BUDGET_BYTES: usize = 64 << 20;

/// What survives a crash: the group's offsets and notes.
#[derive(Debug, Default)]
pub(super) struct Books {
    committed: BTreeMap<i32, (i64, Option<Bytes>)>,
    epoch: u32,
}

impl Books {
    /// Where a partition is read from after a restart.
    pub(super) fn offset(&self, partition: i32) -> i64 {
        self.committed.get(&partition).map_or(0, |(offset, _)| *offset)
    }
}

/// A sink that runs.
pub(super) struct Driver<'h, H: SinkHarness> {
    harness: &'h H,
    sink: Driven<H::Sink>,
    delivery: Delivery,
    budget: Budget,
    books: Books,
    parts: BTreeMap<PartitionId, Part>,
    pub(super) seen: Seen,
    /// Every report is compared with the target, and notes are answered late.
    pub(super) strict: bool,
    /// What is reported durable does not get committed: the crash comes before.
    pub(super) never_commits: bool,
    /// Whether the last batch was framed.
    framed: bool,
}

/// What the sink has said.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) retrying: Vec<Error>,
    pub(super) rejected: Vec<(i32, i64)>,
    pub(super) errors: Vec<String>,
}

#[derive(Debug)]
struct Part {
    partition: i32,
    state: State,
    outstanding: BTreeSet<i64>,
    /// One past the last offset that was put.
    position: i64,
    /// Where the range begins.
    from: i64,
    note: Option<Bytes>,
    noted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Live,
    Revoking,
    Released,
    Lost,
}

impl<'h, H: SinkHarness> Driver<'h, H> {
    /// A fresh sink, opened, with these partitions.
    pub(super) async fn start(harness: &'h H, books: Books, partitions: &[i32]) -> Result<Self, Broken> {
        let sink = harness.build().await.map_err(|error| refused("build", &error))?;
        let budget = Budget::new(BUDGET_BYTES);
        let mut driver = Self {
            harness,
            delivery: crate::Sink::delivery(&sink),
            sink: Driven::new(sink, budget.clone()),
            budget,
            books,
            parts: BTreeMap::new(),
            seen: Seen::default(),
            strict: false,
            never_commits: false,
            framed: false,
        };
        driver.sink.open().await.map_err(|error| refused("open", &error))?;
        driver.assign(partitions)?;
        Ok(driver)
    }

    pub(super) fn assign(&mut self, partitions: &[i32]) -> Result<(), Broken> {
        let mut assigned = Vec::new();
        for &partition in partitions {
            self.books.epoch += 1;
            let (offset, note) = self.books.committed.get(&partition).cloned().unwrap_or((0, None));
            let slot = u32::try_from(partition).expect("the suite's partitions are not negative");
            let id = PartitionId::new(slot, self.books.epoch);
            let part = Part {
                partition,
                state: State::Live,
                outstanding: BTreeSet::new(),
                position: offset,
                from: offset,
                noted: note.is_some(),
                note: note.clone(),
            };
            self.parts.insert(id, part);
            assigned.push(Assigned { id, topic: TOPIC.into(), partition, offset, note, partitions: None });
        }
        self.sink.assigned(&assigned).map_err(|error| refused("assigned", &error))
    }

    /// Puts records, of several partitions as they come, in one batch. Every other batch is framed if the sink wants it,
    /// so that both kinds meet in one body.
    pub(super) fn put(&mut self, records: Vec<(i32, i64, Message)>) -> Result<(), Broken> {
        let (topic, mut builder) = (Arc::from(TOPIC), BatchBuilder::new());
        self.framed = !self.framed;
        if let Some(framer) = self.sink.framer().filter(|_| self.framed) {
            builder.frame_by(framer);
        }
        for (partition, offset, message) in records {
            let id = self.id(partition);
            let part = self.parts.get_mut(&id).expect("looked up a moment ago");
            part.outstanding.insert(offset);
            part.position = offset + 1;
            message.push(&mut builder, id, &topic, partition, offset);
        }
        self.put_batch(builder.finish())
    }

    /// Says that the position moved, without a record.
    pub(super) fn put_position(&mut self, partition: i32, offset: i64) -> Result<(), Broken> {
        let id = self.id(partition);
        self.parts.get_mut(&id).expect("looked up a moment ago").position = offset;
        let mut builder = BatchBuilder::new();
        builder.position(id, &TOPIC.into(), partition, offset);
        self.put_batch(builder.finish())
    }

    fn put_batch(&mut self, mut batch: Batch) -> Result<(), Broken> {
        batch.hold(self.budget.charge(batch.payload_bytes()));
        self.sink.put(batch).map_err(|error| refused("put", &error))
    }

    fn id(&self, partition: i32) -> PartitionId {
        let mut live = self.parts.iter().filter(|(_, part)| part.state == State::Live);
        let found = live.find(|(_, part)| part.partition == partition).map(|(&id, _)| id);
        found.expect("the suite puts only what is assigned")
    }

    pub(super) fn flush(&mut self) -> Result<(), Broken> {
        self.sink.flush(Flush::Now).map_err(|error| refused("flush", &error))
    }

    /// Says that too much of a partition is uncommitted.
    pub(super) fn flush_uncommitted(&mut self, partition: i32) -> Result<(), Broken> {
        let id = self.id(partition);
        self.sink.flush(Flush::Uncommitted(id)).map_err(|error| refused("flush", &error))
    }

    /// Flushes, and runs the sink until everything put is reported.
    pub(super) async fn settle(&mut self) -> Result<(), Broken> {
        self.flush()?;
        self.until_reported().await
    }

    /// Runs the sink until everything put is reported.
    pub(super) async fn until_reported(&mut self) -> Result<(), Broken> {
        let patience = self.harness.capabilities().patience;
        while self.parts.values().any(|part| part.waits()) {
            if !self.step(patience).await? {
                let missing: Vec<(i32, i64)> = self.missing();
                let seen = format!("after {patience:?} nothing was said of (partition, offset) {missing:?}");
                return Err(Broken::new(FORGETTING, seen));
            }
        }
        Ok(())
    }

    fn missing(&self) -> Vec<(i32, i64)> {
        let waiting = self.parts.values().filter(|part| part.waits());
        waiting.flat_map(|part| part.outstanding.iter().map(|&offset| (part.partition, offset))).collect()
    }

    /// Runs the sink until it is quiet for a tenth of the patience: whatever it still does shows.
    pub(super) async fn until_quiet(&mut self) -> Result<(), Broken> {
        let wait = self.harness.capabilities().patience / 10;
        while self.step(wait).await? {}
        Ok(())
    }

    /// One report, or `false` if there is none for so long.
    pub(super) async fn step(&mut self, patience: Duration) -> Result<bool, Broken> {
        let Ok(progress) = timeout(patience, self.sink.progress()).await else { return Ok(false) };
        let progress = progress.map_err(|error| refused("a job or a timer", &error))?;
        self.hear(progress).await?;
        Ok(true)
    }

    async fn hear(&mut self, progress: Progress) -> Result<(), Broken> {
        let rows = matches!(progress, Progress::Done(..));
        let ranges = matches!(
            progress,
            Progress::Durable(..)
                | Progress::Note(..)
                | Progress::Foreign(..)
                | Progress::Rejected(..)
                | Progress::Starved(..)
        );
        let wrong = if self.delivery == Delivery::Rows { ranges } else { rows };
        ensure(!wrong, KINDS, || format!("a sink with {:?} reported {progress:?}", self.delivery))?;
        match progress {
            Progress::Done(batch, outcome) => self.done(&batch, outcome).await,
            Progress::Durable(id, to) => self.durable(id, to).await,
            Progress::Rejected(batch, error) => self.rejected(&batch, &error),
            Progress::Note(id, note) => self.note(id, note).await,
            Progress::Foreign(id) => {
                Err(Broken::new(NOTE_OWN, format!("it takes the note of {id:?}, its own, for a foreign one")))
            }
            Progress::Starved(_) => Ok(()),
            Progress::Released(ids) => self.released(&ids),
            Progress::Retrying(error) => {
                self.seen.errors.push(format!("{error:?}"));
                self.seen.retrying.push(error);
                Ok(())
            }
        }
    }

    async fn done(&mut self, batch: &Batch, outcome: Outcome) -> Result<(), Broken> {
        let verdicts = outcome.into_rows().unwrap_or_else(|| batch.iter().map(|_| Ok(())).collect());
        ensure(verdicts.len() == batch.len(), ONCE, || {
            format!("a report has {} rows and {} verdicts", batch.len(), verdicts.len())
        })?;
        let mut delivered = Vec::new();
        for (record, verdict) in batch.iter().zip(verdicts) {
            let origin = record.origin();
            if !self.resolve(origin.id, origin.offset)? {
                continue;
            }
            match verdict {
                Ok(()) if record.value().is_some() => delivered.push((origin.partition, origin.offset)),
                Ok(()) => {}
                Err(error) => self.reject(origin.partition, origin.offset, &error)?,
            }
        }
        self.compare(&delivered).await
    }

    fn rejected(&mut self, batch: &Batch, error: &Error) -> Result<(), Broken> {
        let record = batch.get(0).filter(|_| batch.len() == 1);
        let record = record.ok_or_else(|| {
            Broken::new("Rejected is about one record, a batch of one", format!("it had {}", batch.len()))
        })?;
        let origin = record.origin();
        if self.resolve(origin.id, origin.offset)? {
            self.reject(origin.partition, origin.offset, error)?;
        }
        Ok(())
    }

    fn reject(&mut self, partition: i32, offset: i64, error: &Error) -> Result<(), Broken> {
        ensure(error.class() == Class::Poison, POISON, || format!("a row was reported with {error:?}"))?;
        self.seen.errors.push(format!("{error:?}"));
        self.seen.rejected.push((partition, offset));
        Ok(())
    }

    /// Takes a record off the books. `false`: it belongs to a partition that is lost, and nobody cares.
    fn resolve(&mut self, id: PartitionId, offset: i64) -> Result<bool, Broken> {
        let Some(part) = self.parts.get_mut(&id) else {
            return Err(Broken::new(ONCE, format!("{id:?} was reported, which was never assigned")));
        };
        match part.state {
            State::Lost => return Ok(false),
            State::Released => {
                return Err(Broken::new(
                    RELEASED,
                    format!("offset {offset} of {id:?} was reported after Released"),
                ));
            }
            State::Live | State::Revoking => {}
        }
        ensure(part.outstanding.remove(&offset), ONCE, || {
            format!("offset {offset} of partition {} was reported twice, or never put", part.partition)
        })?;
        if self.delivery == Delivery::Rows && !self.never_commits {
            let watermark = part.outstanding.first().copied().unwrap_or(part.position);
            self.books.committed.insert(part.partition, (watermark, None));
        }
        Ok(true)
    }

    async fn durable(&mut self, id: PartitionId, to: i64) -> Result<(), Broken> {
        let part = self.parts.get_mut(&id);
        let part = part.ok_or_else(|| Broken::new(ONCE, format!("{id:?} is durable, but never assigned")))?;
        if part.state == State::Lost {
            return Ok(());
        }
        ensure(part.state != State::Released, RELEASED, || format!("{id:?} became durable after Released"))?;
        ensure(part.note.is_none() || part.noted, NOTED, || format!("Durable({to}) came before noted"))?;
        ensure((part.from..=part.position).contains(&to), ONCE, || {
            format!("Durable({to}) is outside of what was put, {}..{}", part.from, part.position)
        })?;
        let open = part.outstanding.split_off(&to);
        let done = std::mem::replace(&mut part.outstanding, open);
        (part.from, part.note) = (to, None);
        let partition = part.partition;
        if !self.never_commits {
            self.books.committed.insert(partition, (to, None));
        }
        let done: Vec<(i32, i64)> = done.into_iter().map(|offset| (partition, offset)).collect();
        self.compare(&done).await
    }

    async fn note(&mut self, id: PartitionId, note: Bytes) -> Result<(), Broken> {
        let part = self.parts.get_mut(&id);
        let part = part.ok_or_else(|| Broken::new(ONCE, format!("a note for {id:?}, never assigned")))?;
        if part.state == State::Lost {
            return Ok(());
        }
        ensure(part.state != State::Released, RELEASED, || format!("a note for {id:?} after Released"))?;
        let changed = part.note.as_ref().is_some_and(|standing| *standing != note);
        ensure(!changed, NOTE_STANDS, || format!("{:?} was followed by {note:?}", part.note))?;
        (part.note, part.noted) = (Some(note.clone()), false);
        let (partition, from) = (part.partition, part.from);
        self.books.committed.insert(partition, (from, Some(note)));
        if self.strict {
            self.nothing_appears(id, partition, from).await?;
        }
        if let Some(part) = self.parts.get_mut(&id) {
            part.noted = true;
        }
        self.sink.noted(id).map_err(|error| refused("noted", &error))
    }

    /// While a note is not committed, nothing of its range may be visible.
    async fn nothing_appears(&mut self, id: PartitionId, partition: i32, from: i64) -> Result<(), Broken> {
        let wait = self.harness.capabilities().patience / 10;
        while let Ok(progress) = timeout(wait, self.sink.progress()).await {
            match progress.map_err(|error| refused("a job or a timer", &error))? {
                Progress::Durable(other, to) if other == id => {
                    return Err(Broken::new(NOTED, format!("Durable({to}) came before noted")));
                }
                other => Box::pin(self.hear(other)).await?,
            }
        }
        let found = self.harness.read_back().await;
        let early = found.iter().find(|found| found.partition == partition && found.offset >= from);
        ensure(early.is_none(), NOTED, || format!("{early:?} was at the target before noted"))
    }

    fn released(&mut self, ids: &[PartitionId]) -> Result<(), Broken> {
        for id in ids {
            let part = self.parts.get_mut(id).filter(|part| part.state != State::Lost);
            let Some(part) = part else { continue };
            ensure(part.state == State::Revoking, "Released is the reply to revoke", || {
                format!("{id:?} was released, but is {:?}", part.state)
            })?;
            part.state = State::Released;
        }
        Ok(())
    }

    /// In strict mode, what is reported must be at the target now.
    async fn compare(&mut self, delivered: &[(i32, i64)]) -> Result<(), Broken> {
        if !self.strict {
            return Ok(());
        }
        let found = self.harness.read_back().await;
        let is_there =
            |&(p, o): &(i32, i64)| found.iter().any(|found| (found.partition, found.offset) == (p, o));
        let missing = delivered.iter().find(|origin| !is_there(origin));
        ensure(missing.is_none(), DURABLE, || {
            format!("(partition, offset) {missing:?} was reported and is not at the target")
        })
    }

    /// Takes a partition away in good order. What it had not reported when it was released is abandoned.
    pub(super) async fn revoke(&mut self, partition: i32) -> Result<(), Broken> {
        let id = self.id(partition);
        self.parts.get_mut(&id).expect("looked up a moment ago").state = State::Revoking;
        self.sink.revoke(&[id]).map_err(|error| refused("revoke", &error))?;
        let patience = self.harness.capabilities().patience;
        while self.parts[&id].state == State::Revoking {
            if !self.step(patience).await? {
                return Err(Broken::new(RELEASED, format!("{patience:?} after the revoke nothing was said")));
            }
        }
        Ok(())
    }

    /// Takes a partition away without asking.
    pub(super) fn lose(&mut self, partition: i32) {
        let id = self.id(partition);
        self.parts.get_mut(&id).expect("looked up a moment ago").state = State::Lost;
        self.sink.lost(&[id]);
    }

    /// Bytes of the budget that the sink holds.
    pub(super) fn held(&self) -> usize {
        self.budget.held()
    }

    /// How the sink reports.
    pub(super) fn delivery(&self) -> Delivery {
        self.delivery
    }

    /// Where a partition would be read from now.
    pub(super) fn offset(&self, partition: i32) -> i64 {
        self.books.offset(partition)
    }

    /// A crash: jobs end where they stand.
    pub(super) fn hard_stop(self) -> Books {
        drop(self.sink);
        self.books
    }

    /// A graceful end. What close returns is logged and nothing more: only that it returns matters.
    pub(super) async fn close(mut self) -> Result<(), Broken> {
        let ended = timeout(self.harness.capabilities().patience, self.sink.close()).await;
        ensure(ended.is_ok(), CLOSES, || "it hangs".to_owned())
    }
}

impl Part {
    fn waits(&self) -> bool {
        matches!(self.state, State::Live | State::Revoking) && !self.outstanding.is_empty()
    }
}

fn refused(what: &str, error: &Error) -> Broken {
    Broken::new(METHODS, format!("{what} returned {error:?}"))
}

/// A record of the suite: its value names its origin.
pub(super) fn message(partition: i32, offset: i64) -> Message {
    Message::new(format!(r#"{{"partition":{partition},"offset":{offset},"text":"grün"}}"#))
        .key(format!("key-{partition}-{offset}"))
        .timestamp_ms(1_700_000_000_000 + offset)
}

/// Records of one partition.
pub(super) fn messages(partition: i32, offsets: std::ops::Range<i64>) -> Vec<(i32, i64, Message)> {
    offsets.map(|offset| (partition, offset, message(partition, offset))).collect()
}

/// Compares what is at the target with what was put: each once, or at least once.
pub(super) fn compare_all(
    found: &[Found],
    expected: &[(i32, i64, Message)],
    verbatim: bool,
    once: bool,
) -> Result<(), Broken> {
    const READABLE: &str = "what is delivered can be read at the target, as it is";
    for (partition, offset, message) in expected {
        let same: Vec<&Found> =
            found.iter().filter(|found| (found.partition, found.offset) == (*partition, *offset)).collect();
        let at = format!("offset {offset} of partition {partition}");
        ensure(!same.is_empty(), READABLE, || format!("{at} is not there"))?;
        ensure(!once || same.len() == 1, "nothing is delivered twice without need", || {
            format!("{at} is there {} times", same.len())
        })?;
        let differs = verbatim && same.iter().any(|found| found.value != message.value);
        let verbatim = ensure(!differs, READABLE, || {
            format!("{at} is {:?} instead of {:?}", same[0].value, message.value)
        });
        verbatim.map_err(|broken| broken.unless_declared("verbatim"))?;
    }
    let expected: BTreeSet<(i32, i64)> = expected.iter().map(|(p, o, _)| (*p, *o)).collect();
    let foreign = found.iter().find(|found| !expected.contains(&(found.partition, found.offset)));
    ensure(foreign.is_none(), READABLE, || format!("{foreign:?} is there and should not be"))
}
