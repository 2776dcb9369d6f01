//! A tree of a JSON text, for the few things that need one: JSONPath with filters, wildcards and descents.
//!
//! It borrows from the text: every node knows the text that it was read from, so that what is taken out of a tree is
//! written as it stood, `1.0` as `1.0`. Strings are unescaped when somebody asks for them.
//!
//! - Members keep their order. Of equal keys the last value counts, in the place of the first key, as in Java's maps; the
//!   text of the object still has all of them.
//! - Building uses no recursion. What walks a tree (equality, dropping, `jsonpath-rust`) does, so that a text of more
//!   than [`DEPTH_MAX`] levels is refused: a test walks that many on half a stack of 2 MiB, without optimisation too.
//! - A node takes 56 bytes, however short its text: more than [`NODES_MAX`] of them are refused.

use super::{
    escape::unescape,
    scan::{Body, Scanner, SyntaxError},
};
use std::{
    cell::OnceCell,
    collections::{HashMap, HashSet},
};

/// Levels of nesting that a tree can have. `serde_json` has the same limit.
pub(crate) const DEPTH_MAX: usize = 128;
/// Values that a tree can have.
pub(crate) const NODES_MAX: usize = 1 << 20;
/// Objects with more members than this are searched by an index.
const SEARCHED_MAX: usize = 16;

/// Why a text becomes no tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TreeError {
    #[error(transparent)]
    Json(#[from] SyntaxError),
    #[error(
        "more than {DEPTH_MAX} levels of nesting at byte {0}: a JSON path without wildcards, filters and `..` has no such limit"
    )]
    Depth(usize),
    #[error(
        "more than {NODES_MAX} values: a JSON path without wildcards, filters and `..` has no such limit"
    )]
    Nodes,
}

/// A value, and the text that it was read from. What was computed has no text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Node<'a> {
    pub(crate) raw: &'a str,
    pub(crate) kind: Kind<'a>,
}

#[derive(Clone, Debug, Default)]
pub(crate) enum Kind<'a> {
    #[default]
    Null,
    Bool(bool),
    /// As it stands in `raw`.
    Number,
    Int(i64),
    Float(f64),
    Text(Text<'a>),
    Array(Vec<Node<'a>>),
    Object(Box<Members<'a>>),
}

/// A string, unescaped when it is first needed.
#[derive(Clone, Debug)]
pub(crate) struct Text<'a> {
    body: &'a str,
    decoded: OnceCell<Box<str>>,
    escaped: bool,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Members<'a> {
    pub(crate) list: Vec<(Text<'a>, Node<'a>)>,
    /// The numbers of the members in the order of their keys, which all differ.
    sorted: OnceCell<Box<[u32]>>,
}

impl<'a> Text<'a> {
    fn new(body: Body<'a>) -> Self {
        Self { body: body.text, decoded: OnceCell::new(), escaped: body.escaped }
    }

    pub(crate) fn owned(text: String) -> Self {
        Self { body: "", decoded: OnceCell::from(text.into_boxed_str()), escaped: true }
    }

    pub(crate) fn as_str(&self) -> &str {
        if !self.escaped {
            return self.body;
        }
        self.decoded.get_or_init(|| {
            let mut text = String::new();
            unescape(self.body, &mut text);
            text.into_boxed_str()
        })
    }
}

impl<'a> Members<'a> {
    /// Leaves the last value of every key, in the place of the first one.
    fn unite(&mut self) {
        let list = &self.list;
        let twice = if list.len() <= SEARCHED_MAX {
            (1..list.len()).any(|at| list[..at].iter().any(|(key, _)| key.as_str() == list[at].0.as_str()))
        } else {
            let mut seen = HashSet::with_capacity(list.len());
            list.iter().any(|(key, _)| !seen.insert(key.as_str()))
        };
        if !twice {
            return;
        }
        let mut places: HashMap<String, usize> = HashMap::new();
        for (key, node) in std::mem::take(&mut self.list) {
            match places.get(key.as_str()) {
                Some(&at) => self.list[at].1 = node,
                None => {
                    places.insert(key.as_str().to_owned(), self.list.len());
                    self.list.push((key, node));
                }
            }
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Node<'a>> {
        let key_of = |number: &u32| self.list[*number as usize].0.as_str();
        if self.list.len() <= SEARCHED_MAX {
            return self.list.iter().find(|(name, _)| name.as_str() == key).map(|(_, node)| node);
        }
        let sorted = self.sorted.get_or_init(|| {
            let mut numbers: Vec<u32> = (0..).take(self.list.len()).collect();
            numbers.sort_unstable_by(|a, b| key_of(a).cmp(key_of(b)));
            numbers.into_boxed_slice()
        });
        let first = sorted.partition_point(|number| key_of(number) < key);
        let number = sorted.get(first).filter(|number| key_of(number) == key)?;
        Some(&self.list[*number as usize].1)
    }
}

impl<'a> Node<'a> {
    /// The tree of a whole text.
    pub(crate) fn parse(text: &'a str) -> Result<Self, TreeError> {
        let mut scanner = Scanner::new(text.as_bytes())?;
        let node = Builder { text, open: Vec::new(), nodes: 0 }.build(&mut scanner)?;
        scanner.end()?;
        Ok(node)
    }

    /// A computed value: it has no text.
    pub(crate) fn computed(kind: Kind<'a>) -> Self {
        Self { raw: "", kind }
    }

    /// The member with this key.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        match &self.kind {
            Kind::Object(members) => members.get(key),
            _ => None,
        }
    }
}

