//! What `jsonpath-rust` asks of our tree, within bounds.
//!
//! It gives no way to hand anything to the tree while it evaluates, so that what belongs to one evaluation (the steps
//! left and the compiled patterns) stands in the thread meanwhile.

use super::{JsonPathError, PathError};
use crate::json::tree::{Kind, Members, Node, Text};
use jsonpath_rust::{
    parser::model::{
        Comparable, Comparison, Filter, FilterAtom, FnArg, JpQuery, Literal, Segment, Selector, Test,
        TestFunction,
    },
    query::{js_path_process, queryable::Queryable},
};
use regex::Regex;
use std::{
    borrow::Cow,
    cell::{Cell, RefCell},
    sync::Arc,
};

/// Steps that every evaluation may take, beside some for each byte of the text.
const STEPS: u64 = 1 << 20;
/// Bytes that a compiled pattern may take.
const PATTERN_MAX: usize = 1 << 20;

thread_local! {
    static LEFT: Cell<u64> = const { Cell::new(0) };
    static PATTERNS: RefCell<Option<Arc<[Regex]>>> = const { RefCell::new(None) };
}

/// A path that is not definite, its patterns compiled.
#[derive(Clone, Debug)]
pub(super) struct Query {
    path: JpQuery,
    patterns: Arc<[Regex]>,
}

impl Query {
    pub(super) fn new(mut path: JpQuery, source: &str) -> Result<Self, JsonPathError> {
        let mut patterns = Patterns { source, compiled: Vec::new() };
        patterns.segments(&mut path.segments)?;
        Ok(Self { path, patterns: patterns.compiled.into() })
    }

    /// The texts of all matches.
    pub(super) fn run<'a>(&self, tree: &Node<'a>) -> Result<Vec<&'a str>, PathError> {
        LEFT.set(STEPS + 2 * tree.raw.len() as u64);
        PATTERNS.set(Some(Arc::clone(&self.patterns)));
        let found = js_path_process(&self.path, tree);
        PATTERNS.set(None);
        if LEFT.get() == 0 {
            return Err(PathError::Steps);
        }
        Ok(found.map(|found| found.into_iter().map(|found| found.val.raw).collect()).unwrap_or_default())
    }
}

/// Takes steps; `false`: none are left. Then everything looks empty, so that the evaluation ends soon.
fn spend(steps: usize) -> bool {
    let left = LEFT.get().saturating_sub(steps as u64 + 1);
    LEFT.set(left);
    left > 0
}

impl<'a> Queryable for Node<'a> {
    fn get(&self, key: &str) -> Option<&Self> {
        if spend(0) { self.get(key) } else { None }
    }

    fn as_array(&self) -> Option<&Vec<Self>> {
        match &self.kind {
            Kind::Array(elements) if spend(elements.len()) => Some(elements),
            _ => None,
        }
    }

    /// The names are left out: they only go into paths, one copy for each descendant, which nobody asks for here.
    fn as_object(&self) -> Option<Vec<(&str, &Self)>> {
        match &self.kind {
            Kind::Object(members) if spend(members.list.len()) => {
                Some(members.list.iter().map(|(_, node)| ("", node)).collect())
            }
            _ => None,
        }
    }

