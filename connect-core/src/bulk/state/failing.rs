//! What follows when a request or some of its rows failed.
//!
//! A failure that repeats unchanged changes something: see *Errors* of [`Bulk`].

use super::State;
use crate::{
    Batch, Budget, Bulk, Class, Error, PartitionId, Progress,
    bulk::{
        doubt::{DOUBTS_ALONE, DOUBTS_BEFORE_HALVING, GUILTY_MAX},
        flights::FlightId,
        request::{Request, Trouble, keep},
        verdicts::Verdicts,
    },
    retry::after,
};
use tokio::time::Instant;

/// What becomes of rows that were refused by a doubtful error.
#[derive(Debug, Default)]
struct Suspects {
    /// Go again without others.
    together: Vec<u32>,
    /// Go again, each of them alone.
    alone: Vec<u32>,
    /// The last error of those that go again.
    error: Option<Error>,
    /// Nothing says that the target takes any row.
    unproven: bool,
}

impl<B: Bulk> State<B> {
    /// Some rows have their verdict, others go again.
    pub(super) fn sorted(
        &mut self,
        id: FlightId,
        request: &Request,
        mut verdicts: Verdicts,
        now: Instant,
        budget: &Budget,
    ) -> Result<(), Error> {
        let batch = &request.batch;
        let settled = verdicts.settled.iter().filter_map(|&row| partition(batch, row));
        if !verdicts.settled.is_empty() {
            let accepted = request.suspects && verdicts.fates.iter().any(Result::is_ok);
            self.doubt.passed(settled, accepted);
        }
        let mut suspects = self.try_suspects(request, &mut verdicts);
        let Verdicts { settled, fates, again, reason, fatal, .. } = verdicts;
        if settled.is_empty() && fatal.is_none() && again.len() == batch.len() {
            // Nothing got through: the target, not a row, is in trouble.
            let error = reason.expect("rows that go again have a reason");
            let (trouble, batch) = (request.trouble.clone(), batch.subset(&again));
            let request = Request { batch, trouble, alone: request.alone, suspects: request.suspects };
            return self.failed(id, request, error, now);
        }
        let mut over = settled.clone();
        let mut living = |rows: Vec<u32>| -> Vec<u32> {
            let (living, gone): (Vec<u32>, Vec<u32>) =
                rows.into_iter().partition(|&row| self.is_live(batch, row));
            over.extend(gone);
            living
        };
        let again = living(again);
        suspects.together = living(std::mem::take(&mut suspects.together));
        suspects.alone = living(std::mem::take(&mut suspects.alone));
        self.release(batch, Some(&over), now);
        if !settled.is_empty() {
            self.reports.push(Progress::Done(batch.subset(&settled), fates.into_iter().collect()));
            self.gate.open();
        }
        self.send_suspects_again(id, request, suspects, now, budget)?;
        match reason {
            Some(error) if !again.is_empty() => {
                self.flights.overloaded(id);
                let (trouble, batch) = (request.trouble.clone(), keep(batch, &again, budget));
                let request = Request { batch, trouble, alone: request.alone, suspects: false };
                self.retry(request, error, now)?;
            }
            _ if settled.is_empty() => {}
            _ => self.flights.succeeded(),
        }
        fatal.map_or(Ok(()), Err)
    }

    /// Sorts the rows that were refused by a doubtful error: sent again together, then a few of them alone, and what
    /// is refused alone though others got through is poison.
    fn try_suspects(&mut self, request: &Request, verdicts: &mut Verdicts) -> Suspects {
        let mut suspects = Suspects::default();
        let first = request.trouble.as_ref().map_or(self.doubt.answer(), Trouble::answer);
        let single = request.batch.len() == 1;
        // Of all requests together: while some wait to be sent alone, nobody knows yet whether others have to be.
        let waiting = self.ready.iter().filter(|ready| ready.suspects && ready.batch.len() == 1).count();
        let room = GUILTY_MAX.saturating_sub(waiting);
        for (row, error) in std::mem::take(&mut verdicts.doubted) {
            let passed =
                partition(&request.batch, row).is_some_and(|id| self.doubt.has_passed_since(id, first));
            let known = request.suspects && self.doubt.suspects_are_guilty();
            if passed && (single || known) {
                self.doubt.guilty();
                verdicts.settled.push(row);
                verdicts.fates.push(Err(error));
                continue;
            }
            if passed && request.suspects && suspects.alone.len() < room {
                suspects.alone.push(row);
            } else {
                suspects.together.push(row);
            }
            suspects.unproven |= !passed;
            suspects.error = Some(error.settled_as(Class::Retriable));
        }
        suspects
    }

