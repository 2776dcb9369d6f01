//! Kafka's own transforms, Debezium's unwrap and ours on the same records: `tests/differential/generate.sh` wrote what
//! theirs do.
//!
//! Every difference has a name here and in the README; one without a name fails the test.

#![allow(clippy::unwrap_used, reason = "a test, whose helpers stand beside it")]

use connect_core::{
    Batch, BatchBuilder, Chain, Entry, PartitionId, Predicate, Transform, config::Settings,
    registry::Registry,
};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use std::{collections::BTreeMap, sync::Arc};

#[derive(Deserialize)]
struct Vector<'a> {
    t: String,
    c: BTreeMap<String, String>,
    s: bool,
    #[serde(default, borrow)]
    k: Option<&'a RawValue>,
    #[serde(default, borrow)]
    v: Option<&'a RawValue>,
    #[serde(default)]
    h: Vec<(String, Option<String>)>,
    topic: String,
    ts: Option<i64>,
    out: Option<Out>,
    err: Option<Failure>,
    test: Option<bool>,
    #[serde(default)]
    dropped: bool,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
struct Out {
    k: Option<Value>,
    v: Option<Value>,
    #[serde(default)]
    h: Vec<(String, Option<String>)>,
    topic: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
struct Failure {
    at: String,
    msg: String,
}

/// What we made of a record.
#[derive(Clone, Debug)]
enum Ours {
    Config(String),
    Refused(String),
    Dropped,
    Test(bool),
    Out(Box<Out>),
}

fn json(bytes: Option<&[u8]>) -> Option<Value> {
    // Kafka's JSON converter reads and writes null as nothing.
    let text = std::str::from_utf8(bytes?).unwrap();
    let value: Value = serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"));
    (!value.is_null()).then_some(value)
}

fn batch(vector: &Vector<'_>) -> Batch {
    let mut builder = BatchBuilder::new();
    let bytes = |text: Option<&'_ RawValue>| text.map(|text| text.get().as_bytes().to_vec());
    let (key, value) = (bytes(vector.k), bytes(vector.v));
    let entry = Entry { offset: 42, timestamp_ms: vector.ts, key: key.as_deref(), value: value.as_deref() };
    let headers = vector.h.iter().map(|(name, value)| (name.as_str(), value.as_deref().map(str::as_bytes)));
    builder.push(PartitionId::new(0, 1), &vector.topic.as_str().into(), 3, entry, headers);
    builder.finish()
}

fn ours(vector: &Vector<'_>) -> Ours {
    if let Some(name) = vector.t.strip_prefix("predicates.") {
        let mut known: Registry<Arc<dyn Predicate>> = Registry::new("predicate");
        connect_transforms::register_predicates(&mut known).unwrap();
        let make = match known.find(name).unwrap().parse(&Settings::literal(vector.c.clone())) {
            Ok(make) => make,
            Err(error) => return Ours::Config(error.to_string()),
        };
        return Ours::Test(make().unwrap().test(batch(vector).get(0).unwrap()).unwrap());
    }
    let mut known: Registry<Arc<dyn Transform>> = Registry::new("transform");
    connect_transforms::register(&mut known).unwrap();
    let plugin = known.find(&vector.t).unwrap();
    let mut settings = vector.c.clone();
    if vector.s && plugin.definitions().iter().any(|key| key.name == "schemas.enable") {
        // What Connect's converter is told. Null has no envelope, so there the converter knows more than we can see.
        settings.insert("schemas.enable".into(), "true".into());
    }
    let transform = match plugin.parse(&Settings::literal(settings)) {
        Ok(make) => make().expect("what was checked can be made"),
        Err(error) => return Ours::Config(error.to_string()),
    };
    let done = Chain::new(vec![transform]).apply(batch(vector), 0);
    if let Some((_, error)) = done.rejected.first() {
        return Ours::Refused(error.report());
    }
    let Some(record) = done.batch.get(0) else { return Ours::Dropped };
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    Ours::Out(Box::new(Out {
        k: json(record.key()),
        v: json(record.value()),
        h: record.headers().map(|(name, value)| (name.to_owned(), value.map(text))).collect(),
        topic: (record.topic() != vector.topic).then(|| record.topic().to_owned()),
    }))
}

fn is_envelope(value: &Value) -> bool {
    value.as_object().is_some_and(|object| {
        object.len() == 2 && object.contains_key("schema") && object.contains_key("payload")
    })
}

/// In a payload with a schema a field that is absent and one that is null are the same.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let kept = object.iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(key, value)| (key.clone(), without_nulls(value))).collect())
        }
        other => other.clone(),
    }
}

fn same(a: &Value, b: &Value) -> bool {
    if is_envelope(a) && is_envelope(b) {
        return alike(&a["schema"], &b["schema"])
            && alike(&without_nulls(&a["payload"]), &without_nulls(&b["payload"]));
    }
    alike(a, b)
}

