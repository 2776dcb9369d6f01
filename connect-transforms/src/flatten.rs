//! `Flatten`: a nested JSON object becomes one of a single level.

mod gather;
mod run;
#[cfg(test)]
mod tests;

use crate::{
    connect::{Flat, Left, Plans, Schema, Schemas, see_flat},
    error::Refused,
    json::{Scanner, escape::escape},
    part::Part,
};
use connect_core::{Error, Output, Record, Transform};
use run::{Run, Scratch};
use std::{
    cell::RefCell,
    hash::{BuildHasher, RandomState},
};

thread_local! {
    /// What every record needs and none keeps: reused, so that a record in steady state allocates nothing.
    static SCRATCH: RefCell<Scratch> = const { RefCell::new(Scratch::new()) };
}

connect_core::choices! {
    /// What becomes of arrays in [`Flatten`].
    pub enum Arrays {
        /// An array is a value and is kept as it stands, with all that is in it. As in Kafka Connect.
        Keep = "keep",
        /// An array is dissolved like an object whose keys are `0`, `1`, …
        Index = "index",
        /// An array of objects becomes one field for each field of theirs, with the array of its values:
        /// `{"items":[{"id":1},{"id":2}]}` becomes `{"items.id":[1,2]}`. Other arrays are kept.
        Fields = "fields",
    }
}

connect_core::choices! {
    /// What becomes of empty objects in [`Flatten`].
    pub enum EmptyObjects {
        /// They are values: `{"user":{}}` stays as it is.
        Keep = "keep",
        /// They are left out, as in Kafka Connect.
        Drop = "drop",
        /// They become null.
        Null = "null",
    }
}

connect_core::choices! {
    /// What becomes of fields in [`Flatten`] that would have the same name.
    pub enum Collisions {
        /// The record is poison.
        Fail = "fail",
        /// The first one stays.
        First = "first",
        /// The last one stays, at its own place.
        Last = "last",
    }
}

connect_core::config! {
    /// Makes the fields of nested objects fields of the record, named by the way to them.
    pub struct FlattenConfig {
        /// What stands between the keys of a name.
        "delimiter" => delimiter: String = ".".to_owned();
        /// Whether an array is kept as it stands, dissolved as if its indices were keys, or, if it is one of objects,
        /// dissolved into an array for each of their fields.
        "arrays" => arrays: Arrays = Arrays::Keep, importance: Low;
        /// How many levels are dissolved; what lies deeper is kept as it stands. All of them, if not given.
        "max.depth" => max_depth: Option<u32>, importance: Low;
        /// Whether empty objects are kept, dropped (as Kafka Connect does) or become null.
        "empty.objects" => empty_objects: EmptyObjects = EmptyObjects::Keep, importance: Low;
        /// What becomes of two fields that would have the same name. With a schema they always fail.
        "on.collision" => on_collision: Collisions = Collisions::Fail, importance: Low;
        /// What stands in place of each dot in a key, such as `_`. Dots stay, if not given.
        "key.dots" => key_dots: Option<String>, importance: Low;
        /// Whether records have the JSON converter's envelope.
        "schemas.enable" => schemas: Schemas = Schemas::Auto, importance: Low;
    }
}

