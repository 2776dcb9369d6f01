//! The functions behind a path.

use super::{
    Document, PathError,
    compare::compare_numbers,
    expression::{Expression, array},
    query::{Evaluation, PathResult},
};
use crate::json::{
    Scanner, SyntaxError,
    escape::{quote, unescape},
};
use std::borrow::Cow;

/// Bytes that any result may have, and how many times larger than the text it may be beyond that.
const ROOM: usize = 64 << 10;
const GROWTH_MAX: usize = 16;

/// What a path has found, or a function has made of it.
#[derive(Clone, Debug)]
pub(super) enum Input<'a> {
    Nothing,
    One(Cow<'a, str>),
    /// Matches of a path that can have many: a function is applied to each of them.
    Each(Vec<Cow<'a, str>>),
    /// Matches that functions see as one array.
    All(Vec<Cow<'a, str>>),
}

#[derive(Clone, Debug)]
pub(super) struct Function {
    kind: Kind,
    arguments: Vec<Argument>,
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
pub(super) enum Argument {
    Path(Expression),
    /// A JSON text.
    Literal(String),
}

impl Function {
    pub(super) fn new(name: &str, arguments: Vec<Argument>) -> Result<Self, &'static str> {
        let count = arguments.len();
        let kind = match name {
            "min" => Kind::Min,
            "max" => Kind::Max,
            "sum" => Kind::Sum,
            "avg" => Kind::Avg,
            "stddev" => Kind::Stddev,
            "length" | "size" if count == 0 => Kind::Length,
            "keys" if count == 0 => Kind::Keys,
            "first" if count == 0 => Kind::First,
            "last" if count == 0 => Kind::Last,
            "length" | "size" | "keys" | "first" | "last" => return Err("this function takes no argument"),
            "index" => Kind::Index(index(&arguments).ok_or("`index` takes one whole number")?),
            "append" | "concat" if count == 0 => return Err("this function needs an argument"),
            "append" => Kind::Append,
            "concat" => Kind::Concat,
            _ => {
                return Err(
                    "no such function: there are min, max, sum, avg, stddev, length, keys, first, last, index, append and concat",
                );
            }
        };
        Ok(Self { kind, arguments })
    }

    pub(super) fn apply<'a>(
        &self,
        input: Input<'a>,
        evaluation: &Evaluation<'_, 'a>,
    ) -> PathResult<Input<'a>> {
        let arguments = self
            .arguments
            .iter()
            .map(|argument| argument.input(evaluation))
            .collect::<PathResult<Vec<_>>>()?;
        match input {
            Input::Each(values) if self.is_of_each(&values) => {
                let (mut results, mut length) = (Vec::with_capacity(values.len()), 0);
                for value in values {
                    let result = self.once(Input::One(value), &arguments, evaluation)?;
                    let text = result.into_value(evaluation.document)?.unwrap_or(Cow::Borrowed("null"));
                    length += text.len() + 1;
                    check(length, evaluation.document)?;
                    results.push(text);
                }
                Ok(Input::Each(results))
            }
            Input::Each(values) => self.once(Input::All(values), &arguments, evaluation),
            input => self.once(input, &arguments, evaluation),
        }
    }

    /// Whether it is applied to each of the matches. A function of the elements of arrays is one of all matches if none
    /// of them is an array.
    fn is_of_each(&self, values: &[Cow<'_, str>]) -> bool {
        match self.kind {
            Kind::Length | Kind::Keys | Kind::Append | Kind::Concat => true,
            Kind::Min | Kind::Max | Kind::Sum | Kind::Avg | Kind::Stddev => {
                values.iter().any(|value| is_array(value))
            }
            Kind::First | Kind::Last | Kind::Index(_) => values.iter().any(|value| is_array(value)),
        }
    }

    fn once<'a>(
        &self,
        input: Input<'a>,
        arguments: &[Input<'a>],
        evaluation: &Evaluation<'_, 'a>,
    ) -> PathResult<Input<'a>> {
        evaluation.budget.spend(1 + input.bytes() / 64)?;
        let document = evaluation.document;
        Ok(match self.kind {
            Kind::Length => length(&input)?.map_or(Input::Nothing, |length| one(length.to_string())),
            Kind::Keys => match &input {
                Input::One(value) if value.starts_with('{') => one(array(&keys(value)?)),
                _ => Input::Nothing,
            },
            Kind::First => element(input, 0)?,
            Kind::Last => element(input, -1)?,
            Kind::Index(index) => element(input, index)?,
            Kind::Append => append(input, arguments, document)?,
            Kind::Concat => concat(&input, arguments, document)?,
            Kind::Min | Kind::Max | Kind::Sum | Kind::Avg | Kind::Stddev => {
                self.aggregate(&input, arguments)?
            }
        })
    }

    fn aggregate<'a>(&self, input: &Input<'a>, arguments: &[Input<'a>]) -> PathResult<Input<'a>> {
        let mut numbers = Vec::new();
        for input in std::iter::once(input).chain(arguments) {
            numbers.extend(items(input)?.into_iter().filter(|item| is_number(item)));
        }
        if numbers.is_empty() {
            return Ok(Input::Nothing);
        }
        let result = match self.kind {
            Kind::Min => numbers.into_iter().min_by(|a, b| compare_numbers(a, b)).map(str::to_owned),
            // The first of equal ones, as `min` does.
            Kind::Max => numbers.into_iter().rev().max_by(|a, b| compare_numbers(a, b)).map(str::to_owned),
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

impl Argument {
    fn input<'a>(&self, evaluation: &Evaluation<'_, 'a>) -> PathResult<Input<'a>> {
        match self {
            Self::Path(expression) => expression.input(evaluation),
            Self::Literal(text) => Ok(one(text.clone())),
        }
    }
}

impl Input<'_> {
    fn bytes(&self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::One(value) => value.len(),
            Self::Each(values) | Self::All(values) => values.iter().map(|value| value.len()).sum(),
        }
    }
}

/// The array with more elements behind it; what is no array stays as it is.
fn append<'a>(input: Input<'a>, arguments: &[Input<'a>], document: &Document<'a>) -> PathResult<Input<'a>> {
    match &input {
        Input::Nothing => return Ok(input),
        Input::One(value) if !is_array(value) => return Ok(input),
        Input::One(_) | Input::Each(_) | Input::All(_) => {}
    }
    let mut values: Vec<Cow<'_, str>> = items(&input)?.into_iter().map(Cow::Borrowed).collect();
    for argument in arguments {
        values.extend(argument.clone().into_value(document)?);
    }
    check(values.iter().map(|value| value.len() + 1).sum(), document)?;
    Ok(one(array(&values)))
}

/// Strings of the input array (or the input itself, if it is a string), then all arguments as text.
fn concat<'a>(input: &Input<'a>, arguments: &[Input<'a>], document: &Document<'a>) -> PathResult<Input<'a>> {
    let mut text = String::new();
    for item in items(input)?.into_iter().filter(|item| item.starts_with('"')) {
        push_text(item, &mut text);
        check(text.len(), document)?;
    }
    for argument in arguments {
        if let Some(value) = argument.clone().into_value(document)? {
            push_text(&value, &mut text);
            check(text.len(), document)?;
        }
    }
    let mut json = Vec::new();
    quote(&text, &mut json);
    Ok(one(String::from_utf8(json).expect("escaped text is text")))
}

fn is_array(value: &str) -> bool {
    value.starts_with('[')
}

fn one<'a>(text: String) -> Input<'a> {
    Input::One(Cow::Owned(text))
}

/// Bounds the size of a result.
pub(super) fn check(length: usize, document: &Document<'_>) -> PathResult<()> {
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
        Input::Each(values) | Input::All(values) => values.iter().map(AsRef::as_ref).collect(),
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
        Input::Each(values) | Input::All(values) => Ok(values.iter().map(AsRef::as_ref).collect()),
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
        Input::Each(values) | Input::All(values) => Ok(Some(values.len())),
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
        Input::Each(values) | Input::All(values) => values,
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
