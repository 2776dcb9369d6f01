//! The rule file: [`Rules`] as JSON, in the words of the product's API.

use super::rules::{
    BatchMode, ChainRules, DEFAULT_ZONE, DateInput, DateRule, FieldRule, FieldType, FilterMode, FilterRule,
    Input, OnFailure, OutputFormat, Parse, RowContent, RowRules, Rules, Source, ValueOperation,
};
use connect_core::config::{ConfigError, Problems, Value as Choice};
use serde_json::{Map, Value, json};

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
    /// Everything that is wrong with it, each with its place in the file: keys that do not exist, values of the wrong
    /// type, and all that [`DataProcessing::new`](crate::DataProcessing::new) would refuse.
    pub fn from_json(text: &str) -> Result<Self, ConfigError> {
        let mut problems = Problems::default();
        let rules = match serde_json::from_str::<Value>(text) {
            Ok(value) => read_rules(&value, &mut problems),
            Err(error) => {
                problems.add("the rule file", format!("it is not JSON: {error}"));
                Self::new([])
            }
        };
        if !rules.chains.is_empty() {
            let _ = super::plan::Plan::new(&rules, &mut problems);
        }
        problems.into_result().map(|()| rules)
    }

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
        ValueOperation::LowerCase => json!({ "Type": "LOWERCASE" }),
        ValueOperation::UpperCase => json!({ "Type": "UPPERCASE" }),
    }
}

/// An object of the file, and its place.
struct At<'v> {
    place: String,
    members: Option<&'v Map<String, Value>>,
    known: Vec<&'static str>,
}

impl<'v> At<'v> {
    fn new(place: String, value: &'v Value, problems: &mut Problems) -> Self {
        if !value.is_object() {
            problems.add_allowed(label(&place), shown(value), "an object");
        }
        Self { place, members: value.as_object(), known: Vec::new() }
    }

    fn path(&self, key: &str) -> String {
        if self.place.is_empty() { key.to_owned() } else { format!("{}.{key}", self.place) }
    }

    /// `null` is the same as absent.
    fn get(&mut self, key: &'static str) -> Option<&'v Value> {
        self.known.push(key);
        self.members.and_then(|members| members.get(key)).filter(|value| !value.is_null())
    }

    fn text(&mut self, key: &'static str, problems: &mut Problems) -> Option<String> {
        let value = self.get(key)?;
        if let Value::String(text) = value {
            return Some(text.clone());
        }
        problems.add_allowed(self.path(key), shown(value), "a string");
        None
    }

    fn needed(&mut self, key: &'static str, problems: &mut Problems) -> String {
        if self.get(key).is_none() && self.members.is_some() {
            problems.add_allowed(self.path(key), "missing", "a string");
        }
        self.text(key, problems).unwrap_or_default()
    }

    fn choice<T: Choice>(&mut self, key: &'static str, problems: &mut Problems) -> Option<T> {
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

    fn needed_choice<T: Choice>(&mut self, key: &'static str, problems: &mut Problems) -> Option<T> {
        if self.get(key).is_none() && self.members.is_some() {
            problems.add_allowed(self.path(key), "missing", T::allowed().unwrap_or_default());
        }
        self.choice(key, problems)
    }

    fn flag(&mut self, key: &'static str, problems: &mut Problems) -> bool {
        match self.get(key) {
            None => false,
            Some(Value::Bool(flag)) => *flag,
            Some(other) => {
                problems.add_allowed(self.path(key), shown(other), "true or false");
                false
            }
        }
    }

    fn number(&mut self, key: &'static str, problems: &mut Problems) -> usize {
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

    fn object(&mut self, key: &'static str, problems: &mut Problems) -> Option<At<'v>> {
        let value = self.get(key)?;
        Some(At::new(self.path(key), value, problems))
    }

    fn needed_object(&mut self, key: &'static str, problems: &mut Problems) -> At<'v> {
        if let Some(value) = self.get(key) {
            return At::new(self.path(key), value, problems);
        }
        problems.add_allowed(self.path(key), "missing", "an object");
        At { place: self.path(key), members: None, known: Vec::new() }
    }

    fn list(&mut self, key: &'static str, problems: &mut Problems) -> Vec<At<'v>> {
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
    fn end(self, problems: &mut Problems) {
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
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((cut, _)) => format!("{}… does not fit", &text[..cut]),
        None => format!("{text} does not fit"),
    }
}

fn read_rules(value: &Value, problems: &mut Problems) -> Rules {
    let mut at = At::new(String::new(), value, problems);
    let batch = at.object("BatchAnalyse", problems).and_then(|mut at| {
        let mode = at.needed_choice::<BatchMode>("Format", problems);
        at.end(problems);
        mode
    });
    let chains: Vec<_> = at.list("FieldChain", problems);
    if chains.is_empty() && value.is_object() {
        problems.add_allowed("FieldChain", "empty or missing", "an array with at least one chain");
    }
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
    let on_failure = at.object("FailureParam", problems).and_then(|mut at| read_failure(&mut at, problems));
    at.end(problems);
    let on_failure = on_failure.unwrap_or(OnFailure::Fail);
    Rules { batch, chains, filters, output, row, keep_metadata, on_failure }
}

fn read_failure(at: &mut At<'_>, problems: &mut Problems) -> Option<OnFailure> {
    let failure = at.needed_choice("Type", problems);
    for key in
        ["DlqType", "KafkaParam", "TopicParam", "RetryInterval", "MaxRetryAttempts", "Resource", "EsParam"]
    {
        if at.get(key).is_some() {
            let allowed = "only `Type` here; dead letters and retries are set by the pipeline's own keys";
            problems.add_allowed(at.path(key), "the pipeline decides this", allowed);
        }
    }
    let unknown = At { place: at.place.clone(), members: at.members, known: std::mem::take(&mut at.known) };
    unknown.end(problems);
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
    if matches!(format, Format::Json | Format::Source)
        && analyse.text("Regex", problems).is_some_and(|regex| !regex.is_empty())
    {
        problems.add(analyse.path("Regex"), format!("{} takes none", format.as_str()));
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
        at.get("InputValueType");
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
        // Version 1 of the product: the value of the parse, under its own name.
        Operate::Default => {
            at.get("Value");
            Source::Key(name.clone())
        }
        Operate::Date | Operate::Delete => {
            at.get("Value");
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

fn read_operation(mut at: At<'_>, problems: &mut Problems) -> Option<ValueOperation> {
    let kind = at.needed_choice::<Operation>("Type", problems);
    let operation = kind.map(|kind| read_parameters(kind, &mut at, problems));
    // The API prints the parameters of all operations, empty where they are another one's.
    at.known.extend([
        "Replace",
        "Substr",
        "Date",
        "RegexReplace",
        "Split",
        "KV",
        "JsonPathReplace",
        "UrlDecode",
    ]);
    at.end(problems);
    operation
}

fn read_parameters(kind: Operation, at: &mut At<'_>, problems: &mut Problems) -> ValueOperation {
    let key = match kind {
        Operation::Trim => return ValueOperation::Trim,
        Operation::LowerCase => return ValueOperation::LowerCase,
        Operation::UpperCase => return ValueOperation::UpperCase,
        Operation::Replace => "Replace",
        Operation::Substr => "Substr",
        Operation::Date => "Date",
        Operation::RegexReplace => "RegexReplace",
        Operation::Split => "Split",
        Operation::Kv => "KV",
        Operation::JsonPathReplace => "JsonPathReplace",
        Operation::UrlDecode => "UrlDecode",
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
