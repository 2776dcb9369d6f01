//! A converter as a transform.

use super::{Converted, Converter, Of};
use crate::part::Part;
use connect_core::{Batch, Error, Output, Preparation, Record, Transform};
use std::sync::Arc;

/// A [`Converter`] as the first step of a chain, or as its last one: [`back`](Self::back).
///
/// Null keys and tombstones pass. A converter that fetches schemas must come before whatever changes its part of the
/// record: see [`Transform::prepare`].
///
/// ```
/// use connect_core::{Chain, testing::{Message, batch}};
/// use connect_transforms::converters::{Convert, Primitive, PrimitiveConverter};
/// use std::sync::Arc;
///
/// let long = || PrimitiveConverter::new(Primitive::Long);
/// let there = Chain::new(vec![Arc::new(Convert::value(long()))]);
/// let done = there.apply(batch([Message::new(vec![0, 0, 0, 0, 0, 0, 1, 0])]), 0);
/// assert_eq!(done.batch.iter().next().unwrap().value(), Some(&b"256"[..]));
///
/// let and_back = Chain::new(vec![Arc::new(Convert::value(long())), Arc::new(Convert::value(long()).back())]);
/// let done = and_back.apply(batch([Message::new(vec![0, 0, 0, 0, 0, 0, 1, 0])]), 0);
/// assert_eq!(done.batch.iter().next().unwrap().value(), Some(&[0, 0, 0, 0, 0, 0, 1, 0][..]));
/// ```
///
/// # Errors
/// A record that does not convert is poison: `failed to convert the value`, or `… the key`, with the reason.
pub struct Convert {
    of: Of,
    back: bool,
    converter: Arc<dyn Converter>,
}

impl Convert {
    /// Converts keys to JSON text.
    pub fn key(converter: impl Converter + 'static) -> Self {
        Self::new(Of::Key, Arc::new(converter))
    }

    /// Converts values to JSON text.
    pub fn value(converter: impl Converter + 'static) -> Self {
        Self::new(Of::Value, Arc::new(converter))
    }

    /// Converts this part by a converter that others use too.
    pub fn new(of: Of, converter: Arc<dyn Converter>) -> Self {
        Self { of, back: false, converter }
    }

    /// The other way: from JSON text to bytes.
    #[must_use]
    pub fn back(mut self) -> Self {
        self.back = true;
        self
    }

    fn part(&self) -> Part {
        match self.of {
            Of::Key => Part::Key,
            Of::Value => Part::Value,
        }
    }

    fn convert(&self, bytes: &[u8], out: &mut Vec<u8>) -> Result<Converted, Error> {
        let start = out.len();
        let converted = match self.back {
            false => self.converter.decode(self.of, bytes, out),
            true => self.converter.encode(self.of, bytes, out),
        };
        converted.map_err(|error| {
            out.truncate(start);
            Error::poison(
                match (self.of, self.back) {
                    (Of::Key, false) => "convert the key",
                    (Of::Value, false) => "convert the value",
                    (Of::Key, true) => "convert the key back",
                    (Of::Value, true) => "convert the value back",
                },
                error,
            )
        })
    }
}

impl Transform for Convert {
    fn prepare(&self, batch: &Batch) -> Option<Preparation> {
        if self.back {
            return None;
        }
        let part = self.part();
        self.converter.prepare(&mut batch.iter().filter_map(|record| part.of(record)))
    }

    fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error> {
        let Some(bytes) = self.part().of(record) else {
            out.keep(record);
            return Ok(());
        };
        let (draft, converted) = match self.of {
            Of::Value => {
                let mut converted = Converted::Same;
                let draft = out.derive(record).value_with(|buffer| {
                    converted = self.convert(bytes, buffer)?;
                    Ok(())
                })?;
                (draft, converted)
            }
            Of::Key => {
                let mut key = Vec::new();
                let converted = self.convert(bytes, &mut key)?;
                (out.derive(record).key(Some(&key)), converted)
            }
        };
        match (converted, self.of) {
            (Converted::Written, _) => draft.emit(),
            (Converted::Null, Of::Value) => draft.value(None).emit(),
            (Converted::Null, Of::Key) => draft.key(None).emit(),
            (Converted::Same, _) => out.keep(record),
        }
        Ok(())
    }

    fn describe(&self) -> Option<String> {
        let direction = if self.back { " back" } else { "" };
        Some(format!("Convert {}{direction} by {}", self.part(), self.converter.describe()))
    }
}

impl std::fmt::Debug for Convert {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.describe().unwrap_or_default())
    }
}
