//! One pass over one record.

use super::{
    Arrays, Collisions, EmptyObjects, Flatten,
    gather::{Gathered, Value},
};
use crate::{
    connect::Raw,
    error::Refused,
    json::{
        Scanner, Span,
        escape::{escape, unescape},
        names::Names,
        scan::Body,
    },
};

/// Bytes that any result may have, and how many times larger than its record it may be beyond that.
const ROOM: usize = 64 << 10;
const GROWTH_MAX: usize = 16;
/// Scratch kept for the next record, in bytes or levels.
const KEPT_MAX: usize = 64 << 10;

/// What a pass needs beside input and output, reused from record to record.
#[derive(Debug)]
pub(super) struct Scratch {
    /// The beginning of the names in the innermost open container: keys, escaped, each with its delimiter.
    prefix: Vec<u8>,
    open: Vec<Level>,
    names: Names,
    /// For values that are kept as they stand.
    closers: Vec<u8>,
    /// A key whose escapes were undone.
    text: String,
    /// Fields of the output that later ones replace, each from the character before its name's quote on.
    replaced: Vec<Span>,
    gathered: Gathered,
}

/// A container that is being dissolved.
#[derive(Clone, Copy, Debug)]
struct Level {
    /// How long the prefix was outside of it.
    outside: usize,
    members: Members,
}

/// What the members of a container add to names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Members {
    /// Their keys.
    Keys,
    /// Their numbers, of which this is the next.
    Numbers(usize),
    /// Nothing: they are elements whose values are brought together.
    Nothing,
}

/// What the last part of a name is made of.
#[derive(Clone, Copy)]
enum Last<'a> {
    /// A key, and where its body begins in the input.
    Key(Body<'a>, usize),
    Index(usize),
    /// Nothing: the name is that of the array.
    Nothing,
}

impl Scratch {
    pub(super) const fn new() -> Self {
        Self {
            prefix: Vec::new(),
            open: Vec::new(),
            names: Names::new(),
            closers: Vec::new(),
            text: String::new(),
            replaced: Vec::new(),
            gathered: Gathered::new(),
        }
    }

    /// Gives back what only a rare record needs.
    #[inline]
    pub(super) fn shrink(&mut self) {
        let sizes =
            [self.prefix.capacity(), self.open.capacity(), self.closers.capacity(), self.text.capacity()];
        if sizes.into_iter().any(|size| size > KEPT_MAX) || self.replaced.capacity() > KEPT_MAX / 16 {
            *self = Self::new();
        }
        self.names.shrink();
        self.gathered.shrink();
    }
}

/// Input, output and what is open between them.
pub(super) struct Run<'a, 's> {
    options: &'s Flatten,
    input: Scanner<'a>,
    scratch: &'s mut Scratch,
    out: &'s mut Vec<u8>,
    /// Where this record's output begins, and where it has to end.
    start: usize,
    end: usize,
    /// How many of the open containers are arrays whose values are brought together.
    gathering: usize,
}

impl<'a, 's> Run<'a, 's> {
    pub(super) fn new(
        options: &'s Flatten,
        input: Scanner<'a>,
        scratch: &'s mut Scratch,
        out: &'s mut Vec<u8>,
    ) -> Self {
        scratch.prefix.clear();
        scratch.open.clear();
        scratch.names.clear();
        scratch.replaced.clear();
        scratch.gathered.clear();
        scratch.gathered.written = 0;
        let start = out.len();
        let end = start.saturating_add(ROOM).saturating_add(GROWTH_MAX.saturating_mul(input.len()));
        Self { options, input, scratch, out, start, end, gathering: 0 }
    }

    /// The whole text.
    pub(super) fn whole(mut self) -> Result<(), Refused> {
        match self.input.peek() {
            Some(b'{') => {
                self.out.push(b'{');
                if !self.opens(b'}') {
                    self.scratch.open.push(Level { outside: 0, members: Members::Keys });
                    self.members()?;
                }
                self.out.push(b'}');
                if !self.scratch.replaced.is_empty() {
                    self.take_replaced_out();
                }
            }
            _ => self.no_object()?,
        }
        Ok(self.input.end()?)
    }