    fn send_suspects_again(
        &mut self,
        id: FlightId,
        request: &Request,
        suspects: Suspects,
        now: Instant,
        budget: &Budget,
    ) -> Result<(), Error> {
        let Suspects { together, alone, error, unproven } = suspects;
        let Some(error) = error else { return Ok(()) };
        let trouble = request.trouble.clone();
        let trouble = trouble.unwrap_or_else(|| self.trouble(now));
        for row in alone.into_iter().rev() {
            let (batch, trouble) = (keep(&request.batch, &[row], budget), Some(trouble.clone()));
            self.ready.push_front(Request { batch, trouble, alone: true, suspects: true });
        }
        if together.is_empty() {
            return Ok(());
        }
        let batch = keep(&request.batch, &together, budget);
        let again = Request { batch, trouble: Some(trouble), alone: true, suspects: true };
        // Refused once more, and nobody got through: the target is in trouble.
        if request.suspects && unproven {
            self.failed(id, again, error, now)
        } else {
            self.retry(again, error, now)
        }
    }

    fn is_live(&self, batch: &Batch, row: u32) -> bool {
        partition(batch, row).is_some_and(|id| self.live.contains(&id))
    }

    /// The request as a whole failed and may work later.
    pub(super) fn failed(
        &mut self,
        id: FlightId,
        mut request: Request,
        error: Error,
        now: Instant,
    ) -> Result<(), Error> {
        if self.flights.overloaded(id) {
            let until = after(now, self.gate.backoff.next_wait(error.retry_after()));
            let since = request.trouble.as_ref().map_or(now, Trouble::since);
            // The last attempt is not put off beyond its time.
            let last = self.config.retry_timeout.map(|timeout| after(since, timeout));
            self.gate.closed_until = Some(last.map_or(until, |last| until.min(last)));
        }
        self.forget_rows(&mut request.batch, now);
        if request.batch.is_empty() {
            return Ok(());
        }
        self.retry(request, error, now)
    }

    /// Sends the rows again when their own backoff says so: fewer at once if they may be to blame.
    fn retry(&mut self, mut request: Request, error: Error, now: Instant) -> Result<(), Error> {
        let mut trouble = request.trouble.take().unwrap_or_else(|| self.trouble(now));
        let due = match trouble.failed(now, &error, self.config.retry_timeout) {
            Ok(due) => due,
            Err(over) => return Err(error.exhausted(over.attempts, over.elapsed)),
        };
        let (doubts, first) = (trouble.doubts(), trouble.answer());
        request.trouble = Some(trouble);
        match request.batch.len() {
            1 if doubts >= DOUBTS_ALONE && self.others_got_through(&request, first) => {
                self.poison(request.batch, error.settled_as(Class::Poison), now);
                return Ok(());
            }
            2.. if doubts >= DOUBTS_BEFORE_HALVING => {
                let (front, back) = request.halve();
                self.retries.push(due, front);
                self.retries.push(due, back);
            }
            _ => self.retries.push(due, request),
        }
        self.reports.push(Progress::Retrying(error));
        Ok(())
    }

    /// The target refuses the request as it stands: half of it, or the one row that is to blame, or all alike.
    pub(super) fn refused(
        &mut self,
        id: FlightId,
        mut request: Request,
        error: Error,
        now: Instant,
    ) -> Result<(), Error> {
        let trouble = request.trouble.take().unwrap_or_else(|| self.trouble(now));
        let first = trouble.answer();
        request.trouble = Some(trouble);
        if request.batch.len() == 1 {
            if self.others_got_through(&request, first) {
                self.gate.open();
                self.flights.succeeded();
                self.poison(request.batch, error, now);
                return Ok(());
            }
            self.doubt.refused_alone();
            request.alone = true;
        } else if !self.doubt.is_refused_alike() {
            self.halve_now(request, now);
            return Ok(());
        }
        let error = error.settled_as(Class::Retriable).doubtful();
        if self.doubt.is_refused_alike() {
            return self.failed(id, request, error, now);
        }
        self.forget_rows(&mut request.batch, now);
        if request.batch.is_empty() { Ok(()) } else { self.retry(request, error, now) }
    }

    fn halve_now(&mut self, mut request: Request, now: Instant) {
        self.gate.open();
        self.forget_rows(&mut request.batch, now);
        match request.batch.len() {
            0 => {}
            // What is left of several rows was not refused on its own yet.
            1 => self.ready.push_front(Request { alone: true, ..request }),
            _ => {
                let (front, back) = request.halve();
                self.ready.push_front(back);
                self.ready.push_front(front);
            }
        }
    }

    /// The only row of this batch is to blame.
    fn poison(&mut self, batch: Batch, error: Error, now: Instant) {
        self.release(&batch, None, now);
        self.reports.push(Progress::Done(batch, [Err(error)].into_iter().collect()));
    }

    /// Whether another row of the partition was settled since the first failure of this one.
    fn others_got_through(&self, request: &Request, first: u64) -> bool {
        partition(&request.batch, 0).is_some_and(|id| self.doubt.has_passed_since(id, first))
    }

    fn trouble(&self, now: Instant) -> Trouble {
        Trouble::new(now, self.doubt.answer(), self.config.backoff)
    }
}

fn partition(batch: &Batch, row: u32) -> Option<PartitionId> {
    batch.get(row as usize).map(|record| record.origin().id)
}
