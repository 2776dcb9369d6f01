//! The rule file: [`Rules`] as JSON, in the words of the product's API.

mod at;
mod twice;
mod write;

use super::operation::encoding;
use super::rules::{
    BatchMode, ChainRules, DEFAULT_ZONE, DateInput, DateRule, FieldRule, FieldType, FilterMode, FilterRule,
    Input, OnFailure, OutputFormat, Parse, RowContent, RowRules, Rules, Source, ValueOperation,
};
use at::{At, Found};
use connect_core::config::ConfigError;
use serde_json::Value;

/// What the product's console keeps beside the rules: samples and test results, which change nothing.
const CONSOLE_KEYS: [&str; 9] = [
    "Content",
    "SourceType",
    "Result",
    "AnalyseResult",
    "SecondaryAnalyseResult",
    "AnalyseJsonResult",
    "SecondaryAnalyseJsonResult",
    "OriginalValue",
    "UseEventBus",
];

impl Rules {
    /// Reads a rule file, as written by hand or as the product's API prints it:
    /// - `null`, an empty text and an object in which nothing is filled in are the same as not given.
    /// - Samples and test results of the product's console (`Content`, `SourceType`, `Result`, `AnalyseResult` and the
    ///   like) are no rules and are left out.
    /// - Keys that have no effect where they stand (parameters of another operation, `RowParam` with JSON, where dead
    ///   letters go) are listed in [`ignored`](Self::ignored).
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its place in the file: keys that do not exist or stand twice in one
    /// object, values of the wrong type, and all that [`DataProcessing::new`](crate::DataProcessing::new) would refuse.
    pub fn from_json(text: &str) -> Result<Self, ConfigError> {
        let mut found = Found::default();
        let rules = match serde_json::from_str::<Value>(text) {
            Ok(value) => {
                twice::report(text, &mut found.problems);
                read_rules(&value, &mut found)
            }
            Err(error) => {
                found.problems.add("the rule file", format!("it is not JSON: {error}"));
                None
            }
        };
        if let Some(rules) = &rules {
            let _ = super::plan::Plan::new(rules, &mut found.problems);
        }
        found.problems.into_result()?;
        Ok(Self { ignored: found.ignored, ..rules.unwrap_or_else(|| Self::new([])) })
    }
}

/// `None`: it is no object.
fn read_rules(value: &Value, found: &mut Found) -> Option<Rules> {
    let mut at = At::new(String::new(), value, found);
    let batch = at.object("BatchAnalyse", found).and_then(|mut at| {
        let mode = at.choice::<BatchMode>("Format", found);
        at.end(found);
        mode
    });
    let chains = at.list("FieldChain", found);
    let chains = chains.into_iter().map(|at| read_chain(at, found)).collect();
    let filters = at.list("FilterParam", found);
    let filters = filters.into_iter().map(|at| read_filter(at, found)).collect();
    let output = at.choice("OutputFormat", found).unwrap_or(OutputFormat::Json);
    let row = match output {
        OutputFormat::Row => at.object("RowParam", found).map(|at| read_row(at, found)),
        OutputFormat::Json => {
            at.ignored("RowParam", "the output is JSON, not ROW", found);
            None
        }
    };
    let keep_metadata = at.flag("KeepMetadata", found);
    let on_failure = at.object("FailureParam", found).and_then(|at| read_failure(at, found));
    at.end(found);
    let on_failure = on_failure.unwrap_or(OnFailure::Fail);
    let ignored = Vec::new();
    let rules = Rules { batch, chains, filters, output, row, keep_metadata, on_failure, ignored };
    value.is_object().then_some(rules)
}

fn read_row(mut at: At<'_>, found: &mut Found) -> RowRules {
    let content = at.needed_choice("RowContent", found).unwrap_or(RowContent::Value);
    let entry_delimiter = at.filled("EntryDelimiter", found);
    let key_value_delimiter = match content {
        RowContent::KeyValue => at.filled("KeyValueDelimiter", found),
        RowContent::Value => {
            at.ignored("KeyValueDelimiter", "no keys are written with RowContent VALUE", found);
            None
        }
    };
    at.end(found);
    RowRules { content, key_value_delimiter, entry_delimiter }
}

/// Where dead letters go and how often the product tries again: here the pipeline's own keys say so.
const OF_THE_PIPELINE: [&str; 7] =
    ["DlqType", "KafkaParam", "TopicParam", "RetryInterval", "MaxRetryAttempts", "Resource", "EsParam"];

fn read_failure(mut at: At<'_>, found: &mut Found) -> Option<OnFailure> {
    let failure = at.choice("Type", found);
    for key in OF_THE_PIPELINE {
        let reason = "dead letters and retries are set by the pipeline's own keys";
        at.ignored(key, reason, found);
    }
    at.end(found);
    failure
}

