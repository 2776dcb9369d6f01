//! The work of transforms done the straightforward way.

use connect_core::{Error, Output, Record, Transform};
use jsonpath_rust::{
    parser::{model::JpQuery, parse_json_path},
    query::js_path_process,
};
use serde_json::{Map, Value};

pub(crate) type Members = Map<String, Value>;

/// Changes the tree of the value.
pub(crate) struct ByValue(pub(crate) fn(&mut Members, Record<'_>));

impl Transform for ByValue {
    fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error> {
        let mut value: Value = record.json()?;
        let Value::Object(members) = &mut value else { panic!("the inputs are objects") };
        (self.0)(members, record);
        let write = |buffer: &mut Vec<u8>| {
            serde_json::to_writer(buffer, &value).map_err(|e| Error::poison("write the value", e))
        };
        out.derive(record).value_with(write)?.emit();
        Ok(())
    }
}

/// Makes something else of the value, or nothing.
pub(crate) struct ByHand<F>(pub(crate) F);

impl<F: Fn(Record<'_>, &mut Output) -> Result<(), Error> + Send + Sync> Transform for ByHand<F> {
    fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error> {
        (self.0)(record, out)
    }
}

/// Keeps records in which a path finds something; `wrapped`: the record as the only element of an array.
pub(crate) fn keeps(
    path: &str,
    wrapped: bool,
) -> impl Fn(Record<'_>, &mut Output) -> Result<(), Error> + use<> {
    let path: JpQuery = parse_json_path(path).expect("the path is one");
    move |record, out| {
        let mut tree: Value = record.json()?;
        if wrapped {
            tree = Value::Array(vec![tree]);
        }
        let found = js_path_process(&path, &tree).map_err(|e| Error::poison("follow the path", e))?;
        if !found.is_empty() {
            out.keep(record);
        }
        Ok(())
    }
}

/// A key of some members.
pub(crate) fn key_of(record: Record<'_>, out: &mut Output, names: [&str; 2]) -> Result<(), Error> {
    let value: Value = record.json()?;
    let key: Members = names.into_iter().map(|name| (name.to_owned(), value[name].clone())).collect();
    let key = serde_json::to_vec(&key).map_err(|e| Error::poison("write the key", e))?;
    out.derive(record).key(Some(&key)).emit();
    Ok(())
}

/// The topic by the text at a place.
pub(crate) fn route(record: Record<'_>, out: &mut Output, pointer: &str) -> Result<(), Error> {
    let value: Value = record.json()?;
    let field = value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let topic = format!("{}-{field}", record.topic());
    out.derive(record).topic(&topic).emit();
    Ok(())
}

pub(crate) fn rename(members: &mut Members, old: &str, new: &str) {
    if let Some(value) = members.remove(old) {
        members.insert(new.to_owned(), value);
    }
}

pub(crate) fn to_text(members: &mut Members, name: &str) {
    let text = members[name].to_string();
    members.insert(name.to_owned(), Value::String(text));
}

pub(crate) fn origin(members: &mut Members, record: Record<'_>) {
    members.insert("topic".to_owned(), record.topic().into());
    members.insert("offset".to_owned(), record.origin().offset.into());
    members.insert("ts".to_owned(), record.timestamp_ms().into());
}

pub(crate) fn hoist(members: &mut Members, _record: Record<'_>) {
    let inner = std::mem::take(members);
    members.insert("line".to_owned(), Value::Object(inner));
}

pub(crate) fn only(members: &mut Members, name: &str) {
    if let Some(Value::Object(inner)) = members.remove(name) {
        *members = inner;
    }
}

/// What the pattern of the case writes.
pub(crate) fn jiff_text(millis: i64) -> String {
    let (day, second) = (millis.div_euclid(86_400_000), millis.div_euclid(1_000).rem_euclid(86_400));
    // All sequence numbers are of the first day.
    format!("1970-01-{:02} {:02}:{:02}:{:02}", day + 1, second / 3_600, second / 60 % 60, second % 60)
}
