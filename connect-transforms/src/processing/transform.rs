//! The transform.

use super::{
    OnFailure, Rules,
    operation::Context,
    output::{Limit, Origin, write_json, write_row, write_wrapped},
    plan::Plan,
    rules::BatchMode,
    run::Trace,
    value::{Fields, kind_of},
    why::{Failure, Why},
};
use crate::json::{Scanner, SyntaxError};
use bumpalo::Bump;
use connect_core::{
    Error, Output, Record, Transform,
    config::{ConfigError, Problems},
};
use std::{
    cell::RefCell,
    hash::{BuildHasher, RandomState},
};

/// Bytes that all results of a record may have, and how many times larger than the record they may be beyond that.
const RESULT_ROOM: usize = 64 << 10;
const RESULT_GROWTH: usize = 16;
/// The same for what is made on the way, up to a limit.
const ROOM: usize = 16 << 20;
const GROWTH: usize = 64;
const GROWTH_MAX: usize = 1 << 30;
/// Memory that every record begins with: a block of this size, whatever records before it took, because what is taken
/// counts against [`ROOM`], and a record must not be poison or not by its neighbours.
const KEPT: usize = 256 << 10;

thread_local! {
    static BUMP: RefCell<Bump> = RefCell::new(Bump::with_capacity(KEPT));
}