    /// `null` passes; anything else is refused, as the right mistake.
    #[cold]
    fn no_object(&mut self) -> Result<(), Refused> {
        let first = self.input.peek();
        let span = self.input.value(&mut self.scratch.closers)?;
        if first == Some(b'n') {
            self.out.extend_from_slice(self.input.slice(span));
            return Ok(());
        }
        let found = Raw::of(&self.input.text()[span]).class();
        self.input.end()?;
        Err(Refused::NotAnObject(found))
    }

    /// Steps into a container; `true`: it is empty, and was left again.
    #[inline]
    fn opens(&mut self, closer: u8) -> bool {
        self.input.step();
        let empty = self.input.peek() == Some(closer);
        if empty {
            self.input.step();
        }
        empty
    }

    /// Everything in the outermost object, up to its end.
    fn members(&mut self) -> Result<(), Refused> {
        while let Some(level) = self.scratch.open.last_mut() {
            let last = match &mut level.members {
                Members::Numbers(index) => {
                    *index += 1;
                    Last::Index(*index - 1)
                }
                Members::Nothing => Last::Nothing,
                Members::Keys => {
                    self.input.peek();
                    let start = self.input.at() + 1;
                    Last::Key(self.input.key()?, start)
                }
            };
            if !self.member(last)? {
                self.closes()?;
            }
        }
        Ok(())
    }

    /// A member of the innermost container. `true`: it is a container that is now being dissolved.
    #[inline]
    fn member(&mut self, last: Last<'a>) -> Result<bool, Refused> {
        let first = self.input.peek();
        let start = self.input.at();
        let closer = match first {
            Some(b'{') => b'}',
            Some(b'[') => b']',
            _ => {
                self.input.scalar()?;
                let span = start..self.input.at();
                self.leaf(last, span, true)?;
                return Ok(false);
            }
        };
        if !self.dissolves(last, closer) {
            let span = self.input.value(&mut self.scratch.closers)?;
            self.leaf(last, span, false)?;
        } else if self.opens(closer) {
            match self.options.empty_objects {
                EmptyObjects::Drop if closer == b'}' => {}
                _ => self.leaf(last, start..self.input.at(), false)?,
            }
        } else {
            self.enter(last, closer);
            return Ok(true);
        }
        Ok(false)
    }

    #[inline]
    fn dissolves(&self, last: Last<'_>, closer: u8) -> bool {
        let kind = closer == b'}'
            || match self.options.arrays {
                Arrays::Keep => false,
                Arrays::Index => true,
                Arrays::Fields => !matches!(last, Last::Nothing) && self.begins_with_object(),
            };
        kind && self.is_within_depth()
    }

    /// Whether what would stand in the innermost container had a name of few enough keys.
    #[inline]
    fn is_within_depth(&self) -> bool {
        let levels = self.scratch.open.len() - self.gathering;
        self.options.max_depth.is_none_or(|most| levels <= most as usize)
    }

