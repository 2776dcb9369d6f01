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
/// | key | default | meaning |
/// |---|---|---|
/// | `headers` | none, must be given | the names; other headers keep their order |
///
/// # Example
/// ```
/// use connect_core::{Chain, testing::{Message, batch}};
/// use connect_transforms::{DropHeaders, DropHeadersConfig};
///
/// let drop = DropHeaders::new(&DropHeadersConfig::new(vec!["a".into()]));
/// let message = Message::new("{}").header("a", "1").header("b", "2").header("a", "3");
/// let done = Chain::new(vec![std::sync::Arc::new(drop)]).apply(batch([message]), 0);
/// assert_eq!(done.batch.iter().next().unwrap().headers().collect::<Vec<_>>(), [("b", Some(&b"2"[..]))]);
/// ```
///
/// # Errors
/// None: no record is refused.
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
/// | key | default | meaning |
/// |---|---|---|
/// | `header` | none, must be given | the name |
/// | `value.literal` | none, must be given | the text that is the header's bytes, as it stands; `null` is a header without a value |
///
/// # Example
/// ```
/// use connect_core::{Chain, testing::{Message, batch}};
/// use connect_transforms::{InsertHeader, InsertHeaderConfig};
///
/// let insert = InsertHeader::new(&InsertHeaderConfig::new("source".into(), "edge".into()));
/// let done = Chain::new(vec![std::sync::Arc::new(insert)]).apply(batch([Message::new("{}").header("a", "1")]), 0);
/// let headers: Vec<_> = done.batch.iter().next().unwrap().headers().collect();
/// assert_eq!(headers, [("a", Some(&b"1"[..])), ("source", Some(&b"edge"[..]))]);
/// ```
///
/// # Errors
/// None: no record is refused.
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
///
/// # Example
/// ```
/// use connect_core::{Chain, testing::{Message, batch}};
///
/// let chain = Chain::new(vec![std::sync::Arc::new(connect_transforms::Filter)]);
/// let done = chain.apply(batch([Message::new("1"), Message::new("2")]), 0);
/// assert_eq!((done.batch.len(), done.filtered.len()), (0, 2));
/// ```
///
/// # Errors
/// None: no record is refused.
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
