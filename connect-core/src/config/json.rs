//! Reading a flat JSON object without losing keys that stand there twice.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Value, value::RawValue};

/// A JSON object with its members in order, double ones included.
pub(super) struct Object(Vec<(String, Member)>);

/// The text of a member.
pub(super) struct Member(Box<RawValue>);

impl Object {
    /// The members, those of `config` in the place of `config` in Connect's REST form.
    pub(super) fn unwrapped(mut self) -> Vec<(String, Member)> {
        let Some(at) = self.0.iter().position(|(key, _)| key == "config") else { return self.0 };
        let Ok(Object(inner)) = serde_json::from_str(self.0[at].1.0.get()) else { return self.0 };
        self.0.remove(at);
        // The name stands outside, inside or in both places.
        let named = inner.iter().any(|(key, _)| key == "name");
        self.0.retain(|(key, _)| key != "name" || !named);
        self.0.extend(inner);
        self.0
    }
}

impl Member {
    /// The text of a string, number or boolean; `Some(None)` for null, None for what is nested.
    pub(super) fn text(&self) -> Option<Option<String>> {
        match serde_json::from_str(self.0.get()).ok()? {
            Value::Null => Some(None),
            Value::String(text) => Some(Some(text)),
            Value::Bool(truth) => Some(Some(truth.to_string())),
            Value::Number(number) => Some(Some(number.to_string())),
            Value::Array(_) | Value::Object(_) => None,
        }
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut members = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    members.push((key, Member(value)));
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}