/// Numbers are compared by value: `1.50` and `1.5`, `1E10` and `10000000000.0` are the same.
fn alike(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => match (x.as_i128(), y.as_i128()) {
            (Some(x), Some(y)) => x == y,
            _ => x.as_f64() == y.as_f64(),
        },
        (Value::Array(x), Value::Array(y)) => x.len() == y.len() && x.iter().zip(y).all(|(x, y)| alike(x, y)),
        (Value::Object(x), Value::Object(y)) => {
            x.len() == y.len() && x.iter().all(|(key, x)| y.get(key).is_some_and(|y| alike(x, y)))
        }
        _ => a == b,
    }
}

fn same_header(a: Option<&str>, b: Option<&str>) -> bool {
    let tree = |text: Option<&str>| {
        let text = text.filter(|text| text.starts_with(['{', '[']))?;
        serde_json::from_str::<Value>(text).ok()
    };
    a == b || tree(a).zip(tree(b)).is_some_and(|(a, b)| alike(&without_nulls(&a), &without_nulls(&b)))
}

fn same_out(a: &Out, b: &Out) -> bool {
    let part = |a: &Option<Value>, b: &Option<Value>| match (a, b) {
        (Some(a), Some(b)) => same(a, b),
        (a, b) => a.is_none() && b.is_none(),
    };
    let headers = a.h.len() == b.h.len()
        && a.h.iter().zip(&b.h).all(|(a, b)| a.0 == b.0 && same_header(a.1.as_deref(), b.1.as_deref()));
    part(&a.k, &b.k) && part(&a.v, &b.v) && headers && a.topic == b.topic
}

/// Messages that people know by their text: ours must contain Kafka's.
const FIXED: [&str; 12] = [
    "Only Struct objects supported for [",
    "Only Map objects supported in absence of schema for [",
    "Unknown field: ",
    "Field does not exist: ",
    "was out of range for requested data type",
    "No field insertion configured",
    "Invalid rename mapping: ",
    "Invalid type found in casting spec: ",
    "Neither schema name nor version configured",
    "Schema required for [",
    "Could not parse timestamp: ",
    "Cast transformation does not support casting ",
];

/// The part of Kafka's message that ours must contain.
fn fixed(message: &str) -> Option<&str> {
    let at = FIXED.iter().find_map(|text| message.find(text).map(|at| (at, *text)))?;
    Some(match at.1 {
        // What follows is about a class or a list that is Java's own.
        text if text.starts_with("was out") => text,
        text if text.starts_with("Cast transformation") => {
            message[at.0..].split(';').next().unwrap_or_default()
        }
        _ => message[at.0..].lines().next().unwrap_or_default().trim_end(),
    })
}

/// `None`: no difference; otherwise what it is.
fn difference(vector: &Vector<'_>, ours: &Ours) -> Option<String> {
    let told = |kafka: &Failure, ours: &str| {
        fixed(&kafka.msg)
            .filter(|text| !ours.contains(text))
            .map(|text| format!("text {text:?}, ours {ours:?}"))
    };
    match (&vector.err, ours) {
        (Some(kafka), Ours::Config(why)) if kafka.at == "config" => told(kafka, why),
        (Some(kafka), Ours::Refused(why)) if kafka.at != "config" => told(kafka, why),
        (Some(kafka), ours) => Some(format!("Kafka: {kafka:?}, ours: {ours:?}")),
        (None, Ours::Dropped) if vector.dropped => None,
        (None, Ours::Test(ours)) if vector.test == Some(*ours) => None,
        (None, Ours::Out(ours)) if vector.out.as_ref().is_some_and(|kafka| same_out(kafka, ours)) => None,
        (None, ours) => Some(format!("Kafka: {:?}, ours: {ours:?}", vector.out)),
    }
}

include!("differential/names.rs");

#[test]
fn kafkas_own_transforms_make_the_same_of_every_record() {
    let (mut vectors, mut equal) = (0, 0);
    let mut named: BTreeMap<&str, usize> = BTreeMap::new();
    let mut unexplained = Vec::new();
    for line in include_str!("../differential/vectors.jsonl").lines() {
        let vector: Vector<'_> = serde_json::from_str(line).unwrap();
        vectors += 1;
        let ours = ours(&vector);
        match difference(&vector, &ours) {
            None => equal += 1,
            Some(what) => match name_of(&vector, &ours) {
                Some(name) => *named.entry(name).or_default() += 1,
                None => unexplained.push(format!("{what}\n    {line}")),
            },
        }
    }
    println!(
        "{vectors} vectors, {equal} equal, {} explained, {} unexplained",
        named.values().sum::<usize>(),
        unexplained.len()
    );
    named.iter().for_each(|(name, count)| println!("{count:6} {name}"));
    let shown: Vec<_> = unexplained.iter().take(25).cloned().collect();
    assert!(unexplained.is_empty(), "{} unexplained:\n{}", unexplained.len(), shown.join("\n"));
    assert_eq!((vectors, equal), (6_033, 5_715));
    assert_eq!(named.into_iter().collect::<Vec<_>>(), MEANT);
}
