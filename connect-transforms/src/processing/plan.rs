//! Rules, checked and compiled.

use super::{
    filter::Filter,
    operation::Operation,
    rules::{
        BatchMode, ChainRules, DateRule, FieldRule, FieldType, Input, OutputFormat, Parse, RowContent, Rules,
        Source, ValueOperation,
    },
    search::{PATTERN_ALLOWED, Pattern, compile},
};
use crate::{json::pick::Step, jsonpath::JsonPath};
use connect_core::config::Problems;
use std::collections::HashSet;

#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) batch: Option<BatchMode>,
    pub(super) chains: Vec<Chain>,
    pub(super) filters: Vec<Filter>,
    pub(super) row: Option<Row>,
    pub(super) metadata: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Chain {
    pub(super) parse: Parser,
    pub(super) input: Option<Place>,
    pub(super) key_value: Option<String>,
    pub(super) rules: Vec<Rule>,
    /// What becomes of fields by their names, if others stay.
    pub(super) others: Option<Table>,
}

#[derive(Clone, Debug)]
pub(super) enum Parser {
    Json,
    Delimiter(String),
    Regex(Pattern),
    Source,
}

/// The value that a later chain parses, and what its children's names begin with.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) value: Value,
    pub(super) prefix: String,
    /// The field that is replaced by its children.
    pub(super) field: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) value: Value,
    pub(super) operations: Vec<Operation>,
    pub(super) kind: FieldType,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    Key(String),
    /// A definite path: a field, and the way into it.
    Field(String, Vec<Step>),
    Path(Box<JsonPath>),
    Constant(String),
    Now,
    None,
}

#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) between: String,
    /// Keys are written too, with this behind them.
    pub(super) keys: Option<String>,
}

/// Which rules are about a field, found by its name. Names of equal length stand together: few rules are compared.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    by_length: Vec<Vec<(String, Vec<usize>)>>,
}

/// Longer names than this share a place.
const LENGTHS: usize = 64;

impl Table {
    fn entry(&mut self, name: &str) -> &mut Vec<usize> {
        let length = name.len().min(LENGTHS);
        if self.by_length.len() <= length {
            self.by_length.resize(length + 1, Vec::new());
        }
        let names = &mut self.by_length[length];
        let found = names.iter().position(|(known, _)| known == name);
        let at = found.unwrap_or_else(|| {
            names.push((name.to_owned(), Vec::new()));
            names.len() - 1
        });
        &mut names[at].1
    }

    /// The rules that put something in the place of this field; `None`: it stays.
    #[inline]
    pub(super) fn get(&self, name: &str) -> Option<&[usize]> {
        let names = self.by_length.get(name.len().min(LENGTHS))?;
        names.iter().find(|(known, _)| known == name).map(|(_, rules)| rules.as_slice())
    }
}

impl Plan {
    /// Adds everything that is wrong to `problems`; `None` if something is.
    pub(super) fn new(rules: &Rules, problems: &mut Problems) -> Option<Self> {
        let before = problems.len();
        if rules.chains.is_empty() {
            problems.add_allowed("FieldChain", "empty or missing", "at least one chain");
        }
        let chains =
            rules.chains.iter().enumerate().map(|(number, chain)| Chain::new(chain, number, problems));
        let chains: Option<Vec<_>> = chains.collect::<Vec<_>>().into_iter().collect();
        let mut filters = Vec::new();
        for (number, filter) in rules.filters.iter().enumerate() {
            match Filter::new(filter) {
                Ok(filter) => filters.push(filter),
                Err((what, allowed)) => {
                    problems.add_allowed(format!("FilterParam[{number}].Value"), what, allowed)
                }
            }
        }
        let row = check_output(rules, problems);
        if rules.batch.is_some() && rules.chains.first().is_some_and(|chain| chain.parse != Parse::Json) {
            problems.add_allowed(
                "FieldChain[0].Analyse.Format",
                "arrays of objects are JSON",
                "JSON with BatchAnalyse",
            );
        }
        let metadata = rules.keep_metadata;
        let plan = Self { batch: rules.batch, chains: chains?, filters, row, metadata };
        (problems.len() == before).then_some(plan)
    }

    /// Whether a result depends on when it is made.
    pub(super) fn uses_now(&self) -> bool {
        self.chains.iter().flat_map(|chain| &chain.rules).any(|rule| matches!(rule.value, Value::Now))
    }
}

