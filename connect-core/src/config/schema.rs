//! JSON Schema (draft 2020-12) of a configuration in its JSON form.
//!
//! Any value may be a text, as Connect's own files have it, and may contain a reference; so numbers are
//! "number or text of this pattern", and what a reference stands for cannot be checked by a schema.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::definition::Definition;

/// The schema of an object with these keys and no others.
pub(super) fn object(title: &str, description: &str, definitions: &[Definition]) -> Value {
    let mut properties = Map::new();
    let mut patterns = Map::new();
    for definition in definitions {
        let schema = described(definition);
        if definition.prefix {
            patterns.insert(format!("^{}.", escape(&definition.name)), schema);
        } else {
            properties.insert(definition.name.clone(), schema);
        }
    }
    let required: Vec<_> = definitions.iter().filter(|d| d.required).map(|d| &d.name).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "description": description,
        "type": "object",
        "properties": properties,
        "patternProperties": patterns,
        "required": required,
        "additionalProperties": false,
    })
}

fn described(definition: &Definition) -> Value {
    let mut schema = definition.schema.clone();
    if let Value::Object(schema) = &mut schema {
        schema.insert("description".into(), definition.documentation.as_str().into());
        if let Some(default) = definition.default.as_ref().filter(|_| !definition.secret) {
            schema.insert("default".into(), default.as_str().into());
        }
    }
    schema
}

/// An integer, or its text.
pub(super) fn integer(min: impl Into<Limit>, max: impl Into<Limit>) -> Value {
    let (Limit(min), Limit(max)) = (min.into(), max.into());
    let text = or_reference(r"^\s*[+-]?[0-9]+\s*$");
    json!({ "type": ["integer", "string"], "minimum": min, "maximum": max, "pattern": text })
}

/// A bound of an integer type; not every one has a lossless conversion to `serde_json::Number`.
pub(super) struct Limit(Value);

macro_rules! limits {
    ($($int:ty),+) => { $( impl From<$int> for Limit {
        fn from(bound: $int) -> Self {
            Self(bound.into())
        }
    } )+ };
}

limits! { i32, i64, u16, u32, u64, usize }

/// One of these texts, in any case.
pub(super) fn choice_pattern(choices: &[&str]) -> String {
    let mut pattern = String::new();
    for choice in choices {
        if !pattern.is_empty() {
            pattern.push('|');
        }
        // JSON Schema's patterns know no flags.
        for c in choice.chars() {
            let (lower, upper) = (c.to_ascii_lowercase(), c.to_ascii_uppercase());
            if lower == upper {
                pattern.push_str(&escape(&c.to_string()));
            } else {
                write!(pattern, "[{lower}{upper}]").expect("writing to a string does not fail");
            }
        }
    }
    or_reference(&format!(r"^\s*({pattern})\s*$"))
}

/// The schema of an enum: the texts for editors to offer, or one of them in another case.
#[doc(hidden)]
pub fn choice_schema(choices: &[&str]) -> Value {
    json!({ "type": "string", "anyOf": [{ "enum": choices }, { "pattern": choice_pattern(choices) }] })
}

/// The pattern, or a text with a reference in it.
pub(super) fn or_reference(pattern: &str) -> String {
    format!(r"{pattern}|\$\{{[A-Za-z0-9_-]+:[^}}]*\}}")
}

fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        if !c.is_ascii_alphanumeric() && c != '_' {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}
