//! From an expression as people write it to one of RFC 9535, with a note for each character of where it came from.

use super::JsonPathError;

/// Levels of brackets and of functions in functions.
const DEPTH_MAX: usize = 32;

/// An expression read: a path of RFC 9535 and what is done with its result.
#[derive(Debug)]
pub(super) struct Read {
    /// The path in the grammar of the RFC, and for each of its bytes where it stands in the source.
    pub(super) path: String,
    pub(super) map: Vec<usize>,
    /// The names of the children of the matches, not the matches.
    pub(super) names: bool,
    pub(super) calls: Vec<Call>,
}

/// A function and its arguments.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) name: String,
    pub(super) at: usize,
    pub(super) arguments: Vec<Argument>,
}

#[derive(Debug)]
pub(super) enum Argument {
    Path(Read),
    /// A JSON text.
    Literal(String),
}

/// Reads the whole of `source`.
pub(super) fn read(source: &str) -> Result<Read, JsonPathError> {
    let mut reader = Reader { source, at: 0, depth: 0 };
    reader.blanks();
    let read = reader.path()?;
    reader.blanks();
    if reader.peek() == Some(b')') && !read.calls.is_empty() {
        reader.at += 1;
        reader.blanks();
    }
    match reader.peek() {
        None => Ok(read),
        Some(_) => Err(reader.error("expected `.`, `[` or the end")),
    }
}

struct Reader<'s> {
    source: &'s str,
    at: usize,
    depth: usize,
}

impl Read {
    fn push(&mut self, text: &str, at: usize) {
        self.path.push_str(text);
        self.map.extend(std::iter::repeat_n(at, text.len()));
    }
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.source.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn error(&self, reason: &str) -> JsonPathError {
        JsonPathError::new(self.source, self.at, reason)
    }

    /// A path from its `$` on, up to what cannot belong to it.
    fn path(&mut self) -> Result<Read, JsonPathError> {
        if self.peek() != Some(b'$') {
            return Err(self.error("a path begins with `$`"));
        }
        let mut read = Read { path: String::new(), map: Vec::new(), names: false, calls: Vec::new() };
        read.push("$", self.at);
        self.at += 1;
        loop {
            let before = self.at;
            self.blanks();
            match self.peek() {
                Some(b'.' | b'[') if read.names => return Err(self.error("nothing may follow `~`")),
                Some(b'.') => self.dotted(&mut read)?,
                Some(b'[') if read.calls.is_empty() => self.bracket(&mut read)?,
                Some(b'[') => return Err(self.error("only functions may follow a function")),
                Some(b'~') => self.names(&mut read)?,
                _ => {
                    self.at = before;
                    return Ok(read);
                }
            }
        }
    }

    /// The `~` behind a wildcard.
    fn names(&mut self, read: &mut Read) -> Result<(), JsonPathError> {
        let children = ["..*", ".*", "[*]"].into_iter().find(|end| read.path.ends_with(end));
        match children {
            Some(end) if end != "..*" && read.calls.is_empty() => {
                read.path.truncate(read.path.len() - end.len());
                read.map.truncate(read.path.len());
                read.names = true;
                self.at += 1;
                Ok(())
            }
            _ => Err(self.error("`~` stands behind `.*` or `[*]` only")),
        }
    }

    /// What follows a dot: another one, a bracket, a wildcard, a key or a function.
    fn dotted(&mut self, read: &mut Read) -> Result<(), JsonPathError> {
        let start = self.at;
        self.at += 1;
        let descent = self.peek() == Some(b'.');
        if descent {
            self.at += 1;
        }
        let dots = if descent { ".." } else { "." };
        if self.peek() == Some(b'[') && read.calls.is_empty() {
            if descent {
                read.push(dots, start);
            }
            return self.bracket(read);
        }
        if self.peek() == Some(b'*') && read.calls.is_empty() {
            read.push(dots, start);
            read.push("*", self.at);
            self.at += 1;
            return Ok(());
        }
        let name = self.at;
        let text = self.name()?;
        if self.peek() == Some(b'(') {
            if descent {
                return Err(self.error("a function stands behind one dot"));
            }
            let call = self.call(text, name)?;
            read.calls.push(call);
            return Ok(());
        }
        if !read.calls.is_empty() {
            return Err(JsonPathError::new(self.source, name, "only functions may follow a function"));
        }
        push_name(read, dots, start, &text, name);
        Ok(())
    }

    /// A key without quotes.
    fn name(&mut self) -> Result<String, JsonPathError> {
        let rest = &self.source[self.at..];
        let end = rest.find(|c: char| !in_name(c)).unwrap_or(rest.len());
        if end == 0 {
            return Err(self.error("expected a key: any but letters, digits and `_-@$#:/` need `['…']`"));
        }
        self.at += end;
        Ok(rest[..end].to_owned())
    }