    fn as_str(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) if spend(self.raw.len() / 64) => Some(text.as_str()),
            _ => None,
        }
    }

    fn as_i64(&self) -> Option<i64> {
        match self.kind {
            Kind::Number => self.raw.parse().ok(),
            Kind::Int(number) => Some(number),
            _ => None,
        }
    }

    /// Nothing for what is beyond all doubles: it is then compared as text.
    fn as_f64(&self) -> Option<f64> {
        match self.kind {
            Kind::Number if spend(self.raw.len() / 64) => {
                self.raw.parse().ok().filter(|n: &f64| n.is_finite())
            }
            Kind::Int(number) => Some(number as f64),
            Kind::Float(number) => Some(number),
            _ => None,
        }
    }

    fn as_bool(&self) -> Option<bool> {
        match self.kind {
            Kind::Bool(yes) => Some(yes),
            _ => None,
        }
    }

    fn null() -> Self {
        Self::default()
    }

    fn extension_custom(name: &str, args: Vec<Cow<'_, Self>>) -> Self {
        if let Ok(number) = name.parse::<usize>() {
            return matches(number, &args).into();
        }
        let [left, right] = args.as_slice() else {
            return Self::null();
        };
        let Some(right) = right.as_array() else {
            return Self::null();
        };
        let holds = |element: &Self| right.iter().any(|other| spend(0) && other == element);
        match (name, left.as_array()) {
            ("in", _) => holds(left).into(),
            ("nin", _) => (!holds(left)).into(),
            ("none_of", Some(left)) => (!left.iter().any(holds)).into(),
            ("any_of", Some(left)) => left.iter().any(holds).into(),
            ("subset_of", Some(left)) => left.iter().all(holds).into(),
            _ => Self::null(),
        }
    }
}

/// Whether the one text matches the pattern with this number.
fn matches(number: usize, args: &[Cow<'_, Node<'_>>]) -> bool {
    let [text] = args else {
        return false;
    };
    PATTERNS.with_borrow(|patterns| {
        let pattern = patterns.as_ref().and_then(|patterns| patterns.get(number));
        pattern.zip(text.as_str()).is_some_and(|(pattern, text)| pattern.is_match(text))
    })
}

impl PartialEq for Node<'_> {
    fn eq(&self, other: &Self) -> bool {
        if !spend(self.raw.len() / 64) {
            return false;
        }
        match (&self.kind, &other.kind) {
            (Kind::Null, Kind::Null) => true,
            (Kind::Bool(a), Kind::Bool(b)) => a == b,
            (Kind::Text(a), Kind::Text(b)) => a.as_str() == b.as_str(),
            (Kind::Array(a), Kind::Array(b)) => a == b,
            (Kind::Object(a), Kind::Object(b)) => equal_members(a, b),
            (Kind::Number, Kind::Number) if self.raw == other.raw => true,
            _ => match (Queryable::as_f64(self), Queryable::as_f64(other)) {
                (Some(a), Some(b)) => a == b,
                _ => false,
            },
        }
    }
}

fn equal_members(a: &Members<'_>, b: &Members<'_>) -> bool {
    a.list.len() == b.list.len()
        && a.list.iter().all(|(key, node)| b.get(key.as_str()).is_some_and(|other| node == other))
}

impl From<&str> for Node<'_> {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<String> for Node<'_> {
    fn from(text: String) -> Self {
        Self::computed(Kind::Text(Text::owned(text)))
    }
}

impl From<bool> for Node<'_> {
    fn from(yes: bool) -> Self {
        Self::computed(Kind::Bool(yes))
    }
}

impl From<i64> for Node<'_> {
    fn from(number: i64) -> Self {
        Self::computed(Kind::Int(number))
    }
}

impl From<f64> for Node<'_> {
    fn from(number: f64) -> Self {
        Self::computed(Kind::Float(number))
    }
}

impl From<Vec<Self>> for Node<'_> {
    fn from(elements: Vec<Self>) -> Self {
        Self::computed(Kind::Array(elements))
    }
}

/// Compiles the patterns of `match` and `search`, which `jsonpath-rust` would compile anew for every element, and puts
/// a call of our own in their place, named by the number of the pattern.
struct Patterns<'s> {
    source: &'s str,
    compiled: Vec<Regex>,
}

