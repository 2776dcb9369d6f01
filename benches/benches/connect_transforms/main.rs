//! Kafka Connect's transforms against the same work done through a `serde_json::Value`: parse, change, serialise.
//!
//! Both run in the same chain on batches of 400 records, so that what a chain costs is on both sides. Divide by 400 for
//! a record: `cargo bench -p benches --bench connect_transforms`. One group per transform and input; `value` is the
//! straightforward way. Transforms that look at no JSON have no such group.

use benches::samples;
use connect_core::{
    Batch, BatchBuilder, Chain, Entry, Error, Output, PartitionId, Record, Transform, config::Settings,
    registry::Registry,
};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// As many as stay in cache.
const RECORDS: usize = 400;

type Keys = &'static [(&'static str, &'static str)];
type Members = Map<String, Value>;
/// The change that a transform makes, on a tree.
type Change = fn(&mut Members, Record<'_>);

/// A transform, its keys, and the same by hand.
struct Case {
    name: &'static str,
    keys: Keys,
    change: Change,
}

/// The straightforward way.
struct ByValue(Change);

impl Transform for ByValue {
    fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error> {
        let mut value: Value = record.json()?;
        let Value::Object(members) = &mut value else { panic!("the inputs are objects") };
        (self.0)(members, record);
        let write = |buffer: &mut Vec<u8>| {
            serde_json::to_writer(buffer, &value).map_err(|e| Error::poison("write the value", e))
        };
        out.derive(record).value_with(write)?.emit();
        Ok(())
    }
}

fn rename(members: &mut Members, old: &str, new: &str) {
    if let Some(value) = members.remove(old) {
        members.insert(new.to_owned(), value);
    }
}

fn to_text(members: &mut Members, name: &str) {
    let text = members[name].to_string();
    members.insert(name.to_owned(), Value::String(text));
}

fn origin(members: &mut Members, record: Record<'_>) {
    members.insert("topic".to_owned(), record.topic().into());
    members.insert("offset".to_owned(), record.origin().offset.into());
    members.insert("ts".to_owned(), record.timestamp_ms().into());
}

fn hoist(members: &mut Members, _record: Record<'_>) {
    let inner = std::mem::take(members);
    members.insert("line".to_owned(), Value::Object(inner));
}

fn only(members: &mut Members, name: &str) {
    if let Some(Value::Object(inner)) = members.remove(name) {
        *members = inner;
    }
}

const INSERT: Keys = &[("topic.field", "topic"), ("offset.field", "offset"), ("timestamp.field", "ts")];

fn log_cases() -> Vec<Case> {
    let case = |name, keys, change: Change| Case { name, keys, change };
    vec![
        case("Cast", &[("spec", "sequence:string")], |members, _| to_text(members, "sequence")),
        case("ExtractField", &[("field", "http")], |members, _| only(members, "http")),
        case("HoistField", &[("field", "line")], hoist),
        case("InsertField", INSERT, origin),
        case("MaskField", &[("fields", "message")], |members, _| {
            members.insert("message".to_owned(), "".into());
        }),
        case("ReplaceField", &[("exclude", "tags"), ("renames", "level:severity")], |members, _| {
            members.remove("tags");
            rename(members, "level", "severity");
        }),
        case(
            "TimestampConverter",
            &[("field", "sequence"), ("target.type", "string"), ("format", "yyyy-MM-dd HH:mm:ss")],
            |members, _| {
                let text = jiff_text(members["sequence"].as_i64().unwrap_or_default());
                members.insert("sequence".to_owned(), text.into());
            },
        ),
        // The tree is changed where the field is taken out; the header costs the same on both sides.
        case(
            "HeaderFrom",
            &[("fields", "level"), ("headers", "level"), ("operation", "move")],
            |members, _| {
                members.remove("level");
            },
        ),
    ]
}

fn earthquake_cases() -> Vec<Case> {
    let case = |name, keys, change: Change| Case { name, keys, change };
    vec![
        case("Cast", &[("spec", "id:string")], |members, _| {
            let id = members["id"].as_str().unwrap_or_default().to_owned();
            members.insert("id".to_owned(), id.into());
        }),
        case("ExtractField", &[("field", "properties")], |members, _| only(members, "properties")),
        case("HoistField", &[("field", "line")], hoist),
        case("InsertField", INSERT, origin),
        case("MaskField", &[("fields", "id")], |members, _| {
            members.insert("id".to_owned(), "".into());
        }),
        case("ReplaceField", &[("exclude", "geometry"), ("renames", "id:code")], |members, _| {
            members.remove("geometry");
            rename(members, "id", "code");
        }),
        case("HeaderFrom", &[("fields", "id"), ("headers", "id"), ("operation", "move")], |members, _| {
            members.remove("id");
        }),
    ]
}

/// With the JSON converter's envelope: the schema is changed as well as the payload.
fn envelope_cases() -> Vec<Case> {
    let insert: Change = |members, record| {
        if let Some(fields) = members["schema"]["fields"].as_array_mut() {
            fields.push(json!({"type": "string", "optional": true, "field": "topic"}));
        }
        members["payload"]["topic"] = record.topic().into();
    };
    vec![Case { name: "InsertField", keys: &[("topic.field", "topic")], change: insert }]
}

/// What the pattern of the case writes.
fn jiff_text(millis: i64) -> String {
    let (day, second) = (millis.div_euclid(86_400_000), millis.div_euclid(1_000).rem_euclid(86_400));
    // All sequence numbers are of the first day.
    format!("1970-01-{:02} {:02}:{:02}:{:02}", day + 1, second / 3_600, second / 60 % 60, second % 60)
}

/// The logs' plain fields, with a schema.
fn envelopes() -> Vec<Vec<u8>> {
    let field = |name: &str, kind: &str| json!({"type": kind, "optional": false, "field": name});
    let fields = [
        field("@timestamp", "string"),
        field("level", "string"),
        field("sequence", "int64"),
        field("message", "string"),
    ];
    let schema = json!({"type": "struct", "fields": fields, "optional": false, "name": "log"});
    let wrap = |record: Vec<u8>| {
        let mut payload: Members = serde_json::from_slice(&record).expect("logs are objects");
        payload.retain(|_, value| !value.is_object() && !value.is_array());
        // The order of the JSON converter's members.
        let schema = serde_json::to_string(&schema).expect("a tree can be written");
        let payload = serde_json::to_string(&payload).expect("a tree can be written");
        format!("{{\"schema\":{schema},\"payload\":{payload}}}").into_bytes()
    };
    samples::logs(RECORDS).into_iter().map(wrap).collect()
}

fn batch(records: &[Vec<u8>]) -> Batch {
    let (mut builder, topic) = (BatchBuilder::new(), "logs".into());
    for (offset, record) in (0..).zip(records) {
        let entry = Entry { offset, timestamp_ms: Some(5), key: None, value: Some(record) };
        builder.push(PartitionId::new(0, 1), &topic, 0, entry, []);
    }
    builder.finish()
}

fn transforms(criterion: &mut Criterion) {
    let mut known = Registry::new("transform");
    connect_transforms::register(&mut known).expect("the names differ");
    let inputs = [
        ("log", samples::logs(RECORDS), log_cases()),
        ("earthquake", samples::earthquakes(RECORDS), earthquake_cases()),
        ("envelope", envelopes(), envelope_cases()),
    ];
    for (input, records, cases) in inputs {
        let rows: Vec<u32> = (0..).take(records.len()).collect();
        let batch = batch(&records);
        for Case { name, keys, change } in cases {
            let plugin = known.find(name).expect("it is registered");
            let make = plugin.parse(&Settings::literal(keys.iter().copied())).expect("its keys are right");
            let ours = make().expect("what was checked can be made");
            let mut group = criterion.benchmark_group(format!("{name}/{input}"));
            group.throughput(Throughput::Elements(records.len() as u64));
            let ways: [(&str, Arc<dyn Transform>); 2] =
                [("bytes", ours), ("value", Arc::new(ByValue(change)))];
            for (way, transform) in ways {
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
