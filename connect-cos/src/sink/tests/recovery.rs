//! Notes that don't fit: another configuration, another program, a log that was cut off.

use super::{
    crashes::log,
    world::{End, Instance, Logged, PARTITIONS, World, config, offset_of},
};
use crate::{CosConfig, OnDataLoss, note::Note};
use connect_core::config::ByteSize;

/// A world in which an instance died at `die_at`; `None` if it finished.
async fn died(config: CosConfig, die_at: usize, seed: u64) -> Option<World> {
    let mut world = World::new(log());
    let mut first = Instance::start(&mut world, config, die_at, 0, seed).unwrap();
    (first.run(&mut world).await != End::Finished).then_some(world)
}

/// Per standing note: objects of it that are there, and all that it needs.
fn standing(world: &World) -> Vec<(u32, u32)> {
    let objects = world.bucket.objects.lock().unwrap();
    let notes = world.committed.iter().filter_map(|(_, note)| Note::parse(note.as_ref()?).ok());
    notes
        .map(|note| {
            let found = objects.values().filter(|object| object.found.id == Some(note.id)).count();
            (u32::try_from(found).unwrap(), note.files)
        })
        .collect()
}

async fn finish(world: &mut World, config: &CosConfig) -> End {
    for seed in 0..20 {
        let mut next = match Instance::start(world, config.clone(), 0, 0, seed) {
            Ok(next) => next,
            Err(e) => return End::Stopped(e.report()),
        };
        let end = next.run(world).await;
        if end != End::Restart {
            return end;
        }
    }
    panic!("it restarts for ever");
}

#[tokio::test(start_paused = true)]
async fn under_another_configuration_all_none_or_some_of_the_objects_decide() {
    let other = CosConfig { path: "other/net={field:net}".to_owned(), ..config() };
    let (mut all, mut none, mut some) = (0, 0, 0);
    for seed in 0..4 {
        let mut die_at = 0;
        while let Some(mut world) = {
            die_at += 1;
            died(config(), die_at, seed).await
        } {
            let notes = standing(&world);
            let partly = notes.iter().any(|&(found, of)| found > 0 && found < of);
            match finish(&mut world, &other).await {
                End::Finished => {
                    assert!(!partly, "{notes:?}");
                    all += notes.iter().filter(|&&(found, of)| found == of).count();
                    none += notes.iter().filter(|&&(found, _)| found == 0).count();
                    assert_eq!(world.foreign.len(), notes.iter().filter(|&&(found, _)| found == 0).count());
                }
                End::Stopped(why) => {
                    assert!(partly && why.contains("old configuration"), "{notes:?}: {why}");
                    some += 1;
                    assert_eq!(finish(&mut world, &config()).await, End::Finished);
                }
                end => panic!("{end:?}"),
            }
            world.check();
        }
    }
    assert!(all > 0 && none > 0 && some > 0, "{all} {none} {some}");
}

#[tokio::test(start_paused = true)]
async fn a_note_of_another_topics_dir_stops_the_task() {
    let other = CosConfig { topics_dir: "elsewhere".to_owned(), ..config() };
    let mut stopped = 0;
    let mut die_at = 0;
    while let Some(mut world) = {
        die_at += 1;
        died(config(), die_at, 1).await
    } {
        if standing(&world).is_empty() {
            continue;
        }
        match finish(&mut world, &other).await {
            End::Stopped(why) => assert!(why.contains("another topics.dir"), "{why}"),
            end => panic!("{end:?}"),
        }
        stopped += 1;
    }
    assert!(stopped > 5, "{stopped}");
}

#[tokio::test(start_paused = true)]
async fn notes_of_others_are_ignored_and_notes_of_newer_programs_are_not() {
    for note in [
        "another program's",
        r#"{"v":1,"id":"00000000000000ab","from":7,"to":9,"t":0,"fp":"000000000000000000000000","s":0,"n":1,"b":0,"r":0}"#,
    ] {
        let mut world = World::new(log());
        world.committed[0].1 = Some(note.into());
        assert_eq!(finish(&mut world, &config()).await, End::Finished);
        world.check();
        assert_eq!(world.foreign, [0], "the runtime hears of it");
    }
    let mut world = World::new(log());
    world.committed[0].1 = Some(r#"{"v":9,"id":"ab","from":0,"to":9}"#.into());
    assert!(matches!(finish(&mut world, &config()).await, End::Stopped(why) if why.contains("version 9")));
}

/// The first records of a standing note's range were compacted away, though the log still begins before them.
#[tokio::test(start_paused = true)]
async fn a_hole_that_compaction_made_is_not_taken_for_a_loss() {
    let mut compacted = 0;
    for (seed, records) in [(0, 1), (1, 3), (2, 1_000)] {
        let mut die_at = 0;
        while let Some(mut world) = {
            die_at += 1;
            died(config(), die_at, seed).await
        } {
            let notes = standing(&world);
            // An object that is there keeps its records, whatever becomes of the log.
            if notes.is_empty() || notes.iter().any(|&(found, _)| found > 0) {
                continue;
            }
            for ((_, note), log) in world.committed.iter().zip(&mut world.log) {
                let Some(note) = note.as_ref().and_then(|note| Note::parse(note).ok()) else { continue };
                for gone in (note.first..note.to).take(records) {
                    log[usize::try_from(gone).unwrap()] = Logged::Hole;
                }
                compacted += 1;
            }
            assert_eq!(finish(&mut world, &config()).await, End::Finished);
            world.check();
        }
    }
    assert!(compacted > 5, "{compacted}");
}

/// One object per file: the end of an object of several parts is not recorded.
fn whole_objects(on_data_loss: OnDataLoss) -> CosConfig {
    CosConfig { part_size: ByteSize::mib(1), on_data_loss, ..config() }
}

#[tokio::test(start_paused = true)]
async fn a_log_that_was_cut_off_stops_the_task_or_costs_only_what_is_gone() {
    let (mut stopped, mut lost) = (0, 0);
    for (seed, cut) in [(0, 4), (1, 9), (2, 12), (3, 30)] {
        let mut die_at = 0;
        while let Some(mut world) = {
            die_at += 1;
            died(whole_objects(OnDataLoss::Fail), die_at, seed).await
        } {
            world.log_start = world
                .committed
                .iter()
                .zip(&world.log)
                .map(|((from, _), log)| (from + cut).min(log.len() as i64))
                .collect();
            if standing(&world).len() < PARTITIONS {
                continue;
            }
            let missing = standing(&world).iter().any(|(found, of)| found < of);
            match finish(&mut world, &whole_objects(OnDataLoss::Fail)).await {
                End::Stopped(why) => {
                    assert!(missing && why.contains("no longer in the log"), "{why}");
                    stopped += 1;
                }
                end => assert_eq!(end, End::Finished),
            }
            assert_eq!(finish(&mut world, &whole_objects(OnDataLoss::Continue)).await, End::Finished);
            let found = world.found();
            for ((partition, net), lines) in world.expected() {
                let none = Vec::new();
                let there = found.get(&(partition, net)).unwrap_or(&none);
                let mut once = there.clone();
                once.dedup();
                assert_eq!(&once, there, "repeated");
                let kept = |line: &&String| offset_of(line) >= world.log_start[partition as usize];
                assert!(lines.iter().filter(kept).all(|line| there.contains(line)), "{there:?} of {lines:?}");
                lost += lines.len() - there.len();
            }
        }
    }
    assert!(stopped > 5 && lost > 5, "{stopped} {lost}");
}
