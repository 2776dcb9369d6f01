//! Operations on values, compiled.

use super::{
    date::DateOp,
    rules::ValueOperation,
    search::{PATTERN_ALLOWED, Pattern, Searches, compile},
    value::Val,
    why::Why,
};
use crate::{
    json::{Scanner, escape::quote},
    jsonpath::{Document, JsonPath},
};
use bumpalo::Bump;
use encoding_rs::Encoding;
use memchr::memmem;
use percent_encoding::percent_decode;
use regex::Regex;

/// What operations need beside the value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'a> {
    pub(super) bump: &'a Bump,
    pub(super) now_ms: i64,
    /// Bytes that may be made of the record on the way.
    pub(super) room: usize,
    /// Whether equal keys of one object are made one field when they are read. Rules find the last of them anyway, and
    /// where none looks they are noticed when the result is written; to look for them costs more than most records need.
    pub(super) unite: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Operation {
    Replace { old: String, new: String },
    Substring { start: usize, end: usize },
    Date(Box<DateOp>),
    Trim,
    RegexReplace { pattern: Pattern, new: Vec<Piece> },
    Split(String),
    KeyValue { entries: String, separator: String, keep: bool },
    PathReplace { old: Box<JsonPath>, new: New },
    UrlDecode(&'static Encoding),
    LowerCase,
    UpperCase,
}

/// A piece of what stands in the place of a match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    Group(usize),
}

#[derive(Clone, Debug)]
pub(super) enum New {
    /// A JSON string.
    Literal(String),
    Path(Box<JsonPath>),
}

impl<'a> Context<'a> {
    pub(super) fn keep(self, text: &str) -> Result<&'a str, Why> {
        self.check(text.len())?;
        Ok(self.bump.alloc_str(text))
    }

    /// Whether so many more bytes may be made.
    pub(super) fn check(self, more: usize) -> Result<(), Why> {
        // Blocks double: what is still free in the last one may be half of it all.
        let taken = self.bump.allocated_bytes().saturating_sub(self.bump.chunk_capacity());
        if taken.saturating_add(more) > self.room {
            return Err(Why::TooLarge(self.room));
        }
        Ok(())
    }
}

impl Operation {
    /// Each problem is reported with the key that it is about, what is wrong and what is allowed.
    pub(super) fn new(rule: &ValueOperation, mut problem: impl FnMut(&str, String, &str)) -> Option<Self> {
        let mut needed = |key: &str, text: &String| {
            if text.is_empty() {
                problem(key, "it is empty".to_owned(), "a text");
            }
            text.clone()
        };
        Some(match rule {
            ValueOperation::Replace { old, new } => {
                Self::Replace { old: needed("Replace.OldValue", old), new: new.clone() }
            }
            ValueOperation::Split(separator) => Self::Split(needed("Split.Regex", separator)),
            ValueOperation::KeyValue { entries, separator, keep } => Self::KeyValue {
                entries: needed("KV.Delimiter", entries),
                separator: needed("KV.Regex", separator),
                keep: *keep,
            },
            ValueOperation::Substring { start, end } => {
                if start > end {
                    problem("Substr", format!("Start {start} is behind End {end}"), "Start up to End");
                }
                Self::Substring { start: *start, end: *end }
            }
            ValueOperation::Date(rule) => {
                let date =
                    DateOp::new(rule, |key, what, allowed| problem(&format!("Date.{key}"), what, allowed));
                Self::Date(Box::new(date?))
            }
            ValueOperation::RegexReplace { pattern, new } => {
                let pattern = compile(pattern)
                    .map_err(|what| problem("RegexReplace.Regex", what, PATTERN_ALLOWED))
                    .ok()?;
                let new = pieces(new, &pattern.regex)
                    .map_err(|what| {
                        problem(
                            "RegexReplace.NewValue",
                            what,
                            "$1 or ${name} for groups that the pattern has",
                        )
                    })
                    .ok()?;
                Self::RegexReplace { pattern, new }
            }
            ValueOperation::JsonPathReplace { old, new } => path_replace(old, new, problem)?,
            ValueOperation::Trim => Self::Trim,
            ValueOperation::UrlDecode => Self::UrlDecode(encoding_rs::UTF_8),
            ValueOperation::UrlDecodeIn(label) => {
                let allowed =
                    "UTF-8, GBK, GB18030, Big5, Shift_JIS, EUC-KR or another label of the Encoding Standard";
                let known = encoding(label);
                if known.is_none() {
                    problem("UrlDecode.CharsetName", format!("{label:?} is no known encoding"), allowed);
                }
                Self::UrlDecode(known?)
            }
            ValueOperation::LowerCase => Self::LowerCase,
            ValueOperation::UpperCase => Self::UpperCase,
        })
    }

