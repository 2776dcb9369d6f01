use super::{plan::Plan, read::write_json};
use crate::converters::DecimalFormat;
use apache_avro::{Decimal, Schema, types::Value, writer::datum::GenericDatumWriter};
use connect_core::schema_registry::{Reference, RegisteredSchema, SchemaKind};
use proptest::prelude::*;
use serde_json::json;
use std::collections::HashMap;

fn registered(text: &str, references: &[(&str, &str)]) -> RegisteredSchema {
    let reference = |(name, text): &(&str, &str)| Reference { name: (*name).into(), text: (*text).into() };
    RegisteredSchema {
        id: 1,
        kind: SchemaKind::Avro,
        text: text.to_owned(),
        references: references.iter().map(reference).collect(),
    }
}

fn plan(text: &str) -> Plan {
    Plan::parse(&registered(text, &[]), false).unwrap()
}

fn read(plan: &Plan, data: &[u8]) -> Result<String, String> {
    let mut out = Vec::new();
    write_json(plan, data, DecimalFormat::Base64, &mut out).map_err(|error| error.to_string())?;
    Ok(String::from_utf8(out).unwrap())
}

fn encode(text: &str, value: Value) -> Vec<u8> {
    let schema = Schema::parse_str(text).unwrap();
    let writer = GenericDatumWriter::builder(&schema).build().unwrap();
    writer.write_value_to_vec(value).unwrap()
}

fn round(text: &str, value: Value) -> String {
    read(&plan(text), &encode(text, value)).unwrap()
}

const EVERYTHING: &str = r#"{"type":"record","name":"R","namespace":"n","fields":[
    {"name":"z","type":"long"},{"name":"a","type":"int"},{"name":"f","type":"float"},{"name":"d","type":"double"},
    {"name":"s","type":"string"},{"name":"b","type":"bytes"},{"name":"o","type":["null","string"]},
    {"name":"l","type":{"type":"array","items":"long"}},{"name":"t","type":"boolean"},
    {"name":"e","type":{"type":"enum","name":"E","symbols":["X","Y"]}},
    {"name":"x","type":{"type":"fixed","name":"F","size":2}}]}"#;

fn everything(number: i64, double: f64, text: &str, bytes: &[u8], list: &[i64]) -> Value {
    let field = |name: &str, value: Value| (name.to_owned(), value);
    Value::Record(vec![
        field("z", Value::Long(number)),
        field("a", Value::Int(-1)),
        field("f", Value::Float(0.1)),
        field("d", Value::Double(double)),
        field("s", Value::String(text.to_owned())),
        field("b", Value::Bytes(bytes.to_vec())),
        field("o", Value::Union(1, Box::new(Value::String(text.to_owned())))),
        field("l", Value::Array(list.iter().map(|n| Value::Long(*n)).collect())),
        field("t", Value::Boolean(true)),
        field("e", Value::Enum(1, "Y".to_owned())),
        field("x", Value::Fixed(2, vec![1, 2])),
    ])
}

#[test]
fn a_record_keeps_the_order_of_its_schema_and_all_digits() {
    assert_eq!(
        round(EVERYTHING, everything(i64::MIN, 1e300, "say \"hi\"", &[0xff], &[1, i64::MAX])),
        r#"{"z":-9223372036854775808,"a":-1,"f":0.1,"d":1e+300,"s":"say \"hi\"","b":"/w==","o":"say \"hi\"","l":[1,9223372036854775807],"t":true,"e":"Y","x":"AQI="}"#
    );
}

