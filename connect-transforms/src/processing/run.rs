//! One record through all chains.

use super::{
    convert::convert,
    operation::{Context, Operation},
    plan::{Chain, Parser, Place, Plan, Value},
    rules::FieldType,
    search::matches,
    value::{Field, Fields, Val, kind_of, members},
    why::{Failure, Why},
};
use crate::{
    json::{
        Scanner,
        pick::{Step, pick_text},
    },
    jsonpath::Document,
};
use std::{cell::OnceCell, collections::HashMap};

/// Fields that a record may have.
const FIELDS_MAX: usize = 1 << 20;

/// Somebody who watches. Numbers are those of the rule file.
pub(super) trait Trace {
    const WATCHES: bool;

    fn parsed(&mut self, _chain: usize, _fields: &[Field<'_>]) {}
    fn rule(&mut self, _chain: usize, _rule: usize, _made: &[Field<'_>]) {}
    fn chain(&mut self, _chain: usize, _fields: &[Field<'_>]) {}
    fn filter(&mut self, _filter: usize, _holds: bool) {}
}

/// Nobody does.
impl Trace for () {
    const WATCHES: bool = false;
}

/// The fields so far, and how to look into them.
struct Source<'a, 'f> {
    fields: &'f [Field<'a>],
    /// The JSON object that they are, if it was just parsed.
    text: Option<&'a str>,
    document: OnceCell<Document<'a>>,
}

impl Plan {
    /// The result of one record (or one element of it); `None`: it is filtered.
    pub(super) fn run<'a>(
        &self,
        text: &'a str,
        context: Context<'a>,
        trace: &mut impl Trace,
    ) -> Result<Option<Fields<'a>>, Failure> {
        let mut fields = Fields::new_in(context.bump);
        for (number, chain) in self.chains.iter().enumerate() {
            fields = chain.parse(text, fields, context).map_err(|why| why.in_chain(number))?;
            trace.parsed(number, &fields);
            if chain.rules.is_empty() {
                trace.chain(number, &fields);
                continue;
            }
            // Only these fields are exactly what stands in the text.
            let whole = number == 0 && matches!(chain.parse, Parser::Json) && chain.key_value.is_none();
            let object = whole.then_some(text);
            fields = chain.apply(number, &fields, object, context, trace)?;
            trace.chain(number, &fields);
        }
        for (number, filter) in self.filters.iter().enumerate() {
            let holds = filter.holds(&fields, context.bump);
            trace.filter(number, holds);
            if !holds {
                return Ok(None);
            }
        }
        Ok(Some(fields))
    }
}

impl Chain {
    /// What the rules begin with.
    fn parse<'a>(&self, text: &'a str, before: Fields<'a>, context: Context<'a>) -> Result<Fields<'a>, Why> {
        let first = match (&self.parse, &self.input) {
            (Parser::Source, _) => {
                let mut fields = before;
                self.key_values(&mut fields, 0, context)?;
                return Ok(fields);
            }
            (_, None) => {
                let mut fields = Fields::with_capacity_in(24, context.bump);
                self.parse_text(text, "", &mut fields, context)?;
                self.key_values(&mut fields, 0, context)?;
                return Ok(fields);
            }
            (_, Some(place)) => place,
        };
        let text = input_text(first, &before, context)?;
        let mut fields = Fields::with_capacity_in(before.len() + 24, context.bump);
        fields.extend(before.into_iter().filter(|field| first.field.as_deref() != Some(field.name)));
        let old = fields.len();
        self.parse_text(text, &first.prefix, &mut fields, context)?;
        self.key_values(&mut fields, old, context)?;
        Ok(fields)
    }

    fn parse_text<'a>(
        &self,
        text: &'a str,
        prefix: &str,
        fields: &mut Fields<'a>,
        context: Context<'a>,
    ) -> Result<(), Why> {
        match &self.parse {
            Parser::Json => parse_object(text, prefix, fields, context),
            Parser::Delimiter(separator) => {
                let mut pieces = text.split(separator.as_str()).enumerate();
                pieces.try_for_each(|(index, piece)| push_indexed(prefix, index, piece, fields, context))
            }
            Parser::Regex(pattern) => {
                let mut index = 0;
                matches(text, pattern, |found| {
                    index += 1;
                    push_indexed(prefix, index - 1, found, fields, context)
                })
            }
            Parser::Source => Ok(()),
        }
    }

