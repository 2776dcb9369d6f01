//! Java's `.properties` format.

use std::iter::Peekable;

/// The pairs of a `.properties` text in order, as `java.util.Properties` reads them: comments start with
/// `#` or `!`, a key ends at `=`, `:` or a blank, a line that ends in `\` goes on in the next, and `\t`,
/// `\n`, `\r`, `\f` and `\uXXXX` are escapes. The text is UTF-8.
///
/// # Errors
///
/// The number of the first line of a pair with a malformed `\uXXXX`.
pub(super) fn parse(text: &str) -> Result<Vec<(String, String)>, usize> {
    let mut pairs = Vec::new();
    for (number, line) in logical_lines(text) {
        pairs.push(pair(&line).ok_or(number)?);
    }
    Ok(pairs)
}

/// Lines with their continuations joined, without comments and blank lines, with their numbers.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut natural = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).enumerate();
    while let Some((index, line)) = natural.next() {
        let line = line.trim_start_matches(BLANKS);
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let mut joined = line.to_owned();
        while goes_on(&joined) {
            joined.pop();
            match natural.next() {
                Some((_, next)) => joined.push_str(next.trim_start_matches(BLANKS)),
                None => break,
            }
        }
        lines.push((index + 1, joined));
    }
    lines
}

const BLANKS: [char; 3] = [' ', '\t', '\u{c}'];

/// Whether a line ends in an odd number of backslashes.
fn goes_on(line: &str) -> bool {
    line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

fn pair(line: &str) -> Option<(String, String)> {
    let mut chars = line.chars().peekable();
    let mut key = String::new();
    while let Some(&next) = chars.peek() {
        if next == '=' || next == ':' || BLANKS.contains(&next) {
            break;
        }
        chars.next();
        if next == '\\' { unescape(&mut chars, &mut key)? } else { key.push(next) }
    }
    skip_blanks(&mut chars);
    if chars.next_if(|next| matches!(next, '=' | ':')).is_some() {
        skip_blanks(&mut chars);
    }
    let mut value = String::new();
    while let Some(next) = chars.next() {
        if next == '\\' { unescape(&mut chars, &mut value)? } else { value.push(next) }
    }
    Some((key, value))
}

fn skip_blanks(chars: &mut Peekable<std::str::Chars<'_>>) {
    while chars.next_if(|next| BLANKS.contains(next)).is_some() {}
}

/// Appends what the escape after a backslash stands for; None if it is malformed.
fn unescape(chars: &mut Peekable<std::str::Chars<'_>>, out: &mut String) -> Option<()> {
    match chars.next() {
        Some('t') => out.push('\t'),
        Some('n') => out.push('\n'),
        Some('r') => out.push('\r'),
        Some('f') => out.push('\u{c}'),
        Some('u') => {
            let first = unit(chars)?;
            // Java writes what lies beyond the basic plane as two escapes.
            let pair = if (0xd800..0xdc00).contains(&first) {
                (chars.next()? == '\\' && chars.next()? == 'u').then_some(())?;
                vec![first, unit(chars)?]
            } else {
                vec![first]
            };
            out.push_str(&String::from_utf16(&pair).ok()?);
        }
        Some(other) => out.push(other),
        None => {}
    }
    Some(())
}

fn unit(chars: &mut Peekable<std::str::Chars<'_>>) -> Option<u16> {
    let mut unit = 0;
    for _ in 0..4 {
        unit = unit << 4 | u16::try_from(chars.next()?.to_digit(16)?).ok()?;
    }
    Some(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_of_java_util_properties_hold() {
        let check = |text: &str, key: &str, value: &str| {
            assert_eq!(parse(text), Ok(vec![(key.to_owned(), value.to_owned())]), "{text:?}");
        };
        check("batch.size=5", "batch.size", "5");
        check("  batch.size  :  5 ", "batch.size", "5 ");
        check("batch.size 5", "batch.size", "5");
        check("flag", "flag", "");
        check("# no\n! no\n\n a=b\r\n", "a", "b");
        check("a=b\\\n   c\\\n   d", "a", "bcd");
        check("a=b\\\\", "a", "b\\");
        check("a=b\\", "a", "b");
        check("a\\=b=c", "a=b", "c");
        check("a==b", "a", "=b");
        check("a=\\t\\n\\r\\f\\x", "a", "\t\n\r\u{c}x");
        check("a=\\u00e9 \\ud83d\\ude00 é", "a", "é 😀 é");
        check("url=http\\://es:9200", "url", "http://es:9200");
    }

    #[test]
    fn a_malformed_escape_names_its_line() {
        for wrong in ["\\u12", "\\uzzzz", "\\ud83d", "\\ud83dxx0000", "\\ude00"] {
            assert_eq!(parse(&format!("ok=1\na={wrong}")), Err(2), "{wrong}");
        }
    }
}
