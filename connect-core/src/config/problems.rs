//! Everything that is wrong with a configuration, at once.

use std::fmt;

use super::printable::{Escaped, shortened};

/// Stands for a key where a text as a whole is wrong.
pub(super) const WHOLE: &str = "config";

/// Problems that [`ConfigError`] prints; what comes behind is counted.
const PRINTED_MAX: usize = 100;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key, in full.
    pub key: String,
    /// The text as it may be shown: a secret, and what is declared nowhere, is `[redacted]`, a reference stands
    /// unresolved. None when the key is missing or unknown.
    pub value: Option<String>,
    /// What is wrong.
    pub what: String,
    /// What may be written instead.
    pub allowed: Option<String>,
    /// Whether no declaration knows the key.
    pub unknown: bool,
    /// Whether `what` was made of the value of this key alone, without sight of others.
    pub(super) alone: bool,
}

impl Problem {
    /// One whose value nobody has looked up yet.
    pub(super) fn new(key: String, what: String, allowed: Option<String>) -> Self {
        Self { key, value: None, what, allowed, unknown: false, alone: false }
    }
}

/// Without control characters, and of a long key only its beginning.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Escaped(&shortened(&self.key)))?;
        if let Some(value) = &self.value {
            write!(f, " = {value:?}")?;
        }
        write!(f, ": {}", Escaped(&self.what))?;
        match &self.allowed {
            Some(allowed) => write!(f, "; allowed: {allowed}"),
            None => Ok(()),
        }
    }
}

/// The problems found so far. A check over a whole struct is given one of these to fill.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Says that the value of `key` is wrong. The value itself is added by the caller, who knows whether
    /// it is secret: do not repeat it in `what`.
    pub fn add(&mut self, key: impl Into<String>, what: impl Into<String>) {
        self.push(Problem::new(key.into(), what.into(), None));
    }

    /// Like [`Problems::add`], and says what would be right.
    pub fn add_allowed(
        &mut self,
        key: impl Into<String>,
        what: impl Into<String>,
        allowed: impl Into<String>,
    ) {
        self.push(Problem::new(key.into(), what.into(), Some(allowed.into())));
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many problems there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The problems in the order they were found.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }

    pub(super) fn push(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Problem> {
        self.0.iter_mut()
    }

    /// An error, if anything was found.
    ///
    /// # Errors
    ///
    /// When at least one problem was added.
    pub fn into_result(self) -> Result<(), ConfigError> {
        if self.is_empty() { Ok(()) } else { Err(ConfigError(self)) }
    }
}

impl IntoIterator for Problems {
    type Item = Problem;
    type IntoIter = std::vec::IntoIter<Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// A configuration that cannot be used: at least one problem, all of them listed.
///
/// It prints one line per problem, `key = "value": what is wrong; allowed: …`, for the first hundred of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(Problems);

impl ConfigError {
    pub(super) fn one(key: &str, what: impl Into<String>) -> Self {
        let mut problems = Problems::default();
        problems.add(key, what);
        Self(problems)
    }

    pub(super) fn new(problems: Problems) -> Self {
        Self(problems)
    }

    /// The reason, if the text as a whole could not be read.
    pub(super) fn unreadable(&self) -> Option<&str> {
        match &self.0.0[..] {
            [problem] if problem.key == WHOLE => Some(&problem.what),
            _ => None,
        }
    }

    /// What is wrong.
    pub fn problems(&self) -> &Problems {
        &self.0
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        write!(f, "{count} configuration problem{}", if count == 1 { "" } else { "s" })?;
        self.0.iter().take(PRINTED_MAX).try_for_each(|problem| write!(f, "\n  {problem}"))?;
        match count.saturating_sub(PRINTED_MAX) {
            0 => Ok(()),
            more => write!(f, "\n  … and {more} more"),
        }
    }
}

impl std::error::Error for ConfigError {}

/// No retry helps against a wrong configuration.
impl From<ConfigError> for crate::Error {
    fn from(error: ConfigError) -> Self {
        Self::fatal("read the configuration", error)
    }
}
