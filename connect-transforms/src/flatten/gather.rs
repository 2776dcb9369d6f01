//! The values below an array of objects, brought together by their names.

use super::EmptyObjects;
use crate::json::{Span, names::Names};

/// Scratch kept for the next record, in bytes or values.
const KEPT_MAX: usize = 64 << 10;

/// Names in the order in which they came, and the values of each in theirs.
#[derive(Debug)]
pub(super) struct Gathered {
    /// All names, one behind the other.
    text: Vec<u8>,
    names: Names,
    groups: Vec<Group>,
    values: Vec<Value>,
    /// Bytes of the names of all values of this record, as many times as they came.
    pub(super) written: usize,
}

#[derive(Debug)]
struct Group {
    name: Span,
    first: usize,
    last: usize,
}

/// A value in the input.
#[derive(Clone, Debug)]
pub(super) struct Value {
    pub(super) span: Span,
    /// Whether it is no container.
    pub(super) scalar: bool,
    /// What becomes of it if it is an empty object.
    pub(super) empty: EmptyObjects,
    /// The next value of that name. 0: this is the last one, since the first of all values follows none.
    next: usize,
}

impl Value {
    pub(super) fn new(span: Span, scalar: bool, empty: EmptyObjects) -> Self {
        Self { span, scalar, empty, next: 0 }
    }
}

impl Gathered {
    pub(super) const fn new() -> Self {
        Self { text: Vec::new(), names: Names::new(), groups: Vec::new(), values: Vec::new(), written: 0 }
    }

    /// Forgets all names and values, but not what they took.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.names.clear();
        self.groups.clear();
        self.values.clear();
    }

    /// Gives back what only a rare record needs.
    pub(super) fn shrink(&mut self) {
        if self.text.capacity() > KEPT_MAX || self.values.capacity() > KEPT_MAX / 16 {
            *self = Self::new();
        }
        self.names.shrink();
    }

    /// Adds a value to those of the name that `write` appends.
    pub(super) fn add(&mut self, value: Value, seed: u64, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.text.len();
        write(&mut self.text);
        let name = start..self.text.len();
        self.written += name.len();
        let number = self.values.len();
        self.values.push(value);
        match self.names.find_or_insert(&self.text, name.start, name.end, seed) {
            Some(group) => {
                self.text.truncate(start);
                let last = std::mem::replace(&mut self.groups[group].last, number);
                self.values[last].next = number;
            }
            None => self.groups.push(Group { name, first: number, last: number }),
        }
    }

    /// The names, each with its values.
    pub(super) fn groups(&self) -> impl Iterator<Item = (&[u8], impl Iterator<Item = &Value>)> {
        self.groups.iter().map(|group| {
            let next = |value: &&Value| self.values.get(value.next).filter(|_| value.next > 0);
            (&self.text[group.name.clone()], std::iter::successors(self.values.get(group.first), next))
        })
    }
}
