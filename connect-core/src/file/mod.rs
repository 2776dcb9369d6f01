//! Sources that are not Kafka: where they keep their bookmarks, and a small one that reads lines from files.
//!
//! Kafka keeps a group's offsets and notes for it. Whoever reads from elsewhere has [`FileOffsets`]: one small file,
//! replaced atomically. [`FileLines`] is a source built on it, and a pattern for one's own.

mod keys;
mod lines;
mod offsets;

pub use keys::FileLinesConfig;
pub use lines::FileLines;
pub use offsets::{Bookmark, FileOffsets};
