//! Every decision of a [`BulkSink`](super::BulkSink): what is sent together, when, and what an answer means.
//!
//! No clock, no await, no job: the time and the budget come with each call, requests to send are asked for by
//! [`State::next`], reports by [`State::reports`].
//!
//! A row is in exactly one place: `order` (its key is busy), `open`, `ready`, in flight, or `retries`. It leaves by
//! a report, or because its partition is gone.

mod failing;

use super::{
    Bulk, BulkConfig,
    config::Size,
    doubt::Doubt,
    flights::{FlightId, Flights},
    order::Order,
    request::{Request, row_number, size},
    retries::Retries,
    verdicts::Verdicts,
};
use crate::{
    Backoff, Batch, Budget, Class, Error, Flush, Outcome, PartitionId, Permit, Progress, retry::after,
};
use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
};
use tokio::time::Instant;

/// What a part of a batch takes beside its rows and what it shares, about: they may be as many as there are records.
const PART_BYTES: usize = 512;

/// The state of a bulk sink.
#[derive(Debug)]
pub(super) struct State<B> {
    bulk: Arc<B>,
    config: BulkConfig,
    live: HashSet<PartitionId>,
    /// Partitions that are being given up.
    leaving: Vec<PartitionId>,
    order: Order,
    open: Open,
    ready: VecDeque<Request>,
    flights: Flights,
    retries: Retries,
    gate: Gate,
    /// How much a request may hold; known once the budget is.
    max: Size,
    /// How much all bodies in flight may take; known once the budget is.
    bodies: usize,
    /// Set aside for bodies while there is anything to send: batches that wait must not take the room that they need
    /// to leave by.
    workspace: Option<Permit>,
    doubt: Doubt,
    reports: Vec<Progress>,
}

/// The request that is being filled.
#[derive(Debug, Default)]
struct Open {
    batch: Batch,
    size: Size,
    /// When it is to be sent at the latest; `None` while it is empty.
    due: Option<Instant>,
}

/// Closed while the target is away: nothing is sent, instead of every request finding it out for itself.
#[derive(Debug)]
struct Gate {
    backoff: Backoff,
    closed_until: Option<Instant>,
}

impl Gate {
    fn open(&mut self) {
        self.backoff.reset();
        self.closed_until = None;
    }
}

/// A request to be sent now.
#[derive(Debug)]
pub(super) struct Launch {
    pub(super) id: FlightId,
    pub(super) batch: Arc<Batch>,
}

impl<B: Bulk> State<B> {
    pub(super) fn new(bulk: Arc<B>, config: BulkConfig) -> Self {
        let (flights, backoff) = (Flights::new(config.in_flight_max), Backoff::new(config.backoff));
        Self {
            max: config.request_max(usize::MAX),
            bodies: config.bodies_max(usize::MAX),
            workspace: None,
            bulk,
            config,
            live: HashSet::new(),
            leaving: Vec::new(),
            order: Order::default(),
            open: Open::default(),
            ready: VecDeque::new(),
            flights,
            retries: Retries::default(),
            gate: Gate { backoff, closed_until: None },
            doubt: Doubt::default(),
            reports: Vec::new(),
        }
    }

    pub(super) fn assigned(&mut self, id: PartitionId) {
        self.live.insert(id);
    }

    pub(super) fn put(&mut self, batch: Batch, now: Instant, budget: &Budget) {
        self.max = self.config.request_max(budget.limit());
        self.bodies = self.config.bodies_max(budget.limit());
        if batch.is_empty() {
            self.reports.push(Progress::Done(batch, Outcome::delivered()));
        } else if let Some(batch) = self.order.admit(&*self.bulk, batch, budget) {
            self.fill(batch, after(now, self.config.linger));
        }
    }

    /// Adds rows to the open request, which is sent at `due` at the latest; full ones are ready at once.
    fn fill(&mut self, batch: Batch, due: Instant) {
        let added = size(&batch, self.bulk.row_overhead());
        if added.fits(self.max) {
            return self.fill_whole(batch, added, due);
        }
        for rows in cut(&batch, self.max, self.bulk.row_overhead()) {
            let mut part = batch.subset(&rows);
            part.charge_more(PART_BYTES);
            let added = size(&part, self.bulk.row_overhead());
            self.fill_whole(part, added, due);
        }
    }

