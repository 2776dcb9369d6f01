//! The rules of data processing as data: what code builds and a rule file holds.

use serde::{Serialize, Serializer};

macro_rules! named {
    ($($name:ident),+) => {
        $(impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        })+
    };
}

connect_core::choices! {
    /// What becomes of a record that is an array of objects.
    pub enum BatchMode {
        /// Every element leaves as a record of its own.
        OneByOne = "ONE_BY_ONE",
        /// The processed elements leave together, as one record that is an array.
        Merge = "MERGE",
    }
}

connect_core::choices! {
    /// What type a field gets. `null` stays `null` with all of them.
    pub enum FieldType {
        /// The value as it stands.
        Original = "ORIGINAL",
        /// Text: numbers, booleans and containers as their JSON text.
        String = "STRING",
        /// A whole number of 64 bits, from a number without fraction (`1.0` and `1e3` have none), or from text with one.
        Int64 = "INT64",
        /// A number of double precision, from a number or from text with one. Whole numbers get `.0`.
        Float64 = "FLOAT64",
        /// From a boolean, `true` and `false` as text in any case, and the numbers 1 and 0.
        Boolean = "BOOLEAN",
        /// Of an object its members, each as the field `<name>.<member>`; of text that holds one as JSON, the object.
        Map = "MAP",
        /// An array, or text that holds one as JSON.
        Array = "ARRAY",
    }
}

connect_core::choices! {
    /// How a filter compares. All compare exactly, character by character, without any normalisation.
    pub enum FilterMode {
        /// The text begins with the filter's value.
        Prefix = "PREFIX",
        /// The text ends with it.
        Suffix = "SUFFIX",
        /// It stands somewhere in the text.
        Contains = "CONTAINS",
        /// The text is anything but it.
        Except = "EXCEPT",
        /// Comparisons with numbers: `>10`, `>=10&<=20` (and), `<5|=7` (or; `&` binds closer).
        Number = "NUMBER",
        /// The text is an address in this network: `10.0.0.0/8`, `2001:db8::/32`, or one address.
        Ip = "IP",
    }
}

connect_core::choices! {
    /// The form of the result.
    pub enum OutputFormat {
        /// One JSON object (or an array of them, if elements are merged).
        Json = "JSON",
        /// A line of text.
        Row = "ROW",
    }
}

connect_core::choices! {
    /// What a row is made of.
    pub enum RowContent {
        /// The values, with the entry delimiter in between (none, if not given).
        Value = "VALUE",
        /// Keys and values; both delimiters must be given.
        KeyValue = "KEY_VALUE",
    }
}

connect_core::choices! {
    /// What becomes of a record that cannot be processed.
    pub enum OnFailure {
        /// It is poison, and the pipeline's policy decides: it should be to stop.
        Fail = "FAIL",
        /// It is poison, and the pipeline's policy decides: it should be to skip.
        Drop = "DROP",
        /// It is poison, and the pipeline's policy decides: it should be a dead letter queue.
        DeadLetter = "DLQ",
        /// It is delivered to the target, wrapped together with the reason.
        Keep = "IGNORE_ERROR",
    }
}

connect_core::choices! {
    /// What the operation `DATE` reads.
    pub enum DateInput {
        /// Text with a date.
        Text = "string",
        /// Seconds (or milliseconds, from 100,000,000,000 on) since the Unix epoch, as a number or text, also in the
        /// form `1.6562996E9`. The number is taken exactly; what is finer than a nanosecond is cut off.
        Unix = "unix",
    }
}

named!(BatchMode, FieldType, FilterMode, OutputFormat, RowContent, OnFailure, DateInput);

