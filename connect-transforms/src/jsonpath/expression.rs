//! A compiled expression: a path, and functions of its result.

use super::{
    Document, PathError,
    functions::{Function, Input, check, child_names},
    model::{Segment, Segments, Selector},
    parse::Tail,
    query::{Evaluation, PathResult, Query},
};
use crate::json::{
    Scanner,
    pick::{Step, pick_text},
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
    /// Keys and indices: picked from the bytes.
    Definite(Vec<Step>),
    Query(Query),
}

impl Expression {
    /// `literals` are those that the filters refer to by number.
    pub(super) fn new(tail: Tail, literals: Vec<String>) -> Self {
        let Tail { path, names, functions } = tail;
        let filters = path.filters();
        let path = match definite(&path) {
            Some(steps) => Path::Definite(steps),
            None => Path::Query(Query { path, literals }),
        };
        Self { path, filters, names, functions }
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

    pub(super) fn has_functions(&self) -> bool {
        !self.functions.is_empty()
    }

    pub(super) fn is_computed(&self) -> bool {
        self.names || self.has_functions()
    }

    /// See [`super::JsonPath::value`].
    pub(super) fn value<'a>(&self, document: &Document<'a>) -> PathResult<Option<Cow<'a, str>>> {
        self.input(&Evaluation::new(document))?.into_value(document)
    }

    /// See [`super::JsonPath::select`].
    pub(super) fn all<'a>(&self, document: &Document<'a>) -> PathResult<Vec<Cow<'a, str>>> {
        Ok(match self.input(&Evaluation::new(document))? {
            Input::Nothing => Vec::new(),
            Input::One(value) => vec![value],
            Input::Each(values) | Input::All(values) => values,
        })
    }

    /// See [`super::JsonPath::places_in`].
    pub(super) fn places<'a>(&self, document: &Document<'a>) -> PathResult<Option<Vec<&'a str>>> {
        if self.is_computed() {
            return Ok(None);
        }
        self.found(&Evaluation::new(document)).map(|found| {
            Some(match found {
                Found::Nothing => Vec::new(),
                Found::One(value) => vec![value],
                Found::Many(values) => values,
            })
        })
    }

    pub(super) fn input<'a>(&self, evaluation: &Evaluation<'_, 'a>) -> PathResult<Input<'a>> {
        let mut input = match self.found(evaluation)? {
            Found::Nothing => Input::Nothing,
            Found::One(value) => Input::One(Cow::Borrowed(value)),
            Found::Many(values) => {
                let values = values.into_iter().map(Cow::Borrowed).collect();
                match &self.path {
                    Path::Query(query) => Input::many(&query.path, values),
                    Path::Definite(_) => Input::Each(values),
                }
            }
        };
        if self.names {
            input = child_names(&input)?;
        }
        for function in &self.functions {
            input = function.apply(input, evaluation)?;
        }
        Ok(input)
    }

    fn found<'a>(&self, evaluation: &Evaluation<'_, 'a>) -> PathResult<Found<'a>> {
        let document = evaluation.document;
        match &self.path {
            Path::Definite(steps) => {
                evaluation.budget.spend(document.text.len() / 64)?;
                if steps.is_empty() {
                    let mut scanner = Scanner::of(document.text);
                    let span = scanner.value(&mut Vec::new())?;
                    scanner.end()?;
                    return Ok(Found::One(&document.text[span]));
                }
                Ok(pick_text(document.text, steps)?.map_or(Found::Nothing, Found::One))
            }
            Path::Query(query) => query.run(evaluation).map(Found::Many),
        }
    }
}

enum Found<'a> {
    Nothing,
    One(&'a str),
    Many(Vec<&'a str>),
}

impl<'a> Input<'a> {
    /// The matches of a path that can have many. Behind `$..` functions see all of them as one array, as in Jayway.
    pub(super) fn many(path: &Segments, values: Vec<Cow<'a, str>>) -> Self {
        if path.begins_with_descent() { Self::All(values) } else { Self::Each(values) }
    }

    /// One JSON text.
    pub(super) fn into_value(self, document: &Document<'_>) -> Result<Option<Cow<'a, str>>, PathError> {
        match self {
            Self::Nothing => Ok(None),
            Self::One(value) => Ok(Some(value)),
            Self::Each(values) | Self::All(values) => {
                check(values.iter().map(|value| value.len() + 1).sum(), document)?;
                Ok(Some(array(&values).into()))
            }
        }
    }
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

fn definite(path: &Segments) -> Option<Vec<Step>> {
    let step = |segment: &Segment| match segment.single()? {
        Selector::Name(name) => Some(Step::Name(name.clone())),
        Selector::Index(index) => {
            let distance = usize::try_from(index.unsigned_abs()).ok()?;
            Some(if *index < 0 { Step::FromEnd(distance) } else { Step::Index(distance) })
        }
        Selector::Wildcard | Selector::Slice(_) | Selector::Filter(_) => None,
    };
    path.0.iter().map(step).collect()
}
