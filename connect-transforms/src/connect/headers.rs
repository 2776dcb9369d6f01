//! `DropHeaders` and `InsertHeader`.

use connect_core::{Error, Output, Record, Transform, config::not_empty};

connect_core::config! {
    /// Removes headers.
    pub struct DropHeadersConfig {
        /// The names of the headers.
        "headers" => headers: Vec<String>, importance: High, check: not_empty;
    }
}

connect_core::config! {
    /// Adds a header to each record.
    pub struct InsertHeaderConfig {
        /// The header's name.
        "header" => header: String, importance: High;
        /// The header's value.
        "value.literal" => value: String, importance: High;
    }
}

/// Removes all headers of some names: `org.apache.kafka.connect.transforms.DropHeaders`.
///
/// Key: `headers`, the names, required. Other headers keep their order. It never fails.
///
/// `{a: 1, b: 2, a: 3}` with `headers=a` becomes `{b: 2}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DropHeaders {
    headers: Vec<String>,
}

impl DropHeaders {
    /// Removes the headers of the configuration.
    #[must_use]
    pub fn new(config: &DropHeadersConfig) -> Self {
        Self { headers: config.headers.clone() }
    }
}

impl Transform for DropHeaders {
    fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error> {
        let dropped = |name: &str| self.headers.iter().any(|header| header == name);
        if !record.headers().any(|(name, _)| dropped(name)) {
            out.keep(record);
            return Ok(());
        }
        out.derive(record).headers(record.headers().filter(|(name, _)| !dropped(name))).emit();
        Ok(())
    }

    fn describe(&self) -> Option<String> {
        Some(format!("DropHeaders headers={:?}", self.headers))
    }
}

/// Adds a header behind those that are there: `org.apache.kafka.connect.transforms.InsertHeader`.
///
/// Keys, both required: `header`, its name, and `value.literal`, its value. The literal's text is the header's bytes,
/// as it stands; `null` is a header without a value. It never fails.
///
/// `{a: 1}` with `header=source` and `value.literal=edge` becomes `{a: 1, source: edge}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InsertHeader {
    header: String,
    value: String,
}

impl InsertHeader {
    /// Adds the header of the configuration.
    #[must_use]
    pub fn new(config: &InsertHeaderConfig) -> Self {
        Self { header: config.header.clone(), value: config.value.clone() }
    }
}

impl Transform for InsertHeader {
    fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error> {
        let value = Some(self.value.as_bytes()).filter(|value| *value != b"null");
        out.derive(record).headers(record.headers().chain([(self.header.as_str(), value)])).emit();
        Ok(())
    }

    fn describe(&self) -> Option<String> {
        Some(format!("InsertHeader header={:?} value.literal={:?}", self.header, self.value))
    }
}

/// Drops every record: `org.apache.kafka.connect.transforms.Filter`. It has no keys; it is meant for a predicate, that
/// drops some of them.
///
/// A dropped record is *filtered*: counted as such, never a failure, and no later transform sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filter;

impl Transform for Filter {
    fn apply(&self, _record: Record<'_>, _out: &mut Output) -> Result<(), Error> {
        Ok(())
    }

    fn describe(&self) -> Option<String> {
        Some("Filter".to_owned())
    }
}
