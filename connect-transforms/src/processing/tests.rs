mod file;
mod golden;
mod hostile;
mod operations;
mod parsing;
mod results;

use super::*;
use crate::DataProcessing;
use serde_json::json;

/// 2022-06-27T03:14:49Z.
const NOW_MS: i64 = 1_656_299_689_000;

fn rules(file: &serde_json::Value) -> Rules {
    Rules::from_json(&file.to_string()).unwrap_or_else(|e| panic!("{e}"))
}

/// What the rules make of a value: results on lines, or the reason why there are none.
fn made(file: &serde_json::Value, value: &str) -> Result<String, String> {
    made_by(&rules(file), value)
}

fn made_by(rules: &Rules, value: &str) -> Result<String, String> {
    let mut out = Vec::new();
    let processing = DataProcessing::new(rules).unwrap_or_else(|e| panic!("{e}"));
    processing.write(value.as_bytes(), NOW_MS, &mut out).map_err(|e| e.report())?;
    Ok(String::from_utf8(out).unwrap())
}

/// One field `v` of `{"v":…}` through these operations and this type, as JSON.
fn field(rule: FieldRule, json: &str) -> Result<String, String> {
    let made = made_by(&Rules::new([ChainRules::json().field(rule)]), &format!("{{\"v\":{json}}}"))?;
    Ok(made.strip_prefix("{\"v\":").and_then(|rest| rest.strip_suffix('}')).unwrap_or(&made).to_owned())
}

fn problems(file: &serde_json::Value) -> Vec<String> {
    let error = Rules::from_json(&file.to_string()).expect_err("the rules are wrong");
    error.problems().iter().map(ToString::to_string).collect()
}

fn json_chain(smt: &serde_json::Value) -> serde_json::Value {
    json!({ "FieldChain": [{ "Analyse": { "Format": "JSON" }, "SMT": smt }] })
}
