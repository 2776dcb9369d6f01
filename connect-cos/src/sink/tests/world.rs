//! A log, a group's offsets and a bucket that outlive instances; an instance that can be killed at any moment.

use super::bucket::{Bucket, Faults, View};
use crate::{CosConfig, CosSink};
use bytes::Bytes;
use connect_core::{
    Assigned, BatchBuilder, Budget, Chain, Entry, Error, Flush, Output, PartitionId, Progress, Record,
    Transform, config::ByteSize, testing::Bench,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

pub(super) const PARTITIONS: usize = 2;
const TOPIC: &str = "quakes";

/// One record of the log.
#[derive(Clone, Debug)]
pub(super) enum Logged {
    /// Goes to the path of `net`.
    Plain(&'static str),
    /// Becomes two, of different paths.
    Twin,
    /// A transform drops it.
    Filtered,
    /// The sink refuses it.
    Poison,
    /// No record: compaction or a transaction marker.
    Hole,
}

/// Drops, doubles, or lets pass. Deterministic.
struct Shape;

impl Transform for Shape {
    fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error> {
        match record.key() {
            Some(b"drop") => {}
            Some(b"twin") => {
                let offset = record.origin().offset;
                for net in ["a", "b"] {
                    out.derive(record)
                        .value(Some(line(record.origin().partition, offset, net, true).as_bytes()))
                        .emit();
                }
            }
            _ => out.keep(record),
        }
        Ok(())
    }
}

fn line(partition: i32, offset: i64, net: &str, twin: bool) -> String {
    let pad = "x".repeat(usize::try_from(offset % 7).unwrap() * 5);
    format!(r#"{{"p":{partition},"o":{offset},"net":"{net}","twin":{twin},"pad":"{pad}"}}"#)
}

/// What all instances share.
pub(super) struct World {
    pub(super) log: Vec<Vec<Logged>>,
    /// Records below are gone from the log.
    pub(super) log_start: Vec<i64>,
    pub(super) committed: Vec<(i64, Option<Bytes>)>,
    pub(super) bucket: Arc<Bucket>,
    /// Notes that were taken for foreign ones.
    pub(super) foreign: Vec<usize>,
    /// Dead letters, durable.
    pub(super) letters: BTreeSet<(i32, i64)>,
    pub(super) clock: Arc<AtomicI64>,
    pub(super) epoch: u32,
    /// The instance that may commit.
    pub(super) owner: u32,
}

impl World {
    pub(super) fn new(log: Vec<Logged>) -> Self {
        Self {
            log: vec![log; PARTITIONS],
            log_start: vec![0; PARTITIONS],
            committed: vec![(0, None); PARTITIONS],
            bucket: Arc::default(),
            foreign: Vec::new(),
            letters: BTreeSet::new(),
            clock: Arc::new(AtomicI64::new(1_700_000_000_000)),
            epoch: 0,
            owner: 0,
        }
    }

    /// Path, then lines in it.
    pub(super) fn expected(&self) -> BTreeMap<(i32, String), Vec<String>> {
        let mut lines: BTreeMap<(i32, String), Vec<String>> = BTreeMap::new();
        for (partition, log) in (0..).zip(&self.log) {
            for (offset, entry) in (0..).zip(log) {
                let mut add = |net: &str, twin| {
                    lines
                        .entry((partition, net.to_owned()))
                        .or_default()
                        .push(line(partition, offset, net, twin));
                };
                match entry {
                    Logged::Plain(net) => add(net, false),
                    Logged::Twin => {
                        add("a", true);
                        add("b", true);
                    }
                    Logged::Filtered | Logged::Poison | Logged::Hole => {}
                }
            }
        }
        lines
    }

    /// All lines, by partition and path.
    pub(super) fn found(&self) -> BTreeMap<(i32, String), Vec<String>> {
        let mut found: BTreeMap<(i32, String), Vec<String>> = BTreeMap::new();
        for (name, object) in self.bucket.objects.lock().unwrap().iter() {
            let text = String::from_utf8(object.bytes.to_vec()).unwrap();
            assert!(text.ends_with('\n'), "{name} ends in the middle of a line: {text:?}");
            let net = name.split("net=").nth(1).unwrap().split('/').next().unwrap().to_owned();
            let partition: i32 = name.split('+').nth(1).unwrap().parse().unwrap();
            let lines: Vec<String> = text.lines().map(str::to_owned).collect();
            let offsets: Vec<i64> = lines.iter().map(|line| offset_of(line)).collect();
            assert!(offsets.is_sorted(), "{name}: {offsets:?}");
            assert_eq!(object.found.first, offsets.first().copied(), "{name}");
            assert!(object.found.last.is_none_or(|last| Some(&last) == offsets.last()), "{name}");
            found.entry((partition, net)).or_default().extend(lines);
        }
        for lines in found.values_mut() {
            lines.sort_by_key(|line| offset_of(line));
        }
        found
    }

    /// Fails unless each line is in exactly one object of its path, in order within each object.
    pub(super) fn check(&self) {
        assert_eq!(self.found(), self.expected());
        let poison: BTreeSet<(i32, i64)> = (0..)
            .zip(&self.log)
            .flat_map(|(partition, log)| {
                (0..)
                    .zip(log)
                    .filter(|(_, e)| matches!(e, Logged::Poison))
                    .map(move |(offset, _)| (partition, offset))
            })
            .collect();
        assert_eq!(self.letters, poison);
        for (partition, (offset, note)) in self.committed.iter().enumerate() {
            assert_eq!((*offset, note), (i64::try_from(self.log[partition].len()).unwrap(), &None));
        }
    }

    fn done(&self) -> bool {
        self.committed
            .iter()
            .zip(&self.log)
            .all(|((offset, note), log)| *offset == log.len() as i64 && note.is_none())
    }
}

pub(super) fn offset_of(line: &str) -> i64 {
    line.split("\"o\":").nth(1).unwrap().split(',').next().unwrap().parse().unwrap()
}

pub(super) fn config() -> CosConfig {
    CosConfig {
        path: "h={HH}/net={field:net}".to_owned(),
        flush_size: 4,
        file_bytes: ByteSize::bytes(400),
        part_size: ByteSize::bytes(128),
        max_age: Duration::from_secs(20),
        max_open_files: 3,
        backoff: Duration::from_millis(10),
        backoff_max: Duration::from_millis(100),
        ..CosConfig::new("file:///nowhere".to_owned())
    }
}

/// How an instance's life went.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    Finished,
    Died,
    /// The task ended by itself and would be started again.
    Restart,
    /// The task stopped for good, and said why.
    Stopped(String),
}

/// One running task.
pub(super) struct Instance {
    pub(super) bench: Bench<CosSink>,
    pub(super) faults: Arc<Faults>,
    epoch: u32,
    pub(super) ids: Vec<PartitionId>,
    next: Vec<i64>,
    rng: fastrand::Rng,
    pub(super) budget: Budget,
    /// Who was reported to need more records than there is room for.
    starved: Option<PartitionId>,
}

impl Instance {
    /// Starts one that owns all partitions and is killed at event `die_at` (0: never).
    pub(super) fn start(
        world: &mut World,
        config: CosConfig,
        die_at: usize,
        fail_every: usize,
        seed: u64,
    ) -> Result<Self, Error> {
        Self::within(world, config, 1 << 20, die_at, fail_every, seed)
    }

    /// One with a byte budget of `limit`.
    pub(super) fn within(
        world: &mut World,
        config: CosConfig,
        limit: usize,
        die_at: usize,
        fail_every: usize,
        seed: u64,
    ) -> Result<Self, Error> {
        world.epoch += 1;
        world.owner = world.epoch;
        let faults = Arc::new(Faults { die_at, fail_every, ..Faults::default() });
        let view = View {
            bucket: Arc::clone(&world.bucket),
            faults: Arc::clone(&faults),
            spills: seed.is_multiple_of(2),
        };
        let clock = Arc::clone(&world.clock);
        let now = Arc::new(move || clock.load(Ordering::SeqCst));
        let rng = fastrand::Rng::with_seed(seed ^ (u64::from(world.epoch) << 32));
        let sink = CosSink::with(config, Some("shape"), Arc::new(view), now, rng.clone())?;
        let budget = Budget::new(limit);
        let mut bench = Bench::new(sink, budget.clone());
        let ids: Vec<PartitionId> =
            (0..PARTITIONS).map(|slot| PartitionId::new(slot as u32, world.epoch)).collect();
        let assigned: Vec<Assigned> = ids
            .iter()
            .zip(&world.committed)
            .map(|(id, (offset, note))| Assigned {
                id: *id,
                topic: TOPIC.into(),
                partition: id.slot() as i32,
                offset: *offset,
                note: note.clone(),
                partitions: None,
            })
            .collect();
        bench.assigned(&assigned)?;
        let next = world.committed.iter().map(|(offset, _)| *offset).collect();
        Ok(Self { bench, faults, epoch: world.epoch, ids, next, rng, budget, starved: None })
    }

    /// Reads up to `count` entries of each partition.
    pub(super) fn read(&mut self, world: &World, count: usize) -> Result<(), Error> {
        let all = self.ids.clone();
        self.read_of(world, &all, count)
    }

    pub(super) fn read_of(&mut self, world: &World, ids: &[PartitionId], count: usize) -> Result<(), Error> {
        let mut builder = BatchBuilder::new();
        let topic: Arc<str> = TOPIC.into();
        for (slot, log) in world.log.iter().enumerate() {
            let (id, partition) = (self.ids[slot], slot as i32);
            if !ids.contains(&id) {
                continue;
            }
            if self.next[slot] < world.log_start[slot] {
                // As the runtime hands a source's gap over.
                builder.lost(id, &topic, partition, self.next[slot]..world.log_start[slot]);
                self.next[slot] = world.log_start[slot];
                // The end of a partition moves the position even where no record is left.
                if self.next[slot] == log.len() as i64 {
                    builder.position(id, &topic, partition, self.next[slot]);
                }
            }
            for offset in (self.next[slot]..log.len() as i64).take(count) {
                let plain;
                let (key, value): (&str, &str) = match &log[offset as usize] {
                    Logged::Plain(net) => {
                        plain = line(partition, offset, net, false);
                        ("plain", &plain)
                    }
                    Logged::Twin => ("twin", "{}"),
                    Logged::Filtered => ("drop", "{}"),
                    Logged::Poison => ("plain", "two\nlines"),
                    Logged::Hole => {
                        builder.position(id, &topic, partition, offset + 1);
                        self.next[slot] = offset + 1;
                        continue;
                    }
                };
                let entry = Entry {
                    offset,
                    timestamp_ms: None,
                    key: Some(key.as_bytes()),
                    value: Some(value.as_bytes()),
                };
                builder.push(id, &topic, partition, entry, []);
                self.next[slot] = offset + 1;
            }
        }
        self.bench.put(Chain::new(vec![Arc::new(Shape)]).apply(builder.finish(), 0).batch)
    }

    /// Plays the runtime for one report. A former owner's commits do not count, and nothing answers its notes.
    pub(super) async fn handle(&mut self, world: &mut World, report: Progress) -> Result<(), Error> {
        self.faults.moment().await;
        let owner = self.epoch == world.owner;
        match report {
            Progress::Note(id, note) if owner => {
                let (_, standing) = &mut world.committed[id.slot()];
                *standing = Some(note);
                self.faults.moment().await;
                self.bench.noted(id)?;
            }
            Progress::Durable(id, to) if owner => {
                let committed = &mut world.committed[id.slot()];
                assert!(to >= committed.0, "{to} after {}", committed.0);
                *committed = (to, None);
                self.faults.moment().await;
            }
            Progress::Starved(id) => self.starved = Some(id),
            Progress::Foreign(id) if owner => world.foreign.push(id.slot()),
            Progress::Rejected(batch, _) if owner => {
                let origin = batch.get(0).unwrap().origin();
                world.letters.insert((origin.partition, origin.offset));
            }
            _ => {}
        }
        Ok(())
    }

    /// Handles what is reported within `limit` of (paused) time.
    pub(super) async fn settle(&mut self, world: &mut World, limit: Duration) -> Result<(), Error> {
        let until = tokio::time::Instant::now() + limit;
        while let Ok(report) = tokio::time::timeout_at(until, self.bench.progress()).await {
            self.handle(world, report?).await?;
        }
        Ok(())
    }

    async fn act(&mut self, world: &mut World) -> Result<(), Error> {
        let count = self.rng.usize(1..6);
        match self.rng.u8(..) % 12 {
            0 => self.bench.flush(Flush::Uncommitted(self.ids[self.rng.usize(..PARTITIONS)]))?,
            1 => self.bench.flush(Flush::Pressure)?,
            2 => {
                world.clock.fetch_add(self.rng.i64(0..2_400_000), Ordering::SeqCst);
            }
            3 => self.settle(world, Duration::from_secs(25)).await?,
            4 => {}
            _ => self.read(world, count)?,
        }
        let limit = if self.rng.bool() { 0 } else { 50 };
        self.settle(world, Duration::from_millis(limit)).await
    }

    async fn live(&mut self, world: &mut World) -> Result<(), Error> {
        for _ in 0..2000 {
            if world.done() {
                return Ok(());
            }
            self.act(world).await?;
            let all = self.next.iter().zip(&world.log).all(|(next, log)| *next == log.len() as i64);
            if all {
                self.bench.flush(Flush::Now)?;
                self.settle(world, Duration::from_secs(60)).await?;
            }
        }
        panic!("nothing moves: {:?}", world.committed);
    }

    /// Runs to the end as the runtime does: reads while the budget has room, asks for bytes if it has none, and goes
    /// beyond it only for one partition that needs it.
    pub(super) async fn run_within_budget(&mut self, world: &mut World, count: usize) -> Result<(), Error> {
        let mut idle = 0;
        while !world.done() {
            let before = (self.next.clone(), world.committed.clone());
            if self.budget.room() > 0 {
                self.read(world, count)?;
            } else {
                self.bench.flush(Flush::Pressure)?;
            }
            self.settle(world, Duration::from_millis(100)).await?;
            if let Some(id) = self.starved.take() {
                self.read_of(world, &[id], count)?;
            }
            if self.next.iter().zip(&world.log).all(|(next, log)| *next == log.len() as i64) {
                self.bench.flush(Flush::Now)?;
                self.settle(world, Duration::from_millis(100)).await?;
            }
            idle = if before == (self.next.clone(), world.committed.clone()) { idle + 1 } else { 0 };
            assert!(idle < 100, "nothing moves: {:?} of {:?}", self.next, world.committed);
        }
        Ok(())
    }

    /// Runs until all is committed, or it dies.
    pub(super) async fn run(&mut self, world: &mut World) -> End {
        let faults = Arc::clone(&self.faults);
        tokio::select! {
            biased;
            () = faults.died.notified() => End::Died,
            ended = self.live(world) => match ended {
                Ok(()) => End::Finished,
                Err(e) if e.class() == connect_core::Class::Retriable => End::Restart,
                Err(e) => End::Stopped(e.report()),
            },
        }
    }

    /// A frozen process goes on where it stood, unable to commit. It may run into its successor's objects.
    pub(super) async fn thaw(&mut self, world: &mut World) {
        self.faults.dead.store(false, Ordering::SeqCst);
        self.faults.thawed.notify_one();
        let mut ended = Ok(());
        for _ in 0..3 {
            if ended.is_ok() {
                ended = self.act(world).await;
            }
        }
        if let Err(e) = ended {
            assert_ne!(e.class(), connect_core::Class::Poison, "{e:?}");
        }
    }
}
