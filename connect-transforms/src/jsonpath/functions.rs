//! The functions behind a path.

use super::{
    Document, JsonPathError, PathError,
    expression::{Expression, array},
    read::{Argument, Call},
};
use crate::json::{
    Scanner, SyntaxError,
    escape::{quote, unescape},
};
use std::{borrow::Cow, cmp::Ordering};

/// Bytes that any result may have, and how many times larger than the text it may be beyond that.
const ROOM: usize = 64 << 10;
const GROWTH_MAX: usize = 16;

/// What a path has found, or a function has made of it.
#[derive(Debug)]
pub(super) enum Input<'a> {
    Nothing,
    One(Cow<'a, str>),
    Many(Vec<&'a str>),
}

#[derive(Clone, Debug)]
pub(super) struct Function {
    kind: Kind,
    arguments: Vec<Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Min,
    Max,
    Sum,
    Avg,
    Stddev,
    Length,
    Keys,
    First,
    Last,
    Index(i64),
    Append,
    Concat,
}

#[derive(Clone, Debug)]
enum Value {
    Path(Expression),
    /// A JSON text.
    Literal(String),
}

impl Function {
    pub(super) fn new(call: Call, source: &str) -> Result<Self, JsonPathError> {
        let wrong = |reason: &str| JsonPathError::new(source, call.at, reason);
        let count = call.arguments.len();
        let kind = match call.name.as_str() {
            "min" => Kind::Min,
            "max" => Kind::Max,
            "sum" => Kind::Sum,
            "avg" => Kind::Avg,
            "stddev" => Kind::Stddev,
            "length" | "size" if count == 0 => Kind::Length,
            "keys" if count == 0 => Kind::Keys,
            "first" if count == 0 => Kind::First,
            "last" if count == 0 => Kind::Last,
            "length" | "size" | "keys" | "first" | "last" => {
                return Err(wrong("this function takes no argument"));
            }
            "index" => {
                Kind::Index(index(&call.arguments).ok_or_else(|| wrong("`index` takes one whole number"))?)
            }
            "append" | "concat" if count == 0 => return Err(wrong("this function needs an argument")),
            "append" => Kind::Append,
            "concat" => Kind::Concat,
            _ => {
                return Err(wrong(
                    "no such function: there are min, max, sum, avg, stddev, length, keys, first, last, index, append and concat",
                ));
            }
        };
        let value = |argument| match argument {
            Argument::Path(read) => Expression::from_read(read, source).map(Value::Path),
            Argument::Literal(text) => Ok(Value::Literal(text)),
        };
        let arguments = call.arguments.into_iter().map(value).collect::<Result<_, _>>()?;
        Ok(Self { kind, arguments })
    }

    pub(super) fn apply<'a>(
        &self,
        input: Input<'a>,
        document: &Document<'a>,
    ) -> Result<Input<'a>, PathError> {
        Ok(match self.kind {
            Kind::Length => length(&input)?.map_or(Input::Nothing, |length| one(length.to_string())),
            Kind::Keys => match &input {
                Input::One(value) if value.starts_with('{') => one(array(&keys(value)?)),
                _ => Input::Nothing,
            },
            Kind::First => element(input, 0)?,
            Kind::Last => element(input, -1)?,
            Kind::Index(index) => element(input, index)?,
            Kind::Append => self.append(&input, document)?,
            Kind::Concat => self.concat(&input, document)?,
            Kind::Min | Kind::Max | Kind::Sum | Kind::Avg | Kind::Stddev => {
                self.aggregate(&input, document)?
            }
        })
    }

    fn append<'a>(&self, input: &Input<'a>, document: &Document<'a>) -> Result<Input<'a>, PathError> {
        if matches!(input, Input::Nothing) {
            return Ok(Input::Nothing);
        }
        let mut values: Vec<Cow<'_, str>> = items(input)?.into_iter().map(Cow::Borrowed).collect();
        for argument in &self.arguments {
            values.extend(argument.value(document)?);
        }
        check(values.iter().map(|value| value.len() + 1).sum(), document)?;
        Ok(one(array(&values)))
    }

    /// Strings of the input array (or the input itself, if it is a string), then all arguments as text.
    fn concat<'a>(&self, input: &Input<'a>, document: &Document<'a>) -> Result<Input<'a>, PathError> {
        let mut text = String::new();
        for item in items(input)?.into_iter().filter(|item| item.starts_with('"')) {
            push_text(item, &mut text);
            check(text.len(), document)?;
        }
        for argument in &self.arguments {
            if let Some(value) = argument.value(document)? {
                push_text(&value, &mut text);
                check(text.len(), document)?;
            }
        }
        let mut json = Vec::new();
        quote(&text, &mut json);
        Ok(one(String::from_utf8(json).expect("escaped text is text")))
    }

    fn aggregate<'a>(&self, input: &Input<'a>, document: &Document<'a>) -> Result<Input<'a>, PathError> {
        let mut given = Vec::new();
        for argument in &self.arguments {
            given.push(argument.input(document)?);
        }
        let mut numbers = Vec::new();
        for input in std::iter::once(input).chain(&given) {
            numbers.extend(items(input)?.into_iter().filter(|item| is_number(item)));
        }
        if numbers.is_empty() {
            return Ok(Input::Nothing);
        }
        let result = match self.kind {
            Kind::Min => numbers.into_iter().min_by(|a, b| compare(a, b)).map(str::to_owned),
            // The first of equal ones, as `min` does.
            Kind::Max => numbers.into_iter().rev().max_by(|a, b| compare(a, b)).map(str::to_owned),
            Kind::Sum => Some(sum(&numbers).ok_or(PathError::Infinite("sum"))?),
            Kind::Avg => Some(double(mean(&numbers)).ok_or(PathError::Infinite("avg"))?),
            _ => {
                let mean = mean(&numbers);
                let squares: f64 = numbers.iter().map(|n| (to_f64(n) - mean).powi(2)).sum();
                let deviation = (squares / numbers.len() as f64).sqrt();
                Some(double(deviation).ok_or(PathError::Infinite("stddev"))?)
            }
        };
        Ok(result.map_or(Input::Nothing, one))
    }
}

