//! `FileLines`: a source that reads files line by line.

mod find;
mod identity;
mod reader;
#[cfg(test)]
mod tests;

use super::{Bookmark, FileOffsets};
use crate::{Assigned, Batch, BatchBuilder, Commit, Error, Event, PartitionId, Source};
use async_trait::async_trait;
use identity::{Head, Identity};
use reader::{Limits, Reached, Reader};
use std::{
    collections::{BTreeMap, VecDeque},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::{
    task::{JoinError, JoinSet, spawn_blocking},
    time::{Instant, sleep_until},
};

/// Longest line unless set: as much as a Kafka broker takes in one record by default (`message.max.bytes`).
pub(super) const LINE_BYTES_MAX: usize = 1 << 20;
/// How often a file that is followed is looked at again, unless set.
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(250);
/// Epochs are never used twice in a process, whatever instance asks.
static EPOCH: AtomicU32 = AtomicU32::new(1);

/// Reads text files: each file is a partition, each line a record.
///
/// The value is the line without its end (`\n` or `\r\n`), as bytes. There is no key, no header and no timestamp.
///
/// # Offsets
/// A record's offset is the position in bytes of its line's last byte, which is the line feed. One past it is where
/// the next line begins, so a bookmark is a place to seek to: resuming costs the same wherever it lies.
/// Offsets are not consecutive; between them lie the other bytes of the lines.
///
/// # Files and bookmarks
/// - The files are listed once, when the source opens. `*` and `?` in the last part of the pattern stand for any
///   characters and any one character.
/// - A file keeps the number of its partition as long as its bookmark stands, whatever files come and go.
///   The bookmarks' source name is the topic: give each `FileLines` on one [`FileOffsets`] its own.
/// - One instance reads all files: use it with one task, or give each task a pattern of its own.
/// - The last line of a file may lack its line feed, unless the file is followed: then a line counts when it is ended.
///   A line that is continued after it was read without its end goes on as a record of its own.
///
/// # Data loss
/// A bookmark holds a fingerprint of the first 256 bytes that were read. A file that is shorter than its bookmark or
/// begins with other bytes was truncated or replaced. That is found when the source opens, and while the file is
/// followed, whenever its end is reached; it is fatal, and nothing is skipped or repeated. So files are for programs that
/// begin a new one under a new name. One that is renamed and begun again by a log rotation stops the task: stop it before
/// the rotation, read the old file under its new name by a `FileLines` of another topic if it is not done, and remove its
/// entry from the bookmarks.
///
/// # Cancel safety
/// [`next`](Source::next) can be dropped at any time. Reads and commits are jobs that outlive the call.
///
/// # Errors
/// Fatal: no such file, a line longer than the limit, data loss. Retriable: the disk fails to read or to write.
///
/// # Example
/// ```no_run
/// use connect_core::file::{FileLines, FileOffsets};
/// let offsets = FileOffsets::open("/var/lib/outflow/offsets.json")?;
/// let source = FileLines::new("outflow", "/var/spool/outflow/*.jsonl", offsets).follow(true);
/// # Ok::<(), connect_core::Error>(())
/// ```
#[derive(Debug)]
pub struct FileLines {
    topic: Arc<str>,
    pattern: PathBuf,
    offsets: FileOffsets,
    limits: Limits,
    poll_interval: Duration,
    preview: bool,
    files: Vec<Followed>,
    builder: BatchBuilder,
    /// Blocking work. At most one read and one commit at a time.
    jobs: JoinSet<Done>,
    reading: bool,
    committing: bool,
    commits: VecDeque<Vec<Commit>>,
    /// Said before anything else.
    events: VecDeque<Event>,
    /// Read while there was room, and kept while there is none.
    ready: Option<Batch>,
    /// Comes after the records before it.
    failed: Option<Error>,
    /// Whose turn it is.
    turn: usize,
    /// When files that are followed are looked at again.
    wake: Option<Instant>,
    ended: bool,
}

/// A file as the source sees it.
#[derive(Debug)]
struct Followed {
    id: PartitionId,
    partition: i32,
    path: String,
    /// Where it was opened.
    begin: Bookmark,
    /// `None` while a job has it.
    reader: Option<Reader>,
    head: Head,
    len: u64,
    at_end: bool,
    held: bool,
}

/// What a job brings back.
#[derive(Debug)]
enum Done {
    Read(Box<Read>),
    Committed(Vec<Commit>, Result<(), Error>),
}

#[derive(Debug)]
struct Read {
    file: usize,
    reader: Reader,
    builder: BatchBuilder,
    reached: Result<Reached, Error>,
}

impl FileLines {
    /// Reads the files that `pattern` names, as partitions of `topic`, from their bookmarks in `offsets` on.
    #[must_use]
    pub fn new(topic: &str, pattern: impl Into<PathBuf>, offsets: FileOffsets) -> Self {
        Self {
            topic: topic.into(),
            pattern: pattern.into(),
            offsets,
            limits: Limits { line_bytes: LINE_BYTES_MAX, follow: false },
            poll_interval: POLL_INTERVAL,
            preview: false,
            files: Vec::new(),
            builder: BatchBuilder::new(),
            jobs: JoinSet::new(),
            reading: false,
            committing: false,
            commits: VecDeque::new(),
            events: VecDeque::new(),
            ready: None,
            failed: None,
            turn: 0,
            wake: None,
            ended: false,
        }
    }

    /// Whether to wait for more at the end of a file, like `tail -f`. Off by default: then the source ends when all
    /// files were read.
    #[must_use]
    pub fn follow(mut self, follow: bool) -> Self {
        self.limits.follow = follow;
        self
    }

    /// How often a file that is followed is looked at again at its end. 250 ms by default.
    #[must_use]
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = interval;
        self
    }

    /// Whether the files are only looked at ([`Task::preview`](crate::Task::preview)): no bookmark is written, not even
    /// for the number of a new file's partition. Off by default.
    #[must_use]
    pub fn preview(mut self, preview: bool) -> Self {
        self.preview = preview;
        self
    }

    /// The longest line in bytes, without its end. 1 MiB by default, as much as a Kafka broker takes in a record.
    /// A longer line is fatal: what is read ahead has to stay bounded.
    #[must_use]
    pub fn max_line_bytes(mut self, bytes: usize) -> Self {
        self.limits.line_bytes = bytes;
        self
    }

    /// Starts to read the next file that may have more, if it can be handed over.
    fn start_read(&mut self, room: usize) {
        if room == 0 || self.reading || self.ready.is_some() || self.failed.is_some() {
            return;
        }
        let count = self.files.len();
        let order = (0..count).map(|n| (self.turn + n) % count);
        let readable = |file: &usize| !self.files[*file].held && !self.files[*file].at_end;
        let Some(file) = order.into_iter().find(readable) else {
            return;
        };
        let Followed { id, partition, reader, .. } = &mut self.files[file];
        let (id, partition) = (*id, *partition);
        let Some(mut reader) = reader.take() else {
            return;
        };
        let (topic, limits) = (Arc::clone(&self.topic), self.limits);
        let mut builder = std::mem::take(&mut self.builder);
        self.turn = file + 1;
        self.reading = true;
        self.jobs.spawn_blocking(move || {
            let mut reached = reader.fill(&mut builder, (id, &topic, partition), room, limits);
            if limits.follow && builder.is_empty() && matches!(reached, Ok(Reached::End)) {
                reached = reader.check().map(|()| Reached::End);
            }
            Done::Read(Box::new(Read { file, reader, builder, reached }))
        });
    }

    /// Starts the oldest commit that waits, unless one is on its way.
    fn start_commit(&mut self) {
        if self.committing {
            return;
        }
        let Some(mut commits) = self.commits.pop_front() else {
            return;
        };
        let file = |id: PartitionId| self.files.get(id.slot()).filter(|file| file.id == id);
        commits.retain(|commit| file(commit.id).is_some());
        let bookmark = |commit: &Commit| {
            file(commit.id).map(|file| {
                let identity = identify(&file.path, file.head.hash(commit.offset));
                let bookmark = Bookmark { offset: commit.offset, note: commit.note.clone(), identity };
                (self.topic.to_string(), file.partition, bookmark)
            })
        };
        let bookmarks: Vec<_> = commits.iter().filter_map(bookmark).collect();
        let offsets = self.offsets.clone();
        self.committing = true;
        self.jobs.spawn_blocking(move || Done::Committed(commits, offsets.commit(bookmarks)));
    }

    fn finish(&mut self, done: Result<Done, JoinError>) -> Result<(), Error> {
        match done.map_err(|e| Error::retriable("read the files", e))? {
            Done::Committed(commits, result) => {
                self.committing = false;
                self.events.push_back(Event::Committed(commits, result));
                self.start_commit();
            }
            Done::Read(read) => self.finish_read(*read),
        }
        Ok(())
    }

    fn finish_read(&mut self, Read { file, reader, mut builder, reached }: Read) {
        self.reading = false;
        if !builder.is_empty() {
            self.ready = Some(builder.finish());
        }
        self.builder = builder;
        let file = &mut self.files[file];
        file.head = reader.head.clone();
        match reader.len() {
            Ok(len) if len != file.len => {
                file.len = len;
                self.events.push_back(Event::Ends(vec![(file.id, offset(len))]));
            }
            // The length is for show; a file that cannot be read shows itself by reading.
            Ok(_) | Err(_) => {}
        }
        file.reader = Some(reader);
        match reached {
            Ok(Reached::Full) => {}
            Ok(Reached::End) => {
                file.at_end = true;
                if self.limits.follow && self.wake.is_none() {
                    self.wake = Some(crate::retry::after(Instant::now(), self.poll_interval));
                }
            }
            Err(error) => self.failed = Some(error),
        }
    }

    /// It is time to look at the files again.
    fn look_again(&mut self) {
        self.wake = None;
        for file in &mut self.files {
            file.at_end = false;
        }
    }

    fn is_finished(&self) -> bool {
        let idle = !self.reading && self.ready.is_none() && self.failed.is_none();
        idle && !self.limits.follow && !self.ended && self.files.iter().all(|file| file.at_end)
    }
}

