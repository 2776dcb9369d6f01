//! Data processing: chains of parsing and field rules, filters, and the form of the result.
//!
//! [`DataProcessing`] is the transform; here are the [`Rules`] that it is told, and what
//! [`explain`](crate::DataProcessing::explain) answers.

mod config;
mod convert;
mod date;
mod explain;
mod file;
mod filter;
mod number;
mod operation;
mod output;
mod plan;
mod rules;
mod run;
mod search;
#[cfg(test)]
mod tests;
mod transform;
mod value;
mod why;

pub use config::DataProcessingConfig;
pub use explain::{Explained, ExplainedStep, Outcome};
pub use rules::{
    BatchMode, ChainRules, DateInput, DateRule, FieldRule, FieldType, FilterMode, FilterRule, Input,
    OnFailure, OutputFormat, Parse, RowContent, RowRules, Rules, Source, ValueOperation,
};
pub use transform::DataProcessing;
