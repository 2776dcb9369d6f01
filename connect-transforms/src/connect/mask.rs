//! `MaskField`: values hidden.

use super::{
    decimal::Decimal,
    describe::described,
    edit::{Absent, Action, Node, Values},
    envelope::Schemas,
    fieldwise::{FieldWise, Nulls, Plan, Rules, Work, plan_fields},
    missing::Missing,
    number,
    path::{FieldSyntax, parse_paths},
    schema::{Schema, Type},
    text::OptionalText,
    value::{Kind, Raw, misfit},
};
use crate::{error::Refused, json::object::escaped, part::Part};
use connect_core::{
    Error, Output, Record, Transform,
    config::{Problems, not_empty},
};

connect_core::config! {
    /// Hides the values of fields.
    pub struct MaskFieldConfig {
        /// The fields.
        "fields" => fields: Vec<String>, importance: High, check: not_empty;
        /// What stands in place of texts and numbers; if it is not given, each type has its own (`""`, 0, false, …).
        "replacement" => replacement: OptionalText = OptionalText(None), importance: Low, check: not_empty;
        /// Whether a field that is null and whose schema has a default is taken to have that default.
        "replace.null.with.default" => replace_null_with_default: bool = true;
        /// How names of fields are read.
        "field.syntax.version" => syntax: FieldSyntax = FieldSyntax::V1;
        /// What happens where a field is not there.
        "on.missing.field" => missing: Missing = Missing::Connect, importance: Low;
        /// Whether records have the JSON converter's envelope.
        "schemas.enable" => schemas: Schemas = Schemas::Auto, importance: Low;
    } check sound
}

fn sound(config: &MaskFieldConfig, problems: &mut Problems) {
    if let Err(what) = parse_paths(&config.fields, config.syntax) {
        problems.add("fields", what);
    }
}

/// Hides the values of fields: `org.apache.kafka.connect.transforms.MaskField$Value` and `…$Key`.
///
/// | key | default | meaning |
/// |---|---|---|
/// | `fields` | none, must be given | the fields |
/// | `replacement` | none: `""`, `0`, `false`, `[]`, `{}`, the epoch | stands in place of texts and numbers |
/// | `replace.null.with.default` | `true` | a null field with a default in its schema is taken to have it |
/// | `field.syntax.version` | `V1` | `V2`: paths into objects, see [`FieldSyntax`] |
/// | `on.missing.field` | `connect`: without a schema null is added, with one nothing | see [`Missing`] |
/// | `schemas.enable` | `auto` | see [`Schemas`] |
///
/// Null stays null. A replacement of a number must be one of its type, that of a `Decimal` one that its scale can hold.
///
/// # Example
/// ```
/// # use connect_transforms::{MaskField, MaskFieldConfig, testing::transformed};
/// let mask = MaskField::value(&MaskFieldConfig::new(vec!["phone".into(), "tries".into()]))?;
/// assert_eq!(transformed(mask, r#"{"phone":"555","tries":3,"ok":true}"#)?, r#"{"phone":"","tries":0,"ok":true}"#);
/// # Ok::<(), connect_core::Error>(())
/// ```
///
/// # Errors
/// Poison: a replacement that is no number for a field that is one (`Unable to convert …`); a replacement for a boolean,
/// an object or an array; a struct in a schema; a value without members, null too.
#[derive(Debug)]
pub struct MaskField {
    common: FieldWise,
    config: MaskFieldConfig,
    plain: Work,
    mask: Mask,
}

impl MaskField {
    /// Masks fields of values.
    ///
    /// # Errors
    /// Fatal, if the configuration is wrong.
    pub fn value(config: &MaskFieldConfig) -> Result<Self, Error> {
        Self::of(Part::Value, config)
    }

    /// Masks fields of keys.
    ///
    /// # Errors
    /// As [`value`](Self::value).
    pub fn key(config: &MaskFieldConfig) -> Result<Self, Error> {
        Self::of(Part::Key, config)
    }

