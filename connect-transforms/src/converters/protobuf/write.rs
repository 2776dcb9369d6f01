//! A message as the JSON that Connect has for it.

use super::{ProtobufConverterConfig, schema::ProtobufError};
use crate::{
    converters::{
        decimal::write_decimal,
        primitive::{write_f32, write_f64},
    },
    json::escape::quote,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use prost_reflect::{
    Cardinality, DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, OneofDescriptor,
    ReflectMessage, Syntax, Value,
};
use std::borrow::Cow;

type Result<T = (), E = ProtobufError> = std::result::Result<T, E>;

pub(super) fn message(
    message: &DynamicMessage,
    config: &ProtobufConverterConfig,
    out: &mut Vec<u8>,
) -> Result {
    Writer { config, out }.message(message)
}

struct Writer<'c, 'o> {
    config: &'c ProtobufConverterConfig,
    out: &'o mut Vec<u8>,
}

impl Writer<'_, '_> {
    fn message(&mut self, message: &DynamicMessage) -> Result {
        if self.special(message)? {
            return Ok(());
        }
        let descriptor = message.descriptor();
        let mut separator = b'{';
        for (number, oneof) in real_oneofs(&descriptor).enumerate() {
            if self.config.flatten_unions {
                for field in oneof.fields() {
                    self.key(field.name(), &mut separator);
                    self.choice(message, &field)?;
                }
                continue;
            }
            match self.config.union_index {
                true => self.key(&format!("{}_{number}", oneof.name()), &mut separator),
                false => self.key(oneof.name(), &mut separator),
            }
            self.oneof(message, &oneof)?;
        }
        for field in in_order(&descriptor).filter(|field| real_oneof(field).is_none()) {
            self.key(field.name(), &mut separator);
            self.field(message, &field)?;
        }
        if separator == b'{' {
            self.out.push(b'{');
        }
        self.out.push(b'}');
        Ok(())
    }

    fn oneof(&mut self, message: &DynamicMessage, oneof: &OneofDescriptor) -> Result {
        if !oneof.fields().any(|field| message.has_field(&field)) {
            self.raw("null");
            return Ok(());
        }
        let mut separator = b'{';
        for field in oneof.fields() {
            self.key(field.name(), &mut separator);
            self.choice(message, &field)?;
        }
        self.out.push(b'}');
        Ok(())
    }

    fn choice(&mut self, message: &DynamicMessage, field: &FieldDescriptor) -> Result {
        if !message.has_field(field) {
            self.raw("null");
            return Ok(());
        }
        self.value(&message.get_field(field), field)
    }

    fn field(&mut self, message: &DynamicMessage, field: &FieldDescriptor) -> Result {
        let single_message = matches!(field.kind(), Kind::Message(_)) && !field.is_list() && !field.is_map();
        let may_be_null = single_message || self.is_optional(field);
        if may_be_null && !message.has_field(field) {
            self.raw("null");
            return Ok(());
        }
        self.value(&message.get_field(field), field)
    }

    fn is_optional(&self, field: &FieldDescriptor) -> bool {
        let proto2 = field.parent_file().syntax() == Syntax::Proto2;
        field.field_descriptor_proto().proto3_optional()
            || (self.config.optional_proto2 && proto2 && field.cardinality() == Cardinality::Optional)
    }

    fn value(&mut self, value: &Value, field: &FieldDescriptor) -> Result {
        match value {
            Value::List(items) => {
                self.out.push(b'[');
                for (number, item) in items.iter().enumerate() {
                    if number > 0 {
                        self.out.push(b',');
                    }
                    self.single(item, &field.kind())?;
                }
                self.out.push(b']');
                Ok(())
            }
            Value::Map(entries) => self.map(entries.iter().collect(), field),
            single => self.single(single, &field.kind()),
        }
    }

    /// In the order of the keys: the map has none of its own, and a record must become the same bytes each time.
    fn map(&mut self, mut entries: Vec<(&MapKey, &Value)>, field: &FieldDescriptor) -> Result {
        entries.sort_by_key(|(key, _)| *key);
        let Kind::Message(entry) = field.kind() else { return Ok(()) };
        let kind = entry.map_entry_value_field().kind();
        let object = matches!(entry.map_entry_key_field().kind(), Kind::String);
        self.out.push(if object { b'{' } else { b'[' });
        for (number, (key, value)) in entries.into_iter().enumerate() {
            if number > 0 {
                self.out.push(b',');
            }
            if !object {
                self.out.push(b'[');
            }
            self.single(&Value::from(key.clone()), &entry.map_entry_key_field().kind())?;
            self.out.push(if object { b':' } else { b',' });
            self.single(value, &kind)?;
            if !object {
                self.out.push(b']');
            }
        }
        self.out.push(if object { b'}' } else { b']' });
        Ok(())
    }

    fn single(&mut self, value: &Value, kind: &Kind) -> Result {
        match value {
            Value::Bool(flag) => self.raw(if *flag { "true" } else { "false" }),
            Value::I32(number) => self.integer(*number),
            Value::I64(number) => self.integer(*number),
            Value::U32(number) => self.integer(*number),
            Value::U64(number) => self.integer(*number),
            Value::F32(number) => write_f32(*number, self.out),
            Value::F64(number) => write_f64(*number, self.out),
            Value::String(text) => self.string(text),
            Value::Bytes(bytes) => self.string(&STANDARD.encode(bytes)),
            Value::EnumNumber(number) if self.config.int_for_enums => self.integer(*number),
            Value::EnumNumber(number) => self.symbol(*number, kind),
            Value::Message(message) => return self.message(message),
            // Only fields hold these.
            Value::List(_) | Value::Map(_) => self.raw("null"),
        }
        Ok(())
    }

    fn symbol(&mut self, number: i32, kind: &Kind) {
        let Kind::Enum(symbols) = kind else { return self.integer(number) };
        match symbols.get_value(number) {
            Some(value) => self.string(value.name()),
            None => self.string(&format!("UNKNOWN_ENUM_VALUE_{}_{number}", symbols.name())),
        }
    }

    /// Messages that stand for one of Connect's own types. Whether this is one.
    fn special(&mut self, message: &DynamicMessage) -> Result<bool> {
        let descriptor = message.descriptor();
        match descriptor.full_name() {
            "google.protobuf.Timestamp" => {
                let seconds = number(message, "seconds").checked_mul(1000);
                let millis =
                    seconds.and_then(|s| s.checked_add(number(message, "nanos").div_euclid(1_000_000)));
                self.integer(millis.ok_or(ProtobufError::Time("timestamp"))?);
            }
            "google.type.Date" => self.integer(days(message).ok_or(ProtobufError::Time("date"))?),
            "google.type.TimeOfDay" => {
                let part = |name| number(message, name);
                let seconds = (part("hours") * 60 + part("minutes")) * 60 + part("seconds");
                self.integer(seconds * 1000 + part("nanos").div_euclid(1_000_000));
            }
            "confluent.type.Decimal" => {
                let value = message.get_field_by_name("value");
                let bytes = value.as_deref().and_then(Value::as_bytes).cloned().unwrap_or_default();
                let scale = usize::try_from(number(message, "scale")).map_err(|_| ProtobufError::Decimal)?;
                write_decimal(&bytes, scale, self.config.decimal, self.out).ok_or(ProtobufError::Decimal)?;
            }
            wrapper if self.config.unwrap && is_wrapper(wrapper) => {
                let Some(field) = descriptor.get_field_by_name("value") else { return Ok(false) };
                self.value(&message.get_field(&field), &field)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn key(&mut self, name: &str, separator: &mut u8) {
        self.out.push(*separator);
        *separator = b',';
        self.string(name);
        self.out.push(b':');
    }

    fn string(&mut self, text: &str) {
        quote(text, self.out);
    }

    fn integer(&mut self, number: impl itoa::Integer) {
        self.out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    }

    fn raw(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }
}

/// Fields as the schema has them; the descriptor itself iterates by number.
fn in_order(message: &MessageDescriptor) -> impl Iterator<Item = FieldDescriptor> + '_ {
    message.descriptor_proto().field.iter().filter_map(|field| message.get_field_by_name(field.name()))
}

/// What a schema writes as `oneof`; `optional` makes one of its own that nobody sees.
fn real_oneofs(message: &MessageDescriptor) -> impl Iterator<Item = OneofDescriptor> + '_ {
    message.oneofs().filter(|oneof| !oneof.is_synthetic())
}

fn real_oneof(field: &FieldDescriptor) -> Option<OneofDescriptor> {
    field.containing_oneof().filter(|oneof| !oneof.is_synthetic())
}

fn is_wrapper(name: &str) -> bool {
    const WRAPPED: [&str; 9] =
        ["Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes"];
    let kind = name.strip_prefix("google.protobuf.").and_then(|name| name.strip_suffix("Value"));
    kind.is_some_and(|kind| WRAPPED.contains(&kind))
}

fn number(message: &DynamicMessage, field: &str) -> i64 {
    let value: Option<Cow<'_, Value>> = message.get_field_by_name(field);
    value.and_then(|value| value.as_i64().or_else(|| value.as_i32().map(i64::from))).unwrap_or_default()
}

/// Days since the Unix epoch, in the proleptic Gregorian calendar.
fn days(message: &DynamicMessage) -> Option<i64> {
    let (year, month, day) = (number(message, "year"), number(message, "month"), number(message, "day"));
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Years begin in March, so that a leap day ends one.
    let year = year - i64::from(month <= 2);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}
