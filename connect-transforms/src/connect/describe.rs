//! A transform's configuration as one line.

use crate::part::Part;
use connect_core::config::Config;

/// The name, the part, and all keys with their values.
pub(crate) fn described<C: Config>(name: &str, part: Part, config: &C) -> String {
    let mut text = format!("{name} of={part}");
    for (key, value) in config.to_settings() {
        text.push_str(&format!(" {key}={value:?}"));
    }
    text
}