    fn of(part: Part, config: &MaskFieldConfig) -> Result<Self, Error> {
        let paths = parse_paths(&config.fields, config.syntax)
            .map_err(|what| Error::fatal("read the fields", what))?;
        let mut node = Node::new();
        for path in &paths {
            node.add(path, Action::Convert(Kind::Dynamic, 0), config.missing.absent(Absent::Null));
        }
        Ok(Self {
            common: FieldWise::new(part, config.schemas),
            config: config.clone(),
            plain: Work::Members(node),
            mask: Mask { replacement: config.replacement.0.clone() },
        })
    }
}

impl Transform for MaskField {
    fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error> {
        let operation = self.common.part().pick("mask fields of the key", "mask fields of the value");
        self.common.apply(self, &self.mask, operation, record, out)
    }

    fn describe(&self) -> Option<String> {
        Some(described("MaskField", self.common.part(), &self.config))
    }
}

impl Rules for MaskField {
    const PURPOSE: &'static str = "mask fields";
    const NULLS: Nulls = Nulls::Refuse;

    fn plain(&self) -> &Work {
        &self.plain
    }

    fn plan(&self, schema: &Schema) -> Result<Plan, Refused> {
        let work = match &self.plain {
            Work::Members(named) if schema.kind == Type::Struct => {
                let fill = self.config.replace_null_with_default;
                // The defaults in the schema are no record's data: they stay, as in Connect.
                let bare = Schema { default: None, ..schema.clone() };
                Work::Members(plan_fields(&bare, named, fill, &self.mask, &|_, _| Ok(None))?.1)
            }
            _ => Work::NoStruct(schema.class()),
        };
        Ok(Plan { schema: None, work })
    }
}

#[derive(Debug)]
struct Mask {
    replacement: Option<String>,
}

impl Values for Mask {
    fn convert(&self, kind: Kind, _how: usize, value: &str, out: &mut Vec<u8>) -> Result<(), Refused> {
        let raw = Raw::of(value);
        if raw == Raw::Null {
            out.extend_from_slice(b"null");
            return Ok(());
        }
        match &self.replacement {
            Some(replacement) => replaced(kind, raw, replacement, out),
            None => hidden(kind, raw, out),
        }
    }
}

/// The nothing of each type.
fn hidden(kind: Kind, raw: Raw<'_>, out: &mut Vec<u8>) -> Result<(), Refused> {
    out.extend_from_slice(match (kind, raw) {
        (Kind::Dynamic | Kind::Plain(Type::Text), Raw::Text(_)) => b"\"\"",
        (Kind::Dynamic, Raw::Number(text)) if number::is_integer(text) => b"0",
        (Kind::Dynamic | Kind::Plain(Type::Float32 | Type::Float64), Raw::Number(_)) => b"0.0",
        (Kind::Dynamic | Kind::Plain(Type::Boolean), Raw::Bool(_)) => b"false",
        (Kind::Dynamic | Kind::Plain(Type::Array), Raw::Array) => b"[]",
        (Kind::Plain(Type::Map), Raw::Array) => b"[]",
        (Kind::Dynamic | Kind::Plain(Type::Map), Raw::Object) => b"{}",
        (Kind::Plain(Type::Int8 | Type::Int16 | Type::Int32 | Type::Int64), Raw::Number(_))
        | (Kind::Date | Kind::Time | Kind::Timestamp, Raw::Number(_)) => b"0",
        // Zero, unscaled: one byte.
        (Kind::Decimal(_), Raw::Text(_)) => b"\"AA==\"",
        (Kind::Decimal(_), Raw::Number(_)) => b"0",
        (Kind::Plain(Type::Bytes), Raw::Text(_)) => {
            return Err(Refused::data("Cannot mask value of type: class [B"));
        }
        (Kind::Plain(Type::Struct), _) => {
            let class = "org.apache.kafka.connect.data.Struct";
            return Err(Refused::data(format!("Cannot mask value of type: class {class}")));
        }
        _ => return Err(misfit(kind, raw)),
    });
    Ok(())
}

