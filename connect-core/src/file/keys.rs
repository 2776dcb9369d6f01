//! What a configuration can say of files, by keys.

use super::{
    FileLines, FileOffsets,
    lines::{LINE_BYTES_MAX, POLL_INTERVAL},
};
use crate::{
    Error, Task,
    config::{ByteSize, not_empty},
};
use std::time::Duration;

crate::config! {
    /// Reads text files line by line.
    pub struct FileLinesConfig {
        /// The files: a path, in whose last part `*` stands for any characters and `?` for any one.
        "file" => file: String, importance: High, check: not_empty, group: "Files";
        /// The topic of the records. Bookmarks are kept under it: give each pipeline that shares a file of them its own.
        "topic" => topic: String, importance: High, check: not_empty, group: "Files";
        /// The file of the bookmarks, in a directory that exists. Connect's key of a standalone worker.
        "offset.storage.file.filename" => offsets: String, importance: High, check: not_empty, group: "Files";
        /// Whether to wait for more at the end of a file, as Connect's file source does; otherwise the pipeline ends when
        /// all files were read.
        "follow" => follow: bool = true, group: "Files";
        /// How often a file that is followed is looked at again at its end.
        "poll.interval.ms" => poll_interval: Duration = POLL_INTERVAL, range: Duration::from_millis(1).., group: "Files", importance: Low;
        /// The longest line, without its end; a longer one stops the pipeline. As much as a Kafka broker takes in a record.
        "line.max.bytes" => line_max: ByteSize = ByteSize::bytes(LINE_BYTES_MAX as u64), range: ByteSize::kib(1)..=ByteSize::mib(64), group: "Files", importance: Low;
    }
}

impl FileLinesConfig {
    /// The source of a task.
    ///
    /// # Errors
    /// Fatal: the bookmarks cannot be read.
    pub fn source(&self, task: &Task) -> Result<FileLines, Error> {
        let lines = FileLines::new(&self.topic, &self.file, FileOffsets::open(&self.offsets)?);
        let lines = lines.follow(self.follow).poll_interval(self.poll_interval).preview(task.preview);
        Ok(lines.max_line_bytes(self.line_max.len()))
    }
}
