use super::*;
use crate::{BatchBuilder, Entry, PartitionId};

fn read(values: &[&str]) -> Batch {
    let mut builder = BatchBuilder::new();
    for (offset, value) in (0..).zip(values) {
        let entry = Entry { offset, value: Some(value.as_bytes()), ..Entry::default() };
        builder.push(PartitionId::new(0, 1), &"t".into(), 0, entry, []);
    }
    builder.finish()
}

/// Splits at commas; empty parts are dropped, `!` is refused.
struct Split(char);

impl Transform for Split {
    fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error> {
        let text = String::from_utf8_lossy(record.value().unwrap_or_default()).into_owned();
        for part in text.split(self.0).filter(|part| !part.is_empty()) {
            if part == "!" {
                return Err(Error::poison("split", "a bang"));
            }
            out.derive(record)
                .value_with(|buf| {
                    buf.extend_from_slice(part.as_bytes());
                    Ok(())
                })?
                .emit();
        }
        Ok(())
    }
}

fn chain(separators: &[char]) -> Chain {
    Chain::new(separators.iter().map(|separator| Arc::new(Split(*separator)) as Arc<dyn Transform>).collect())
}

fn rows(batch: &Batch) -> Vec<(i64, Option<u32>, &str)> {
    let text = |record: Record<'_>| -> (i64, Option<u32>) { (record.origin().offset, record.origin().index) };
    batch
        .iter()
        .map(|record| {
            let (offset, index) = text(record);
            (offset, index, std::str::from_utf8(record.value().unwrap_or_default()).unwrap_or("?"))
        })
        .collect()
}

#[test]
fn an_empty_chain_hands_batches_through_untouched() {
    let out = Chain::default().apply(read(&["a", "b"]), 0);
    assert!(out.batch.whole && out.batch.originals.is_none() && out.batch.len() == 2);
}

#[test]
fn siblings_are_numbered_over_all_stages_and_only_children_are_not() {
    let out = chain(&['|', ',']).apply(read(&["a,b|c", "d", "", "e|f"]), 0);
    let expected = [
        (0, Some(0), "a"),
        (0, Some(1), "b"),
        (0, Some(2), "c"),
        (1, None, "d"),
        (3, Some(0), "e"),
        (3, Some(1), "f"),
    ];
    assert_eq!(rows(&out.batch), expected);
    assert_eq!((out.filtered, out.fanned), (vec![2], vec![(0, 3), (3, 2)]));
    assert!(!out.batch.whole);
}

#[test]
fn a_refusal_takes_all_siblings_back_and_carries_the_record_as_read() {
    let out = chain(&['|', ',']).apply(read(&["a|b,!", "c", "!"]), 0);
    assert_eq!(rows(&out.batch), [(1, None, "c")]);
    assert!(out.filtered.is_empty() && out.fanned.is_empty());
    let refused: Vec<_> =
        out.rejected.iter().map(|(record, error)| (rows(record)[0].2, error.report())).collect();
    let report = "failed to split: a bang".to_owned();
    assert_eq!(refused, [("a|b,!", report.clone()), ("!", report)]);
}

#[test]
fn one_to_one_stages_keep_a_batch_whole_and_drop_what_stages_in_between_wrote() {
    let out = chain(&['|', ',', ';']).apply(read(&["aaaa", "bbbb"]), 0);
    assert!(out.batch.whole);
    assert_eq!(rows(&out.batch), [(0, None, "aaaa"), (1, None, "bbbb")]);
    let bytes: usize = out.batch.chunks.iter().map(bytes::Bytes::len).sum();
    assert_eq!(bytes, 16, "the records as read and as they are now, nothing in between");
}
