//! From Avro's bytes to JSON text, without a tree.
//!
//! `apache-avro` parses the schemas; its decoder is not used here, because of what it makes of hostile data: it reads
//! missing bytes at the end as null, has no limit on nesting, and gives the entries of a map in random order, so that a
//! record would not become the same bytes twice.

use super::plan::{Index, Node, Plan};
use crate::{
    converters::{
        DecimalFormat,
        decimal::write_decimal,
        primitive::{write_f32, write_f64},
    },
    json::escape::quote,
};
use base64::{Engine, engine::general_purpose::STANDARD};

/// Data nest no deeper than this; Avro has no limit.
const DEPTH_MAX: usize = 500;
/// Values that take no bytes, such as the nulls of an array, may be this many more than a record has bytes: a few bytes
/// can stand for 2^63 of them.
const FREE_MAX: usize = 1 << 20;

/// What is wrong with Avro data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AvroError {
    #[error("the data end too early")]
    End,
    #[error("a number takes more than ten bytes, or does not fit its type, {0} bytes before the end")]
    Number(usize),
    #[error("a length of {0}, {1} bytes before the end")]
    Length(i64, usize),
    #[error("a boolean that is neither 0 nor 1, {0} bytes before the end")]
    Boolean(usize),
    #[error("a string that is not UTF-8, {0} bytes before the end")]
    Utf8(usize),
    #[error("a symbol or a member of a union that the schema does not have: {0}")]
    NoSuch(i64),
    #[error("nested deeper than {DEPTH_MAX}")]
    Deep,
    #[error("too many values that take no bytes")]
    Free,
    #[error("a decimal of {0} bytes")]
    Decimal(usize),
}

/// Appends `data` as JSON. What follows the data is ignored, as in Java.
pub(super) fn write_json(
    plan: &Plan,
    data: &[u8],
    decimal: DecimalFormat,
    out: &mut Vec<u8>,
) -> Result<(), AvroError> {
    let free = data.len() + FREE_MAX;
    Reader { plan, rest: data, decimal, free, out }.value(plan.root, DEPTH_MAX)
}

struct Reader<'p, 'd, 'o> {
    plan: &'p Plan,
    rest: &'d [u8],
    decimal: DecimalFormat,
    /// Values without bytes that are still allowed.
    free: usize,
    out: &'o mut Vec<u8>,
}

