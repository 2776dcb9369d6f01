//! Filters: conditions that results must meet.

use super::{
    number::whole,
    rules::{FilterMode, FilterRule},
    run::by_key,
    value::{Field, Val},
};
use bumpalo::Bump;
use std::net::IpAddr;

#[derive(Clone, Debug)]
pub(super) struct Filter {
    key: String,
    test: Test,
}

#[derive(Clone, Debug)]
enum Test {
    Prefix(String),
    Suffix(String),
    Contains(String),
    Except(String),
    /// One of them must hold, each with all of its comparisons.
    Number(Vec<Vec<Comparison>>),
    Ip(Network),
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Comparison {
    operator: Operator,
    number: f64,
    /// The number, if it is a whole one: compared exactly.
    whole: Option<i128>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Less,
    AtMost,
    Equal,
    Unequal,
    AtLeast,
    Greater,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    bits: u32,
}

impl Filter {
    /// # Errors
    /// What is wrong with the value, and what is allowed.
    pub(super) fn new(rule: &FilterRule) -> Result<Self, (String, &'static str)> {
        let value = rule.value.clone();
        let test = match rule.mode {
            FilterMode::Prefix => Test::Prefix(value),
            FilterMode::Suffix => Test::Suffix(value),
            FilterMode::Contains => Test::Contains(value),
            FilterMode::Except => Test::Except(value),
            FilterMode::Number => Test::Number(comparisons(&value)?),
            FilterMode::Ip => Test::Ip(Network::parse(&value).ok_or_else(|| {
                (format!("{value:?} is no network"), "10.0.0.0/8, 2001:db8::/32 or one address")
            })?),
        };
        Ok(Self { key: rule.key.clone(), test })
    }

    pub(super) fn holds<'a>(&self, fields: &[Field<'a>], bump: &'a Bump) -> bool {
        // What stands in a field was checked when it was read: looking into it does not fail.
        let value = by_key(fields, &self.key).ok().flatten();
        let Some(value) = value.filter(|value| !value.is_null()) else {
            return matches!(self.test, Test::Except(_));
        };
        let text = value.text(bump);
        match &self.test {
            Test::Prefix(prefix) => text.starts_with(prefix.as_str()),
            Test::Suffix(suffix) => text.ends_with(suffix.as_str()),
            Test::Contains(part) => memchr::memmem::find(text.as_bytes(), part.as_bytes()).is_some(),
            Test::Except(other) => text != other,
            Test::Number(either) => compares(either, value, text),
            Test::Ip(network) => text.trim().parse().is_ok_and(|address| network.contains(address)),
        }
    }
}

/// Text counts as the number that it holds.
fn compares(either: &[Vec<Comparison>], value: Val<'_>, text: &str) -> bool {
    let text = text.trim();
    let number = text.parse::<f64>().ok().filter(|n| !n.is_nan());
    let numeric = !matches!(value, Val::Json(json) if json.starts_with(['{', '[', 't', 'f']));
    // `inf` and `nan` are doubles for Rust, and no numbers in a record.
    let Some(number) = number.filter(|_| numeric && text.ends_with(|c: char| c.is_ascii_digit() || c == '.'))
    else {
        return false;
    };
    let whole = whole(text);
    either.iter().any(|all| all.iter().all(|one| one.holds(number, whole)))
}

impl Comparison {
    fn holds(self, number: f64, whole: Option<i128>) -> bool {
        let order = match (whole, self.whole) {
            (Some(a), Some(b)) => a.cmp(&b),
            // Neither is NaN.
            _ => number.partial_cmp(&self.number).unwrap_or(std::cmp::Ordering::Equal),
        };
        match self.operator {
            Operator::Less => order.is_lt(),
            Operator::AtMost => order.is_le(),
            Operator::Equal => order.is_eq(),
            Operator::Unequal => order.is_ne(),
            Operator::AtLeast => order.is_ge(),
            Operator::Greater => order.is_gt(),
        }
    }
}

/// `>=10&<=20|=7`: alternatives of conjunctions.
fn comparisons(text: &str) -> Result<Vec<Vec<Comparison>>, (String, &'static str)> {
    const ALLOWED: &str = "<, <=, >, >=, = or != with a number, joined by & (and) or | (or): >=10&<=20";
    let one = |text: &str| {
        let text = text.trim();
        let operators = [
            (">=", Operator::AtLeast),
            ("<=", Operator::AtMost),
            ("!=", Operator::Unequal),
            ("==", Operator::Equal),
            (">", Operator::Greater),
            ("<", Operator::Less),
            ("=", Operator::Equal),
        ];
        let (number, operator) =
            operators.into_iter().find_map(|(sign, operator)| Some((text.strip_prefix(sign)?, operator)))?;
        let number = number.trim();
        let double = number.parse::<f64>().ok().filter(|n| n.is_finite())?;
        Some(Comparison { operator, number: double, whole: whole(number) })
    };
    text.split('|')
        .map(|all| {
            all.split('&')
                .map(|text| one(text).ok_or_else(|| (format!("{:?} is no comparison", text.trim()), ALLOWED)))
                .collect()
        })
        .collect()
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) if !bits.starts_with('+') => (address, Some(bits.parse::<u32>().ok()?)),
            Some(_) => return None,
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        if bits > most {
            return None;
        }
        // Addresses are asked in their IPv4 form, see `contains`.
        Some(match (address, address.to_canonical(), bits.checked_sub(96)) {
            (IpAddr::V6(_), address @ IpAddr::V4(_), Some(bits)) => Self { address, bits },
            _ => Self { address, bits },
        })
    }

    /// An IPv4 address that is written as IPv6 (`::ffff:1.2.3.4`) is the IPv4 address.
    fn contains(self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let shift = 32 - self.bits;
                let prefix = |ip: std::net::Ipv4Addr| ip.to_bits().checked_shr(shift).unwrap_or(0);
                prefix(network) == prefix(address)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let shift = 128 - self.bits;
                let prefix = |ip: std::net::Ipv6Addr| ip.to_bits().checked_shr(shift).unwrap_or(0);
                prefix(network) == prefix(address)
            }
            _ => false,
        }
    }
}
