//! Sources that are not Kafka: where they keep their bookmarks.
//!
//! Kafka keeps a group's offsets and notes for it. Whoever reads from elsewhere has [`FileOffsets`]: one small file,
//! replaced atomically.

mod offsets;

pub use offsets::{Bookmark, FileOffsets};