/// A container that is not complete.
enum Open<'a> {
    Array(Vec<Node<'a>>),
    Object(Box<Members<'a>>, Option<Text<'a>>),
}

impl<'a> Open<'a> {
    fn with(mut self, node: Node<'a>) -> Self {
        match &mut self {
            Self::Array(elements) => elements.push(node),
            Self::Object(members, key) => members.list.extend(key.take().map(|key| (key, node))),
        }
        self
    }
}

struct Builder<'a> {
    text: &'a str,
    open: Vec<(usize, Open<'a>)>,
    nodes: usize,
}

impl<'a> Builder<'a> {
    fn build(mut self, scanner: &mut Scanner<'a>) -> Result<Node<'a>, TreeError> {
        loop {
            let Some(mut node) = self.begin(scanner)? else {
                continue;
            };
            // What is complete goes into what is open, which may be complete then too.
            loop {
                let Some((start, open)) = self.open.pop() else {
                    return Ok(node);
                };
                match self.close(start, open.with(node), scanner)? {
                    Some(complete) => node = complete,
                    None => break,
                }
            }
        }
    }

    /// After a value in `open`: its end, or (`None`) the comma and the key before its next one.
    fn close(
        &mut self,
        start: usize,
        mut open: Open<'a>,
        scanner: &mut Scanner<'a>,
    ) -> Result<Option<Node<'a>>, TreeError> {
        let object = matches!(open, Open::Object(..));
        match scanner.peek() {
            Some(b',') => scanner.step(),
            Some(byte) if byte == if object { b'}' } else { b']' } => {
                scanner.step();
                let kind = match open {
                    Open::Array(elements) => Kind::Array(elements),
                    Open::Object(mut members, _) => {
                        members.unite();
                        Kind::Object(members)
                    }
                };
                return Ok(Some(Node { raw: &self.text[start..scanner.at()], kind }));
            }
            _ => return Err(scanner.expected(if object { "`,` or `}`" } else { "`,` or `]`" }).into()),
        }
        if let Open::Object(_, key) = &mut open {
            *key = Some(Text::new(scanner.key()?));
        }
        self.open.push((start, open));
        Ok(None)
    }

