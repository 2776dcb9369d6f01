//! Transforms that rewrite a key or a value by rules: finding out what a record is, and applying the rules to it.

use super::{
    edit::{Absent, Action, Node, Rule, Values},
    envelope::{Form, Plans, Schemas, Scratch, open},
    schema::{Schema, Type},
    value::{Kind, Raw, no_map, no_struct},
};
use crate::{error::Refused, json::Scanner, part::Part};
use connect_core::{Error, Output, Record};
use std::cell::RefCell;

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::default());
}

/// Runs with scratch that is reused from record to record.
pub(crate) fn with_scratch<T>(run: impl FnOnce(&mut Scratch) -> T) -> T {
    SCRATCH.with_borrow_mut(|scratch| {
        scratch.reset();
        run(scratch)
    })
}

/// What is done to values of one form.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    /// To the members of an object.
    Members(Node),
    /// To the value as a whole.
    Whole(Kind),
    /// It is none that this can be done to; the class of Java that Kafka's message names.
    NoStruct(&'static str),
    /// It cannot be done, unless the value is null.
    Refuse(Refused),
    /// It cannot be done without a schema; what for.
    NeedsSchema(&'static str),
}

/// What becomes of values with a schema.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// The text of the new schema; none, if it stays.
    pub(crate) schema: Option<Vec<u8>>,
    pub(crate) work: Work,
}

/// What a transform does where the value is null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nulls {
    /// The record stays as it is.
    Pass,
    /// The record is refused.
    Refuse,
    /// A schema is changed all the same.
    Schema,
}

/// What the transforms of this kind differ in.
pub(crate) trait Rules: Send + Sync {
    /// What Kafka's messages say it is for.
    const PURPOSE: &'static str;
    const NULLS: Nulls;

    /// What is done to values without a schema.
    fn plain(&self) -> &Work;

    /// What is done to values of this schema.
    fn plan(&self, schema: &Schema) -> Result<Plan, Refused>;
}

/// The part of such a transform that all of them share.
#[derive(Debug)]
pub(crate) struct FieldWise {
    part: Part,
    schemas: Schemas,
    plans: Plans<Plan>,
}

impl FieldWise {
    pub(crate) fn new(part: Part, schemas: Schemas) -> Self {
        Self { part, schemas, plans: Plans::new() }
    }

    pub(crate) fn part(&self) -> Part {
        self.part
    }

    /// What [`Transform::apply`](connect_core::Transform::apply) does. `operation` completes "failed to …".
    pub(crate) fn apply<R: Rules>(
        &self,
        rules: &R,
        values: &dyn Values,
        operation: &'static str,
        record: Record<'_>,
        out: &mut Output,
    ) -> Result<(), Error> {
        let Some(text) = self.part.of(record) else {
            if R::NULLS == Nulls::Refuse {
                return Err(no_map(R::PURPOSE, "null").during(operation));
            }
            out.keep(record);
            return Ok(());
        };
        self.part.emit(record, out, |buffer| {
            with_scratch(|scratch| self.write(rules, values, text, scratch, buffer))
                .map_err(|refused| refused.during(operation))
        })
    }

