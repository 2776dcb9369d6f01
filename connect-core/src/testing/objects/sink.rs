//! Two-phase commit by ranges and notes, as small as it can be.

use super::{Delivered, Gate, MemoryObjects, Object};
use crate::{
    Assigned, Batch, Class, Context, Delivery, Error, Flush, PartitionId, Progress, Sink, testing::Faults,
    testing::Point,
};
use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep};

/// A sink with [`Delivery::Ranges`] that writes one object per range into [`MemoryObjects`].
///
/// A range is cut after so many records ([`cut_after`](Self::cut_after)), when it is so old ([`max_age`](Self::max_age)),
/// and by flush and revoke. A range whose note stands at the assignment is rebuilt under the same name.
pub struct ObjectSink {
    target: MemoryObjects,
    gate: Option<Gate>,
    faults: Faults,
    cut_after: usize,
    max_age: Option<Duration>,
    takes: Duration,
    open: BTreeMap<PartitionId, Open>,
}

/// A partition's range and the one before it.
struct Open {
    topic: Arc<str>,
    partition: i32,
    from: i64,
    /// Everything below was put.
    to: i64,
    rows: Vec<Delivered>,
    closing: Option<Closing>,
    /// A note that stood at the assignment, until its range is complete again.
    rebuild: Option<Note>,
    since: Option<Instant>,
    /// Cut again and again until nothing is left.
    hurry: bool,
    revoked: bool,
}

struct Closing {
    note: Note,
    rows: Vec<Delivered>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    id: u64,
    from: i64,
    to: i64,
}

impl ObjectSink {
    pub(super) fn new(target: MemoryObjects) -> Self {
        Self {
            target,
            gate: None,
            faults: Faults::none(),
            cut_after: usize::MAX,
            max_age: None,
            takes: Duration::ZERO,
            open: BTreeMap::new(),
        }
    }

    /// Objects are completed only after they have passed `gate`.
    #[must_use]
    pub fn wait_at(self, gate: &Gate) -> Self {
        Self { gate: Some(gate.clone()), ..self }
    }

    /// Fails at [`Point::Job`] and [`Point::Written`] where the plan says so.
    #[must_use]
    pub fn faulty(self, faults: &Faults) -> Self {
        Self { faults: faults.clone(), ..self }
    }

    /// Cuts a range when it has so many records.
    #[must_use]
    pub fn cut_after(self, records: usize) -> Self {
        Self { cut_after: records, ..self }
    }

    /// Cuts a range when its first record was put so long ago.
    #[must_use]
    pub fn max_age(self, age: Duration) -> Self {
        Self { max_age: Some(age), ..self }
    }

    /// Completing an object takes so long.
    #[must_use]
    pub fn takes(self, time: Duration) -> Self {
        Self { takes: time, ..self }
    }

    /// Does whatever the partition is ready for: ends a rebuild, cuts, or answers a revoke.
    fn advance(&mut self, id: PartitionId, cx: &mut Context<Completed>) {
        let Some(open) = self.open.get_mut(&id) else { return };
        if open.closing.is_some() {
            return;
        }
        if let Some(note) = open.rebuild {
            // A revoke is not answered by a guess: the rest of the range is not here, the note goes on standing.
            if open.to >= note.to {
                open.rebuild = None;
                open.seal(note);
                self.complete(id, None, cx);
                return;
            }
        } else if open.to > open.from && (open.hurry || open.rows.len() >= self.cut_after) {
            let note = Note { id: self.target.next_id(), from: open.from, to: open.to };
            open.seal(note);
            let text = serde_json::to_vec(&note).expect("a note of three numbers is JSON");
            cx.report(Progress::Note(id, text.into()));
            return;
        }
        open.hurry = false;
        if open.revoked {
            self.open.remove(&id);
            cx.report(Progress::Released(vec![id]));
        }
    }

    /// Phase two, as a job.
    fn complete(&self, id: PartitionId, wait: Option<Duration>, cx: &mut Context<Completed>) {
        let Some((open, closing)) = self.open.get(&id).and_then(|open| Some((open, open.closing.as_ref()?)))
        else {
            return;
        };
        let name = format!("{}-{}/{:08}", open.topic, open.partition, closing.note.from);
        let object = Object { id: closing.note.id, rows: closing.rows.clone() };
        let (target, gate, faults) = (self.target.clone(), self.gate.clone(), self.faults.clone());
        let wait = wait.unwrap_or_default() + self.takes;
        cx.spawn(async move {
            if !wait.is_zero() {
                sleep(wait).await;
            }
            if let Some(gate) = gate {
                gate.pass().await;
            }
            let create = || {
                faults.hit(Point::Job)?;
                // A range of filtered records alone makes no object.
                if !object.rows.is_empty() {
                    target.create(&name, object)?;
                }
                faults.hit(Point::Written)
            };
            Completed { id, result: create() }
        });
    }
}