    fn fill_whole(&mut self, batch: Batch, added: Size, due: Instant) {
        if !self.open.size.plus(added).fits(self.max) {
            self.seal();
        }
        let first = self.open.batch.is_empty();
        self.open.batch.append(batch);
        if first {
            // Grown step by step, the rows of a full request would be copied three times.
            self.open.batch.reserve(self.max.records);
        }
        self.open.size = self.open.size.plus(added);
        self.open.due = Some(self.open.due.map_or(due, |earlier| earlier.min(due)));
        // Another batch like this one would have to wait for the next request, and this one for it.
        if !self.open.size.plus(added).fits(self.max) {
            self.seal();
        }
    }

    fn seal(&mut self) {
        let open = std::mem::take(&mut self.open);
        if !open.batch.is_empty() {
            self.ready.push_back(Request::new(open.batch));
        }
    }

    /// The next request to send, if one may be sent now.
    pub(super) fn next(&mut self, now: Instant, budget: &Budget) -> Option<Launch> {
        if self.gate.closed_until.is_some_and(|until| now < until) || !self.have_room(budget) {
            return None;
        }
        let overhead = self.bulk.row_overhead();
        let request = match self.retries.pop_due(now, self.max, overhead) {
            Some(request) => request,
            None => self.ready.pop_front().or_else(|| self.open_if_due(now))?,
        };
        let size = request.size(overhead);
        let (id, batch) = self.flights.start(request, size);
        Some(Launch { id, batch })
    }

    /// Whether one more request may start. One always may; others only if their bodies fit in what is set aside for
    /// them, and into the budget: it may have been full of batches before anything was.
    fn have_room(&self, budget: &Budget) -> bool {
        let set_aside = self.workspace.as_ref().map_or(0, Permit::bytes);
        let others = budget.held().saturating_sub(set_aside);
        self.flights.have_room(self.max.bytes, self.bodies.min(budget.limit().saturating_sub(others)))
    }

    fn open_if_due(&mut self, now: Instant) -> Option<Request> {
        if self.open.due.is_none_or(|due| now < due) {
            return None;
        }
        Some(Request::new(std::mem::take(&mut self.open).batch))
    }

    /// When [`next`](Self::next) is worth another question though nothing has happened. Without room in flight an
    /// answer comes first.
    pub(super) fn wake(&self, budget: &Budget) -> Option<Instant> {
        if !self.have_room(budget) {
            return None;
        }
        let next = if self.ready.is_empty() {
            [self.retries.next_due(), self.open.due].into_iter().flatten().min()?
        } else {
            self.gate.closed_until?
        };
        Some(self.gate.closed_until.map_or(next, |until| next.max(until)))
    }

    /// The answer to a request.
    pub(super) fn answered(
        &mut self,
        id: FlightId,
        answer: Result<Outcome, Error>,
        now: Instant,
        budget: &Budget,
    ) -> Result<(), Error> {
        let Some(request) = self.flights.land(id) else { return Ok(()) };
        self.doubt.answered();
        match answer {
            Ok(outcome) => match Verdicts::of(outcome, request.batch.len()) {
                None => self.delivered(request, now),
                Some(verdicts) => self.sorted(id, &request, verdicts, now, budget)?,
            },
            Err(error) => match error.class() {
                Class::Retriable => self.failed(id, request, error, now)?,
                Class::Poison => self.refused(id, request, error, now)?,
                Class::Fatal => return Err(error),
            },
        }
        self.settle();
        Ok(())
    }

    fn delivered(&mut self, request: Request, now: Instant) {
        let Request { batch, suspects, .. } = request;
        self.doubt.passed(batch.partitions(), suspects);
        self.flights.succeeded();
        self.gate.open();
        self.release(&batch, None, now);
        self.reports.push(Progress::Done(batch, Outcome::delivered()));
    }

    /// The fate of these rows (`None`: of all) is known. Those that waited for them go at once: they have waited
    /// longer than any linger.
    fn release(&mut self, batch: &Batch, rows: Option<&[u32]>, now: Instant) {
        let admitted = match rows {
            None => self.order.release(&*self.bulk, batch.iter()),
            Some(rows) => {
                let records = rows.iter().filter_map(|&row| batch.get(row as usize));
                self.order.release(&*self.bulk, records)
            }
        };
        for batch in admitted {
            self.fill(batch, now);
        }
    }

    pub(super) fn flush(&mut self, why: Flush, now: Instant) {
        if self.open.due.is_some() {
            self.open.due = Some(now);
        }
        match why {
            Flush::Now => self.hurry(now),
            Flush::Pressure | Flush::Uncommitted(_) => {}
        }
    }

