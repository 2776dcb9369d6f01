use super::*;
use crate::{BatchBuilder, Chain, Output, PartitionId, Transform};
use proptest::prelude::*;

/// `<offset:value;`, and no frame for an empty value or one with an exclamation mark.
struct Marks;

impl Framer for Marks {
    fn before(&mut self, _: &Arc<str>, _: i32, entry: &Entry<'_>, out: &mut Vec<u8>) -> bool {
        out.extend_from_slice(format!("<{}:", entry.offset).as_bytes());
        entry.value != Some(b"")
    }

    fn after(&mut self, value: usize, out: &mut Vec<u8>) -> bool {
        let wanted = !out[value..].contains(&b'!');
        out.push(b';');
        wanted
    }
}

/// Records with a key and a header each, at the offsets 0, 1, ….
fn batch(values: &[Option<&str>]) -> Batch {
    let mut builder = BatchBuilder::new().framed_by(Marks);
    for (offset, value) in (0..).zip(values) {
        let value = value.map(str::as_bytes);
        let entry = Entry { offset, key: Some(b"key"), value, timestamp_ms: None };
        builder.push(PartitionId::new(0, 1), &"topic".into(), 0, entry, [("name", Some(&b"h"[..]))]);
    }
    builder.finish()
}

/// Framed pieces as they are, rows without a frame as `[value]`.
fn pieces(batch: &Batch) -> Vec<String> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let piece = |piece| match piece {
        Piece::Framed { bytes, rows } => {
            assert_eq!(bytes.iter().filter(|byte| **byte == b';').count(), rows);
            text(&bytes)
        }
        Piece::Bare(record) => format!("[{}]", record.value().map_or("null".into(), text)),
    };
    batch.pieces().map(piece).collect()
}

#[test]
fn neighbours_are_one_piece_and_others_stand_alone() {
    let batch = batch(&[Some("a"), Some("b"), None, Some("c"), Some(""), Some("d"), Some("e"), Some("f!")]);
    assert_eq!(pieces(&batch), ["<0:a;<1:b;", "[null]", "<3:c;", "[]", "<5:d;<6:e;", "[f!]"]);
    assert_eq!(batch.pieces().filter(|piece| matches!(piece, Piece::Framed { .. })).count(), 3);
}

#[test]
fn a_frame_changes_nothing_that_is_read() {
    let batch = batch(&[Some("a"), None, Some("")]);
    let values: Vec<_> = batch.iter().map(|record| record.value()).collect();
    assert_eq!(values, [Some(&b"a"[..]), None, Some(&b""[..])]);
    assert!(batch.iter().all(|record| record.key() == Some(b"key")));
    assert!(batch.iter().all(|record| record.headers().eq([("name", Some(&b"h"[..]))])));
}

#[test]
fn subsets_and_joined_batches_keep_their_frames() {
    let mut all = batch(&[Some("a"), Some("b"), Some("c")]);
    assert_eq!(pieces(&all.subset(&[1, 2])), ["<1:b;<2:c;"]);
    assert_eq!(pieces(&all.subset(&[0, 2])), ["<0:a;", "<2:c;"]);
    assert_eq!(pieces(&all.subset(&[1, 0])), ["<1:b;", "<0:a;"]);
    all.append(batch(&[Some("d")]));
    assert_eq!(pieces(&all), ["<0:a;<1:b;<2:c;", "<0:d;"]);
}

#[test]
fn what_is_made_of_a_row_or_copied_out_has_no_frame() {
    /// Renames the topic of the second record.
    struct Rename;
    impl Transform for Rename {
        fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), crate::Error> {
            match record.origin().offset {
                1 => out.derive(record).topic("other").emit(),
                _ => out.keep(record),
            }
            Ok(())
        }
    }
    let all = batch(&[Some("a"), Some("b"), Some("c")]);
    assert_eq!(pieces(&all.detach(&[0])), ["[a]"]);
    assert_eq!(pieces(&all.get(2).unwrap().detach()), ["[c]"]);
    let renamed = Chain::new(vec![Arc::new(Rename)]).apply(all, 0).batch;
    assert_eq!(pieces(&renamed), ["<0:a;", "[b]", "<2:c;"]);
}

#[test]
fn siblings_have_no_frame_which_would_be_the_same_one() {
    struct Twice;
    impl Transform for Twice {
        fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), crate::Error> {
            (0..=record.origin().offset).for_each(|_| out.keep(record));
            Ok(())
        }
    }
    let twice = Chain::new(vec![Arc::new(Twice)]).apply(batch(&[Some("a"), Some("b")]), 0).batch;
    assert_eq!(pieces(&twice), ["<0:a;", "[b]", "[b]"]);
}

