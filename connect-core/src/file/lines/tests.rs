use super::*;
use crate::{
    Class,
    testing::conformance::source::{self, Capabilities, SourceHarness},
};
use async_trait::async_trait;
use bytes::Bytes;
use std::{
    fs::{self, OpenOptions},
    io::Write,
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};
use tempfile::TempDir;

const ROOM: usize = 1 << 20;

struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(name), text).unwrap();
    }

    fn append(&self, name: &str, text: &str) {
        let mut file = OpenOptions::new().append(true).open(self.path(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    /// A new process: bookmarks are read from the disk.
    fn source(&self, pattern: &str) -> FileLines {
        FileLines::new("lines", self.path(pattern), FileOffsets::open(self.path("offsets.json")).unwrap())
    }

    async fn opened(&self, pattern: &str) -> FileLines {
        opened(self.source(pattern)).await
    }
}

async fn opened(mut source: FileLines) -> FileLines {
    source.open().await.unwrap();
    source
}

struct Harness(Files);

#[async_trait]
impl SourceHarness for Harness {
    type Source = FileLines;

    async fn build(&self) -> Result<FileLines, Error> {
        Ok(self.0.source("log").follow(true).poll_interval(Duration::from_millis(10)))
    }

    async fn append(&self, values: &[String]) {
        let file = OpenOptions::new().append(true).create(true).open(self.0.path("log"));
        file.unwrap().write_all((values.join("\n") + "\n").as_bytes()).unwrap();
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { patience: Duration::from_secs(2), ..Capabilities::default() }
    }
}

#[tokio::test]
async fn files_keep_the_contract() {
    let make = || {
        let files = Files::new();
        files.write("log", "");
        Harness(files)
    };
    source::run_all(make).await.assert_passed();
}

/// The next event that is not about where files end.
async fn event(source: &mut FileLines, room: usize) -> Result<Event, Error> {
    loop {
        match source.next(room).await {
            Ok(Event::Ends(_)) => {}
            other => return other,
        }
    }
}

async fn assigned(source: &mut FileLines) -> Vec<Assigned> {
    match event(source, 0).await.unwrap() {
        Event::Assigned(partitions) => partitions,
        other => panic!("{other:?}"),
    }
}

type Line = (i32, i64, String);

fn lines(batch: &Batch) -> Vec<Line> {
    let line = |record: crate::Record<'_>| {
        let origin = record.origin();
        (origin.partition, origin.offset, String::from_utf8(record.value().unwrap().to_vec()).unwrap())
    };
    batch.iter().map(line).collect()
}

/// All lines up to the end of the source.
async fn rest(source: &mut FileLines) -> Vec<Line> {
    let mut all = Vec::new();
    loop {
        match event(source, ROOM).await.unwrap() {
            Event::Records(batch) => all.extend(lines(&batch)),
            Event::End => return all,
            Event::Assigned(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

async fn records(source: &mut FileLines) -> Vec<Line> {
    match event(source, ROOM).await.unwrap() {
        Event::Records(batch) => lines(&batch),
        other => panic!("{other:?}"),
    }
}

/// The answer to a commit; the source may have ended meanwhile.
async fn answer(source: &mut FileLines) -> Vec<Commit> {
    loop {
        match event(source, 0).await.unwrap() {
            Event::Committed(answered, result) => {
                result.unwrap();
                return answered;
            }
            Event::End => {}
            other => panic!("{other:?}"),
        }
    }
}

async fn commit(source: &mut FileLines, id: PartitionId, offset: i64, note: Option<&'static [u8]>) {
    let commits = vec![Commit { id, offset, note: note.map(Bytes::from_static) }];
    source.commit(commits.clone());
    assert_eq!(answer(source).await, commits);
}

#[tokio::test]
async fn a_line_is_a_record_and_its_offset_its_last_byte() {
    let files = Files::new();
    files.write("a.log", "one\n\ntwo\r\n\u{e9}\nlast");
    let mut source = files.opened("a.log").await;
    let partitions = assigned(&mut source).await;
    assert_eq!(
        partitions.iter().map(|p| (p.partition, p.offset, &*p.topic)).collect::<Vec<_>>(),
        [(0, 0, "lines")]
    );
    let expected = [(3, "one"), (4, ""), (9, "two"), (12, "\u{e9}"), (16, "last")];
    assert_eq!(rest(&mut source).await, expected.map(|(offset, line)| (0, offset, line.to_owned())));
    source.close().await.unwrap();
}

#[tokio::test]
async fn reading_resumes_behind_any_record_that_was_committed() {
    let files = Files::new();
    let text: String = (0..50).map(|n| format!("{}\n", "x".repeat(n % 7))).collect();
    files.write("a.log", &text);
    let mut source = files.opened("a.log").await;
    let id = assigned(&mut source).await[0].id;
    let all = rest(&mut source).await;
    assert_eq!(all.len(), 50);
    for (n, (_, offset, _)) in all.iter().enumerate() {
        commit(&mut source, id, offset + 1, None).await;
        let mut again = files.opened("a.log").await;
        let partitions = assigned(&mut again).await;
        assert_eq!(partitions[0].offset, offset + 1);
        assert!(partitions[0].id.epoch() > id.epoch(), "an epoch is never used again");
        assert_eq!(rest(&mut again).await, all[n + 1..], "after line {n}");
    }
}

#[tokio::test]
async fn a_note_comes_back_and_a_commit_without_one_erases_it() {
    let files = Files::new();
    files.write("a.log", "one\ntwo\n");
    let mut source = files.opened("a.log").await;
    let id = assigned(&mut source).await[0].id;
    records(&mut source).await;
    commit(&mut source, id, 4, Some(b"note")).await;
    let mut again = files.opened("a.log").await;
    let partitions = assigned(&mut again).await;
    assert_eq!((partitions[0].offset, partitions[0].note.as_deref()), (4, Some(&b"note"[..])));
    commit(&mut again, partitions[0].id, 4, None).await;
    assert_eq!(assigned(&mut files.opened("a.log").await).await[0].note, None);
}

#[tokio::test]
async fn commits_are_answered_in_order_and_those_of_another_assignment_are_dropped() {
    let files = Files::new();
    files.write("a.log", "one\ntwo\n");
    let mut source = files.opened("a.log").await;
    let id = assigned(&mut source).await[0].id;
    records(&mut source).await;
    for offset in [4, 8] {
        source.commit(vec![
            Commit { id, offset, note: None },
            Commit { id: PartitionId::new(0, 0), offset: 100, note: None },
        ]);
    }
    for offset in [4, 8] {
        assert_eq!(answer(&mut source).await, [Commit { id, offset, note: None }]);
    }
}

#[tokio::test]
async fn a_file_keeps_its_partition_when_others_come_and_go() {
    let files = Files::new();
    files.write("b.log", "b\n");
    files.write("c.log", "c\n");
    assert_eq!(rest(&mut files.opened("*.log").await).await, [(0, 1, "b".into()), (1, 1, "c".into())]);
    files.write("a.log", "a\n");
    fs::remove_file(files.path("b.log")).unwrap();
    assert_eq!(rest(&mut files.opened("*.log").await).await, [(2, 1, "a".into()), (1, 1, "c".into())]);
}

#[tokio::test]
async fn without_room_nothing_is_read_and_events_go_on() {
    let files = Files::new();
    files.write("a.log", "one\ntwo\n");
    let mut source = files.opened("a.log").await;
    let id = assigned(&mut source).await[0].id;
    commit(&mut source, id, 0, None).await;
    assert!(poll(&mut source, 0).is_none());
    assert!(!source.reading);
    // A little room: one record is more than it, and comes alone.
    let Event::Records(batch) = event(&mut source, 1).await.unwrap() else { panic!("no records") };
    assert_eq!(lines(&batch), [(0, 3, "one".into())]);
    // Read while there was room, ready when there is none any more: it waits.
    source.start_read(1);
    settle(&mut source).await;
    assert!(source.ready.is_some());
    assert!(poll(&mut source, 0).is_none());
    assert_eq!(rest(&mut source).await, [(0, 7, "two".into())]);
}

/// Polls `next` once and drops it.
fn poll(source: &mut FileLines, room: usize) -> Option<Event> {
    match pin!(source.next(room)).as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(event) => Some(event.unwrap()),
        Poll::Pending => None,
    }
}

/// Takes in one finished job without handing anything out.
async fn settle(source: &mut FileLines) {
    if let Some(done) = source.jobs.join_next().await {
        source.finish(done).unwrap();
    }
}

#[tokio::test]
async fn a_call_that_is_dropped_at_any_time_loses_nothing() {
    let files = Files::new();
    let text: String = (0..5_000).map(|n| format!("line {n}\n")).collect();
    files.write("a.log", &text);
    files.write("b.log", &text);
    let mut source = files.opened("*.log").await;
    let (mut all, mut dropped) = (Vec::new(), 0);
    loop {
        match poll(&mut source, 3_000) {
            Some(Event::Records(batch)) => all.extend(lines(&batch)),
            Some(Event::End) => break,
            Some(_) => {}
            None => {
                dropped += 1;
                tokio::task::yield_now().await;
            }
        }
    }
    assert!(dropped > 50, "{dropped}");
    for partition in [0, 1] {
        let of: Vec<_> = all.iter().filter(|line| line.0 == partition).map(|line| line.2.as_str()).collect();
        assert_eq!(of, text.lines().collect::<Vec<_>>());
    }
    assert_eq!(all.len(), 10_000);
}

#[tokio::test]
async fn a_file_that_is_held_waits_and_the_others_go_on() {
    let files = Files::new();
    files.write("a.log", "a\n");
    files.write("b.log", "b\n");
    let mut source = files.opened("*.log").await;
    let id = assigned(&mut source).await[0].id;
    source.hold(&[id], true);
    assert_eq!(records(&mut source).await, [(1, 1, "b".into())]);
    // The held one has not ended, so neither has the source.
    settle(&mut source).await;
    assert!(poll(&mut source, ROOM).is_none());
    source.hold(&[id], false);
    assert_eq!(rest(&mut source).await, [(0, 1, "a".into())]);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_followed_is_read_on_when_it_grows() {
    let files = Files::new();
    files.write("a.log", "one\ntw");
    let mut source = opened(files.source("a.log").follow(true)).await;
    assigned(&mut source).await;
    assert_eq!(records(&mut source).await, [(0, 3, "one".into())]);
    // Half a line is no record.
    let waiting = tokio::time::timeout(Duration::from_secs(5), event(&mut source, ROOM)).await;
    assert!(waiting.is_err(), "{waiting:?}");
    files.append("a.log", "o\nthree\n");
    assert_eq!(records(&mut source).await, [(0, 7, "two".into()), (0, 13, "three".into())]);
}

#[tokio::test(start_paused = true)]
async fn ends_are_told_at_first_and_when_a_file_grew() {
    let files = Files::new();
    files.write("a.log", "one\n");
    let mut source = opened(files.source("a.log").follow(true)).await;
    let id = assigned(&mut source).await[0].id;
    let Event::Ends(ends) = source.next(0).await.unwrap() else { panic!("no ends") };
    assert_eq!(ends, [(id, 4)]);
    records(&mut source).await;
    files.append("a.log", "two\n");
    let Event::Ends(ends) = source.next(ROOM).await.unwrap() else { panic!("no ends") };
    assert_eq!(ends, [(id, 8)]);
}

#[track_caller]
fn is_data_loss(error: &Error, what: &str) {
    assert_eq!(error.class(), Class::Fatal);
    let report = error.report();
    assert!(report.contains("go on where it was left") && report.contains(what), "{report}");
    assert!(report.contains("a.log"), "{report}");
}

#[tokio::test]
async fn a_file_that_shrank_or_was_replaced_is_not_read_from_its_bookmark() {
    for (text, what) in [
        ("on", "it has only 2 now"),
        ("", "it has only 0 now"),
        ("ONE\ntwo\nthree\n", "begins with other bytes"),
    ] {
        let files = Files::new();
        files.write("a.log", "one\ntwo\n");
        let mut source = files.opened("a.log").await;
        let id = assigned(&mut source).await[0].id;
        records(&mut source).await;
        commit(&mut source, id, 4, None).await;
        files.write("a.log", text);
        is_data_loss(&files.source("a.log").open().await.unwrap_err(), what);
    }
}

#[tokio::test]
async fn a_file_that_grew_is_still_the_same() {
    let files = Files::new();
    let first = "x".repeat(300);
    files.write("a.log", format!("one\n{first}\n"));
    let mut source = files.opened("a.log").await;
    let id = assigned(&mut source).await[0].id;
    records(&mut source).await;
    for offset in [4, 305] {
        commit(&mut source, id, offset, None).await;
        files.append("a.log", "more\n");
        assert!(files.source("a.log").open().await.is_ok(), "{offset}");
    }
    // A byte of the head that was not read by then may have changed.
    commit(&mut source, id, 4, None).await;
    files.write("a.log", "one\ntwo\n");
    assert_eq!(rest(&mut files.opened("a.log").await).await, [(0, 7, "two".into())]);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_rotated_while_it_is_followed_is_reported() {
    for how in ["truncated", "renamed", "replaced"] {
        let files = Files::new();
        files.write("a.log", "one\n");
        let mut source = opened(files.source("a.log").follow(true)).await;
        assigned(&mut source).await;
        assert_eq!(records(&mut source).await.len(), 1);
        let what = match how {
            "truncated" => {
                files.write("a.log", "");
                "it has only 0 now"
            }
            "renamed" => {
                fs::rename(files.path("a.log"), files.path("a.log.1")).unwrap();
                files.write("a.log", "new\nnew\n");
                "begins with other bytes"
            }
            _ => {
                files.write("a.log", "NEW\n");
                "begins with other bytes"
            }
        };
        let noticed = tokio::time::timeout(Duration::from_secs(60), event(&mut source, ROOM)).await;
        is_data_loss(&noticed.expect("noticed when the file is looked at again").unwrap_err(), what);
    }
}

#[tokio::test]
async fn a_line_beyond_the_limit_is_named_after_the_lines_before_it() {
    let files = Files::new();
    files.write("a.log", "1234\n12345\n");
    let mut source = opened(files.source("a.log").max_line_bytes(4)).await;
    assigned(&mut source).await;
    assert_eq!(records(&mut source).await, [(0, 4, "1234".into())]);
    let error = event(&mut source, ROOM).await.unwrap_err();
    assert_eq!(error.class(), Class::Fatal);
    assert!(error.report().contains("the line at byte 5 is longer than 4 bytes"), "{}", error.report());
}

#[tokio::test]
async fn a_line_that_is_continued_after_its_bookmark_is_not_lost() {
    let files = Files::new();
    files.write("a.log", "one\ntw");
    let mut source = files.opened("a.log").await;
    let id = assigned(&mut source).await[0].id;
    assert_eq!(rest(&mut source).await[1], (0, 5, "tw".into()));
    commit(&mut source, id, 6, None).await;
    files.append("a.log", "o\nthree\n");
    let again = rest(&mut files.opened("a.log").await).await;
    assert_eq!(again, [(0, 7, "o".into()), (0, 13, "three".into())]);
}

#[tokio::test]
async fn problems_of_several_files_are_told_at_once() {
    let files = Files::new();
    files.write("a.log", "one\n");
    files.write("b.log", "one\n");
    let mut source = files.opened("*.log").await;
    let ids: Vec<_> = assigned(&mut source).await.iter().map(|partition| partition.id).collect();
    rest(&mut source).await;
    for id in ids {
        source.commit(vec![Commit { id, offset: 4, note: None }]);
        answer(&mut source).await;
    }
    files.write("a.log", "");
    files.write("b.log", "");
    let report = files.source("*.log").open().await.unwrap_err().report();
    assert!(report.contains("a.log") && report.contains("b.log"), "{report}");
    let none = files.source("*.csv").open().await.unwrap_err().report();
    assert!(none.contains("no file has such a name") && none.contains("*.csv"), "{none}");
}

#[tokio::test]
async fn a_preview_reads_and_leaves_no_bookmark() {
    let files = Files::new();
    files.write("a.log", "one\n");
    let mut source = opened(files.source("a.log").preview(true)).await;
    assert_eq!(rest(&mut source).await, [(0, 3, "one".into())]);
    assert!(!files.path("offsets.json").exists());
}
