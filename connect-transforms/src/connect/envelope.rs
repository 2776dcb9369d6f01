//! The JSON converter's envelope, `{"schema":…,"payload":…}`: telling it from a plain value, and remembering what a
//! transform makes of a schema.

use super::schema::Schema;
use crate::{
    error::Refused,
    json::{
        Scanner, Span,
        object::{Member, read_members},
    },
};
use std::sync::{Mutex, MutexGuard};

connect_core::choices! {
    /// Whether keys and values have the JSON converter's schema envelope, `{"schema":…,"payload":…}`.
    pub enum Schemas {
        /// Each record is looked at: an object that has exactly these two members, the schema being one of Connect's or
        /// `null`, is an envelope.
        Auto = "auto",
        /// They must have it; a record without it is refused.
        Enabled = "true",
        /// They are taken as they stand.
        Disabled = "false",
    }
}

/// Schemas remembered, as in Kafka Connect.
const CACHED_MAX: usize = 16;
/// Bytes of all schemas remembered, of which one may take everything.
const REMEMBERED_MAX: usize = 4 << 20;
/// Scratch kept for the next record, in elements.
const KEPT_MAX: usize = 16 << 10;

const NOT_AN_ENVELOPE: &str = "JsonConverter with schemas.enable requires \"schema\" and \"payload\" fields and may not \
     contain additional fields. If you are trying to deserialize plain JSON data, set schemas.enable=false in your \
     converter configuration.";

/// What every record needs and none keeps.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub(crate) closers: Vec<u8>,
    pub(crate) members: Vec<Member>,
    pub(crate) matched: Vec<u32>,
    pub(crate) last: Vec<u32>,
}

impl Scratch {
    pub(crate) fn reset(&mut self) {
        self.closers.clear();
        if self.members.capacity() > KEPT_MAX {
            *self = Self::default();
        }
        self.members.clear();
        self.matched.clear();
        self.last.clear();
    }
}

/// What a text is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A value, which begins there.
    Plain(usize),
    /// An envelope. What stands in `null`'s place of a schema is a schemaless value.
    Envelope { schema: Span, payload: Span },
}

/// Tells what the text is; all of an envelope is scanned by then. `known` is a schema that is likely.
pub(crate) fn open(
    scanner: &mut Scanner<'_>,
    schemas: Schemas,
    known: Option<&str>,
    scratch: &mut Scratch,
) -> Result<Form, Refused> {
    if let Some(form) = quick(scanner, schemas, known, scratch)? {
        return Ok(form);
    }
    let first = scanner.peek();
    let start = scanner.at();
    if schemas == Schemas::Disabled || !(first == Some(b'{') && may_be(&scanner.text()[start..])) {
        return plain(scanner, schemas, start, scratch);
    }
    let base = scratch.members.len();
    read_members(scanner, &mut scratch.members, &mut scratch.closers)?;
    let form = match &scratch.members[base..] {
        [a, b] => {
            let text = scanner.text();
            let of = |name: &str| [a, b].into_iter().find(|member| member.is(text, name));
            of("schema").zip(of("payload")).map(|(schema, payload)| Form::Envelope {
                schema: schema.value.clone(),
                payload: payload.value.clone(),
            })
        }
        _ => None,
    };
    scratch.members.truncate(base);
    match form {
        Some(form) => {
            scanner.end()?;
            Ok(form)
        }
        None => {
            scanner.skip_to(start);
            plain(scanner, schemas, start, scratch)
        }
    }
}

