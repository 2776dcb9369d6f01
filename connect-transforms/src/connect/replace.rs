//! `ReplaceField`: fields left out, kept and renamed.

use super::{
    describe::described,
    edit::{Absent, Action, Node, Rule, Values},
    envelope::Schemas,
    fieldwise::{FieldWise, Nulls, Plan, Rules, Work},
    named::List,
    path::{FieldSyntax, Path, parse_path, parse_paths},
    schema::{Schema, Type},
};
use crate::{error::Refused, part::Part};
use connect_core::{Error, Output, Record, Transform, config::Problems};

connect_core::config! {
    /// Leaves fields out, or keeps only some, and gives fields other names.
    pub struct ReplaceFieldConfig {
        /// Fields to leave out. They win over those to keep.
        "exclude" => exclude: Vec<String> = Vec::new();
        /// Fields to keep; all others are left out. All are kept, if none is given.
        "include" => include: Vec<String> = Vec::new();
        /// `old:new` for each field that gets another name.
        "renames" => renames: Vec<String> = Vec::new();
        /// Whether a field that is null and whose schema has a default is taken to have that default.
        "replace.null.with.default" => replace_null_with_default: bool = true;
        /// How names of fields are read.
        "field.syntax.version" => syntax: FieldSyntax = FieldSyntax::V1;
        /// Whether records have the JSON converter's envelope.
        "schemas.enable" => schemas: Schemas = Schemas::Auto, importance: Low;
    } check sound
}

fn sound(config: &ReplaceFieldConfig, problems: &mut Problems) {
    for (key, paths) in [("exclude", &config.exclude), ("include", &config.include)] {
        if let Err(what) = parse_paths(paths, config.syntax) {
            problems.add(key, what);
        }
    }
    if let Err(what) = renames(config) {
        problems.add("renames", what);
    }
}

fn renames(config: &ReplaceFieldConfig) -> Result<Vec<(Path, String)>, String> {
    let split = |mapping: &String| match mapping.trim_end_matches(':').split(':').collect::<Vec<_>>()[..] {
        [old, new] => Ok((parse_path(old, config.syntax)?, new.to_owned())),
        _ => Err(format!("Invalid rename mapping: {mapping}")),
    };
    config.renames.iter().map(split).collect()
}

/// Leaves fields out, or keeps only some, and gives fields other names:
/// `org.apache.kafka.connect.transforms.ReplaceField$Value` and `…$Key`.
///
/// | key | default | meaning |
/// |---|---|---|
/// | `exclude` | none | fields to leave out; wins over `include` |
/// | `include` | all | fields to keep |
/// | `renames` | none | `old:new,…`, of fields that were kept |
/// | `replace.null.with.default` | `true` | a null field with a default in its schema is taken to have it |
/// | `field.syntax.version` | `V1` | `V2`: `exclude`, `include` and `old` are paths into objects, see [`FieldSyntax`] |
/// | `schemas.enable` | `auto` | see [`Schemas`] |
///
/// With `V2` a field stays in the object that it is in: `new` is a name, not a path. To keep a nested field is to keep
/// the objects on the way to it, with that field only.
///
/// # Example
/// ```
/// # use connect_transforms::{ReplaceField, ReplaceFieldConfig, testing::transformed};
/// let replace = ReplaceField::value(&ReplaceFieldConfig {
///     exclude: vec!["password".into()],
///     renames: vec!["id:user".into()],
///     ..ReplaceFieldConfig::default()
/// })?;
/// assert_eq!(transformed(replace, r#"{"id":1.0,"password":"x","a":[1]}"#)?, r#"{"user":1.0,"a":[1]}"#);
/// # Ok::<(), connect_core::Error>(())
/// ```
///
/// # Errors
/// Poison: two fields would have the same name (without a schema Kafka Connect keeps one of them, by chance); a value
/// without members. Null passes.
#[derive(Debug)]
pub struct ReplaceField {
    common: FieldWise,
    config: ReplaceFieldConfig,
    plain: Work,
}

impl ReplaceField {
    /// Changes values.
    ///
    /// # Errors
    /// Fatal, if the configuration is wrong.
    pub fn value(config: &ReplaceFieldConfig) -> Result<Self, Error> {
        Self::of(Part::Value, config)
    }

