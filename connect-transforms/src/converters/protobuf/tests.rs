use super::{
    ProtobufConverterConfig,
    schema::{Messages, split_indexes},
    write,
};
use connect_core::schema_registry::{Reference, RegisteredSchema, SchemaKind};
use proptest::prelude::*;
use prost_reflect::{DynamicMessage, MapKey, Value, prost::Message as _};
use std::collections::HashMap;

fn registered(text: &str, references: &[(&str, &str)]) -> RegisteredSchema {
    let reference = |(name, text): &(&str, &str)| Reference { name: (*name).into(), text: (*text).into() };
    RegisteredSchema {
        id: 1,
        kind: SchemaKind::Protobuf,
        text: text.to_owned(),
        references: references.iter().map(reference).collect(),
    }
}

fn messages(text: &str) -> Messages {
    Messages::parse(&registered(text, &[])).unwrap()
}

fn made(messages: &Messages, fields: &[(&str, Value)]) -> DynamicMessage {
    let mut message = DynamicMessage::new(messages.find(&[0]).unwrap());
    for (name, value) in fields {
        message.set_field_by_name(name, value.clone());
    }
    message
}

fn json(message: &DynamicMessage, config: &ProtobufConverterConfig) -> String {
    let mut out = Vec::new();
    write::message(message, config, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// As written, encoded, decoded and written as JSON.
fn round(messages: &Messages, fields: &[(&str, Value)], config: &ProtobufConverterConfig) -> String {
    let bytes = made(messages, fields).encode_to_vec();
    json(&DynamicMessage::decode(messages.find(&[0]).unwrap(), bytes.as_slice()).unwrap(), config)
}

const EVERYTHING: &str = r#"syntax = "proto3"; package p;
import "google/protobuf/timestamp.proto"; import "google/protobuf/wrappers.proto"; import "confluent/meta.proto";
message M {
  string z = 9; int64 a = 1; uint64 u = 2; double d = 3; bytes b = 4; Color c = 5; repeated int32 l = 6;
  map<string, int32> m = 7; map<int32, string> n = 8; optional int32 o = 10; Inner i = 11;
  oneof kind { string text = 12; int32 number = 13; }
  google.protobuf.Timestamp at = 14; google.protobuf.StringValue w = 15; bool t = 16;
}
message Inner { int32 x = 1; M back = 2; message Deep { int32 y = 1; } }
enum Color { RED = 0; BLUE = 7; }"#;

#[test]
fn absent_fields_are_null_or_their_default_as_in_connect() {
    assert_eq!(
        round(&messages(EVERYTHING), &[], &ProtobufConverterConfig::default()),
        r#"{"kind_0":null,"z":"","a":0,"u":0,"d":0.0,"b":"","c":"RED","l":[],"m":{},"n":[],"o":null,"i":null,"at":null,"w":null,"t":false}"#
    );
}

#[test]
fn fields_have_the_order_and_the_names_of_the_schema_and_all_digits() {
    let messages = messages(EVERYTHING);
    let pool = messages.find(&[0]).unwrap();
    let message_of = |name: &str, fields: &[(&str, Value)]| {
        let mut message = DynamicMessage::new(pool.parent_pool().get_message_by_name(name).unwrap());
        fields.iter().for_each(|(name, value)| message.set_field_by_name(name, value.clone()));
        Value::Message(message)
    };
    let map = |pairs: Vec<(MapKey, Value)>| Value::Map(pairs.into_iter().collect::<HashMap<_, _>>());
    let fields = [
        ("a", Value::I64(i64::MIN)),
        ("u", Value::U64(u64::MAX)),
        ("b", Value::Bytes(vec![0xff].into())),
        ("c", Value::EnumNumber(9)),
        ("m", map(["q", "b"].map(|key| (MapKey::String(key.to_owned()), Value::I32(1))).to_vec())),
        ("n", map([2, 1].map(|key| (MapKey::I32(key), Value::String("v".to_owned()))).to_vec())),
        ("o", Value::I32(0)),
        ("i", message_of("p.Inner", &[("x", Value::I32(3))])),
        ("number", Value::I32(0)),
        (
            "at",
            message_of(
                "google.protobuf.Timestamp",
                &[("seconds", Value::I64(-1)), ("nanos", Value::I32(5_999_999))],
            ),
        ),
        ("w", message_of("google.protobuf.StringValue", &[("value", Value::String("hi".to_owned()))])),
    ];
    assert_eq!(
        round(&messages, &fields, &ProtobufConverterConfig::default()),
        r#"{"kind_0":{"text":null,"number":0},"z":"","a":-9223372036854775808,"u":18446744073709551615,"d":0.0,"b":"/w==","c":"UNKNOWN_ENUM_VALUE_Color_9","l":[],"m":{"b":1,"q":1},"n":[[1,"v"],[2,"v"]],"o":0,"i":{"x":3,"back":null},"at":-995,"w":{"value":"hi"},"t":false}"#
    );
    let other = ProtobufConverterConfig {
        int_for_enums: true,
        flatten_unions: true,
        unwrap: true,
        ..ProtobufConverterConfig::default()
    };
    let flat = round(&messages, &fields, &other);
    assert!(flat.starts_with(r#"{"text":null,"number":0,"z":"","#), "{flat}");
    assert!(flat.contains(r#""c":9,"#) && flat.contains(r#""w":"hi""#), "{flat}");
}

#[test]
fn connects_own_types_are_written_as_connect_writes_them() {
    let text = r#"syntax = "proto3"; import "google/type/date.proto"; import "google/type/timeofday.proto"; import "confluent/type/decimal.proto";
        message M { google.type.Date d = 1; google.type.TimeOfDay t = 2; confluent.type.Decimal n = 3; }"#;
    let messages = messages(text);
    let pool = messages.find(&[0]).unwrap();
    let of = |name: &str, fields: &[(&str, i32)]| {
        let mut message = DynamicMessage::new(pool.parent_pool().get_message_by_name(name).unwrap());
        fields.iter().for_each(|(name, value)| message.set_field_by_name(name, Value::I32(*value)));
        message
    };
    let mut decimal = of("confluent.type.Decimal", &[("scale", 2)]);
    decimal.set_field_by_name("value", Value::Bytes(vec![0x30, 0x39].into()));
    let written = |date: &[(&str, i32)]| {
        let fields = [
            ("d", Value::Message(of("google.type.Date", date))),
            ("t", Value::Message(of("google.type.TimeOfDay", &[("hours", 1), ("nanos", 7_000_000)]))),
            ("n", Value::Message(decimal.clone())),
        ];
        let mut out = Vec::new();
        let made = made(&messages, &fields);
        write::message(&made, &ProtobufConverterConfig::default(), &mut out)
            .map_err(|error| error.to_string())?;
        Ok::<_, String>(String::from_utf8(out).unwrap())
    };
    for (date, days) in
        [((1970, 1, 1), 0), ((2024, 2, 29), 19_782), ((1969, 12, 31), -1), ((2000, 3, 1), 11_017)]
    {
        let fields = [("year", date.0), ("month", date.1), ("day", date.2)];
        assert_eq!(written(&fields), Ok(format!(r#"{{"d":{days},"t":3600007,"n":"MDk="}}"#)));
    }
    assert!(written(&[("year", 2024), ("month", 13), ("day", 1)]).is_err());
}

#[test]
fn the_place_of_a_message_is_a_path_in_its_schema() {
    let messages = messages(EVERYTHING);
    for (bytes, name) in [(&[0][..], "M"), (&[2, 0], "M"), (&[2, 2], "Inner"), (&[4, 2, 0], "Deep")] {
        let (indexes, rest) = split_indexes(bytes).unwrap();
        assert_eq!((messages.find(&indexes).unwrap().name(), rest.len()), (name, 0));
    }
    assert!(messages.find(&split_indexes(&[2, 8]).unwrap().0).is_err());
    for wrong in [&[][..], &[2], &[1], &[0xff; 9], &[0x80], &[0xfe, 0xff, 0xff, 0x7f]] {
        assert!(split_indexes(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn imports_are_found_in_references_and_schemas_that_cannot_be_used_say_why() {
    let text = r#"syntax = "proto3"; import "other.proto"; message M { o.Other other = 1; }"#;
    let other = r#"syntax = "proto3"; package o; message Other { int32 x = 1; }"#;
    let messages = Messages::parse(&registered(text, &[("other.proto", other)])).unwrap();
    assert_eq!(round(&messages, &[], &ProtobufConverterConfig::default()), r#"{"other":null}"#);
    assert!(Messages::parse(&registered(text, &[])).unwrap_err().contains("other.proto"));
    assert!(Messages::parse(&registered("message", &[])).is_err());
    let avro = RegisteredSchema { kind: SchemaKind::Avro, ..registered(text, &[]) };
    assert!(Messages::parse(&avro).unwrap_err().contains("AVRO"));
}

#[test]
fn optional_fields_of_proto2_are_null_if_asked_for() {
    let messages = messages(
        r#"syntax = "proto2"; message M { optional int32 a = 1 [default = 5]; required int32 b = 2; }"#,
    );
    let message = made(&messages, &[("b", Value::I32(1))]);
    let config = ProtobufConverterConfig::default();
    assert_eq!(json(&message, &config), r#"{"a":null,"b":1}"#);
    let config = ProtobufConverterConfig { optional_proto2: false, ..config };
    assert_eq!(json(&message, &config), r#"{"a":5,"b":1}"#);
}

#[test]
fn nesting_without_end_is_an_error() {
    let messages = messages(EVERYTHING);
    // Field 11 of M, field 2 of Inner, and so on, each around all that is inside.
    let mut data = Vec::new();
    for level in 0..5000 {
        let mut around = vec![if level % 2 == 0 { 0x12 } else { 0x5a }];
        prost_reflect::prost::encoding::encode_varint(data.len() as u64, &mut around);
        around.extend(data);
        data = around;
    }
    assert!(DynamicMessage::decode(messages.find(&[0]).unwrap(), data.as_slice()).is_err());
}

proptest! {
    #[test]
    fn any_bytes_are_json_or_an_error(data: Vec<u8>) {
        let messages = messages(EVERYTHING);
        if let Ok(message) = DynamicMessage::decode(messages.find(&[0]).unwrap(), data.as_slice()) {
            let mut out = Vec::new();
            if write::message(&message, &ProtobufConverterConfig::default(), &mut out).is_ok() {
                prop_assert!(serde_json::from_slice::<serde::de::IgnoredAny>(&out).is_ok());
            }
        }
    }
}
