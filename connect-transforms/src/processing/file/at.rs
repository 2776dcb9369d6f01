//! An object of the rule file: its members are asked for by name, and what nobody asked for is a mistake.

use super::CONSOLE_KEYS;
use connect_core::config::{Problems, Value as Choice};
use serde_json::{Map, Value};

/// Characters of a value that a message shows.
const SHOWN_MAX: usize = 60;

/// An object of the file, and its place.
pub(super) struct At<'v> {
    place: String,
    members: Option<&'v Map<String, Value>>,
    known: Vec<&'static str>,
}

impl<'v> At<'v> {
    pub(super) fn new(place: String, value: &'v Value, problems: &mut Problems) -> Self {
        if !value.is_object() {
            problems.add_allowed(label(&place), shown(value), "an object");
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

    pub(super) fn text(&mut self, key: &'static str, problems: &mut Problems) -> Option<String> {
        let value = self.get(key)?;
        if let Value::String(text) = value {
            return Some(text.clone());
        }
        problems.add_allowed(self.path(key), shown(value), "a string");
        None
    }

    pub(super) fn needed(&mut self, key: &'static str, problems: &mut Problems) -> String {
        if self.get(key).is_none() && self.members.is_some() {
            problems.add_allowed(self.path(key), "missing", "a string");
        }
        self.text(key, problems).unwrap_or_default()
    }

    pub(super) fn choice<T: Choice>(&mut self, key: &'static str, problems: &mut Problems) -> Option<T> {
        let text = self.text(key, problems)?;
        match T::parse(&text) {
            Ok(choice) => Some(choice),
            Err(what) => {
                let allowed = T::allowed().unwrap_or_default();
                problems.add_allowed(self.path(key), format!("{text:?} is {what}"), allowed);
                None
            }
        }
    }

    pub(super) fn needed_choice<T: Choice>(
        &mut self,
        key: &'static str,
        problems: &mut Problems,
    ) -> Option<T> {
        if self.get(key).is_none() && self.members.is_some() {
            problems.add_allowed(self.path(key), "missing", T::allowed().unwrap_or_default());
        }
        self.choice(key, problems)
    }

    pub(super) fn flag(&mut self, key: &'static str, problems: &mut Problems) -> bool {
        match self.get(key) {
            None => false,
            Some(Value::Bool(flag)) => *flag,
            Some(other) => {
                problems.add_allowed(self.path(key), shown(other), "true or false");
                false
            }
        }
    }

    pub(super) fn number(&mut self, key: &'static str, problems: &mut Problems) -> usize {
        let value = self.get(key);
        match value.and_then(Value::as_u64).and_then(|number| usize::try_from(number).ok()) {
            Some(number) => number,
            None => {
                let what = value.map_or_else(|| "missing".to_owned(), shown);
                problems.add_allowed(self.path(key), what, "a whole number from 0 on");
                0
            }
        }
    }

    /// A key that means nothing where it stands, because it is for something else than `mode`. The console writes such
    /// keys without anything in them.
    pub(super) fn elsewhere(
        &mut self,
        key: &'static str,
        mode: &str,
        allowed: &str,
        problems: &mut Problems,
    ) {
        if let Some(value) = self.get(key).filter(|value| !blank(value)) {
            problems.add_allowed(self.path(key), format!("{} is nothing for {mode}", short(value)), allowed);
        }
    }

    pub(super) fn object(&mut self, key: &'static str, problems: &mut Problems) -> Option<At<'v>> {
        let value = self.get(key)?;
        Some(At::new(self.path(key), value, problems))
    }

    pub(super) fn needed_object(&mut self, key: &'static str, problems: &mut Problems) -> At<'v> {
        if let Some(value) = self.get(key) {
            return At::new(self.path(key), value, problems);
        }
        problems.add_allowed(self.path(key), "missing", "an object");
        At { place: self.path(key), members: None, known: Vec::new() }
    }

    pub(super) fn list(&mut self, key: &'static str, problems: &mut Problems) -> Vec<At<'v>> {
        let place = self.path(key);
        match self.get(key) {
            None => Vec::new(),
            Some(Value::Array(values)) => {
                let at = |(number, value)| At::new(format!("{place}[{number}]"), value, problems);
                values.iter().enumerate().map(at).collect()
            }
            Some(other) => {
                problems.add_allowed(place, shown(other), "an array");
                Vec::new()
            }
        }
    }

    /// Reports the keys that nobody asked for.
    pub(super) fn end(self, problems: &mut Problems) {
        for (key, value) in self.members.into_iter().flatten() {
            if self.known.contains(&key.as_str()) || CONSOLE_KEYS.contains(&key.as_str()) || value.is_null() {
                continue;
            }
            problems.add_allowed(self.path(key), "no such key", self.known.join(", "));
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