/// Everything that [`DataProcessing`](crate::DataProcessing) is told; see there for what each part does.
///
/// [`from_json`](Self::from_json) and [`to_json`](Self::to_json) are the rule file, in the words of the product's API
/// (`TransformsParam`): what its `DescribeDatahubTask` prints can be read. In code the parts are plain structs:
///
/// ```
/// use connect_transforms::processing::{ChainRules, FieldRule, Rules, ValueOperation};
/// let rules = Rules::new([ChainRules::json()
///     .field(FieldRule::key("level").named("severity").operation(ValueOperation::LowerCase))
///     .field(FieldRule::path("$.k8s.pod").named("pod"))
///     .field(FieldRule::constant("eu").named("region"))]);
/// assert_eq!(Rules::from_json(&rules.to_json())?, rules);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Rules {
    /// `BatchAnalyse.Format`: records are arrays of objects, and each element is processed on its own.
    pub batch: Option<BatchMode>,
    /// `FieldChain`: what is done, one after the other. At least one.
    pub chains: Vec<ChainRules>,
    /// `FilterParam`: all of them must hold for a result, or it is filtered.
    pub filters: Vec<FilterRule>,
    /// `OutputFormat`. JSON, if not given.
    pub output: OutputFormat,
    /// `RowParam`: needed for rows.
    pub row: Option<RowRules>,
    /// `KeepMetadata`: adds the record's origin to the result.
    pub keep_metadata: bool,
    /// `FailureParam.Type`. `FAIL`, if not given.
    pub on_failure: OnFailure,
    /// What a rule file says that has no effect, each with its place and the reason. It is not exported.
    pub ignored: Vec<String>,
}

/// One chain: parse, then make fields.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ChainRules {
    /// `Analyse.Format` and `Analyse.Regex`: what the text is made into.
    pub parse: Parse,
    /// `Analyse.InputValueType` and `Analyse.InputValue`: which field of the result so far is parsed. The first chain
    /// parses the record, and takes none.
    pub input: Option<Input>,
    /// `SecondaryAnalyse.Regex`: every text with this separator in it also adds `<name>.<key>`.
    pub key_value: Option<String>,
    /// `SMT`: the fields of the result, in this order. None at all: all fields as they are.
    pub fields: Vec<FieldRule>,
    /// `KeepOtherFields`, an addition of ours: fields that no rule names stay, in their places.
    pub keep_other_fields: bool,
}

/// How a chain reads a text.
#[derive(Clone, Debug, PartialEq)]
pub enum Parse {
    /// `JSON`: an object; its members are the fields.
    Json,
    /// `DELIMITER`: the pieces between this separator are the fields `0`, `1`, …
    Delimiter(String),
    /// `REGULAR`: the whole matches of this pattern are the fields `0`, `1`, …
    Regex(String),
    /// `SOURCE`: nothing is parsed; the rules see the result of the chain before.
    Source,
}

/// What a later chain parses.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// `MAPPING`: the field with this name.
    Key(String),
    /// `JSONPATH`: what this path finds.
    Path(String),
}

/// One field of a chain's result.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FieldRule {
    /// `Key`: its name in the result.
    pub name: String,
    /// `Operate` and `Value`: where its value comes from.
    pub source: Source,
    /// `SchemeType`: what type it gets in the end.
    pub kind: FieldType,
    /// `ValueOperates`: what is done to the value before, in this order.
    pub operations: Vec<ValueOperation>,
}

/// Where a field's value comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// `MAPPING`: the field with this name. Where there is none, the result has none either.
    Key(String),
    /// `JSONPATH`: what this path finds in the fields so far. Nothing found: no field.
    Path(String),
    /// `CUSTOMIZE`: this text.
    Constant(String),
    /// `DATE`: the time of processing, in milliseconds since the Unix epoch; one reading per batch.
    Now,
    /// `DELETE`, an addition of ours: the field of this name is left out where others are kept.
    Delete,
}

