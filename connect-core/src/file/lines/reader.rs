//! One file, read line by line. Blocks: it runs where blocking is allowed.

use super::identity::{Head, Identity};
use crate::{BatchBuilder, Entry, Error, PartitionId, file::Bookmark};
use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::Arc,
};

const BUFFER: usize = 64 << 10;

/// What holds for all files of a source.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) line_bytes: usize,
    pub(super) follow: bool,
}

/// An open file and how far it was read.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) path: PathBuf,
    file: BufReader<File>,
    /// Where the next line begins.
    position: u64,
    /// The beginning of a line whose end was not written yet.
    partial: Vec<u8>,
    pub(super) head: Head,
}

/// What a call of [`Reader::fill`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reached {
    /// There may be more.
    Full,
    /// Nothing is left for now.
    End,
}

impl Reader {
    /// Opens `path` where `bookmark` says, after checking that this still is the same file.
    pub(super) fn open(path: &str, bookmark: &Bookmark) -> Result<Self, Error> {
        let path = PathBuf::from(path);
        let failed = |e: io::Error| Error::fatal("open the file", e).about(path.display());
        let position = u64::try_from(bookmark.offset)
            .map_err(|_| Error::fatal("open the file", "the bookmark is negative").about(path.display()))?;
        if let Ok(Identity { head, .. }) = serde_json::from_str(&bookmark.identity) {
            Head::check(&path, position, head).map_err(failed)?.map_err(|lost| data_loss(&path, lost))?;
        }
        let mut file = File::open(&path).map_err(failed)?;
        file.seek(SeekFrom::Start(position)).map_err(failed)?;
        let head = Head::read(&path, position).map_err(failed)?;
        Ok(Self { file: BufReader::with_capacity(BUFFER, file), path, position, partial: Vec::new(), head })
    }

    /// The file's length.
    pub(super) fn len(&self) -> io::Result<u64> {
        self.file.get_ref().metadata().map(|metadata| metadata.len())
    }

    /// Adds lines to `batch` until it is full, holds `room` bytes, or nothing is left.
    pub(super) fn fill(
        &mut self,
        batch: &mut BatchBuilder,
        to: (PartitionId, &Arc<str>, i32),
        room: usize,
        limits: Limits,
    ) -> Result<Reached, Error> {
        while !batch.is_full() && batch.bytes() < room {
            if !self.line(limits)? {
                return Ok(Reached::End);
            }
            let end = self.position + self.partial.len() as u64;
            let line = self.partial.strip_suffix(b"\n").unwrap_or(&self.partial);
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            // The offset is the line's last byte: one past it, what a commit names, is where to seek to.
            let offset = i64::try_from(end - 1).expect("files are smaller than 8 EiB");
            let (id, topic, partition) = to;
            batch.push(id, topic, partition, Entry { offset, value: Some(line), ..Entry::default() }, []);
            self.head.extend(&self.partial);
            self.position = end;
            self.partial.clear();
        }
        Ok(Reached::Full)
    }

    /// Reads on until `partial` is a whole line; `false`: there is none.
    fn line(&mut self, limits: Limits) -> Result<bool, Error> {
        let room = (limits.line_bytes + 1).saturating_sub(self.partial.len());
        let mut some = (&mut self.file).take(room as u64);
        some.read_until(b'\n', &mut self.partial)
            .map_err(|e| Error::retriable("read the file", e).about(self.path.display()))?;
        if self.partial.last() == Some(&b'\n') {
            return Ok(true);
        }
        if self.partial.len() > limits.line_bytes {
            let (at, limit) = (self.position, limits.line_bytes);
            let what = format!(
                "the line at byte {at} is longer than {limit} bytes: raise the limit, or take it out"
            );
            return Err(Error::fatal("read the file", what).about(self.path.display()));
        }
        // The last line of a file that nobody adds to may lack its end.
        Ok(!limits.follow && !self.partial.is_empty())
    }

    /// Whether the path still leads to the file that is being read.
    pub(super) fn check(&self) -> Result<(), Error> {
        let lost = Head::check(&self.path, self.position, self.head.hash(i64::MAX));
        let failed = |e: io::Error| Error::fatal("follow the file", e).about(self.path.display());
        lost.map_err(failed)?.map_err(|lost| data_loss(&self.path, lost))
    }
}

/// A bookmark that leads nowhere. Fatal: going on would skip or repeat, and only a person knows which is right.
fn data_loss(path: &Path, lost: super::identity::Lost) -> Error {
    Error::fatal("go on where it was left", lost).about(path.display())
}
