//! From an expression to paths and functions; [`super::conditions`] reads the filters.

use super::{
    JsonPathError,
    cursor::Cursor,
    expression::Expression,
    functions::{Argument, Function},
    model::{Segment, Segments, Selector, Slice},
};

pub(super) struct Parser<'s> {
    pub(super) cursor: Cursor<'s>,
    /// The literals in the filters of the path that is read, as JSON texts.
    pub(super) literals: Vec<String>,
}

/// What stands behind `$` or `@`.
pub(super) struct Tail {
    pub(super) path: Segments,
    /// The names of the children of the matches, not the matches.
    pub(super) names: bool,
    pub(super) functions: Vec<Function>,
}

/// Reads the whole of `source`.
pub(super) fn parse(source: &str) -> Result<Expression, JsonPathError> {
    let mut parser = Parser { cursor: Cursor::new(source), literals: Vec::new() };
    parser.cursor.blanks();
    let expression = parser.path()?;
    parser.cursor.blanks();
    if expression.has_functions() && parser.cursor.take(")") {
        parser.cursor.blanks();
    }
    match parser.cursor.peek() {
        None => Ok(expression),
        Some(_) => Err(parser.cursor.error("expected `.`, `[` or the end")),
    }
}

impl Parser<'_> {
    /// A path from its `$` on, up to what cannot belong to it.
    fn path(&mut self) -> Result<Expression, JsonPathError> {
        self.cursor.need("$", "a path begins with `$`")?;
        let outer = std::mem::take(&mut self.literals);
        let tail = self.tail()?;
        let literals = std::mem::replace(&mut self.literals, outer);
        Ok(Expression::new(tail, literals))
    }

    /// All segments and functions that follow.
    pub(super) fn tail(&mut self) -> Result<Tail, JsonPathError> {
        let mut tail = Tail { path: Segments::default(), names: false, functions: Vec::new() };
        loop {
            let before = self.cursor.at;
            self.cursor.blanks();
            match self.cursor.peek() {
                Some(b'.' | b'[') if tail.names => return Err(self.cursor.error("nothing may follow `~`")),
                Some(b'.') => self.dotted(&mut tail)?,
                Some(b'[') if tail.functions.is_empty() => {
                    let selectors = self.bracket()?;
                    tail.path.0.push(Segment { descends: false, selectors });
                }
                Some(b'[') => return Err(self.cursor.error("only functions may follow a function")),
                Some(b'~') => self.names(&mut tail)?,
                _ => {
                    self.cursor.at = before;
                    return Ok(tail);
                }
            }
        }
    }

    /// The `~` behind a wildcard.
    fn names(&mut self, tail: &mut Tail) -> Result<(), JsonPathError> {
        let wildcard = |segment: &Segment| {
            !segment.descends && matches!(segment.selectors.as_slice(), [Selector::Wildcard])
        };
        if tail.functions.is_empty()
            && !tail.names
            && tail.path.0.pop_if(|segment| wildcard(segment)).is_some()
        {
            self.cursor.at += 1;
            tail.names = true;
            return Ok(());
        }
        Err(self.cursor.error("`~` stands behind `.*` or `[*]` only"))
    }

    /// What follows a dot: another one, a bracket, a wildcard, a key or a function.
    fn dotted(&mut self, tail: &mut Tail) -> Result<(), JsonPathError> {
        self.cursor.at += 1;
        let descends = self.cursor.take(".");
        let selectors = match self.cursor.peek() {
            Some(b'[') if tail.functions.is_empty() => self.bracket()?,
            Some(b'*') if tail.functions.is_empty() => {
                self.cursor.at += 1;
                vec![Selector::Wildcard]
            }
            _ => {
                let at = self.cursor.at;
                let name = self.cursor.name();
                match self.cursor.peek() {
                    _ if name.is_empty() => {
                        let reason = "expected a key: any but letters, digits and `_-@$#:/` need `['…']`";
                        return Err(self.cursor.error(reason));
                    }
                    Some(b'(') if descends => {
                        return Err(self.cursor.error("a function stands behind one dot"));
                    }
                    Some(b'(') => {
                        let arguments = self.arguments()?;
                        let wrong = |reason: &str| self.cursor.error_at(at, reason);
                        tail.functions.push(Function::new(name, arguments).map_err(wrong)?);
                        return Ok(());
                    }
                    _ if !tail.functions.is_empty() => {
                        return Err(self.cursor.error_at(at, "only functions may follow a function"));
                    }
                    _ => vec![Selector::Name(name.to_owned())],
                }
            }
        };
        tail.path.0.push(Segment { descends, selectors });
        Ok(())
    }

    /// A bracket with all that is in it.
    fn bracket(&mut self) -> Result<Vec<Selector>, JsonPathError> {
        self.cursor.enter()?;
        self.cursor.at += 1;
        let mut selectors = Vec::new();
        loop {
            self.cursor.blanks();
            selectors.push(self.selector()?);
            self.cursor.blanks();
            if self.cursor.take("]") {
                break;
            }
            if self.cursor.peek().is_none() {
                return Err(self.cursor.error("a `[` that is not closed"));
            }
            self.cursor.need(",", "expected `,` or `]`")?;
        }
        self.cursor.leave();
        Ok(selectors)
    }

    fn selector(&mut self) -> Result<Selector, JsonPathError> {
        match self.cursor.peek() {
            None => Err(self.cursor.error("a `[` that is not closed")),
            Some(b'\'' | b'"') => self.cursor.string().map(Selector::Name),
            Some(b'*') => {
                self.cursor.at += 1;
                Ok(Selector::Wildcard)
            }
            Some(b'?') => {
                self.cursor.at += 1;
                self.condition().map(Selector::Filter)
            }
            Some(b'-' | b'0'..=b'9' | b':') => self.index_or_slice(),
            Some(_) => Err(self.cursor.error("expected a key in quotes, an index, a slice, `*` or a filter")),
        }
    }

    fn index_or_slice(&mut self) -> Result<Selector, JsonPathError> {
        let start = self.bound()?;
        let before = self.cursor.at;
        self.cursor.blanks();
        if !self.cursor.take(":") {
            self.cursor.at = before;
            return start.map(Selector::Index).ok_or_else(|| self.cursor.error("expected an index"));
        }
        self.cursor.blanks();
        let end = self.bound()?;
        self.cursor.blanks();
        let step = if self.cursor.take(":") {
            self.cursor.blanks();
            self.bound()?
        } else {
            None
        };
        Ok(Selector::Slice(Slice { start, end, step: step.unwrap_or(1) }))
    }

    fn bound(&mut self) -> Result<Option<i64>, JsonPathError> {
        match self.cursor.peek() {
            Some(b'-' | b'0'..=b'9') => self.cursor.integer().map(Some),
            _ => Ok(None),
        }
    }

    /// The arguments of a function, from its `(` on.
    fn arguments(&mut self) -> Result<Vec<Argument>, JsonPathError> {
        self.cursor.enter()?;
        self.cursor.at += 1;
        let mut arguments = Vec::new();
        self.cursor.blanks();
        if !self.cursor.take(")") {
            loop {
                self.cursor.blanks();
                arguments.push(self.argument()?);
                self.cursor.blanks();
                if self.cursor.take(")") {
                    break;
                }
                self.cursor.need(",", "expected `,` or `)`")?;
            }
        }
        self.cursor.leave();
        Ok(arguments)
    }

    fn argument(&mut self) -> Result<Argument, JsonPathError> {
        if self.cursor.peek() == Some(b'$') {
            return self.path().map(Argument::Path);
        }
        let reason = "expected a path, a string, a number, `true`, `false` or `null`";
        self.cursor.literal()?.map(Argument::Literal).ok_or_else(|| self.cursor.error(reason))
    }
}