impl<'p, 'd> Reader<'p, 'd, '_> {
    /// Small, since it calls itself: what contains nothing is written by [`leaf`](Self::leaf).
    fn value(&mut self, index: Index, depth: usize) -> Result<(), AvroError> {
        let inner = depth.checked_sub(1).ok_or(AvroError::Deep)?;
        let plan: &'p Plan = self.plan;
        match &plan.nodes[index] {
            Node::Option(members) => {
                let member = *self.one_of(members)?;
                self.value(member, inner)
            }
            Node::Array(items) => self.array_of(|reader| reader.value(*items, inner)),
            Node::Pairs(key, value) => self.array_of(|reader| reader.pair(*key, *value, inner)),
            Node::Map(values) => self.map(*values, inner),
            Node::Union(members) => self.union(members, inner),
            Node::Record(fields) => self.record(fields, inner),
            leaf => self.leaf(leaf),
        }
    }

    #[inline(never)]
    fn leaf(&mut self, node: &Node) -> Result<(), AvroError> {
        match node {
            Node::Boolean => {
                let text: &[u8] = match self.take(1)? {
                    [0] => b"false",
                    [1] => b"true",
                    _ => return Err(AvroError::Boolean(self.rest.len())),
                };
                self.out.extend_from_slice(text);
            }
            Node::Int => {
                let left = self.rest.len();
                let number = i32::try_from(self.long()?).map_err(|_| AvroError::Number(left))?;
                self.out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
            }
            Node::Long => {
                let number = self.long()?;
                self.out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
            }
            Node::Float => {
                let number = f32::from_le_bytes(self.array()?);
                write_f32(number, self.out);
            }
            Node::Double => {
                let number = f64::from_le_bytes(self.array()?);
                write_f64(number, self.out);
            }
            Node::Bytes => {
                let bytes = self.sized()?;
                self.base64(bytes);
            }
            Node::Fixed(size) => {
                let bytes = self.fixed(*size)?;
                self.base64(bytes);
            }
            Node::Decimal(scale, size) => {
                let bytes = match size {
                    Some(size) => self.fixed(*size)?,
                    None => self.sized()?,
                };
                write_decimal(bytes, *scale, self.decimal, self.out)
                    .ok_or(AvroError::Decimal(bytes.len()))?;
            }
            Node::String => self.string()?,
            Node::Enum(symbols) => {
                let symbol = self.one_of(symbols)?;
                self.out.extend_from_slice(symbol);
            }
            // Containers are not leaves.
            Node::Null
            | Node::Option(_)
            | Node::Array(_)
            | Node::Pairs(..)
            | Node::Map(_)
            | Node::Union(_)
            | Node::Record(_) => {
                self.free()?;
                self.out.extend_from_slice(b"null");
            }
        }
        Ok(())
    }

    fn pair(&mut self, key: Index, value: Index, depth: usize) -> Result<(), AvroError> {
        self.out.push(b'[');
        self.value(key, depth)?;
        self.out.push(b',');
        self.value(value, depth)?;
        self.out.push(b']');
        Ok(())
    }

    fn record(&mut self, fields: &[(Vec<u8>, Index)], depth: usize) -> Result<(), AvroError> {
        if fields.is_empty() {
            self.free()?;
        }
        self.out.push(b'{');
        for (number, (key, index)) in fields.iter().enumerate() {
            if number > 0 {
                self.out.push(b',');
            }
            self.out.extend_from_slice(key);
            self.value(*index, depth)?;
        }
        self.out.push(b'}');
        Ok(())
    }

    /// A field for each member, null but for the one that is there.
    fn union(&mut self, members: &[(Option<Vec<u8>>, Index)], depth: usize) -> Result<(), AvroError> {
        let chosen = self.one_of(members)?;
        if chosen.0.is_none() {
            return self.value(chosen.1, depth);
        }
        let mut separator = b'{';
        for member in members {
            let Some(key) = &member.0 else { continue };
            self.out.push(separator);
            separator = b',';
            self.out.extend_from_slice(key);
            if std::ptr::eq(member, chosen) {
                self.value(member.1, depth)?;
            } else {
                self.out.extend_from_slice(b"null");
            }
        }
        self.out.push(b'}');
        Ok(())
    }

    fn map(&mut self, values: Index, depth: usize) -> Result<(), AvroError> {
        self.out.push(b'{');
        self.blocks(|reader| {
            reader.string()?;
            reader.out.push(b':');
            reader.value(values, depth)
        })?;
        self.out.push(b'}');
        Ok(())
    }

    fn array_of(&mut self, item: impl FnMut(&mut Self) -> Result<(), AvroError>) -> Result<(), AvroError> {
        self.out.push(b'[');
        self.blocks(item)?;
        self.out.push(b']');
        Ok(())
    }

    /// Blocks of items, each with their number in front; a negative number has the size of the block behind it.
    fn blocks(&mut self, mut item: impl FnMut(&mut Self) -> Result<(), AvroError>) -> Result<(), AvroError> {
        let mut first = true;
        loop {
            let count = self.long()?;
            if count == 0 {
                return Ok(());
            }
            if count < 0 {
                self.long()?;
            }
            for _ in 0..count.unsigned_abs() {
                if !first {
                    self.out.push(b',');
                }
                first = false;
                item(self)?;
            }
        }
    }

    fn string(&mut self) -> Result<(), AvroError> {
        let bytes = self.sized()?;
        let text = std::str::from_utf8(bytes).map_err(|_| AvroError::Utf8(self.rest.len()))?;
        quote(text, self.out);
        Ok(())
    }

    fn base64(&mut self, bytes: &[u8]) {
        self.out.push(b'"');
        self.out.extend_from_slice(STANDARD.encode(bytes).as_bytes());
        self.out.push(b'"');
    }

    fn one_of<'a, T>(&mut self, choices: &'a [T]) -> Result<&'a T, AvroError> {
        let number = self.long()?;
        let chosen = usize::try_from(number).ok().and_then(|number| choices.get(number));
        chosen.ok_or(AvroError::NoSuch(number))
    }

    fn sized(&mut self) -> Result<&'d [u8], AvroError> {
        let length = self.long()?;
        let size = usize::try_from(length).map_err(|_| AvroError::Length(length, self.rest.len()))?;
        self.take(size)
    }

    fn fixed(&mut self, size: usize) -> Result<&'d [u8], AvroError> {
        if size == 0 {
            self.free()?;
        }
        self.take(size)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], AvroError> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(AvroError::End)?;
        self.rest = rest;
        Ok(*taken)
    }

    fn take(&mut self, size: usize) -> Result<&'d [u8], AvroError> {
        let (taken, rest) = self.rest.split_at_checked(size).ok_or(AvroError::End)?;
        self.rest = rest;
        Ok(taken)
    }

    /// A zigzag number of at most ten bytes.
    fn long(&mut self) -> Result<i64, AvroError> {
        let mut number = 0_u64;
        for (at, &byte) in self.rest.iter().take(10).enumerate() {
            let bits = u64::from(byte & 0x7f);
            if at == 9 && bits > 1 {
                break;
            }
            number |= bits << (7 * at);
            if byte < 0x80 {
                self.rest = &self.rest[at + 1..];
                return Ok((number >> 1).cast_signed() ^ -((number & 1).cast_signed()));
            }
        }
        Err(if self.rest.len() < 10 { AvroError::End } else { AvroError::Number(self.rest.len()) })
    }

    fn free(&mut self) -> Result<(), AvroError> {
        self.free = self.free.checked_sub(1).ok_or(AvroError::Free)?;
        Ok(())
    }
}
