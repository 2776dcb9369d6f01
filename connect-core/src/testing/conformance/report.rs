//! What the checks found.

use futures_util::FutureExt;
use std::{any::Any, fmt, future::Future, panic::AssertUnwindSafe, time::Duration};
use tokio::time::timeout;

/// How often a check may be patient before it counts as hanging.
const PATIENT_TIMES: u32 = 30;

/// What one check returns.
pub type Check = Result<Verdict, Broken>;

/// The result of a check that found nothing wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The rule holds.
    Passed,
    /// The harness declares that the rule cannot be checked here, for this reason.
    NotApplicable(&'static str),
}

/// A rule of the contract that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The rule, as the contract has it.
    pub rule: &'static str,
    /// What was seen instead.
    pub seen: String,
}

impl Broken {
    pub(super) fn new(rule: &'static str, seen: impl Into<String>) -> Self {
        Self { rule, seen: seen.into() }
    }

    /// Names the capability by which a harness says that it is meant to be so.
    pub(super) fn unless_declared(self, capability: &str) -> Self {
        let seen = format!("{}; if it is meant to be so, declare Capabilities::{capability}", self.seen);
        Self { seen, ..self }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the contract says \"{}\", but {}", self.rule, self.seen)
    }
}

impl std::error::Error for Broken {}

/// `rule` holds, or `seen` says what was seen instead.
pub(super) fn ensure(holds: bool, rule: &'static str, seen: impl FnOnce() -> String) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(Broken::new(rule, seen())) }
}

/// The results of all checks, in the order in which they ran.
#[derive(Debug, Default)]
#[must_use = "call `assert_passed`"]
pub struct Report {
    checks: Vec<(String, Check)>,
}

impl Report {
    /// Runs one check and keeps its result. A panic is a broken rule too.
    pub(super) async fn run(&mut self, name: &str, check: impl Future<Output = Check>) {
        let result = AssertUnwindSafe(check).catch_unwind().await.unwrap_or_else(|panic| {
            Err(Broken::new("a plugin does not panic", format!("it did: {}", text(&*panic))))
        });
        self.checks.push((name.to_owned(), result));
    }

    /// Runs one check of a plugin that is waited for `patience` at a time. One that takes more than thirty times as long
    /// hangs, which is a broken rule.
    pub(super) async fn run_within(
        &mut self,
        patience: Duration,
        name: &str,
        check: impl Future<Output = Check>,
    ) {
        let limit = patience * PATIENT_TIMES;
        let hangs =
            || Broken::new("no call of a plugin hangs", format!("the check is not over after {limit:?}"));
        self.run(name, async { timeout(limit, check).await.unwrap_or_else(|_| Err(hangs())) }).await;
    }

    /// Adds the checks of another report, under a name.
    pub(super) fn append(&mut self, under: &str, other: Self) {
        self.checks.extend(other.checks.into_iter().map(|(name, check)| (format!("{under}: {name}"), check)));
    }

    /// All checks by name.
    pub fn checks(&self) -> &[(String, Check)] {
        &self.checks
    }

    /// The names of the checks that failed.
    #[must_use]
    pub fn failed(&self) -> Vec<&str> {
        self.checks.iter().filter(|(_, check)| check.is_err()).map(|(name, _)| name.as_str()).collect()
    }

    /// The checks that the harness declares not applicable, with the reasons.
    #[must_use]
    pub fn not_applicable<'a>(&'a self) -> Vec<(&'a str, &'static str)> {
        let reason = |(name, check): &'a (String, Check)| match check {
            Ok(Verdict::NotApplicable(why)) => Some((name.as_str(), *why)),
            Ok(Verdict::Passed) | Err(_) => None,
        };
        self.checks.iter().filter_map(reason).collect()
    }

    /// Panics with the whole list unless every check has passed or does not apply.
    ///
    /// # Panics
    /// If a check failed.
    pub fn assert_passed(&self) {
        assert!(self.failed().is_empty(), "the plugin breaks its contract\n{self}");
    }
}

impl std::iter::Sum for Report {
    fn sum<I: Iterator<Item = Self>>(reports: I) -> Self {
        Self { checks: reports.flat_map(|report| report.checks).collect() }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, check) in &self.checks {
            match check {
                Ok(Verdict::Passed) => writeln!(f, "ok      {name}")?,
                Ok(Verdict::NotApplicable(why)) => writeln!(f, "n/a     {name}: {why}")?,
                Err(broken) => writeln!(f, "BROKEN  {name}: {broken}")?,
            }
        }
        Ok(())
    }
}

fn text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&'static str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}
