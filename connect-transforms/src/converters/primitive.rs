//! Kafka's primitive serdes: big-endian numbers of a fixed size, and one byte for a boolean.

use super::{Converted, Converter, Of};
use connect_core::Error;

/// The type of a [`PrimitiveConverter`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Primitive {
    /// Two bytes.
    Short,
    /// Four bytes.
    Integer,
    /// Eight bytes.
    Long,
    /// Four bytes, IEEE 754.
    Float,
    /// Eight bytes, IEEE 754.
    Double,
    /// One byte, 0 or 1.
    Boolean,
}

impl Primitive {
    /// As in the names of Kafka's classes: `Short`, `Integer`, …
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Short => "Short",
            Self::Integer => "Integer",
            Self::Long => "Long",
            Self::Float => "Float",
            Self::Double => "Double",
            Self::Boolean => "Boolean",
        }
    }

    fn size(self) -> usize {
        match self {
            Self::Boolean => 1,
            Self::Short => 2,
            Self::Integer | Self::Float => 4,
            Self::Long | Self::Double => 8,
        }
    }

    /// What completes "failed to …" where bytes do not convert.
    fn operation(self) -> &'static str {
        match self {
            Self::Short => "deserialize short",
            Self::Integer => "deserialize integer",
            Self::Long => "deserialize long",
            Self::Float => "deserialize float",
            Self::Double => "deserialize double",
            Self::Boolean => "deserialize boolean",
        }
    }

    /// The class that Kafka's message names: two of them name none.
    fn deserializer(self) -> &'static str {
        match self {
            Self::Float | Self::Double => "",
            _ => self.name(),
        }
    }
}

/// `org.apache.kafka.connect.converters.ShortConverter`, and `Integer`, `Long`, `Float`, `Double`, `Boolean`: numbers in
/// the form of Kafka's serdes become JSON numbers. No keys.
///
/// The four bytes `0000002a` by `IntegerConverter` become `42`. NaN and the infinities, which JSON lacks, become the
/// strings that Connect's JSON has for them. A wrong number of bytes is poison, in Kafka's words. Back, a JSON number
/// must fit: what Java would cut off is poison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrimitiveConverter(Primitive);

/// Why a primitive does not convert. The first two are Kafka's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Wrong {
    #[error("Size of data received by {0}Deserializer is not {1}")]
    Size(&'static str, usize),
    #[error("Unexpected byte received by BooleanDeserializer: {0}")]
    Byte(i8),
    #[error("not JSON of a {0} that fits")]
    Json(&'static str),
}

impl PrimitiveConverter {
    /// A converter for this type.
    #[must_use]
    pub fn new(primitive: Primitive) -> Self {
        Self(primitive)
    }

    fn write(self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Wrong> {
        let Self(primitive) = self;
        let wrong = || Wrong::Size(primitive.deserializer(), primitive.size());
        let integer = |number: i64, out: &mut Vec<u8>| {
            out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
        };
        match primitive {
            Primitive::Short => integer(i16::from_be_bytes(exactly(bytes).ok_or_else(wrong)?).into(), out),
            Primitive::Integer => integer(i32::from_be_bytes(exactly(bytes).ok_or_else(wrong)?).into(), out),
            Primitive::Long => integer(i64::from_be_bytes(exactly(bytes).ok_or_else(wrong)?), out),
            Primitive::Float => write_f32(f32::from_be_bytes(exactly(bytes).ok_or_else(wrong)?), out),
            Primitive::Double => write_f64(f64::from_be_bytes(exactly(bytes).ok_or_else(wrong)?), out),
            Primitive::Boolean => match exactly(bytes).ok_or_else(wrong)? {
                [1] => out.extend_from_slice(b"true"),
                [0] => out.extend_from_slice(b"false"),
                [other] => return Err(Wrong::Byte(other.cast_signed())),
            },
        }
        Ok(())
    }

    fn read(self, json: &[u8], out: &mut Vec<u8>) -> Option<()> {
        fn parse<'a, T: serde::Deserialize<'a>>(json: &'a [u8]) -> Option<T> {
            serde_json::from_slice(json).ok()
        }
        match self.0 {
            Primitive::Short => out.extend(parse::<i16>(json)?.to_be_bytes()),
            Primitive::Integer => out.extend(parse::<i32>(json)?.to_be_bytes()),
            Primitive::Long => out.extend(parse::<i64>(json)?.to_be_bytes()),
            Primitive::Float => out.extend(
                special(json)
                    .map_or_else(|| parse::<f32>(json).filter(|n| n.is_finite()), |n| Some(n as f32))?
                    .to_be_bytes(),
            ),
            Primitive::Double => out.extend(special(json).or_else(|| parse::<f64>(json))?.to_be_bytes()),
            Primitive::Boolean => out.push(parse::<bool>(json)?.into()),
        }
        Some(())
    }
}

fn exactly<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    bytes.try_into().ok()
}

fn special(json: &[u8]) -> Option<f64> {
    match json.trim_ascii() {
        b"\"NaN\"" => Some(f64::NAN),
        b"\"Infinity\"" => Some(f64::INFINITY),
        b"\"-Infinity\"" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// The shortest text that is this number, or Connect's string for what is none.
pub(super) fn write_f64(number: f64, out: &mut Vec<u8>) {
    if number.is_finite() {
        serde_json::to_writer(out, &number).expect("a Vec takes everything");
    } else {
        out.extend_from_slice(not_finite(number));
    }
}

/// As [`write_f64`], with the digits that a float of this size needs.
pub(super) fn write_f32(number: f32, out: &mut Vec<u8>) {
    if number.is_finite() {
        serde_json::to_writer(out, &number).expect("a Vec takes everything");
    } else {
        out.extend_from_slice(not_finite(number.into()));
    }
}

fn not_finite(number: f64) -> &'static [u8] {
    if number.is_nan() {
        b"\"NaN\""
    } else if number > 0.0 {
        b"\"Infinity\""
    } else {
        b"\"-Infinity\""
    }
}

impl Converter for PrimitiveConverter {
    fn decode(&self, _: Of, bytes: &[u8], out: &mut Vec<u8>) -> Result<Converted, Error> {
        self.write(bytes, out).map_err(|wrong| Error::poison(self.0.operation(), wrong))?;
        Ok(Converted::Written)
    }

    fn encode(&self, _: Of, json: &[u8], out: &mut Vec<u8>) -> Result<Converted, Error> {
        if json.trim_ascii() == b"null" {
            return Ok(Converted::Null);
        }
        let wrong = || Error::poison("serialize a number", Wrong::Json(self.0.name()));
        self.read(json, out).ok_or_else(wrong)?;
        Ok(Converted::Written)
    }

    fn describe(&self) -> String {
        format!("{}Converter", self.0.name())
    }
}
