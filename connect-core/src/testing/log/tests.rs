use super::*;
use crate::{Assigned, Class, Commit, Event, PartitionId, Source};

const ROOM: usize = 1 << 20;

async fn open(log: &MemoryLog) -> MemorySource {
    let mut source = log.source("g", &["t"]);
    source.open().await.unwrap();
    source
}

fn log(partitions: i32) -> MemoryLog {
    let log = MemoryLog::new();
    log.topic("t", partitions);
    log
}

async fn assigned(source: &mut MemorySource) -> Vec<Assigned> {
    match source.next(ROOM).await.unwrap() {
        Event::Assigned(partitions) => partitions,
        other => panic!("expected an assignment: {other:?}"),
    }
}

/// Events as text, until one contains `last`.
async fn told(source: &mut MemorySource, last: &str) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        let text = match source.next(ROOM).await.unwrap() {
            Event::Records(batch) => {
                let runs = batch.runs().iter().map(|run| format!(" {}:{:?}", run.partition, run.offsets));
                let values = batch.iter().map(|record| Message::of(record).value.unwrap());
                let values: Vec<String> =
                    values.map(|value| String::from_utf8(value.to_vec()).unwrap()).collect();
                format!("records{} {}", runs.collect::<String>(), values.join(","))
            }
            Event::Assigned(them) => {
                let them = them.iter().map(|it| format!(" {}@{}", it.partition, it.offset));
                format!("assigned{}", them.collect::<String>())
            }
            Event::Revoked(ids) => format!("revoked {}", ids.len()),
            Event::Lost(ids) => format!("lost {}", ids.len()),
            Event::Committed(commits, result) => {
                let offsets: Vec<i64> = commits.iter().map(|commit| commit.offset).collect();
                format!("committed {offsets:?} {}", result.is_ok())
            }
            Event::Ends(ends) => format!("ends {:?}", ends.iter().map(|(_, end)| end).collect::<Vec<_>>()),
            Event::Gap(_, lost, _) => format!("gap {lost:?}"),
            Event::Trouble(trouble) => format!("trouble {}", trouble.is_some()),
            Event::End => "end".to_owned(),
        };
        let done = text.contains(last);
        all.push(text);
        if done {
            return all;
        }
    }
}

fn commit(id: PartitionId, offset: i64, note: Option<&'static str>) -> Vec<Commit> {
    vec![Commit { id, offset, note: note.map(|note| Bytes::from_static(note.as_bytes())) }]
}

#[tokio::test]
async fn a_new_member_starts_at_the_commit_with_its_note_and_a_commit_without_one_erases_it() {
    let log = log(1);
    log.append_all("t", 0, ["a", "b", "c"]);
    let mut first = open(&log).await;
    let id = assigned(&mut first).await[0].id;
    first.commit(commit(id, 2, Some("note")));
    assert_eq!(told(&mut first, "committed").await, ["committed [2] true"]);
    drop(first);
    let mut second = open(&log).await;
    let again = assigned(&mut second).await.remove(0);
    assert_eq!((again.offset, again.note.as_deref()), (2, Some(&b"note"[..])));
    assert_ne!(again.id.epoch(), id.epoch(), "an epoch was used twice");
    assert_eq!(told(&mut second, "records").await, ["records 0:2..3 c"]);
    second.commit(commit(again.id, 2, None));
    assert_eq!(log.committed("g", "t", 0), Some((2, None)));
    assert_eq!(log.commits("g").len(), 2);
}

