use super::*;
use crate::{Record, resident};

/// Batches of one record each.
fn trickle(builder: &mut BatchBuilder, batches: i64) -> impl Iterator<Item = Batch> {
    let topic = Arc::from("topic");
    let one = move |offset| {
        let entry = Entry { offset, value: Some(b"value"), ..Entry::default() };
        builder.push(PartitionId::new(0, 1), &topic, 0, entry, []);
        builder.finish()
    };
    (0..batches).map(one)
}

#[test]
fn batches_of_few_records_take_no_arena_along() {
    let mut builder = BatchBuilder::new();
    let held: Vec<_> = trickle(&mut builder, 100).collect();
    assert!(held.iter().all(|batch| batch.get(0).and_then(Record::value) == Some(b"value")));
    let pool = Arc::clone(&builder.pool);
    drop((builder, held));
    assert_eq!(pool.0.lock().unwrap().len(), 0, "the arena was the builder's all the time");
}

#[test]
fn what_a_batch_takes_besides_its_payload_is_counted() {
    let mut joined = Batch::default();
    for batch in trickle(&mut BatchBuilder::new(), 100) {
        joined.append(batch);
    }
    let each = b"value".len() + size_of::<Row>() + size_of::<Run>() + size_of::<Bytes>();
    assert!(joined.bytes() >= 100 * each, "{} bytes", joined.bytes());
}

#[test]
#[ignore = "run by the test below, which gives it a process of its own"]
fn a_trickle() {
    let before = resident::bytes();
    let mut joined = Batch::default();
    for batch in trickle(&mut BatchBuilder::new(), 50_000) {
        joined.append(batch);
    }
    let taken = resident::bytes() - before;
    assert!(taken < 2 * joined.bytes(), "{taken} bytes taken, {} counted", joined.bytes());
}

#[test]
fn a_trickle_takes_about_what_is_counted() {
    resident::alone("builder::tests::a_trickle");
}

/// Puts a byte on either side of a value.
struct Quotes;

impl Framer for Quotes {
    fn before(&mut self, _: &Arc<str>, _: i32, _: &Entry<'_>, out: &mut Vec<u8>) -> bool {
        out.push(b'"');
        true
    }

    fn after(&mut self, _: usize, out: &mut Vec<u8>) -> bool {
        out.push(b'"');
        true
    }
}

#[test]
fn a_large_record_keeps_no_more_memory_than_is_charged() {
    let (topic, id, large) = (Arc::from("topic"), PartitionId::new(0, 1), vec![b'x'; 14 << 20]);
    for framed in [false, true] {
        for (key, small) in [(None, 0), (Some(&b"key"[..]), 3), (Some(&large[..]), 100)] {
            let mut builder = BatchBuilder::new();
            if framed {
                builder.frame_by(Box::new(Quotes));
            }
            for offset in 0..small {
                let value = Some(&large[..1_000]);
                builder.push(id, &topic, 0, Entry { offset, value, ..Entry::default() }, []);
            }
            let entry = Entry { offset: small, key, value: Some(&large), ..Entry::default() };
            builder.push(id, &topic, 0, entry, [("header", Some(&b"value"[..]))]);
            let (values, aside) = (builder.arena.capacity(), builder.aside.capacity());
            let charged = builder.bytes();
            assert!(
                values <= charged + ARENA_BYTES,
                "{framed} {small}: {values} bytes kept, {charged} charged"
            );
            let aside = fitted(Vec::with_capacity(aside)).capacity();
            assert!(aside <= charged, "{framed} {small}: {aside} bytes kept aside, {charged} charged");
        }
    }
}
