//! The sink in front of a [`Recording`].

use super::{Faults, Gate, Recording};
use crate::{
    Assigned, Batch, Class, Context, Delivery, Error, Flush, Outcome, PartitionId, Progress, Record, Sink,
    testing::Point,
};
use async_trait::async_trait;
use std::{collections::BTreeMap, fmt, time::Duration};
use tokio::time::sleep;

type Refuse = Box<dyn Fn(Record<'_>) -> bool + Send + Sync>;

/// A sink with [`Delivery::Rows`] that writes into a [`Recording`] and reports every row as delivered.
pub struct RecordingSink {
    target: Recording,
    gate: Option<Gate>,
    faults: Faults,
    refuse: Option<Refuse>,
    /// Batches in flight per partition.
    in_flight: BTreeMap<PartitionId, usize>,
    revoked: Vec<PartitionId>,
}

impl RecordingSink {
    pub(super) fn new(target: Recording, gate: Option<Gate>, faults: Faults) -> Self {
        Self { target, gate, faults, refuse: None, in_flight: BTreeMap::new(), revoked: Vec::new() }
    }

    /// Rows for which this is true are not written but reported as poison.
    #[must_use]
    pub fn refusing(self, refuse: impl Fn(Record<'_>) -> bool + Send + Sync + 'static) -> Self {
        Self { refuse: Some(Box::new(refuse)), ..self }
    }

    fn verdict(&self, record: Record<'_>) -> Result<(), Error> {
        match &self.refuse {
            Some(refuse) if refuse(record) => Err(Error::poison("record the row", "told to refuse it")),
            _ => Ok(()),
        }
    }

    /// The rows to write, and what is said about all once they are written.
    fn judge(&self, batch: &Batch) -> (Vec<u32>, Outcome) {
        if self.refuse.is_none() {
            return ((0..).take(batch.len()).collect(), Outcome::delivered());
        }
        let verdicts: Vec<_> = batch.iter().map(|record| self.verdict(record)).collect();
        let accepted = (0..).zip(&verdicts).filter(|(_, verdict)| verdict.is_ok()).map(|(row, _)| row);
        (accepted.collect(), verdicts.into_iter().collect())
    }

    fn report(&self, batch: Batch, cx: &mut Context<Attempt>) {
        let (_, outcome) = self.judge(&batch);
        cx.report(Progress::Done(batch, outcome));
    }

    fn start(&self, batch: Batch, wait: Option<Duration>, cx: &mut Context<Attempt>) {
        let (target, gate, faults) = (self.target.clone(), self.gate.clone(), self.faults.clone());
        let (rows, _) = self.judge(&batch);
        cx.spawn(async move {
            if let Some(wait) = wait {
                sleep(wait).await;
            }
            if let Some(gate) = gate {
                gate.pass().await;
            }
            let write = || {
                faults.hit(Point::Job)?;
                target.write_all(rows.iter().filter_map(|&row| batch.get(row as usize)))?;
                faults.hit(Point::Written)
            };
            let result = write();
            Attempt { batch, result }
        });
    }

    /// Answers a revoke for the partitions that nothing is in flight for any more.
    fn release(&mut self, cx: &mut Context<Attempt>) {
        let revoked = std::mem::take(&mut self.revoked);
        let (busy, free) = revoked.into_iter().partition(|id| self.in_flight.contains_key(id));
        self.revoked = busy;
        let free: Vec<PartitionId> = free;
        if !free.is_empty() {
            cx.report(Progress::Released(free));
        }
    }
}

impl fmt::Debug for RecordingSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordingSink").field("in_flight", &self.in_flight).finish_non_exhaustive()
    }
}

/// What a job of a [`RecordingSink`] brings back.
#[derive(Debug)]
pub struct Attempt {
    batch: Batch,
    result: Result<(), Error>,
}

#[async_trait]
impl Sink for RecordingSink {
    type Done = Attempt;

    fn delivery(&self) -> Delivery {
        Delivery::Rows
    }

    async fn open(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn assigned(&mut self, _: &[Assigned], _: &mut Context<Attempt>) -> Result<(), Error> {
        Ok(())
    }

    fn put(&mut self, batch: Batch, cx: &mut Context<Attempt>) -> Result<(), Error> {
        if self.gate.is_none() && !self.target.fails() {
            let (rows, outcome) = self.judge(&batch);
            rows.iter().filter_map(|&row| batch.get(row as usize)).for_each(|row| self.target.write(row));
            cx.report(Progress::Done(batch, outcome));
            return Ok(());
        }
        for run in batch.runs() {
            *self.in_flight.entry(run.id).or_default() += 1;
        }
        self.start(batch, None, cx);
        Ok(())
    }

    fn done(&mut self, attempt: Attempt, cx: &mut Context<Attempt>) -> Result<(), Error> {
        let Attempt { batch, result } = attempt;
        match result {
            Err(error) if error.class() == Class::Retriable => {
                let wait = error.retry_after();
                cx.report(Progress::Retrying(error));
                self.start(batch, wait, cx);
                return Ok(());
            }
            Err(error) => return Err(error),
            Ok(()) => {}
        }
        for run in batch.runs() {
            if let Some(count) = self.in_flight.get_mut(&run.id) {
                *count -= 1;
                if *count == 0 {
                    self.in_flight.remove(&run.id);
                }
            }
        }
        self.report(batch, cx);
        self.release(cx);
        Ok(())
    }

    fn timer(&mut self, _: &mut Context<Attempt>) -> Result<(), Error> {
        Ok(())
    }

    fn noted(&mut self, _: PartitionId, _: &mut Context<Attempt>) -> Result<(), Error> {
        Ok(())
    }

    fn flush(&mut self, _: Flush, _: &mut Context<Attempt>) -> Result<(), Error> {
        Ok(())
    }

    fn revoke(&mut self, ids: &[PartitionId], cx: &mut Context<Attempt>) -> Result<(), Error> {
        self.revoked.extend_from_slice(ids);
        self.release(cx);
        Ok(())
    }

    fn lost(&mut self, ids: &[PartitionId]) {
        self.in_flight.retain(|id, _| !ids.contains(id));
        self.revoked.retain(|id| !ids.contains(id));
    }

    async fn close(&mut self) -> Result<(), Error> {
        Ok(())
    }
}
