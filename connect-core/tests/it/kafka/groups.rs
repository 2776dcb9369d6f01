//! Members of a group. The rules are in `DELIVERY.md`.

use super::{
    cluster::{PROTOCOLS, committed, fill, settled, topic, unique},
    driver::{Driver, ROOM, beside, config},
};
use connect_core::{Class, Commit, PartitionId, Source, kafka::StartPosition};
use std::{collections::BTreeSet, time::Duration};

#[tokio::test]
async fn a_newcomer_gets_partitions_after_their_last_commit() {
    for protocol in PROTOCOLS {
        let (topic, group) = (topic("handover", 4).await, unique("group"));
        fill(&topic, 4, 100);
        let mut first = Driver::open(config(&group, &topic, protocol)).await;
        first.rows(400).await;
        let mut second = Driver::open_as(config(&group, &topic, protocol), 1).await;
        first.release = false;
        let revoked = async {
            first.until("revocation", ROOM, |first| first.revoked.len() == 2).await;
            let revoked = first.revoked.clone();
            for id in &revoked {
                first.commit(*id, 100, None).await.expect("committed within the revocation");
            }
            first.source.release(&revoked);
            loop {
                first.step(ROOM).await.expect("the first member lives on");
            }
        };
        tokio::select! {
            () = revoked => {}
            () = second.assigned(2) => {}
        }
        assert!(second.held.values().all(|assigned| assigned.offset == 100), "{:?}", second.held);
        assert!(first.lost.is_empty());
        first.close().await;
        second.close().await;
    }
}

#[tokio::test]
async fn reading_nothing_for_longer_than_max_poll_interval_costs_no_membership() {
    let run = |protocol: &'static str| async move {
        let (topic, group) = (topic("patience", 2).await, unique("group"));
        fill(&topic, 2, 5_000);
        let config = config(&group, &topic, protocol).property("max.poll.interval.ms", "6000");
        let mut driver = Driver::open(config).await;
        driver.assigned(2).await;
        driver.serve_for(0, Duration::from_secs(9)).await;
        assert_eq!((driver.held.len(), driver.revoked.len(), driver.lost.len()), (2, 0, 0), "{protocol}");
        assert!(driver.rows.is_empty());
        driver.rows(10_000).await;
        driver.close().await;
    };
    tokio::join!(run("classic"), run("consumer"));
}

#[tokio::test]
async fn a_revoke_is_answered_at_the_deadline_without_the_sinks_consent() {
    let run = |protocol: &'static str| async move {
        let (topic, group) = (topic("deadline", 2).await, unique("group"));
        let config = || config(&group, &topic, protocol).revoke_timeout(Duration::from_secs(2));
        let mut first = Driver::open(config()).await;
        first.assigned(2).await;
        first.release = false;
        let mut second = Driver::open_as(config(), 1).await;
        beside(&mut first, second.assigned(1)).await;
        assert_eq!(first.revoked, first.lost, "{protocol}: what was not released is lost");
        assert_eq!(first.lost.len(), 1);
        let late = first.lost[0];
        first.commit(late, 99, None).await.expect_err("the assignment has ended");
        first.close().await;
        second.close().await;
        assert!(committed(&group, &topic, 2).values().all(|(offset, _)| *offset == 0));
    };
    tokio::join!(run("classic"), run("consumer"));
}

#[tokio::test]
async fn a_commit_after_the_release_is_dropped() {
    for protocol in PROTOCOLS {
        let (topic, group) = (topic("late", 2).await, unique("group"));
        fill(&topic, 2, 10);
        let mut first = Driver::open(config(&group, &topic, protocol)).await;
        first.rows(20).await;
        first.release = false;
        let mut second = Driver::open_as(config(&group, &topic, protocol), 1).await;
        beside(&mut second, first.until("revocation", ROOM, |first| !first.revoked.is_empty())).await;
        let id = first.revoked[0];
        let commit = |offset| vec![Commit { id, offset, note: None }];
        first.source.commit(commit(5));
        first.source.release(&[id]);
        first.source.commit(commit(9));
        let answers = first.until("answers", ROOM, |first| first.committed.len() == 2);
        beside(&mut second, answers).await;
        assert!(first.committed[0].1.is_ok() && first.committed[0].0 == commit(5), "{:?}", first.committed);
        assert!(first.committed[1].1.is_err() && first.committed[1].0 == commit(9), "{:?}", first.committed);
        beside(&mut first, second.assigned(1)).await;
        assert_eq!(
            second.held.values().map(|assigned| assigned.offset).collect::<Vec<_>>(),
            [5],
            "{protocol}"
        );
        first.close().await;
        second.close().await;
    }
}

