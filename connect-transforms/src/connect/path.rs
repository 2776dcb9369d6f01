//! Ways to a field: a name, or, in Kafka Connect's second syntax (KIP-821), names separated by dots.

connect_core::choices! {
    /// How names of fields are read; Kafka Connect's `field.syntax.version`.
    pub enum FieldSyntax {
        /// A name is the name of a member of the outermost object, dots and all.
        V1 = "V1",
        /// Dots go into objects: `a.b` is `b` in `a`. A name with a dot in it stands between backticks
        /// (`` `a.b`.c ``); a backtick before a dot, inside of them, is escaped by a backslash.
        V2 = "V2",
    }
}

/// The steps to a field; at least one.
pub(crate) type Path = Vec<String>;

/// Reads a path.
///
/// # Errors
/// In words: a backtick that is not closed, or a path without steps.
pub(crate) fn parse_path(path: &str, syntax: FieldSyntax) -> Result<Path, String> {
    match syntax {
        FieldSyntax::V1 => Ok(vec![path.to_owned()]),
        FieldSyntax::V2 if path.is_empty() => Err("a path without a field".to_owned()),
        FieldSyntax::V2 => steps(path),
    }
}

/// All of the paths.
///
/// # Errors
/// As [`parse_path`], for all that are wrong.
pub(crate) fn parse_paths(paths: &[String], syntax: FieldSyntax) -> Result<Vec<Path>, String> {
    let (mut parsed, mut wrong) = (Vec::with_capacity(paths.len()), Vec::new());
    for path in paths {
        match parse_path(path, syntax) {
            Ok(path) => parsed.push(path),
            Err(what) => wrong.push(what),
        }
    }
    if wrong.is_empty() { Ok(parsed) } else { Err(wrong.join("; ")) }
}

fn steps(path: &str) -> Result<Path, String> {
    let mut steps = Vec::new();
    let mut rest = Some(path);
    while let Some(left) = rest {
        rest = match left.strip_prefix('`') {
            Some(quoted) => {
                let (step, after) = quoted_step(quoted).ok_or_else(|| {
                    let at = path.len() - left.len();
                    format!(
                        "Incomplete backtick pair in path: [{path}], consider adding a backslash before backtick at \
                         position {at} to escape it"
                    )
                })?;
                steps.push(step);
                after
            }
            None => {
                let (step, after) =
                    left.split_once('.').map_or((left, None), |(step, after)| (step, Some(after)));
                steps.push(step.to_owned());
                after
            }
        };
    }
    Ok(steps)
}

/// Up to the closing backtick: the one before a dot or the end that no backslash escapes.
fn quoted_step(text: &str) -> Option<(String, Option<&str>)> {
    let (mut step, mut copied) = (String::new(), 0);
    for (at, _) in text.match_indices('`') {
        let escaped = text[..at].ends_with('\\');
        match text.as_bytes().get(at + 1) {
            None if escaped => return None,
            None => {
                step.push_str(&text[copied..at]);
                return Some((step, None));
            }
            Some(b'.') if escaped => {
                step.push_str(&text[copied..at - 1]);
                step.push('`');
                copied = at + 1;
            }
            Some(b'.') => {
                step.push_str(&text[copied..at]);
                return Some((step, Some(&text[at + 2..])));
            }
            Some(_) => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v2(path: &str) -> Vec<String> {
        parse_path(path, FieldSyntax::V2).unwrap()
    }

    /// Kafka's `FieldPathNotationTest`.
    #[test]
    fn paths_are_read_as_kafka_reads_them() {
        assert_eq!(parse_path("foo.bar.baz", FieldSyntax::V1).unwrap(), ["foo.bar.baz"]);
        assert_eq!(v2("foobarbaz"), ["foobarbaz"]);
        assert_eq!(v2("foo.bar.baz"), ["foo", "bar", "baz"]);
        assert_eq!(v2("`foo.bar.baz`"), ["foo.bar.baz"]);
        assert_eq!(v2("foo.`bar.baz`"), ["foo", "bar.baz"]);
        assert_eq!(v2("`foo.bar`.baz"), ["foo.bar", "baz"]);
        assert_eq!(v2("foo.`bar`.baz"), ["foo", "bar", "baz"]);
        assert_eq!(v2("foo``bar"), ["foo``bar"]);
        assert_eq!(v2("`foo`bar`.baz"), ["foo`bar", "baz"]);
        assert_eq!(v2("`foo\\`.bar`.baz"), ["foo`.bar", "baz"]);
        assert_eq!(v2("foo."), ["foo", ""]);
        assert_eq!(v2(".foo"), ["", "foo"]);
    }

    #[test]
    fn a_backtick_that_is_not_closed_is_refused_with_its_place() {
        for path in ["`foo.bar.baz", "foo.`bar.baz", "`foo\\`", "foo.`"] {
            let error = parse_path(path, FieldSyntax::V2).unwrap_err();
            assert!(error.starts_with("Incomplete backtick pair in path: ["), "{path}: {error}");
        }
        assert!(parse_path("", FieldSyntax::V2).is_err());
        let both = parse_paths(&["`a".into(), "b".into(), "`c".into()], FieldSyntax::V2).unwrap_err();
        assert!(both.contains("[`a]") && both.contains("[`c]"), "{both}");
    }
}