#[tokio::test]
async fn a_second_member_gets_its_share_only_after_the_first_has_released_it() {
    let log = log(3);
    log.append_all("t", 2, ["x", "y"]);
    let mut first = open(&log).await;
    let partitions = assigned(&mut first).await;
    let mut second = open(&log).await;
    assert!(matches!(first.next(ROOM).await.unwrap(), Event::Revoked(ids) if ids == [partitions[2].id]));
    // Nothing of the partition follows, and nobody else has it yet.
    assert_eq!(told(&mut first, "ends").await, ["ends [0, 0]"]);
    assert_eq!(log.owners("g").values().collect::<Vec<_>>(), [&0, &0, &0]);
    first.commit(commit(partitions[2].id, 1, None));
    first.release(&[partitions[2].id]);
    assert_eq!(told(&mut second, "records").await, ["assigned 2@1", "records 2:1..2 y"]);
    assert_eq!(log.owners("g").values().collect::<Vec<_>>(), [&0, &0, &1]);
    // The second one leaves: what it had comes back.
    second.close().await.unwrap();
    assert_eq!(told(&mut first, "records").await, ["committed [1] true", "assigned 2@1", "records 2:1..2 y"]);
}

#[tokio::test(start_paused = true)]
async fn a_revoke_that_is_not_answered_in_time_is_a_loss() {
    let log = log(2);
    log.revoke_timeout(Duration::from_secs(5));
    let mut first = open(&log).await;
    let partitions = assigned(&mut first).await;
    let started = tokio::time::Instant::now();
    let mut second = open(&log).await;
    assert_eq!(told(&mut first, "revoked").await, ["revoked 1"]);
    assert_eq!(told(&mut second, "assigned").await, ["assigned 1@0"]);
    assert_eq!(started.elapsed(), Duration::from_secs(5));
    assert_eq!(told(&mut first, "lost").await, ["lost 1"]);
    first.commit(commit(partitions[1].id, 7, None));
    assert_eq!(told(&mut first, "committed").await.last().unwrap(), "committed [] true");
    assert_eq!(log.committed("g", "t", 1), Some((0, None)));
}

#[tokio::test]
async fn an_expelled_member_loses_everything_at_once_and_joins_again() {
    let log = log(2);
    let mut first = open(&log).await;
    let old = assigned(&mut first).await;
    let mut second = open(&log).await;
    log.expel("g", 0);
    assert_eq!(told(&mut second, "assigned").await, ["assigned 0@0 1@0"]);
    assert_eq!(told(&mut first, "lost").await, ["revoked 1", "lost 2"]);
    assert_eq!(told(&mut second, "revoked").await.last().unwrap(), "revoked 1");
    first.commit(commit(old[0].id, 9, None));
    assert_eq!(log.committed("g", "t", 0), Some((0, None)), "a dead assignment must not commit");
    log.allow_late_commits(true);
    first.commit(commit(old[0].id, 9, None));
    assert_eq!(log.committed("g", "t", 0), Some((9, None)), "this is what the epoch protects from");
}

#[tokio::test]
async fn commits_fail_as_told_and_the_answers_come_in_order() {
    let log = log(2);
    let mut source = open(&log).await;
    let ids: Vec<PartitionId> = assigned(&mut source).await.iter().map(|it| it.id).collect();
    for fault in [CommitFault::Refused, CommitFault::Ambiguous, CommitFault::RefusedFor("t".into(), 1)] {
        log.fail_commit(fault);
    }
    for offset in [1, 2, 3, 4] {
        source.commit(ids.iter().flat_map(|&id| commit(id, offset, None)).collect());
        let stored = [0, 1].map(|partition| log.committed("g", "t", partition).unwrap().0);
        assert_eq!(stored, [[0, 0], [2, 2], [3, 2], [4, 4]][usize::try_from(offset).unwrap() - 1]);
    }
    let expected = [
        "committed [1, 1] false",
        "committed [2, 2] false",
        "committed [3] true",
        "committed [3] false",
        "committed [4, 4] true",
    ];
    assert_eq!(told(&mut source, "4, 4").await, expected);
    assert_eq!(log.commits_in_flight_max("g"), 4);
}

#[tokio::test]
async fn a_release_waits_behind_a_commit_that_is_held() {
    let log = log(2);
    let mut first = open(&log).await;
    let partitions = assigned(&mut first).await;
    let mut second = open(&log).await;
    log.hold_commits(true);
    first.commit(commit(partitions[1].id, 5, None));
    first.release(&[partitions[1].id]);
    assert_eq!(log.owners("g")[&("t".to_owned(), 1)], 0);
    log.hold_commits(false);
    assert_eq!(assigned(&mut second).await[0].offset, 5);
}

