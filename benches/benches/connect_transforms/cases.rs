//! What is measured: each transform on its inputs.

use crate::{
    Case, Keys, Ours, Shared,
    by_hand::{
        ByHand, ByValue, Members, hoist, jiff_text, keeps, key_of, only, origin, rename, route, to_text,
    },
};
use connect_core::{Error, Output, Record};
use connect_transforms::converters::{
    Convert, Converter, Encoding, Envelope, JsonConverter, JsonConverterConfig, Primitive,
    PrimitiveConverter, StringConverter, StringConverterConfig, StringForm,
};
use serde_json::{Value, json};
use std::sync::Arc;

const INSERT: Keys = &[("topic.field", "topic"), ("offset.field", "offset"), ("timestamp.field", "ts")];

/// Against a change of the value's tree.
fn case(name: &'static str, keys: Keys, change: fn(&mut Members, Record<'_>)) -> Case {
    Case { name, ours: Ours::Keys(keys), other: Some(("value", Arc::new(ByValue(change)))) }
}

/// Against something else, by its name.
fn other<F>(name: &'static str, keys: Keys, way: &'static str, by_hand: F) -> Case
where
    F: Fn(Record<'_>, &mut Output) -> Result<(), Error> + Send + Sync + 'static,
{
    Case { name, ours: Ours::Keys(keys), other: Some((way, Arc::new(ByHand(by_hand)))) }
}

fn converter(name: &'static str, ours: impl Converter + 'static, by_hand: (&'static str, Shared)) -> Case {
    Case { name, ours: Ours::Made(Arc::new(Convert::value(ours))), other: Some(by_hand) }
}

pub(crate) fn log() -> Vec<Case> {
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
        // The tree's side only takes the field out, and makes no header of it.
        case(
            "HeaderFrom",
            &[("fields", "level"), ("headers", "level"), ("operation", "move")],
            |members, _| {
                members.remove("level");
            },
        ),
        other("ValueToKey", &[("fields", "level,sequence")], "value", |record, out| {
            key_of(record, out, ["level", "sequence"])
        }),
        other(
            "RouteByField",
            &[("field", "$.http.method"), ("topic.format", "${topic}-${field}")],
            "value",
            |record, out| route(record, out, "/http/method"),
        ),
        other(
            "FilterByPath",
            &[("filter.condition", r#"$[?(@.level == "ERROR")]"#), ("filter.type", "include")],
            "value",
            keeps(r#"$[?(@.level == "ERROR")]"#, true),
        ),
        other(
            "FilterByPath_definite",
            &[("filter.condition", "$.http.status"), ("filter.type", "include")],
            "value",
            keeps("$.http.status", false),
        ),
        json_converter(),
        string_converter(),
    ]
}

pub(crate) fn earthquake() -> Vec<Case> {
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
        case(
            "TimestampConverter",
            &[
                ("field", "properties.time"),
                ("field.syntax.version", "V2"),
                ("target.type", "string"),
                ("format", "yyyy-MM-dd HH:mm:ss"),
            ],
            |members, _| {
                let time = &mut members["properties"]["time"];
                let text = jiff::Timestamp::from_millisecond(time.as_i64().unwrap_or_default());
                let text = text.map(|time| time.strftime("%Y-%m-%d %H:%M:%S").to_string());
                *time = text.unwrap_or_default().into();
            },
        ),
        case("HeaderFrom", &[("fields", "id"), ("headers", "id"), ("operation", "move")], |members, _| {
            members.remove("id");
        }),
        other("ValueToKey", &[("fields", "type,id")], "value", |record, out| {
            key_of(record, out, ["type", "id"])
        }),
        other(
            "RouteByField",
            &[("field", "$.properties.net"), ("topic.format", "${topic}-${field}")],
            "value",
            |record, out| route(record, out, "/properties/net"),
        ),
        other(
            "FilterByPath",
            &[("filter.condition", "$[?(@.properties.mag > 2)]"), ("filter.type", "include")],
            "value",
            keeps("$[?(@.properties.mag > 2)]", true),
        ),
        other(
            "FilterByPath_definite",
            &[("filter.condition", "$.properties.net"), ("filter.type", "include")],
            "value",
            keeps("$.properties.net", false),
        ),
        json_converter(),
        string_converter(),
    ]
}

/// With the JSON converter's envelope: the schema is changed as well as the payload.
pub(crate) fn envelope() -> Vec<Case> {
    let strip = |members: &mut Members, _: Record<'_>| only(members, "payload");
    vec![
        case("InsertField", &[("topic.field", "topic")], |members, record| {
            if let Some(fields) = members["schema"]["fields"].as_array_mut() {
                fields.push(json!({"type": "string", "optional": true, "field": "topic"}));
            }
            members["payload"]["topic"] = record.topic().into();
        }),
        case("SetSchemaMetadata", &[("schema.name", "line"), ("schema.version", "2")], |members, _| {
            members["schema"]["name"] = "line".into();
            members["schema"]["version"] = 2.into();
        }),
        converter(
            "JsonConverter",
            JsonConverter::new(JsonConverterConfig {
                schemas: true,
                envelope: Envelope::Strip,
                replace_null: true,
            }),
            ("value", Arc::new(ByValue(strip))),
        ),
    ]
}

pub(crate) fn event() -> Vec<Case> {
    vec![case("ExtractNewRecordState", &[("add.fields", "op,table")], |members, _| {
        let (op, table) = (members["op"].take(), members["source"]["table"].take());
        only(members, "after");
        members.insert("__op".to_owned(), op);
        members.insert("__table".to_owned(), table);
    })]
}

/// What looks at no JSON.
pub(crate) fn without_json() -> Vec<Case> {
    let regex = regex::Regex::new("^l(.*)$").expect("it is one");
    let alone = |name, keys| Case { name, ours: Ours::Keys(keys), other: None };
    vec![
        other("RegexRouter", &[("regex", "l(.*)"), ("replacement", "b$1")], "by_hand", move |record, out| {
            out.derive(record).topic(&regex.replace(record.topic(), "b$1")).emit();
            Ok(())
        }),
        other("TimestampRouter", &[], "by_hand", |record, out| {
            let time = jiff::Timestamp::from_millisecond(record.timestamp_ms().unwrap_or_default());
            let time = time.map_err(|e| Error::poison("route by time", e))?;
            let topic = format!("{}-{}", record.topic(), time.strftime("%Y%m%d"));
            out.derive(record).topic(&topic).emit();
            Ok(())
        }),
        alone("InsertHeader", &[("header", "region"), ("value.literal", "eu")]),
        alone("DropHeaders", &[("headers", "trace")]),
        alone("Filter", &[]),
    ]
}

pub(crate) fn number() -> Vec<Case> {
    let by_hand = |record: Record<'_>, out: &mut Output| {
        let bytes = record.value().and_then(|value| value.try_into().ok()).unwrap_or_default();
        let text = i64::from_be_bytes(bytes).to_string();
        out.derive(record).value(Some(text.as_bytes())).emit();
        Ok(())
    };
    let long = PrimitiveConverter::new(Primitive::Long);
    vec![converter("LongConverter", long, ("by_hand", Arc::new(ByHand(by_hand))))]
}

/// Text that is checked, and stays as it is.
fn json_converter() -> Case {
    let config = JsonConverterConfig { schemas: false, envelope: Envelope::Strip, replace_null: true };
    converter("JsonConverter", JsonConverter::new(config), ("value", Arc::new(ByValue(|_, _| ()))))
}

/// The record as one JSON string.
fn string_converter() -> Case {
    let by_hand = |record: Record<'_>, out: &mut Output| {
        let text = String::from_utf8_lossy(record.value().unwrap_or_default());
        let write = |buffer: &mut Vec<u8>| {
            let text = Value::String(text.into_owned());
            serde_json::to_writer(buffer, &text).map_err(|e| Error::poison("write the value", e))
        };
        out.derive(record).value_with(write)?.emit();
        Ok(())
    };
    let config = StringConverterConfig {
        encoding: Encoding::Utf8,
        form: Some(StringForm::Json),
        invalid: connect_transforms::InvalidUtf8::Replace,
    };
    converter("StringConverter", StringConverter::new(config), ("value", Arc::new(ByHand(by_hand))))
}
