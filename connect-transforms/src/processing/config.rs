//! Data processing by keys.

use super::{Rules, transform::DataProcessing};
use connect_core::{
    Error,
    config::{Config, ConfigError, Problems},
};

connect_core::config! {
    /// Parses records, makes fields of them by rules, filters them and writes them as JSON or rows.
    pub struct DataProcessingConfig {
        /// The rules, as JSON.
        "rules" => rules: Option<String>, importance: High;
        /// The file that holds the rules, as JSON. It is read when the transform is made.
        "rules.file" => rules_file: Option<String>, importance: High;
    } check one_of_both
}

fn one_of_both(config: &DataProcessingConfig, problems: &mut Problems) {
    match (&config.rules, &config.rules_file) {
        (Some(_), Some(_)) => problems.add("rules.file", "give either rules or rules.file"),
        (None, None) => problems.add("rules", "missing: give rules or rules.file"),
        (Some(rules), None) => {
            let found = Rules::from_json(rules).err();
            for problem in found.iter().flat_map(|error: &ConfigError| error.problems().iter()) {
                let allowed =
                    problem.allowed.clone().unwrap_or_else(|| "see the documentation of `Rules`".to_owned());
                problems.add_allowed("rules", format!("{}: {}", problem.key, problem.what), allowed);
            }
        }
        (None, Some(_)) => {}
    }
}

impl DataProcessing {
    /// Processes as configured. The rule file, if it is one, is read now; what it says without effect is logged.
    ///
    /// # Errors
    /// Fatal: the file cannot be read, or the rules are wrong; then all problems are listed.
    pub fn from_config(config: &DataProcessingConfig) -> Result<Self, Error> {
        config.validate()?;
        let rules = match (&config.rules, &config.rules_file) {
            (Some(rules), _) => rules.clone(),
            (None, Some(file)) => std::fs::read_to_string(file)
                .map_err(|error| Error::fatal("read the rule file", error).about(file))?,
            (None, None) => String::new(),
        };
        let rules = Rules::from_json(&rules)?;
        for ignored in &rules.ignored {
            tracing::warn!(rule = ignored, "a rule of DataProcessing has no effect");
        }
        Ok(Self::new(&rules)?)
    }
}