/// The usual case: what the JSON converter writes, with the schema of the record before.
fn quick(
    scanner: &mut Scanner<'_>,
    schemas: Schemas,
    known: Option<&str>,
    scratch: &mut Scratch,
) -> Result<Option<Form>, Refused> {
    const HEAD: &str = "{\"schema\":";
    const BETWEEN: &str = ",\"payload\":";
    let Some(known) = known.filter(|_| schemas != Schemas::Disabled) else { return Ok(None) };
    let rest = scanner.text().strip_prefix(HEAD).and_then(|rest| rest.strip_prefix(known));
    if !rest.is_some_and(|rest| rest.starts_with(BETWEEN)) {
        return Ok(None);
    }
    let schema = HEAD.len()..HEAD.len() + known.len();
    scanner.skip_to(schema.end + BETWEEN.len());
    let payload = scanner.value(&mut scratch.closers)?;
    if scanner.peek() != Some(b'}') {
        // There are more members: it is none, and the long way says so.
        scanner.skip_to(0);
        return Ok(None);
    }
    scanner.step();
    scanner.end()?;
    Ok(Some(Form::Envelope { schema, payload }))
}

/// Whether the first key of the object is one that an envelope has (or has escapes in it).
fn may_be(object: &str) -> bool {
    let first = object[1..].trim_start_matches([' ', '\n', '\r', '\t']);
    ["\"schema\"", "\"payload\""].iter().any(|key| first.starts_with(key))
        || first.split('"').nth(1).is_some_and(|key| key.contains('\\'))
}

fn plain(
    scanner: &mut Scanner<'_>,
    schemas: Schemas,
    start: usize,
    scratch: &mut Scratch,
) -> Result<Form, Refused> {
    if schemas == Schemas::Enabled {
        scanner.value(&mut scratch.closers)?;
        scanner.end()?;
        return Err(Refused::data(NOT_AN_ENVELOPE));
    }
    Ok(Form::Plain(start))
}

/// What a transform has made of schemas, by their text; the one used last stands first.
#[derive(Debug)]
pub(crate) struct Plans<P>(Mutex<Known<P>>);

type Known<P> = Vec<(Box<str>, P)>;

impl<P> Plans<P> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// For one record. A task has its transforms to itself; whoever shares one all the same does without memory.
    pub(crate) fn lock(&self) -> Remembered<'_, P> {
        Remembered { shared: self.0.try_lock().ok(), own: None }
    }
}

/// A copy remembers for itself.
impl<P> Clone for Plans<P> {
    fn clone(&self) -> Self {
        Self::new()
    }
}

/// See [`Plans::lock`].
pub(crate) struct Remembered<'p, P> {
    shared: Option<MutexGuard<'p, Known<P>>>,
    own: Option<P>,
}

impl<P> Remembered<'_, P> {
    /// The schema that was used last.
    pub(crate) fn known(&self) -> Option<&str> {
        self.shared.as_ref()?.first().map(|(schema, _)| &**schema)
    }

    /// What `make` made of this schema, now or earlier. The outer error: it is no schema at all.
    pub(crate) fn get(
        &mut self,
        schema: &str,
        make: impl FnOnce(&Schema) -> Result<P, Refused>,
    ) -> Result<Result<&P, Refused>, Refused> {
        let found =
            self.shared.as_ref().and_then(|plans| plans.iter().position(|(text, _)| &**text == schema));
        match (&mut self.shared, found) {
            (Some(plans), Some(at)) => {
                plans[..=at].rotate_right(1);
                Ok(Ok(&plans[0].1))
            }
            (shared, _) => {
                let plan = match make(&Schema::parse(schema)?) {
                    Ok(plan) => plan,
                    Err(refused) => return Ok(Err(refused)),
                };
                Ok(Ok(match shared {
                    Some(plans) if schema.len() <= REMEMBERED_MAX => {
                        plans.truncate(CACHED_MAX - 1);
                        forget(plans, REMEMBERED_MAX - schema.len());
                        plans.insert(0, (schema.into(), plan));
                        &plans[0].1
                    }
                    _ => self.own.insert(plan),
                }))
            }
        }
    }
}