    /// There is a deadline now: one attempt at once, whatever the backoff says.
    fn hurry(&mut self, now: Instant) {
        self.retries.hurry(now);
        self.gate.closed_until = None;
    }

    pub(super) fn revoke(&mut self, ids: &[PartitionId], now: Instant) {
        self.leaving.extend(ids);
        self.flush(Flush::Now, now);
        self.settle();
    }

    /// Reports the partitions of which nothing is left.
    fn settle(&mut self) {
        if self.leaving.is_empty() {
            return;
        }
        let leaving = std::mem::take(&mut self.leaving);
        let (left, released): (Vec<_>, Vec<_>) = leaving.into_iter().partition(|&id| self.holds(id));
        self.leaving = left;
        if released.is_empty() {
            return;
        }
        for id in &released {
            self.live.remove(id);
            self.doubt.forget(*id);
        }
        self.reports.push(Progress::Released(released));
    }

    fn holds(&self, id: PartitionId) -> bool {
        let waiting = self.ready.iter().chain(self.retries.requests()).map(|request| &request.batch);
        let all = waiting.chain(self.flights.batches()).chain([&self.open.batch]);
        all.into_iter().any(|batch| batch.has_rows_of(id)) || self.order.parks(id)
    }

    /// These partitions are gone. Their rows in flight are forgotten when the answer comes.
    pub(super) fn lost(&mut self, ids: &[PartitionId], now: Instant) {
        for id in ids {
            self.live.remove(id);
            self.doubt.forget(*id);
        }
        self.leaving.retain(|id| !ids.contains(id));
        let live = &self.live;
        self.order.forget(|id| live.contains(&id));
        let mut held = Vec::new();
        let mut waiting = std::mem::take(&mut self.ready);
        waiting.retain_mut(|request| prune(&mut request.batch, live, &mut held));
        self.ready = waiting;
        self.retries.retain(|request| prune(&mut request.batch, live, &mut held));
        if !prune(&mut self.open.batch, live, &mut held) {
            self.open = Open::default();
        }
        self.open.size = size(&self.open.batch, self.bulk.row_overhead());
        for batch in held {
            self.release(&batch, None, now);
        }
    }

    /// Takes out the rows of partitions that are gone.
    fn forget_rows(&mut self, batch: &mut Batch, now: Instant) {
        let mut held = Vec::new();
        prune(batch, &self.live, &mut held);
        for batch in held {
            self.release(&batch, None, now);
        }
    }

    /// Charges the room for bodies: all that they may take as long as anything is here, and nothing else.
    pub(super) fn settle_workspace(&mut self, budget: &Budget) {
        let idle = self.flights.is_empty() && self.ready.is_empty() && self.retries.is_empty();
        if idle && self.open.batch.is_empty() {
            self.workspace = None;
            return;
        }
        let bytes = self.flights.bytes().max(self.bodies);
        match &mut self.workspace {
            Some(permit) => permit.resize(bytes),
            None => self.workspace = Some(budget.charge(bytes)),
        }
    }

    /// What there is to tell.
    pub(super) fn reports(&mut self) -> impl Iterator<Item = Progress> {
        self.reports.drain(..)
    }
}

/// Takes the rows of dead partitions out, to `gone`. Whether any row is left.
fn prune(batch: &mut Batch, live: &HashSet<PartitionId>, gone: &mut Vec<Batch>) -> bool {
    let dead: Vec<u32> = if batch.runs().iter().all(|run| live.contains(&run.id)) {
        Vec::new()
    } else {
        let rows = (0..).zip(batch.iter());
        rows.filter(|(_, record)| !live.contains(&record.origin().id)).map(|(row, _)| row).collect()
    };
    if !dead.is_empty() {
        gone.push(batch.subset(&dead));
        batch.retain_live(|id| live.contains(&id));
    }
    !batch.is_empty()
}

/// The rows of a batch in pieces that fit. A row that is too large stands alone.
fn cut(batch: &Batch, max: Size, row_overhead: usize) -> Vec<Vec<u32>> {
    let (mut pieces, mut piece, mut filled) = (Vec::new(), Vec::new(), Size::default());
    for (number, row) in batch.rows.iter().enumerate() {
        let added = Size { bytes: row.payload_bytes() + row_overhead, records: 1 };
        if !piece.is_empty() && !filled.plus(added).fits(max) {
            pieces.push(std::mem::take(&mut piece));
            filled = Size::default();
        }
        piece.push(row_number(number));
        filled = filled.plus(added);
    }
    pieces.push(piece);
    pieces
}
