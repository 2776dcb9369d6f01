//! JSONPath: RFC 9535 through `jsonpath-rust`, with what the product documents of Jayway's dialect.

mod expression;
mod functions;
mod query;
mod read;
#[cfg(test)]
mod tests;

use crate::json::{
    SyntaxError,
    pick::{Step, pick_bytes},
    tree::{Node, TreeError},
};
use connect_core::Error;
use expression::Expression;
use std::{borrow::Cow, cell::OnceCell, fmt, str::FromStr};

/// A compiled JSONPath expression, which takes values out of JSON texts as they stand in them.
///
/// # Syntax
/// RFC 9535, and of Jayway's dialect:
///
/// | written | means |
/// |---|---|
/// | `$.labels.qcloud-app`, `$.@timestamp`, `$.0` | keys after a dot may hold letters, digits and any of `_-@$#:/` |
/// | `$.['a'].['b.c']` | a dot before a bracket is skipped |
/// | `$.a.*~` | the names of the children, as an array |
/// | `$.a.length()` | number of elements, members or characters |
/// | `$.a.keys()` | the keys of an object, as an array |
/// | `$.a.min()`, `max()`, `sum()`, `avg()`, `stddev()` | over the numbers of an array, or of all matches |
/// | `$.a.first()`, `last()`, `index(-1)` | an element of an array, or one of the matches |
/// | `$.a.append("x")` | the array (or the matches) with more elements behind it |
/// | `$.concat($.a, "#", $.b)` | the texts, one behind the other; what is missing or `null` adds nothing |
///
/// Arguments of functions are paths, strings in either kind of quotes, numbers, `true`, `false` and `null`. `min`, `max`,
/// `sum`, `avg` and `stddev` also take paths: `$.sum($.a, $..b)`. One `)` too many at the end is let pass, because the
/// product's own documentation has it. In filters the functions of the RFC exist (`length`, `count`, `value`, `match`,
/// `search`) and `in`, `nin`, `any_of`, `none_of` and `subset_of`.
///
/// # Results
/// - A **definite** path (keys and indices from the front only) gives one value or none. It is picked straight from the
///   bytes: no tree, no limit on nesting, and of everything but the value found only the ends of strings and values are
///   looked for. So the text should be known to be JSON.
/// - Every other path gives all its matches; [`value`](Self::value) makes one array of them, as Jayway does. It needs a
///   tree: texts of more than 128 levels or more than 1,048,576 values are refused.
/// - Values are slices of the text: `1.0` stays `1.0`. `min`, `max`, `first` and the like give back what stands in the
///   text; sums of integers are exact, other arithmetic is double precision. Comparisons in filters are too, and take
///   numbers that differ by less than 2.2e-16 for equal.
/// - Of equal keys in one object the last one counts.
///
/// # Example
/// ```
/// # use connect_transforms::JsonPath;
/// let json = br#"{"k8s":{"qcloud-app":"shop","ports":[80,443]}}"#;
/// assert_eq!(JsonPath::compile("$.k8s.qcloud-app")?.value(json)?.as_deref(), Some(r#""shop""#));
/// assert_eq!(JsonPath::compile("$.k8s.ports[?@ > 100]")?.value(json)?.as_deref(), Some("[443]"));
/// assert_eq!(JsonPath::compile("$.k8s.ports.sum()")?.value(json)?.as_deref(), Some("523"));
///
/// let error = JsonPath::compile("$.k8s[").unwrap_err();
/// assert_eq!(error.at(), 6);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Performance
/// Compile once; a definite path then allocates nothing. Time and memory are linear in the text. A path whose work is
/// not (filters that walk the whole text for each element of it) ends with an error, not with a standstill. The
/// patterns of `match` and `search` are compiled with the path, so they must be literals.
#[derive(Clone, Debug)]
pub struct JsonPath {
    source: String,
    expression: Expression,
}

/// Why an expression is no JSONPath, and where that shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonPathError {
    source: String,
    at: usize,
    reason: String,
}

/// Why a path cannot be followed in a text. All are about the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PathError {
    #[error(transparent)]
    Json(#[from] SyntaxError),
    #[error(transparent)]
    Tree(#[from] TreeError),
    #[error(
        "the JSON path needs too many steps in this text: a filter looks at the whole of it again and again"
    )]
    Steps,
    #[error("the result of `{0}()` is no number that JSON can hold")]
    Infinite(&'static str),
    #[error("the result of the JSON path would have more than {0} bytes")]
    TooLarge(usize),
}