/// Drops the schemas that were not used for longest, until the others have so many bytes at most.
fn forget<P>(plans: &mut Known<P>, most: usize) {
    let mut bytes = 0;
    let fitting = plans.iter().take_while(|(schema, _)| {
        bytes += schema.len();
        bytes <= most
    });
    let kept = fitting.count();
    plans.truncate(kept);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(text: &str, schemas: Schemas, known: Option<&str>) -> Result<Form, Refused> {
        let mut scanner = Scanner::new(text.as_bytes())?;
        open(&mut scanner, schemas, known, &mut Scratch::default())
    }

    const ENVELOPE: &str = r#"{"schema":{"type":"int32"},"payload":1}"#;

    #[test]
    fn an_envelope_has_two_members_in_any_order() {
        let known = r#"{"type":"int32"}"#;
        let expected = Ok(Form::Envelope { schema: 10..26, payload: 37..38 });
        assert_eq!(form(ENVELOPE, Schemas::Auto, None), expected);
        assert_eq!(form(ENVELOPE, Schemas::Auto, Some(known)), expected);
        assert_eq!(form(ENVELOPE, Schemas::Enabled, Some("{}")), expected);
        let turned = r#" { "p\u0061yload" : [1] , "schema":null } "#;
        assert_eq!(form(turned, Schemas::Auto, None), Ok(Form::Envelope { schema: 35..39, payload: 20..23 }));
    }

    #[test]
    fn anything_else_is_plain_or_refused() {
        for text in
            [r#"{"schema":1}"#, r#"{"schema":1,"payload":2,"x":3}"#, "{}", "[1]", "1", r#"{"a":1,"b":2}"#]
        {
            assert_eq!(form(text, Schemas::Auto, Some("1")), Ok(Form::Plain(0)), "{text}");
            let error = form(text, Schemas::Enabled, Some("1")).unwrap_err().to_string();
            assert!(error.contains("requires \"schema\" and \"payload\" fields"), "{text}: {error}");
        }
        assert_eq!(form(ENVELOPE, Schemas::Disabled, None), Ok(Form::Plain(0)));
        assert!(form(r#"{"schema":1,"payload":2}x"#, Schemas::Auto, Some("1")).is_err());
        assert!(form(r#"{"schema":1,"payload":2"#, Schemas::Auto, Some("1")).is_err());
    }

    #[test]
    fn a_schema_of_a_megabyte_is_remembered_and_all_of_them_are_bounded_by_their_bytes() {
        let plans = Plans::<usize>::new();
        let schema =
            |n: usize| format!(r#"{{"type":"int32","doc":"{}","version":{n}}}"#, "x".repeat(1 << 20));
        let mut made = Vec::new();
        for n in [0, 0, 1, 0, 2, 1, 3, 2, 0] {
            let mut remembered = plans.lock();
            let plan = remembered.get(&schema(n), |_| {
                made.push(n);
                Ok(n)
            });
            assert_eq!(plan, Ok(Ok(&n)));
        }
        assert_eq!(made, [0, 1, 2, 3, 0], "three of a megabyte and a little fit into four");
        let held = plans.0.lock().unwrap();
        assert!(held.iter().map(|(schema, _)| schema.len()).sum::<usize>() <= REMEMBERED_MAX);
    }

    #[test]
    fn sixteen_schemas_are_remembered_and_the_last_one_is_known() {
        let plans = Plans::<usize>::new();
        let schema = |n: usize| format!(r#"{{"type":"int32","version":{n}}}"#);
        let mut made = 0;
        for n in (0..20).chain([19, 4, 0]) {
            let mut remembered = plans.lock();
            let plan = remembered.get(&schema(n), |_| {
                made += 1;
                Ok(n)
            });
            assert_eq!(plan, Ok(Ok(&n)));
            assert_eq!(remembered.known(), Some(&*schema(n)));
        }
        assert_eq!(made, 21, "all once, and the first one, forgotten, twice");
        let (held, mut other) = (plans.lock(), plans.lock());
        assert_eq!(other.get(&schema(1), |_| Ok(7)), Ok(Ok(&7)), "nobody waits");
        drop(held);
    }
}
