//! Partitions that are given up, the clock, and what null values do.

use super::{
    crashes::log,
    world::{End, Instance, World, config},
};
use crate::{CosConfig, OnRevoke};
use connect_core::Progress;
use std::{sync::atomic::Ordering, time::Duration};

/// Reads `count` records of each partition, revokes all, and handles reports until all are released.
async fn revoke(world: &mut World, config: CosConfig, count: usize) -> usize {
    let mut first = Instance::start(world, config, 0, 0, 1).unwrap();
    first.read(world, count).unwrap();
    let ids = first.ids.clone();
    first.bench.revoke(&ids).unwrap();
    let (mut released, mut reports) = (0, 0);
    while released < ids.len() {
        let report =
            tokio::time::timeout(Duration::from_secs(60), first.bench.progress()).await.unwrap().unwrap();
        reports += 1;
        if let Progress::Released(gone) = &report {
            released += gone.len();
        }
        first.handle(world, report).await.unwrap();
    }
    reports
}

#[tokio::test(start_paused = true)]
async fn a_revoke_finishes_what_is_open() {
    let mut world = World::new(log());
    revoke(&mut world, config(), 9).await;
    assert_eq!(world.committed, [(9, None), (9, None)]);
    let mut next = Instance::start(&mut world, config(), 0, 0, 2).unwrap();
    assert_eq!(next.run(&mut world).await, End::Finished);
    world.check();
}

#[tokio::test(start_paused = true)]
async fn a_revoke_may_forget_what_is_open() {
    let mut world = World::new(log());
    revoke(&mut world, CosConfig { on_revoke: OnRevoke::Forget, flush_size: 0, ..config() }, 5).await;
    assert!(world.bucket.objects.lock().unwrap().is_empty());
    let mut next = Instance::start(&mut world, config(), 0, 0, 2).unwrap();
    assert_eq!(next.run(&mut world).await, End::Finished);
    world.check();
}

#[tokio::test(start_paused = true)]
async fn lost_partitions_are_forgotten_without_a_word() {
    let mut world = World::new(log());
    let mut first = Instance::start(&mut world, config(), 0, 0, 1).unwrap();
    first.read(&world, 5).unwrap();
    let ids = first.ids.clone();
    first.bench.lost(&ids);
    first.settle(&mut world, Duration::from_secs(100)).await.unwrap();
    assert!(world.bucket.objects.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn age_ends_a_quiet_partitions_range() {
    let mut world = World::new(log());
    let mut first = Instance::start(&mut world, config(), 0, 0, 1).unwrap();
    first.read(&world, 4).unwrap();
    first.settle(&mut world, Duration::from_secs(19)).await.unwrap();
    assert_eq!(world.committed, [(0, None), (0, None)]);
    first.settle(&mut world, Duration::from_secs(2)).await.unwrap();
    assert_eq!(world.committed, [(4, None), (4, None)]);
}

#[tokio::test(start_paused = true)]
async fn leaving_the_hour_that_paths_show_ends_the_range_within_a_minute() {
    let mut world = World::new(log());
    let config = CosConfig { max_age: Duration::MAX, ..config() };
    let mut first = Instance::start(&mut world, config, 0, 0, 1).unwrap();
    first.read(&world, 4).unwrap();
    first.settle(&mut world, Duration::from_secs(120)).await.unwrap();
    assert_eq!(world.committed, [(0, None), (0, None)]);
    world.clock.fetch_add(3_600_000, Ordering::SeqCst);
    first.settle(&mut world, Duration::from_secs(61)).await.unwrap();
    assert_eq!(world.committed, [(4, None), (4, None)]);
    let hours: std::collections::BTreeSet<String> = world
        .bucket
        .objects
        .lock()
        .unwrap()
        .keys()
        .map(|name| name.split("/net=").next().unwrap().to_owned())
        .collect();
    assert_eq!(hours.len(), 1, "all paths of a range show the hour in which it began: {hours:?}");
}

#[tokio::test(start_paused = true)]
async fn positions_of_filtered_records_and_holes_move_without_an_object() {
    use super::world::Logged::{Filtered, Hole, Poison};
    let mut world = World::new(vec![Filtered, Hole, Poison, Filtered]);
    let mut first = Instance::start(&mut world, config(), 0, 0, 1).unwrap();
    assert_eq!(first.run(&mut world).await, End::Finished);
    world.check();
    assert!(world.bucket.objects.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_record_whose_path_is_too_long_is_poison_and_the_others_go_on() {
    use super::world::Logged::Plain;
    let long: &'static str = Box::leak("n".repeat(128).into());
    let mut world = World::new(vec![Plain("a"), Plain(long), Plain("b")]);
    let config = CosConfig { path: "net={field:net}{field:net}".to_owned(), flush_size: 0, ..config() };
    let mut first = Instance::start(&mut world, config, 0, 0, 1).unwrap();
    assert_eq!(first.run(&mut world).await, End::Finished);
    assert_eq!(world.letters, [(0, 1), (1, 1)].into());
    let paths: Vec<(i32, String)> = world.found().into_keys().collect();
    assert_eq!(paths, [0, 1].map(|p| ["aa", "bb"].map(|net| (p, net.to_owned()))).concat());
}
