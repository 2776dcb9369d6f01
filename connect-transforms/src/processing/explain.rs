//! What becomes of one value, step by step.

use super::{
    run::Trace,
    transform::{DataProcessing, with_bump},
    value::Field,
};
use connect_core::Error;
use serde::Serialize;
use std::fmt;

/// Characters of a value that the table shows.
const SHOWN_MAX: usize = 100;

/// What [`DataProcessing::explain`] has seen. It prints as a table, and serialises as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Explained {
    /// What the rule file says that has no effect, see [`Rules::ignored`](super::Rules::ignored).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<String>,
    /// Every step in order. Of records that are arrays, the steps of each element.
    pub steps: Vec<ExplainedStep>,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// The result of one step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ExplainedStep {
    /// Its place in the rule file: `FieldChain[0].Analyse`, `FieldChain[0].SMT[2]`, `FieldChain[0]`, `FilterParam[1]`.
    pub place: String,
    /// What it does, in a word: `parse`, `rule`, `chain`, `filter`.
    pub step: &'static str,
    /// The fields: after parsing and at the end of a chain all of them, after a rule what it made. Names, and values
    /// as JSON.
    pub fields: Vec<(String, String)>,
    /// Whether a filter holds; `None` for other steps.
    pub holds: Option<bool>,
}

/// What became of the value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", content = "result", rename_all = "lowercase")]
pub enum Outcome {
    /// These are the results, in text.
    Delivered(Vec<String>),
    /// It does not meet a filter, or has no elements.
    Filtered,
    /// It cannot be processed, for this reason.
    Failed(String),
}

#[derive(Debug, Default)]
struct Recorder {
    steps: Vec<ExplainedStep>,
}

impl Recorder {
    fn push(&mut self, place: String, step: &'static str, fields: &[Field<'_>], holds: Option<bool>) {
        let shown = |field: &Field<'_>| {
            let mut json = Vec::new();
            field.value.write(&mut json);
            (field.name.to_owned(), String::from_utf8_lossy(&json).into_owned())
        };
        self.steps.push(ExplainedStep { place, step, fields: fields.iter().map(shown).collect(), holds });
    }
}

impl Trace for Recorder {
    const WATCHES: bool = true;

    fn parsed(&mut self, chain: usize, fields: &[Field<'_>]) {
        self.push(format!("FieldChain[{chain}].Analyse"), "parse", fields, None);
    }

    fn rule(&mut self, chain: usize, rule: usize, made: &[Field<'_>]) {
        self.push(format!("FieldChain[{chain}].SMT[{rule}]"), "rule", made, None);
    }

    fn chain(&mut self, chain: usize, fields: &[Field<'_>]) {
        self.push(format!("FieldChain[{chain}]"), "chain", fields, None);
    }

    fn filter(&mut self, filter: usize, holds: bool) {
        self.push(format!("FilterParam[{filter}]"), "filter", &[], Some(holds));
    }
}

impl DataProcessing {
    /// What becomes of a value, with the result after every parse, rule, chain and filter: the product's test button.
    /// Metadata is left out. What cannot be processed is an outcome, not an error.
    ///
    /// ```
    /// # use connect_transforms::{DataProcessing, processing::{ChainRules, FieldRule, Rules}};
    /// let rules = Rules::new([ChainRules::delimiter("|").field(FieldRule::key("1").named("user"))]);
    /// let explained = DataProcessing::new(&rules)?.explain(b"GET|anna", 0);
    /// assert_eq!(explained.to_string(), "\
    /// step                   field  value
    /// FieldChain[0].Analyse  0      \"GET\"
    ///                        1      \"anna\"
    /// FieldChain[0].SMT[0]   user   \"anna\"
    /// FieldChain[0]          user   \"anna\"
    /// result                        {\"user\":\"anna\"}
    /// ");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn explain(&self, value: &[u8], now_ms: i64) -> Explained {
        let (mut recorder, mut out, mut ends) = (Recorder::default(), Vec::new(), Vec::new());
        let done =
            with_bump(|bump| self.results(value, now_ms, None, bump, &mut out, &mut ends, &mut recorder));
        let outcome = match done {
            Err(failure) => Outcome::Failed(Error::from(failure).report()),
            Ok(0) => Outcome::Filtered,
            Ok(_) => {
                if ends.is_empty() {
                    ends.push(out.len());
                }
                let starts = std::iter::once(0).chain(ends.iter().copied());
                let result =
                    |(start, end): (usize, &usize)| String::from_utf8_lossy(&out[start..*end]).into_owned();
                Outcome::Delivered(starts.zip(&ends).map(result).collect())
            }
        };
        Explained { ignored: self.rules().ignored.clone(), steps: recorder.steps, outcome }
    }
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows: Vec<[String; 3]> = vec![["step", "field", "value"].map(str::to_owned)];
        for step in &self.steps {
            if let Some(holds) = step.holds {
                let text = if holds { "holds" } else { "does not hold" };
                rows.push([step.place.clone(), String::new(), text.to_owned()]);
                continue;
            }
            if step.fields.is_empty() {
                rows.push([step.place.clone(), String::new(), "(no field)".to_owned()]);
            }
            for (number, (name, value)) in step.fields.iter().enumerate() {
                let place = if number == 0 { step.place.clone() } else { String::new() };
                rows.push([place, shorten(name), shorten(value)]);
            }
        }
        match &self.outcome {
            Outcome::Delivered(results) => {
                rows.extend(
                    results.iter().map(|result| ["result".to_owned(), String::new(), result.clone()]),
                );
            }
            Outcome::Filtered => rows.push(["filtered".to_owned(), String::new(), String::new()]),
            Outcome::Failed(reason) => rows.push(["failed".to_owned(), String::new(), reason.clone()]),
        }
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let (first, second) = (width(0), width(1));
        for ignored in &self.ignored {
            writeln!(f, "{ignored}")?;
        }
        for [place, name, value] in &rows {
            let line = format!("{place:first$}  {name:second$}  {value}");
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(SHOWN_MAX) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text.to_owned(),
    }
}