/// Turns a nested JSON object into one of a single level, with names made of the keys on the way to each value.
///
/// | key | builder | default | meaning |
/// |---|---|---|---|
/// | `delimiter` | [`delimiter`](Self::delimiter) | `.` (Kafka Connect's) | stands between the keys of a name |
/// | `arrays` | [`arrays`](Self::arrays) | `keep` (as Kafka Connect does) | `keep`, `index` or `fields`, see [`Arrays`] |
/// | `max.depth` | [`max_depth`](Self::max_depth) | no limit | levels to dissolve; what lies deeper is kept as it stands |
/// | `empty.objects` | [`empty_objects`](Self::empty_objects) | `keep` (Kafka Connect drops them) | `keep`, `drop` or `null`, see [`EmptyObjects`] |
/// | `on.collision` | [`on_collision`](Self::on_collision) | `fail` | `fail`, `first` or `last`, see [`Collisions`] |
/// | `key.dots` | [`key_dots`](Self::key_dots) | dots stay | stands in place of each dot in a key |
/// | `schemas.enable` | [`schemas`](Self::schemas) | `auto` | whether records have the JSON converter's envelope, see [`Schemas`] |
///
/// # Example
/// ```
/// # use connect_transforms::Flatten;
/// let mut out = Vec::new();
/// Flatten::value().write(br#"{"mag":1.0,"geometry":{"type":"Point","coordinates":[-118.1,34.12]},"tags":{}}"#, &mut out)?;
/// assert_eq!(out, br#"{"mag":1.0,"geometry.type":"Point","geometry.coordinates":[-118.1,34.12],"tags":{}}"#);
/// # Ok::<(), connect_core::Error>(())
/// ```
///
/// # What is kept
/// - The order of fields and the text of every number and string: `1.0` stays `1.0`, `12345678901234567890` itself.
/// - `null`, as a value like any other, and empty objects (`{}`) and arrays (`[]`): there is nothing in them to name, and
///   dropping them, as Kafka Connect does, would lose that they were there. Where later steps or the target want values
///   only, `empty.objects` is `drop` or `null`; an object whose members are all dropped leaves nothing either.
/// - Names are escaped in one way only (as `serde_json` does): `"\u0061.b"` and `"a.b"` are the same name.
/// - The result is one line: line feeds between the elements of a kept array are dropped, other blanks stay.
/// - Null keys and values (tombstones) and the JSON text `null` pass as they are.
///
/// # Arrays of objects by field
/// With `arrays=fields` an array whose first element is an object is dissolved, and what is found below it comes
/// together by name, in the order of the text:
///
/// ```
/// # use connect_transforms::{Arrays, Flatten};
/// let mut out = Vec::new();
/// let json = br#"{"items":[{"id":1,"of":{"n":"a"},"tags":["x"]},{"id":2,"sub":[{"k":3},{"k":4}]}]}"#;
/// Flatten::value().arrays(Arrays::Fields).write(json, &mut out)?;
/// assert_eq!(out, br#"{"items.id":[1,2],"items.of.n":["a"],"items.tags":[["x"]],"items.sub.k":[3,4]}"#);
/// # Ok::<(), connect_core::Error>(())
/// ```
///
/// - It is what Elasticsearch does to an array of objects itself, made visible: which values belonged to one object is
///   lost. A field that an object lacks leaves no gap, and of equal names in one object all values stay.
/// - Arrays of objects within are dissolved into the same arrays. Arrays of anything else are values, so that coordinates
///   stay pairs, and so are the elements of an array that are no objects: `[{"id":1},2]` becomes `"items.id":[1],"items":[2]`.
/// - An object in an array takes no level of `max.depth`: its fields are named as if it stood there alone.
/// - Empty objects are values, unless `empty.objects` says otherwise.
///
/// # For Elasticsearch
/// Elasticsearch takes a dot in a field's name for an object, so that fields flattened with `.` become objects again in
/// its mapping; another delimiter keeps them flat. Keys with dots do the same whatever the delimiter is: of the labels
/// `app` and `app.kubernetes.io/name` the first would be a value and an object at once, and the document is refused.
/// `key.dots=_` makes `app_kubernetes_io/name` of the second.
///
/// # With a schema
/// In the JSON converter's envelope structs are dissolved, and the schema with them: below something optional all is
/// optional, and defaults are inherited; a struct that is null becomes its fields, null. Maps are refused, as Kafka
/// Connect does it, and so are `arrays=index` and `arrays=fields`, which Connect has no schema for. Two fields with one name are
/// always refused, whatever `on.collision` is, and a struct without fields has none to keep.
///
/// # Errors
/// Poison, each naming the byte or the field:
/// - not JSON, by the grammar of RFC 8259: nothing is repaired; half a surrogate pair (`"\ud800"`) is refused too;
/// - JSON, but neither an object nor `null`;
/// - unless `on.collision` says otherwise, two fields that would have the same name (`{"a":{"b":1},"a.b":2}`), and a key that stands twice with two values.
///   Kafka Connect keeps one of them silently. A key that stands twice with two objects contributes both;
/// - a result of more than 64 KiB and 16 times the size of the record: a small record with a long key over a thousand
///   fields would otherwise fill the memory. With `arrays=fields` the name of every value counts.
///
/// # Performance
/// One pass over the bytes, no tree, and in steady state no allocation for values (one for a key). Nesting is
/// limited by the size of the record only; memory and time are linear in the sizes of record and result.
#[derive(Clone, Debug)]
pub struct Flatten {
    part: Part,
    delimiter: String,
    /// The delimiter as it stands in a JSON string.
    escaped: Vec<u8>,
    arrays: Arrays,
    max_depth: Option<u32>,
    empty_objects: EmptyObjects,
    on_collision: Collisions,
    key_dots: Option<String>,
    /// Makes the hashes of names unpredictable. Not part of the result.
    seed: u64,
    schemas: Schemas,
    plans: Plans<Flat>,
}

impl Flatten {
    /// Flattens values: `org.apache.kafka.connect.transforms.Flatten$Value`.
    #[must_use]
    pub fn value() -> Self {
        Self::of(Part::Value)
    }

    /// Flattens keys: `org.apache.kafka.connect.transforms.Flatten$Key`.
    #[must_use]
    pub fn key() -> Self {
        Self::of(Part::Key)
    }

    /// Flattens values as configured.
    #[must_use]
    pub fn value_from(config: &FlattenConfig) -> Self {
        Self::value().configured(config)
    }

    /// Flattens keys as configured.
    #[must_use]
    pub fn key_from(config: &FlattenConfig) -> Self {
        Self::key().configured(config)
    }

    fn configured(self, config: &FlattenConfig) -> Self {
        let schemas = config.schemas;
        let configured = self.delimiter(&config.delimiter).arrays(config.arrays).schemas(schemas);
        Self {
            max_depth: config.max_depth,
            empty_objects: config.empty_objects,
            on_collision: config.on_collision,
            key_dots: config.key_dots.clone(),
            ..configured
        }
    }

