//! The rule file: [`Rules`] as JSON, in the words of the product's API.

mod at;
mod twice;
mod write;

use super::rules::{
    BatchMode, ChainRules, DEFAULT_ZONE, DateInput, DateRule, FieldRule, FieldType, FilterMode, FilterRule,
    Input, OnFailure, OutputFormat, Parse, RowContent, RowRules, Rules, Source, ValueOperation,
};
use at::At;
use connect_core::config::{ConfigError, Problems};
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
    /// Reads a rule file. `null` is the same as not given. Samples and test results of the product's console (`Content`,
    /// `SourceType`, `Result`, `AnalyseResult` and the like) are no rules and are left out.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its place in the file: keys that do not exist or stand twice in one
    /// object, values of the wrong type, parameters of another operation or mode than the one that is chosen (unless
    /// they are empty, as the console writes them), and all that [`DataProcessing::new`](crate::DataProcessing::new) would refuse.
    pub fn from_json(text: &str) -> Result<Self, ConfigError> {
        let mut problems = Problems::default();
        let rules = match serde_json::from_str::<Value>(text) {
            Ok(value) => {
                twice::report(text, &mut problems);
                read_rules(&value, &mut problems)
            }
            Err(error) => {
                problems.add("the rule file", format!("it is not JSON: {error}"));
                None
            }
        };
        if let Some(rules) = &rules {
            let _ = super::plan::Plan::new(rules, &mut problems);
        }
        problems.into_result().map(|()| rules.unwrap_or_else(|| Self::new([])))
    }
}

/// `None`: it is no object.
fn read_rules(value: &Value, problems: &mut Problems) -> Option<Rules> {
    let mut at = At::new(String::new(), value, problems);
    let batch = at.object("BatchAnalyse", problems).and_then(|mut at| {
        let mode = at.needed_choice::<BatchMode>("Format", problems);
        at.end(problems);
        mode
    });
    let chains = at.list("FieldChain", problems);
    let chains = chains.into_iter().map(|at| read_chain(at, problems)).collect();
    let filters = at.list("FilterParam", problems);
    let filters = filters.into_iter().map(|at| read_filter(at, problems)).collect();
    let row = at.object("RowParam", problems).map(|mut at| {
        let content = at.needed_choice("RowContent", problems).unwrap_or(RowContent::Value);
        let key_value_delimiter = at.text("KeyValueDelimiter", problems);
        let entry_delimiter = at.text("EntryDelimiter", problems);
        at.end(problems);
        RowRules { content, key_value_delimiter, entry_delimiter }
    });
    let output = at.choice("OutputFormat", problems).unwrap_or(OutputFormat::Json);
    let keep_metadata = at.flag("KeepMetadata", problems);
    let on_failure = at.object("FailureParam", problems).and_then(|at| read_failure(at, problems));
    at.end(problems);
    let on_failure = on_failure.unwrap_or(OnFailure::Fail);
    let rules = Rules { batch, chains, filters, output, row, keep_metadata, on_failure };
    value.is_object().then_some(rules)
}

fn read_failure(mut at: At<'_>, problems: &mut Problems) -> Option<OnFailure> {
    let failure = at.needed_choice("Type", problems);
    for key in
        ["DlqType", "KafkaParam", "TopicParam", "RetryInterval", "MaxRetryAttempts", "Resource", "EsParam"]
    {
        let allowed = "only `Type` here; dead letters and retries are set by the pipeline's own keys";
        at.elsewhere(key, "rules: the pipeline decides this", allowed, problems);
    }
    at.end(problems);
    failure
}