fn check_output(rules: &Rules, problems: &mut Problems) -> Option<Row> {
    let row = match (rules.output, &rules.row) {
        (OutputFormat::Json, None) => return None,
        (OutputFormat::Json, Some(_)) => {
            problems.add_allowed("RowParam", "the output is JSON", "RowParam only with OutputFormat ROW");
            return None;
        }
        (OutputFormat::Row, None) => {
            problems.add_allowed("RowParam", "missing", "an object with RowContent");
            return None;
        }
        (OutputFormat::Row, Some(row)) => row,
    };
    if rules.batch == Some(BatchMode::Merge) {
        problems.add_allowed(
            "OutputFormat",
            "merged elements are a JSON array",
            "JSON with BatchAnalyse MERGE",
        );
    }
    let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let (key_value, entry) = (filled(&row.key_value_delimiter), filled(&row.entry_delimiter));
    if row.content == RowContent::KeyValue {
        for (key, text) in [("KeyValueDelimiter", &key_value), ("EntryDelimiter", &entry)] {
            if text.is_none() {
                problems.add_allowed(
                    format!("RowParam.{key}"),
                    "empty or missing",
                    "a text, with RowContent KEY_VALUE",
                );
            }
        }
    } else if key_value.is_some() {
        problems.add_allowed(
            "RowParam.KeyValueDelimiter",
            "no keys are written",
            "only with RowContent KEY_VALUE",
        );
    }
    let keys = (row.content == RowContent::KeyValue).then(|| key_value.unwrap_or_default());
    Some(Row { between: entry.unwrap_or_default(), keys })
}

impl Chain {
    fn new(rules: &ChainRules, number: usize, problems: &mut Problems) -> Option<Self> {
        let place = format!("FieldChain[{number}]");
        let parse = parser(&rules.parse, &place, problems);
        let input = input(rules, number, &place, problems);
        if rules.key_value.as_ref().is_some_and(String::is_empty) {
            problems.add_allowed(format!("{place}.SecondaryAnalyse.Regex"), "it is empty", "a separator");
        }
        let mut names = HashSet::new();
        let mut compiled = Vec::new();
        for (number, rule) in rules.fields.iter().enumerate() {
            let place = format!("{place}.SMT[{number}]");
            if rule.source != Source::Delete && !names.insert(rule.name.as_str()) {
                let what = format!("{:?} is the key of two rules", rule.name);
                problems.add_allowed(format!("{place}.Key"), what, "keys that differ");
            }
            if rule.source == Source::Delete && !rules.keep_other_fields {
                let what = "fields without a rule are left out already";
                problems.add_allowed(format!("{place}.Operate"), what, "DELETE only with KeepOtherFields");
            }
            compiled.push(Rule::new(rule, &place, problems));
        }
        let others = rules.keep_other_fields.then(|| table(&rules.fields));
        let rules_compiled: Option<Vec<Rule>> = compiled.into_iter().collect();
        Some(Self {
            parse: parse?,
            input: input?,
            key_value: rules.key_value.clone(),
            rules: rules_compiled?,
            others,
        })
    }
}

fn table(rules: &[FieldRule]) -> Table {
    let mut table = Table::default();
    for (number, rule) in rules.iter().enumerate() {
        match &rule.source {
            Source::Key(key) => table.entry(key).push(number),
            Source::Delete => drop(table.entry(&rule.name)),
            Source::Path(_) | Source::Constant(_) | Source::Now => table.entry(&rule.name).push(number),
        }
    }
    table
}

fn parser(parse: &Parse, place: &str, problems: &mut Problems) -> Option<Parser> {
    Some(match parse {
        Parse::Json => Parser::Json,
        Parse::Source => Parser::Source,
        Parse::Delimiter(separator) if separator.is_empty() => {
            problems.add_allowed(format!("{place}.Analyse.Regex"), "it is empty", "a separator");
            return None;
        }
        Parse::Delimiter(separator) => Parser::Delimiter(separator.clone()),
        Parse::Regex(pattern) => match compile(pattern) {
            Ok(pattern) => Parser::Regex(pattern),
            Err(what) => {
                problems.add_allowed(format!("{place}.Analyse.Regex"), what, PATTERN_ALLOWED);
                return None;
            }
        },
    })
}