fn read_filter(mut at: At<'_>, found: &mut Found) -> FilterRule {
    let key = at.needed("Key", found);
    let mode = at.needed_choice("MatchMode", found).unwrap_or(FilterMode::Contains);
    let value = at.needed("Value", found);
    if let Some(kind) = at.filled("Type", found).filter(|kind| kind != "REGULAR") {
        found.add_allowed(at.path("Type"), format!("{kind:?} does not fit"), "REGULAR");
    }
    at.end(found);
    FilterRule { key, mode, value }
}

connect_core::choices! {
    /// How a chain reads a text.
    enum Format {
        /// One object.
        Json = "JSON",
        /// Pieces between separators.
        Delimiter = "DELIMITER",
        /// Matches of a pattern.
        Regular = "REGULAR",
        /// The result so far.
        Source = "SOURCE",
    }
}

connect_core::choices! {
    /// What a later chain parses.
    enum InputType {
        /// A field.
        Mapping = "MAPPING",
        /// What a path finds.
        JsonPath = "JSONPATH",
    }
}

fn read_chain(mut at: At<'_>, found: &mut Found) -> ChainRules {
    let mut analyse = at.needed_object("Analyse", found);
    let format = analyse.needed_choice("Format", found).unwrap_or(Format::Json);
    let pattern = match format {
        Format::Delimiter | Format::Regular => analyse.needed("Regex", found),
        Format::Json | Format::Source => {
            let reason = format!("Format {} takes no separator and no pattern", format.as_str());
            analyse.ignored("Regex", &reason, found);
            String::new()
        }
    };
    let parse = match format {
        Format::Json => Parse::Json,
        Format::Source => Parse::Source,
        Format::Delimiter => Parse::Delimiter(pattern),
        Format::Regular => Parse::Regex(pattern),
    };
    let input = read_input(format, &mut analyse, found);
    analyse.end(found);
    let key_value = at.object("SecondaryAnalyse", found).and_then(|mut at| {
        let separator = at.filled("Regex", found);
        at.end(found);
        separator
    });
    let fields = at.list("SMT", found);
    let fields = fields.into_iter().map(|at| read_field(at, found)).collect();
    let keep_other_fields = at.flag("KeepOtherFields", found);
    at.end(found);
    ChainRules { parse, input, key_value, fields, keep_other_fields }
}

fn read_input(format: Format, at: &mut At<'_>, found: &mut Found) -> Option<Input> {
    if format == Format::Source {
        for key in ["InputValueType", "InputValue"] {
            at.ignored(key, "Format SOURCE takes the whole result so far", found);
        }
        return None;
    }
    let Some(value) = at.filled("InputValue", found) else {
        at.ignored("InputValueType", "there is no InputValue beside it", found);
        return None;
    };
    let kind = at.choice("InputValueType", found);
    Some(match kind {
        Some(InputType::JsonPath) => Input::Path(value),
        Some(InputType::Mapping) | None => Input::Key(value),
    })
}

connect_core::choices! {
    /// Where a field's value comes from.
    enum Operate {
        /// A field.
        Mapping = "MAPPING",
        /// What a path finds.
        JsonPath = "JSONPATH",
        /// A constant.
        Customize = "CUSTOMIZE",
        /// The time of processing.
        Date = "DATE",
        /// The field of the same name, in version 1.
        Default = "DEFAULT",
        /// Nothing.
        Delete = "DELETE",
    }
}

fn read_field(mut at: At<'_>, found: &mut Found) -> FieldRule {
    let name = at.needed("Key", found);
    let operate = at.needed_choice("Operate", found).unwrap_or(Operate::Date);
    let source = match operate {
        Operate::Mapping => Source::Key(at.needed("Value", found)),
        Operate::JsonPath => Source::Path(at.needed("Value", found)),
        Operate::Customize => Source::Constant(at.needed("Value", found)),
        // Version 1 of the product: the value of the parse, under its own name. The console shows a sample beside it.
        Operate::Default => {
            at.get("Value");
            Source::Key(name.clone())
        }
        Operate::Date | Operate::Delete => {
            let reason = format!("Operate {} takes no value", operate.as_str());
            at.ignored("Value", &reason, found);
            if operate == Operate::Date { Source::Now } else { Source::Delete }
        }
    };
    let kind = at.choice("SchemeType", found).unwrap_or(FieldType::Original);
    let mut operations: Vec<ValueOperation> = Vec::new();
    operations.extend(at.object("ValueOperate", found).and_then(|at| read_operation(at, found)));
    let list = at.list("ValueOperates", found);
    let list: Vec<_> = list.into_iter().filter_map(|at| read_operation(at, found)).collect();
    // The API shows the only operation in both places.
    if list.first().is_some_and(|first| operations.first().is_some_and(|only| only != first)) {
        let allowed = "the first of ValueOperates, or only one of the two keys";
        found.add_allowed(at.path("ValueOperate"), "another operation than in ValueOperates", allowed);
    }
    if !list.is_empty() {
        operations = list;
    }
    at.end(found);
    FieldRule { name, source, kind, operations }
}

