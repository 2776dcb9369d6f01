//! A byte budget that is full.

use super::world::{Instance, Logged, World, config};
use crate::CosConfig;
use connect_core::{Flush, Progress, config::ByteSize};
use std::time::Duration;

/// `seed`s of stores that take parts of any size, and of others.
const SPILLS: u64 = 2;
const KEEPS: u64 = 1;

/// Nothing ends a range but the bytes that it holds.
fn patient() -> CosConfig {
    CosConfig {
        flush_size: 0,
        file_bytes: ByteSize::mib(64),
        part_size: ByteSize::mib(5),
        max_age: Duration::MAX,
        max_open_files: 256,
        ..config()
    }
}

/// Records of four paths in turns.
fn log(records: usize) -> Vec<Logged> {
    ["a", "b", "c", "d"].map(Logged::Plain).into_iter().cycle().take(records).collect()
}

/// All is read and cut, and the process dies with the notes committed. Returns the bytes that each range held.
async fn noted(world: &mut World) -> usize {
    let mut first = Instance::start(world, patient(), 0, 0, KEEPS).unwrap();
    first.read(world, usize::MAX).unwrap();
    let held = first.budget.held();
    first.bench.flush(Flush::Now).unwrap();
    for _ in 0..world.committed.len() {
        let Progress::Note(id, note) = first.bench.progress().await.unwrap() else { panic!("a note") };
        world.committed[id.slot()].1 = Some(note);
    }
    held / world.committed.len()
}

#[tokio::test(start_paused = true)]
async fn ranges_that_held_more_than_the_budget_are_rebuilt_one_after_the_other() {
    for (limit, batch) in [(40_000, 7), (100_000, 50), (130_000, 1)] {
        let mut world = World::new(log(2_000));
        let range = noted(&mut world).await;
        assert!(range > 130_000, "{range}");
        let mut next = Instance::within(&mut world, patient(), limit, 0, 0, KEEPS).unwrap();
        next.run_within_budget(&mut world, batch).await.unwrap();
        world.check();
        let (peak, slack) = (next.budget.peak(), 60_000);
        assert!(peak < limit + range + slack, "{peak} of {limit} and {range}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_rebuild_is_read_on_only_if_nothing_else_gives_bytes_back() {
    let mut world = World::new(log(2_000));
    noted(&mut world).await;
    world.committed[1].1 = None;
    let mut next = Instance::start(&mut world, patient(), 0, 0, KEEPS).unwrap();
    let (rebuilt, other) = (next.ids[0], next.ids[1]);
    for (id, count) in [(rebuilt, 1_000), (other, 100)] {
        next.read_of(&world, &[id], count).unwrap();
        next.settle(&mut world, Duration::from_secs(1)).await.unwrap();
    }
    // The fullest can't be cut, so the other is.
    next.bench.flush(Flush::Pressure).unwrap();
    let report = next.bench.progress().await.unwrap();
    assert!(matches!(report, Progress::Note(id, _) if id == other), "{report:?}");
    next.bench.flush(Flush::Pressure).unwrap();
    let waits = tokio::time::timeout(Duration::from_secs(60), next.bench.progress()).await;
    assert!(waits.is_err(), "{waits:?}");
    next.bench.noted(other).unwrap();
    let report = next.bench.progress().await.unwrap();
    assert!(matches!(report, Progress::Durable(id, 100) if id == other), "{report:?}");
    next.bench.flush(Flush::Pressure).unwrap();
    let report = next.bench.progress().await.unwrap();
    assert!(matches!(report, Progress::Starved(id) if id == rebuilt), "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn small_files_that_have_rolled_give_their_bytes_back_under_pressure() {
    for seed in [SPILLS, KEEPS] {
        let mut log = log(4_000);
        // Its file stays open, so that the roll of another is no cut.
        log[0] = Logged::Plain("rare");
        let mut world = World::new(log);
        let config = CosConfig { flush_size: 20, ..patient() };
        let mut only = Instance::within(&mut world, config, 50_000, 0, 0, seed).unwrap();
        only.run_within_budget(&mut world, 200).await.unwrap();
        world.check();
    }
}