    /// The changed value; `KeyValue` is the caller's.
    pub(super) fn apply<'a>(&self, value: Val<'a>, context: Context<'a>) -> Result<Val<'a>, Why> {
        if value.is_null() {
            return Ok(value);
        }
        if let Self::PathReplace { old, new } = self {
            return replace_paths(value, old, new, context);
        }
        let text = value.text(context.bump);
        let changed = match self {
            Self::Trim => text.trim_matches(|c: char| c <= ' '),
            Self::Substring { start, end } => substring(text, *start, *end),
            Self::Replace { old, new } => replace(text, old, new, context)?,
            Self::Date(date) => context.keep(&date.apply(text)?)?,
            Self::RegexReplace { pattern, new } => regex_replace(text, pattern, new, context)?,
            Self::LowerCase => context.keep(&text.to_lowercase())?,
            Self::UpperCase => context.keep(&text.to_uppercase())?,
            Self::UrlDecode(encoding) => url_decode(text, encoding, context)?,
            Self::Split(separator) => return split(text, separator, context),
            Self::KeyValue { .. } | Self::PathReplace { .. } => text,
        };
        Ok(Val::Text(changed))
    }
}

fn path_replace(old: &str, new: &str, mut problem: impl FnMut(&str, String, &str)) -> Option<Operation> {
    let mut path = |key: &str, text: &str| match JsonPath::compile(text) {
        Ok(path) => Some(Box::new(path)),
        Err(error) => {
            problem(&format!("JsonPathReplace.{key}"), error.to_string(), "a JSON path");
            None
        }
    };
    let old = path("OldValue", old);
    let new = if new.starts_with('$') {
        path("NewValue", new).map(New::Path)
    } else {
        let mut literal = Vec::new();
        quote(new, &mut literal);
        Some(New::Literal(String::from_utf8(literal).expect("escaped text is text")))
    };
    let (old, new) = (old?, new?);
    if old.is_computed() {
        let what = "its result stands nowhere in the value".to_owned();
        problem("JsonPathReplace.OldValue", what, "a path without functions");
    }
    Some(Operation::PathReplace { old, new })
}

/// What Java's `Matcher.replaceAll` takes: `$1`, `${name}`, and `\` before what is meant literally.
fn pieces(template: &str, pattern: &Regex) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut rest = template;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\\' => {
                let escaped = rest.chars().next().ok_or("a `\\` at the end")?;
                rest = &rest[escaped.len_utf8()..];
                text.push(escaped);
            }
            '$' => {
                let (group, after) = group(rest, pattern)?;
                pieces.push(Piece::Text(std::mem::take(&mut text)));
                pieces.push(Piece::Group(group));
                rest = after;
            }
            _ => text.push(c),
        }
    }
    pieces.push(Piece::Text(text));
    pieces.retain(|piece| !matches!(piece, Piece::Text(text) if text.is_empty()));
    Ok(pieces)
}

/// The group that is named behind a `$`, and what follows its name. As many digits belong to it as there are groups.
fn group<'t>(rest: &'t str, pattern: &Regex) -> Result<(usize, &'t str), String> {
    if let Some(braced) = rest.strip_prefix('{') {
        let (name, after) = braced.split_once('}').ok_or("a `${` that is not closed")?;
        let number = name.parse().ok().filter(|number| *number < pattern.captures_len());
        let named = || pattern.capture_names().position(|known| known == Some(name));
        let group = number.or_else(named).ok_or_else(|| format!("the pattern has no group {name:?}"))?;
        return Ok((group, after));
    }
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let fitting = (1..=digits).rev().find_map(|length| {
        let number: usize = rest[..length].parse().ok()?;
        (number < pattern.captures_len()).then_some((number, &rest[length..]))
    });
    fitting.ok_or_else(|| match digits {
        0 => "a `$` without a group: write `\\$` for the sign itself".to_owned(),
        _ => format!("the pattern has no group {}", &rest[..digits]),
    })
}

fn substring(text: &str, start: usize, end: usize) -> &str {
    let place = |number: usize| text.char_indices().nth(number).map_or(text.len(), |(at, _)| at);
    let (from, to) = (place(start), place(end));
    text.get(from..to).unwrap_or_default()
}

fn replace<'a>(text: &'a str, old: &str, new: &str, context: Context<'a>) -> Result<&'a str, Why> {
    let finder = memmem::Finder::new(old);
    let mut found = finder.find_iter(text.as_bytes()).peekable();
    if found.peek().is_none() {
        return Ok(text);
    }
    let (mut out, mut copied) = (String::with_capacity(text.len()), 0);
    for at in found {
        out.push_str(&text[copied..at]);
        out.push_str(new);
        context.check(out.len())?;
        copied = at + old.len();
    }
    out.push_str(&text[copied..]);
    context.keep(&out)
}