/// The product's "simple data processing": parses a record in chains, makes fields of it by rules, filters it and writes
/// it as JSON or as a row.
///
/// | key | builder | default | meaning |
/// |---|---|---|---|
/// | `rules` | [`new`](Self::new), [`Rules::from_json`] | none | the rules as JSON |
/// | `rules.file` | | none | the file that holds them; one of both must be given |
///
/// The rules are a rule file in the words of the product's API ([`Rules`] has every key with its meaning), or the
/// same as values in code. A file that holds mistakes is refused as a whole, with all of them.
///
/// # Example
/// ```
/// # use connect_transforms::{DataProcessing, processing::Rules};
/// let rules = Rules::from_json(r#"{
///   "FieldChain": [
///     { "Analyse": { "Format": "JSON" },
///       "SMT": [
///         { "Key": "level", "Operate": "MAPPING", "Value": "severity", "ValueOperates": [{ "Type": "LOWERCASE" }] },
///         { "Key": "ip",    "Operate": "JSONPATH", "Value": "$.beat.ip" },
///         { "Key": "message", "Operate": "MAPPING", "Value": "message" } ] },
///     { "Analyse": { "Format": "JSON", "InputValueType": "MAPPING", "InputValue": "message" } } ],
///   "FilterParam": [ { "Key": "level", "MatchMode": "EXCEPT", "Value": "debug" } ]
/// }"#)?;
/// let (processing, mut out) = (DataProcessing::new(&rules)?, Vec::new());
/// processing.write(br#"{"severity":"WARN","beat":{"ip":"6.6.6.6"},"message":"{\"user\":888}"}"#, 0, &mut out)?;
/// assert_eq!(out, br#"{"level":"warn","ip":"6.6.6.6","message.user":888}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Chains
/// The first chain parses the record, each later one a field of the result so far (or, with `SOURCE`, nothing: its
/// rules see that result). A field that is parsed is replaced by `<field>.<child>`, which stand at the end; with a
/// JSONPath the path as written is the prefix, and a field is replaced only if the path is `$.<field>`.
/// - `JSON` takes one object. Keys are unescaped, values stay as they stand.
/// - `DELIMITER` and `REGULAR` give fields `0`, `1`, … with text. Regular expressions are those of RE2: linear time, no
///   look-around and no back-references. `\w`, `\d`, `\s` and `\b` are ASCII; `(?i)` and `\p{…}` are Unicode.
/// - `SecondaryAnalyse` adds `<field>.<key>` for every text that holds its separator, which it splits at the first one.
///
/// Rules make the new result, in their order: what no rule names is gone. With `KeepOtherFields` (our addition) fields
/// that no rule names stay in their places, what rules make of a field stands in its place, and what they make of
/// nothing at the end. A chain without rules keeps all fields.
///
/// A source that is not there (`MAPPING` of a missing key, a definite path to nothing) gives no field. A key that is no
/// field's reaches into objects: `a.b` finds `b` in the object `a`, in rules and in filters. The type `MAP` makes of an
/// object `a` the fields `a.b`, `a.c`, …, one level of them, and of text that holds an object that object as one field. Of equal keys in one object
/// the last one counts, in the place of the first one, as in Java's maps.
///
/// # Records
/// - With `BatchAnalyse` a record is an array of objects, and each passes all chains and filters on its own:
///   `ONE_BY_ONE` gives a record for each, `MERGE` one record that is an array. No element left: filtered.
/// - A record that does not meet all filters is *filtered*, never failed.
/// - Null values (tombstones) pass as they are, as do keys, headers and timestamps.
/// - Numbers keep their text and fields their order wherever no rule changes them. A result is one line, unless it is a
///   row and a text in it has line breaks.
/// - `KeepMetadata` adds `__topic`, `__partition`, `__offset` and `__timestamp` (milliseconds or `null`) at the end.
/// - A row is the fields' texts; `null` is written as nothing.
///
/// # Errors
/// Poison, with the chain, the field and the value or byte. The pipeline decides what becomes of it: `FAIL`, `DROP` and
/// `DLQ` in the rules all give poison, and the policy of the pipeline should say the same (compare
/// [`on_failure`](Self::on_failure)). With `IGNORE_ERROR` the record is delivered instead, wrapped:
///
/// ```json
/// {"reason":"failed to …","topic":"logs","partition":0,"offset":42,"timestamp":1700000000000,
///  "key":null,"key_encoding":null,"value":"not json","value_encoding":"utf-8"}
/// ```
///
/// Key and value are the text itself, or base64 (RFC 4648 §4) with the encoding `base64` where they are not UTF-8, so
/// that the bytes can be had back; they are as they came to this transform. This form does not change.
///
/// Limits, beyond which a record is poison: 1,048,576 fields; results of 64 KiB and 16 times the record; 16 MiB and 64
/// times the record (1 GiB at most) on the way; 128 levels, but only for JSONPath with wildcards, filters or `..`; 2^27
/// bytes looked at by all searches of one pattern in one text (or four times the text), which only patterns come to that
/// look far behind what they find (`a.*?x|a`); 2^26 of them are an estimate. Two fields of one name in the result are poison too.
///
/// # Performance
/// Nothing is parsed further than rules ask: the members of a record are found by one scan and copied as they stand. No
/// tree is built but for JSONPath with wildcards, filters or `..`. In steady state a record allocates next to nothing.
///
/// # Determinism
/// Equal records give equal results, unless a rule takes the time of processing (`DATE`).
#[derive(Clone, Debug)]
pub struct DataProcessing {
    rules: Rules,
    plan: Plan,
    /// Makes the hashes of names unpredictable. Not part of the result.
    seed: u64,
}

impl DataProcessing {
    /// Checks and compiles the rules.
    ///
    /// # Errors
    /// Everything that is wrong with them, each at its place in the rule file.
    #[allow(clippy::missing_panics_doc, reason = "rules without problems have a plan")]
    pub fn new(rules: &Rules) -> Result<Self, ConfigError> {
        let mut problems = Problems::default();
        let plan = Plan::new(rules, &mut problems);
        problems.into_result()?;
        let plan = plan.expect("rules without problems have a plan");
        Ok(Self { rules: rules.clone(), plan, seed: RandomState::new().hash_one(0) })
    }

    /// The rules, to be exported by [`Rules::to_json`].
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// What the rules want to become of poison; all but [`OnFailure::Keep`] is for the pipeline to do.
    #[must_use]
    pub fn on_failure(&self) -> OnFailure {
        self.rules.on_failure
    }

    /// Appends the results for a value to `out`, each on a line of its own if there are several, and returns how many
    /// there are: what the transform does to a record, for use without one. Metadata is left out, and what cannot be
    /// processed is an error even if it should be kept.
    ///
    /// # Errors
    /// Poison, see [`DataProcessing`]. What was appended by then is taken back.
    pub fn write(&self, value: &[u8], now_ms: i64, out: &mut Vec<u8>) -> Result<usize, Error> {
        let start = out.len();
        let mut ends = Vec::new();
        let written = with_bump(|bump| self.results(value, now_ms, None, bump, out, &mut ends, &mut ()));
        let count = written.map_err(|failure| {
            out.truncate(start);
            Error::from(failure)
        })?;
        if count > 1 {
            separate(out, start, &ends);
        }
        Ok(count)
    }

