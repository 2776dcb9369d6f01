//! Connect's schemas as the JSON converter writes them. Read once per distinct schema, so this is not the fast path.

use super::named::List;
use crate::{error::Refused, json::escape::quote};
use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;
use std::fmt;

/// Connect's types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Boolean,
    Int8,
    Int16,
    Int32,
    Int64,
    Float32,
    Float64,
    Bytes,
    Text,
    Array,
    Map,
    Struct,
}

/// In JSON schemas, in Java, and the class of its values.
const TYPES: [(Type, &str, &str, &str); 12] = [
    (Type::Boolean, "boolean", "BOOLEAN", "java.lang.Boolean"),
    (Type::Int8, "int8", "INT8", "java.lang.Byte"),
    (Type::Int16, "int16", "INT16", "java.lang.Short"),
    (Type::Int32, "int32", "INT32", "java.lang.Integer"),
    (Type::Int64, "int64", "INT64", "java.lang.Long"),
    (Type::Float32, "float", "FLOAT32", "java.lang.Float"),
    (Type::Float64, "double", "FLOAT64", "java.lang.Double"),
    (Type::Bytes, "bytes", "BYTES", "[B"),
    (Type::Text, "string", "STRING", "java.lang.String"),
    (Type::Array, "array", "ARRAY", "java.util.ArrayList"),
    (Type::Map, "map", "MAP", "java.util.HashMap"),
    (Type::Struct, "struct", "STRUCT", "org.apache.kafka.connect.data.Struct"),
];

impl Type {
    fn entry(self) -> &'static (Self, &'static str, &'static str, &'static str) {
        TYPES.iter().find(|entry| entry.0 == self).expect("every type stands in the table")
    }

    /// The name of Java's constant.
    pub(crate) fn java(self) -> &'static str {
        self.entry().2
    }
}

const LOGICAL: &str = "org.apache.kafka.connect.data.";

/// A schema. What Connect does not know is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Schema {
    pub(crate) kind: Type,
    pub(crate) optional: bool,
    pub(crate) name: Option<String>,
    pub(crate) version: Option<i64>,
    pub(crate) doc: Option<String>,
    pub(crate) parameters: Vec<(String, String)>,
    /// The text of the default's JSON.
    pub(crate) default: Option<Box<str>>,
    /// Of an array.
    pub(crate) items: Option<Box<Schema>>,
    /// Of a map.
    pub(crate) entries: Option<Box<(Schema, Schema)>>,
    /// Of a struct.
    pub(crate) fields: List<(String, Schema)>,
}

impl Schema {
    pub(crate) fn new(kind: Type, optional: bool) -> Self {
        Self {
            kind,
            optional,
            name: None,
            version: None,
            doc: None,
            parameters: Vec::new(),
            default: None,
            items: None,
            entries: None,
            fields: List::default(),
        }
    }

    /// One of Connect's logical types: `Date`, `Time` or `Timestamp`.
    pub(crate) fn logical(name: &str, optional: bool) -> Self {
        let kind = if name == "Timestamp" { Type::Int64 } else { Type::Int32 };
        Self { name: Some(format!("{LOGICAL}{name}")), version: Some(1), ..Self::new(kind, optional) }
    }

    /// Name, version, documentation and parameters of this one, but neither whether it is optional, nor its default.
    pub(crate) fn basics(&self, kind: Type) -> Self {
        Self {
            name: self.name.clone(),
            version: self.version,
            doc: self.doc.clone(),
            parameters: self.parameters.clone(),
            ..Self::new(kind, false)
        }
    }

    /// The logical type's name, without the package, if it is one of Connect's.
    pub(crate) fn logical_name(&self) -> Option<&str> {
        let name = self.name.as_deref()?.strip_prefix(LOGICAL)?;
        ["Decimal", "Date", "Time", "Timestamp"].into_iter().find(|known| *known == name)
    }

    pub(crate) fn field(&self, name: &str) -> Option<&Self> {
        self.fields.get(name).map(|(_, schema)| schema)
    }

    /// The class of its values in Java.
    pub(crate) fn class(&self) -> &'static str {
        match self.logical_name() {
            Some("Decimal") => "java.math.BigDecimal",
            Some(_) => "java.util.Date",
            None => self.kind.entry().3,
        }
    }

    /// Adds a field of a struct.
    pub(crate) fn push(&mut self, name: &str, schema: Self) -> Result<(), Refused> {
        if self.fields.push((name.to_owned(), schema)) {
            return Ok(());
        }
        Err(Refused::data(format!("Cannot create field because of field name duplication {name}")))
    }

    /// Reads the JSON converter's form. Nesting is limited to 128 levels.
    pub(crate) fn parse(text: &str) -> Result<Self, Refused> {
        let written: Written<'_> =
            serde_json::from_str(text).map_err(|e| Refused::data(format!("not a Connect schema: {e}")))?;
        written.schema()
    }

    /// Appends the JSON converter's form.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        self.write_field(None, out);
    }

    fn write_field(&self, field: Option<&str>, out: &mut Vec<u8>) {
        let text = |name: &str, value: &str, out: &mut Vec<u8>| {
            out.extend_from_slice(name.as_bytes());
            quote(value, out);
        };
        text("{\"type\":", self.kind.entry().1, out);
        if self.kind == Type::Struct {
            out.extend_from_slice(b",\"fields\":[");
            for (index, (name, schema)) in self.fields.iter().enumerate() {
                out.extend_from_slice(if index == 0 { b"" } else { b"," });
                schema.write_field(Some(name), out);
            }
            out.push(b']');
        }
        let nested = [
            (",\"items\":", self.items.as_deref()),
            (",\"keys\":", self.entries.as_deref().map(|(keys, _)| keys)),
            (",\"values\":", self.entries.as_deref().map(|(_, values)| values)),
        ];
        for (name, schema) in nested {
            if let Some(schema) = schema {
                out.extend_from_slice(name.as_bytes());
                schema.write(out);
            }
        }
        out.extend_from_slice(if self.optional { b",\"optional\":true" } else { b",\"optional\":false" });
        if let Some(name) = &self.name {
            text(",\"name\":", name, out);
        }
        if let Some(version) = self.version {
            out.extend_from_slice(format!(",\"version\":{version}").as_bytes());
        }
        if let Some(doc) = &self.doc {
            text(",\"doc\":", doc, out);
        }
        for (index, (name, value)) in self.parameters.iter().enumerate() {
            text(if index == 0 { ",\"parameters\":{" } else { "," }, name, out);
            text(":", value, out);
        }
        out.extend_from_slice(if self.parameters.is_empty() { b"" } else { b"}" });
        if let Some(default) = &self.default {
            out.extend_from_slice(b",\"default\":");
            out.extend_from_slice(default.as_bytes());
        }
        if let Some(field) = field {
            text(",\"field\":", field, out);
        }
        out.push(b'}');
    }

    /// The JSON converter's form.
    pub(crate) fn text(&self) -> Vec<u8> {
        let mut text = Vec::new();
        self.write(&mut text);
        text
    }
}

