//! From the text of a filter to its condition.

use super::{
    JsonPathError,
    model::{Comparison, Condition, Inner, Operand, Relation},
    parse::Parser,
};
use crate::pattern::Dialect;
use regex::Regex;

/// Bytes that a compiled pattern may take.
const PATTERN_MAX: usize = 1 << 20;

/// What stands on one side of an operator, or alone.
enum Term {
    Operand(Operand),
    Condition(Condition),
    Pattern(Regex),
}

enum Operator {
    Compare(Comparison),
    Relate(Relation),
    Like,
}

impl Parser<'_> {
    /// What follows `?`.
    pub(super) fn condition(&mut self) -> Result<Condition, JsonPathError> {
        self.chain("||", Self::conjunction, Condition::Any)
    }

    fn conjunction(&mut self) -> Result<Condition, JsonPathError> {
        self.chain("&&", Self::basic, Condition::All)
    }

    fn chain(
        &mut self,
        operator: &str,
        part: impl Fn(&mut Self) -> Result<Condition, JsonPathError>,
        whole: impl Fn(Vec<Condition>) -> Condition,
    ) -> Result<Condition, JsonPathError> {
        let first = part(self)?;
        let mut parts = vec![first];
        loop {
            let before = self.cursor.at;
            self.cursor.blanks();
            if !self.cursor.take(operator) {
                self.cursor.at = before;
                break;
            }
            parts.push(part(self)?);
        }
        Ok(if parts.len() == 1 { parts.swap_remove(0) } else { whole(parts) })
    }

    /// A condition in parentheses, a test or a comparison.
    fn basic(&mut self) -> Result<Condition, JsonPathError> {
        self.cursor.blanks();
        let negated = self.cursor.take("!");
        self.cursor.blanks();
        let start = self.cursor.at;
        if self.cursor.peek() == Some(b'(') {
            self.cursor.enter()?;
            self.cursor.at += 1;
            let inner = self.condition()?;
            self.cursor.blanks();
            self.cursor.need(")", "expected `)`, `&&` or `||`")?;
            self.cursor.leave();
            return Ok(if negated { Condition::Not(Box::new(inner)) } else { inner });
        }
        let term = self.term()?;
        if negated {
            return Ok(Condition::Not(Box::new(self.test(term, start)?)));
        }
        if matches!(term, Term::Condition(_)) {
            return self.test(term, start);
        }
        let before = self.cursor.at;
        self.cursor.blanks();
        match self.operator()? {
            None => {
                self.cursor.at = before;
                self.test(term, start)
            }
            Some(operator) => {
                self.cursor.blanks();
                let right = self.cursor.at;
                let other = self.term()?;
                self.related((term, start), &operator, (other, right))
            }
        }
    }

    /// What stands alone: a path that exists, or a function that holds.
    fn test(&self, term: Term, start: usize) -> Result<Condition, JsonPathError> {
        match term {
            Term::Condition(condition) => Ok(condition),
            Term::Operand(Operand::Path(path)) => Ok(Condition::Exists(path)),
            Term::Operand(_) | Term::Pattern(_) => {
                Err(self.cursor.error_at(start, "this is no condition: it must be compared with something"))
            }
        }
    }

    fn operator(&mut self) -> Result<Option<Operator>, JsonPathError> {
        if self.cursor.take("=~") {
            return Ok(Some(Operator::Like));
        }
        for (symbol, comparison) in Comparison::SYMBOLS {
            if self.cursor.take(symbol) {
                return Ok(Some(Operator::Compare(comparison)));
            }
        }
        let start = self.cursor.at;
        match self.cursor.word() {
            "" => Ok(None),
            word => {
                Relation::by_name(word).map(|relation| Some(Operator::Relate(relation))).ok_or_else(|| {
                    let words = Relation::WORDS;
                    self.cursor.error_at(
                        start,
                        format!("no such operator: there are ==, !=, <, <=, >, >=, =~, {words}"),
                    )
                })
            }
        }
    }

    fn related(
        &self,
        (left, left_at): (Term, usize),
        operator: &Operator,
        (right, right_at): (Term, usize),
    ) -> Result<Condition, JsonPathError> {
        match (operator, left, right) {
            (Operator::Like, Term::Operand(text), Term::Pattern(pattern))
            | (Operator::Like, Term::Pattern(pattern), Term::Operand(text)) => {
                Ok(Condition::Like(text, pattern))
            }
            (Operator::Like, ..) => {
                Err(self.cursor.error_at(right_at, "`=~` compares a path with a pattern in slashes: `/…/`"))
            }
            (Operator::Compare(comparison), Term::Operand(left), Term::Operand(right)) => {
                let (left, right) = (self.one(left, left_at)?, self.one(right, right_at)?);
                Ok(Condition::Compare(left, *comparison, right))
            }
            (Operator::Relate(relation), Term::Operand(left), Term::Operand(right)) => {
                Ok(Condition::Relate(left, *relation, right))
            }
            (_, Term::Operand(_), _) => Err(self.cursor.error_at(right_at, "expected a value or a path")),
            _ => Err(self.cursor.error_at(left_at, "expected a value or a path")),
        }
    }

    /// An operand that has one value at most.
    fn one(&self, operand: Operand, at: usize) -> Result<Operand, JsonPathError> {
        match operand {
            Operand::Path(path) if !path.is_singular() => Err(self.cursor.error_at(
                at,
                "this path can have many matches, where one value is compared: use `value(…)` or `count(…)`",
            )),
            operand => Ok(operand),
        }
    }

    fn term(&mut self) -> Result<Term, JsonPathError> {
        let start = self.cursor.at;
        match self.cursor.peek() {
            Some(b'@' | b'$') => self.inner().map(|path| Term::Operand(Operand::Path(path))),
            Some(b'/') => self.pattern().map(Term::Pattern),
            _ => {
                if let Some(literal) = self.cursor.literal()? {
                    self.literals.push(literal);
                    return Ok(Term::Operand(Operand::Literal(self.literals.len() - 1)));
                }
                let name = self.cursor.word();
                if name.is_empty() || self.cursor.peek() != Some(b'(') {
                    self.cursor.at = start;
                    let reason = "expected a path, a string, a number, `true`, `false`, `null` or a function";
                    return Err(self.cursor.error(reason));
                }
                self.function(name, start)
            }
        }
    }

    /// A path in a filter.
    fn inner(&mut self) -> Result<Inner, JsonPathError> {
        let of_root = self.cursor.peek() == Some(b'$');
        self.cursor.at += 1;
        let tail = self.tail()?;
        if tail.names {
            return Err(self.cursor.error("`~` does not stand in a filter: use `keys()`"));
        }
        Ok(Inner { of_root, path: tail.path, functions: tail.functions })
    }

    /// A function of the RFC, or a list operator written as one; its `(` stands here.
    fn function(&mut self, name: &str, start: usize) -> Result<Term, JsonPathError> {
        self.cursor.enter()?;
        self.cursor.at += 1;
        let term = match (name, Relation::by_function(name)) {
            ("length", _) => Term::Operand(Operand::Length(Box::new(self.single()?))),
            ("count", _) => Term::Operand(Operand::Count(self.nodes()?)),
            ("value", _) => Term::Operand(Operand::Value(self.nodes()?)),
            ("match" | "search", _) => {
                let text = self.single()?;
                self.comma()?;
                if !matches!(self.cursor.peek(), Some(b'"' | b'\'')) {
                    return Err(self.cursor.error_at(start, "the pattern must stand here as a string"));
                }
                let pattern = i_regexp(&self.cursor.string()?, name == "match");
                Term::Condition(Condition::Matches(text, self.compile(&pattern, Dialect::Re2, start)?))
            }
            (_, Some(relation)) => {
                let left = self.any()?;
                self.comma()?;
                let right = self.any()?;
                Term::Condition(Condition::Relate(left, relation, right))
            }
            _ => {
                let reason = "no such function: in a filter there are length, count, value, match and search; others stand behind a path";
                return Err(self.cursor.error_at(start, reason));
            }
        };
        self.cursor.blanks();
        self.cursor.need(")", "expected `)`")?;
        self.cursor.leave();
        Ok(term)
    }

    fn comma(&mut self) -> Result<(), JsonPathError> {
        self.cursor.blanks();
        self.cursor.need(",", "expected `,`")?;
        self.cursor.blanks();
        Ok(())
    }

    /// An argument that is a value or a path.
    fn any(&mut self) -> Result<Operand, JsonPathError> {
        self.cursor.blanks();
        let at = self.cursor.at;
        match self.term()? {
            Term::Operand(operand) => Ok(operand),
            Term::Condition(_) | Term::Pattern(_) => {
                Err(self.cursor.error_at(at, "expected a value or a path"))
            }
        }
    }

    /// An argument that has one value at most.
    fn single(&mut self) -> Result<Operand, JsonPathError> {
        self.cursor.blanks();
        let at = self.cursor.at;
        let operand = self.any()?;
        self.one(operand, at)
    }

    /// An argument that is a path.
    fn nodes(&mut self) -> Result<Inner, JsonPathError> {
        self.cursor.blanks();
        let at = self.cursor.at;
        match self.any()? {
            Operand::Path(path) if path.functions.is_empty() => Ok(path),
            _ => Err(self.cursor.error_at(at, "expected a path without functions")),
        }
    }

    /// Jayway's `/…/` and the flags behind it.
    fn pattern(&mut self) -> Result<Regex, JsonPathError> {
        let start = self.cursor.at;
        let body = &self.cursor.rest()[1..];
        let mut escaped = false;
        let end = body.find(|c: char| {
            let ends = c == '/' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        let end = end.ok_or_else(|| self.cursor.error_at(start, "a pattern that is not closed by `/`"))?;
        self.cursor.at = start + end + 2;
        let flags_at = self.cursor.at;
        let flags = self.cursor.word();
        if let Some(at) = flags.find(|c: char| !"imsux".contains(c)) {
            return Err(self.cursor.error_at(flags_at + at, "no such flag: there are i, m, s, u and x"));
        }
        let set: String = "imsx".chars().filter(|flag| flags.contains(*flag)).collect();
        // The line break ends a comment, which there can be with the flag `x`.
        let end_of_comment = if set.contains('x') { "\n" } else { "" };
        let pattern = format!(r"\A(?{set}:{}{end_of_comment})\z", &body[..end]);
        self.compile(&pattern, Dialect::Java, start)
    }

    fn compile(&self, pattern: &str, dialect: Dialect, at: usize) -> Result<Regex, JsonPathError> {
        let compiled = crate::pattern::compile(pattern, dialect, PATTERN_MAX);
        compiled.map_err(|error| self.cursor.error_at(at, crate::pattern::reason(&error)))
    }
}

/// A pattern of RFC 9485 in the syntax of RE2: its dot matches neither kind of line break.
fn i_regexp(pattern: &str, whole: bool) -> String {
    let mut translated = String::with_capacity(pattern.len());
    let (mut class, mut escaped) = (false, false);
    for c in pattern.chars() {
        match c {
            '.' if !class && !escaped => {
                translated.push_str(r"[^\n\r]");
                continue;
            }
            '[' if !escaped => class = true,
            ']' if !escaped => class = false,
            _ => {}
        }
        escaped = c == '\\' && !escaped;
        translated.push(c);
    }
    if whole { format!(r"\A(?:{translated})\z") } else { translated }
}