    /// Whether the first element of the array that begins here is an object.
    fn begins_with_object(&self) -> bool {
        let elements = &self.input.text().as_bytes()[self.input.at() + 1..];
        elements.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{')
    }

    fn enter(&mut self, last: Last<'_>, closer: u8) {
        let Scratch { prefix, open, text, .. } = &mut *self.scratch;
        let members = match self.options.arrays {
            _ if closer == b'}' => Members::Keys,
            Arrays::Fields => Members::Nothing,
            Arrays::Keep | Arrays::Index => Members::Numbers(0),
        };
        open.push(Level { outside: prefix.len(), members });
        self.gathering += usize::from(members == Members::Nothing);
        if !matches!(last, Last::Nothing) {
            write_last(last, self.options.key_dots.as_deref(), prefix, text);
            prefix.extend_from_slice(&self.options.escaped);
        }
    }

    /// After a member: the comma before the next one, or the end of all containers that end here.
    #[inline]
    fn closes(&mut self) -> Result<(), Refused> {
        while let Some(&level) = self.scratch.open.last() {
            let array = level.members != Members::Keys;
            match self.input.peek() {
                Some(b',') => {
                    self.input.step();
                    return Ok(());
                }
                Some(b'}') if !array => {}
                Some(b']') if array => {}
                _ => {
                    let wanted = if array { "`,` or `]`" } else { "`,` or `}`" };
                    return Err(self.input.expected(wanted).into());
                }
            }
            self.input.step();
            self.scratch.prefix.truncate(level.outside);
            self.scratch.open.pop();
            if level.members == Members::Nothing {
                self.gathering -= 1;
                if self.gathering == 0 {
                    self.write_gathered()?;
                }
            }
        }
        Ok(())
    }

    /// Writes a field that is not dissolved any further.
    #[inline]
    fn leaf(&mut self, last: Last<'_>, value: Span, scalar: bool) -> Result<(), Refused> {
        // What lies too deep to be dissolved is kept, however empty.
        let empty = if self.is_within_depth() { self.options.empty_objects } else { EmptyObjects::Keep };
        let dots = self.options.key_dots.as_deref();
        // Six: the most bytes that a byte of a key, or of what stands for a dot, can become.
        let key = last.len().saturating_mul(6 * dots.map_or(1, |dots| dots.len().max(1)));
        let fixed = self.out.len() + self.scratch.prefix.len() + value.len() + self.scratch.gathered.written;
        if fixed.saturating_add(key) > self.end {
            return Err(Refused::TooLarge(self.end - self.start));
        }
        if self.gathering > 0 {
            self.gather(last, Value::new(value, scalar, empty));
            return Ok(());
        }
        let Self { scratch, out, .. } = self;
        let before = out.len();
        if out.len() > self.start + 1 {
            out.push(b',');
        }
        out.push(b'"');
        let name = out.len();
        out.extend_from_slice(&scratch.prefix);
        let name_end = match last {
            // Compact input: name, quote, colon and value stand side by side, as they have to.
            Last::Key(key, start)
                if scalar && !key.escaped && dots.is_none() && value.start == start + key.text.len() + 2 =>
            {
                out.extend_from_slice(self.input.slice(start..value.end));
                out.len() - value.len() - 2
            }
            _ => {
                write_last(last, dots, out, &mut scratch.text);
                let name_end = out.len();
                out.extend_from_slice(b"\":");
                let value = self.input.slice(value);
                if scalar {
                    out.extend_from_slice(value)
                } else {
                    write_container(value, empty, out)
                }
                name_end
            }
        };
        self.settle(before, name, name_end)
    }

    /// Sees to it that only one field has the name at `name..name_end` of the output; the field begins at `before`.
    #[inline]
    fn settle(&mut self, before: usize, name: usize, name_end: usize) -> Result<(), Refused> {
        let Self { scratch, out, options, .. } = self;
        if options.on_collision == Collisions::Last {
            if let Some(replaced) = scratch.names.replace(out, name, name_end, options.seed) {
                scratch.replaced.push(field_at(out, replaced)?);
            }
            return Ok(());
        }
        if !scratch.names.insert(out, name, name_end, options.seed) {
            if options.on_collision == Collisions::Fail {
                return Err(Refused::collision(&out[name..name_end]));
            }
            out.truncate(before);
        }
        Ok(())
    }

    /// Keeps a value below an array of objects until the array ends.
    fn gather(&mut self, last: Last<'_>, value: Value) {
        let Scratch { prefix, text, gathered, .. } = &mut *self.scratch;
        let options = self.options;
        gathered.add(value, options.seed, |name| match last {
            Last::Nothing => name.extend_from_slice(&prefix[..prefix.len() - options.escaped.len()]),
            last => {
                name.extend_from_slice(prefix);
                write_last(last, options.key_dots.as_deref(), name, text);
            }
        });
    }

    /// Writes what was kept, a field for each name.
    fn write_gathered(&mut self) -> Result<(), Refused> {
        let mut gathered = std::mem::replace(&mut self.scratch.gathered, Gathered::new());
        for (name, values) in gathered.groups() {
            let before = self.out.len();
            self.out.extend_from_slice(if before > self.start + 1 { b",\"" } else { b"\"" });
            let start = self.out.len();
            self.out.extend_from_slice(name);
            let end = self.out.len();
            self.out.extend_from_slice(b"\":");
            let mut bracket = b'[';
            for value in values {
                self.out.push(std::mem::replace(&mut bracket, b','));
                let text = self.input.slice(value.span.clone());
                if value.scalar {
                    self.out.extend_from_slice(text);
                } else {
                    write_container(text, value.empty, self.out);
                }
            }
            self.out.push(b']');
            if self.out.len() > self.end {
                return Err(Refused::TooLarge(self.end - self.start));
            }
            self.settle(before, start, end)?;
        }
        gathered.clear();
        self.scratch.gathered = gathered;
        Ok(())
    }

    /// Closes the gaps. The last of equal fields stays, so that one stands behind the bracket in the end.
    #[cold]
    fn take_replaced_out(&mut self) {
        let Self { scratch, out, .. } = self;
        scratch.replaced.sort_unstable_by_key(|field| field.start);
        let mut end = scratch.replaced[0].start;
        for (number, field) in scratch.replaced.iter().enumerate() {
            let next = scratch.replaced.get(number + 1).map_or(out.len(), |next| next.start);
            out.copy_within(field.end..next, end);
            end += next - field.end;
        }
        out.truncate(end);
        // Of the first field the bracket before it was taken out, and the comma before another stands there now.
        out[self.start] = b'{';
    }
}

impl Last<'_> {
    #[inline]
    fn len(&self) -> usize {
        match self {
            Self::Key(key, _) => key.text.len(),
            Self::Index(_) => 20,
            Self::Nothing => 0,
        }
    }
}