#[tokio::test]
async fn reassigned_partitions_deliver_after_forwarding_again() {
    for protocol in PROTOCOLS {
        let (topic, group) = (topic("back", 4).await, unique("group"));
        fill(&topic, 4, 10);
        let mut first = Driver::open(config(&group, &topic, protocol)).await;
        first.rows(40).await;
        for _ in 0..2 {
            let mut second = Driver::open_as(config(&group, &topic, protocol), 1).await;
            beside(&mut first, second.assigned(2)).await;
            beside(&mut first, second.close()).await;
            first.assigned(4).await;
        }
        let before = first.rows.len();
        let ids: Vec<PartitionId> = first.held.keys().copied().collect();
        fill(&topic, 4, 10);
        // Nothing was committed, so what came back begins at 0.
        first
            .until("all new records", ROOM, |first| {
                ids.iter().all(|id| first.positions.get(id).is_some_and(|position| *position == 20))
            })
            .await;
        assert!(first.rows.len() >= before + 40, "{protocol}");
        first.close().await;
    }
}

#[tokio::test]
async fn a_static_member_that_is_not_let_go_of_is_retriable() {
    let (topic, group) = (topic("static", 1).await, unique("group"));
    let config = || config(&group, &topic, "consumer").property("group.instance.id", "me");
    let mut first = Driver::open(config()).await;
    first.assigned(1).await;
    let mut second = Driver::open(config()).await;
    let error = beside(&mut first, second.failure()).await;
    assert_eq!(error.class(), Class::Retriable);
    assert!(error.report().contains("UnreleasedInstanceId"), "{}", error.report());
    second.close().await;
    first.close().await;
}

#[tokio::test]
async fn a_source_that_is_dropped_leaves_the_group() {
    let (topic, group) = (topic("dropped", 2).await, unique("group"));
    let mut first =
        Driver::open(config(&group, &topic, "classic").property("session.timeout.ms", "45000")).await;
    first.assigned(2).await;
    drop(first);
    let mut second = Driver::open_as(config(&group, &topic, "classic"), 1).await;
    let waited = tokio::time::timeout(Duration::from_secs(15), second.assigned(2)).await;
    waited.expect("sooner than the session of the first ends");
    second.close().await;
}

#[tokio::test]
async fn a_source_that_was_never_opened_closes_at_once() {
    let config = config(&unique("group"), "topic", "classic");
    let waited = tokio::time::timeout(Duration::from_secs(1), Driver::new(config, 0).close()).await;
    waited.expect("there is no thread to wait for");
}

#[tokio::test]
async fn a_member_without_partitions_leaves_the_group() {
    let (topic, group) = (topic("idle", 1).await, unique("group"));
    let with_long_session = || config(&group, &topic, "classic").property("session.timeout.ms", "45000");
    let mut owner = Driver::open(with_long_session()).await;
    owner.assigned(1).await;
    let idle = Driver::open_as(with_long_session(), 1).await;
    beside(&mut owner, settled(&group, 2)).await;
    assert!(idle.held.is_empty(), "one partition has one owner");
    idle.close().await;
    owner.close().await;
    let mut next = Driver::open_as(with_long_session(), 2).await;
    let waited = tokio::time::timeout(Duration::from_secs(15), next.assigned(1)).await;
    waited.expect("sooner than the session of the idle member ends");
    next.close().await;
}