connect_core::choices! {
    /// What is done to a value.
    enum Operation {
        /// See [`ValueOperation::Replace`].
        Replace = "REPLACE",
        /// See [`ValueOperation::Substring`].
        Substr = "SUBSTR",
        /// See [`ValueOperation::Date`].
        Date = "DATE",
        /// See [`ValueOperation::Trim`].
        Trim = "TRIM",
        /// See [`ValueOperation::RegexReplace`].
        RegexReplace = "REGEX_REPLACE",
        /// See [`ValueOperation::Split`].
        Split = "SPLIT",
        /// See [`ValueOperation::KeyValue`].
        Kv = "KV",
        /// See [`ValueOperation::JsonPathReplace`].
        JsonPathReplace = "JSON_PATH_REPLACE",
        /// See [`ValueOperation::UrlDecode`].
        UrlDecode = "URL_DECODE",
        /// See [`ValueOperation::LowerCase`].
        LowerCase = "LOWERCASE",
        /// See [`ValueOperation::UpperCase`].
        UpperCase = "UPPERCASE",
    }
}

/// The key of the parameters of every operation that has some. The API prints all of them, empty where they are
/// another operation's.
const PARAMETERS: [(Operation, &str); 8] = [
    (Operation::Replace, "Replace"),
    (Operation::Substr, "Substr"),
    (Operation::Date, "Date"),
    (Operation::RegexReplace, "RegexReplace"),
    (Operation::Split, "Split"),
    (Operation::Kv, "KV"),
    (Operation::JsonPathReplace, "JsonPathReplace"),
    (Operation::UrlDecode, "UrlDecode"),
];

fn read_operation(mut at: At<'_>, found: &mut Found) -> Option<ValueOperation> {
    let kind = at.needed_choice::<Operation>("Type", found);
    let operation = kind.map(|kind| read_parameters(kind, &mut at, found));
    for (owner, key) in PARAMETERS {
        match kind {
            Some(kind) if kind != owner => {
                at.ignored(
                    key,
                    &format!("the operation is {}, not {}", kind.as_str(), owner.as_str()),
                    found,
                );
            }
            _ => drop(at.get(key)),
        }
    }
    at.end(found);
    operation
}

fn read_parameters(kind: Operation, at: &mut At<'_>, found: &mut Found) -> ValueOperation {
    let key = match (kind, PARAMETERS.iter().find(|(owner, _)| *owner == kind)) {
        (_, Some((_, key))) => *key,
        (Operation::LowerCase, None) => return ValueOperation::LowerCase,
        (Operation::UpperCase, None) => return ValueOperation::UpperCase,
        (_, None) => return ValueOperation::Trim,
    };
    let mut at = at.needed_object(key, found);
    let mut text = |key| at.needed(key, found);
    let operation = match kind {
        Operation::Replace => ValueOperation::Replace { old: text("OldValue"), new: text("NewValue") },
        Operation::JsonPathReplace => {
            ValueOperation::JsonPathReplace { old: text("OldValue"), new: text("NewValue") }
        }
        Operation::RegexReplace => {
            ValueOperation::RegexReplace { pattern: text("Regex"), new: text("NewValue") }
        }
        Operation::Split => ValueOperation::Split(text("Regex")),
        Operation::Kv => ValueOperation::KeyValue {
            entries: text("Delimiter"),
            separator: text("Regex"),
            keep: at.flag("KeepOriginalKey", found),
        },
        Operation::Substr => {
            ValueOperation::Substring { start: at.number("Start", found), end: at.number("End", found) }
        }
        Operation::Date => ValueOperation::Date(read_date(&mut at, found)),
        _ => {
            let charset = at.filled("CharsetName", found);
            let other = charset.filter(|label| encoding(label) != Some(encoding_rs::UTF_8));
            other.map_or(ValueOperation::UrlDecode, ValueOperation::UrlDecodeIn)
        }
    };
    at.end(found);
    operation
}

fn read_date(at: &mut At<'_>, found: &mut Found) -> DateRule {
    DateRule {
        format: at.needed("Format", found),
        input: at.choice("TargetType", found).unwrap_or(DateInput::Text),
        input_format: at.filled("InputFormat", found),
        zone: at.filled("TimeZone", found).unwrap_or_else(|| DEFAULT_ZONE.to_owned()),
    }
}
