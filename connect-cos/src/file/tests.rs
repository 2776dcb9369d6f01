use super::*;
use crate::note::NoteId;

fn file(check: bool) -> ObjectFile {
    ObjectFile::new(Object { name: "a".into(), id: NoteId(1), first: 5 }, check)
}

fn failed(answer: Answer) -> Result<(), StoreError> {
    Err(StoreError::new(answer, "x"))
}

fn found(id: u64) -> Option<Found> {
    Some(Found { id: Some(NoteId(id)), first: Some(5), last: Some(9), len: 2 })
}

fn stepped(file: &mut ObjectFile, stepped: Stepped) -> Next {
    file.stepped(stepped, BackoffConfig::default(), &Budget::new(100))
}

fn put(file: &mut ObjectFile) -> Bytes {
    match file.step(true) {
        Some(Step::Put(bytes)) => bytes,
        _ => panic!("a put is due"),
    }
}

/// A small file, sealed, after its put was answered in this way.
fn after_put(answer: Answer) -> ObjectFile {
    let mut file = file(false);
    file.write(b"x", b"\n", 100, &Budget::new(100));
    file.seal(9);
    assert_eq!(put(&mut file), "x\n");
    assert!(matches!(stepped(&mut file, Stepped::Completed(None, failed(answer).map(|()| 0))), Next::Go));
    assert!(matches!(file.step(true), Some(Step::Verify)));
    file
}

#[test]
fn nothing_appears_before_the_note_is_committed() {
    let mut file = file(false);
    file.write(b"x", b"\n", 100, &Budget::new(100));
    assert!(file.step(true).is_none(), "it is still open");
    file.seal(9);
    assert!(file.step(false).is_none(), "its note is not committed");
    assert_eq!(put(&mut file), "x\n");
    assert!(file.step(true).is_none(), "one step at a time");
    assert!(matches!(stepped(&mut file, Stepped::Completed(None, Ok(2))), Next::Done(_)));
    assert!(file.is_done() && file.held() == 0);
}

#[test]
fn after_any_failed_completion_only_our_id_is_success() {
    for answer in [
        Answer::Exists,
        Answer::Transient,
        Answer::Gone,
        Answer::Denied,
        Answer::Unknown,
        Answer::Unconfirmed,
    ] {
        let mut ours = after_put(answer);
        assert!(matches!(stepped(&mut ours, Stepped::Verified(Ok(found(1)))), Next::Done(_)), "{answer:?}");
        let mut other = after_put(answer);
        assert!(
            matches!(stepped(&mut other, Stepped::Verified(Ok(found(2)))), Next::Conflict(_)),
            "{answer:?}"
        );
        let nobodys = Found { id: None, first: None, last: None, len: 2 };
        let mut other = after_put(answer);
        assert!(matches!(stepped(&mut other, Stepped::Verified(Ok(Some(nobodys)))), Next::Conflict(_)));
    }
}

#[test]
fn a_completion_that_did_not_happen_is_repeated_with_the_same_bytes() {
    let mut file = after_put(Answer::Transient);
    assert!(matches!(stepped(&mut file, Stepped::Verified(Ok(None))), Next::Retry(..)));
    assert!(file.step(true).is_none(), "it waits");
    file.awake();
    assert_eq!(put(&mut file), "x\n");
}

#[test]
fn an_unanswered_question_is_asked_again() {
    let mut file = after_put(Answer::Transient);
    let lost = Stepped::Verified(Err(StoreError::new(Answer::Transient, "x")));
    assert!(matches!(stepped(&mut file, lost), Next::Retry(..)));
    file.awake();
    assert!(matches!(file.step(true), Some(Step::Verify)));
}

#[test]
fn a_forgotten_upload_is_built_again_from_the_log() {
    let mut file = after_put(Answer::Gone);
    assert!(matches!(stepped(&mut file, Stepped::Verified(Ok(None))), Next::Again(_)));
}

#[test]
fn completions_that_keep_failing_are_built_again_from_the_log() {
    let mut file = after_put(Answer::Transient);
    for _ in 0..ATTEMPTS_MAX {
        assert!(matches!(stepped(&mut file, Stepped::Verified(Ok(None))), Next::Retry(..)));
        file.awake();
        put(&mut file);
        stepped(&mut file, Stepped::Completed(None, failed(Answer::Transient).map(|()| 0)));
        file.step(true);
    }
    assert!(matches!(stepped(&mut file, Stepped::Verified(Ok(None))), Next::Again(_)));
}

#[test]
fn parts_are_exact_and_everything_held_is_charged() {
    let budget = Budget::new(1000);
    let mut file = file(false);
    assert!(!file.write(b"1234567", b"\n", 10, &budget));
    assert!(file.write(b"1234567890123456789012", b"\n", 10, &budget));
    assert!(budget.held() >= 31);
    let mut parts = Vec::new();
    for _ in 0..3 {
        let Some(Step::Part(_, bytes)) = file.step(false) else { panic!("a part is due") };
        parts.push(bytes);
        assert!(matches!(stepped(&mut file, Stepped::Part(None, Ok(()))), Next::Go));
    }
    assert_eq!(parts, ["1234567\n12", "3456789012", "3456789012"]);
    assert!(file.step(false).is_none());
    file.seal(9);
    assert!(matches!(file.step(false), Some(Step::Part(_, bytes)) if bytes == "\n"));
    drop(file);
    assert_eq!(budget.held(), 0);
}