/// One change to a value. It works on the value's text: of a string its characters, of anything else its JSON. `null`
/// is left alone.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ValueOperation {
    /// `REPLACE`: all occurrences of a text.
    Replace {
        /// What is looked for; not empty.
        old: String,
        /// What stands there instead.
        new: String,
    },
    /// `SUBSTR`: the characters from `start` up to but not including `end`, counted from 0; what lies behind the
    /// text's end is not missed.
    Substring {
        /// The first character.
        start: usize,
        /// The character behind the last one.
        end: usize,
    },
    /// `DATE`: see [`DateRule`].
    Date(DateRule),
    /// `TRIM`: without blanks and control characters at both ends.
    Trim,
    /// `REGEX_REPLACE`: all matches of a pattern.
    RegexReplace {
        /// The pattern, in the syntax of RE2.
        pattern: String,
        /// What stands there instead. `$1` and `${name}` are groups, `\$` is a dollar sign.
        new: String,
    },
    /// `SPLIT`: the pieces between this separator, as an array of strings. The last operation, or before
    /// `JSON_PATH_REPLACE`.
    Split(String),
    /// `KV`: entries of keys and values; each becomes the field `<name>.<key>`. The last operation.
    KeyValue {
        /// `Delimiter`: stands between entries.
        entries: String,
        /// `Regex`: stands between a key and its value. An entry without one is left out.
        separator: String,
        /// `KeepOriginalKey`: the field itself stays too, before them.
        keep: bool,
    },
    /// `JSON_PATH_REPLACE`: every place that a path finds in the value, which must be JSON or text that holds JSON; other
    /// text is poison.
    JsonPathReplace {
        /// The path.
        old: String,
        /// If it begins with `$`: a path in the same value, whose result stands there then. Text else.
        new: String,
    },
    /// `URL_DECODE`: `%XX` and `+`. The bytes must be UTF-8; a `%` without two digits behind it stays.
    UrlDecode,
    /// The same in another encoding (`UrlDecode.CharsetName`), by its label of the WHATWG's Encoding Standard: `GBK`,
    /// `Big5`, `Shift_JIS`, `windows-1252` and so on. As in browsers, `ISO-8859-1` is `windows-1252`, and `UTF-16` is
    /// little-endian.
    UrlDecodeIn(String),
    /// `LOWERCASE`.
    LowerCase,
    /// `UPPERCASE`, an addition of ours.
    UpperCase,
}

/// A date in another form.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct DateRule {
    /// `Format`: how it is written, as a pattern of Java's `DateTimeFormatter`.
    pub format: String,
    /// `TargetType`: what is read.
    pub input: DateInput,
    /// `InputFormat`, an addition of ours: how text is read. If not given, it may be RFC 3339 or 2822, ISO 8601 without
    /// offset, a date alone, or what `format` writes.
    pub input_format: Option<String>,
    /// `TimeZone`: the zone that is written, and that of text which names none. `GMT+8`, if not given.
    pub zone: String,
}

/// A condition that results must meet.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FilterRule {
    /// `Key`: the field, or the way into one, found as by `MAPPING`. One that is missing meets only `EXCEPT`.
    pub key: String,
    /// `MatchMode`.
    pub mode: FilterMode,
    /// `Value`.
    pub value: String,
}

/// How a row is written.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RowRules {
    /// `RowContent`.
    pub content: RowContent,
    /// `KeyValueDelimiter`: between a key and its value.
    pub key_value_delimiter: Option<String>,
    /// `EntryDelimiter`: between entries.
    pub entry_delimiter: Option<String>,
}

impl Rules {
    /// These chains; everything else as if not given.
    pub fn new(chains: impl IntoIterator<Item = ChainRules>) -> Self {
        Self {
            batch: None,
            chains: chains.into_iter().collect(),
            filters: Vec::new(),
            output: OutputFormat::Json,
            row: None,
            keep_metadata: false,
            on_failure: OnFailure::Fail,
            ignored: Vec::new(),
        }
    }

    /// With another filter.
    #[must_use]
    pub fn filter(mut self, key: &str, mode: FilterMode, value: &str) -> Self {
        self.filters.push(FilterRule { key: key.to_owned(), mode, value: value.to_owned() });
        self
    }

    /// As rows.
    #[must_use]
    pub fn rows(mut self, content: RowContent, key_value: Option<&str>, entry: Option<&str>) -> Self {
        self.output = OutputFormat::Row;
        self.row = Some(RowRules {
            content,
            key_value_delimiter: key_value.map(str::to_owned),
            entry_delimiter: entry.map(str::to_owned),
        });
        self
    }

    /// For records that are arrays of objects.
    #[must_use]
    pub fn batch(self, mode: BatchMode) -> Self {
        Self { batch: Some(mode), ..self }
    }

    /// With the record's origin in the result.
    #[must_use]
    pub fn metadata(self) -> Self {
        Self { keep_metadata: true, ..self }
    }

