//! Which part of a record a transform is about.

use connect_core::{Error, Output, Record};
use std::fmt;

/// The key or the value: Connect's `$Key` and `$Value`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Key,
    Value,
}

impl Part {
    pub(crate) fn of(self, record: Record<'_>) -> Option<&[u8]> {
        match self {
            Self::Key => record.key(),
            Self::Value => record.value(),
        }
    }

    /// The first one for keys, the second one for values.
    pub(crate) fn pick(self, key: &'static str, value: &'static str) -> &'static str {
        match self {
            Self::Key => key,
            Self::Value => value,
        }
    }

    /// Emits `record` with this part as `write` writes it. A value is streamed into the batch, a key copied once.
    pub(crate) fn emit(
        self,
        record: Record<'_>,
        out: &mut Output,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let draft = out.derive(record);
        match self {
            Self::Value => draft.value_with(write)?.emit(),
            Self::Key => {
                let mut key = Vec::new();
                write(&mut key)?;
                draft.key(Some(&key)).emit();
            }
        }
        Ok(())
    }

    /// As [`emit`](Self::emit), where the part may also become null, or the record stay as it is.
    pub(crate) fn emit_if(
        self,
        record: Record<'_>,
        out: &mut Output,
        write: impl FnOnce(&mut Vec<u8>) -> Result<Written, Error>,
    ) -> Result<(), Error> {
        let mut written = Written::Kept;
        match self {
            Self::Value => {
                let draft = out.derive(record).value_with(|buffer| {
                    written = write(buffer)?;
                    Ok(())
                })?;
                match written {
                    Written::Bytes => draft.emit(),
                    Written::Null => draft.value(None).emit(),
                    Written::Kept => out.keep(record),
                }
            }
            Self::Key => {
                let mut key = Vec::new();
                match write(&mut key)? {
                    Written::Bytes => out.derive(record).key(Some(&key)).emit(),
                    Written::Null => out.derive(record).key(None).emit(),
                    Written::Kept => out.keep(record),
                }
            }
        }
        Ok(())
    }
}

/// What [`Part::emit_if`] is to emit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    Bytes,
    Null,
    Kept,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key => "key",
            Self::Value => "value",
        })
    }
}