    /// A scalar or an empty container; `None`: a container was opened.
    fn begin(&mut self, scanner: &mut Scanner<'a>) -> Result<Option<Node<'a>>, TreeError> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err(TreeError::Nodes);
        }
        let first = scanner.peek();
        let start = scanner.at();
        let kind = match first {
            Some(opener @ (b'{' | b'[')) => match self.open(opener, scanner)? {
                Some(empty) => empty,
                None => return Ok(None),
            },
            Some(b'"') => Kind::Text(Text::new(scanner.string()?)),
            _ => {
                scanner.scalar()?;
                match first {
                    Some(b'n') => Kind::Null,
                    Some(b't') => Kind::Bool(true),
                    Some(b'f') => Kind::Bool(false),
                    _ => Kind::Number,
                }
            }
        };
        Ok(Some(Node { raw: &self.text[start..scanner.at()], kind }))
    }

    /// Steps into a container; `Some`: it is empty, and was left again.
    fn open(&mut self, opener: u8, scanner: &mut Scanner<'a>) -> Result<Option<Kind<'a>>, TreeError> {
        let start = scanner.at();
        if self.open.len() == DEPTH_MAX {
            return Err(TreeError::Depth(start));
        }
        scanner.step();
        let open = match (opener, scanner.peek()) {
            (b'[', Some(b']')) => {
                scanner.step();
                return Ok(Some(Kind::Array(Vec::new())));
            }
            (b'{', Some(b'}')) => {
                scanner.step();
                return Ok(Some(Kind::Object(Box::default())));
            }
            (b'[', _) => Open::Array(Vec::new()),
            _ => Open::Object(Box::default(), Some(Text::new(scanner.key()?))),
        };
        self.open.push((start, open));
        Ok(None)
    }
}

const _: () = assert!(size_of::<Node<'static>>() == 56);

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(node: &Node<'_>) -> String {
        match &node.kind {
            Kind::Array(elements) => {
                format!("[{}]", elements.iter().map(kinds).collect::<Vec<_>>().join(","))
            }
            Kind::Object(members) => {
                let member =
                    |(key, node): &(Text<'_>, Node<'_>)| format!("{:?}:{}", key.as_str(), kinds(node));
                format!("{{{}}}", members.list.iter().map(member).collect::<Vec<_>>().join(","))
            }
            Kind::Text(text) => format!("{:?}", text.as_str()),
            _ => node.raw.to_owned(),
        }
    }

    #[test]
    fn a_tree_keeps_order_numbers_and_the_text_of_every_node() {
        let text =
            r#" {"b":[1.0,12345678901234567890, {} ,[ ]],"\u0061":"x\ny","b":{"z":null,"a":[true,false]}} "#;
        let tree = Node::parse(text).unwrap();
        assert_eq!(kinds(&tree), r#"{"b":{"z":null,"a":[true,false]},"a":"x\ny"}"#);
        assert_eq!(tree.raw, text.trim());
        assert_eq!(tree.get("a").unwrap().raw, r#""x\ny""#);
        assert_eq!(tree.get("b").unwrap().raw, r#"{"z":null,"a":[true,false]}"#, "the last of two");
    }

    #[test]
    fn wide_objects_are_found_in_by_an_index_and_the_last_of_equal_keys_wins() {
        let members: Vec<String> = (0..100_000).map(|n| format!("\"k{}\":{n}", n % 50_000)).collect();
        let text = format!("{{{}}}", members.join(","));
        let tree = Node::parse(&text).unwrap();
        for n in [0, 1, 17, 49_999] {
            assert_eq!(tree.get(&format!("k{n}")).unwrap().raw, (n + 50_000).to_string());
        }
        assert!(tree.get("k50000").is_none() && tree.get("").is_none() && tree.get("z").is_none());
    }

    #[test]
    fn what_is_too_deep_or_too_wide_is_refused_and_the_limit_itself_is_not() {
        let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        assert!(Node::parse(&nested(DEPTH_MAX)).is_ok());
        assert_eq!(Node::parse(&nested(DEPTH_MAX + 1)).unwrap_err(), TreeError::Depth(DEPTH_MAX));
        assert_eq!(Node::parse(&"[".repeat(100_000)).unwrap_err(), TreeError::Depth(DEPTH_MAX));
        let objects = r#"{"a":"#.repeat(100_000);
        assert_eq!(Node::parse(&objects).unwrap_err(), TreeError::Depth(DEPTH_MAX * 5));
        let wide = format!("[{}1]", "1,".repeat(NODES_MAX));
        assert_eq!(Node::parse(&wide).unwrap_err(), TreeError::Nodes);
    }

    proptest::proptest! {
        #[test]
        fn a_tree_is_built_of_exactly_what_serde_json_reads(text in "[\\[\\]{}:,\"a1\\\\ .e-]{0,24}|[ -~]{0,8}") {
            let ours = Node::parse(&text).map(|node| node.raw);
            let theirs = serde_json::from_str::<&serde_json::value::RawValue>(&text).map(serde_json::value::RawValue::get);
            proptest::prop_assert_eq!(ours.ok(), theirs.ok());
        }
    }
}
