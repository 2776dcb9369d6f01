//! One object rewritten by rules about its members: what most of Kafka's transforms are.

use super::{
    envelope::Scratch,
    named::{List, Named},
    path::Path,
    value::{Kind, Raw},
};
use crate::{
    error::Refused,
    json::{
        Scanner,
        object::{Member, ObjectWriter, escaped, read_members},
    },
};

/// What happens to the members of an object.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) rules: List<Rule>,
    /// Whether members without a rule stay.
    pub(crate) keep_others: bool,
}

/// What happens to a member.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) name: String,
    /// The name in the result, as the body of a JSON string.
    pub(crate) written: Vec<u8>,
    pub(crate) action: Action,
    pub(crate) absent: Absent,
    /// The JSON that stands for `null` and for a member that is not there.
    pub(crate) default: Option<Box<str>>,
}

#[derive(Clone, Debug)]
pub(crate) enum Action {
    Keep,
    Drop,
    /// Another name, and the rule of the member that may have that name already.
    Rename(Option<usize>),
    /// [`Values::convert`] makes another value of it.
    Convert(Kind, usize),
    /// [`Values::put`] writes a value in its place.
    Put(usize),
    /// Rules for what is in it, if it is an object.
    Inside(Node),
}

/// What happens where a member is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Absent {
    Nothing,
    Null,
    Put(usize),
    /// As `Put`, where there must be a value.
    Required(usize),
    Refuse,
}

/// Where values come from.
pub(crate) trait Values {
    /// Appends what becomes of a value; `how` is what the rule says.
    fn convert(&self, _kind: Kind, _how: usize, _value: &str, _out: &mut Vec<u8>) -> Result<(), Refused> {
        Ok(())
    }

    /// Whether there is a value from elsewhere.
    fn has(&self, _index: usize) -> bool {
        false
    }

    /// Appends a value from elsewhere.
    fn put(&self, _index: usize, _out: &mut Vec<u8>) {}
}

impl Named for Rule {
    fn name(&self) -> &str {
        &self.name
    }
}

impl Rule {
    pub(crate) fn new(name: &str, action: Action) -> Self {
        Self { name: name.to_owned(), written: escaped(name), action, absent: Absent::Nothing, default: None }
    }

    /// A member that gets another name.
    pub(crate) fn renamed(name: &str, to: &str) -> Self {
        Self { written: escaped(to), ..Self::new(name, Action::Rename(None)) }
    }

    /// The name in the result.
    pub(crate) fn new_name(&self) -> String {
        let mut name = String::new();
        crate::json::escape::unescape(&String::from_utf8_lossy(&self.written), &mut name);
        name
    }

    pub(crate) fn absent(self, absent: Absent) -> Self {
        Self { absent, ..self }
    }
}

impl Node {
    pub(crate) fn new() -> Self {
        Self { rules: List::default(), keep_others: true }
    }

    /// The rule for a name, if there is one.
    pub(crate) fn rule(&mut self, name: &str) -> Option<&mut Rule> {
        self.rules.get_mut(name)
    }

    /// The rules of the object that a path's last step is a member of; those on the way there are added.
    pub(crate) fn parent(&mut self, path: &Path) -> &mut Self {
        let mut node = self;
        for step in &path[..path.len() - 1] {
            if node.rules.get(step).is_none() {
                node.rules.push(Rule::new(step, Action::Keep));
            }
            let rule = node.rules.get_mut(step).expect("it was added");
            if !matches!(rule.action, Action::Inside(_)) {
                rule.action = Action::Inside(Self::new());
            }
            node = match &mut rule.action {
                Action::Inside(node) => node,
                _ => unreachable!("it was made so"),
            };
        }
        node
    }

    /// Adds a rule for the member that a path leads to.
    pub(crate) fn add(&mut self, path: &Path, action: Action, absent: Absent) {
        let name = path.last().map_or("", String::as_str);
        self.parent(path).set(Rule::new(name, action).absent(absent));
    }

    /// Adds a rule, in the place of an earlier one for the same name.
    pub(crate) fn set(&mut self, rule: Rule) {
        self.rules.set(rule);
    }

    /// Where a member gets a name that another may have: both are looked for, so that none is lost silently.
    pub(crate) fn watch_renames(&mut self) {
        let targets: Vec<(usize, String)> = (0..)
            .zip(&self.rules)
            .filter(|(_, rule)| matches!(rule.action, Action::Rename(_)))
            .map(|(at, rule)| (at, String::from_utf8_lossy(&rule.written).into_owned()))
            .collect();
        for (at, target) in targets {
            let known = self
                .rules
                .iter()
                .position(|rule| rule.written == target.as_bytes() && rule.name != self.rules[at].name);
            let watched = match known {
                Some(known) => Some(known),
                None if !self.keep_others => None,
                None => {
                    let mut name = String::new();
                    crate::json::escape::unescape(&target, &mut name);
                    (name != self.rules[at].name).then(|| {
                        self.rules.push(Rule::new(&name, Action::Keep));
                        self.rules.len() - 1
                    })
                }
            };
            self.rules[at].action = Action::Rename(watched);
        }
    }

    #[inline]
    fn find(&self, text: &str, member: &Member, expected: usize) -> Option<usize> {
        self.rules.place_near(&member.name(text), expected)
    }

