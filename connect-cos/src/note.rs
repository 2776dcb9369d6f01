//! The note: what stands in the offset's metadata between phase one and phase two.

use crate::range::Limits;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::fmt;

const VERSION: u32 = 1;

/// The identity of a range's objects: 64 random bits, carried by each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct NoteId(pub(crate) u64);

impl fmt::Display for NoteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// What the configuration makes of records, in 96 bits. Two halves, because only one of them is needed to find
/// objects again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    /// Where objects lie: `topics.dir`, scheme of names.
    pub(crate) place: u32,
    /// What is in them, and under which path: path, format, compression, transforms.
    pub(crate) content: u64,
}

/// A range that is about to become objects. Rebuilding needs no more than this and the records.
///
/// Beside what identifies the range it has the limits by which files rolled, the number of files and the offset of
/// the first record: `DESIGN.md` says why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) id: NoteId,
    pub(crate) from: i64,
    pub(crate) to: i64,
    /// Milliseconds since the epoch: the only clock that paths of the range see.
    pub(crate) t: i64,
    pub(crate) fingerprint: Fingerprint,
    /// The range's first record.
    pub(crate) first: i64,
    /// Objects of the range.
    pub(crate) files: u32,
    pub(crate) limits: Limits,
}

/// Why a note can't be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoteError {
    /// Not ours: another program's metadata.
    #[error("it is not a note of this sink")]
    Foreign,
    /// Ours, but written by a newer program.
    #[error(
        "it has version {0}, this program knows version {VERSION}; run the newer program until it has caught up"
    )]
    Version(u32),
}

#[derive(Serialize, Deserialize)]
struct Wire {
    v: u32,
    id: String,
    from: i64,
    to: i64,
    t: i64,
    fp: String,
    s: i64,
    n: u32,
    b: u64,
    r: u64,
}

#[derive(Deserialize)]
struct Versioned {
    v: u32,
    #[serde(rename = "id")]
    _id: String,
    #[serde(rename = "from")]
    _from: i64,
    #[serde(rename = "to")]
    _to: i64,
}

impl Note {
    /// Compact JSON, at most about 200 bytes whatever the number of paths.
    pub(crate) fn to_bytes(self) -> Bytes {
        let wire = Wire {
            v: VERSION,
            id: self.id.to_string(),
            from: self.from,
            to: self.to,
            t: self.t,
            fp: format!("{:08x}{:016x}", self.fingerprint.place, self.fingerprint.content),
            s: self.first - self.from,
            n: self.files,
            b: self.limits.bytes,
            r: self.limits.records,
        };
        serde_json::to_vec(&wire).expect("a struct of integers and texts is JSON").into()
    }

    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        let versioned: Versioned = serde_json::from_slice(bytes).map_err(|_| NoteError::Foreign)?;
        if versioned.v != VERSION {
            return Err(NoteError::Version(versioned.v));
        }
        let wire: Wire = serde_json::from_slice(bytes).map_err(|_| NoteError::Foreign)?;
        let id = u64::from_str_radix(&wire.id, 16).map_err(|_| NoteError::Foreign)?;
        let (place, content) = wire.fp.split_at_checked(8).ok_or(NoteError::Foreign)?;
        let fingerprint = Fingerprint {
            place: u32::from_str_radix(place, 16).map_err(|_| NoteError::Foreign)?,
            content: u64::from_str_radix(content, 16).map_err(|_| NoteError::Foreign)?,
        };
        if wire.from >= wire.to || wire.s < 0 {
            return Err(NoteError::Foreign);
        }
        Ok(Self {
            id: NoteId(id),
            from: wire.from,
            to: wire.to,
            t: wire.t,
            fingerprint,
            first: wire.from.checked_add(wire.s).ok_or(NoteError::Foreign)?,
            files: wire.n,
            limits: Limits { bytes: wire.b, records: wire.r },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note() -> Note {
        Note {
            id: NoteId(0xab),
            from: 1_234_567_890,
            to: 1_234_667_890,
            t: 1_700_000_000_000,
            fingerprint: Fingerprint { place: 0xfeed, content: 0xdead_beef },
            first: 1_234_567_891,
            files: 12,
            limits: Limits { bytes: 134_217_728, records: 0 },
        }
    }

    #[test]
    fn a_note_survives_its_way_through_the_broker_and_stays_small() {
        let bytes = note().to_bytes();
        assert_eq!(Note::parse(&bytes).unwrap(), note());
        assert!(bytes.len() <= 160, "{} bytes: {bytes:?}", bytes.len());
        let largest =
            Note { from: i64::MAX - 1, to: i64::MAX, first: i64::MAX - 1, files: u32::MAX, ..note() };
        assert!(largest.to_bytes().len() <= 220);
    }

    #[test]
    fn another_programs_metadata_is_foreign_and_a_newer_note_is_not() {
        for text in
            ["", "x", "{}", r#"{"v":1,"id":"zz","from":1,"to":2,"t":0,"fp":"","s":0,"n":0,"b":0,"r":0}"#]
        {
            assert_eq!(Note::parse(text.as_bytes()), Err(NoteError::Foreign), "{text}");
        }
        let newer = r#"{"v":2,"id":"00","from":1,"to":2,"more":true}"#;
        assert_eq!(Note::parse(newer.as_bytes()), Err(NoteError::Version(2)));
    }

    #[test]
    fn a_note_of_an_empty_range_is_foreign() {
        let text = String::from_utf8(note().to_bytes().to_vec()).unwrap();
        let empty = text.replace("\"to\":1234667890", "\"to\":1234567890");
        assert_eq!(Note::parse(empty.as_bytes()), Err(NoteError::Foreign));
    }
}
