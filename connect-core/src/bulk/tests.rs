//! The bulk sink through its context and the driver loop, in paused time, against a target that follows a script.

mod behaviour;
mod blame;
mod memory;
mod property;

use super::*;
use crate::{
    Assigned, BatchBuilder, Budget, Class, Entry, PartitionId, Progress,
    driven::{Driven, DynSink},
};
use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tokio::time::{Instant, timeout};

/// What a script says about one request.
#[derive(Clone, Debug)]
enum Script {
    Deliver,
    /// A verdict per row, repeated when the request is longer.
    Rows(Vec<Verdict>),
    /// Only so many rows are answered.
    Answer(usize),
    /// The request as a whole.
    Fail(Class),
    FailAfter(Class, Duration),
    Hang,
}

/// Decides about a request by its rows; `None`: the script does.
type Rule = Arc<dyn Fn(&[RowId]) -> Option<Script> + Send + Sync>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Ok,
    Busy,
    Bad,
    Broken,
    /// Refused, and the record need not be to blame.
    Doubted,
}

/// Identity of a row: partition slot and offset.
type RowId = (usize, i64);

/// What the target saw.
#[derive(Debug, Default)]
struct Seen {
    script: VecDeque<(Duration, Script)>,
    /// The rows of each request in order of arrival, with its time.
    requests: Vec<(Instant, Vec<RowId>)>,
    /// The verdict that the target gave for good.
    final_verdicts: HashMap<RowId, bool>,
    /// Rows that were refused alone, or not answered alone: they may end as poison.
    failed_alone: HashSet<RowId>,
    flying: usize,
    flying_max: usize,
    flying_keys: HashSet<Vec<u8>>,
    /// Partitions that came, with the redelivery, and that went.
    assigned: Vec<(PartitionId, u64)>,
    unassigned: Vec<PartitionId>,
    /// Rules of the contract that were broken.
    broken: Vec<String>,
}

/// A target that follows a script, then delivers everything.
#[derive(Clone, Default)]
struct Target {
    seen: Arc<Mutex<Seen>>,
    rule: Option<Rule>,
    ordered: bool,
    /// How long requests beyond the script take.
    delay: Duration,
}

impl Target {
    fn scripted(script: impl IntoIterator<Item = Script>) -> Self {
        let target = Self::default();
        let step = Duration::from_millis(10);
        target.seen().script = script.into_iter().map(|script| (step, script)).collect();
        target
    }