    /// Rewrites the object that the scanner stands before into `out`; the scanner is behind it then.
    pub(crate) fn edit(
        &self,
        scanner: &mut Scanner<'_>,
        values: &dyn Values,
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Result<(), Refused> {
        let (base, found) = (scratch.members.len(), scratch.last.len());
        read_members(scanner, &mut scratch.members, &mut scratch.closers)?;
        let (end, text) = (scratch.members.len(), scanner.text());
        scratch.matched.resize(base, NONE);
        scratch.last.resize(found + self.rules.len(), NONE);
        // Rules for all fields of a schema come in the order of the members.
        let mut expected = 0;
        for at in base..end {
            let rule = self.find(text, &scratch.members[at], expected);
            scratch.matched.push(rule.map_or(NONE, number));
            if let Some(rule) = rule {
                // Of several members with one name the last one counts, as for Jackson.
                scratch.last[found + rule] = number(at);
                expected = rule + 1;
            }
        }
        self.check_renames(&scratch.last[found..])?;
        let mut writer = ObjectWriter::new(text, out);
        let mut kept = usize::MAX;
        for at in base..end {
            let rule = scratch.matched[at];
            if rule == NONE {
                if self.keep_others {
                    writer.keep(&scratch.members[at], kept == at.wrapping_sub(1), out);
                    kept = at;
                }
            } else if scratch.last[found + rule as usize] == number(at) {
                let rule = &self.rules[rule as usize];
                if self.member(rule, at, kept, &mut writer, text, values, scratch, out)? {
                    kept = at;
                }
            }
        }
        for (at, rule) in self.rules.iter().enumerate() {
            if scratch.last[found + at] == NONE {
                self.absent(rule, &mut writer, values, out)?;
            }
        }
        writer.end(out);
        scratch.members.truncate(base);
        scratch.matched.truncate(base);
        scratch.last.truncate(found);
        Ok(())
    }

    fn check_renames(&self, last: &[u32]) -> Result<(), Refused> {
        for (rule, at) in self.rules.iter().zip(last) {
            if let Action::Rename(Some(other)) = rule.action
                && *at != NONE
                && last[other] != NONE
                && !matches!(self.rules[other].action, Action::Drop)
            {
                return Err(Refused::collision(&rule.written));
            }
        }
        Ok(())
    }

    /// Writes one member by its rule; `true`: as it stood.
    #[allow(clippy::too_many_arguments, reason = "the state of one loop, taken apart for length")]
    fn member(
        &self,
        rule: &Rule,
        at: usize,
        kept: usize,
        writer: &mut ObjectWriter<'_>,
        text: &str,
        values: &dyn Values,
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Result<bool, Refused> {
        let member = &scratch.members[at];
        let written = &text[member.value.clone()];
        let default = rule.default.as_deref().filter(|_| Raw::of(written) == Raw::Null);
        let value = default.unwrap_or(written);
        match &rule.action {
            Action::Drop => return Ok(false),
            Action::Keep if default.is_none() => {
                writer.keep(member, kept == at.wrapping_sub(1), out);
                return Ok(true);
            }
            Action::Keep => {
                writer.key_of(member, out);
                out.extend_from_slice(value.as_bytes());
            }
            Action::Rename(_) => {
                writer.name(&rule.written, out);
                out.extend_from_slice(value.as_bytes());
            }
            Action::Convert(kind, how) => {
                writer.key_of(member, out);
                values.convert(*kind, *how, value, out)?;
            }
            Action::Put(index) => {
                writer.key_of(member, out);
                match values.has(*index) {
                    true => values.put(*index, out),
                    false => out.extend_from_slice(value.as_bytes()),
                }
            }
            Action::Inside(node) if Raw::of(written) == Raw::Object => {
                let mut scanner = Scanner::of(text);
                scanner.skip_to(member.value.start);
                writer.key_of(member, out);
                node.edit(&mut scanner, values, scratch, out)?;
            }
            Action::Inside(_) => {
                writer.keep(member, kept == at.wrapping_sub(1), out);
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn absent(
        &self,
        rule: &Rule,
        writer: &mut ObjectWriter<'_>,
        values: &dyn Values,
        out: &mut Vec<u8>,
    ) -> Result<(), Refused> {
        if let Some(default) = &rule.default {
            match &rule.action {
                Action::Drop | Action::Put(_) | Action::Inside(_) => {}
                Action::Keep | Action::Rename(_) => {
                    writer.name(&rule.written, out);
                    out.extend_from_slice(default.as_bytes());
                    return Ok(());
                }
                Action::Convert(kind, how) => {
                    writer.name(&rule.written, out);
                    return values.convert(*kind, *how, default, out);
                }
            }
        }
        match rule.absent {
            Absent::Nothing => Ok(()),
            Absent::Refuse => Err(Refused::data(format!("Field does not exist: {}", rule.name))),
            Absent::Null => {
                writer.name(&rule.written, out);
                out.extend_from_slice(b"null");
                Ok(())
            }
            Absent::Required(index) if !values.has(index) => {
                Err(Refused::data(format!("Invalid value: null used for required field: \"{}\"", rule.name)))
            }
            Absent::Put(index) | Absent::Required(index) => {
                if values.has(index) {
                    writer.name(&rule.written, out);
                    values.put(index, out);
                }
                Ok(())
            }
        }
    }
}

/// No place.
pub(super) const NONE: u32 = u32::MAX;

/// A place among members.
pub(super) fn number(at: usize) -> u32 {
    u32::try_from(at).expect("a record is smaller than 4 GiB, so it has fewer than 2^32 members")
}