fn read_filter(mut at: At<'_>, problems: &mut Problems) -> FilterRule {
    let key = at.needed("Key", problems);
    let mode = at.needed_choice("MatchMode", problems).unwrap_or(FilterMode::Contains);
    let value = at.needed("Value", problems);
    if let Some(kind) = at.text("Type", problems).filter(|kind| kind != "REGULAR") {
        problems.add_allowed(at.path("Type"), format!("{kind:?} does not fit"), "REGULAR");
    }
    at.end(problems);
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

fn read_chain(mut at: At<'_>, problems: &mut Problems) -> ChainRules {
    let mut analyse = at.needed_object("Analyse", problems);
    let format = analyse.needed_choice("Format", problems).unwrap_or(Format::Json);
    let parse = match format {
        Format::Json => Parse::Json,
        Format::Source => Parse::Source,
        Format::Delimiter => Parse::Delimiter(analyse.needed("Regex", problems)),
        Format::Regular => Parse::Regex(analyse.needed("Regex", problems)),
    };
    if matches!(format, Format::Json | Format::Source) {
        analyse.elsewhere("Regex", format.as_str(), "only with Format DELIMITER or REGULAR", problems);
    }
    let input = read_input(&mut analyse, problems);
    analyse.end(problems);
    let key_value = at.object("SecondaryAnalyse", problems).map(|mut at| {
        let separator = at.needed("Regex", problems);
        at.end(problems);
        separator
    });
    let fields = at.list("SMT", problems);
    let fields = fields.into_iter().map(|at| read_field(at, problems)).collect();
    let keep_other_fields = at.flag("KeepOtherFields", problems);
    at.end(problems);
    ChainRules { parse, input, key_value, fields, keep_other_fields }
}

fn read_input(at: &mut At<'_>, problems: &mut Problems) -> Option<Input> {
    // The console leaves empty texts where nothing is chosen.
    let value = at.text("InputValue", problems).filter(|value| !value.is_empty());
    let Some(value) = value else {
        at.elsewhere("InputValueType", "no InputValue", "MAPPING or JSONPATH, with InputValue", problems);
        return None;
    };
    let kind = at.choice("InputValueType", problems);
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

fn read_field(mut at: At<'_>, problems: &mut Problems) -> FieldRule {
    let name = at.needed("Key", problems);
    let operate = at.needed_choice("Operate", problems).unwrap_or(Operate::Date);
    let source = match operate {
        Operate::Mapping => Source::Key(at.needed("Value", problems)),
        Operate::JsonPath => Source::Path(at.needed("Value", problems)),
        Operate::Customize => Source::Constant(at.needed("Value", problems)),
        // Version 1 of the product: the value of the parse, under its own name. The console shows a sample beside it.
        Operate::Default => {
            at.get("Value");
            Source::Key(name.clone())
        }
        Operate::Date | Operate::Delete => {
            let allowed = "only with Operate MAPPING, JSONPATH or CUSTOMIZE";
            at.elsewhere("Value", operate.as_str(), allowed, problems);
            if operate == Operate::Date { Source::Now } else { Source::Delete }
        }
    };
    let kind = at.choice("SchemeType", problems).unwrap_or(FieldType::Original);
    let mut operations: Vec<ValueOperation> = Vec::new();
    operations.extend(at.object("ValueOperate", problems).and_then(|at| read_operation(at, problems)));
    let list = at.list("ValueOperates", problems);
    let list: Vec<_> = list.into_iter().filter_map(|at| read_operation(at, problems)).collect();
    // The API shows the only operation in both places.
    if list.first().is_some_and(|first| operations.first().is_some_and(|only| only != first)) {
        let allowed = "the first of ValueOperates, or only one of the two keys";
        problems.add_allowed(at.path("ValueOperate"), "another operation than in ValueOperates", allowed);
    }
    if !list.is_empty() {
        operations = list;
    }
    at.end(problems);
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

fn read_operation(mut at: At<'_>, problems: &mut Problems) -> Option<ValueOperation> {
    let kind = at.needed_choice::<Operation>("Type", problems);
    let operation = kind.map(|kind| read_parameters(kind, &mut at, problems));
    for (owner, key) in PARAMETERS {
        match kind {
            Some(kind) if kind != owner => {
                let allowed = format!("only with Type {}", owner.as_str());
                at.elsewhere(key, kind.as_str(), &allowed, problems);
            }
            _ => drop(at.get(key)),
        }
    }
    at.end(problems);
    operation
}

fn read_parameters(kind: Operation, at: &mut At<'_>, problems: &mut Problems) -> ValueOperation {
    let key = match (kind, PARAMETERS.iter().find(|(owner, _)| *owner == kind)) {
        (_, Some((_, key))) => *key,
        (Operation::LowerCase, None) => return ValueOperation::LowerCase,
        (Operation::UpperCase, None) => return ValueOperation::UpperCase,
        (_, None) => return ValueOperation::Trim,
    };
    let mut at = at.needed_object(key, problems);
    let mut text = |key| at.needed(key, problems);
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
            keep: at.flag("KeepOriginalKey", problems),
        },
        Operation::Substr => {
            ValueOperation::Substring { start: at.number("Start", problems), end: at.number("End", problems) }
        }
        Operation::Date => ValueOperation::Date(read_date(&mut at, problems)),
        _ => {
            let charset = at.text("CharsetName", problems).unwrap_or_default();
            if !["", "utf-8", "utf8"].contains(&charset.to_ascii_lowercase().as_str()) {
                problems.add_allowed(at.path("CharsetName"), format!("{charset:?} does not fit"), "UTF-8");
            }
            ValueOperation::UrlDecode
        }
    };
    at.end(problems);
    operation
}

fn read_date(at: &mut At<'_>, problems: &mut Problems) -> DateRule {
    DateRule {
        format: at.needed("Format", problems),
        input: at.choice("TargetType", problems).unwrap_or(DateInput::Text),
        input_format: at.text("InputFormat", problems),
        zone: at.text("TimeZone", problems).unwrap_or_else(|| DEFAULT_ZONE.to_owned()),
    }
}