impl Value {
    fn value<'v, 'a: 'v>(&'v self, document: &Document<'a>) -> Result<Option<Cow<'v, str>>, PathError> {
        match self {
            Self::Path(expression) => expression.value(document),
            Self::Literal(text) => Ok(Some(Cow::Borrowed(text))),
        }
    }

    fn input<'a>(&self, document: &Document<'a>) -> Result<Input<'a>, PathError> {
        match self {
            Self::Path(expression) => expression.input(document),
            Self::Literal(text) => Ok(one(text.clone())),
        }
    }
}

fn one<'a>(text: String) -> Input<'a> {
    Input::One(Cow::Owned(text))
}

fn check(length: usize, document: &Document<'_>) -> Result<(), PathError> {
    let limit = ROOM.saturating_add(GROWTH_MAX.saturating_mul(document.text.len()));
    if length > limit { Err(PathError::TooLarge(limit)) } else { Ok(()) }
}

/// The number that is `index`'s only argument.
fn index(arguments: &[Argument]) -> Option<i64> {
    match arguments {
        [Argument::Literal(number)] => number.parse().ok(),
        _ => None,
    }
}

/// The names of the children: what `~` stands for.
pub(super) fn child_names<'a>(input: &Input<'a>) -> Result<Input<'a>, PathError> {
    let values: Vec<&str> = match input {
        Input::Nothing => return Ok(Input::Nothing),
        Input::One(value) => vec![value],
        Input::Many(values) => values.clone(),
    };
    let mut names = Vec::new();
    for value in values.into_iter().filter(|value| value.starts_with('{')) {
        names.extend(keys(value)?);
    }
    Ok(one(array(&names)))
}

/// The elements of an array, all matches, or the one value.
fn items<'i>(input: &'i Input<'_>) -> Result<Vec<&'i str>, SyntaxError> {
    match input {
        Input::Nothing => Ok(Vec::new()),
        Input::One(value) if value.starts_with('[') => children(value),
        Input::One(value) => Ok(vec![value]),
        Input::Many(values) => Ok(values.clone()),
    }
}

