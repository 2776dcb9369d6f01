//! Plays the runtime's part for one source, and keeps books on what it says.

use super::SourceHarness;
use crate::{
    Assigned, Batch, Commit, Error, Event, PartitionId, Source,
    testing::conformance::report::{Broken, ensure},
};
use std::collections::BTreeMap;
use tokio::time::timeout;

pub(super) const ROOM: usize = 1 << 20;
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
}

impl<'h, H: SourceHarness> Reader<'h, H> {
    pub(super) async fn open(harness: &'h H) -> Result<Self, Broken> {
        let source = harness.build().await.map_err(|error| failed(&error))?;
        let mut reader = Self {
            harness,
            source,
            parts: BTreeMap::new(),
            values: Vec::new(),
            committed: Vec::new(),
            revoked: Vec::new(),
        };
        reader.source.open().await.map_err(|error| failed(&error))?;
        Ok(reader)
    }

    /// One event, or `false` if there is none for a tenth of the patience.
    pub(super) async fn quiet_step(&mut self, room: usize) -> Result<bool, Broken> {
        let wait = self.harness.capabilities().patience / 10;
        let Ok(event) = timeout(wait, self.source.next(room)).await else { return Ok(false) };
        self.hear(event.map_err(|error| failed(&error))?)?;
        Ok(true)
    }

    /// Reads until `done`, which `what` describes.
    pub(super) async fn until(
        &mut self,
        what: &'static str,
        done: impl Fn(&Self) -> bool,
    ) -> Result<(), Broken> {
        let patience = self.harness.capabilities().patience;
        while !done(self) {
            let event = timeout(patience, self.source.next(ROOM)).await;
            let event =
                event.map_err(|_| Broken::new(what, format!("there is no event for {patience:?}")))?;
            self.hear(event.map_err(|error| failed(&error))?)?;
        }
        Ok(())
    }

    pub(super) async fn until_read(&mut self, n: usize) -> Result<(), Broken> {
        self.until("a source yields all that is appended", |reader| reader.values.len() >= n).await
    }

    pub(super) fn hear(&mut self, event: Event) -> Result<(), Broken> {
        match event {
            Event::Records(batch) => return self.records(&batch),
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
            Event::Ends(_) | Event::Gap(..) | Event::Trouble(_) | Event::End => {}
        }
        Ok(())
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