fn replaced(kind: Kind, raw: Raw<'_>, replacement: &str, out: &mut Vec<u8>) -> Result<(), Refused> {
    let kind = match (kind, raw) {
        (Kind::Dynamic, Raw::Number(text)) if number::is_integer(text) => Kind::Plain(Type::Int64),
        (Kind::Dynamic, Raw::Number(_)) => Kind::Plain(Type::Float64),
        (Kind::Dynamic, Raw::Text(_)) => Kind::Plain(Type::Text),
        (kind, _) => kind,
    };
    let unable =
        || Refused::data(format!("Unable to convert {replacement} (class java.lang.String) to a number"));
    let class = |class: &str| {
        Refused::data(format!("Cannot mask value of type class {class} with custom replacement."))
    };
    match kind {
        Kind::Plain(Type::Text) => {
            out.push(b'"');
            out.extend_from_slice(&escaped(replacement));
            out.push(b'"');
        }
        Kind::Plain(target @ (Type::Int8 | Type::Int16 | Type::Int32 | Type::Int64)) => {
            let number = whole_number(replacement, target).ok_or_else(unable)?;
            out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
        }
        Kind::Plain(target @ (Type::Float32 | Type::Float64)) => {
            let mut text = String::new();
            match target {
                Type::Float32 => {
                    number::write_float(number::parse_float(replacement).ok_or_else(unable)?, &mut text)
                }
                _ => number::write_double(number::parse_double(replacement).ok_or_else(unable)?, &mut text),
            }
            out.extend_from_slice(text.as_bytes());
        }
        Kind::Date | Kind::Time | Kind::Timestamp => return Err(class("java.util.Date")),
        Kind::Decimal(scale) => {
            out.extend_from_slice(decimal(replacement, scale, raw).ok_or_else(unable)??.as_bytes());
        }
        _ => {
            return Err(class(match (kind, raw) {
                (Kind::Plain(Type::Bytes), _) => "[B",
                (Kind::Plain(Type::Struct), _) => "org.apache.kafka.connect.data.Struct",
                (Kind::Plain(Type::Map), _) => "java.util.HashMap",
                (_, raw) => raw.class(),
            }));
        }
    }
    Ok(())
}

/// A Decimal in the form of the value that it replaces, at the scale of its schema. `None`: the text is no number.
fn decimal(text: &str, scale: Option<i64>, raw: Raw<'_>) -> Option<Result<String, Refused>> {
    let text = text.strip_prefix('+').unwrap_or(text);
    let digits = text.trim_start_matches('-').starts_with(|c: char| c.is_ascii_digit() || c == '.');
    digits.then(|| number::parse_double(text)).flatten()?;
    let decimal = Decimal::from_number(text)?;
    Some(match (scale, raw) {
        (Some(scale), Raw::Text(_) | Raw::Number(_)) => match decimal.at_scale(scale) {
            None => Err(Refused::data(format!(
                "{text} has more digits behind the point than the Decimal's scale, {scale}: shorten `replacement`"
            ))),
            Some(decimal) if matches!(raw, Raw::Number(_)) => {
                let mut written = String::new();
                decimal.write(&mut written);
                Ok(written)
            }
            Some(decimal) => Ok(format!("\"{}\"", decimal.base64())),
        },
        _ => Err(misfit(Kind::Decimal(scale), raw)),
    })
}

/// `Values.convertToLong` and its siblings: a text that is a number with a fraction is cut, and integers wrap around.
#[allow(clippy::cast_possible_truncation, reason = "as Java narrows")]
fn whole_number(text: &str, target: Type) -> Option<i64> {
    let text = text.strip_prefix('+').unwrap_or(text);
    let number = text.trim_start_matches('-').starts_with(|c: char| c.is_ascii_digit() || c == '.');
    number.then(|| number::parse_double(text)).flatten()?;
    let wide = Decimal::from_number(text)?.low64();
    Some(match target {
        Type::Int8 => (wide as i8).into(),
        Type::Int16 => (wide as i16).into(),
        Type::Int32 => (wide as i32).into(),
        _ => wide,
    })
}