#[test]
fn logical_types_become_what_connects_json_has_for_them() {
    let decimal = r#"{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}"#;
    let amount = || Value::Decimal(Decimal::from(12345_i32.to_be_bytes()));
    assert_eq!(round(decimal, amount()), "\"MDk=\"");
    let mut out = Vec::new();
    write_json(&plan(decimal), &encode(decimal, amount()), DecimalFormat::Numeric, &mut out).unwrap();
    assert_eq!(out, b"123.45");
    for (kind, value, expected) in [
        (r#"{"type":"int","logicalType":"date"}"#, Value::Date(19_000), "19000"),
        (r#"{"type":"int","logicalType":"time-millis"}"#, Value::TimeMillis(1), "1"),
        (r#"{"type":"long","logicalType":"timestamp-millis"}"#, Value::TimestampMillis(-1), "-1"),
        (r#"{"type":"long","logicalType":"timestamp-micros"}"#, Value::TimestampMicros(7), "7"),
        (r#"{"type":"long","logicalType":"local-timestamp-nanos"}"#, Value::LocalTimestampNanos(7), "7"),
        (r#"{"type":"string","logicalType":"uuid"}"#, Value::String("no uuid".into()), "\"no uuid\""),
    ] {
        let data = match &value {
            Value::String(_) => encode("\"string\"", value),
            _ => encode(kind, value),
        };
        assert_eq!(read(&plan(kind), &data).unwrap(), expected, "{kind}");
    }
}

#[test]
fn unions_of_several_types_are_objects_with_a_field_for_each() {
    let union = r#"["null","string",{"type":"record","name":"R","namespace":"a.b","fields":[{"name":"x","type":"int"}]},"long"]"#;
    let record = Value::Record(vec![("x".to_owned(), Value::Int(1))]);
    assert_eq!(round(union, Value::Union(2, Box::new(record))), r#"{"string":null,"R":{"x":1},"long":null}"#);
    assert_eq!(round(union, Value::Union(0, Box::new(Value::Null))), "null");
    let full = Plan::parse(&registered(union, &[]), true).unwrap();
    assert_eq!(read(&full, &[6, 2]).unwrap(), r#"{"string":null,"a.b.R":null,"long":1}"#);
}

#[test]
fn maps_keep_the_order_of_the_data_and_connects_pairs_are_recognised() {
    let map = plan(r#"{"type":"map","values":"int"}"#);
    assert_eq!(read(&map, &[4, 2, b'z', 2, 2, b'a', 4, 0]).unwrap(), r#"{"z":1,"a":2}"#);
    let pairs = plan(
        r#"{"type":"array","items":{"type":"record","name":"MapEntry","namespace":"io.confluent.connect.avro","fields":[{"name":"key","type":"int"},{"name":"value","type":"string"}]}}"#,
    );
    assert_eq!(read(&pairs, &[2, 2, 2, b'x', 0]).unwrap(), r#"[[1,"x"]]"#);
    // A block with its size in front.
    assert_eq!(read(&plan(r#"{"type":"array","items":"int"}"#), &[3, 4, 2, 4, 0]).unwrap(), "[1,2]");
}

#[test]
fn names_are_found_in_references_and_in_themselves() {
    let schema = registered(
        r#"{"type":"record","name":"a.List","fields":[{"name":"item","type":"b.Item"},{"name":"next","type":["null","a.List"]}]}"#,
        &[("b.Item", r#"{"type":"record","name":"b.Item","fields":[{"name":"x","type":"int"}]}"#)],
    );
    let plan = Plan::parse(&schema, false).unwrap();
    assert_eq!(
        read(&plan, &[2, 2, 4, 0]).unwrap(),
        r#"{"item":{"x":1},"next":{"item":{"x":2},"next":null}}"#
    );
}

#[test]
fn schemas_that_cannot_be_used_say_why() {
    let other = RegisteredSchema { kind: SchemaKind::Protobuf, ..registered("", &[]) };
    assert!(Plan::parse(&other, false).unwrap_err().contains("PROTOBUF"));
    assert!(Plan::parse(&registered("{", &[]), false).is_err());
    assert!(Plan::parse(&registered(r#"{"type":"array","items":"b.Missing"}"#, &[]), false).is_err());
    let deep = format!(r#"{}"int"{}"#, r#"{"type":"array","items":"#.repeat(1000), "}".repeat(1000));
    assert!(Plan::parse(&registered(&deep, &[]), false).is_err());
}

#[test]
fn data_that_end_too_early_are_refused_at_every_byte() {
    let data = encode(EVERYTHING, everything(300, 0.5, "text", &[1], &[1, 2]));
    let plan = plan(EVERYTHING);
    assert!(read(&plan, &data).is_ok());
    for end in 0..data.len() {
        assert_eq!(read(&plan, &data[..end]).unwrap_err(), "the data end too early", "{end}");
    }
    let behind = [data.as_slice(), b"more"].concat();
    assert!(read(&plan, &behind).is_ok(), "what follows is ignored, as in Java");
}

#[test]
fn hostile_data_are_refused_in_bounded_time_and_memory() {
    let list = plan(r#"{"type":"record","name":"L","fields":[{"name":"next","type":["null","L"]}]}"#);
    assert_eq!(read(&list, &vec![2; 1 << 20]).unwrap_err(), "nested deeper than 500");
    let huge = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    let nulls = plan(r#"{"type":"array","items":"null"}"#);
    assert_eq!(read(&nulls, &huge).unwrap_err(), "too many values that take no bytes");
    let empty = plan(r#"{"type":"array","items":{"type":"record","name":"E","fields":[]}}"#);
    assert_eq!(read(&empty, &huge).unwrap_err(), "too many values that take no bytes");
    assert_eq!(read(&plan("\"bytes\""), &huge).unwrap_err(), "the data end too early");
    assert!(read(&plan("\"bytes\""), &[1]).unwrap_err().contains("a length of -1"));
    assert!(read(&plan("\"string\""), &[2, 0xff]).unwrap_err().contains("UTF-8"));
    assert!(read(&plan("\"long\""), &[0xff; 12]).unwrap_err().contains("ten bytes"));
    assert!(read(&plan("\"int\""), &encode("\"long\"", Value::Long(1 << 40))).is_err());
    assert!(read(&plan("\"boolean\""), &[2]).is_err());
    assert!(read(&plan(r#"["null","int"]"#), &[4]).is_err());
    assert_eq!(read(&plan("\"double\""), &f64::NAN.to_le_bytes()).unwrap(), "\"NaN\"");
}

proptest! {
    #[test]
    fn what_apache_avro_writes_is_read_as_it_was(
        number: i64, double in proptest::num::f64::NORMAL, text: String, bytes: Vec<u8>, list: Vec<i64>
    ) {
        let read = round(EVERYTHING, everything(number, double, &text, &bytes, &list));
        let texts: HashMap<String, Box<serde_json::value::RawValue>> = serde_json::from_str(&read).unwrap();
        let read: HashMap<String, serde_json::Value> = serde_json::from_str(&read).unwrap();
        prop_assert_eq!(&read["z"], &json!(number));
        // serde_json's own parser is off by one bit at times.
        prop_assert_eq!(texts["d"].get().parse(), Ok(double));
        prop_assert_eq!(&read["s"], &json!(text));
        prop_assert_eq!(&read["o"], &json!(text));
        prop_assert_eq!(&read["l"], &json!(list));
    }

    #[test]
    fn any_bytes_are_json_or_an_error(data: Vec<u8>) {
        if let Ok(json) = read(&plan(EVERYTHING), &data) {
            prop_assert!(serde_json::from_str::<serde::de::IgnoredAny>(&json).is_ok());
        }
    }
}
