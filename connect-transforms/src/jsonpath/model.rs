//! A path and its filters, as they were written.

use super::functions::Function;
use regex::Regex;

/// A path behind `$` or `@`.
#[derive(Clone, Debug, Default)]
pub(super) struct Segments(pub(super) Vec<Segment>);

/// One step from all nodes found so far.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    /// The step is taken from all descendants too: `..`.
    pub(super) descends: bool,
    pub(super) selectors: Vec<Selector>,
}

#[derive(Clone, Debug)]
pub(super) enum Selector {
    Name(String),
    Wildcard,
    /// A negative one counts from the end.
    Index(i64),
    Slice(Slice),
    Filter(Condition),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slice {
    pub(super) start: Option<i64>,
    pub(super) end: Option<i64>,
    pub(super) step: i64,
}

/// Decides whether a filter selects a value.
#[derive(Clone, Debug)]
pub(super) enum Condition {
    Any(Vec<Condition>),
    All(Vec<Condition>),
    Not(Box<Condition>),
    /// The path finds something.
    Exists(Inner),
    Compare(Operand, Comparison, Operand),
    Relate(Operand, Relation, Operand),
    /// `match` and `search`: only a text can match.
    Matches(Operand, Regex),
    /// Jayway's `=~`: the whole text of a scalar, or any element of an array.
    Like(Operand, Regex),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Jayway's operators that are words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    In,
    NotIn,
    SubsetOf,
    AnyOf,
    NoneOf,
    All,
    Contains,
    Size,
    Empty,
}

#[derive(Clone, Debug)]
pub(super) enum Operand {
    /// The number of a literal of the query.
    Literal(usize),
    Path(Inner),
    Length(Box<Operand>),
    Count(Inner),
    Value(Inner),
}

/// A path in a filter, and the functions behind it.
#[derive(Clone, Debug)]
pub(super) struct Inner {
    /// It begins at the root (`$`), not at the value that is asked (`@`).
    pub(super) of_root: bool,
    pub(super) path: Segments,
    pub(super) functions: Vec<Function>,
}

impl Segments {
    /// Whether it leads to one place: keys and indices only.
    pub(super) fn is_singular(&self) -> bool {
        self.0.iter().all(|segment| segment.single().is_some())
    }

    /// Whether it begins with `..`.
    pub(super) fn begins_with_descent(&self) -> bool {
        self.0.first().is_some_and(|segment| segment.descends)
    }

    pub(super) fn filters(&self) -> bool {
        let filter = |selector: &Selector| matches!(selector, Selector::Filter(_));
        self.0.iter().any(|segment| segment.selectors.iter().any(filter))
    }
}

impl Segment {
    /// The only selector, if it leads to one place.
    pub(super) fn single(&self) -> Option<&Selector> {
        match self.selectors.as_slice() {
            [one @ (Selector::Name(_) | Selector::Index(_))] if !self.descends => Some(one),
            _ => None,
        }
    }
}

impl Inner {
    /// Whether it has one value at most.
    pub(super) fn is_singular(&self) -> bool {
        self.path.is_singular() || !self.functions.is_empty()
    }
}

impl Comparison {
    /// From the longest to the shortest, so that none hides another.
    pub(super) const SYMBOLS: [(&'static str, Self); 8] = [
        ("===", Self::Equal),
        ("!==", Self::Unequal),
        ("==", Self::Equal),
        ("!=", Self::Unequal),
        ("<=", Self::LessOrEqual),
        (">=", Self::GreaterOrEqual),
        ("<", Self::Less),
        (">", Self::Greater),
    ];
}

impl Relation {
    pub(super) const WORDS: &'static str = "in, nin, subsetof, anyof, noneof, all, contains, size and empty";

    /// The operator of this name, in upper or lower case.
    pub(super) fn by_name(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "in" => Self::In,
            "nin" => Self::NotIn,
            "subsetof" => Self::SubsetOf,
            "anyof" => Self::AnyOf,
            "noneof" => Self::NoneOf,
            "all" => Self::All,
            "contains" => Self::Contains,
            "size" => Self::Size,
            "empty" => Self::Empty,
            _ => return None,
        })
    }

    /// The operator of a function `in(@.a, $.list)`.
    pub(super) fn by_function(name: &str) -> Option<Self> {
        Some(match name {
            "in" => Self::In,
            "nin" => Self::NotIn,
            "subset_of" => Self::SubsetOf,
            "any_of" => Self::AnyOf,
            "none_of" => Self::NoneOf,
            _ => return None,
        })
    }
}
