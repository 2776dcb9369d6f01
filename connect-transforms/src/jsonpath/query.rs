//! Following a path that is not definite through the tree of a text, within bounds.

use super::{
    Document, PathError,
    model::{Segment, Segments, Selector, Slice},
};
use crate::json::tree::{Kind, Node};
use std::cell::Cell;

/// Values that every evaluation may look at, beside some for each byte of the text.
const STEPS: u64 = 1 << 20;

pub(super) type PathResult<T> = Result<T, PathError>;

/// What is left of the work that one evaluation may do.
#[derive(Debug)]
pub(super) struct Budget {
    left: Cell<u64>,
    limit: u64,
}

/// One evaluation of one expression: its text, and what it may cost with all paths and functions in it.
#[derive(Debug)]
pub(super) struct Evaluation<'d, 'a> {
    pub(super) document: &'d Document<'a>,
    pub(super) budget: Budget,
}

/// A path that is not definite, with the literals of its filters as JSON texts.
#[derive(Clone, Debug)]
pub(super) struct Query {
    pub(super) path: Segments,
    pub(super) literals: Vec<String>,
}

/// Finds the nodes of paths in one tree.
pub(super) struct Finder<'r, 'a> {
    pub(super) evaluation: &'r Evaluation<'r, 'a>,
    pub(super) root: &'r Node<'a>,
    pub(super) literals: &'r [Node<'r>],
}

impl Budget {
    /// Takes steps.
    pub(super) fn spend(&self, steps: usize) -> PathResult<()> {
        match self.left.get().checked_sub(steps as u64) {
            Some(left) => {
                self.left.set(left);
                Ok(())
            }
            None => Err(PathError::Steps(self.limit)),
        }
    }
}

impl<'d, 'a> Evaluation<'d, 'a> {
    pub(super) fn new(document: &'d Document<'a>) -> Self {
        let limit = STEPS + 2 * document.text.len() as u64;
        Self { document, budget: Budget { left: Cell::new(limit), limit } }
    }
}

impl Query {
    /// The texts of all matches.
    pub(super) fn run<'a>(&self, evaluation: &Evaluation<'_, 'a>) -> PathResult<Vec<&'a str>> {
        let root = evaluation.document.tree()?;
        let literals =
            self.literals.iter().map(|literal| Node::parse(literal)).collect::<Result<Vec<_>, _>>()?;
        let finder = Finder { evaluation, root, literals: &literals };
        Ok(finder.nodes(&self.path, root)?.into_iter().map(|node| node.raw).collect())
    }
}

impl<'r, 'a> Finder<'r, 'a> {
    /// All matches of a path from `node` on, in the order of RFC 9535: segment by segment, and node by node in each.
    pub(super) fn nodes(&self, path: &Segments, node: &'r Node<'a>) -> PathResult<Vec<&'r Node<'a>>> {
        let mut found = vec![node];
        for segment in &path.0 {
            let mut next = Vec::new();
            for node in found {
                self.step(segment, node, &mut next)?;
            }
            found = next;
        }
        Ok(found)
    }

    /// The one match of a path that leads to one place.
    pub(super) fn single(&self, path: &Segments, mut node: &'r Node<'a>) -> PathResult<Option<&'r Node<'a>>> {
        self.spend(path.0.len())?;
        for selector in path.0.iter().filter_map(Segment::single) {
            let child = match selector {
                Selector::Name(name) => node.get(name),
                Selector::Index(index) => element(node, *index),
                Selector::Wildcard | Selector::Slice(_) | Selector::Filter(_) => None,
            };
            match child {
                Some(child) => node = child,
                None => return Ok(None),
            }
        }
        Ok(Some(node))
    }

    pub(super) fn spend(&self, steps: usize) -> PathResult<()> {
        self.evaluation.budget.spend(steps)
    }

    fn step(&self, segment: &Segment, node: &'r Node<'a>, found: &mut Vec<&'r Node<'a>>) -> PathResult<()> {
        if !segment.descends {
            return self.select(&segment.selectors, node, found);
        }
        // Those that are still to be visited, the next one at the end.
        let mut waiting = vec![node];
        while let Some(node) = waiting.pop() {
            self.spend(1)?;
            self.select(&segment.selectors, node, found)?;
            match &node.kind {
                Kind::Array(elements) => waiting.extend(elements.iter().rev()),
                Kind::Object(members) => waiting.extend(members.list.iter().rev().map(|(_, node)| node)),
                _ => {}
            }
        }
        Ok(())
    }

    fn select(
        &self,
        selectors: &[Selector],
        node: &'r Node<'a>,
        found: &mut Vec<&'r Node<'a>>,
    ) -> PathResult<()> {
        for selector in selectors {
            self.spend(1)?;
            match selector {
                Selector::Name(name) => found.extend(node.get(name)),
                Selector::Index(index) => found.extend(element(node, *index)),
                Selector::Wildcard => self.each_child(node, |child| {
                    found.push(child);
                    Ok(())
                })?,
                Selector::Slice(slice) => {
                    if let Kind::Array(elements) = &node.kind {
                        for at in slice.of(elements.len()) {
                            self.spend(1)?;
                            found.push(&elements[at]);
                        }
                    }
                }
                Selector::Filter(condition) => self.each_child(node, |child| {
                    if self.holds(condition, child)? {
                        found.push(child);
                    }
                    Ok(())
                })?,
            }
        }
        Ok(())
    }

    fn each_child(
        &self,
        node: &'r Node<'a>,
        mut each: impl FnMut(&'r Node<'a>) -> PathResult<()>,
    ) -> PathResult<()> {
        match &node.kind {
            Kind::Array(elements) => elements.iter().try_for_each(|child| {
                self.spend(1)?;
                each(child)
            }),
            Kind::Object(members) => members.list.iter().try_for_each(|(_, child)| {
                self.spend(1)?;
                each(child)
            }),
            _ => Ok(()),
        }
    }
}

/// The element with this number; a negative one counts from the end.
fn element<'r, 'a>(node: &'r Node<'a>, index: i64) -> Option<&'r Node<'a>> {
    let Kind::Array(elements) = &node.kind else {
        return None;
    };
    let at = if index < 0 { index + elements.len() as i64 } else { index };
    usize::try_from(at).ok().and_then(|at| elements.get(at))
}

impl Slice {
    /// The indices that it selects of so many elements.
    fn of(self, length: usize) -> impl Iterator<Item = usize> {
        let length = length as i64;
        let from_start = |bound: i64| if bound < 0 { bound + length } else { bound };
        let (first, last) = if self.step < 0 { (-1, length - 1) } else { (0, length) };
        let bound = |given: Option<i64>, default| given.map_or(default, from_start).clamp(first, last);
        let (start, end) = if self.step < 0 {
            (bound(self.start, last), bound(self.end, first))
        } else {
            (bound(self.start, first), bound(self.end, last))
        };
        let selected = move |at: &i64| if self.step < 0 { *at > end } else { *at < end };
        let first = (self.step != 0).then_some(start);
        std::iter::successors(first, move |at| at.checked_add(self.step))
            .take_while(selected)
            .filter_map(|at| usize::try_from(at).ok())
    }
}
