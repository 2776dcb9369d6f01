//! Configuration, declared once.
//!
//! A struct declared with [`config!`](crate::config!) is read from Connect's flat map of dotted keys, and the
//! same declaration yields Connect's definitions, its answer to `validate`, and JSON Schema. Every key is read
//! on its own, so that everything wrong is reported at once: the key, the value (unless it is secret), what is
//! wrong and what is allowed; for an unknown key the nearest known one.
//!
//! ```
//! use connect_core::config::{ByteSize, Config, Providers, Secret, Settings};
//!
//! connect_core::config! {
//!     /// Where documents go.
//!     pub struct Target {
//!         /// Base URLs of the cluster.
//!         "connection.url" => urls: Vec<String>, importance: High, group: "Connection";
//!         /// The password.
//!         "connection.password" => password: Option<Secret>, group: "Connection";
//!         /// The size of a request's body; Connect's default.
//!         "bulk.size.bytes" => bulk: ByteSize = ByteSize::mib(5), range: ByteSize::kib(1)..=ByteSize::mib(100);
//!     }
//! }
//!
//! let file = r#"{"connection.url": "http://es:9200", "connection.password": "${env:HOME}", "bulk.size.bytes": "8MiB"}"#;
//! let target = Target::parse(&Settings::from_json(file, &Providers::system())?)?;
//! assert_eq!(target.bulk, ByteSize::mib(8));
//!
//! let wrong = Settings::literal([("connection.urls", "http://es:9200"), ("bulk.size.bytes", "5MB")]);
//! assert_eq!(Target::parse(&wrong).unwrap_err().problems().len(), 3);
//! # Ok::<_, connect_core::config::ConfigError>(())
//! ```
//!
//! # Secrets
//!
//! A password is a [`Secret`]: it prints as `[redacted]`, and errors, definitions, schemas and
//! [`Report::infos`] do not contain it. A value is shown only if its key is declared: the value of an unknown key
//! is never shown, since it may be a mistyped password, nor that of a key whose plugin was not found, nor that of
//! a property that is passed on without being listed as known. Of a value with a reference such as `${env:X}` the
//! reference is shown. A URL is shown without user, query and fragment, and what should be one and is not, not at
//! all ([`Value::URL`], [`Slot::url`]). The text of a problem contains no part of what is not shown: where a check
//! repeats one, its text is replaced. Control characters are printed escaped, long keys and values cut, and of many
//! problems the first hundred listed.
//!
//! A key that is not secret may be given by a reference too; addresses and names of topics and groups then appear in logs
//! and errors as any other. A pipeline's `name`, which stands in each line, has to be written out.
//!
//! # Names
//!
//! Keys are Connect's where the meaning is the same. A time is a whole number of milliseconds and its key
//! ends in `.ms`; a size is a number of bytes ([`ByteSize`]) and its key ends in `.bytes`, where Connect has
//! no other name for it.

mod choices;
mod declare;
mod definition;
mod hide;
mod json;
mod nearest;
mod passthrough;
mod printable;
mod problems;
mod properties;
mod providers;
mod reader;
mod report;
mod schema;
mod secret;
mod settings;
mod slot;
mod units;
mod url;
mod value;
mod visible;
mod writer;

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fmt::Debug};

pub(crate) use self::nearest::nearest;
#[doc(hidden)]
pub use self::{choices::alternatives, schema::choice_schema};
pub use self::{
    definition::{Definition, Importance, Width},
    passthrough::Passthrough,
    problems::{ConfigError, Problem, Problems},
    providers::{Files, Provider, Providers, Reference},
    reader::Reader,
    report::Report,
    secret::{REDACTED, Secret},
    settings::Settings,
    slot::{Nested, Prefix, Slot},
    units::{ByteSize, Timeout},
    value::{ClassName, Type, Value, not_empty, printable},
    writer::Writer,
};
#[doc(hidden)]
pub use serde_json::Value as Json;

/// A declared configuration; [`config!`](crate::config!) implements it.
///
/// Two or three declarations in a tuple are one: a key is unknown only if none of them knows it. `()` has no
/// keys. For more, and for parts that depend on what was read, there is [`Reader`].
pub trait Config: Clone + Debug + Send + Sync + Sized + 'static {
    /// The name of the struct.
    const NAME: &'static str;
    /// What it is for.
    const DOC: &'static str;

    /// Tells the definitions of all keys.
    fn define(reader: &mut Reader<'_>);

    /// Reads all keys. None if the reader was told of a problem.
    fn read(reader: &mut Reader<'_>) -> Option<Self>;

    /// Writes all keys that have a value.
    fn write(&self, writer: &mut Writer);

    /// Reads a map that belongs to this declaration alone.
    ///
    /// # Errors
    ///
    /// Every problem there is, unknown keys included.
    fn parse(settings: &Settings) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(settings);
        let config = Self::read(&mut reader);
        reader.finish().result(config)
    }

    /// Checks a struct that was filled in code as one that was parsed.
    ///
    /// # Errors
    ///
    /// Every problem there is.
    fn validate(&self) -> Result<(), ConfigError> {
        Self::parse(&Settings::literal(self.to_settings_exposed())).map(drop)
    }

    /// All that is known about the keys, in the order of the declaration.
    fn definitions() -> Vec<Definition> {
        let settings = Settings::default();
        let mut reader = Reader::new(&settings);
        Self::define(&mut reader);
        reader.finish().into_definitions()
    }

    /// JSON Schema (draft 2020-12) of the map in its JSON form.
    fn json_schema() -> serde_json::Value {
        schema::object(Self::NAME, &definition::documentation(Self::DOC), &Self::definitions())
    }

    /// The answer of Connect's `PUT /connector-plugins/{name}/config/validate` for a map that belongs to this
    /// declaration alone.
    fn infos(name: &str, settings: &Settings) -> serde_json::Value {
        let mut reader = Reader::new(settings);
        // Whether there is a value does not matter here: the problems are in the answer.
        drop(Self::read(&mut reader));
        reader.finish().infos(name)
    }

    /// The map this would be parsed from, secrets redacted.
    fn to_settings(&self) -> BTreeMap<String, String> {
        let mut writer = Writer::new(false);
        self.write(&mut writer);
        writer.into_map()
    }

    /// The map this would be parsed from, **secrets in clear**. Never log it.
    fn to_settings_exposed(&self) -> BTreeMap<String, String> {
        let mut writer = Writer::new(true);
        self.write(&mut writer);
        writer.into_map()
    }
}

macro_rules! tuples {
    ($(($($part:ident . $index:tt),*) $name:literal;)+) => { $(
        impl<$($part: Config),*> Config for ($($part,)*) {
            const NAME: &'static str = $name;
            const DOC: &'static str = "";

            fn define(_reader: &mut Reader<'_>) {
                $( $part::define(_reader); )*
            }

            fn read(_reader: &mut Reader<'_>) -> Option<Self> {
                // All of them before the first `?`: each reports its own problems.
                let parts = ($( $part::read(_reader), )*);
                let _ = &parts;
                Some(($( parts.$index?, )*))
            }

            fn write(&self, _writer: &mut Writer) {
                $( self.$index.write(_writer); )*
            }
        }
    )+ };
}

tuples! {
    () "none";
    (A.0, B.1) "two";
    (A.0, B.1, C.2) "three";
}
