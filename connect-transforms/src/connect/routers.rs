//! `RegexRouter` and `TimestampRouter`: other topics.

use super::{predicates::is_regex, regex::JavaRegex};
use crate::java_date::{Dialect, JavaDate};
use connect_core::{Error, Output, Record, Transform, config::Problems};
use regex::Captures;
use std::{cell::RefCell, sync::Mutex};

connect_core::config! {
    /// Gives records another topic, made of the old one by a regular expression.
    pub struct RegexRouterConfig {
        /// A regular expression in Java's syntax that has to match the whole topic; without look-around and back-references.
        "regex" => regex: String, importance: High, check: |text: &String| is_regex(text);
        /// The new topic; `$1` and `${name}` are groups, `\\` makes the next character itself.
        "replacement" => replacement: String, importance: High;
    } check sound_replacement
}

fn sound_replacement(config: &RegexRouterConfig, problems: &mut Problems) {
    if let Ok(regex) = JavaRegex::new(&config.regex)
        && let Err(what) = Replacement::parse(&config.replacement, regex.first())
    {
        problems.add("replacement", what);
    }
}

connect_core::config! {
    /// Gives records another topic, made of the old one and the record's timestamp.
    pub struct TimestampRouterConfig {
        /// The new topic; `${topic}` and `${timestamp}` are replaced.
        "topic.format" => topic_format: String = "${topic}-${timestamp}".to_owned(), importance: High;
        /// How the timestamp is written, in UTC: a pattern of Java's `SimpleDateFormat`.
        "timestamp.format" => timestamp_format: String = "yyyyMMdd".to_owned(), importance: High, check: |text: &String| is_pattern(text);
    }
}

fn is_pattern(pattern: &str) -> Result<(), String> {
    JavaDate::new(pattern, Dialect::Simple).map(drop).map_err(|e| e.to_string())
}

/// Gives records another topic, made of the old one by a regular expression:
/// `org.apache.kafka.connect.transforms.RegexRouter`.
///
/// | key | default | meaning |
/// |---|---|---|
/// | `regex` | none, must be given | has to match the whole topic; other records keep theirs |
/// | `replacement` | none, must be given | the new topic; `$1` and `${name}` are groups, `\` makes the next character itself |
///
/// The syntax is Java's, without what cannot be matched in linear time (look-around, back-references, possessive
/// quantifiers): that is an error of the configuration, and so is a group that the expression does not have.
/// As in Java, the replacement takes the place of the first match, which need not be the whole topic (`a|ab`).
///
/// # Example
/// With `regex=(.*)-v[0-9]+` and `replacement=$1`, the topic `orders-v2` becomes `orders`, and `orders` stays.
///
/// # Errors
/// None: no record is refused.
#[derive(Debug)]
pub struct RegexRouter {
    config: RegexRouterConfig,
    regex: JavaRegex,
    replacement: Replacement,
    /// The last topic and what became of it: most records have the topic of the one before.
    last: Mutex<Option<(String, Option<String>)>>,
}

impl RegexRouter {
    /// Routes as configured.
    ///
    /// # Errors
    /// Fatal, if the expression or the replacement is wrong.
    pub fn new(config: &RegexRouterConfig) -> Result<Self, Error> {
        let regex = JavaRegex::new(&config.regex).map_err(|what| Error::fatal("compile the regex", what))?;
        let replacement = Replacement::parse(&config.replacement, regex.first())
            .map_err(|what| Error::fatal("read the replacement", what))?;
        Ok(Self { config: config.clone(), regex, replacement, last: Mutex::new(None) })
    }

    fn route(&self, topic: &str) -> Option<String> {
        if !self.regex.matches(topic) {
            return None;
        }
        let captures = self.regex.first().captures(topic)?;
        let found = captures.get(0)?;
        let mut routed = topic[..found.start()].to_owned();
        self.replacement.expand(&captures, &mut routed);
        routed.push_str(&topic[found.end()..]);
        Some(routed)
    }
}

impl Transform for RegexRouter {
    fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error> {
        let topic = record.topic();
        let mut emit = |routed: Option<&str>| match routed {
            None => out.keep(record),
            Some(routed) => out.derive(record).topic(routed).emit(),
        };
        // Nobody waits here: whoever shares a router does without its memory.
        match self.last.try_lock() {
            Err(_) => emit(self.route(topic).as_deref()),
            Ok(mut last) => {
                if last.as_ref().is_none_or(|(known, _)| known != topic) {
                    *last = Some((topic.to_owned(), self.route(topic)));
                }
                emit(last.as_ref().and_then(|(_, routed)| routed.as_deref()));
            }
        }
        Ok(())
    }

    fn describe(&self) -> Option<String> {
        Some(format!("RegexRouter regex={:?} replacement={:?}", self.config.regex, self.config.replacement))
    }
}

/// A replacement in Java's syntax.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Replacement(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Group(usize),
}