impl Patterns<'_> {
    fn segments(&mut self, segments: &mut [Segment]) -> Result<(), JsonPathError> {
        segments.iter_mut().try_for_each(|segment| self.segment(segment))
    }

    fn segment(&mut self, segment: &mut Segment) -> Result<(), JsonPathError> {
        match segment {
            Segment::Descendant(inner) => self.segment(inner),
            Segment::Selector(selector) => self.selector(selector),
            Segment::Selectors(selectors) => {
                selectors.iter_mut().try_for_each(|selector| self.selector(selector))
            }
        }
    }

    fn selector(&mut self, selector: &mut Selector) -> Result<(), JsonPathError> {
        match selector {
            Selector::Filter(filter) => self.filter(filter),
            Selector::Name(_) | Selector::Wildcard | Selector::Index(_) | Selector::Slice(..) => Ok(()),
        }
    }

    fn filter(&mut self, filter: &mut Filter) -> Result<(), JsonPathError> {
        match filter {
            Filter::Or(filters) | Filter::And(filters) => {
                filters.iter_mut().try_for_each(|filter| self.filter(filter))
            }
            Filter::Atom(FilterAtom::Filter { expr, .. }) => self.filter(expr),
            Filter::Atom(FilterAtom::Test { expr, .. }) => self.test(expr),
            Filter::Atom(FilterAtom::Comparison(comparison)) => match &mut **comparison {
                Comparison::Eq(a, b)
                | Comparison::Ne(a, b)
                | Comparison::Gt(a, b)
                | Comparison::Gte(a, b)
                | Comparison::Lt(a, b)
                | Comparison::Lte(a, b) => [a, b].into_iter().try_for_each(|side| match side {
                    Comparable::Function(function) => self.function(function),
                    Comparable::Literal(_) | Comparable::SingularQuery(_) => Ok(()),
                }),
            },
        }
    }

    fn test(&mut self, test: &mut Test) -> Result<(), JsonPathError> {
        match test {
            Test::RelQuery(segments) => self.segments(segments),
            Test::AbsQuery(path) => self.segments(&mut path.segments),
            Test::Function(function) => self.function(function),
        }
    }

    fn argument(&mut self, argument: &mut FnArg) -> Result<(), JsonPathError> {
        match argument {
            FnArg::Literal(_) => Ok(()),
            FnArg::Test(test) => self.test(test),
            FnArg::Filter(filter) => self.filter(filter),
        }
    }

    fn function(&mut self, function: &mut TestFunction) -> Result<(), JsonPathError> {
        let (text, pattern, name) = match function {
            TestFunction::Match(text, pattern) => (text, pattern, "match"),
            TestFunction::Search(text, pattern) => (text, pattern, "search"),
            TestFunction::Custom(_, arguments) => {
                return arguments.iter_mut().try_for_each(|argument| self.argument(argument));
            }
            TestFunction::Length(argument) => return self.argument(argument),
            TestFunction::Value(argument) | TestFunction::Count(argument) => return self.argument(argument),
        };
        self.argument(text)?;
        let at = self.source.find(&format!("{name}(")).unwrap_or_default();
        let FnArg::Literal(Literal::String(pattern)) = pattern else {
            return Err(JsonPathError::new(self.source, at, "the pattern must stand here as a string"));
        };
        let compiled = regex::RegexBuilder::new(&i_regexp(pattern, name == "match"))
            .size_limit(PATTERN_MAX)
            .build()
            .map_err(|e| JsonPathError::new(self.source, at, crate::pattern::reason(&e)))?;
        self.compiled.push(compiled);
        let number = (self.compiled.len() - 1).to_string();
        *function = TestFunction::Custom(number, vec![text.clone()]);
        Ok(())
    }
}

/// A pattern of RFC 9485 in the syntax of the crate `regex`: its dot matches neither kind of line break.
fn i_regexp(pattern: &str, whole: bool) -> String {
    let mut translated = String::with_capacity(pattern.len());
    let (mut class, mut escaped) = (false, false);
    for c in pattern.chars() {
        match c {
            '.' if !class && !escaped => {
                translated.push_str(r"[^\n\r]");
                continue;
            }
            '[' if !escaped => class = true,
            ']' if !escaped => class = false,
            _ => {}
        }
        escaped = c == '\\' && !escaped;
        translated.push(c);
    }
    if whole { format!(r"\A(?:{translated})\z") } else { translated }
}
