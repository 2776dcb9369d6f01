//! Rules written as a rule file.

use crate::processing::rules::{
    ChainRules, FieldRule, FieldType, FilterRule, Input, Parse, Rules, Source, ValueOperation,
};
use serde_json::{Map, Value, json};

impl Rules {
    /// Writes a rule file: what [`from_json`](Self::from_json) reads back as an equal value. Defaults are left out.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut file = Map::new();
        if let Some(batch) = self.batch {
            file.insert("BatchAnalyse".into(), json!({ "Format": batch }));
        }
        file.insert("FieldChain".into(), self.chains.iter().map(write_chain).collect());
        if !self.filters.is_empty() {
            let filter = |f: &FilterRule| json!({ "Key": f.key, "MatchMode": f.mode, "Value": f.value, "Type": "REGULAR" });
            file.insert("FilterParam".into(), self.filters.iter().map(filter).collect());
        }
        file.insert("OutputFormat".into(), json!(self.output));
        if let Some(row) = &self.row {
            let mut param = json!({ "RowContent": row.content });
            put(&mut param, "KeyValueDelimiter", row.key_value_delimiter.as_ref());
            put(&mut param, "EntryDelimiter", row.entry_delimiter.as_ref());
            file.insert("RowParam".into(), param);
        }
        if self.keep_metadata {
            file.insert("KeepMetadata".into(), json!(true));
        }
        file.insert("FailureParam".into(), json!({ "Type": self.on_failure }));
        format!("{:#}", Value::Object(file))
    }
}

fn put(object: &mut Value, key: &str, value: Option<&String>) {
    if let Some(value) = value {
        object[key] = json!(value);
    }
}

fn write_chain(chain: &ChainRules) -> Value {
    let mut analyse = match &chain.parse {
        Parse::Json => json!({ "Format": "JSON" }),
        Parse::Delimiter(separator) => json!({ "Format": "DELIMITER", "Regex": separator }),
        Parse::Regex(pattern) => json!({ "Format": "REGULAR", "Regex": pattern }),
        Parse::Source => json!({ "Format": "SOURCE" }),
    };
    match &chain.input {
        Some(Input::Key(key)) => {
            analyse["InputValueType"] = json!("MAPPING");
            analyse["InputValue"] = json!(key);
        }
        Some(Input::Path(path)) => {
            analyse["InputValueType"] = json!("JSONPATH");
            analyse["InputValue"] = json!(path);
        }
        None => {}
    }
    let mut file = json!({ "Analyse": analyse });
    if let Some(separator) = &chain.key_value {
        file["SecondaryAnalyse"] = json!({ "Regex": separator });
    }
    if !chain.fields.is_empty() {
        file["SMT"] = chain.fields.iter().map(write_field).collect();
    }
    if chain.keep_other_fields {
        file["KeepOtherFields"] = json!(true);
    }
    file
}

fn write_field(field: &FieldRule) -> Value {
    let (operate, value) = match &field.source {
        Source::Key(key) => ("MAPPING", Some(key)),
        Source::Path(path) => ("JSONPATH", Some(path)),
        Source::Constant(text) => ("CUSTOMIZE", Some(text)),
        Source::Now => ("DATE", None),
        Source::Delete => ("DELETE", None),
    };
    let mut file = json!({ "Key": field.name, "Operate": operate });
    put(&mut file, "Value", value);
    if field.kind != FieldType::Original {
        file["SchemeType"] = json!(field.kind);
    }
    if !field.operations.is_empty() {
        file["ValueOperates"] = field.operations.iter().map(write_operation).collect();
    }
    file
}

fn write_operation(operation: &ValueOperation) -> Value {
    match operation {
        ValueOperation::Replace { old, new } => {
            json!({ "Type": "REPLACE", "Replace": { "OldValue": old, "NewValue": new } })
        }
        ValueOperation::Substring { start, end } => {
            json!({ "Type": "SUBSTR", "Substr": { "Start": start, "End": end } })
        }
        ValueOperation::Date(rule) => {
            let mut date = json!({ "Format": rule.format, "TargetType": rule.input, "TimeZone": rule.zone });
            put(&mut date, "InputFormat", rule.input_format.as_ref());
            json!({ "Type": "DATE", "Date": date })
        }
        ValueOperation::Trim => json!({ "Type": "TRIM" }),
        ValueOperation::RegexReplace { pattern, new } => {
            json!({ "Type": "REGEX_REPLACE", "RegexReplace": { "Regex": pattern, "NewValue": new } })
        }
        ValueOperation::Split(separator) => json!({ "Type": "SPLIT", "Split": { "Regex": separator } }),
        ValueOperation::KeyValue { entries, separator, keep } => {
            let param = json!({ "Delimiter": entries, "Regex": separator, "KeepOriginalKey": keep });
            json!({ "Type": "KV", "KV": param })
        }
        ValueOperation::JsonPathReplace { old, new } => {
            json!({ "Type": "JSON_PATH_REPLACE", "JsonPathReplace": { "OldValue": old, "NewValue": new } })
        }
        ValueOperation::UrlDecode => json!({ "Type": "URL_DECODE", "UrlDecode": { "CharsetName": "UTF-8" } }),
        ValueOperation::UrlDecodeIn(label) => {
            json!({ "Type": "URL_DECODE", "UrlDecode": { "CharsetName": label } })
        }
        ValueOperation::LowerCase => json!({ "Type": "LOWERCASE" }),
        ValueOperation::UpperCase => json!({ "Type": "UPPERCASE" }),
    }
}