#[test]
fn what_a_rebuild_finds_is_not_uploaded_again() {
    let mut ours = file(true);
    ours.write(b"x", b"\n", 1, &Budget::new(100));
    assert!(matches!(ours.step(true), Some(Step::Check)));
    assert!(matches!(stepped(&mut ours, Stepped::Checked(Ok(of_length(4)))), Next::Done(Some(_))));
    assert!(!ours.write(b"x", b"\n", 1, &Budget::new(100)));
    ours.seal(9);
    assert!(ours.step(true).is_none());
    let mut absent = file(true);
    assert!(matches!(absent.step(true), Some(Step::Check)));
    assert!(matches!(stepped(&mut absent, Stepped::Checked(Ok(None))), Next::Go));
    absent.write(b"x", b"\n", 100, &Budget::new(100));
    absent.seal(5);
    put(&mut absent);
}

/// Bytes of memory behind the parts and the buffer of a file.
fn allocated(file: &mut ObjectFile) -> usize {
    let capacity = |part: Bytes| Vec::from(part).capacity();
    let parts: usize = std::mem::take(&mut file.parts).into_iter().map(capacity).sum();
    parts + file.buffer.capacity()
}

#[test]
fn no_part_of_a_large_record_keeps_more_memory_than_is_charged() {
    let budget = Budget::new(1 << 20);
    for record in [5_000, 100_000, 1_000_000] {
        let mut file = file(false);
        file.write(b"first", b"\n", 10_000, &budget);
        file.write(&vec![b'x'; record], b"\n", 10_000, &budget);
        let (held, parts) = (file.held(), file.parts.len());
        assert_eq!(parts, (record + 7) / 10_000);
        let allocated = allocated(&mut file);
        assert_eq!(held, allocated, "{record}");
        assert!(allocated <= record + 2 * 10_000, "{allocated} for {record}");
    }
}

#[test]
fn a_small_object_and_a_last_part_keep_no_spare_capacity() {
    let budget = Budget::new(1 << 20);
    let mut small = file(false);
    small.write(&[b'x'; 5_000], b"\n", 10_000, &budget);
    small.write(&[b'x'; 100], b"\n", 10_000, &budget);
    small.seal(6);
    assert_eq!(Vec::from(exact(&mut small.buffer)).capacity(), 5_102);
    let mut last = file(false);
    last.write(&[b'x'; 10_100], b"\n", 10_000, &budget);
    last.seal(6);
    assert_eq!(allocated(&mut last), 10_101);
}

fn of_length(len: u64) -> Option<Found> {
    found(1).map(|found| Found { len, ..found })
}

#[test]
fn an_object_of_another_length_is_never_taken_for_what_was_written() {
    for (len, done) in [(0, false), (1, false), (2, true), (3, false)] {
        let mut file = after_put(Answer::Transient);
        let next = stepped(&mut file, Stepped::Verified(Ok(of_length(len))));
        assert_eq!(matches!(next, Next::Done(_)), done, "{len}");
        assert_eq!(matches!(next, Next::Conflict(_)), !done, "{len}");
    }
}

#[test]
fn a_rebuild_asks_again_for_an_object_that_is_shorter_than_its_records() {
    // Longer it may be: compaction has removed records from the log since.
    for (len, whole) in [(3, false), (4, true), (5, true)] {
        let mut file = file(true);
        assert!(matches!(file.step(true), Some(Step::Check)));
        assert!(matches!(stepped(&mut file, Stepped::Checked(Ok(of_length(len)))), Next::Done(_)));
        for _ in 0..2 {
            file.write(b"x", b"\n", 100, &Budget::new(100));
        }
        file.seal(9);
        assert_eq!(file.is_done(), whole, "{len}");
        if !whole {
            assert!(matches!(file.step(true), Some(Step::Verify)));
            assert!(matches!(stepped(&mut file, Stepped::Verified(Ok(of_length(len)))), Next::Conflict(_)));
        }
    }
}

#[test]
fn a_rebuild_whose_short_object_has_gone_takes_its_records_from_the_log() {
    let mut file = file(true);
    file.step(true);
    stepped(&mut file, Stepped::Checked(Ok(of_length(1))));
    file.write(b"x", b"\n", 100, &Budget::new(100));
    file.seal(9);
    assert!(matches!(file.step(true), Some(Step::Verify)));
    assert!(matches!(stepped(&mut file, Stepped::Verified(Ok(None))), Next::Again(_)));
}

#[test]
fn a_completion_that_made_a_shorter_object_is_not_done() {
    let mut file = file(false);
    file.write(b"x", b"\n", 100, &Budget::new(100));
    file.seal(9);
    put(&mut file);
    assert!(matches!(stepped(&mut file, Stepped::Completed(None, Ok(1))), Next::Go));
    assert!(matches!(file.step(true), Some(Step::Verify)));
    assert!(matches!(stepped(&mut file, Stepped::Verified(Ok(of_length(1)))), Next::Conflict(_)));
}