#[derive(Clone, Debug)]
enum Change {
    /// These rows, in this order, by their numbers modulo those that are there.
    Subset(Vec<prop::sample::Index>),
    Detach(Vec<prop::sample::Index>),
    Append(Vec<Option<String>>),
    /// The partition goes.
    Lose(u32),
}

fn change() -> impl Strategy<Value = Change> {
    let rows = || prop::collection::vec(any::<prop::sample::Index>(), 0..6);
    prop_oneof![
        rows().prop_map(Change::Subset),
        rows().prop_map(Change::Detach),
        prop::collection::vec(prop::option::of("[ab!]{0,3}"), 0..5).prop_map(Change::Append),
        (0..3_u32).prop_map(Change::Lose),
    ]
}

proptest! {
    /// Whatever is done to a batch, its pieces are its rows, each once, in order, in its own frame or in none.
    #[test]
    fn pieces_are_the_rows_whatever_was_done_to_a_batch(changes in prop::collection::vec(change(), 1..12)) {
        let mut builder = BatchBuilder::new().framed_by(Marks);
        let (mut batch, mut offset, mut dead) = (Batch::default(), 0, Vec::new());
        for change in changes {
            let pick = |rows: Vec<prop::sample::Index>| {
                let mut known = std::collections::HashSet::new();
                let rows = rows.iter().filter(|_| !batch.is_empty());
                let rows = rows.map(|row| u32::try_from(row.index(batch.len())).unwrap());
                rows.filter(|row| known.insert(*row)).collect::<Vec<_>>()
            };
            match change {
                Change::Subset(rows) => batch = batch.subset(&pick(rows)),
                Change::Detach(rows) => batch = batch.detach(&pick(rows)),
                Change::Append(values) => {
                    for value in values {
                        let entry = Entry { offset, value: value.as_deref().map(str::as_bytes), ..Entry::default() };
                        let slot = u32::try_from(offset % 3).unwrap();
                        let id = PartitionId::new(slot, 1 + u32::try_from(dead.len()).unwrap());
                        builder.push(id, &"topic".into(), 0, entry, [("h", None)]);
                        offset += 1;
                    }
                    batch.append(builder.finish());
                }
                Change::Lose(slot) => {
                    let now = u32::try_from(dead.len()).unwrap();
                    dead.push(slot);
                    batch.retain_live(|id| id.slot() != slot as usize || id.epoch() > now + 1);
                }
            }
            let _counted = batch.payload_bytes();
            let mut rows = batch.iter();
            for piece in batch.pieces() {
                match piece {
                    Piece::Bare(record) => prop_assert_eq!(record.origin(), rows.next().unwrap().origin()),
                    Piece::Framed { bytes, rows: number } => {
                        let frames: Vec<u8> = rows.by_ref().take(number).flat_map(|row| {
                            let value = row.value().unwrap();
                            [format!("<{}:", row.origin().offset).as_bytes(), value, b";"].concat()
                        }).collect();
                        prop_assert_eq!(&*bytes, &frames);
                    }
                }
            }
            prop_assert!(rows.next().is_none());
        }
    }
}

#[test]
fn a_frame_that_is_too_long_to_be_noted_is_left_out() {
    struct Long;
    impl Framer for Long {
        fn before(&mut self, _: &Arc<str>, _: i32, e: &Entry<'_>, out: &mut Vec<u8>) -> bool {
            out.resize(out.len() + usize::from(u16::MAX) + usize::from(e.offset != 0), b'-');
            true
        }

        fn after(&mut self, _: usize, _: &mut Vec<u8>) -> bool {
            true
        }
    }
    let mut builder = BatchBuilder::new().framed_by(Long);
    for offset in 0..2 {
        let entry = Entry { offset, value: Some(b"v"), ..Entry::default() };
        builder.push(PartitionId::new(0, 1), &"topic".into(), 0, entry, []);
    }
    let batch = builder.finish();
    let mut pieces = batch.pieces();
    assert!(matches!(pieces.next(), Some(Piece::Framed { bytes, rows: 1 }) if bytes.len() == 65_536));
    assert!(matches!(pieces.next(), Some(Piece::Bare(record)) if record.value() == Some(b"v")));
    assert!(batch.bytes() < 66_000, "what was left out is gone");
}