/// The field of an output whose name begins at `name`, with the one character before it.
#[cold]
fn field_at(out: &[u8], name: usize) -> Result<Span, Refused> {
    let start = name - 1;
    let mut scanner = Scanner::new(&out[start..])?;
    scanner.key()?;
    scanner.skip()?;
    Ok(start - 1..start + scanner.at())
}

/// The last part of a name, escaped in the one canonical way, with `dots` in place of its dots.
#[inline]
fn write_last(last: Last<'_>, dots: Option<&str>, out: &mut Vec<u8>, scratch: &mut String) {
    match last {
        Last::Key(key, _) if !key.escaped && dots.is_none() => out.extend_from_slice(key.text.as_bytes()),
        Last::Key(key, _) => {
            scratch.clear();
            unescape(key.text, scratch);
            match dots {
                None => escape(scratch, out),
                Some(dots) => {
                    for (number, part) in scratch.split('.').enumerate() {
                        if number > 0 {
                            escape(dots, out);
                        }
                        escape(part, out);
                    }
                }
            }
        }
        Last::Index(index) => out.extend_from_slice(itoa::Buffer::new().format(index).as_bytes()),
        Last::Nothing => {}
    }
}

/// A container as it stands, but on one line, and without blanks if it is empty. A line break in JSON is always a blank:
/// strings have them escaped.
fn write_container(mut value: &[u8], empty: EmptyObjects, out: &mut Vec<u8>) {
    if value[1..value.len() - 1].trim_ascii().is_empty() {
        match empty {
            EmptyObjects::Null if value[0] == b'{' => out.extend_from_slice(b"null"),
            _ => out.extend_from_slice(&[value[0], value[value.len() - 1]]),
        }
        return;
    }
    while let Some(at) = memchr::memchr2(b'\n', b'\r', value) {
        out.extend_from_slice(&value[..at]);
        value = &value[at + 1..];
    }
    out.extend_from_slice(value);
}