#[async_trait]
impl Source for FileLines {
    async fn open(&mut self) -> Result<(), Error> {
        let (topic, pattern, offsets) = (Arc::clone(&self.topic), self.pattern.clone(), self.offsets.clone());
        let preview = self.preview;
        let found = spawn_blocking(move || discover(&topic, &pattern, &offsets, preview)).await;
        self.files = found.map_err(|e| Error::retriable("list the files", e))??;
        let assigned = |file: &Followed| Assigned {
            id: file.id,
            topic: Arc::clone(&self.topic),
            partition: file.partition,
            offset: file.begin.offset,
            note: file.begin.note.clone(),
            partitions: None,
        };
        let partitions = self.files.iter().map(assigned).collect();
        self.events.push_back(Event::Assigned(partitions));
        let ends = self.files.iter().map(|file| (file.id, offset(file.len))).collect();
        self.events.push_back(Event::Ends(ends));
        Ok(())
    }

    async fn next(&mut self, room: usize) -> Result<Event, Error> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            if room > 0 {
                if let Some(batch) = self.ready.take() {
                    return Ok(Event::Records(batch));
                }
                if let Some(error) = self.failed.take() {
                    return Err(error);
                }
            }
            self.start_read(room);
            if self.is_finished() {
                self.ended = true;
                return Ok(Event::End);
            }
            let wake = self.wake;
            // Both lose nothing when dropped: a finished job stays in the set, a time stays in the field.
            tokio::select! {
                Some(done) = self.jobs.join_next() => self.finish(done)?,
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => self.look_again(),
                else => std::future::pending().await,
            }
        }
    }

    fn commit(&mut self, commits: Vec<Commit>) {
        self.commits.push_back(commits);
        self.start_commit();
    }

    /// Files are never revoked.
    fn release(&mut self, _ids: &[PartitionId]) {}

    fn hold(&mut self, ids: &[PartitionId], held: bool) {
        for file in self.files.iter_mut().filter(|file| ids.contains(&file.id)) {
            file.held = held;
        }
    }

    async fn close(&mut self) -> Result<(), Error> {
        // A read that is under way ends by itself; a commit must not be cut off from its answer on the disk.
        while self.committing {
            match self.jobs.join_next().await {
                Some(Ok(Done::Committed(..))) | None => self.committing = false,
                Some(Ok(Done::Read(_)) | Err(_)) => {}
            }
        }
        self.files.clear();
        Ok(())
    }
}