    fn ruled(rule: impl Fn(&[RowId]) -> Option<Script> + Send + Sync + 'static) -> Self {
        Self { rule: Some(Arc::new(rule)), ..Self::default() }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    /// The offsets of each request so far.
    fn offsets(&self) -> Vec<Vec<i64>> {
        let seen = self.seen();
        seen.requests.iter().map(|(_, rows)| rows.iter().map(|(_, offset)| *offset).collect()).collect()
    }

    fn times(&self) -> Vec<Instant> {
        self.seen().requests.iter().map(|(at, _)| *at).collect()
    }

    fn arrive(&self, batch: &Batch) -> (Duration, Script) {
        let mut seen = self.seen();
        let rows: Vec<RowId> = batch.iter().map(row_id).collect();
        for row in &rows {
            if seen.final_verdicts.contains_key(row) {
                seen.broken.push(format!("{row:?} sent again after its verdict"));
            }
        }
        for key in keys(batch) {
            if self.ordered && !seen.flying_keys.insert(key.clone()) {
                seen.broken.push(format!("key {key:?} in flight twice"));
            }
        }
        seen.flying += 1;
        seen.flying_max = seen.flying_max.max(seen.flying);
        let ruled = self.rule.as_ref().and_then(|rule| rule(&rows));
        seen.requests.push((Instant::now(), rows));
        if let Some(script) = ruled {
            return (Duration::from_millis(10), script);
        }
        seen.script.pop_front().unwrap_or((self.delay, Script::Deliver))
    }

    fn leave(&self, batch: &Batch) {
        let mut seen = self.seen();
        seen.flying -= 1;
        for key in keys(batch) {
            seen.flying_keys.remove(&key);
        }
    }

    fn decide(&self, row: RowId, verdict: Verdict) -> Result<(), Error> {
        match verdict {
            Verdict::Ok => {
                self.seen().final_verdicts.insert(row, true);
                Ok(())
            }
            Verdict::Busy => Err(Error::retriable("write the row", "429")),
            Verdict::Bad => {
                self.seen().final_verdicts.insert(row, false);
                Err(Error::poison("write the row", "400"))
            }
            Verdict::Doubted => {
                self.seen().failed_alone.insert(row);
                Err(Error::poison("write the row", "400 of a kind").doubtful())
            }
            Verdict::Broken => Err(Error::fatal("write the row", "no such index")),
        }
    }

    fn answer(&self, batch: &Batch, script: &Script) -> Result<Outcome, Error> {
        let decide = |verdicts: &[Verdict], rows: usize| {
            let rows = batch.iter().zip(verdicts.iter().cycle()).take(rows);
            Ok(rows.map(|(record, verdict)| self.decide(row_id(record), *verdict)).collect())
        };
        match script {
            Script::Hang => unreachable!("there is no answer"),
            Script::Deliver => {
                for record in batch.iter() {
                    self.decide(row_id(record), Verdict::Ok)?;
                }
                Ok(Outcome::delivered())
            }
            Script::Rows(verdicts) => decide(verdicts, batch.len()),
            Script::Answer(rows) => decide(&[Verdict::Ok], *rows),
            Script::Fail(class) | Script::FailAfter(class, _) => {
                if let (Class::Poison, [row]) = (class, &*batch.iter().map(row_id).collect::<Vec<_>>()) {
                    self.seen().failed_alone.insert(*row);
                }
                Err(Error::new(*class, "send the request", "scripted"))
            }
        }
    }
}

#[async_trait]
impl Bulk for Target {
    fn assigned(&self, partitions: &[Assigned], redelivery: u64) -> Result<(), Error> {
        self.seen().assigned.extend(partitions.iter().map(|assigned| (assigned.id, redelivery)));
        Ok(())
    }

    fn unassigned(&self, ids: &[PartitionId]) {
        self.seen().unassigned.extend(ids);
    }

    async fn write(&self, batch: &Batch) -> Result<Outcome, Error> {
        let (wait, script) = self.arrive(batch);
        let leave = Leave(self, batch);
        match script {
            Script::Hang => {
                if batch.len() == 1 {
                    self.seen().failed_alone.extend(batch.iter().map(row_id));
                }
                std::future::pending().await
            }
            Script::FailAfter(_, wait) => tokio::time::sleep(wait).await,
            _ => tokio::time::sleep(wait).await,
        }
        let answer = self.answer(batch, &script);
        drop(leave);
        answer
    }

    fn order_key<'a>(&self, record: Record<'a>) -> Option<&'a [u8]> {
        if self.ordered { record.key() } else { None }
    }
}

/// Requests leave by their answer or by being given up.
struct Leave<'a>(&'a Target, &'a Batch);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.0.leave(self.1);
    }
}

fn row_id(record: Record<'_>) -> RowId {
    (record.origin().id.slot(), record.origin().offset)
}

fn keys(batch: &Batch) -> impl Iterator<Item = Vec<u8>> {
    batch.iter().filter_map(|record| record.key().map(<[u8]>::to_vec))
}

const MIB: usize = 1 << 20;

fn id(slot: u32) -> PartitionId {
    PartitionId::new(slot, 1)
}

fn assigned(slot: u32) -> Assigned {
    Assigned { id: id(slot), topic: "topic".into(), partition: 0, offset: 0, note: None, partitions: None }
}

