//! A compiled expression: a path, and functions of its result.

use super::{
    Document, JsonPathError, PathError,
    functions::{Function, Input, child_names},
    query::Query,
    read::{Read, read},
};
use crate::json::{
    Scanner,
    pick::{Step, pick_text},
};
use jsonpath_rust::parser::{
    errors::JsonPathError as ParseError,
    model::{JpQuery, Segment, Selector},
    parse_json_path,
};
use std::borrow::Cow;

#[derive(Clone, Debug)]
pub(super) struct Expression {
    path: Path,
    /// A condition decides what the path finds.
    filters: bool,
    /// The names of the children of what the path finds.
    names: bool,
    functions: Vec<Function>,
}

#[derive(Clone, Debug)]
enum Path {
    /// Keys and indices from the front: picked from the bytes.
    Definite(Vec<Step>),
    Query(Query),
}

impl Expression {
    pub(super) fn compile(source: &str) -> Result<Self, JsonPathError> {
        Self::from_read(read(source)?, source)
    }

    pub(super) fn from_read(read: Read, source: &str) -> Result<Self, JsonPathError> {
        let parsed = parse_json_path(&read.path).map_err(|error| refused(&error, &read, source))?;
        let filters = parsed.segments.iter().any(filters);
        let path = match definite(&parsed) {
            Some(steps) => Path::Definite(steps),
            None => Path::Query(Query::new(parsed, source)?),
        };
        let functions =
            read.calls.into_iter().map(|call| Function::new(call, source)).collect::<Result<_, _>>()?;
        Ok(Self { path, filters, names: read.names, functions })
    }

    /// The steps of a definite path.
    pub(super) fn steps(&self) -> Option<&[Step]> {
        match &self.path {
            Path::Definite(steps) if !self.is_computed() => Some(steps),
            _ => None,
        }
    }

    pub(super) fn filters(&self) -> bool {
        self.filters
    }

    pub(super) fn is_computed(&self) -> bool {
        self.names || !self.functions.is_empty()
    }

    /// See [`super::JsonPath::value`].
    pub(super) fn value<'a>(&self, document: &Document<'a>) -> Result<Option<Cow<'a, str>>, PathError> {
        match self.input(document)? {
            Input::Nothing => Ok(None),
            Input::One(value) => Ok(Some(value)),
            Input::Many(values) => Ok(Some(array(&values).into())),
        }
    }

    /// See [`super::JsonPath::select`].
    pub(super) fn all<'a>(&self, document: &Document<'a>) -> Result<Vec<Cow<'a, str>>, PathError> {
        Ok(match self.input(document)? {
            Input::Nothing => Vec::new(),
            Input::One(value) => vec![value],
            Input::Many(values) => values.into_iter().map(Cow::Borrowed).collect(),
        })
    }

    /// See [`super::JsonPath::places_in`].
    pub(super) fn places<'a>(&self, document: &Document<'a>) -> Result<Option<Vec<&'a str>>, PathError> {
        if self.is_computed() {
            return Ok(None);
        }
        self.found(document).map(|found| {
            Some(match found {
                Found::Nothing => Vec::new(),
                Found::One(value) => vec![value],
                Found::Many(values) => values,
            })
        })
    }

    pub(super) fn input<'a>(&self, document: &Document<'a>) -> Result<Input<'a>, PathError> {
        let mut input = match self.found(document)? {
            Found::Nothing => Input::Nothing,
            Found::One(value) => Input::One(Cow::Borrowed(value)),
            Found::Many(values) => Input::Many(values),
        };
        if self.names {
            input = child_names(&input)?;
        }
        for function in &self.functions {
            input = function.apply(input, document)?;
        }
        Ok(input)
    }

    fn found<'a>(&self, document: &Document<'a>) -> Result<Found<'a>, PathError> {
        match &self.path {
            Path::Definite(steps) if steps.is_empty() => {
                let mut scanner = Scanner::of(document.text);
                let span = scanner.value(&mut Vec::new())?;
                scanner.end()?;
                Ok(Found::One(&document.text[span]))
            }
            Path::Definite(steps) => Ok(pick_text(document.text, steps)?.map_or(Found::Nothing, Found::One)),
            Path::Query(query) => query.run(document.tree()?).map(Found::Many),
        }
    }
}

enum Found<'a> {
    Nothing,
    One(&'a str),
    Many(Vec<&'a str>),
}

/// JSON texts as one array.
pub(super) fn array<T: AsRef<str>>(values: &[T]) -> String {
    let mut text =
        String::with_capacity(values.iter().map(|value| value.as_ref().len() + 1).sum::<usize>() + 2);
    text.push('[');
    for (number, value) in values.iter().enumerate() {
        if number > 0 {
            text.push(',');
        }
        text.push_str(value.as_ref());
    }
    text.push(']');
    text
}

fn definite(path: &JpQuery) -> Option<Vec<Step>> {
    let step = |segment: &Segment| match segment {
        Segment::Selector(Selector::Name(name)) => Some(Step::Name(name.clone())),
        Segment::Selector(Selector::Index(index)) => usize::try_from(*index).ok().map(Step::Index),
        Segment::Selector(Selector::Wildcard | Selector::Slice(..) | Selector::Filter(_))
        | Segment::Descendant(_)
        | Segment::Selectors(_) => None,
    };
    path.segments.iter().map(step).collect()
}

fn filters(segment: &Segment) -> bool {
    let filter = |selector: &Selector| matches!(selector, Selector::Filter(_));
    match segment {
        Segment::Descendant(inner) => filters(inner),
        Segment::Selector(selector) => filter(selector),
        Segment::Selectors(selectors) => selectors.iter().any(filter),
    }
}

/// The parser's complaint, at the place of the source that it is about.
fn refused(error: &ParseError, read: &Read, source: &str) -> JsonPathError {
    let bracket = source.find('[').unwrap_or_default();
    match error {
        ParseError::PestError(error) => {
            let at = match error.location {
                pest::error::InputLocation::Pos(at) | pest::error::InputLocation::Span((at, _)) => at,
            };
            let at = read.map.get(at).copied().unwrap_or(source.len());
            JsonPathError::new(source, at, error.variant.message().replace('_', " "))
        }
        ParseError::InvalidJsonPath(reason) => JsonPathError::new(source, bracket, lowered(reason)),
        other => JsonPathError::new(source, bracket, lowered(&other.to_string())),
    }
}

fn lowered(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}
