use super::*;
use crate::{BatchBuilder, Entry, Output, Record, Transform, testing::batch};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

/// Needs to be prepared as often as it is told; fails so often.
struct Needy {
    batches: AtomicU32,
    failures: Arc<AtomicU32>,
    fatal: bool,
}

impl Transform for Needy {
    fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error> {
        out.keep(record);
        Ok(())
    }

    fn prepare(&self, _: &Batch) -> Option<Preparation> {
        let left = self.batches.load(Ordering::Relaxed);
        if left == 0 {
            return None;
        }
        let (failures, fatal) = (Arc::clone(&self.failures), self.fatal);
        Some(Box::pin(async move {
            tokio::task::yield_now().await;
            match failures.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)) {
                Ok(_) if fatal => Err(Error::fatal("fetch", "wrong password")),
                Ok(_) => Err(Error::retriable("fetch", "away").after(Some(Duration::from_secs(30)))),
                Err(_) => Ok(()),
            }
        }))
    }
}

fn preparing(batches: u32, failures: u32, fatal: bool) -> Preparing {
    let needy = Needy { batches: batches.into(), failures: Arc::new(failures.into()), fatal };
    Preparing::new(Chain::new(vec![Arc::new(needy)]), BackoffConfig::default())
}

fn records(n: usize) -> Event {
    Event::Records(batch(vec!["x"; n]))
}

#[tokio::test]
async fn what_needs_nothing_passes_at_once() {
    let mut preparing = preparing(0, 0, false);
    for event in [records(1), Event::End, Event::Revoked(Vec::new())] {
        assert!(preparing.admit(event).is_some());
    }
    assert!(!preparing.is_waiting());
}

#[tokio::test(start_paused = true)]
async fn records_wait_for_what_they_need_and_nothing_of_the_source_overtakes_them() {
    let mut preparing = preparing(1, 2, false);
    assert!(preparing.admit(records(1)).is_none());
    assert!(preparing.admit(Event::Revoked(Vec::new())).is_some(), "a revoke does not wait");
    assert!(preparing.admit(records(2)).is_none() && preparing.admit(Event::End).is_none());
    let begun = Instant::now();
    for _ in 0..2 {
        assert!(matches!(preparing.next().await, Prepared::Retrying));
        assert!(preparing.trouble().is_some_and(|(since, why)| *since == begun && why.contains("away")));
    }
    let lengths = [preparing.next().await, preparing.next().await].map(|prepared| match prepared {
        Prepared::Event(Event::Records(batch)) => batch.len(),
        other => panic!("{other:?}"),
    });
    assert_eq!(lengths, [1, 2]);
    assert!(begun.elapsed() >= Duration::from_secs(60), "the server's wish was honoured, twice");
    assert!(matches!(preparing.next().await, Prepared::Event(Event::End)));
    assert!(!preparing.is_waiting() && preparing.trouble().is_none());
}

#[tokio::test]
async fn a_fatal_error_is_handed_on() {
    let mut preparing = preparing(1, 1, true);
    assert!(preparing.admit(records(1)).is_none());
    assert!(matches!(preparing.next().await, Prepared::Failed(error) if error.class() == Class::Fatal));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_goes_on_after_the_wait_for_it_was_dropped() {
    let mut preparing = preparing(1, 0, false);
    assert!(preparing.admit(records(1)).is_none());
    let dropped = futures_util::future::select(Box::pin(preparing.next()), std::future::ready(())).await;
    assert!(matches!(dropped, futures_util::future::Either::Right(_)));
    drop(dropped);
    assert!(matches!(preparing.next().await, Prepared::Event(Event::Records(_))));
}

/// What records of slot 0 need cannot be had.
struct Stuck;

impl Transform for Stuck {
    fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error> {
        out.keep(record);
        Ok(())
    }

    fn prepare(&self, batch: &Batch) -> Option<Preparation> {
        let stuck = batch.iter().any(|record| record.origin().id.slot() == 0);
        stuck.then(|| -> Preparation { Box::pin(async { Err(Error::retriable("fetch", "away")) }) })
    }
}

fn of(ids: &[PartitionId]) -> Event {
    let mut builder = BatchBuilder::new();
    for (&id, offset) in ids.iter().zip(0..) {
        let entry = Entry { offset, value: Some(b"x"), ..Entry::default() };
        builder.push(id, &"t".into(), 0, entry, []);
    }
    Event::Records(builder.finish())
}

#[tokio::test(start_paused = true)]
async fn what_a_partition_needs_holds_up_nobody_once_it_has_gone() {
    let [gone, other] = [0, 1].map(|slot| PartitionId::new(slot, 1));
    for going in [Event::Revoked(vec![gone]), Event::Lost(vec![gone])] {
        let mut preparing = Preparing::new(Chain::new(vec![Arc::new(Stuck)]), BackoffConfig::default());
        for waits in [of(&[gone, other]), of(&[gone]), Event::End] {
            assert!(preparing.admit(waits).is_none());
        }
        assert!(matches!(preparing.next().await, Prepared::Retrying));
        assert!(preparing.admit(going).is_some());
        let Prepared::Event(Event::Records(batch)) = preparing.next().await else {
            panic!("it needs nothing")
        };
        assert_eq!(batch.iter().map(|record| record.origin().id).collect::<Vec<_>>(), [other]);
        assert!(matches!(preparing.next().await, Prepared::Event(Event::End)));

        assert!(preparing.admit(of(&[gone])).is_none());
        assert!(matches!(preparing.next().await, Prepared::Retrying));
        assert!(preparing.admit(Event::Revoked(vec![gone])).is_some());
        assert!(!preparing.is_waiting() && preparing.trouble().is_none());
    }
}
