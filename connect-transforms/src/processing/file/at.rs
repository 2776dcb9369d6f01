//! An object of the rule file: its members are asked for by name, and what nobody asked for is a mistake.

use super::CONSOLE_KEYS;
use connect_core::config::{Problems, Value as Choice};
use serde_json::{Map, Value};

/// Characters of a value that a message shows.
const SHOWN_MAX: usize = 60;

/// What reading a file brings to light.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Why it is refused.
    pub(super) problems: Problems,
    /// What it says without effect.
    pub(super) ignored: Vec<String>,
}

impl Found {
    pub(super) fn add_allowed(
        &mut self,
        key: impl Into<String>,
        what: impl Into<String>,
        allowed: impl Into<String>,
    ) {
        self.problems.add_allowed(key, what, allowed);
    }
}

/// An object of the file, and its place.
pub(super) struct At<'v> {
    place: String,
    members: Option<&'v Map<String, Value>>,
    known: Vec<&'static str>,
}

impl<'v> At<'v> {
    pub(super) fn new(place: String, value: &'v Value, found: &mut Found) -> Self {
        if !value.is_object() {
            found.add_allowed(label(&place), shown(value), "an object");
        }
        Self { place, members: value.as_object(), known: Vec::new() }
    }

    pub(super) fn path(&self, key: &str) -> String {
        if self.place.is_empty() { key.to_owned() } else { format!("{}.{key}", self.place) }
    }

    /// `null` is the same as absent.
    pub(super) fn get(&mut self, key: &'static str) -> Option<&'v Value> {
        self.known.push(key);
        self.members.and_then(|members| members.get(key)).filter(|value| !value.is_null())
    }

    /// A text, which may be empty.
    pub(super) fn text(&mut self, key: &'static str, found: &mut Found) -> Option<String> {
        let value = self.get(key)?;
        if let Value::String(text) = value {
            return Some(text.clone());
        }
        found.add_allowed(self.path(key), shown(value), "a string");
        None
    }

    /// A text where an empty one is the same as absent: the API prints one for what is not given.
    pub(super) fn filled(&mut self, key: &'static str, found: &mut Found) -> Option<String> {
        self.text(key, found).filter(|text| !text.is_empty())
    }

    pub(super) fn needed(&mut self, key: &'static str, found: &mut Found) -> String {
        if self.get(key).is_none() && self.members.is_some() {
            found.add_allowed(self.path(key), "missing", "a string");
        }
        self.text(key, found).unwrap_or_default()
    }

    pub(super) fn choice<T: Choice>(&mut self, key: &'static str, found: &mut Found) -> Option<T> {
        let text = self.filled(key, found)?;
        match T::parse(&text) {
            Ok(choice) => Some(choice),
            Err(what) => {
                let allowed = T::allowed().unwrap_or_default();
                found.add_allowed(self.path(key), format!("{text:?} is {what}"), allowed);
                None
            }
        }
    }

    pub(super) fn needed_choice<T: Choice>(&mut self, key: &'static str, found: &mut Found) -> Option<T> {
        let given = self.get(key).is_some_and(|value| value.as_str() != Some(""));
        if !given && self.members.is_some() {
            found.add_allowed(self.path(key), "missing", T::allowed().unwrap_or_default());
        }
        self.choice(key, found)
    }

    pub(super) fn flag(&mut self, key: &'static str, found: &mut Found) -> bool {
        match self.get(key) {
            None => false,
            Some(Value::Bool(flag)) => *flag,
            Some(other) => {
                found.add_allowed(self.path(key), shown(other), "true or false");
                false
            }
        }
    }

    pub(super) fn number(&mut self, key: &'static str, found: &mut Found) -> usize {
        let value = self.get(key);
        match value.and_then(Value::as_u64).and_then(|number| usize::try_from(number).ok()) {
            Some(number) => number,
            None => {
                let what = value.map_or_else(|| "missing".to_owned(), shown);
                found.add_allowed(self.path(key), what, "a whole number from 0 on");
                0
            }
        }
    }

    /// A key that has no effect where it stands, for this reason. The API prints such keys, mostly without anything in
    /// them.
    pub(super) fn ignored(&mut self, key: &'static str, reason: &str, found: &mut Found) {
        if self.get(key).is_some_and(|value| !blank(value)) {
            found.ignored.push(format!("{} has no effect: {reason}", self.path(key)));
        }
    }

    /// An object; one in which nothing is filled in is the same as absent.
    pub(super) fn object(&mut self, key: &'static str, found: &mut Found) -> Option<At<'v>> {
        let value = self.get(key).filter(|value| !value.is_object() || !blank(value))?;
        Some(At::new(self.path(key), value, found))
    }

    pub(super) fn needed_object(&mut self, key: &'static str, found: &mut Found) -> At<'v> {
        if let Some(value) = self.get(key) {
            return At::new(self.path(key), value, found);
        }
        found.add_allowed(self.path(key), "missing", "an object");
        At { place: self.path(key), members: None, known: Vec::new() }
    }

    pub(super) fn list(&mut self, key: &'static str, found: &mut Found) -> Vec<At<'v>> {
        let place = self.path(key);
        match self.get(key) {
            None => Vec::new(),
            Some(Value::Array(values)) => {
                let at = |(number, value)| At::new(format!("{place}[{number}]"), value, found);
                values.iter().enumerate().map(at).collect()
            }
            Some(other) => {
                found.add_allowed(place, shown(other), "an array");
                Vec::new()
            }
        }
    }

    /// Reports the keys that nobody asked for.
    pub(super) fn end(self, found: &mut Found) {
        for (key, value) in self.members.into_iter().flatten() {
            if self.known.contains(&key.as_str()) || CONSOLE_KEYS.contains(&key.as_str()) || value.is_null() {
                continue;
            }
            found.add_allowed(self.path(key), "no such key", self.known.join(", "));
        }
    }
}

fn label(place: &str) -> String {
    if place.is_empty() { "the rule file".to_owned() } else { place.to_owned() }
}

fn shown(value: &Value) -> String {
    format!("{} does not fit", short(value))
}

/// The value as a message shows it.
fn short(value: &Value) -> String {
    cut(&value.to_string())
}

pub(super) fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Nothing that anybody has filled in.
fn blank(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_u64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(values) => values.is_empty(),
        Value::Object(members) => members.values().all(blank),
    }
}