#[tokio::test]
async fn every_record_is_read_while_members_come_and_go() {
    for protocol in PROTOCOLS {
        let (topic, group) = (topic("traffic", 4).await, unique("group"));
        fill(&topic, 4, 3_000);
        let mut first = Driver::open(config(&group, &topic, protocol)).await;
        first.until("some rows", ROOM, |first| first.rows.len() > 1_000).await;
        let mut second = Driver::open_as(config(&group, &topic, protocol), 1).await;
        beside(&mut first, second.until("rows", ROOM, |second| second.rows.len() > 1_000)).await;
        fill(&topic, 4, 1_000);
        beside(&mut first, second.close()).await;
        first
            .until("everything", ROOM, |first| {
                (0..4).all(|partition| {
                    first.held.values().any(|assigned| {
                        assigned.partition == partition && first.positions[&assigned.id] == 4_000
                    })
                })
            })
            .await;
        // Nothing was committed: each assignment is complete from its start, without a gap.
        for assigned in first.held.values() {
            let offsets = first.rows.iter().filter(|row| row.id == assigned.id).map(|row| row.offset);
            let offsets: BTreeSet<i64> = offsets.collect();
            let missing: Vec<i64> =
                (assigned.offset..4_000).filter(|offset| !offsets.contains(offset)).collect();
            assert!(missing.is_empty(), "{protocol}: {assigned:?} lacks {missing:?}");
        }
        first.close().await;
    }
}

/// A held partition goes to another member and comes back: it is read again, on an eager and on both cooperative protocols.
#[tokio::test]
async fn a_partition_that_was_held_is_read_again_when_it_comes_back() {
    for (protocol, strategy) in [("classic", Some("range")), ("classic", None), ("consumer", None)] {
        let (topic, group) = (topic("held-back", 2).await, unique("group"));
        fill(&topic, 2, 10);
        let config = || match strategy {
            Some(strategy) => {
                config(&group, &topic, protocol).property("partition.assignment.strategy", strategy)
            }
            None => config(&group, &topic, protocol),
        };
        let mut first = Driver::open(config()).await;
        first.rows(20).await;
        let ids: Vec<PartitionId> = first.held.keys().copied().collect();
        for id in &ids {
            first.commit(*id, 10, None).await.expect("committed");
        }
        first.source.hold(&ids, true);
        let mut second = Driver::open_as(config(), 1).await;
        beside(&mut first, second.assigned(1)).await;
        beside(&mut first, second.close()).await;
        first.assigned(2).await;
        fill(&topic, 2, 5);
        let came_back = |driver: &Driver| {
            let new = driver.held.keys().filter(|id| !ids.contains(id));
            let complete = |id: &PartitionId| driver.rows.iter().filter(|row| row.id == *id).count() == 5;
            new.clone().count() > 0 && new.clone().all(complete)
        };
        first.until("the records of what came back", ROOM, came_back).await;
        first.close().await;
    }
}

#[tokio::test]
async fn members_that_begin_a_group_together_all_take_the_start_position() {
    for protocol in PROTOCOLS {
        let (topic, group) = (topic("together", 4).await, unique("group"));
        fill(&topic, 4, 10);
        let config = || config(&group, &topic, protocol).start(StartPosition::Latest);
        let (mut first, mut second) =
            tokio::join!(Driver::open_as(config(), 0), Driver::open_as(config(), 1));
        let both = async {
            while first.held.len() + second.held.len() < 4 || first.held.is_empty() || second.held.is_empty()
            {
                tokio::select! {
                    step = first.step(ROOM) => step.expect("the first lives on"),
                    step = second.step(ROOM) => step.expect("the second lives on"),
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(30), both).await.expect("each gets a share");
        let starts = first.held.values().chain(second.held.values()).map(|assigned| assigned.offset);
        assert!(starts.clone().all(|offset| offset == 10), "{protocol}: {:?}", starts.collect::<Vec<_>>());
        let committed = committed(&group, &topic, 4);
        assert!(committed.len() == 4 && committed.values().all(|(offset, _)| *offset == 10), "{committed:?}");
        first.close().await;
        second.close().await;
    }
}
