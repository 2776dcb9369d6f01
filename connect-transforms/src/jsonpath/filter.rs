//! Whether a filter selects a value.

use super::{
    compare::{equal, order},
    expression::array,
    functions::Input,
    model::{Comparison, Condition, Inner, Operand, Relation},
    query::{Finder, PathResult},
};
use crate::json::tree::{Kind, Node};
use regex::Regex;
use std::{borrow::Cow, cmp::Ordering};

/// What an operand stands for.
enum Value<'r> {
    Nothing,
    Node(&'r Node<'r>),
    /// All matches of a path that can have many.
    Nodes(Vec<&'r Node<'r>>),
    /// The JSON text that a function has made.
    Text(Cow<'r, str>),
    Number(usize),
}

impl<'r, 'a> Finder<'r, 'a> {
    /// Whether the condition is true of `node`.
    pub(super) fn holds(&self, condition: &Condition, node: &'r Node<'a>) -> PathResult<bool> {
        match condition {
            Condition::Any(conditions) => {
                for condition in conditions {
                    if self.holds(condition, node)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Condition::All(conditions) => {
                for condition in conditions {
                    if !self.holds(condition, node)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Condition::Not(condition) => Ok(!self.holds(condition, node)?),
            Condition::Exists(path) => Ok(match self.inner(path, node)? {
                Value::Nothing => false,
                Value::Nodes(nodes) => !nodes.is_empty(),
                Value::Node(_) | Value::Text(_) | Value::Number(_) => true,
            }),
            Condition::Compare(left, comparison, right) => {
                let (left, right) = (self.value(left, node)?, self.value(right, node)?);
                self.with(&left, |a| self.with(&right, |b| self.compares(a, *comparison, b)))
            }
            Condition::Relate(left, relation, right) => {
                let (left, right) = (self.value(left, node)?, self.value(right, node)?);
                self.relates(&left, *relation, &right)
            }
            Condition::Matches(text, pattern) => {
                let text = self.value(text, node)?;
                self.with(&text, |text| match text.map(|node| &node.kind) {
                    Some(Kind::Text(text)) => self.is_match(pattern, text.as_str()),
                    _ => Ok(false),
                })
            }
            Condition::Like(text, pattern) => self.like(&self.value(text, node)?, pattern),
        }
    }

    fn value(&self, operand: &Operand, node: &'r Node<'a>) -> PathResult<Value<'r>> {
        Ok(match operand {
            Operand::Literal(number) => self.literals.get(*number).map_or(Value::Nothing, Value::Node),
            Operand::Path(path) => self.inner(path, node)?,
            Operand::Length(operand) => {
                let value = self.value(operand, node)?;
                self.with(&value, |node| self.length(node))?.map_or(Value::Nothing, Value::Number)
            }
            Operand::Count(path) => Value::Number(self.matches(path, node)?.len()),
            Operand::Value(path) => match self.matches(path, node)?.as_slice() {
                [node] => Value::Node(node),
                _ => Value::Nothing,
            },
        })
    }

    fn start(&self, path: &Inner, node: &'r Node<'a>) -> &'r Node<'a> {
        if path.of_root { self.root } else { node }
    }

    fn matches(&self, path: &Inner, node: &'r Node<'a>) -> PathResult<Vec<&'r Node<'a>>> {
        self.nodes(&path.path, self.start(path, node))
    }

    /// What a path finds, and its functions make of that.
    fn inner(&self, path: &Inner, node: &'r Node<'a>) -> PathResult<Value<'r>> {
        let mut input = if path.path.is_singular() {
            match self.single(&path.path, self.start(path, node))? {
                None => Input::Nothing,
                Some(node) if path.functions.is_empty() => return Ok(Value::Node(node)),
                Some(node) => Input::One(Cow::Borrowed(node.raw)),
            }
        } else {
            let nodes = self.matches(path, node)?;
            if path.functions.is_empty() {
                return Ok(Value::Nodes(nodes.into_iter().map(|node| -> &'r Node<'r> { node }).collect()));
            }
            let texts = nodes.into_iter().map(|node| Cow::Borrowed(node.raw)).collect();
            Input::many(&path.path, texts)
        };
        for function in &path.functions {
            input = function.apply(input, self.evaluation)?;
        }
        Ok(match input {
            Input::Nothing => Value::Nothing,
            Input::One(text) => Value::Text(text),
            Input::Each(texts) | Input::All(texts) => Value::Text(array(&texts).into()),
        })
    }

    /// Gives the value as one node.
    fn with<R>(
        &self,
        value: &Value<'_>,
        then: impl FnOnce(Option<&Node<'_>>) -> PathResult<R>,
    ) -> PathResult<R> {
        let mut digits = itoa::Buffer::new();
        let text = match value {
            Value::Nothing => return then(None),
            Value::Node(node) => return then(Some(node)),
            Value::Text(text) => Cow::Borrowed(text.as_ref()),
            Value::Number(number) => Cow::Borrowed(digits.format(*number)),
            Value::Nodes(nodes) => {
                let texts: Vec<&str> = nodes.iter().map(|node| node.raw).collect();
                self.spend(texts.iter().map(|text| text.len()).sum::<usize>() / 16)?;
                Cow::Owned(array(&texts))
            }
        };
        self.spend(1 + text.len() / 16)?;
        then(Some(&Node::parse(&text)?))
    }

    /// Gives the value as the elements of a list, if it is one.
    fn with_list<R>(
        &self,
        value: &Value<'_>,
        then: impl FnOnce(Option<&[&Node<'_>]>) -> PathResult<R>,
    ) -> PathResult<R> {
        match value {
            Value::Nodes(nodes) => then(Some(nodes)),
            value => self.with(value, |node| match node.map(|node| &node.kind) {
                Some(Kind::Array(elements)) => {
                    self.spend(elements.len() / 8)?;
                    then(Some(&elements.iter().collect::<Vec<_>>()))
                }
                _ => then(None),
            }),
        }
    }

    /// Number of characters, elements or members.
    fn length(&self, node: Option<&Node<'_>>) -> PathResult<Option<usize>> {
        Ok(match node.map(|node| &node.kind) {
            Some(Kind::Text(text)) => {
                let text = text.as_str();
                self.spend(text.len() / 64)?;
                Some(text.chars().count())
            }
            Some(Kind::Array(elements)) => Some(elements.len()),
            Some(Kind::Object(members)) => Some(members.list.len()),
            _ => None,
        })
    }

    fn compares(
        &self,
        a: Option<&Node<'_>>,
        comparison: Comparison,
        b: Option<&Node<'_>>,
    ) -> PathResult<bool> {
        let budget = &self.evaluation.budget;
        let same = || match (a, b) {
            (Some(a), Some(b)) => equal(a, b, budget),
            (a, b) => Ok(a.is_none() && b.is_none()),
        };
        let order = || match (a, b) {
            (Some(a), Some(b)) => order(a, b, budget),
            _ => Ok(None),
        };
        match comparison {
            Comparison::Equal => same(),
            Comparison::Unequal => Ok(!same()?),
            Comparison::Less => Ok(order()? == Some(Ordering::Less)),
            Comparison::Greater => Ok(order()? == Some(Ordering::Greater)),
            Comparison::LessOrEqual => Ok(order()? == Some(Ordering::Less) || same()?),
            Comparison::GreaterOrEqual => Ok(order()? == Some(Ordering::Greater) || same()?),
        }
    }

    fn relates(&self, left: &Value<'_>, relation: Relation, right: &Value<'_>) -> PathResult<bool> {
        match relation {
            Relation::In => self.is_in(left, right),
            Relation::NotIn => Ok(!self.is_in(left, right)?),
            Relation::SubsetOf => self.of_lists(left, right, |left, right| self.holds_all(right, left)),
            Relation::AnyOf => self.of_lists(left, right, |left, right| self.holds_any(right, left)),
            Relation::NoneOf => self.of_lists(left, right, |left, right| Ok(!self.holds_any(right, left)?)),
            Relation::All => self.of_lists(left, right, |left, right| self.holds_all(left, right)),
            Relation::Contains => self.contains(left, right),
            Relation::Size => self.with(right, |size| {
                let wanted = size.and_then(|size| size.raw.parse::<usize>().ok());
                let length = self.with(left, |node| match node.map(|node| &node.kind) {
                    Some(Kind::Object(_)) => Ok(None),
                    _ => self.length(node),
                })?;
                Ok(length.is_some() && length == wanted)
            }),
            Relation::Empty => self.with(right, |empty| {
                let length = self.with(left, |node| self.length(node))?;
                Ok(match empty.map(|node| &node.kind) {
                    Some(Kind::Bool(wanted)) => length.is_some_and(|length| (length == 0) == *wanted),
                    _ => false,
                })
            }),
        }
    }

    fn is_in(&self, value: &Value<'_>, list: &Value<'_>) -> PathResult<bool> {
        self.with(value, |value| {
            self.with_list(list, |list| match (value, list) {
                (Some(value), Some(list)) => self.holds_one(list, value),
                _ => Ok(false),
            })
        })
    }

    /// A text that is part of another, or an element of a list.
    fn contains(&self, whole: &Value<'_>, part: &Value<'_>) -> PathResult<bool> {
        self.with(part, |part| {
            let Some(part) = part else {
                return Ok(false);
            };
            let text = self.with(whole, |whole| match (whole.map(|node| &node.kind), &part.kind) {
                (Some(Kind::Text(whole)), Kind::Text(part)) => {
                    self.spend(whole.as_str().len() / 64)?;
                    Ok(whole.as_str().contains(part.as_str()))
                }
                _ => Ok(false),
            })?;
            Ok(text
                || self.with_list(whole, |list| list.map_or(Ok(false), |list| self.holds_one(list, part)))?)
        })
    }

    fn of_lists(
        &self,
        left: &Value<'_>,
        right: &Value<'_>,
        test: impl FnOnce(&[&Node<'_>], &[&Node<'_>]) -> PathResult<bool>,
    ) -> PathResult<bool> {
        self.with_list(left, |left| {
            self.with_list(right, |right| match (left, right) {
                (Some(left), Some(right)) => test(left, right),
                _ => Ok(false),
            })
        })
    }

    fn holds_one(&self, list: &[&Node<'_>], value: &Node<'_>) -> PathResult<bool> {
        for element in list {
            if equal(element, value, &self.evaluation.budget)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn holds_any(&self, list: &[&Node<'_>], values: &[&Node<'_>]) -> PathResult<bool> {
        for value in values {
            if self.holds_one(list, value)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn holds_all(&self, list: &[&Node<'_>], values: &[&Node<'_>]) -> PathResult<bool> {
        for value in values {
            if !self.holds_one(list, value)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Jayway's `=~`: a scalar by its text, a list by any of its elements, and all else as an empty text.
    fn like(&self, value: &Value<'_>, pattern: &Regex) -> PathResult<bool> {
        let list = self.with_list(value, |list| {
            let Some(list) = list else {
                return Ok(None);
            };
            for element in list {
                if self.is_match(pattern, scalar_text(element))? {
                    return Ok(Some(true));
                }
            }
            Ok(Some(false))
        })?;
        match list {
            Some(matches) => Ok(matches),
            None => self.with(value, |node| self.is_match(pattern, node.map_or("", scalar_text))),
        }
    }

    fn is_match(&self, pattern: &Regex, text: &str) -> PathResult<bool> {
        self.spend(1 + text.len() / 64)?;
        Ok(pattern.is_match(text))
    }
}

fn scalar_text<'n>(node: &'n Node<'_>) -> &'n str {
    match &node.kind {
        Kind::Text(text) => text.as_str(),
        Kind::Number | Kind::Bool(_) => node.raw,
        Kind::Null | Kind::Array(_) | Kind::Object(_) => "",
    }
}