/// Rows of partitions, by slot, offset and key; charged to the budget.
fn batch_of(rows: &[(u32, i64, Option<&str>)], budget: &Budget) -> Batch {
    let mut builder = BatchBuilder::new();
    for (slot, offset, key) in rows {
        let value = format!("{{\"offset\":{offset}}}");
        let entry = Entry {
            offset: *offset,
            key: key.map(str::as_bytes),
            value: Some(value.as_bytes()),
            timestamp_ms: None,
        };
        builder.push(id(*slot), &"topic".into(), i32::try_from(*slot).unwrap(), entry, []);
    }
    let mut batch = builder.finish();
    batch.hold(budget.charge(batch.bytes()));
    batch
}

/// Rows `from..to` of partition 0, without keys.
fn range(from: i64, to: i64, budget: &Budget) -> Batch {
    batch_of(&(from..to).map(|offset| (0, offset, None)).collect::<Vec<_>>(), budget)
}

/// A sink under test with what it reported.
struct Bench {
    driven: Driven<BulkSink<Target>>,
    target: Target,
    budget: Budget,
    /// How often each row was reported, and whether as delivered.
    settled: HashMap<RowId, Vec<bool>>,
    released: Vec<PartitionId>,
    retrying: usize,
    /// Rows of each report, whole requests marked.
    reports: Vec<(usize, bool)>,
}

impl Bench {
    fn new(target: &Target, config: BulkConfig) -> Self {
        Self::with_budget(target, config, Budget::new(64 * MIB))
    }

    fn with_budget(target: &Target, config: BulkConfig, budget: Budget) -> Self {
        let driven = Driven::new(BulkSink::new(target.clone(), config), budget.clone());
        let (settled, released) = (HashMap::new(), Vec::new());
        let mut bench =
            Self { driven, target: target.clone(), budget, settled, released, retrying: 0, reports: vec![] };
        let partitions: Vec<_> = (0..4).map(assigned).collect();
        bench.driven.assigned(&partitions).unwrap();
        bench
    }

    fn put(&mut self, rows: &[(u32, i64, Option<&str>)]) {
        let batch = batch_of(rows, &self.budget);
        self.driven.put(batch).unwrap();
    }

    fn put_range(&mut self, from: i64, to: i64) {
        let batch = range(from, to, &self.budget);
        self.driven.put(batch).unwrap();
    }

    /// Runs the sink until nothing is reported for an hour of paused time.
    async fn run(&mut self) -> Result<(), Error> {
        self.run_for(Duration::from_secs(3_600)).await
    }

    async fn run_for(&mut self, time: Duration) -> Result<(), Error> {
        let until = Instant::now() + time;
        while let Ok(progress) = tokio::time::timeout_at(until, self.driven.progress()).await {
            self.take(progress?);
        }
        Ok(())
    }

    fn take(&mut self, progress: Progress) {
        match progress {
            Progress::Done(batch, outcome) => {
                self.reports.push((batch.len(), batch.whole));
                let verdicts = outcome.into_rows();
                if let Some(rows) = &verdicts {
                    assert_eq!(rows.len(), batch.len(), "a verdict per row");
                }
                for (row, record) in batch.iter().enumerate() {
                    let delivered = verdicts.as_ref().is_none_or(|rows| rows[row].is_ok());
                    self.settled.entry(row_id(record)).or_default().push(delivered);
                }
            }
            Progress::Released(ids) => self.released.extend(ids),
            Progress::Retrying(_) => self.retrying += 1,
            other => panic!("a bulk sink never reports {other:?}"),
        }
    }

    /// Offsets of partition 0 that were reported, delivered and poison.
    fn offsets(&self) -> (Vec<i64>, Vec<i64>) {
        let of = |wanted: bool| {
            let rows = self.settled.iter().filter(|(_, fates)| fates.as_slice() == [wanted]);
            let mut offsets: Vec<i64> = rows.map(|((_, offset), _)| *offset).collect();
            offsets.sort_unstable();
            offsets
        };
        (of(true), of(false))
    }

    /// Nothing is held and no rule was broken.
    fn assert_clean(&self) {
        assert_eq!(self.target.seen().broken, Vec::<String>::new());
        assert_eq!((self.driven.jobs(), self.budget.held()), (0, 0), "nothing is left behind");
    }
}
