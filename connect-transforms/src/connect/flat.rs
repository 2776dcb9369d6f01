//! Flattening a value with a schema: the schema says what is dissolved.

use super::{
    edit::{NONE, number},
    envelope::{Form, Plans, Schemas, Scratch, open},
    fieldwise::with_scratch,
    named::List,
    schema::{Schema, Type},
    value::{Kind, Raw, misfit, no_struct},
};
use crate::{
    error::Refused,
    json::{
        Scanner, Span,
        object::{escaped, read_members},
    },
};

/// What [`see_flat`] has left to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    Nothing,
    /// The whole text is to be flattened without a schema; the scanner stands at its beginning.
    Whole,
    /// What stands there is to be flattened without a schema, in an envelope whose schema is null.
    Payload(Span),
}

/// Flattens the text into `out` if it has an envelope with a schema.
pub(crate) fn see_flat(
    scanner: &mut Scanner<'_>,
    schemas: Schemas,
    plans: &Plans<Flat>,
    make: impl FnOnce(&Schema) -> Result<Flat, Refused>,
    out: &mut Vec<u8>,
) -> Result<Left, Refused> {
    with_scratch(|scratch| {
        let mut plans = plans.lock();
        let Form::Envelope { schema, payload } = open(scanner, schemas, plans.known(), scratch)? else {
            return Ok(Left::Whole);
        };
        let text = scanner.text();
        let mut inner = Scanner::of(text);
        inner.skip_to(payload.start);
        if &text[schema.clone()] == "null" {
            return Ok(Left::Payload(payload));
        }
        let flat = match plans.get(&text[schema], make) {
            // Null passes as it is, its schema too.
            Ok(_) if Raw::of(&text[payload.clone()]) == Raw::Null => {
                out.extend_from_slice(text.as_bytes());
                return Ok(Left::Nothing);
            }
            Ok(flat) => flat?,
            Err(no_schema) if schemas != Schemas::Auto => return Err(no_schema),
            Err(_) => {
                scanner.skip_to(0);
                return Ok(Left::Whole);
            }
        };
        if let Some(class) = flat.no_struct {
            return Err(no_struct("flattening", class));
        }
        match Raw::of(&text[payload]) {
            Raw::Object => {}
            raw => return Err(misfit(Kind::Plain(Type::Struct), raw)),
        }
        out.extend_from_slice(b"{\"schema\":");
        out.extend_from_slice(&flat.schema);
        out.extend_from_slice(b",\"payload\":");
        flat.write(&mut inner, scratch, out)?;
        out.push(b'}');
        Ok(Left::Nothing)
    })
}

/// What becomes of a struct's fields.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flat {
    /// The new schema; of the outermost struct only.
    pub(crate) schema: Vec<u8>,
    /// Why it cannot be done.
    pub(crate) no_struct: Option<&'static str>,
    fields: List<(String, FlatField)>,
}

#[derive(Clone, Debug)]
enum FlatField {
    /// The whole name, escaped, and what stands for null.
    Leaf(Vec<u8>, Option<Box<str>>),
    Struct(Flat),
}

impl Flat {
    /// What becomes of values of this schema; `levels` are dissolved at most.
    pub(crate) fn plan(schema: &Schema, delimiter: &str, levels: Option<u32>) -> Result<Self, Refused> {
        if schema.kind != Type::Struct {
            return Ok(Self { no_struct: Some(schema.class()), ..Self::default() });
        }
        let mut new = schema.basics(Type::Struct);
        let default = schema.default.as_deref();
        let mut flat =
            dissolve(schema, "", delimiter, levels.unwrap_or(u32::MAX), schema.optional, default, &mut new)?;
        flat.schema = new.text();
        Ok(flat)
    }

