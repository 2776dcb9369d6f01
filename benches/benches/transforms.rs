//! Transforms against the same work done through a `serde_json::Value`: parse, change, serialise.
//!
//! 400 records an iteration, from bytes to bytes, appended to one buffer that is emptied in between. Divide by 400 for
//! a record: `cargo bench -p benches --bench transforms`. One group per transform and input; `value` is the
//! straightforward way.

use benches::samples;
use connect_transforms::{
    DataProcessing, JsonPath,
    processing::{ChainRules, FieldRule, FilterMode, Rules},
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jsonpath_rust::{parser::parse_json_path, query::js_path_process};
use serde_json::{Map, Value};
use std::hint::black_box;
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// As many as stay in cache.
const RECORDS: usize = 400;

/// Does a job from bytes to bytes.
type Job<'j> = &'j dyn Fn(&[u8], &mut Vec<u8>);

/// Records of one kind, and the fields that jobs on them are about.
struct Input {
    name: &'static str,
    records: Vec<Vec<u8>>,
    /// A top-level field with text, and one to rename and to remove.
    text: &'static str,
    renamed: &'static str,
    removed: &'static str,
    /// Definite paths, to the middle and towards the end of the record.
    paths: [&'static str; 2],
}

/// Log records of 499 bytes on average, and the earthquakes.
fn inputs() -> [Input; 2] {
    [
        Input {
            name: "log",
            records: samples::logs(RECORDS),
            text: "level",
            renamed: "sequence",
            removed: "tags",
            paths: ["$.http.status", "$.tags[1]"],
        },
        Input {
            name: "earthquake",
            records: samples::earthquakes(RECORDS),
            text: "type",
            renamed: "id",
            removed: "geometry",
            paths: ["$.properties.net", "$.geometry.coordinates[2]"],
        },
    ]
}

/// Measures jobs on the records of one input, beside each other.
fn measure(criterion: &mut Criterion, transform: &str, input: &Input, jobs: &[(&str, Job<'_>)]) {
    let mut group = criterion.benchmark_group(format!("{transform}/{}", input.name));
    group.throughput(Throughput::Elements(input.records.len() as u64));
    let mut out = Vec::with_capacity(1 << 20);
    for (way, job) in jobs {
        group.bench_function(*way, |bencher| {
            bencher.iter(|| {
                out.clear();
                for record in &input.records {
                    job(black_box(record), &mut out);
                }
                out.len()
            });
        });
    }
    group.finish();
}

/// The straightforward way to change an object.
fn by_value(json: &[u8], out: &mut Vec<u8>, change: impl FnOnce(&mut Map<String, Value>)) {
    let Ok(Value::Object(mut members)) = serde_json::from_slice(json) else {
        panic!("the inputs are objects")
    };
    change(&mut members);
    serde_json::to_writer(out, &members).expect("a Vec takes every write");
}

fn by_rules(processing: &DataProcessing, json: &[u8], out: &mut Vec<u8>) {
    processing.write(json, 0, out).expect("the inputs can be processed");
}

/// Look at a field, add one, rename one, remove one: each alone, and all in one chain.
fn data_processing(criterion: &mut Criterion) {
    for input in inputs() {
        let Input { text, renamed, removed, .. } = input;
        let chain = || ChainRules::json().keep_other_fields();
        let add = || FieldRule::constant("eu").named("region");
        let rename = || FieldRule::key(renamed).named("renamed");
        let made = |rules: Rules| DataProcessing::new(&rules).expect("the rules are right");
        let look = made(Rules::new([chain()]).filter(text, FilterMode::Except, "nothing"));
        let adds = made(Rules::new([chain().field(add())]));
        let renames = made(Rules::new([chain().field(rename())]));
        let removes = made(Rules::new([chain().field(FieldRule::delete(removed))]));
        let all = made(
            Rules::new([chain().field(add()).field(rename()).field(FieldRule::delete(removed))]).filter(
                text,
                FilterMode::Except,
                "nothing",
            ),
        );
        let added = |members: &mut Map<String, Value>| drop(members.insert("region".to_owned(), "eu".into()));
        let renamed = |members: &mut Map<String, Value>| {
            if let Some(value) = members.remove(renamed) {
                members.insert("renamed".to_owned(), value);
            }
        };
        let removed = |members: &mut Map<String, Value>| drop(members.remove(removed));
        let looked = |members: &mut Map<String, Value>| assert!(members[text] != "nothing");
        let jobs: [(&str, Job<'_>, Job<'_>); 5] = [
            ("look", &|json, out| by_rules(&look, json, out), &|json, out| by_value(json, out, looked)),
            ("add", &|json, out| by_rules(&adds, json, out), &|json, out| by_value(json, out, added)),
            ("rename", &|json, out| by_rules(&renames, json, out), &|json, out| by_value(json, out, renamed)),
            ("remove", &|json, out| by_rules(&removes, json, out), &|json, out| by_value(json, out, removed)),
            ("all_four", &|json, out| by_rules(&all, json, out), &|json, out| {
                by_value(json, out, |members| {
                    looked(members);
                    added(members);
                    renamed(members);
                    removed(members);
                });
            }),
        ];
        for (name, ours, value) in jobs {
            measure(
                criterion,
                &format!("processing_{name}"),
                &input,
                &[("value", value), ("processing", ours)],
            );
        }
    }
}

/// One value out of a record by a compiled path.
fn json_path(criterion: &mut Criterion) {
    for (input, at) in inputs().iter().flat_map(|input| [(input, 0), (input, 1)]) {
        let text = input.paths[at];
        let path = JsonPath::compile(text).expect("the path is one");
        let parsed = parse_json_path(text).expect("the path is one");
        let value: Job<'_> = &|json, out| {
            let tree: Value = serde_json::from_slice(json).expect("the inputs are JSON");
            let found = js_path_process(&parsed, &tree).expect("the path finds references");
            serde_json::to_writer(out, found[0].val).expect("a Vec takes every write");
        };
        let ours: Job<'_> = &|json, out| {
            let found = path.value(json).expect("the inputs are JSON");
            out.extend_from_slice(found.expect("every record has it").as_bytes());
        };
        measure(criterion, &format!("json_path_{text}"), input, &[("value", value), ("json_path", ours)]);
    }
}

criterion_group!(benches, data_processing, json_path);
criterion_main!(benches);