    /// The second parse: texts with the separator in them also add `<name>.<key>`.
    fn key_values<'a>(&self, fields: &mut Fields<'a>, from: usize, context: Context<'a>) -> Result<(), Why> {
        let Some(separator) = &self.key_value else {
            return Ok(());
        };
        for number in from..fields.len() {
            let Field { name, value } = fields[number];
            if !value.is_string() {
                continue;
            }
            if let Some((key, value)) = value.text(context.bump).split_once(separator.as_str()) {
                let name = joined(&[name, ".", key], context)?;
                push(Field { name, value: Val::Text(value) }, fields)?;
            }
        }
        Ok(())
    }

    fn apply<'a>(
        &self,
        number: usize,
        fields: &[Field<'a>],
        text: Option<&'a str>,
        context: Context<'a>,
        trace: &mut impl Trace,
    ) -> Result<Fields<'a>, Failure> {
        let source = Source { fields, text, document: OnceCell::new() };
        let mut out = Fields::with_capacity_in(fields.len().max(self.rules.len()) + 4, context.bump);
        let mut rule = |index: usize, given: Option<Val<'a>>, out: &mut Fields<'a>| {
            let before = out.len();
            let done = self.rule(index, given, &source, out, context);
            done.map_err(|why| why.in_field(number, &self.rules[index].name))?;
            trace.rule(number, index, &out[before..]);
            Ok::<(), Failure>(())
        };
        let Some(table) = &self.others else {
            for index in 0..self.rules.len() {
                rule(index, None, &mut out)?;
            }
            return Ok(out);
        };
        let done = context.bump.alloc_slice_fill_copy(self.rules.len(), false);
        for field in fields {
            let Some(rules) = table.get(field.name) else {
                out.push(*field);
                continue;
            };
            for &index in rules {
                done[index] = true;
                let given = matches!(self.rules[index].value, Value::Key(_)).then_some(field.value);
                rule(index, given, &mut out)?;
            }
        }
        for index in (0..self.rules.len()).filter(|&index| !done[index]) {
            rule(index, None, &mut out)?;
        }
        Ok(out)
    }

    fn rule<'a>(
        &self,
        index: usize,
        given: Option<Val<'a>>,
        source: &Source<'a, '_>,
        out: &mut Fields<'a>,
        context: Context<'a>,
    ) -> Result<(), Why> {
        let rule = &self.rules[index];
        let value = match given {
            Some(value) => Some(value),
            None => source.value(&rule.value, context)?,
        };
        let Some(mut value) = value else {
            return Ok(());
        };
        let name = context.keep(&rule.name)?;
        for operation in &rule.operations {
            match operation {
                Operation::KeyValue { entries, separator, keep } => {
                    return key_value_fields(name, value, (entries, separator, *keep), out, context);
                }
                other => value = other.apply(value, context)?,
            }
        }
        match value {
            Val::Json(object) if rule.kind == FieldType::Map && object.starts_with('{') => {
                parse_object(object, &format!("{name}."), out, context)
            }
            value => push(Field { name, value: convert(value, rule.kind, context.bump)? }, out),
        }
    }
}

impl<'a> Source<'a, '_> {
    fn value(&self, value: &Value, context: Context<'a>) -> Result<Option<Val<'a>>, Why> {
        match value {
            Value::None => Ok(None),
            Value::Constant(text) => context.keep(text).map(|text| Some(Val::Text(text))),
            Value::Now => {
                let digits = context.keep(itoa::Buffer::new().format(context.now_ms))?;
                Ok(Some(Val::Json(digits)))
            }
            Value::Key(key) => by_key(self.fields, key),
            Value::Field(name, steps) => match field(self.fields, name) {
                Some(value) => into(value, steps),
                None => Ok(None),
            },
            Value::Path(path) => {
                let document = match self.document.get() {
                    Some(document) => document,
                    None => {
                        let text = match self.text {
                            Some(text) => text,
                            None => composed(self.fields, context)?,
                        };
                        self.document.get_or_init(|| Document::of(text))
                    }
                };
                let found = path.value_in(document)?;
                Ok(match found {
                    None => None,
                    Some(std::borrow::Cow::Borrowed(json)) => Some(Val::Json(json)),
                    Some(std::borrow::Cow::Owned(json)) => Some(Val::Json(context.keep(&json)?)),
                })
            }
        }
    }
}

fn field<'a>(fields: &[Field<'a>], name: &str) -> Option<Val<'a>> {
    fields.iter().rev().find(|field| field.name == name).map(|field| field.value)
}

/// Leaves the last value of every name from `start` on, in the place of the first one, as Java's maps do.
fn unite(fields: &mut Fields<'_>, start: usize) {
    let mut places: HashMap<&str, usize> = HashMap::with_capacity(fields.len() - start);
    let mut kept = start;
    for at in start..fields.len() {
        let field = fields[at];
        let place = *places.entry(field.name).or_insert(kept);
        fields[place] = field;
        kept = kept.max(place + 1);
    }
    fields.truncate(kept);
}

