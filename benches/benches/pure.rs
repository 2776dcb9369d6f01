//! The pure parts, one thread, 500 of the benchmark's log records an iteration: `cargo bench -p benches`.
//!
//! Divide by 500 for a record. `memory/copy` and `json/validate` are what the others are to be compared with.

use benches::samples;
use connect_core::{Batch, BatchBuilder, Chain, Entry, PartitionId, Transform};
use connect_transforms::{Flatten, KeyWrap};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use serde::de::IgnoredAny;
use std::{hint::black_box, sync::Arc};
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// A batch as the Kafka source makes it: at most 512 KiB or 1,000 records.
const RECORDS: usize = 500;

fn bytes(records: &[Vec<u8>]) -> Throughput {
    Throughput::Bytes(records.iter().map(|record| record.len() as u64).sum())
}

fn batch(builder: &mut BatchBuilder, topic: &Arc<str>, records: &[Vec<u8>]) -> Batch {
    for (offset, record) in (0..).zip(records) {
        let entry = Entry { offset, value: Some(record), ..Entry::default() };
        builder.push(PartitionId::new(0, 1), topic, 0, entry, []);
    }
    builder.finish()
}

fn memory(criterion: &mut Criterion) {
    let (records, topic, mut builder) = (samples::logs(RECORDS), Arc::from("bench"), BatchBuilder::new());
    let mut group = criterion.benchmark_group("memory");
    group.throughput(bytes(&records));
    let mut buffer = Vec::new();
    group.bench_function("copy", |bencher| {
        bencher.iter(|| {
            buffer.clear();
            records.iter().for_each(|record| buffer.extend_from_slice(record));
            black_box(buffer.len())
        });
    });
    // Each batch is dropped and its arena used again, as in a pipeline that keeps up.
    group.bench_function("batch", |bencher| bencher.iter(|| batch(&mut builder, &topic, &records).len()));
    group.finish();
}

fn json(criterion: &mut Criterion) {
    let records = samples::logs(RECORDS);
    let mut group = criterion.benchmark_group("json");
    group.throughput(bytes(&records));
    group.bench_function("validate", |bencher| {
        bencher.iter(|| records.iter().all(|record| serde_json::from_slice::<IgnoredAny>(record).is_ok()));
    });
    let (flatten, wrap, mut out) = (Flatten::value(), KeyWrap::new("message"), Vec::new());
    group.bench_function("flatten", |bencher| {
        bencher.iter(|| {
            out.clear();
            records.iter().all(|record| flatten.write(record, &mut out).is_ok())
        });
    });
    group.bench_function("key wrap, nothing to do", |bencher| {
        bencher.iter(|| {
            out.clear();
            records.iter().all(|record| wrap.write(record, &mut out).is_ok())
        });
    });
    group.finish();
}

fn chain(criterion: &mut Criterion) {
    let (records, topic, mut builder) = (samples::logs(RECORDS), Arc::from("bench"), BatchBuilder::new());
    let mut group = criterion.benchmark_group("chain");
    group.throughput(bytes(&records));
    let flatten: Arc<dyn Transform> = Arc::new(Flatten::value());
    for (name, stages) in [("empty", vec![]), ("flatten", vec![flatten])] {
        let chain = Chain::new(stages);
        group.bench_function(name, |bencher| {
            let input = || batch(&mut builder, &topic, &records);
            bencher.iter_batched(input, |batch| chain.apply(batch, 0).batch.len(), BatchSize::SmallInput);
        });
    }
    group.finish();
}

criterion_group!(pure, memory, json, chain);
criterion_main!(pure);
