//! Lists of things with names, found by them at the same cost however many they are.

use std::{collections::HashMap, ops};

/// Something with a name that does not change.
pub(crate) trait Named {
    fn name(&self) -> &str;
}

impl<T> Named for (String, T) {
    fn name(&self) -> &str {
        &self.0
    }
}

/// In fewer things than this names are compared one by one.
const FEW: usize = 16;

/// Things in order, of which no two have the same name.
#[derive(Clone, Debug)]
pub(crate) struct List<T> {
    items: Vec<T>,
    /// Where they stand; empty if they are few.
    places: HashMap<String, usize>,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self { items: Vec::new(), places: HashMap::new() }
    }
}

impl<T: Named> List<T> {
    /// Adds something at the end. `false`: its name is taken, and nothing is added.
    pub(crate) fn push(&mut self, item: T) -> bool {
        if self.place(item.name()).is_some() {
            return false;
        }
        self.items.push(item);
        self.index();
        true
    }

    /// Adds something at the end, or puts it in the place of what has the same name.
    pub(crate) fn set(&mut self, item: T) {
        match self.place(item.name()) {
            Some(at) => self.items[at] = item,
            None => drop(self.push(item)),
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&T> {
        self.place(name).map(|at| &self.items[at])
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut T> {
        self.place(name).map(|at| &mut self.items[at])
    }

    /// Where the thing of this name stands.
    pub(crate) fn place(&self, name: &str) -> Option<usize> {
        match self.places.is_empty() {
            true => self.items.iter().position(|item| item.name() == name),
            false => self.places.get(name).copied(),
        }
    }

    /// As [`place`](Self::place); most probably it is `expected`.
    #[inline]
    pub(crate) fn place_near(&self, name: &str, expected: usize) -> Option<usize> {
        match self.items.get(expected) {
            Some(item) if item.name() == name => Some(expected),
            _ => self.place(name),
        }
    }

    pub(crate) fn retain_mut(&mut self, keep: impl FnMut(&mut T) -> bool) {
        self.items.retain_mut(keep);
        self.places.clear();
        self.index();
    }

    /// Enters what has no place yet.
    fn index(&mut self) {
        if self.items.len() > FEW {
            for at in self.places.len()..self.items.len() {
                self.places.insert(self.items[at].name().to_owned(), at);
            }
        }
    }
}

impl<T: PartialEq> PartialEq for List<T> {
    fn eq(&self, other: &Self) -> bool {
        self.items == other.items
    }
}

impl<T: Eq> Eq for List<T> {}

impl<T> ops::Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.items
    }
}

/// Whoever changes things leaves their names alone.
impl<T> ops::DerefMut for List<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.items
    }
}

impl<'l, T> IntoIterator for &'l List<T> {
    type Item = &'l T;
    type IntoIter = std::slice::Iter<'l, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// Counts how often names are looked at.
    struct Counted<'c>(String, &'c Cell<usize>);

    impl Named for Counted<'_> {
        fn name(&self) -> &str {
            self.1.set(self.1.get() + 1);
            &self.0
        }
    }

    #[test]
    fn the_work_for_each_name_does_not_grow_with_their_number() {
        let work = |count: usize| {
            let (looked, mut list) = (Cell::new(0), List::default());
            for number in 0..count {
                list.push(Counted(format!("n{number}"), &looked));
            }
            for number in (0..count).rev() {
                assert_eq!(list.place_near(&format!("n{number}"), 0), Some(number));
            }
            looked.get() / count
        };
        assert!(work(20_000) <= work(200), "{} and {}", work(20_000), work(200));
    }

    #[test]
    fn things_are_found_whether_they_are_few_or_many() {
        for count in [1, FEW, FEW + 1, 100] {
            let mut list = List::default();
            for number in 0..count {
                assert!(list.push((format!("n{number}"), number)) && list.place("x").is_none());
            }
            let found =
                |list: &List<(String, usize)>, n: usize| list.get(&format!("n{n}")).map(|item| item.1);
            assert!((0..count).all(|n| found(&list, n) == Some(n)));
            assert!(!list.push(("n0".to_owned(), 7)));
            list.set(("n0".to_owned(), 8));
            assert_eq!((list.len(), found(&list, 0)), (count, Some(8)));
            assert_eq!((list.place_near("n0", 0), list.place_near("n0", 99)), (Some(0), Some(0)));
            list.retain_mut(|(name, _)| name != "n0");
            assert!(
                found(&list, 0).is_none() && (1..count).all(|n| list.place(&format!("n{n}")) == Some(n - 1))
            );
        }
    }
}