    /// Appends the object that the scanner stands before, flattened.
    pub(crate) fn write(
        &self,
        scanner: &mut Scanner<'_>,
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Result<(), Refused> {
        out.push(b'{');
        let mut first = true;
        self.members(scanner, scratch, &mut first, out)?;
        out.push(b'}');
        Ok(())
    }

    fn members(
        &self,
        scanner: &mut Scanner<'_>,
        scratch: &mut Scratch,
        first: &mut bool,
        out: &mut Vec<u8>,
    ) -> Result<(), Refused> {
        let (base, found) = (scratch.members.len(), scratch.last.len());
        read_members(scanner, &mut scratch.members, &mut scratch.closers)?;
        let text = scanner.text();
        scratch.last.resize(found + self.fields.len(), NONE);
        // The members come in the order of the fields; of several with one name the last one counts.
        let mut expected = 0;
        for (at, member) in scratch.members.iter().enumerate().skip(base) {
            if let Some(field) = self.fields.place_near(&member.name(text), expected) {
                scratch.last[found + field] = number(at);
                expected = field + 1;
            }
        }
        for (at, (_, field)) in self.fields.iter().enumerate() {
            let member = scratch.members.get(scratch.last[found + at] as usize);
            let span = member.map(|member| member.value.clone());
            let value = span.clone().map_or("null", |span| &text[span]);
            match field {
                FlatField::Leaf(name, default) => {
                    let value = default.as_deref().filter(|_| Raw::of(value) == Raw::Null).unwrap_or(value);
                    write_leaf(name, value, first, out);
                }
                FlatField::Struct(inner) => match (Raw::of(value), span) {
                    (Raw::Object, Some(span)) => {
                        let mut scanner = Scanner::of(text);
                        scanner.skip_to(span.start);
                        inner.members(&mut scanner, scratch, first, out)?;
                    }
                    (Raw::Null, _) => inner.nulls(first, out),
                    (raw, _) => return Err(misfit(Kind::Plain(Type::Struct), raw)),
                },
            }
        }
        scratch.members.truncate(base);
        scratch.last.truncate(found);
        Ok(())
    }

    /// All that a struct that is null would have.
    fn nulls(&self, first: &mut bool, out: &mut Vec<u8>) {
        for (_, field) in &self.fields {
            match field {
                FlatField::Leaf(name, _) => write_leaf(name, "null", first, out),
                FlatField::Struct(inner) => inner.nulls(first, out),
            }
        }
    }
}

fn write_leaf(name: &[u8], value: &str, first: &mut bool, out: &mut Vec<u8>) {
    out.extend_from_slice(if std::mem::take(first) { b"\"" } else { b",\"" });
    out.extend_from_slice(name);
    out.extend_from_slice(b"\":");
    out.extend_from_slice(value.as_bytes());
}

/// Adds the fields of a struct to the flat schema. Below something optional all is optional; a default is inherited.
#[allow(
    clippy::too_many_arguments,
    reason = "as Kafka's own method: what is handed down from level to level"
)]
fn dissolve(
    schema: &Schema,
    prefix: &str,
    delimiter: &str,
    levels: u32,
    optional: bool,
    inherited: Option<&str>,
    new: &mut Schema,
) -> Result<Flat, Refused> {
    let mut flat = Flat::default();
    for (name, field) in &schema.fields {
        let whole = if prefix.is_empty() { name.clone() } else { format!("{prefix}{delimiter}{name}") };
        let optional = optional || field.optional;
        let default = match &field.default {
            Some(default) => Some(default.clone()),
            None => inherited.and_then(|object| member_of(object, name)),
        };
        let flat_field = match field.kind {
            Type::Struct if levels > 0 => FlatField::Struct(dissolve(
                field,
                &whole,
                delimiter,
                levels - 1,
                optional,
                default.as_deref(),
                new,
            )?),
            Type::Map => {
                return Err(Refused::data(format!(
                    "Flatten transformation does not support MAP for record with schemas (for field {whole})."
                )));
            }
            _ => {
                // A default stands for null where the record says so; Connect takes it from the field's own schema.
                let leaf = FlatField::Leaf(escaped(&whole), field.default.clone());
                new.push(&whole, Schema { optional, default, ..field.clone() })?;
                leaf
            }
        };
        flat.fields.push((name.clone(), flat_field));
    }
    Ok(flat)
}

/// The text of an object's member, if it is not null.
fn member_of(object: &str, name: &str) -> Option<Box<str>> {
    let mut scanner = Scanner::of(object);
    let mut members = Vec::new();
    read_members(&mut scanner, &mut members, &mut Vec::new()).ok()?;
    let member = members.iter().rev().find(|member| member.is(object, name))?;
    let value = &object[member.value.clone()];
    (Raw::of(value) != Raw::Null).then(|| value.into())
}