    /// A bracket with all that is in it.
    fn bracket(&mut self, read: &mut Read) -> Result<(), JsonPathError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.error("more than 32 brackets in one another"));
        }
        self.copy(read, 1);
        loop {
            match self.peek() {
                None => return Err(self.error("a `[` that is not closed")),
                Some(b']') => break,
                Some(b'\'' | b'"') => {
                    let length = self.quoted()?;
                    self.copy(read, length);
                }
                Some(b'@' | b'$') => self.inner_path(read)?,
                Some(b'[') => return Err(self.error("expected a key, an index, a slice, `*` or a filter")),
                Some(_) => {
                    let width = self.source[self.at..].chars().next().map_or(1, char::len_utf8);
                    self.copy(read, width);
                }
            }
        }
        self.copy(read, 1);
        self.depth -= 1;
        Ok(())
    }

    /// A path in a filter.
    fn inner_path(&mut self, read: &mut Read) -> Result<(), JsonPathError> {
        self.copy(read, 1);
        loop {
            match self.peek() {
                Some(b'[') => self.bracket(read)?,
                Some(b'.') => {
                    let start = self.at;
                    self.dotted(read)?;
                    if let Some(call) = read.calls.pop() {
                        let reason =
                            format!("in a filter it is written `{}(…)`, with the path inside", call.name);
                        return Err(JsonPathError::new(self.source, start, reason));
                    }
                }
                _ => return Ok(()),
            }
        }
    }

    /// Copies `length` bytes as they are.
    fn copy(&mut self, read: &mut Read, length: usize) {
        let end = self.at + length;
        read.path.push_str(&self.source[self.at..end]);
        read.map.extend(self.at..end);
        self.at = end;
    }

    /// How long the quoted string is that begins here.
    fn quoted(&self) -> Result<usize, JsonPathError> {
        let bytes = &self.source.as_bytes()[self.at..];
        let mut at = 1;
        while let Some(&byte) = bytes.get(at) {
            match byte {
                b'\\' => at += 2,
                _ if byte == bytes[0] => return Ok(at + 1),
                _ => at += 1,
            }
        }
        Err(self.error("a string that is not closed"))
    }

    /// The arguments of a function, from its `(` on.
    fn call(&mut self, name: String, at: usize) -> Result<Call, JsonPathError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.error("more than 32 functions in one another"));
        }
        self.at += 1;
        let mut arguments = Vec::new();
        loop {
            self.blanks();
            match self.peek() {
                Some(b')') if arguments.is_empty() => break,
                _ => arguments.push(self.argument()?),
            }
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b')') => break,
                _ => return Err(self.error("expected `,` or `)`")),
            }
        }
        self.at += 1;
        self.depth -= 1;
        Ok(Call { name, at, arguments })
    }

    fn argument(&mut self) -> Result<Argument, JsonPathError> {
        match self.peek() {
            Some(b'$') => self.path().map(Argument::Path),
            Some(b'"' | b'\'') => {
                let length = self.quoted()?;
                let body = &self.source[self.at + 1..self.at + length - 1];
                let text = json_string(body).ok_or_else(|| self.error("an invalid escape in this string"))?;
                self.at += length;
                Ok(Argument::Literal(text))
            }
            _ => {
                let rest = &self.source[self.at..];
                let end = rest.find([',', ')', ' ']).unwrap_or(rest.len());
                let literal = &rest[..end];
                if serde_json::from_str::<&serde_json::value::RawValue>(literal).is_err() {
                    return Err(self.error("expected a path, a string, a number, `true`, `false` or `null`"));
                }
                self.at += end;
                Ok(Argument::Literal(literal.to_owned()))
            }
        }
    }
}

fn in_name(c: char) -> bool {
    c.is_alphanumeric()
        || matches!(c, '_' | '-' | '@' | '$' | '#' | ':' | '/')
        || (c >= '\u{80}' && !c.is_whitespace())
}

/// As the RFC's shorthand, if it can be, and in brackets else.
fn push_name(read: &mut Read, dots: &str, start: usize, text: &str, name: usize) {
    let short = |c: char| c.is_ascii_alphabetic() || c == '_' || c >= '\u{80}';
    let plain = text.starts_with(short) && text.chars().all(|c| short(c) || c.is_ascii_digit());
    let from = read.path.len();
    if plain {
        read.push(dots, start);
        read.push(text, name);
    } else {
        if dots == ".." {
            read.push(dots, start);
        }
        read.push(&format!("['{text}']"), name);
    }
    debug_assert!(read.path.len() - from == read.map.len() - from);
}

/// The body of a string in either kind of quotes as a JSON string.
fn json_string(body: &str) -> Option<String> {
    let mut json = String::from("\"");
    let mut chars = body.chars();
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            (_, true) => match chars.next()? {
                '\'' => json.push('\''),
                escaped => json.extend(['\\', escaped]),
            },
            ('"', _) => json.push_str("\\\""),
            (control, _) if control < ' ' => json.push_str(&format!("\\u{:04x}", control as u32)),
            _ => json.push(c),
        }
    }
    json.push('"');
    serde_json::from_str::<String>(&json).ok()?;
    Some(json)
}