/// Lists the files, gives new ones a partition and opens all of them where their bookmarks say.
fn discover(
    topic: &str,
    pattern: &Path,
    offsets: &FileOffsets,
    preview: bool,
) -> Result<Vec<Followed>, Error> {
    let paths = find::find(pattern)?;
    if paths.is_empty() {
        return Err(Error::fatal("list the files", "no file has such a name").about(pattern.display()));
    }
    let mut known = known(topic, offsets)?;
    let mut free = known.values().map(|(partition, _)| partition + 1).max().unwrap_or(0);
    let mut new = Vec::new();
    for path in &paths {
        if !known.contains_key(path) {
            let identity = identify(path, Head::default().hash(0));
            let bookmark = Bookmark { identity, ..Bookmark::default() };
            new.push((topic.to_owned(), free, bookmark.clone()));
            known.insert(path.clone(), (free, bookmark));
            free += 1;
        }
    }
    if !new.is_empty() && !preview {
        // Before the first record: a file that was begun must keep its number.
        offsets.commit(new)?;
    }
    let epoch = EPOCH.fetch_add(1, Ordering::Relaxed);
    let mine = paths.iter().filter_map(|path| known.get(path).map(|(partition, at)| (path, *partition, at)));
    let open = |(slot, (path, partition, at)): (u32, (&String, i32, &Bookmark))| {
        let reader = Reader::open(path, at)?;
        let len = reader.len().map_err(|e| Error::fatal("open the file", e).about(path))?;
        let (id, head) = (PartitionId::new(slot, epoch), reader.head.clone());
        let (path, begin) = (path.clone(), at.clone());
        Ok(Followed {
            id,
            partition,
            path,
            begin,
            reader: Some(reader),
            head,
            len,
            at_end: false,
            held: false,
        })
    };
    all((0..).zip(mine).map(open))
}