#[tokio::test]
async fn holes_move_the_position_and_ends_and_the_end_are_told_once() {
    let log = log(1);
    log.append("t", 0, "a");
    log.hole("t", 0, 3);
    log.append("t", 0, "b");
    log.hole("t", 0, 2);
    log.finish();
    let mut source = open(&log).await;
    assert_eq!(told(&mut source, "end").await, ["assigned 0@0", "records 0:0..7 a,b", "ends [7]"]);
    assert_eq!(told(&mut source, "end").await, ["end"]);
    log.append("t", 0, "c");
    assert_eq!(told(&mut source, "ends").await, ["records 0:7..8 c", "ends [8]"]);
}

#[tokio::test]
async fn an_offset_that_is_gone_is_an_error_or_a_gap_and_never_a_hole() {
    let log = log(1);
    log.append_all("t", 0, ["a", "b", "c"]);
    log.set_committed("g", "t", 0, 0, None);
    log.retain_from("t", 0, 2);
    let mut strict = open(&log).await;
    assigned(&mut strict).await;
    let error = strict.next(ROOM).await.unwrap_err();
    assert_eq!(error.class(), Class::Fatal);
    assert_eq!(error.report(), "failed to read the log (t-0): offset 0 is out of range 2..3");
    drop(strict);
    let mut lenient = log.source("g", &["t"]).go_on_after_data_loss();
    lenient.open().await.unwrap();
    assert_eq!(told(&mut lenient, "records").await, ["assigned 0@0", "gap 0..2", "records 0:2..3 c"]);
    // Beyond the end there is nothing to go on with.
    log.recreate("t");
    assert_eq!(lenient.next(ROOM).await.unwrap_err().class(), Class::Fatal);
}

#[tokio::test]
async fn room_bounds_the_records_and_without_room_events_still_come() {
    let log = log(1);
    log.append_all("t", 0, ["a".repeat(300), "b".repeat(300), "c".repeat(300)]);
    let mut source = log.source("g", &["t"]).records_max(2);
    source.open().await.unwrap();
    let id = assigned(&mut source).await[0].id;
    assert!(matches!(source.next(0).await.unwrap(), Event::Ends(_)));
    source.commit(commit(id, 0, None));
    assert!(matches!(source.next(0).await.unwrap(), Event::Committed(..)));
    let sizes = [source.next(1).await.unwrap(), source.next(ROOM).await.unwrap()].map(|event| match event {
        Event::Records(batch) => batch.len(),
        other => panic!("expected records: {other:?}"),
    });
    assert_eq!(sizes, [1, 2]);
}

#[tokio::test]
async fn the_latest_position_is_committed_before_the_first_record() {
    let log = log(1);
    log.append("t", 0, "old");
    let mut source = log.source("g", &["t"]).from_latest();
    source.open().await.unwrap();
    assert_eq!(assigned(&mut source).await[0].offset, 1);
    log.append("t", 0, "read, but not committed before a crash");
    drop(source);
    assert_eq!(assigned(&mut open(&log).await).await[0].offset, 1);
}

#[tokio::test]
async fn a_held_partition_is_not_read_until_it_is_let_go() {
    let log = log(2);
    log.append("t", 0, "a");
    log.append("t", 1, "b");
    let mut source = open(&log).await;
    let id = assigned(&mut source).await[0].id;
    source.hold(&[id], true);
    assert_eq!(told(&mut source, "ends").await, ["records 1:0..1 b", "ends [1, 1]"]);
    source.hold(&[id], false);
    assert_eq!(told(&mut source, "records").await, ["records 0:0..1 a"]);
}

#[tokio::test]
async fn a_waiting_member_wakes_when_something_is_appended() {
    let log = log(1);
    let mut source = open(&log).await;
    told(&mut source, "ends").await;
    let (event, _) = tokio::join!(source.next(ROOM), async { log.append("t", 0, "late") });
    assert!(matches!(event.unwrap(), Event::Records(batch) if batch.len() == 1));
}