#[derive(Deserialize)]
struct Written<'a> {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    optional: Option<bool>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    version: Option<i64>,
    #[serde(default)]
    doc: Option<String>,
    #[serde(default)]
    parameters: Pairs,
    #[serde(default, borrow)]
    default: Option<&'a RawValue>,
    #[serde(default, borrow)]
    items: Option<Box<Written<'a>>>,
    #[serde(default, borrow)]
    keys: Option<Box<Written<'a>>>,
    #[serde(default, borrow)]
    values: Option<Box<Written<'a>>>,
    #[serde(default, borrow)]
    fields: Option<Vec<Written<'a>>>,
    #[serde(default)]
    field: Option<String>,
}

impl Written<'_> {
    fn schema(self) -> Result<Schema, Refused> {
        let kind = TYPES.iter().find(|entry| entry.1 == self.kind);
        let Some(&(kind, ..)) = kind else {
            return Err(Refused::data(format!("Unknown schema type: {}", self.kind)));
        };
        let nested = |schema: Option<Box<Self>>, what: &str| {
            schema.ok_or_else(|| Refused::data(what.to_owned())).and_then(|schema| schema.schema())
        };
        let mut schema = Schema {
            optional: self.optional.unwrap_or_default(),
            name: self.name,
            version: self.version,
            doc: self.doc,
            parameters: self.parameters.0,
            default: self.default.map(|default| default.get().into()),
            ..Schema::new(kind, false)
        };
        match kind {
            Type::Array => {
                let items = nested(self.items, "Array schema did not specify the element type")?;
                schema.items = Some(Box::new(items));
            }
            Type::Map => {
                let keys = nested(self.keys, "Map schema did not specify the key type")?;
                let values = nested(self.values, "Map schema did not specify the value type")?;
                schema.entries = Some(Box::new((keys, values)));
            }
            Type::Struct => {
                let fields = self
                    .fields
                    .ok_or_else(|| Refused::data("Struct schema's \"fields\" argument is not an array."))?;
                for mut field in fields {
                    let name = field
                        .field
                        .take()
                        .ok_or_else(|| Refused::data("Struct schema's field name not specified properly"))?;
                    schema.push(&name, field.schema()?)?;
                }
            }
            _ => {}
        }
        Ok(schema)
    }
}

/// An object of texts, in order.
#[derive(Default)]
struct Pairs(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts")
            }

            fn visit_unit<E>(self) -> Result<Pairs, E> {
                Ok(Pairs::default())
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_written_as_it_was_read() {
        let text = concat!(
            r#"{"type":"struct","fields":[{"type":"int32","optional":true,"default":1.0,"field":"a"},"#,
            r#"{"type":"array","items":{"type":"string","optional":false},"optional":false,"field":"b\"c"},"#,
            r#"{"type":"map","keys":{"type":"string","optional":false},"values":{"type":"bytes","optional":true},"#,
            r#""optional":true,"field":"m"},{"type":"bytes","optional":false,"#,
            r#""name":"org.apache.kafka.connect.data.Decimal","version":1,"parameters":{"scale":"2","a":"b"},"field":"d"}],"#,
            r#""optional":false,"name":"x.Y","version":3,"doc":"what it is"}"#
        );
        let schema = Schema::parse(text).unwrap();
        assert_eq!(String::from_utf8(schema.text()).unwrap(), text);
        assert_eq!(schema.field("d").unwrap().logical_name(), Some("Decimal"));
    }

    #[test]
    fn what_is_no_schema_is_refused() {
        let deep = format!("{}{}", "{\"type\":\"array\",\"items\":".repeat(1_000), "}".repeat(1_000));
        for text in [
            "1",
            "{}",
            r#"{"type":"int"}"#,
            r#"{"type":"array"}"#,
            r#"{"type":"struct"}"#,
            r#"{"type":"struct","fields":[{"type":"int8"}]}"#,
            r#"{"type":"struct","fields":[{"type":"int8","field":"a"},{"type":"int8","field":"a"}]}"#,
            &deep,
        ] {
            assert!(Schema::parse(text).is_err(), "{text}");
        }
    }
}
