//! Kafka Connect's transforms, those that everybody writes, and the converters, against the same work done through a
//! `serde_json::Value`: parse, change, serialise.
//!
//! Both run in the same chain on batches of 400 records, so that what a chain costs is on both sides. Divide by 400 for
//! a record: `cargo bench -p benches --bench connect_transforms`. One group per transform and input; `value` is the
//! straightforward way through a tree, `by_hand` that of a transform that looks at no JSON. `DropHeaders`, `InsertHeader`
//! and `Filter` stand alone: what they do is one call, and written by hand it is the same call.

mod by_hand;
mod cases;
mod inputs;

use benches::samples;
use connect_core::{
    Batch, BatchBuilder, Chain, Entry, PartitionId, Transform, config::Settings, registry::Registry,
};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use std::sync::Arc;
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// As many as stay in cache.
const RECORDS: usize = 400;

type Shared = Arc<dyn Transform>;
type Keys = &'static [(&'static str, &'static str)];

/// A transform, and the same work done another way, by that way's name.
struct Case {
    name: &'static str,
    ours: Ours,
    other: Option<(&'static str, Shared)>,
}

/// What is measured.
enum Ours {
    /// The transform of the case's name, up to a `_`, with these keys.
    Keys(Keys),
    Made(Shared),
}

fn batch(records: &[Vec<u8>], headers: &[(&str, Option<&[u8]>)]) -> Batch {
    let (mut builder, topic) = (BatchBuilder::new(), "logs".into());
    for (offset, record) in (0..).zip(records) {
        let entry = Entry { offset, timestamp_ms: Some(5), key: None, value: Some(record) };
        builder.push(PartitionId::new(0, 1), &topic, 0, entry, headers.iter().copied());
    }
    builder.finish()
}

fn transforms(criterion: &mut Criterion) {
    let mut known = Registry::new("transform");
    connect_transforms::register(&mut known).expect("the names differ");
    let (logs, earthquakes) = (samples::logs(RECORDS), samples::earthquakes(RECORDS));
    let envelopes = inputs::envelopes(&logs);
    let headers: &[(&str, Option<&[u8]>)] =
        &[("trace", Some(b"4bf92f3577b34da6")), ("source", Some(b"edge"))];
    let inputs = [
        ("log", batch(&logs, &[]), cases::log()),
        ("earthquake", batch(&earthquakes, &[]), cases::earthquake()),
        ("envelope", batch(&envelopes, &[]), cases::envelope()),
        ("log_event", batch(&inputs::events(&logs), &[]), cases::event()),
        ("earthquake_event", batch(&inputs::events(&earthquakes), &[]), cases::event()),
        ("log_with_headers", batch(&logs, headers), cases::without_json()),
        ("number", batch(&inputs::numbers(RECORDS), &[]), cases::number()),
    ];
    let rows: Vec<u32> = (0..).take(RECORDS).collect();
    for (input, batch, cases) in inputs {
        for Case { name, ours, other } in cases {
            let ours = match ours {
                Ours::Made(made) => made,
                Ours::Keys(keys) => {
                    let plain = name.split('_').next().unwrap_or(name);
                    let plugin = known.find(plain).expect("it is registered");
                    let make = plugin.parse(&Settings::literal(keys.iter().copied()));
                    make.expect("its keys are right")().expect("what was checked can be made")
                }
            };
            let mut group = criterion.benchmark_group(format!("{name}/{input}"));
            group.throughput(Throughput::Elements(RECORDS as u64));
            for (way, transform) in [("bytes", ours)].into_iter().chain(other) {
                let chain = Chain::new(vec![transform]);
                group.bench_function(way, |bencher| {
                    let run = |batch: Batch| {
                        let done = chain.apply(batch, 0);
                        assert!(done.rejected.is_empty(), "the inputs fit");
                        done.batch
                    };
                    bencher.iter_batched(|| batch.subset(&rows), run, BatchSize::SmallInput);
                });
            }
            group.finish();
        }
    }
}

criterion_group!(benches, transforms);
criterion_main!(benches);
