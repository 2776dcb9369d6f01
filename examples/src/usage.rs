//! What a program of `app` says when it is asked for help: every key that its configuration file may have.

use connect_core::{config::Settings, connector::Plugins};
use serde_json::Value;

/// How the program is called, and its keys with their defaults, for a pipeline from Kafka to the sink `class`.
pub fn text(plugins: &Plugins, class: &str) -> String {
    let answer = plugins.validate(&Settings::literal([("connector.class", class)]));
    let configs = answer["configs"].as_array().map(Vec::as_slice).unwrap_or_default();
    let keys: String = configs.iter().map(|config| entry(&config["definition"])).collect();
    format!(
        "usage: the path of one configuration file, .properties or .json: see examples/config/\n\n\
         `connector.class` names another sink, `source.class` another source (FileLines); `transforms` and what it names\n\
         has keys of its own.\n\n{keys}"
    )
}

fn entry(definition: &Value) -> String {
    let Some(name) = definition["name"].as_str() else { return String::new() };
    let default = match (&definition["default_value"], definition["required"].as_bool()) {
        (Value::String(text), _) => format!(" = {text}"),
        (_, Some(true)) => " (required)".to_owned(),
        _ => String::new(),
    };
    format!("{name}{default}\n    {}\n", definition["documentation"].as_str().unwrap_or_default())
}
