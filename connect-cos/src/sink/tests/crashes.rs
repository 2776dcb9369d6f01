//! The sink killed at every moment of its life: each report, each commit, each request before and after its effect.

use super::world::{End, Instance, Logged, World, config};
use crate::CosConfig;

pub(super) fn log() -> Vec<Logged> {
    use Logged::{Filtered, Hole, Plain, Poison, Twin};
    let mut log = vec![Filtered, Poison, Plain("a"), Plain("a"), Twin, Plain("b"), Hole, Plain("a")];
    log.extend([Plain("c"), Plain("a"), Poison, Twin, Filtered, Plain("d"), Plain("b"), Plain("b")]);
    log.extend([Plain("a"), Plain("a"), Plain("a"), Twin, Twin, Plain("b"), Plain("b"), Hole, Filtered]);
    log
}

/// Nothing that happens here may stop a task for good.
fn alive(end: End) -> End {
    if let End::Stopped(why) = &end {
        panic!("{why}");
    }
    end
}

/// Kills at `die_at`, then runs a successor to the end. Returns whether the first one died.
async fn crash(config: fn() -> CosConfig, die_at: usize, fail_every: usize, seed: u64, zombie: bool) -> bool {
    let mut world = World::new(log());
    let mut first = Instance::start(&mut world, config(), die_at, fail_every, seed).unwrap();
    let died = alive(first.run(&mut world).await) != End::Finished;
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
        if alive(last.run(&mut world).await) == End::Finished {
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

fn other_rotation() -> CosConfig {
    CosConfig {
        flush_size: 3,
        file_bytes: connect_core::config::ByteSize::bytes(260),
        max_open_files: 2,
        ..config()
    }
}

/// Several lives in a row, each with its own moment of death, failures and rotation.
async fn lives(deaths: &[(usize, usize, bool)], seed: u64) {
    let mut world = World::new(log());
    for (number, &(die_at, fail_every, other)) in (0..).zip(deaths) {
        let config = if other { other_rotation() } else { config() };
        let mut life =
            Instance::start(&mut world, config, die_at, fail_every, seed.wrapping_add(number)).unwrap();
        if alive(life.run(&mut world).await) == End::Finished {
            break;
        }
    }
    for rounds in 0..20 {
        let mut last = Instance::start(&mut world, config(), 0, 0, seed ^ rounds).unwrap();
        if alive(last.run(&mut world).await) == End::Finished {
            world.check();
            return;
        }
    }
    panic!("it restarts for ever");
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(400))]

    #[test]
    fn each_record_is_in_one_object_after_any_lives(
        deaths in proptest::collection::vec((1_usize..120, 0_usize..9, proptest::bool::ANY), 0..6),
        seed in proptest::num::u64::ANY,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(lives(&deaths, seed));
    }
}

#[tokio::test(start_paused = true)]
async fn a_rebuild_uses_the_limits_of_its_note_and_not_the_ones_configured_now() {
    for die_at in 1..80 {
        for seed in 0..4 {
            lives(&[(die_at, 0, true)], seed).await;
        }
    }
}
