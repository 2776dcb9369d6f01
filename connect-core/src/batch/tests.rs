use super::*;
use crate::{BatchBuilder, Budget, Chain, Entry, Error, Output, Transform};

fn read(partition: i32, offsets: Range<i64>) -> Batch {
    let mut builder = BatchBuilder::new();
    let (id, topic) = (PartitionId::new(u32::try_from(partition).expect("small"), 1), Arc::from("t"));
    for offset in offsets {
        let value = format!("{partition}:{offset}");
        let entry =
            Entry { offset, timestamp_ms: Some(offset * 10), key: Some(b"k"), value: Some(value.as_bytes()) };
        builder.push(id, &topic, partition, entry, [("h", Some(&b"1"[..])), ("h", None)]);
    }
    builder.finish()
}

/// Everything of a batch that plugins can see, as text.
fn seen(batch: &Batch) -> Vec<String> {
    batch
        .iter()
        .map(|record| {
            let origin = record.origin();
            let text = |of: Record<'_>| match of.value() {
                Some(value) => String::from_utf8_lossy(value).into_owned(),
                None => "null".to_owned(),
            };
            let (now, read) = (text(record), text(record.original()));
            let index = origin.index.map(|index| format!("+{index}")).unwrap_or_default();
            format!("{}-{}@{}{index} {now} {read}", record.topic(), origin.partition, origin.offset)
        })
        .collect()
}

/// `…:0` is dropped, `…:1` doubled on another topic, others are kept.
struct Mixed;

impl Transform for Mixed {
    fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error> {
        match record.value() {
            Some(value) if value.ends_with(b":0") => {}
            Some(value) if value.ends_with(b":1") => {
                out.derive(record).topic("u").value(Some(b"first")).emit();
                out.derive(record).value(None).emit();
            }
            _ => out.keep(record),
        }
        Ok(())
    }
}

fn transformed(batch: Batch) -> Batch {
    Chain::new(vec![Arc::new(Mixed)]).apply(batch, 0).batch
}

const TRANSFORMED: [&str; 3] = ["u-1@1+0 first 1:1", "t-1@1+1 null 1:1", "t-1@2 1:2 1:2"];

#[test]
fn joined_batches_keep_records_and_originals_whatever_was_transformed() {
    let (left, right) = (["t-0@5 0:5 0:5", "t-0@6 0:6 0:6"], TRANSFORMED);
    let mut joined = read(0, 5..7);
    joined.append(transformed(read(1, 0..3)));
    assert_eq!(seen(&joined), [&left[..], &right[..]].concat());
    assert!(!joined.whole);

    let mut joined = transformed(read(1, 0..3));
    joined.append(read(0, 5..7));
    joined.append(transformed(read(1, 0..3)));
    assert_eq!(seen(&joined), [&right[..], &left[..], &right[..]].concat());

    let mut joined = Batch::default();
    joined.append(read(0, 5..7));
    joined.append(read(1, 3..4));
    assert_eq!(seen(&joined), ["t-0@5 0:5 0:5", "t-0@6 0:6 0:6", "t-1@3 1:3 1:3"]);
    assert!(joined.whole, "only whole batches were joined");
}

#[test]
fn a_subset_of_a_joined_batch_names_the_right_originals() {
    let mut joined = read(0, 5..7);
    joined.append(transformed(read(1, 0..3)));
    let subset = joined.subset(&[4, 1, 2]);
    assert_eq!(seen(&subset), ["t-1@2 1:2 1:2", "t-0@6 0:6 0:6", "u-1@1+0 first 1:1"]);
    let mut again = read(0, 9..10);
    again.append(joined.subset(&[3]));
    assert_eq!(seen(&again), ["t-0@9 0:9 0:9", "t-1@1+1 null 1:1"]);
}

#[test]
fn a_detached_record_is_complete_and_pins_nothing() {
    let batch = transformed(read(1, 0..3));
    let one = batch.get(0).expect("three rows").detach();
    assert_eq!(seen(&one), [TRANSFORMED[0]]);
    assert!(one.bytes() < 500, "{} bytes", one.bytes());
    let record = one.get(0).expect("one row");
    assert_eq!((record.key(), record.timestamp_ms()), (Some(&b"k"[..]), Some(10)));
    assert_eq!(record.headers().collect::<Vec<_>>(), [("h", Some(&b"1"[..])), ("h", None)]);
    assert_eq!((one.runs()[0].offsets.clone(), one.runs()[0].rows), (1..2, 1));
}

#[test]
fn bytes_stay_charged_until_the_last_batch_that_shares_them_is_dropped() {
    let budget = Budget::new(1 << 20);
    let mut batch = read(0, 0..10);
    batch.hold(budget.charge(batch.bytes()));
    let charged = budget.held();
    let subset = batch.subset(&[3]);
    drop(batch);
    assert_eq!(budget.held(), charged);
    let mut joined = read(1, 0..1);
    joined.append(subset);
    assert_eq!(budget.held(), charged);
    drop(joined);
    assert_eq!(budget.held(), 0);
}

#[test]
fn a_dead_partition_leaves_nothing_behind_that_could_be_taken_for_progress() {
    let mut batch = read(0, 5..7);
    batch.append(read(1, 0..2));
    batch.retain_live(|id| id == PartitionId::new(1, 1));
    assert_eq!(seen(&batch), ["t-1@0 1:0 1:0", "t-1@1 1:1 1:1"]);
    assert_eq!((batch.runs()[0].rows, batch.runs()[0].offsets.clone()), (0, 5..5));
}

#[test]
fn null_and_empty_are_different_things() {
    let mut builder = BatchBuilder::new();
    let entry = |offset, key, value| Entry { offset, timestamp_ms: None, key, value };
    builder.push(PartitionId::new(0, 1), &"t".into(), 0, entry(0, None, Some(&b""[..])), []);
    builder.push(PartitionId::new(0, 1), &"t".into(), 0, entry(1, Some(&b""[..]), None), []);
    let batch = builder.finish();
    let pairs: Vec<_> = batch.iter().map(|record| (record.key(), record.value())).collect();
    assert_eq!(pairs, [(None, Some(&b""[..])), (Some(&b""[..]), None)]);
    assert_eq!(
        (batch.get(0).and_then(Record::timestamp_ms), batch.iter().flat_map(Record::headers).count()),
        (None, 0)
    );
}