/// The outer `None`: something is wrong.
#[allow(clippy::option_option, reason = "the inner one is the plan's")]
fn input(rules: &ChainRules, number: usize, place: &str, problems: &mut Problems) -> Option<Option<Place>> {
    let format = format!("{place}.Analyse.Format");
    match (&rules.parse, &rules.input, number) {
        (Parse::Source, _, 0) => {
            problems.add_allowed(format, "there is no chain before the first", "JSON, DELIMITER or REGULAR");
            None
        }
        (Parse::Source, Some(_), _) => {
            let what = "SOURCE takes the whole result so far";
            problems.add_allowed(format!("{place}.Analyse.InputValue"), what, "none with SOURCE");
            None
        }
        (_, Some(_), 0) => {
            let what = "the first chain parses the record";
            problems.add_allowed(format!("{place}.Analyse.InputValue"), what, "none in the first chain");
            None
        }
        (Parse::Source, None, _) | (_, None, 0) => Some(None),
        (_, None, _) => {
            let allowed = "the key or path of what to parse, or Format SOURCE";
            problems.add_allowed(format!("{place}.Analyse.InputValue"), "missing", allowed);
            None
        }
        (_, Some(Input::Key(key)), _) => {
            let value = Value::Key(key.clone());
            Some(Some(Place { value, prefix: format!("{key}."), field: Some(key.clone()) }))
        }
        (_, Some(Input::Path(path)), _) => {
            let value = path_value(path, &format!("{place}.Analyse.InputValue"), problems)?;
            let field = match &value {
                Value::Field(field, steps) if steps.is_empty() => Some(field.clone()),
                _ => None,
            };
            Some(Some(Place { value, prefix: format!("{path}."), field }))
        }
    }
}

fn path_value(path: &str, place: &str, problems: &mut Problems) -> Option<Value> {
    let path = match JsonPath::compile(path) {
        Ok(path) => path,
        Err(error) => {
            problems.add_allowed(place, error.to_string(), "a JSON path");
            return None;
        }
    };
    Some(match path.steps() {
        Some([Step::Name(name), steps @ ..]) => Value::Field(name.clone(), steps.to_vec()),
        _ => Value::Path(Box::new(path)),
    })
}

impl Rule {
    fn new(rule: &FieldRule, place: &str, problems: &mut Problems) -> Option<Self> {
        if rule.name.is_empty() {
            problems.add_allowed(format!("{place}.Key"), "it is empty", "a name");
        }
        let value = match &rule.source {
            Source::Key(key) => Some(Value::Key(key.clone())),
            Source::Path(path) => path_value(path, &format!("{place}.Value"), problems),
            Source::Constant(text) => Some(Value::Constant(text.clone())),
            Source::Now => Some(Value::Now),
            Source::Delete => Some(Value::None),
        };
        if rule.source == Source::Delete && (!rule.operations.is_empty() || rule.kind != FieldType::Original)
        {
            problems.add_allowed(
                place,
                "a field that is deleted has no type and no operations",
                "Key and Operate",
            );
        }
        let mut operations = Vec::new();
        for (number, operation) in rule.operations.iter().enumerate() {
            let place = format!("{place}.ValueOperates[{number}]");
            check_now(&rule.source, number, operation, &place, problems);
            check_order(&rule.operations[number..], rule.kind, &place, problems);
            let problem = |key: &str, what: String, allowed: &str| {
                problems.add_allowed(format!("{place}.{key}"), what, allowed);
            };
            let first = number == 0;
            operations.push(match Operation::new(operation, problem) {
                Some(Operation::Date(date)) if first && rule.source == Source::Now => {
                    Some(Operation::Date(Box::new(date.of_now())))
                }
                other => other,
            });
        }
        let operations = operations.into_iter().collect::<Option<_>>()?;
        Some(Self { name: rule.name.clone(), value: value?, operations, kind: rule.kind })
    }
}

/// The time of processing is no text, so that nothing can be said of how it is read.
fn check_now(
    source: &Source,
    number: usize,
    operation: &ValueOperation,
    place: &str,
    problems: &mut Problems,
) {
    let ValueOperation::Date(DateRule { input_format: Some(format), .. }) = operation else { return };
    if *source == Source::Now && number == 0 {
        let what = format!("{format:?} is nothing for the time of processing, which is a number");
        problems.add_allowed(format!("{place}.Date.InputFormat"), what, "none with Operate DATE");
    }
}

/// Operations work on text: what makes something else of a value comes last.
fn check_order(rest: &[ValueOperation], kind: FieldType, place: &str, problems: &mut Problems) {
    match rest {
        [ValueOperation::KeyValue { .. }] if kind != FieldType::Original => {
            problems.add_allowed(
                place,
                "KV makes several fields, which have no one type",
                "SchemeType ORIGINAL",
            );
        }
        [ValueOperation::KeyValue { .. }, _, ..] => {
            problems.add_allowed(place, "KV makes several fields", "KV as the last operation");
        }
        [ValueOperation::Split(_), next, ..] if !matches!(next, ValueOperation::JsonPathReplace { .. }) => {
            let allowed = "SPLIT as the last operation, or before JSON_PATH_REPLACE";
            problems.add_allowed(place, "SPLIT makes an array", allowed);
        }
        _ => {}
    }
}