fn regex_replace<'a>(
    text: &'a str,
    pattern: &Pattern,
    new: &[Piece],
    context: Context<'a>,
) -> Result<&'a str, Why> {
    let (mut out, mut copied, mut any) = (String::new(), 0, false);
    let mut searches = Searches::new(pattern, text);
    for found in pattern.regex.captures_iter(text) {
        let whole = found.get_match();
        searches.found(whole.start(), whole.end())?;
        any = true;
        out.push_str(&text[copied..whole.start()]);
        for piece in new {
            out.push_str(match piece {
                Piece::Text(text) => text,
                Piece::Group(number) => found.get(*number).map_or("", |group| group.as_str()),
            });
        }
        context.check(out.len())?;
        copied = whole.end();
    }
    if !any {
        return Ok(text);
    }
    out.push_str(&text[copied..]);
    context.keep(&out)
}

/// An encoding by its label, if text can be read in it.
pub(super) fn encoding(label: &str) -> Option<&'static Encoding> {
    Encoding::for_label_no_replacement(label.as_bytes())
}

/// `+` is a blank, as in forms and in Java. What stands there unescaped may be the second byte of a character whose first
/// one is escaped (`%81A` in GBK), unless it is not ASCII.
fn url_decode<'a>(text: &'a str, encoding: &'static Encoding, context: Context<'a>) -> Result<&'a str, Why> {
    if !text.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return Ok(text);
    }
    let mut out = String::with_capacity(text.len());
    for piece in text.split_inclusive(|c: char| !c.is_ascii()) {
        let end = piece.char_indices().next_back().filter(|(_, last)| !last.is_ascii());
        let (ascii, literal) = piece.split_at(end.map_or(piece.len(), |(at, _)| at));
        let spaced = ascii.replace('+', " ");
        let bytes: Vec<u8> = percent_decode(spaced.as_bytes()).collect();
        let decoded = encoding.decode_without_bom_handling_and_without_replacement(&bytes);
        out.push_str(&decoded.ok_or(Why::Encoding(encoding.name()))?);
        out.push_str(literal);
        context.check(out.len())?;
    }
    context.keep(&out)
}

fn split<'a>(text: &str, separator: &str, context: Context<'a>) -> Result<Val<'a>, Why> {
    let mut json = b"[".to_vec();
    for piece in text.split(separator) {
        if json.len() > 1 {
            json.push(b',');
        }
        quote(piece, &mut json);
        context.check(json.len())?;
    }
    json.push(b']');
    let json = std::str::from_utf8(&json).expect("escaped text is text");
    context.keep(json).map(Val::Json)
}

/// Text that holds JSON stays text.
fn replace_paths<'a>(
    value: Val<'a>,
    old: &JsonPath,
    new: &New,
    context: Context<'a>,
) -> Result<Val<'a>, Why> {
    let string = value.is_string();
    let json = if string { value.text(context.bump) } else { value.json(context.bump) };
    if string && !is_json(json) {
        return Err(Why::kind(json, "JSON, in which paths could be replaced"));
    }
    let document = Document::of(json);
    let found = old.places_in(&document)?.unwrap_or_default();
    let new = match new {
        New::Literal(text) => Some(std::borrow::Cow::Borrowed(text.as_str())),
        New::Path(path) => path.value_in(&document)?,
    };
    let Some(new) = new.filter(|_| !found.is_empty()) else {
        return Ok(value);
    };
    let mut places: Vec<(usize, usize)> = found.into_iter().map(|found| place(json, found)).collect();
    places.sort_unstable();
    let (mut out, mut copied) = (String::with_capacity(json.len()), 0);
    for (start, end) in places {
        // What lies in a place that was replaced is gone with it.
        if start >= copied {
            out.push_str(&json[copied..start]);
            out.push_str(&new);
            context.check(out.len())?;
            copied = end;
        }
    }
    out.push_str(&json[copied..]);
    let out = context.keep(&out)?;
    Ok(if string { Val::Text(out) } else { Val::Json(out) })
}

fn is_json(text: &str) -> bool {
    let mut scanner = Scanner::of(text);
    scanner.value(&mut Vec::new()).and_then(|_| scanner.end()).is_ok()
}

/// Where a part of a text stands in it.
fn place(text: &str, part: &str) -> (usize, usize) {
    let start = part.as_ptr().addr() - text.as_ptr().addr();
    (start, start + part.len())
}
