//! Regular expressions: compiling those of RE2 and Java, and what is said of one that cannot be compiled.

mod translate;

use regex::{Error, Regex, RegexBuilder};
pub(crate) use translate::Dialect;

/// Compiles a pattern of `dialect`, in which `\w`, `\d`, `\s` and `\b` are ASCII.
pub(crate) fn compile(pattern: &str, dialect: Dialect, size_limit: usize) -> Result<Regex, Error> {
    RegexBuilder::new(&translate::translate(pattern, dialect)).size_limit(size_limit).build()
}

/// One line. Look-around and back-references are named as what they are: the crate leaves them out on purpose, because
/// no linear time is possible with them.
pub(crate) fn reason(error: &Error) -> String {
    match error {
        Error::CompiledTooBig(limit) => {
            format!("the compiled pattern would take more than {limit} bytes: repeat less")
        }
        Error::Syntax(text) => {
            let line = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("unknown");
            let line = line.trim().trim_start_matches("error: ");
            if line.contains("look-around") || line.contains("backreferences") {
                return format!("{line} (RE2 has neither: every pattern takes linear time)");
            }
            line.to_owned()
        }
        other => other.to_string(),
    }
}