impl Open {
    fn new(assigned: &Assigned) -> Self {
        let parse = |note: &Bytes| serde_json::from_slice::<Note>(note).ok();
        Self {
            topic: Arc::clone(&assigned.topic),
            partition: assigned.partition,
            from: assigned.offset,
            to: assigned.offset,
            rows: Vec::new(),
            closing: None,
            // A note of another offset is foreign.
            rebuild: assigned.note.as_ref().and_then(parse).filter(|note| note.from == assigned.offset),
            since: None,
            hurry: false,
            revoked: false,
        }
    }

    /// Moves what lies below the note's end out of the open range.
    fn seal(&mut self, note: Note) {
        let at = self.rows.partition_point(|row| row.offset < note.to);
        let rest = self.rows.split_off(at);
        let rows = std::mem::replace(&mut self.rows, rest);
        self.closing = Some(Closing { note, rows });
        self.since = (!self.rows.is_empty()).then(Instant::now);
    }
}

impl fmt::Debug for ObjectSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectSink").field("open", &self.open.len()).finish_non_exhaustive()
    }
}

/// What a job of an [`ObjectSink`] brings back.
#[derive(Debug)]
pub struct Completed {
    id: PartitionId,
    result: Result<(), Error>,
}

#[async_trait]
impl Sink for ObjectSink {
    type Done = Completed;

    fn delivery(&self) -> Delivery {
        Delivery::Ranges
    }

    async fn open(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn assigned(&mut self, partitions: &[Assigned], cx: &mut Context<Completed>) -> Result<(), Error> {
        for assigned in partitions {
            let open = Open::new(assigned);
            if assigned.note.is_some() && open.rebuild.is_none() {
                cx.report(Progress::Foreign(assigned.id));
            }
            self.open.insert(assigned.id, open);
        }
        Ok(())
    }

    fn put(&mut self, batch: Batch, cx: &mut Context<Completed>) -> Result<(), Error> {
        for record in batch.iter() {
            if let Some(open) = self.open.get_mut(&record.origin().id) {
                open.rows.push(Delivered::of(record));
            }
        }
        for run in batch.runs() {
            let Some(open) = self.open.get_mut(&run.id) else { continue };
            open.to = open.to.max(run.offsets.end);
            let since = *open.since.get_or_insert_with(Instant::now);
            if let Some(age) = self.max_age {
                cx.wake_at(since + age);
            }
            self.advance(run.id, cx);
        }
        Ok(())
    }

    fn done(&mut self, done: Completed, cx: &mut Context<Completed>) -> Result<(), Error> {
        let Completed { id, result } = done;
        match result {
            Err(error) if error.class() == Class::Retriable => {
                let wait = error.retry_after();
                cx.report(Progress::Retrying(error));
                self.complete(id, wait, cx);
                return Ok(());
            }
            Err(error) => return Err(error),
            Ok(()) => {}
        }
        if let Some(open) = self.open.get_mut(&id) {
            let closing = open.closing.take().expect("a job completes the range that is closing");
            open.from = closing.note.to;
            cx.report(Progress::Durable(id, closing.note.to));
            self.advance(id, cx);
        }
        Ok(())
    }

    fn timer(&mut self, cx: &mut Context<Completed>) -> Result<(), Error> {
        let Some(age) = self.max_age else { return Ok(()) };
        let now = Instant::now();
        let ids: Vec<PartitionId> = self.open.keys().copied().collect();
        for id in ids {
            let Some(open) = self.open.get_mut(&id) else { continue };
            match open.since.map(|since| since + age) {
                Some(due) if due <= now => {
                    open.hurry = true;
                    self.advance(id, cx);
                }
                Some(due) => cx.wake_at(due),
                None => {}
            }
        }
        Ok(())
    }

    fn noted(&mut self, id: PartitionId, cx: &mut Context<Completed>) -> Result<(), Error> {
        self.complete(id, None, cx);
        Ok(())
    }

    fn flush(&mut self, why: Flush, cx: &mut Context<Completed>) -> Result<(), Error> {
        let ids: Vec<PartitionId> = match why {
            Flush::Now | Flush::Pressure => self.open.keys().copied().collect(),
            Flush::Uncommitted(id) => vec![id],
        };
        for id in ids {
            if let Some(open) = self.open.get_mut(&id) {
                open.hurry = true;
                self.advance(id, cx);
            }
        }
        Ok(())
    }

    fn revoke(&mut self, ids: &[PartitionId], cx: &mut Context<Completed>) -> Result<(), Error> {
        for &id in ids {
            match self.open.get_mut(&id) {
                Some(open) => {
                    (open.hurry, open.revoked) = (true, true);
                    self.advance(id, cx);
                }
                None => cx.report(Progress::Released(vec![id])),
            }
        }
        Ok(())
    }

    fn lost(&mut self, ids: &[PartitionId]) {
        self.open.retain(|id, _| !ids.contains(id));
    }

    async fn close(&mut self) -> Result<(), Error> {
        Ok(())
    }
}