    /// Appends all results to `out` and returns how many there are. If several are possible, their ends are appended to
    /// `ends`.
    #[allow(clippy::too_many_arguments, reason = "what one record needs, for both of its callers")]
    pub(super) fn results(
        &self,
        value: &[u8],
        now_ms: i64,
        origin: Option<Origin<'_>>,
        bump: &mut Bump,
        out: &mut Vec<u8>,
        ends: &mut Vec<usize>,
        trace: &mut impl Trace,
    ) -> Result<usize, Failure> {
        let text = std::str::from_utf8(value)
            .map_err(|invalid| Why::from(SyntaxError::Utf8(invalid.valid_up_to())).in_chain(0))?;
        let room = ROOM + text.len().saturating_mul(GROWTH).min(GROWTH_MAX);
        let bytes = RESULT_ROOM + text.len().saturating_mul(RESULT_GROWTH);
        let limit = Limit { end: out.len() + bytes, bytes };
        let Some(mode) = self.plan.batch else {
            return self.result(text, now_ms, origin, bump, room, limit, out, trace).map(usize::from);
        };
        let mut elements = Elements::new(text)?;
        let (start, merge) = (out.len(), mode == BatchMode::Merge);
        while let Some(element) = elements.next()? {
            empty(bump);
            let before = out.len();
            if merge {
                out.push(if before == start { b'[' } else { b',' });
            }
            match self.result(element, now_ms, origin, bump, room, limit, out, trace)? {
                true if merge => {}
                true => ends.push(out.len()),
                false => out.truncate(before),
            }
        }
        if merge && out.len() > start {
            out.push(b']');
            ends.push(out.len());
        }
        Ok(ends.len())
    }

    /// Appends the result of one record, or of one element of it; `false`: it is filtered.
    #[allow(clippy::too_many_arguments, reason = "as above")]
    fn result<T: Trace>(
        &self,
        text: &str,
        now_ms: i64,
        origin: Option<Origin<'_>>,
        bump: &mut Bump,
        room: usize,
        limit: Limit,
        out: &mut Vec<u8>,
        trace: &mut T,
    ) -> Result<bool, Failure> {
        let start = out.len();
        let mut run = |unite: bool, bump: &Bump, out: &mut Vec<u8>| {
            let Some(fields) = self.plan.run(text, Context { bump, now_ms, room, unite }, trace)? else {
                return Ok(false);
            };
            self.emit(&fields, origin, bump, limit, out).map(|()| true)
        };
        let unite = self.plan.row.is_some() || T::WATCHES;
        match run(unite, bump, out) {
            Err(Failure { why: Why::Collision(_), .. }) if !unite => {
                out.truncate(start);
                empty(bump);
                run(true, bump, out)
            }
            done => done,
        }
    }

    fn emit<'a>(
        &self,
        fields: &Fields<'a>,
        origin: Option<Origin<'_>>,
        bump: &'a Bump,
        limit: Limit,
        out: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        let origin = origin.filter(|_| self.plan.metadata);
        let written = match &self.plan.row {
            Some(row) => write_row(fields, origin, row, bump, limit, out),
            None => write_json(fields, origin, self.seed, limit, out),
        };
        written.map_err(Why::outside)
    }

    fn process(&self, record: Record<'_>, value: &[u8], out: &mut Output) -> Result<(), Failure> {
        let (now_ms, origin) = (out.now_ms(), Some(Origin::of(record)));
        if self.plan.batch.is_none() {
            let (mut count, mut failed) = (0, None);
            let draft = out.derive(record).value_with(|buffer| {
                let ends = &mut Vec::new();
                match with_bump(|bump| self.results(value, now_ms, origin, bump, buffer, ends, &mut ())) {
                    Ok(made) => count = made,
                    Err(failure) => {
                        failed = Some(failure);
                        return Err(Error::poison("process the record", "the reason is kept beside"));
                    }
                }
                Ok(())
            });
            if let Ok(draft) = draft
                && count > 0
            {
                draft.emit();
            }
            return failed.map_or(Ok(()), Err);
        }
        // Nothing may be emitted before all elements have passed.
        let (mut buffer, mut ends) = (Vec::new(), Vec::new());
        with_bump(|bump| self.results(value, now_ms, origin, bump, &mut buffer, &mut ends, &mut ()))?;
        let mut start = 0;
        for end in ends {
            out.derive(record).value(Some(&buffer[start..end])).emit();
            start = end;
        }
        Ok(())
    }
}

