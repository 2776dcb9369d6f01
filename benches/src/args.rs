//! Command lines: `--name value` and `--switch`, nothing else, unknown ones refused.

use crate::BoxError;
use std::{collections::BTreeMap, fmt::Display, str::FromStr};

/// The parsed command line of one binary.
#[derive(Debug)]
pub struct Args {
    values: BTreeMap<String, String>,
    switches: Vec<String>,
}

impl Args {
    /// Parses the process's own command line; `valued` and `switches` are the names that exist, without
    /// the dashes.
    ///
    /// # Errors
    ///
    /// An argument that is not in either list, or a valued one without its value.
    pub fn parse(valued: &[&str], switches: &[&str]) -> Result<Self, BoxError> {
        Self::from_iter(std::env::args().skip(1), valued, switches)
    }

    fn from_iter(
        mut words: impl Iterator<Item = String>,
        valued: &[&str],
        switches: &[&str],
    ) -> Result<Self, BoxError> {
        let mut args = Self { values: BTreeMap::new(), switches: Vec::new() };
        while let Some(word) = words.next() {
            let name = word.strip_prefix("--").unwrap_or_default();
            if switches.contains(&name) {
                args.switches.push(name.to_owned());
            } else if valued.contains(&name) {
                let value = words.next().ok_or_else(|| format!("--{name} needs a value"))?;
                args.values.insert(name.to_owned(), value);
            } else {
                let known = valued.iter().map(|name| format!("--{name} VALUE"));
                let known: Vec<_> = known.chain(switches.iter().map(|name| format!("--{name}"))).collect();
                return Err(format!("unknown argument {word:?}, use {}", known.join(", ")).into());
            }
        }
        Ok(args)
    }

    /// Whether the switch was given.
    pub fn switch(&self, name: &str) -> bool {
        self.switches.iter().any(|given| given == name)
    }

    /// The value as text, if given.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// The value as text.
    ///
    /// # Errors
    ///
    /// The argument was not given.
    pub fn required(&self, name: &str) -> Result<&str, BoxError> {
        self.text(name).ok_or_else(|| format!("--{name} is missing").into())
    }

    /// The value parsed, or the default when it was not given.
    ///
    /// # Errors
    ///
    /// The value does not parse.
    pub fn value<T: FromStr<Err: Display>>(&self, name: &str, default: T) -> Result<T, BoxError> {
        let Some(text) = self.text(name) else { return Ok(default) };
        text.parse().map_err(|error| format!("--{name} {text}: {error}").into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Args, BoxError> {
        Args::from_iter(words.iter().map(ToString::to_string), &["records"], &["read-only"])
    }

    #[test]
    fn values_and_switches_are_told_apart() {
        let args = parse(&["--read-only", "--records", "7"]).unwrap();
        assert!(args.switch("read-only"));
        assert_eq!(args.value("records", 1_u64).unwrap(), 7);
        assert_eq!(parse(&[]).unwrap().value("records", 1_u64).unwrap(), 1);
    }

    #[test]
    fn unknown_missing_and_malformed_arguments_are_refused_by_name() {
        assert!(parse(&["--record", "7"]).unwrap_err().to_string().contains("--records VALUE"));
        assert!(parse(&["--records"]).unwrap_err().to_string().contains("needs a value"));
        assert!(parse(&["--records", "x"]).unwrap().value("records", 1_u64).is_err());
    }
}
