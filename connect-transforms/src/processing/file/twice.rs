//! Keys that stand twice in one object: a tree of the file would hold only one of them.

use super::{CONSOLE_KEYS, at::cut};
use crate::json::{
    SyntaxError,
    escape::unescape,
    members::{elements, members},
};
use connect_core::config::Problems;
use std::collections::HashMap;

/// Reports every key of `text`, which is known to be JSON and not to be deep, that stands twice in one object.
pub(super) fn report(text: &str, problems: &mut Problems) {
    if let Err(error) = look(text, "", problems) {
        problems.add("the rule file", format!("it is not JSON: {error}"));
    }
}

fn look(text: &str, place: &str, problems: &mut Problems) -> Result<(), SyntaxError> {
    let text = text.trim_ascii_start();
    for (number, element) in elements(text)?.into_iter().enumerate() {
        look(element, &format!("{place}[{number}]"), problems)?;
    }
    let mut seen = HashMap::new();
    for member in members(text)?.unwrap_or_default() {
        let mut key = String::new();
        unescape(&text[member.key.clone()], &mut key);
        if CONSOLE_KEYS.contains(&key.as_str()) {
            continue;
        }
        let path = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
        let value = &text[member.value];
        look(value, &path, problems)?;
        if let Some(first) = seen.insert(key, value) {
            let what = format!("the key stands twice, with {} and {}", cut(first), cut(value));
            problems.add_allowed(path, what, "every key once in an object");
        }
    }
    Ok(())
}