impl Transform for DataProcessing {
    fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error> {
        let Some(value) = record.value() else {
            out.keep(record);
            return Ok(());
        };
        let Err(failure) = self.process(record, value, out) else {
            return Ok(());
        };
        let error = Error::from(failure);
        if self.rules.on_failure != OnFailure::Keep {
            return Err(error);
        }
        let wrapped = out.derive(record).value_with(|buffer| {
            write_wrapped(record, &error.report(), buffer);
            Ok(())
        });
        wrapped.map(connect_core::Draft::emit)
    }

    fn describe(&self) -> Option<String> {
        let rules: serde_json::Value = serde_json::from_str(&self.rules.to_json()).ok()?;
        Some(format!("DataProcessing rules={rules}"))
    }

    fn deterministic(&self) -> bool {
        !self.plan.uses_now()
    }
}

/// Puts line feeds between results. `start` is where the first begins, `ends` where each of them ends.
fn separate(out: &mut Vec<u8>, start: usize, ends: &[usize]) {
    let results = out.split_off(start);
    let mut from = start;
    for &end in ends {
        if from > start {
            out.push(b'\n');
        }
        out.extend_from_slice(&results[from - start..end - start]);
        from = end;
    }
}

/// Runs with this thread's memory for intermediate values, and empties it.
pub(super) fn with_bump<T>(run: impl FnOnce(&mut Bump) -> T) -> T {
    BUMP.with_borrow_mut(|bump| {
        let done = run(bump);
        empty(bump);
        done
    })
}

/// As it was in the beginning.
fn empty(bump: &mut Bump) {
    // A second block would be twice as large as the first one.
    if bump.allocated_bytes() > 2 * KEPT {
        *bump = Bump::with_capacity(KEPT);
    } else {
        bump.reset();
    }
}

/// The elements of a record that is an array of objects.
struct Elements<'a> {
    text: &'a str,
    scanner: Scanner<'a>,
    closers: Vec<u8>,
    started: bool,
    ended: bool,
}

impl<'a> Elements<'a> {
    fn new(text: &'a str) -> Result<Self, Failure> {
        let mut scanner = Scanner::of(text);
        if scanner.peek() != Some(b'[') {
            let whole = scanner.value(&mut Vec::new()).and_then(|_| scanner.end());
            let why = whole.map_or_else(Why::from, |()| Why::NotObjects(kind_of(text.trim_start())));
            return Err(why.in_chain(0));
        }
        scanner.step();
        Ok(Self { text, scanner, closers: Vec::new(), started: false, ended: false })
    }

    fn next(&mut self) -> Result<Option<&'a str>, Failure> {
        self.step().map_err(|why| why.in_chain(0))
    }

    fn step(&mut self) -> Result<Option<&'a str>, Why> {
        if self.ended {
            return Ok(None);
        }
        match self.scanner.peek() {
            Some(b']') => {
                self.scanner.step();
                self.ended = true;
                self.scanner.end()?;
                return Ok(None);
            }
            Some(b',') if self.started => {
                self.scanner.step();
                self.scanner.peek();
            }
            _ if self.started => return Err(self.scanner.expected("`,` or `]`").into()),
            _ => {}
        }
        self.started = true;
        let span = self.scanner.value(&mut self.closers)?;
        let element = &self.text[span];
        if element.starts_with('{') { Ok(Some(element)) } else { Err(Why::NotObjects(kind_of(element))) }
    }
}
