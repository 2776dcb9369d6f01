//! Values read out of a record: for transforms that take fields from it.

use super::{
    envelope::{Form, Plans, Schemas, Scratch, open},
    fieldwise::with_scratch,
    path::Path,
    schema::Schema,
    value::{Raw, no_map, no_struct},
};
use crate::{
    error::Refused,
    json::{Scanner, object::read_members},
};

/// A key or value, its envelope taken off.
#[derive(Debug)]
pub(crate) struct Seen<'s, 't, P> {
    /// The whole text, the value in it not yet read unless it has an envelope.
    pub(crate) scanner: &'s mut Scanner<'t>,
    /// What was made of the schema.
    pub(crate) plan: Option<&'s P>,
    /// Whether there is an envelope; without a plan its schema is `null`.
    pub(crate) envelope: bool,
}

/// Opens `text` and hands what it is to `take`, which must read the value, with scratch for that.
pub(crate) fn see<P, T>(
    text: &[u8],
    schemas: Schemas,
    plans: &Plans<P>,
    make: impl Fn(&Schema) -> Result<P, Refused>,
    take: impl FnOnce(Seen<'_, '_, P>, &mut Scratch) -> Result<T, Refused>,
) -> Result<T, Refused> {
    with_scratch(|scratch| open_and_take(text, schemas, plans, scratch, make, take))
}

fn open_and_take<P, T>(
    text: &[u8],
    schemas: Schemas,
    plans: &Plans<P>,
    scratch: &mut Scratch,
    make: impl Fn(&Schema) -> Result<P, Refused>,
    take: impl FnOnce(Seen<'_, '_, P>, &mut Scratch) -> Result<T, Refused>,
) -> Result<T, Refused> {
    let mut plans = plans.lock();
    let mut scanner = Scanner::new(text)?;
    let text = scanner.text();
    if let Form::Envelope { schema, payload } = open(&mut scanner, schemas, plans.known(), scratch)? {
        let mut inner = Scanner::of(text);
        inner.skip_to(payload.start);
        if &text[schema.clone()] == "null" {
            return take(Seen { scanner: &mut inner, plan: None, envelope: true }, scratch);
        }
        match plans.get(&text[schema], make) {
            Ok(plan) => {
                return take(Seen { scanner: &mut inner, plan: Some(plan?), envelope: true }, scratch);
            }
            Err(no_schema) if schemas != Schemas::Auto => return Err(no_schema),
            // Two members of these names, and no schema: an object like any other.
            Err(_) => scanner.skip_to(0),
        }
    }
    let taken = take(Seen { scanner: &mut scanner, plan: None, envelope: false }, scratch)?;
    scanner.end()?;
    Ok(taken)
}

impl<'t, P> Seen<'_, 't, P> {
    /// Reads the members of the value, which must be an object; `false`: it is null.
    pub(crate) fn members(&mut self, purpose: &str, scratch: &mut Scratch) -> Result<bool, Refused> {
        if self.scanner.peek() == Some(b'{') {
            read_members(self.scanner, &mut scratch.members, &mut scratch.closers)?;
            return Ok(true);
        }
        match Raw::of(self.whole(scratch)?) {
            Raw::Null => Ok(false),
            // What the schema says of it is told by the plan.
            _ if self.plan.is_some() => Ok(true),
            raw => Err(no_map(purpose, raw.class())),
        }
    }

    /// Reads the members of the value, which must be an object and not null.
    pub(crate) fn object(&mut self, purpose: &str, scratch: &mut Scratch) -> Result<(), Refused> {
        match (self.members(purpose, scratch)?, self.plan) {
            (true, _) => Ok(()),
            (false, Some(_)) => Err(no_struct(purpose, "null")),
            (false, None) => Err(no_map(purpose, "null")),
        }
    }

    /// Reads the value, whatever it is.
    pub(crate) fn whole(&mut self, scratch: &mut Scratch) -> Result<&'t str, Refused> {
        let span = self.scanner.value(&mut scratch.closers)?;
        Ok(&self.scanner.text()[span])
    }

    /// What stands at the path, once the members were read. Of several members with one name the last one counts.
    pub(crate) fn at(&self, path: &Path, scratch: &mut Scratch) -> Result<Option<&'t str>, Refused> {
        let text = self.scanner.text();
        let top = scratch.members.len();
        let mut base = 0;
        let mut found = None;
        for (depth, step) in path.iter().enumerate() {
            if depth > 0 {
                let Some(value) = found.take() else { break };
                let value: crate::json::Span = value;
                match Raw::of(&text[value.clone()]) {
                    Raw::Object => {
                        base = scratch.members.len();
                        let mut scanner = Scanner::of(text);
                        scanner.skip_to(value.start);
                        read_members(&mut scanner, &mut scratch.members, &mut scratch.closers)?;
                    }
                    Raw::Null => break,
                    raw => {
                        scratch.members.truncate(top);
                        return Err(no_map("nested field access", raw.class()));
                    }
                }
            }
            let member = scratch.members[base..].iter().rev().find(|member| member.is(text, step));
            found = member.map(|member| member.value.clone());
        }
        scratch.members.truncate(top);
        Ok(found.map(|value| &text[value]))
    }
}

/// The schema of the field at a path.
pub(crate) fn schema_at<'s>(schema: &'s Schema, path: &Path) -> Option<&'s Schema> {
    path.iter().try_fold(schema, |schema, step| schema.field(step))
}
