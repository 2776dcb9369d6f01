use crate::{batch, run};
use connect_transforms::{InvalidUtf8, KeyWrap};

#[test]
fn objects_and_tombstones_pass_and_texts_are_wrapped() {
    let values: [Option<&[u8]>; 5] =
        [Some(b"{\"a\":1}"), None, Some(b"plain \"text\"\n"), Some(b""), Some(b"[1]")];
    let done = run(KeyWrap::new("message"), batch(values.map(|value| (Some(&b"key"[..]), value))));
    assert!(done.rejected.is_empty() && done.filtered.is_empty());
    let results: Vec<_> = done.batch.iter().map(connect_core::Record::value).collect();
    assert_eq!(
        results,
        [
            Some(br#"{"a":1}"#.as_slice()),
            None,
            Some(br#"{"message":"plain \"text\"\n"}"#),
            Some(br#"{"message":""}"#),
            Some(br#"{"message":"[1]"}"#),
        ]
    );
    assert!(done.batch.iter().all(|record| record.key() == Some(b"key")));
}

#[test]
fn the_strict_policy_makes_bytes_poison_and_keeps_the_neighbours() {
    let wrap = KeyWrap::new("message").on_invalid_utf8(InvalidUtf8::Fail);
    let done = run(wrap, batch([(None, Some(&b"\xff"[..])), (None, Some(b"text"))]));
    assert_eq!((done.batch.len(), done.rejected.len()), (1, 1));
    assert_eq!(done.rejected[0].0.iter().next().unwrap().value(), Some(&b"\xff"[..]));
}