    /// The rewritten form of a text, for those that emit it themselves.
    pub(crate) fn rewrite<R: Rules>(
        &self,
        rules: &R,
        values: &dyn Values,
        text: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Refused> {
        with_scratch(|scratch| self.write(rules, values, text, scratch, out))
    }

    fn write<R: Rules>(
        &self,
        rules: &R,
        values: &dyn Values,
        text: &[u8],
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Result<(), Refused> {
        let mut plans = self.plans.lock();
        let mut scanner = Scanner::new(text)?;
        let text = scanner.text();
        let (schema, payload) = match open(&mut scanner, self.schemas, plans.known(), scratch)? {
            Form::Plain(_) => {
                plain(rules, values, &mut scanner, scratch, out)?;
                return Ok(scanner.end()?);
            }
            Form::Envelope { schema, payload } => (schema, payload),
        };
        let mut inner = Scanner::of(text);
        inner.skip_to(payload.start);
        if &text[schema.clone()] == "null" {
            out.extend_from_slice(b"{\"schema\":null,\"payload\":");
            plain(rules, values, &mut inner, scratch, out)?;
            out.push(b'}');
            return Ok(());
        }
        let raw = Raw::of(&text[payload.clone()]);
        let plan = match plans.get(&text[schema.clone()], |schema| rules.plan(schema)) {
            // Null comes first: it needs no plan.
            Ok(_) if raw == Raw::Null && R::NULLS == Nulls::Pass => {
                out.extend_from_slice(text.as_bytes());
                return Ok(());
            }
            Ok(_) if raw == Raw::Null && R::NULLS == Nulls::Refuse => {
                return Err(no_struct(R::PURPOSE, "null"));
            }
            Ok(plan) => plan?,
            Err(_) if self.schemas == Schemas::Auto => {
                // Two members of these names, and no schema: an object like any other.
                scanner.skip_to(0);
                plain(rules, values, &mut scanner, scratch, out)?;
                return Ok(scanner.end()?);
            }
            Err(no_schema) => return Err(no_schema),
        };
        out.extend_from_slice(b"{\"schema\":");
        out.extend_from_slice(plan.schema.as_deref().unwrap_or(&text.as_bytes()[schema]));
        out.extend_from_slice(b",\"payload\":");
        match (&plan.work, raw) {
            (Work::NoStruct(class), _) => return Err(no_struct(R::PURPOSE, class)),
            (Work::NeedsSchema(purpose), _) => {
                return Err(Refused::data(format!("Schema required for [{purpose}]")));
            }
            (_, Raw::Null) => out.extend_from_slice(b"null"),
            (Work::Refuse(refused), _) => return Err(refused.clone()),
            (Work::Whole(kind), _) => values.convert(*kind, 0, &text[payload], out)?,
            (Work::Members(node), Raw::Object) => node.edit(&mut inner, values, scratch, out)?,
            (Work::Members(_), other) => return Err(no_struct(R::PURPOSE, other.class())),
        }
        out.push(b'}');
        Ok(())
    }
}

/// A value without a schema; the scanner is behind it then.
fn plain<R: Rules>(
    rules: &R,
    values: &dyn Values,
    scanner: &mut Scanner<'_>,
    scratch: &mut Scratch,
    out: &mut Vec<u8>,
) -> Result<(), Refused> {
    match (rules.plain(), scanner.peek()) {
        (Work::Members(node), Some(b'{')) => node.edit(scanner, values, scratch, out),
        (work, _) => {
            let span = scanner.value(&mut scratch.closers)?;
            let value = &scanner.text()[span];
            match (work, Raw::of(value)) {
                (_, Raw::Null) if R::NULLS != Nulls::Refuse => out.extend_from_slice(b"null"),
                (Work::Whole(kind), _) => values.convert(*kind, 0, value, out)?,
                (Work::NeedsSchema(purpose), _) => {
                    return Err(Refused::data(format!("Schema required for [{purpose}]")));
                }
                (_, raw) => return Err(no_map(R::PURPOSE, raw.class())),
            }
            Ok(())
        }
    }
}

/// Makes a field's new schema, see [`plan_fields`].
pub(crate) type Change<'c> = &'c dyn Fn(&Schema, usize) -> Result<Option<Schema>, Refused>;

/// A plan for the fields that the rules for schemaless values name: `change` makes a field's new schema, given its old
/// one and what the rule says; `None` keeps it. The whole schema's default is changed like any value.
pub(crate) fn plan_fields(
    schema: &Schema,
    named: &Node,
    fill_nulls: bool,
    values: &dyn Values,
    change: Change<'_>,
) -> Result<(Schema, Node), Refused> {
    let mut changed = schema.clone();
    let mut node = Node::new();
    for (name, field) in &schema.fields {
        let (mut rule, mut new) = (Rule::new(name, Action::Keep), None);
        match named.rules.get(name).map(|rule| &rule.action) {
            Some(Action::Convert(_, how)) => {
                new = change(field, *how)?;
                rule.action = Action::Convert(Kind::of(field), *how);
            }
            Some(Action::Inside(child)) if field.kind == Type::Struct => {
                let (schema, child) = plan_fields(field, child, fill_nulls, values, change)?;
                new = Some(schema);
                rule.action = Action::Inside(child);
            }
            _ => {}
        }
        rule.default = field.default.clone().filter(|_| fill_nulls);
        if let (Some(new), Some(changed)) = (new, changed.fields.get_mut(name)) {
            changed.1 = new;
        }
        if !matches!(rule.action, Action::Keep) || rule.default.is_some() {
            node.rules.push(rule);
        }
    }
    let missing = |rule: &&Rule| rule.absent == Absent::Refuse && schema.field(&rule.name).is_none();
    for rule in named.rules.iter().filter(missing) {
        node.rules.push(rule.clone());
    }
    if let Some(default) = &schema.default {
        changed.default = Some(edited(&node, default, values)?);
    }
    Ok((changed, node))
}

/// What becomes of one JSON text.
fn edited(node: &Node, text: &str, values: &dyn Values) -> Result<Box<str>, Refused> {
    let mut scanner = Scanner::of(text);
    if scanner.peek() != Some(b'{') {
        return Ok(text.into());
    }
    let mut out = Vec::new();
    node.edit(&mut scanner, values, &mut Scratch::default(), &mut out)?;
    Ok(String::from_utf8_lossy(&out).into())
}