/// The field of this name or, if there is none, what the name leads to as a way into one.
pub(super) fn by_key<'a>(fields: &[Field<'a>], key: &str) -> Result<Option<Val<'a>>, Why> {
    match field(fields, key) {
        Some(value) => Ok(Some(value)),
        None => inner(fields, key),
    }
}

fn into<'a>(value: Val<'a>, steps: &[Step]) -> Result<Option<Val<'a>>, Why> {
    if steps.is_empty() {
        return Ok(Some(value));
    }
    let Val::Json(json) = value else {
        return Ok(None);
    };
    Ok(pick_text(json, steps)?.map(Val::Json))
}

/// `a.b` where no field has this name: `b` in the object `a`.
fn inner<'a>(fields: &[Field<'a>], key: &str) -> Result<Option<Val<'a>>, Why> {
    for (dot, _) in key.match_indices('.') {
        let Some(Val::Json(json)) = field(fields, &key[..dot]) else {
            continue;
        };
        let rest = &key[dot + 1..];
        let whole = [Step::Name(rest.to_owned())];
        let parts: Vec<Step> = rest.split('.').map(|part| Step::Name(part.to_owned())).collect();
        for steps in [&whole[..], &parts[..]] {
            if let Some(found) = into(Val::Json(json), steps)? {
                return Ok(Some(found));
            }
        }
    }
    Ok(None)
}

/// The fields as one JSON object, for paths that need all of it.
fn composed<'a>(fields: &[Field<'a>], context: Context<'a>) -> Result<&'a str, Why> {
    let mut json = b"{".to_vec();
    for field in fields {
        if json.len() > 1 {
            json.push(b',');
        }
        crate::json::escape::quote(field.name, &mut json);
        json.push(b':');
        field.value.write(&mut json);
        context.check(json.len())?;
    }
    json.push(b'}');
    context.keep(std::str::from_utf8(&json).expect("names and values are text"))
}

fn input_text<'a>(place: &Place, before: &[Field<'a>], context: Context<'a>) -> Result<&'a str, Why> {
    let source = Source { fields: before, text: None, document: OnceCell::new() };
    let value = source.value(&place.value, context)?;
    let name = || place.prefix.strip_suffix('.').unwrap_or_default().to_owned();
    value.map(|value| value.text(context.bump)).ok_or_else(|| Why::NoInput(name()))
}

fn parse_object<'a>(
    text: &'a str,
    prefix: &str,
    fields: &mut Fields<'a>,
    context: Context<'a>,
) -> Result<(), Why> {
    let mut scanner = Scanner::of(text);
    if scanner.peek() != Some(b'{') {
        scanner.value(&mut Vec::new())?;
        scanner.end()?;
        return Err(Why::NotAnObject(kind_of(text.trim_start())));
    }
    let (start, mut refused) = (fields.len(), Ok(()));
    members(text, context.bump, |name, value| {
        if refused.is_ok() {
            let named = if prefix.is_empty() { Ok(name) } else { joined(&[prefix, name], context) };
            refused = named.and_then(|name| push(Field { name, value: Val::Json(value) }, fields));
        }
    })?;
    if context.unite {
        unite(fields, start);
    }
    refused
}

fn push<'a>(field: Field<'a>, fields: &mut Fields<'a>) -> Result<(), Why> {
    if fields.len() == FIELDS_MAX {
        return Err(Why::Fields(FIELDS_MAX));
    }
    fields.push(field);
    Ok(())
}

fn push_indexed<'a>(
    prefix: &str,
    index: usize,
    text: &'a str,
    fields: &mut Fields<'a>,
    context: Context<'a>,
) -> Result<(), Why> {
    let name = joined(&[prefix, itoa::Buffer::new().format(index)], context)?;
    push(Field { name, value: Val::Text(text) }, fields)
}

fn joined<'a>(parts: &[&str], context: Context<'a>) -> Result<&'a str, Why> {
    context.keep(&parts.concat())
}

fn key_value_fields<'a>(
    name: &'a str,
    value: Val<'a>,
    (entries, separator, keep): (&str, &str, bool),
    out: &mut Fields<'a>,
    context: Context<'a>,
) -> Result<(), Why> {
    if keep || value.is_null() {
        push(Field { name, value }, out)?;
    }
    if value.is_null() {
        return Ok(());
    }
    for entry in value.text(context.bump).split(entries) {
        if let Some((key, value)) = entry.split_once(separator) {
            let name = joined(&[name, ".", key], context)?;
            push(Field { name, value: Val::Text(value) }, out)?;
        }
    }
    Ok(())
}
