//! `Flatten` against the same work done through a `serde_json::Value`: parse, change, serialise.
//!
//! 400 records an iteration, from bytes to bytes, appended to one buffer that is emptied in between. Divide by 400 for
//! a record: `cargo bench -p benches --bench flatten`.

use benches::samples;
use connect_transforms::{Arrays, Flatten, KeyWrap};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde_json::{Map, Value};
use std::hint::black_box;
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// As many as stay in cache.
const RECORDS: usize = 400;

/// Log records of 499 bytes on average, and the earthquakes.
fn inputs() -> [(&'static str, Vec<Vec<u8>>); 2] {
    [("log", samples::logs(RECORDS)), ("earthquake", samples::earthquakes(RECORDS))]
}

/// The straightforward way.
fn flatten_value(json: &[u8], out: &mut Vec<u8>) {
    fn walk(prefix: &str, members: Map<String, Value>, out: &mut Map<String, Value>) {
        for (key, value) in members {
            let name = if prefix.is_empty() { key } else { format!("{prefix}.{key}") };
            match value {
                Value::Object(members) if !members.is_empty() => walk(&name, members, out),
                leaf => {
                    out.insert(name, leaf);
                }
            }
        }
    }
    let Ok(Value::Object(members)) = serde_json::from_slice(json) else { panic!("the inputs are objects") };
    let mut flat = Map::new();
    walk("", members, &mut flat);
    serde_json::to_writer(out, &flat).expect("a Vec takes every write");
}

fn flatten(criterion: &mut Criterion) {
    for (name, records) in inputs() {
        let mut group = criterion.benchmark_group(format!("flatten/{name}"));
        group.throughput(Throughput::Elements(records.len() as u64));
        let mut out = Vec::with_capacity(1 << 20);
        let mut measure = |way: &str, write: &dyn Fn(&[u8], &mut Vec<u8>)| {
            group.bench_function(way, |bencher| {
                bencher.iter(|| {
                    out.clear();
                    for record in &records {
                        write(black_box(record), &mut out);
                    }
                    out.len()
                });
            });
        };
        let streaming = Flatten::value();
        let indexed = Flatten::value().arrays(Arrays::Index);
        let wrap = KeyWrap::new("message");
        measure("value", &flatten_value);
        measure("flatten", &|json, out| streaming.write(json, out).expect("the inputs can be flattened"));
        measure("flatten_arrays", &|json, out| {
            indexed.write(json, out).expect("the inputs can be flattened")
        });
        measure("key_wrap_object", &|json, out| assert_eq!(wrap.write(json, out).ok(), Some(false)));
        measure("key_wrap_text", &|json, out| {
            assert_eq!(wrap.write(&json[1..], out).ok(), Some(true));
        });
        group.finish();
    }
}

criterion_group!(benches, flatten);
criterion_main!(benches);
