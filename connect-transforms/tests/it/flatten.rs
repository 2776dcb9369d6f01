use crate::{batch, run};
use connect_core::{Chain, Class, Transform};
use connect_transforms::{Arrays, Flatten};
use serde_json::{Map, Value, value::RawValue};
use std::{collections::BTreeMap, sync::Arc};

fn earthquakes() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/data/earthquakes.jsonl");
    std::fs::read_to_string(path).expect("examples/data has the earthquakes")
}

/// By a tree: parse, walk, and leave the leaves as they are.
fn flat_tree(prefix: &str, value: Value, out: &mut Map<String, Value>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (key, value) in members {
                let name = if prefix.is_empty() { key } else { format!("{prefix}.{key}") };
                flat_tree(&name, value, out);
            }
        }
        leaf => {
            out.insert(prefix.to_owned(), leaf);
        }
    }
}

/// The text of every leaf, by name.
fn leaf_texts<'a>(prefix: &str, json: &'a str, out: &mut BTreeMap<String, &'a str>) {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(json).expect("an object");
    for (key, value) in members {
        let name = if prefix.is_empty() { key } else { format!("{prefix}.{key}") };
        if value.get().starts_with('{') && value.get() != "{}" {
            leaf_texts(&name, value.get(), out);
        } else {
            out.insert(name, value.get());
        }
    }
}

#[test]
fn all_earthquakes_are_flattened_as_by_a_tree_and_keep_the_text_of_every_number() {
    let input = earthquakes();
    let lines: Vec<&str> = input.lines().collect();
    let done = run(Flatten::value(), batch(lines.iter().map(|line| (None, Some(line.as_bytes())))));
    assert!(done.rejected.is_empty() && done.filtered.is_empty());
    assert_eq!((lines.len(), done.batch.len()), (1707, 1707));
    for (line, record) in lines.iter().zip(done.batch.iter()) {
        let result = std::str::from_utf8(record.value().unwrap()).unwrap();
        let mut expected = Map::new();
        flat_tree("", serde_json::from_str(line).unwrap(), &mut expected);
        assert_eq!(serde_json::from_str::<Value>(result).unwrap(), Value::Object(expected));
        let mut texts = BTreeMap::new();
        leaf_texts("", line, &mut texts);
        let result: BTreeMap<String, &RawValue> = serde_json::from_str(result).unwrap();
        assert_eq!(
            result.iter().map(|(name, value)| (name.clone(), value.get())).collect::<BTreeMap<_, _>>(),
            texts
        );
    }
}

#[test]
fn the_first_earthquake_reads_as_expected() {
    let input = earthquakes();
    let first = input.lines().next().unwrap();
    let done = run(Flatten::value().delimiter("_"), batch([(None, Some(first.as_bytes()))]));
    let result = done.batch.iter().next().unwrap().value().unwrap();
    let result = std::str::from_utf8(result).unwrap();
    assert!(
        result.starts_with(
            r#"{"type":"Feature","properties_mag":2,"properties_place":"4km W of Castaic, CA","#
        )
    );
    assert!(result.ends_with(
        r#""geometry_type":"Point","geometry_coordinates":[-118.6671667,34.4945,26.49],"id":"ci37868143"}"#
    ));
}

#[test]
fn only_the_named_part_of_a_record_changes() {
    let nested = br#"{"a":{"b":1}}"#.as_slice();
    for (flatten, key, value) in [
        (Flatten::value(), nested, br#"{"a.b":1}"#.as_slice()),
        (Flatten::key(), br#"{"a.b":1}"#.as_slice(), nested),
    ] {
        let done = run(flatten, batch([(Some(nested), Some(nested))]));
        let record = done.batch.iter().next().unwrap();
        assert_eq!((record.key(), record.value()), (Some(key), Some(value)));
        assert_eq!(record.headers().count(), 1);
        assert_eq!((record.timestamp_ms(), record.topic(), record.origin().offset), (Some(5), "logs", 0));
    }
}

#[test]
fn null_keys_and_tombstones_pass() {
    for flatten in [Flatten::value(), Flatten::key()] {
        let done = run(flatten, batch([(None, None)]));
        let record = done.batch.iter().next().unwrap();
        assert_eq!((record.key(), record.value()), (None, None));
    }
}

#[test]
fn a_record_that_cannot_be_flattened_is_poison_and_its_neighbours_pass() {
    let values = [r#"{"a":{"b":1}}"#, r#"{"a":{"b":1},"a.b":2}"#, "text", r#"{"c":{"d":[1]}}"#];
    let done = run(
        Flatten::value().arrays(Arrays::Index),
        batch(values.iter().map(|value| (None, Some(value.as_bytes())))),
    );
    let kept: Vec<_> = done.batch.iter().map(|record| record.value().unwrap()).collect();
    assert_eq!(kept, [br#"{"a.b":1}"#.as_slice(), br#"{"c.d.0":1}"#]);
    let refused: Vec<_> =
        done.rejected.iter().map(|(record, error)| (record.runs()[0].offsets.start, error)).collect();
    assert_eq!(refused.iter().map(|(offset, _)| *offset).collect::<Vec<_>>(), [1, 2]);
    assert!(refused.iter().all(|(_, error)| error.class() == Class::Poison));
    assert!(refused[0].1.report().contains("\"a.b\""));
}

#[test]
fn one_instance_serves_many_threads() {
    let flatten: Arc<dyn Transform> = Arc::new(Flatten::value());
    let input = earthquakes();
    let lines: Vec<&str> = input.lines().take(200).collect();
    let results: Vec<Vec<Vec<u8>>> = std::thread::scope(|scope| {
        let work = || {
            let chain = Chain::new(vec![Arc::clone(&flatten)]);
            let done = chain.apply(batch(lines.iter().map(|line| (None, Some(line.as_bytes())))), 0);
            done.batch.iter().map(|record| record.value().unwrap().to_vec()).collect()
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(results[0].len(), 200);
    assert!(results.iter().all(|result| *result == results[0]));
}