/// The bookmarks of `topic` by path.
fn known(topic: &str, offsets: &FileOffsets) -> Result<BTreeMap<String, (i32, Bookmark)>, Error> {
    let by_path = |(partition, bookmark): (i32, Bookmark)| {
        let foreign =
            |e| Error::fatal("read the bookmarks", e).about(format!("{topic} {partition}: no file's"));
        let identity: Identity = serde_json::from_str(&bookmark.identity).map_err(foreign)?;
        Ok((identity.path, (partition, bookmark)))
    };
    offsets.of(topic).into_iter().map(by_path).collect()
}

/// All values, or all problems in one error.
fn all<T>(results: impl Iterator<Item = Result<T, Error>>) -> Result<Vec<T>, Error> {
    let (mut values, mut errors) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(value) => values.push(value),
            Err(error) => errors.push(error),
        }
    }
    match errors.len() {
        0 => Ok(values),
        1 => Err(errors.remove(0)),
        _ => {
            let reports: Vec<String> = errors.iter().map(Error::report).collect();
            Err(Error::fatal("open the files", reports.join("; ")))
        }
    }
}

fn identify(path: &str, head: u64) -> String {
    serde_json::to_string(&Identity { path: path.to_owned(), head }).expect("a path is text")
}

fn offset(bytes: u64) -> i64 {
    i64::try_from(bytes).expect("files are smaller than 8 EiB")
}