/// A text to follow paths in; its tree is built when the first path needs it.
#[derive(Debug)]
pub(crate) struct Document<'a> {
    pub(crate) text: &'a str,
    tree: OnceCell<Node<'a>>,
}

impl JsonPath {
    /// Compiles an expression.
    ///
    /// # Errors
    /// If it is none, with the character at which that shows.
    pub fn compile(source: &str) -> Result<Self, JsonPathError> {
        Ok(Self { source: source.to_owned(), expression: Expression::compile(source)? })
    }

    /// The expression as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// Whether it names one place: keys and indices from the front only.
    #[must_use]
    pub fn is_definite(&self) -> bool {
        self.expression.steps().is_some()
    }

    /// The one value that the path stands for, as JSON text: of a definite path the value found, of a function its
    /// result, of any other path the array of all matches (`[]` if there is none). `None`: there is no such value.
    ///
    /// # Errors
    /// Poison: the text is not JSON, as far as it was looked at, or a limit (see [`JsonPath`]) was met.
    pub fn value<'a>(&self, json: &'a [u8]) -> Result<Option<Cow<'a, str>>, Error> {
        if let Some(steps) = self.steps().filter(|steps| !steps.is_empty()) {
            let found = pick_bytes(json, steps).map_err(|error| PathError::from(error).during())?;
            return Ok(found.map(Cow::Borrowed));
        }
        let document = Document::new(json).map_err(PathError::during)?;
        self.value_in(&document).map_err(PathError::during)
    }

    /// All matches as JSON texts, in the order of the text. A function has one result or none.
    ///
    /// # Errors
    /// See [`value`](Self::value).
    pub fn select<'a>(&self, json: &'a [u8]) -> Result<Vec<Cow<'a, str>>, Error> {
        let document = Document::new(json).map_err(PathError::during)?;
        self.expression.all(&document).map_err(PathError::during)
    }

    pub(crate) fn value_in<'a>(&self, document: &Document<'a>) -> Result<Option<Cow<'a, str>>, PathError> {
        self.expression.value(document)
    }

    /// Where the matches stand in the text; `None`: the result is computed, and stands nowhere.
    pub(crate) fn places_in<'a>(&self, document: &Document<'a>) -> Result<Option<Vec<&'a str>>, PathError> {
        self.expression.places(document)
    }

    /// The steps of a definite path.
    pub(crate) fn steps(&self) -> Option<&[Step]> {
        self.expression.steps()
    }

    /// Whether a condition (`?`) decides what it finds.
    pub(crate) fn filters(&self) -> bool {
        self.expression.filters()
    }

    pub(crate) fn is_computed(&self) -> bool {
        self.expression.is_computed()
    }
}

impl FromStr for JsonPath {
    type Err = JsonPathError;

    fn from_str(source: &str) -> Result<Self, JsonPathError> {
        Self::compile(source)
    }
}

impl JsonPathError {
    fn new(source: &str, byte: usize, reason: impl Into<String>) -> Self {
        let before = source.get(..byte).unwrap_or(source);
        Self { source: source.to_owned(), at: before.chars().count(), reason: reason.into() }
    }

    /// The character at which it shows, counted from 0; the expression's length if it ends too early.
    #[must_use]
    pub fn at(&self) -> usize {
        self.at
    }
}

impl fmt::Display for JsonPathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, at, reason } = self;
        let rest: String = source.chars().skip(*at).take(24).collect();
        let shown = if rest.is_empty() { "its end".to_owned() } else { format!("`{rest}`") };
        write!(f, "`{source}` is no JSON path: {reason}, at character {} ({shown})", at + 1)
    }
}

impl std::error::Error for JsonPathError {}

impl PathError {
    fn during(self) -> Error {
        Error::poison("follow the JSON path", self)
    }
}

impl<'a> Document<'a> {
    fn new(json: &'a [u8]) -> Result<Self, PathError> {
        match std::str::from_utf8(json) {
            Ok(text) => Ok(Self::of(text)),
            Err(invalid) => Err(SyntaxError::Utf8(invalid.valid_up_to()).into()),
        }
    }

    pub(crate) fn of(text: &'a str) -> Self {
        Self { text, tree: OnceCell::new() }
    }

    fn tree(&self) -> Result<&Node<'a>, TreeError> {
        if self.tree.get().is_none() {
            let _ = self.tree.set(Node::parse(self.text)?);
        }
        Ok(self.tree.get().expect("it was set"))
    }
}
