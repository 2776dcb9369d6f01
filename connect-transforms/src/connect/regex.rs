//! Java's regular expressions, as far as they can be matched in linear time.

use crate::pattern::{Dialect, compile, reason};
use regex::Regex;

/// A pattern in Java's syntax.
#[derive(Clone, Debug)]
pub(crate) struct JavaRegex {
    /// The whole text or nothing: `Matcher.matches`.
    whole: Regex,
    /// The leftmost match: `Matcher.find`.
    first: Regex,
}

/// Bytes that a compiled pattern may take, as by default.
const SIZE_MAX: usize = 10 << 20;

/// What Java knows and linear time does not allow, and what to look for.
const UNSUPPORTED: [(&str, &str); 7] = [
    ("(?=", "look-ahead `(?=…)`"),
    ("(?!", "look-ahead `(?!…)`"),
    ("(?<=", "look-behind `(?<=…)`"),
    ("(?<!", "look-behind `(?<!…)`"),
    ("(?>", "atomic groups `(?>…)`"),
    ("\\k<", "back-references `\\k<…>`"),
    ("\\Q", "quotations `\\Q…\\E`"),
];

impl JavaRegex {
    /// Compiles `pattern`.
    ///
    /// # Errors
    /// What is wrong, in words: a mistake, or something of Java's syntax that is not supported.
    pub(crate) fn new(pattern: &str) -> Result<Self, String> {
        let bad = |e: &regex::Error| match unsupported(pattern) {
            Some(what) => format!("{what} are not supported: expressions are matched in linear time"),
            None => format!("not a regular expression: {}", reason(e)),
        };
        let first = compile(pattern, Dialect::Java, SIZE_MAX).map_err(|e| bad(&e))?;
        let whole = compile(&format!("^(?:{pattern})$"), Dialect::Java, SIZE_MAX).map_err(|e| bad(&e))?;
        Ok(Self { whole, first })
    }

    /// Whether all of `text` matches.
    pub(crate) fn matches(&self, text: &str) -> bool {
        self.whole.is_match(text)
    }

    pub(crate) fn first(&self) -> &Regex {
        &self.first
    }
}

fn unsupported(pattern: &str) -> Option<&'static str> {
    if let Some((_, what)) = UNSUPPORTED.iter().find(|(token, _)| pattern.contains(token)) {
        return Some(what);
    }
    let bytes = pattern.as_bytes();
    let pairs = || bytes.windows(2);
    if pairs().any(|pair| pair[0] == b'\\' && pair[1].is_ascii_digit() && pair[1] != b'0') {
        return Some("back-references `\\1`");
    }
    pairs()
        .any(|pair| matches!(pair[0], b'*' | b'+' | b'?' | b'}') && pair[1] == b'+')
        .then_some("possessive quantifiers `*+`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_match_may_need_another_branch_than_the_first() {
        let regex = JavaRegex::new("a|ab").unwrap();
        assert!(regex.matches("ab") && !regex.matches("abc") && !regex.matches("xab"));
    }

    #[test]
    fn classes_are_those_of_ascii_as_in_java() {
        let regex = JavaRegex::new(r"\w+").unwrap();
        assert!(regex.matches("a_1") && !regex.matches("café"));
        assert!(!JavaRegex::new(r"v\d").unwrap().matches("v\u{661}"));
    }

    #[test]
    fn what_java_knows_and_we_do_not_is_named() {
        for (pattern, what) in [
            ("(?=a)b", "look-ahead"),
            ("(?<!a)b", "look-behind"),
            ("(a)\\1", "back-references"),
            ("(?<n>a)\\k<n>", "back-references"),
            ("(?>a|b)", "atomic groups"),
            ("\\Qa.b\\E", "quotations"),
        ] {
            let error = JavaRegex::new(pattern).unwrap_err();
            assert!(error.starts_with(what) && error.contains("not supported"), "{pattern}: {error}");
        }
        assert!(JavaRegex::new("(a").unwrap_err().contains("unclosed group"));
    }
}