/// The elements of an array or the values of an object.
fn children(container: &str) -> Result<Vec<&str>, SyntaxError> {
    let mut values = Vec::new();
    each_child(container, |_, value| values.push(value))?;
    Ok(values)
}

/// The keys of an object, in their quotes.
fn keys(object: &str) -> Result<Vec<&str>, SyntaxError> {
    let mut keys = Vec::new();
    each_child(object, |key, _| keys.push(key))?;
    Ok(keys)
}

fn each_child<'t>(container: &'t str, mut child: impl FnMut(&'t str, &'t str)) -> Result<(), SyntaxError> {
    let mut scanner = Scanner::of(container);
    let (object, closer) = match scanner.peek() {
        Some(b'{') => (true, b'}'),
        _ => (false, b']'),
    };
    scanner.step();
    let mut closers = Vec::new();
    while scanner.peek() != Some(closer) {
        let mut key = "";
        if object {
            let start = scanner.at();
            let body = scanner.key()?;
            key = &container[start..start + body.text.len() + 2];
        }
        let span = scanner.value(&mut closers)?;
        child(key, &container[span]);
        if scanner.peek() == Some(b',') {
            scanner.step();
        }
    }
    Ok(())
}

fn length(input: &Input<'_>) -> Result<Option<usize>, SyntaxError> {
    match input {
        Input::Nothing => Ok(None),
        Input::Many(values) => Ok(Some(values.len())),
        Input::One(value) => match value.as_bytes().first() {
            Some(b'[' | b'{') => children(value).map(|values| Some(values.len())),
            Some(b'"') => {
                let mut text = String::new();
                push_text(value, &mut text);
                Ok(Some(text.chars().count()))
            }
            _ => Ok(None),
        },
    }
}

/// The element with this number; a negative one counts from the end.
fn element<'a>(input: Input<'a>, index: i64) -> Result<Input<'a>, PathError> {
    let items: Vec<Cow<'a, str>> = match input {
        Input::Many(values) => values.into_iter().map(Cow::Borrowed).collect(),
        Input::One(Cow::Borrowed(value)) if value.starts_with('[') => {
            children(value)?.into_iter().map(Cow::Borrowed).collect()
        }
        Input::One(Cow::Owned(value)) if value.starts_with('[') => {
            children(&value)?.into_iter().map(|child| Cow::Owned(child.to_owned())).collect()
        }
        _ => Vec::new(),
    };
    let place = if index < 0 { items.len() as i64 + index } else { index };
    let found = usize::try_from(place).ok().and_then(|place| items.into_iter().nth(place));
    Ok(found.map_or(Input::Nothing, Input::One))
}

/// A string's text, nothing for `null`, and anything else as it stands.
fn push_text(json: &str, out: &mut String) {
    match json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(body) => unescape(body, out),
        None if json == "null" => {}
        None => out.push_str(json),
    }
}

fn is_number(json: &str) -> bool {
    json.starts_with(|c: char| c == '-' || c.is_ascii_digit())
}

fn to_f64(number: &str) -> f64 {
    number.parse().unwrap_or(f64::NAN)
}

/// Whole numbers exactly, others as doubles.
fn compare(a: &str, b: &str) -> Ordering {
    match (a.parse::<i128>(), b.parse::<i128>()) {
        (Ok(a), Ok(b)) => a.cmp(&b),
        _ => to_f64(a).total_cmp(&to_f64(b)),
    }
}

fn sum(numbers: &[&str]) -> Option<String> {
    let whole = numbers.iter().try_fold(0_i128, |sum, number| sum.checked_add(number.parse().ok()?));
    match whole {
        Some(sum) => Some(sum.to_string()),
        None => double(numbers.iter().map(|number| to_f64(number)).sum()),
    }
}

fn mean(numbers: &[&str]) -> f64 {
    numbers.iter().map(|number| to_f64(number)).sum::<f64>() / numbers.len() as f64
}

/// A double as JSON; `None`: JSON has no infinity.
fn double(number: f64) -> Option<String> {
    serde_json::Number::from_f64(number).map(|number| number.to_string())
}