    fn of(part: Part) -> Self {
        let seed = RandomState::new().hash_one(0);
        Self {
            part,
            delimiter: String::new(),
            escaped: Vec::new(),
            arrays: Arrays::Keep,
            max_depth: None,
            empty_objects: EmptyObjects::Keep,
            on_collision: Collisions::Fail,
            key_dots: None,
            seed,
            schemas: Schemas::Auto,
            plans: Plans::new(),
        }
        .delimiter(".")
    }

    /// What stands between the keys of a name. Any text, even an empty one.
    #[must_use]
    pub fn delimiter(mut self, delimiter: &str) -> Self {
        delimiter.clone_into(&mut self.delimiter);
        self.escaped.clear();
        escape(delimiter, &mut self.escaped);
        self
    }

    /// What becomes of arrays.
    #[must_use]
    pub fn arrays(mut self, arrays: Arrays) -> Self {
        self.arrays = arrays;
        self
    }

    /// How many levels are dissolved, so how many delimiters a name has at most. Objects (and, where they are
    /// indexed, arrays) that lie deeper are kept as they stand. With 1, `{"a":{"b":{"c":1}}}` becomes
    /// `{"a.b":{"c":1}}`; with 0 nothing is dissolved.
    #[must_use]
    pub fn max_depth(mut self, levels: u32) -> Self {
        self.max_depth = Some(levels);
        self
    }

    /// What becomes of empty objects. Those that lie deeper than [`max_depth`](Self::max_depth) are kept.
    #[must_use]
    pub fn empty_objects(mut self, empty_objects: EmptyObjects) -> Self {
        self.empty_objects = empty_objects;
        self
    }

    /// What becomes of two fields that would have the same name.
    #[must_use]
    pub fn on_collision(mut self, collisions: Collisions) -> Self {
        self.on_collision = collisions;
        self
    }

    /// What stands in place of each dot in a key. Any text, even an empty one.
    #[must_use]
    pub fn key_dots(mut self, replacement: &str) -> Self {
        self.key_dots = Some(replacement.to_owned());
        self
    }

    /// Whether records have the JSON converter's envelope.
    #[must_use]
    pub fn schemas(mut self, schemas: Schemas) -> Self {
        self.schemas = schemas;
        self
    }

    /// Appends the flattened form of `json` to `out`: what the transform does to a record, for use without one.
    ///
    /// # Errors
    /// Poison, see [`Flatten`]. What was appended by then is taken back.
    pub fn write(&self, json: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        let start = out.len();
        let written = Scanner::new(json).map_err(Refused::Json).and_then(|mut scanner| {
            let left = see_flat(&mut scanner, self.schemas, &self.plans, |schema| self.plan(schema), out)?;
            let (scanner, end): (_, &[u8]) = match left {
                Left::Nothing => return Ok(()),
                Left::Whole => (scanner, b""),
                Left::Payload(payload) => {
                    out.extend_from_slice(b"{\"schema\":null,\"payload\":");
                    (Scanner::of(&scanner.text()[payload]), b"}")
                }
            };
            SCRATCH.with_borrow_mut(|scratch| {
                let written = Run::new(self, scanner, scratch, out).whole();
                scratch.shrink();
                out.extend_from_slice(end);
                written
            })
        });
        written.map_err(|refused| {
            out.truncate(start);
            refused.during(match self.part {
                Part::Key => "flatten the key",
                Part::Value => "flatten the value",
            })
        })
    }
}

impl Flatten {
    fn plan(&self, schema: &Schema) -> Result<Flat, Refused> {
        if self.arrays != Arrays::Keep {
            return Err(Refused::data("arrays cannot be dissolved with a schema: leave `arrays` at `keep`"));
        }
        Flat::plan(schema, &self.delimiter, self.key_dots.as_deref(), self.max_depth)
    }
}

impl Transform for Flatten {
    fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error> {
        match self.part.of(record) {
            None => out.keep(record),
            Some(json) => self.part.emit(record, out, |buffer| self.write(json, buffer))?,
        }
        Ok(())
    }

    fn describe(&self) -> Option<String> {
        let depth = self.max_depth.map_or_else(|| "none".to_owned(), |levels| levels.to_string());
        let (part, arrays) = (self.part, self.arrays.as_str());
        let schemas = match self.schemas {
            Schemas::Auto => String::new(),
            other => format!(" schemas.enable={other}"),
        };
        let mut text =
            format!("Flatten of={part} delimiter={:?} arrays={arrays} max.depth={depth}", self.delimiter);
        if self.empty_objects != EmptyObjects::Keep {
            text += &format!(" empty.objects={}", self.empty_objects);
        }
        if self.on_collision != Collisions::Fail {
            text += &format!(" on.collision={}", self.on_collision);
        }
        if let Some(replacement) = &self.key_dots {
            text += &format!(" key.dots={replacement:?}");
        }
        Some(text + &schemas)
    }
}
