//! Types of fields.

use super::{number::whole, rules::FieldType, value::Val, why::Why};
use crate::json::Scanner;
use bumpalo::Bump;

/// The value as this type. `null` is of every type.
pub(super) fn convert<'a>(value: Val<'a>, kind: FieldType, bump: &'a Bump) -> Result<Val<'a>, Why> {
    if value.is_null() {
        return Ok(value);
    }
    match kind {
        FieldType::Original => Ok(value),
        FieldType::String if value.is_string() => Ok(value),
        FieldType::String => Ok(Val::Text(value.text(bump))),
        FieldType::Int64 => int64(value, bump),
        FieldType::Float64 => float64(value, bump),
        FieldType::Boolean => boolean(value, bump),
        FieldType::Map => container(value, b'{', "JSON object", bump),
        FieldType::Array => container(value, b'[', "JSON array", bump),
    }
}

/// A number's text, of a number or of text with one. Blanks around it are no part of it.
fn number<'a>(value: Val<'a>, wanted: &'static str, bump: &'a Bump) -> Result<&'a str, Why> {
    let text = value.text(bump);
    let number = text.trim();
    let mut scanner = Scanner::of(number);
    let digits = matches!(scanner.peek(), Some(b'-' | b'0'..=b'9'));
    // Text may have what JSON has not: a plus and leading zeros.
    let sound = digits && scanner.scalar().and_then(|()| scanner.end()).is_ok();
    if sound || (value.is_string() && loose(number)) {
        return Ok(number);
    }
    Err(Why::kind(text, wanted))
}

/// Digits with a sign, leading zeros, and a fraction that may be missing a side.
fn loose(number: &str) -> bool {
    let rest = number.strip_prefix(['+', '-']).unwrap_or(number);
    rest.starts_with(|c: char| c.is_ascii_digit() || c == '.') && number.parse::<f64>().is_ok()
}

fn int64<'a>(value: Val<'a>, bump: &'a Bump) -> Result<Val<'a>, Why> {
    let text = number(value, "INT64", bump)?;
    if let Ok(whole) = text.parse::<i64>() {
        // Nearly always the text itself is right; `-0`, `+1` and `007` are not.
        let mut buffer = itoa::Buffer::new();
        let written = buffer.format(whole);
        return Ok(Val::Json(if written == text { text } else { bump.alloc_str(written) }));
    }
    match whole(text).and_then(|whole| i64::try_from(whole).ok()) {
        Some(whole) => Ok(Val::Json(bump.alloc_str(itoa::Buffer::new().format(whole)))),
        None => Err(Why::kind(text, "INT64")),
    }
}

fn float64<'a>(value: Val<'a>, bump: &'a Bump) -> Result<Val<'a>, Why> {
    let text = number(value, "FLOAT64", bump)?;
    let parsed = text.parse::<f64>().ok().filter(|n| n.is_finite());
    let double = parsed.and_then(serde_json::Number::from_f64).ok_or_else(|| Why::kind(text, "FLOAT64"))?;
    if matches!(value, Val::Json(json) if json == text) && text.contains(['.', 'e', 'E']) {
        return Ok(value);
    }
    Ok(Val::Json(bump.alloc_str(&double.to_string())))
}

fn boolean<'a>(value: Val<'a>, bump: &'a Bump) -> Result<Val<'a>, Why> {
    let text = value.text(bump);
    let trimmed = text.trim();
    if trimmed.eq_ignore_ascii_case("true") || trimmed == "1" {
        Ok(Val::Json("true"))
    } else if trimmed.eq_ignore_ascii_case("false") || trimmed == "0" {
        Ok(Val::Json("false"))
    } else {
        Err(Why::kind(text, "BOOLEAN"))
    }
}

fn container<'a>(value: Val<'a>, opener: u8, wanted: &'static str, bump: &'a Bump) -> Result<Val<'a>, Why> {
    if let Val::Json(json) = value
        && json.as_bytes().first() == Some(&opener)
    {
        return Ok(value);
    }
    let text = value.text(bump).trim();
    if !value.is_string() || text.as_bytes().first() != Some(&opener) {
        return Err(Why::kind(text, wanted));
    }
    let mut scanner = Scanner::of(text);
    let span = scanner.value(&mut Vec::new())?;
    scanner.end()?;
    Ok(Val::Json(&text[span]))
}