impl Replacement {
    fn parse(text: &str, regex: &regex::Regex) -> Result<Self, String> {
        let (mut pieces, mut plain) = (Vec::new(), String::new());
        let mut rest = text.chars().peekable();
        while let Some(c) = rest.next() {
            let group = match c {
                '\\' => {
                    plain.push(rest.next().ok_or("character to be escaped is missing")?);
                    continue;
                }
                '$' if rest.next_if_eq(&'{').is_some() => {
                    let name: String = std::iter::from_fn(|| rest.next_if(|c| *c != '}')).collect();
                    rest.next().ok_or("named capturing group is missing trailing '}'")?;
                    let known = regex.capture_names().position(|known| known == Some(&name));
                    known.ok_or_else(|| format!("No group with name {{{name}}}"))?
                }
                '$' => {
                    let digit = |c: char| c.to_digit(10).map(|digit| digit as usize);
                    let first = rest.next_if(char::is_ascii_digit).and_then(digit);
                    let mut group = first.ok_or("Illegal group reference: write \\$ for a dollar")?;
                    if group >= regex.captures_len() {
                        return Err(format!("No group {group}"));
                    }
                    // As many digits as make the number of a group that is there.
                    while let Some(next) = rest.peek().copied().and_then(digit)
                        && group * 10 + next < regex.captures_len()
                    {
                        group = group * 10 + next;
                        rest.next();
                    }
                    group
                }
                c => {
                    plain.push(c);
                    continue;
                }
            };
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
            }
            pieces.push(Piece::Group(group));
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Self(pieces))
    }

    fn expand(&self, captures: &Captures<'_>, out: &mut String) {
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Group(group) => out.push_str(captures.get(*group).map_or("", |found| found.as_str())),
            }
        }
    }
}

/// Gives records another topic, made of the old one and the record's timestamp:
/// `org.apache.kafka.connect.transforms.TimestampRouter`.
///
/// | key | default | meaning |
/// |---|---|---|
/// | `topic.format` | `${topic}-${timestamp}` | the new topic |
/// | `timestamp.format` | `yyyyMMdd` | how the timestamp is written, in UTC; letters as in [`TimestampConverter`](crate::TimestampConverter) |
///
/// # Example
/// A record of the topic `logs` of 2026-07-09 goes to `logs-20260709`.
///
/// # Errors
/// Poison: a record without a timestamp.
#[derive(Clone, Debug)]
pub struct TimestampRouter {
    config: TimestampRouterConfig,
    pattern: JavaDate,
}

impl TimestampRouter {
    /// Routes as configured.
    ///
    /// # Errors
    /// Fatal, if the pattern is wrong.
    pub fn new(config: &TimestampRouterConfig) -> Result<Self, Error> {
        let pattern = JavaDate::new(&config.timestamp_format, Dialect::Simple)
            .map_err(|e| Error::fatal("compile the pattern of timestamps", e))?;
        Ok(Self { config: config.clone(), pattern })
    }
}

impl Transform for TimestampRouter {
    fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error> {
        let missing = || Error::poison("route by timestamp", "Timestamp missing on record");
        let timestamp = record.timestamp_ms().ok_or_else(missing)?;
        TOPIC.with_borrow_mut(|topic| {
            topic.clear();
            self.route(record.topic(), timestamp, topic);
            out.derive(record).topic(topic).emit();
        });
        Ok(())
    }

    fn describe(&self) -> Option<String> {
        let TimestampRouterConfig { topic_format, timestamp_format } = &self.config;
        Some(format!("TimestampRouter topic.format={topic_format:?} timestamp.format={timestamp_format:?}"))
    }
}

thread_local! {
    /// A topic under construction.
    static TOPIC: RefCell<String> = const { RefCell::new(String::new()) };
}

impl TimestampRouter {
    fn route(&self, from: &str, timestamp: i64, topic: &mut String) {
        let mut rest = self.config.topic_format.as_str();
        while let Some(at) = rest.find("${") {
            topic.push_str(&rest[..at]);
            rest = &rest[at..];
            rest = if let Some(after) = rest.strip_prefix("${topic}") {
                topic.push_str(from);
                after
            } else if let Some(after) = rest.strip_prefix("${timestamp}") {
                self.pattern.format(i128::from(timestamp) * 1_000_000, topic);
                after
            } else {
                topic.push_str("${");
                &rest[2..]
            };
        }
        topic.push_str(rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(regex: &str, replacement: &str, topic: &str) -> Option<String> {
        RegexRouter::new(&RegexRouterConfig::new(regex.into(), replacement.into())).unwrap().route(topic)
    }

    /// Kafka's `RegexRouterTest`.
    #[test]
    fn a_topic_is_made_of_the_old_one() {
        assert_eq!(route("(.*)", "$1", "orig").as_deref(), Some("orig"));
        assert_eq!(route("(.*)", "prefix-$1", "orig").as_deref(), Some("prefix-orig"));
        assert_eq!(
            route("(.*)-(\\d\\d\\d\\d\\d\\d\\d\\d)", "$1-$2", "index-20160117").as_deref(),
            Some("index-20160117")
        );
        assert_eq!(
            route("(.*)-(\\d\\d\\d\\d)(\\d\\d)(\\d\\d)", "$1-$2$3", "index-20160117").as_deref(),
            Some("index-201601")
        );
        assert_eq!(route("\\d", "x", "orig"), None);
    }

    #[test]
    fn groups_are_read_as_java_reads_them() {
        assert_eq!(route("(a)(b)?", "$1$2$10\\$1", "a").as_deref(), Some("aa0$1"));
        assert_eq!(route("(?<n>a)", "${n}x", "a").as_deref(), Some("ax"));
        assert_eq!(route("a|ab", "x", "ab").as_deref(), Some("xb"), "the first match is not the whole");
        for (replacement, what) in [
            ("$2", "No group 2"),
            ("$x", "Illegal"),
            ("${m}", "No group"),
            ("\\", "escaped"),
            ("${n", "missing"),
        ] {
            let error =
                RegexRouter::new(&RegexRouterConfig::new("(?<n>a)".into(), replacement.into())).unwrap_err();
            assert!(error.report().contains(what), "{replacement}: {}", error.report());
        }
    }
}
