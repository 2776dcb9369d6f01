//! Plays the runtime's part for one source, and keeps books on what it says.

use super::SourceHarness;
use crate::{
    Assigned, Batch, Commit, Error, Event, PartitionId, Source,
    testing::conformance::report::{Broken, ensure},
};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::{Instant, timeout};

pub(super) const ROOM: usize = 1 << 20;
/// Events of one source in one check. The checks append some dozens of records.
const EVENTS_MAX: u32 = 100_000;
const ORDER: &str = "records of a partition are yielded in order of offset, each once per assignment, starting at \
                     Assigned::offset, and only between Assigned and the end of that assignment";

pub(super) struct Reader<'h, H: SourceHarness> {
    harness: &'h H,
    pub(super) source: H::Source,
    /// What is assigned, with the next offset expected.
    pub(super) parts: BTreeMap<PartitionId, (Assigned, i64)>,
    pub(super) values: Vec<String>,
    /// Answers to commits, and whether they were `Ok`.
    pub(super) committed: Vec<(Vec<Commit>, bool)>,
    pub(super) revoked: Vec<PartitionId>,
    events: u32,
}

/// What an event says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Records, partitions or commits.
    News,
    /// Where partitions end, or that something is in trouble.
    Chatter,
}

impl<'h, H: SourceHarness> Reader<'h, H> {
    /// A source that is open already.
    pub(super) fn new(harness: &'h H, source: H::Source) -> Self {
        Self {
            harness,
            source,
            parts: BTreeMap::new(),
            values: Vec::new(),
            committed: Vec::new(),
            revoked: Vec::new(),
            events: 0,
        }
    }

    pub(super) async fn open(harness: &'h H) -> Result<Self, Broken> {
        let mut source = harness.build().await.map_err(|error| failed(&error))?;
        source.open().await.map_err(|error| failed(&error))?;
        Ok(Self::new(harness, source))
    }

    pub(super) fn patience(&self) -> Duration {
        self.harness.capabilities().patience
    }

    /// Hears events until none has come for a tenth of the patience that says more than where partitions end or that
    /// something is in trouble, which a source may say as often as it likes. No longer than the patience.
    pub(super) async fn until_quiet(&mut self, room: usize) -> Result<(), Broken> {
        let deadline = Instant::now() + self.patience();
        let mut quiet_at = Instant::now() + self.patience() / 10;
        while Instant::now() < quiet_at.min(deadline) {
            let left = quiet_at.min(deadline) - Instant::now();
            if self.step(room, left).await? == Some(Heard::News) {
                quiet_at = Instant::now() + self.patience() / 10;
            }
        }
        Ok(())
    }

    /// Hears events up to the first that is news, for a tenth of the patience.
    pub(super) async fn news(&mut self, room: usize) -> Result<(), Broken> {
        let deadline = Instant::now() + self.patience() / 10;
        while Instant::now() < deadline {
            if self.step(room, deadline - Instant::now()).await? == Some(Heard::News) {
                break;
            }
        }
        Ok(())
    }

    /// Reads until `done`, which `what` describes, as long as the source has news within the patience.
    pub(super) async fn until(
        &mut self,
        what: &'static str,
        done: impl Fn(&Self) -> bool,
    ) -> Result<(), Broken> {
        let patience = self.patience();
        let mut deadline = Instant::now() + patience;
        while !done(self) {
            let left = deadline.saturating_duration_since(Instant::now());
            ensure(!left.is_zero(), what, || format!("there was nothing new for {patience:?}"))?;
            if self.step(ROOM, left).await? == Some(Heard::News) {
                deadline = Instant::now() + patience;
            }
        }
        Ok(())
    }

    /// Hears one event, or `None` if there is none for so long.
    pub(super) async fn step(&mut self, room: usize, wait: Duration) -> Result<Option<Heard>, Broken> {
        let Ok(event) = timeout(wait, self.source.next(room)).await else { return Ok(None) };
        self.hear(event.map_err(|error| failed(&error))?).map(Some)
    }

    pub(super) async fn until_read(&mut self, n: usize) -> Result<(), Broken> {
        self.until("a source yields all that is appended", |reader| reader.values.len() >= n).await
    }

    pub(super) fn hear(&mut self, event: Event) -> Result<Heard, Broken> {
        self.events += 1;
        ensure(self.events < EVENTS_MAX, "a source that has nothing to say waits", || {
            format!("it emitted {EVENTS_MAX} events, the last of them {event:?}")
        })?;
        match event {
            Event::Records(batch) => self.records(&batch)?,
            Event::Assigned(partitions) => {
                for assigned in partitions {
                    let (id, offset) = (assigned.id, assigned.offset);
                    let known = self.parts.insert(id, (assigned, offset)).is_some();
                    ensure(!known, "an epoch is never used twice", || format!("{id:?} was assigned again"))?;
                }
            }
            Event::Revoked(ids) => self.revoked.extend(ids),
            Event::Lost(ids) => ids.iter().for_each(|id| drop(self.parts.remove(id))),
            Event::Committed(commits, result) => self.committed.push((commits, result.is_ok())),
            Event::Ends(_) | Event::Trouble(_) => return Ok(Heard::Chatter),
            Event::Gap(..) | Event::End => {}
        }
        Ok(Heard::News)
    }

    fn records(&mut self, batch: &Batch) -> Result<(), Broken> {
        for record in batch.iter() {
            let origin = record.origin();
            let part = self.parts.get_mut(&origin.id).filter(|_| !self.revoked.contains(&origin.id));
            let Some((_, next)) = part else {
                return Err(Broken::new(ORDER, format!("{origin:?} is not assigned")));
            };
            ensure(origin.offset >= *next, ORDER, || format!("{origin:?} came when {next} was expected"))?;
            *next = origin.offset + 1;
            self.values.push(String::from_utf8_lossy(record.value().unwrap_or_default()).into_owned());
        }
        for run in batch.runs() {
            if let Some((_, next)) = self.parts.get_mut(&run.id) {
                *next = run.offsets.end.max(*next);
            }
        }
        Ok(())
    }

    /// The partition that the records came from.
    pub(super) fn read_from(&self) -> Option<(PartitionId, i64)> {
        let read = self.parts.iter().find(|(_, (assigned, next))| *next > assigned.offset);
        read.map(|(&id, (_, next))| (id, *next))
    }
}

pub(super) fn failed(error: &Error) -> Broken {
    Broken::new("errors that the source can sit out itself are no errors", format!("it returned {error:?}"))
}
