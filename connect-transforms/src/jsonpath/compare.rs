//! Equality and order of JSON values, by what they stand for and without rounding.

use super::query::{Budget, PathResult};
use crate::json::tree::{Kind, Members, Node};
use std::cmp::Ordering;

/// Whether two values are the same, by RFC 9535.
pub(super) fn equal(a: &Node<'_>, b: &Node<'_>, budget: &Budget) -> PathResult<bool> {
    budget.spend(1 + a.raw.len() / 64)?;
    Ok(match (&a.kind, &b.kind) {
        (Kind::Null, Kind::Null) => true,
        (Kind::Bool(a), Kind::Bool(b)) => a == b,
        (Kind::Number, Kind::Number) => compare_numbers(a.raw, b.raw) == Ordering::Equal,
        (Kind::Text(a), Kind::Text(b)) => a.as_str() == b.as_str(),
        (Kind::Array(a), Kind::Array(b)) => {
            if a.len() != b.len() {
                return Ok(false);
            }
            for (a, b) in a.iter().zip(b) {
                if !equal(a, b, budget)? {
                    return Ok(false);
                }
            }
            true
        }
        (Kind::Object(a), Kind::Object(b)) => equal_members(a, b, budget)?,
        _ => false,
    })
}

fn equal_members(a: &Members<'_>, b: &Members<'_>, budget: &Budget) -> PathResult<bool> {
    if a.list.len() != b.list.len() {
        return Ok(false);
    }
    for (key, node) in &a.list {
        match b.get(key.as_str()) {
            Some(other) if equal(node, other, budget)? => {}
            _ => return Ok(false),
        }
    }
    Ok(true)
}

/// The order of two numbers or two texts; nothing else has one.
pub(super) fn order(a: &Node<'_>, b: &Node<'_>, budget: &Budget) -> PathResult<Option<Ordering>> {
    budget.spend(1 + a.raw.len() / 64)?;
    Ok(match (&a.kind, &b.kind) {
        (Kind::Number, Kind::Number) => Some(compare_numbers(a.raw, b.raw)),
        (Kind::Text(a), Kind::Text(b)) => Some(a.as_str().cmp(b.as_str())),
        _ => None,
    })
}

/// Compares two numbers of JSON by their digits.
pub(super) fn compare_numbers(a: &str, b: &str) -> Ordering {
    if let (Ok(a), Ok(b)) = (a.parse::<i64>(), b.parse::<i64>()) {
        return a.cmp(&b);
    }
    let (a, b) = (Decimal::of(a), Decimal::of(b));
    match (a.sign(), b.sign()) {
        (x, y) if x != y => x.cmp(&y),
        (0, _) => Ordering::Equal,
        (sign, _) => {
            let larger = a.magnitude.cmp(&b.magnitude).then_with(|| a.digits().cmp(b.digits()));
            if sign < 0 { larger.reverse() } else { larger }
        }
    }
}

/// A number as `0.digits × 10^magnitude`, without zeros at either end of the digits.
struct Decimal<'t> {
    negative: bool,
    whole: &'t [u8],
    fraction: &'t [u8],
    magnitude: i64,
}

impl<'t> Decimal<'t> {
    fn of(text: &'t str) -> Self {
        let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let saturated = if exponent.starts_with('-') { i64::MIN / 2 } else { i64::MAX / 2 };
        let exponent = exponent.parse::<i64>().unwrap_or(saturated).clamp(i64::MIN / 2, i64::MAX / 2);
        let whole = whole.trim_start_matches('0');
        let fraction = fraction.trim_end_matches('0');
        let (digits, zeros) = match whole {
            "" => {
                let digits = fraction.trim_start_matches('0');
                (digits, digits.len() as i64 - fraction.len() as i64)
            }
            _ => (fraction, whole.len() as i64),
        };
        let whole = if digits.is_empty() { whole.trim_end_matches('0') } else { whole };
        let magnitude = exponent + zeros;
        Self { negative, whole: whole.as_bytes(), fraction: digits.as_bytes(), magnitude }
    }

    fn digits(&self) -> impl Iterator<Item = &u8> {
        self.whole.iter().chain(self.fraction)
    }

    fn sign(&self) -> i8 {
        match (self.whole.is_empty() && self.fraction.is_empty(), self.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        }
    }
}
