//! Dead letters: where records go that will never work, and what is written with them.

use crate::{Batch, Error};
use async_trait::async_trait;
use std::{fmt, sync::Arc};

/// Which stage refused a record: Connect's names, as they stand in `__connect.errors.stage`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// A transform.
    Transformation,
    /// The sink.
    TaskPut,
}

impl Stage {
    /// The name in the header.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transformation => "TRANSFORMATION",
            Self::TaskPut => "TASK_PUT",
        }
    }
}

/// One record on its way to the dead letter queue, as read, with the reason.
pub struct Letter {
    /// A batch of one record that shares nothing with others; [`Record::original`](crate::Record::original) of its
    /// record is what was read.
    pub record: Batch,
    /// Which stage refused it.
    pub stage: Stage,
    /// Why.
    pub error: Error,
    /// The numbers of the siblings that failed, where a transform had made several records of this one.
    pub failed: Vec<u32>,
    /// The pipeline's name.
    pub pipeline: Arc<str>,
    /// The task's number.
    pub task: u32,
}

/// What a letter takes beside the record and the reason's text, about: small allocations, and its place among those that
/// the offsets wait for. Of short records it is the larger part.
const LETTER_BYTES: usize = 512;

/// Connect's prefix of the ten headers (KIP-298).
const PREFIX: &str = "__connect.errors.";

impl Letter {
    /// Bytes that it keeps alive, about.
    pub(crate) fn bytes(&self) -> usize {
        // Twice the text: errors hold parts of it, each in a buffer with room to spare.
        size_of::<Self>() + LETTER_BYTES + self.record.bytes() + 2 * self.error.report().len()
    }

    /// Connect's ten headers (KIP-298), with their names and as text, and `__connect.errors.siblings` where only
    /// some of a record's children failed.
    ///
    /// # Panics
    /// If `record` is empty.
    #[must_use]
    pub fn error_headers(&self) -> Vec<(String, String)> {
        let record = self.record.iter().next().expect("a letter holds one record");
        let origin = record.origin();
        let mut headers: Vec<(String, String)> = [
            ("topic", origin.topic.to_owned()),
            ("partition", origin.partition.to_string()),
            ("offset", origin.offset.to_string()),
            ("connector.name", self.pipeline.to_string()),
            ("task.id", self.task.to_string()),
            ("stage", self.stage.as_str().to_owned()),
            ("class.name", self.error.operation().to_owned()),
            ("exception.class.name", format!("connect_core::Error::{}", self.error.class().as_str())),
            ("exception.message", self.error.report()),
            ("exception.stacktrace", format!("{:?}", self.error)),
        ]
        .into_iter()
        .map(|(name, value)| (format!("{PREFIX}{name}"), value))
        .collect();
        if !self.failed.is_empty() {
            let failed: Vec<String> = self.failed.iter().map(u32::to_string).collect();
            headers.push((format!("{PREFIX}siblings"), failed.join(",")));
        }
        headers
    }
}

impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = self.record.iter().next().map(|record| record.origin());
        f.debug_struct("Letter")
            .field("origin", &origin)
            .field("stage", &self.stage)
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

/// A durable place for letters. Used by one task, one call at a time.
#[async_trait]
pub trait DeadLetters: Send + Sync + 'static {
    /// Checks the target before the first record.
    ///
    /// # Cancel safety
    /// May be dropped; the instance is then dropped too.
    ///
    /// # Errors
    /// Fatal, all problems at once; retriable if the target is merely away.
    async fn open(&self) -> Result<(), Error>;

    /// Writes all letters; an answer per letter, in order. `Ok` means durable: the offset may move past it.
    /// Retriable: it is written again, for ever by default. Fatal: the task stops.
    ///
    /// # Cancel safety
    /// Dropped only at a hard stop; the letters are then written again after the restart.
    async fn write(&self, letters: &[Letter]) -> Vec<Result<(), Error>>;
}

const _: fn(Box<dyn DeadLetters>) = |_| {};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BatchBuilder, Entry, PartitionId};

    #[test]
    fn a_letter_carries_connects_ten_headers() {
        let mut builder = BatchBuilder::new();
        let entry = Entry { offset: 42, value: Some(b"x"), ..Entry::default() };
        builder.push(PartitionId::new(0, 1), &"orders".into(), 3, entry, []);
        let batch = builder.finish();
        let letter = Letter {
            record: batch.iter().next().expect("one record").detach(),
            stage: Stage::TaskPut,
            error: Error::poison("index the document", "mapper_parsing_exception"),
            failed: vec![],
            pipeline: "to-es".into(),
            task: 0,
        };
        let headers = letter.error_headers();
        let names: Vec<&str> = headers.iter().map(|(name, _)| name.trim_start_matches(PREFIX)).collect();
        assert_eq!(
            names,
            [
                "topic",
                "partition",
                "offset",
                "connector.name",
                "task.id",
                "stage",
                "class.name",
                "exception.class.name",
                "exception.message",
                "exception.stacktrace"
            ]
        );
        let values: Vec<&str> = headers.iter().take(6).map(|(_, value)| value.as_str()).collect();
        assert_eq!(values, ["orders", "3", "42", "to-es", "0", "TASK_PUT"]);
        assert_eq!(headers[8].1, "failed to index the document: mapper_parsing_exception");
    }
}
