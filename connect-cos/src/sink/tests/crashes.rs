//! The sink killed at every moment of its life: each report, each commit, each request before and after its effect.

use super::world::{End, Entry2, Instance, World, config};
use crate::CosConfig;

fn log() -> Vec<Entry2> {
    use Entry2::{Filtered, Hole, Plain, Poison, Twin};
    let mut log = vec![Filtered, Poison, Plain("a"), Plain("a"), Twin, Plain("b"), Hole, Plain("a")];
    log.extend([Plain("c"), Plain("a"), Poison, Twin, Filtered, Plain("d"), Plain("b"), Plain("b")]);
    log.extend([Plain("a"), Plain("a"), Plain("a"), Twin, Twin, Plain("b"), Plain("b"), Hole, Filtered]);
    log
}

/// Kills at `die_at`, then runs a successor to the end. Returns whether the first one died.
async fn crash(config: fn() -> CosConfig, die_at: usize, fail_every: usize, seed: u64, zombie: bool) -> bool {
    let mut world = World::new(log());
    let mut first = Instance::start(&mut world, config(), die_at, fail_every, seed).unwrap();
    let died = first.run(&mut world).await != End::Finished;
    let mut first = Some(first).filter(|_| zombie && died);
    let mut rounds = 0;
    loop {
        rounds += 1;
        assert!(rounds < 20, "it restarts for ever");
        let mut next =
            Instance::start(&mut world, config(), if zombie { 7 } else { 0 }, 0, seed + rounds).unwrap();
        if let Some(mut zombie) = first.take() {
            // The old one goes on while the new one stands somewhere in its work.
            next.run(&mut world).await;
            zombie.thaw(&mut world).await;
            next.thaw(&mut world).await;
            continue;
        }
        let mut last = Instance::start(&mut world, config(), 0, fail_every, seed + 100 + rounds).unwrap();
        if last.run(&mut world).await == End::Finished {
            break;
        }
    }
    world.check();
    died
}

async fn crash_everywhere(config: fn() -> CosConfig, fail_every: usize, zombie: bool) {
    for seed in 0..6 {
        let mut die_at = 1;
        while crash(config, die_at, fail_every, seed, zombie).await {
            die_at += 1;
        }
        assert!(die_at > 60, "only {die_at} moments");
    }
}

#[tokio::test(start_paused = true)]
async fn each_record_is_in_one_object_whenever_the_process_is_killed() {
    crash_everywhere(config, 0, false).await;
}

#[tokio::test(start_paused = true)]
async fn each_record_is_in_one_object_when_requests_fail_too() {
    crash_everywhere(config, 5, false).await;
}

#[tokio::test(start_paused = true)]
async fn each_record_is_in_one_object_when_the_old_owner_goes_on() {
    crash_everywhere(config, 0, true).await;
}