    /// What becomes of a record that cannot be processed.
    #[must_use]
    pub fn on_failure(self, policy: OnFailure) -> Self {
        Self { on_failure: policy, ..self }
    }
}

impl ChainRules {
    fn new(parse: Parse) -> Self {
        Self { parse, input: None, key_value: None, fields: Vec::new(), keep_other_fields: false }
    }

    /// Parses a JSON object.
    #[must_use]
    pub fn json() -> Self {
        Self::new(Parse::Json)
    }

    /// Splits at a separator.
    #[must_use]
    pub fn delimiter(separator: &str) -> Self {
        Self::new(Parse::Delimiter(separator.to_owned()))
    }

    /// Takes the matches of a pattern.
    #[must_use]
    pub fn regex(pattern: &str) -> Self {
        Self::new(Parse::Regex(pattern.to_owned()))
    }

    /// Takes the result of the chain before.
    #[must_use]
    pub fn source() -> Self {
        Self::new(Parse::Source)
    }

    /// Parses the field with this name instead of the record.
    #[must_use]
    pub fn of_key(self, key: &str) -> Self {
        Self { input: Some(Input::Key(key.to_owned())), ..self }
    }

    /// Parses what this path finds instead of the record.
    #[must_use]
    pub fn of_path(self, path: &str) -> Self {
        Self { input: Some(Input::Path(path.to_owned())), ..self }
    }

    /// With a second parse of all texts for keys and values.
    #[must_use]
    pub fn key_value(self, separator: &str) -> Self {
        Self { key_value: Some(separator.to_owned()), ..self }
    }

    /// With another field.
    #[must_use]
    pub fn field(mut self, rule: FieldRule) -> Self {
        self.fields.push(rule);
        self
    }

    /// Fields that no rule names stay.
    #[must_use]
    pub fn keep_other_fields(self) -> Self {
        Self { keep_other_fields: true, ..self }
    }
}

impl FieldRule {
    fn new(name: &str, source: Source) -> Self {
        Self { name: name.to_owned(), source, kind: FieldType::Original, operations: Vec::new() }
    }

    /// The field with this name, under the same name.
    #[must_use]
    pub fn key(key: &str) -> Self {
        Self::new(key, Source::Key(key.to_owned()))
    }

    /// What a path finds; name it by [`named`](Self::named).
    #[must_use]
    pub fn path(path: &str) -> Self {
        Self::new(path, Source::Path(path.to_owned()))
    }

    /// A constant; name it by [`named`](Self::named).
    #[must_use]
    pub fn constant(text: &str) -> Self {
        Self::new(text, Source::Constant(text.to_owned()))
    }

    /// The time of processing.
    #[must_use]
    pub fn now(name: &str) -> Self {
        Self::new(name, Source::Now)
    }

    /// No field of this name.
    #[must_use]
    pub fn delete(name: &str) -> Self {
        Self::new(name, Source::Delete)
    }

    /// Under this name in the result.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self }
    }

    /// Of this type.
    #[must_use]
    pub fn kind(self, kind: FieldType) -> Self {
        Self { kind, ..self }
    }

    /// With another operation.
    #[must_use]
    pub fn operation(mut self, operation: ValueOperation) -> Self {
        self.operations.push(operation);
        self
    }
}

impl DateRule {
    /// Text into this format, in the zone `GMT+8`.
    #[must_use]
    pub fn new(format: &str) -> Self {
        Self {
            format: format.to_owned(),
            input: DateInput::Text,
            input_format: None,
            zone: DEFAULT_ZONE.to_owned(),
        }
    }

    /// Reads Unix time.
    #[must_use]
    pub fn unix(self) -> Self {
        Self { input: DateInput::Unix, ..self }
    }

    /// Reads text of this format.
    #[must_use]
    pub fn reading(self, format: &str) -> Self {
        Self { input_format: Some(format.to_owned()), ..self }
    }

    /// In this zone.
    #[must_use]
    pub fn zone(self, zone: &str) -> Self {
        Self { zone: zone.to_owned(), ..self }
    }
}

/// The zone that counts where a rule names none, as in the product.
pub(super) const DEFAULT_ZONE: &str = "GMT+8";