    /// Changes keys.
    ///
    /// # Errors
    /// As [`value`](Self::value).
    pub fn key(config: &ReplaceFieldConfig) -> Result<Self, Error> {
        Self::of(Part::Key, config)
    }

    fn of(part: Part, config: &ReplaceFieldConfig) -> Result<Self, Error> {
        let bad = |what: String| Error::fatal("read the configuration of ReplaceField", what);
        let mut node = Node::new();
        for path in parse_paths(&config.include, config.syntax).map_err(bad)? {
            only(&mut node, &path);
        }
        for (path, new) in renames(config).map_err(bad)? {
            let (parent, old) = (node.parent(&path), path.last().map_or("", String::as_str));
            if parent.keep_others || parent.rule(old).is_some() {
                parent.set(Rule::renamed(old, &new));
            }
        }
        for path in parse_paths(&config.exclude, config.syntax).map_err(bad)? {
            node.add(&path, Action::Drop, Absent::Nothing);
        }
        watch(&mut node);
        let common = FieldWise::new(part, config.schemas);
        Ok(Self { common, config: config.clone(), plain: Work::Members(node) })
    }
}

/// Keeps this path in its object, and nothing that no path names.
fn only(node: &mut Node, path: &[String]) {
    let [first, rest @ ..] = path else { return };
    node.keep_others = false;
    if rest.is_empty() {
        node.set(Rule::new(first, Action::Keep));
        return;
    }
    if node.rule(first).is_none() {
        let mut inner = Node::new();
        inner.keep_others = false;
        node.set(Rule::new(first, Action::Inside(inner)));
    }
    if let Some(Rule { action: Action::Inside(inner), .. }) = node.rule(first) {
        only(inner, rest);
    }
}

fn watch(node: &mut Node) {
    node.watch_renames();
    for rule in node.rules.iter_mut() {
        if let Action::Inside(inner) = &mut rule.action {
            watch(inner);
        }
    }
}

struct NoValues;

impl Values for NoValues {}

impl Transform for ReplaceField {
    fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error> {
        let operation = self.common.part().pick("replace fields of the key", "replace fields of the value");
        self.common.apply(self, &NoValues, operation, record, out)
    }

    fn describe(&self) -> Option<String> {
        Some(described("ReplaceField", self.common.part(), &self.config))
    }
}

impl Rules for ReplaceField {
    const PURPOSE: &'static str = "field replacement";
    const NULLS: Nulls = Nulls::Pass;

    fn plain(&self) -> &Work {
        &self.plain
    }

    fn plan(&self, schema: &Schema) -> Result<Plan, Refused> {
        let Work::Members(node) = &self.plain else { unreachable!("it was made so") };
        if schema.kind != Type::Struct {
            return Ok(Plan { schema: None, work: Work::NoStruct(schema.class()) });
        }
        let fill = self.config.replace_null_with_default;
        let mut new = schema.basics(Type::Struct);
        let node = plan(schema, node, fill, &mut new)?;
        Ok(Plan { schema: Some(new.text()), work: Work::Members(node) })
    }
}

/// The rules for this schema, and its fields as they are left.
fn plan(schema: &Schema, named: &Node, fill: bool, new: &mut Schema) -> Result<Node, Refused> {
    let mut node = named.clone();
    for (name, field) in &schema.fields {
        let default = field.default.clone().filter(|_| fill);
        let Some(rule) = node.rule(name) else {
            if named.keep_others {
                new.push(name, field.clone())?;
                if default.is_some() {
                    node.set(Rule { default, ..Rule::new(name, Action::Keep) });
                }
            }
            continue;
        };
        rule.default = default;
        match &mut rule.action {
            Action::Drop => {}
            Action::Rename(_) => {
                let to = rule.new_name();
                new.push(&to, field.clone())?;
            }
            Action::Inside(inner) if field.kind == Type::Struct => {
                let mut changed = Schema { fields: List::default(), ..field.clone() };
                *inner = plan(field, inner, fill, &mut changed)?;
                new.push(name, changed)?;
            }
            _ => new.push(name, field.clone())?,
        }
    }
    Ok(node)
}
