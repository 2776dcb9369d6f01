//! `FilterByPath`: records that a JSON path finds something in, kept or dropped.

use crate::{JsonPath, part::Part};
use connect_core::{Error, Output, Record, Transform};

connect_core::choices! {
    /// What happens to records that meet the condition.
    pub enum FilterType {
        /// They are kept, and all others dropped.
        Include = "include",
        /// They are dropped, and all others kept.
        Exclude = "exclude",
    }
}

connect_core::choices! {
    /// What happens to records that the condition cannot be asked of.
    pub enum OnMissingOrNull {
        /// They are poison.
        Fail = "fail",
        /// They are kept.
        Include = "include",
        /// They are dropped.
        Exclude = "exclude",
    }
}

connect_core::config! {
    /// Keeps or drops records in which a JSON path finds something: Confluent's Filter.
    pub struct FilterByPathConfig {
        /// The condition: a JSON path, usually with a filter, such as `$[?(@.level == "ERROR")]`. A record meets it if the
        /// path finds anything.
        "filter.condition" => condition: String, importance: High, check: |path| JsonPath::compile(path).map(drop).map_err(|error| error.to_string());
        /// What happens to records that meet it.
        "filter.type" => kind: FilterType, importance: High;
        /// What happens to records whose key or value is null, or in which a path without filters finds nothing or only null.
        "missing.or.null.behavior" => missing: OnMissingOrNull = OnMissingOrNull::Fail;
    }
}

/// `io.confluent.connect.transforms.Filter$Value` and `…$Key`, also `FilterByPath`: keeps or drops the records in which a
/// JSON path finds something. A record that is dropped is filtered, which is no failure.
///
/// | key | default | |
/// |---|---|---|
/// | `filter.condition` | required | a [`JsonPath`] |
/// | `filter.type` | required | `include` keeps what meets the condition, `exclude` drops it |
/// | `missing.or.null.behavior` | `fail` | `include` or `exclude` records with a null key or value, and those in which a path without filters finds nothing or only null |
///
/// With `filter.condition=$[?(@.level == "ERROR")]` and `filter.type=include`, `{"level":"ERROR"}` stays as it is and
/// `{"level":"INFO"}` is dropped.
///
/// ```
/// use connect_core::{Chain, testing::{Message, batch}};
/// use connect_transforms::{FilterByPath, FilterType};
///
/// let errors = FilterByPath::value(r#"$[?(@.level == "ERROR")]"#, FilterType::Include)?;
/// let chain = Chain::new(vec![std::sync::Arc::new(errors)]);
/// let done = chain.apply(batch([Message::new(r#"{"level":"ERROR"}"#), Message::new(r#"{"level":"INFO"}"#)]), 0);
/// assert_eq!((done.batch.len(), done.filtered), (1, vec![1]));
/// # Ok::<(), connect_transforms::JsonPathError>(())
/// ```
///
/// # What meets a condition
/// Any match will do. A path with a filter (`$.items[?@.id == 7]`) that finds nothing is not met. A path without one
/// names places, one (`$.a.b`) or many (`$..id`, `$.items[*].id`): it is met if there is something but null at any of
/// them, and otherwise the record is one for `missing.or.null.behavior`. The result of a function (`$.a.length()`) is
/// such a place too.
///
/// A path that begins with a filter (`$[?…]`) asks an object itself, as Jayway's dialect does; by RFC 9535 it would ask
/// the object's children.
///
/// # Errors
/// Poison: text that is not JSON, as far as it is looked at (a definite path such as `$.a.b` looks at nothing behind the
/// outermost object), and what [`JsonPath`] says of limits.
#[derive(Clone, Debug)]
pub struct FilterByPath {
    part: Part,
    condition: JsonPath,
    /// The condition asks the root itself.
    of_root: bool,
    kind: FilterType,
    missing: OnMissingOrNull,
}

impl FilterByPath {
    /// By the value.
    ///
    /// # Errors
    /// If the condition is no JSON path.
    pub fn value(condition: &str, kind: FilterType) -> Result<Self, crate::JsonPathError> {
        Self::new(Part::Value, &FilterByPathConfig::new(condition.to_owned(), kind))
    }

    /// By the key.
    ///
    /// # Errors
    /// If the condition is no JSON path.
    pub fn key(condition: &str, kind: FilterType) -> Result<Self, crate::JsonPathError> {
        Self::new(Part::Key, &FilterByPathConfig::new(condition.to_owned(), kind))
    }

    /// What happens to records that the condition cannot be asked of.
    #[must_use]
    pub fn on_missing_or_null(mut self, missing: OnMissingOrNull) -> Self {
        self.missing = missing;
        self
    }

    pub(crate) fn new(part: Part, config: &FilterByPathConfig) -> Result<Self, crate::JsonPathError> {
        let condition = JsonPath::compile(&config.condition)?;
        let root = config.condition.trim().strip_prefix('$').map(str::trim_start);
        let of_root = root
            .and_then(|path| path.strip_prefix('['))
            .is_some_and(|path| path.trim_start().starts_with('?'));
        Ok(Self { part, condition, of_root, kind: config.kind, missing: config.missing })
    }

    /// Whether the record meets the condition; `None` if it cannot be asked.
    fn meets(&self, json: &[u8]) -> Result<Option<bool>, Error> {
        if self.condition.is_definite() {
            let found = self.condition.value(json)?.filter(|value| value != "null");
            return Ok(found.map(|_| true));
        }
        if self.of_root && json.trim_ascii_start().starts_with(b"{") {
            let wrapped = [b"[", json, b"]"].concat();
            return Ok(Some(!self.condition.select(&wrapped)?.is_empty()));
        }
        let found = self.condition.select(json)?;
        if self.condition.filters() {
            return Ok(Some(!found.is_empty()));
        }
        Ok(found.iter().any(|value| value != "null").then_some(true))
    }
}

impl Transform for FilterByPath {
    fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error> {
        let meets = match self.part.of(record) {
            Some(json) => self.meets(json)?,
            None => None,
        };
        let keep = match (meets, self.missing) {
            (Some(meets), _) => meets == (self.kind == FilterType::Include),
            (None, OnMissingOrNull::Include) => true,
            (None, OnMissingOrNull::Exclude) => false,
            (None, OnMissingOrNull::Fail) => {
                let why = "it is null, or has nothing at the place asked for: see `missing.or.null.behavior`";
                return Err(Error::poison("ask the condition of the record", why));
            }
        };
        if keep {
            out.keep(record);
        }
        Ok(())
    }

    fn describe(&self) -> Option<String> {
        let Self { part, condition, kind, missing, .. } = self;
        let condition = condition.as_str();
        Some(format!(
            "FilterByPath of={part} filter.condition={condition:?} filter.type={kind} missing.or.null.behavior={missing}"
        ))
    }
}
