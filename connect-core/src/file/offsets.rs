//! Bookmarks in one file, replaced atomically.

use crate::{BoxError, Error};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, Weak},
};

/// Written into the file; another number means another program's format.
const VERSION: u32 = 1;

/// Where to go on in one partition of a source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bookmark {
    /// The next offset to read.
    pub offset: i64,
    /// The note that was committed with it, see [`Commit::note`](crate::Commit::note).
    pub note: Option<Bytes>,
    /// Whatever the source needs to know its input again: a path, a fingerprint.
    pub identity: String,
}

/// Bookmarks of sources that are not Kafka, by the source's name and partition. All handles on a file within a process,
/// cloned or opened, are handles on the same bookmarks, so that no one writes over what another has committed.
///
/// # Contract
/// - One process at a time uses a file. Nothing locks it.
/// - All methods block on the disk: async code calls them by `spawn_blocking`.
///
/// # Durability
/// [`commit`](Self::commit) returns when the bookmarks are durable: they are written to `<file>.tmp` beside it, synced,
/// renamed over the file, and the directory is synced. After a crash the file holds the old bookmarks or the new ones.
///
/// # Example
/// ```
/// use connect_core::file::{Bookmark, FileOffsets};
/// # let directory = std::env::temp_dir().join(format!("bookmarks-{}", std::process::id()));
/// # std::fs::create_dir_all(&directory)?;
/// let path = directory.join("offsets.json");
/// let offsets = FileOffsets::open(&path)?;
/// offsets.commit([("logs".into(), 0, Bookmark { offset: 512, ..Bookmark::default() })])?;
/// assert_eq!(FileOffsets::open(&path)?.get("logs", 0).map(|bookmark| bookmark.offset), Some(512));
/// # std::fs::remove_dir_all(&directory)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct FileOffsets {
    path: Arc<Path>,
    bookmarks: Arc<Mutex<Bookmarks>>,
}

type Bookmarks = BTreeMap<(String, i32), Bookmark>;

/// The bookmarks that this process has open, by the true path of their file.
static OPEN: Mutex<BTreeMap<PathBuf, Weak<Mutex<Bookmarks>>>> = Mutex::new(BTreeMap::new());

impl FileOffsets {
    /// Reads the bookmarks at `path`, unless they are open already. No file: no bookmarks yet.
    ///
    /// # Errors
    /// Fatal, if there is no such directory, or the file cannot be read, or does not hold bookmarks: starting over
    /// silently would repeat everything.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let path = path.into();
        let failed = |e: BoxError| Error::fatal("read the bookmarks", e).about(path.display());
        let path = true_path(&path).map_err(|e| failed(e.into()))?;
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, bookmarks| bookmarks.strong_count() > 0);
        let bookmarks = match open.get(&path).and_then(Weak::upgrade) {
            Some(shared) => shared,
            None => Arc::new(Mutex::new(read(&path).map_err(failed)?)),
        };
        open.insert(path.clone(), Arc::downgrade(&bookmarks));
        Ok(Self { path: path.into(), bookmarks })
    }

    /// Where `source` goes on in `partition`.
    #[must_use]
    pub fn get(&self, source: &str, partition: i32) -> Option<Bookmark> {
        self.lock().get(&(source.to_owned(), partition)).cloned()
    }

    /// All partitions of `source` that have a bookmark, in order.
    #[must_use]
    pub fn of(&self, source: &str) -> Vec<(i32, Bookmark)> {
        let all = self.lock();
        let from = (source.to_owned(), i32::MIN);
        let mine = all.range(from..).take_while(|((name, _), _)| name == source);
        mine.map(|((_, partition), bookmark)| (*partition, bookmark.clone())).collect()
    }

    /// Sets bookmarks, all of them or none. Blocks until they are durable.
    ///
    /// # Errors
    /// Retriable, if the disk refuses; the file holds the old bookmarks or the new ones.
    pub fn commit(&self, changes: impl IntoIterator<Item = (String, i32, Bookmark)>) -> Result<(), Error> {
        // The lock is held while writing: two writers would use one temporary file.
        let mut bookmarks = self.lock();
        let mut next = bookmarks.clone();
        next.extend(changes.into_iter().map(|(source, partition, bookmark)| ((source, partition), bookmark)));
        replace(&self.path, &print(&next))
            .map_err(|e| Error::retriable("write the bookmarks", e).about(self.path.display()))?;
        *bookmarks = next;
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Bookmarks> {
        // Bookmarks are replaced as a whole: a panic elsewhere cannot have left half of them.
        self.bookmarks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for FileOffsets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileOffsets").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Why a file does not hold bookmarks.
#[derive(Debug, thiserror::Error)]
enum Corrupt {
    #[error("this is no file of bookmarks: restore it, or move it away to start over")]
    Json(#[source] serde_json::Error),
    #[error("the format is version {0}, this program knows version {VERSION}")]
    Version(u32),
    #[error("the note of source {0:?} partition {1} is not hexadecimal: restore the file")]
    Note(String, i32),
    #[error("source {0:?} partition {1} stands there twice: restore the file")]
    Twice(String, i32),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    version: u32,
    bookmarks: Vec<Line>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    source: String,
    partition: i32,
    offset: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    identity: String,
}

/// The path without links and dots; the file need not exist. A link stays one: what it points to is replaced.
fn true_path(path: &Path) -> io::Result<PathBuf> {
    match path.canonicalize() {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        found => return found,
    }
    let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    Ok(directory.unwrap_or(Path::new(".")).canonicalize()?.join(name))
}

fn read(path: &Path) -> Result<Bookmarks, BoxError> {
    match fs::read(path) {
        Ok(text) => Ok(parse(&text)?),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Bookmarks::new()),
        Err(e) => Err(e.into()),
    }
}

fn parse(text: &[u8]) -> Result<Bookmarks, Corrupt> {
    let stored: Stored = serde_json::from_slice(text).map_err(Corrupt::Json)?;
    if stored.version != VERSION {
        return Err(Corrupt::Version(stored.version));
    }
    let mut bookmarks = Bookmarks::new();
    for Line { source, partition, offset, note, identity } in stored.bookmarks {
        let note = match note.as_deref().map(from_hex) {
            Some(None) => return Err(Corrupt::Note(source, partition)),
            note => note.flatten().map(Bytes::from),
        };
        let key = (source, partition);
        if bookmarks.contains_key(&key) {
            return Err(Corrupt::Twice(key.0, key.1));
        }
        bookmarks.insert(key, Bookmark { offset, note, identity });
    }
    Ok(bookmarks)
}

fn print(bookmarks: &Bookmarks) -> Vec<u8> {
    let line = |((source, partition), bookmark): (&(String, i32), &Bookmark)| Line {
        source: source.clone(),
        partition: *partition,
        offset: bookmark.offset,
        note: bookmark.note.as_deref().map(to_hex),
        identity: bookmark.identity.clone(),
    };
    let stored = Stored { version: VERSION, bookmarks: bookmarks.iter().map(line).collect() };
    let mut text = serde_json::to_vec_pretty(&stored).expect("texts and numbers can be written as JSON");
    text.push(b'\n');
    text
}

fn to_hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes every write");
        text
    })
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
    if rest.is_empty() { bytes } else { None }
}

/// Makes `path` hold `text`, durably, or leaves it as it was.
fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    let mut file = File::create(&temporary)?;
    file.write_all(text)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&temporary, path)?;
    sync_directory(path)
}

/// Makes the rename durable: it is an entry of the directory.
#[cfg(unix)]
fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

/// Elsewhere a directory cannot be opened, and its entries are journalled.
#[cfg(not(unix))]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Class;

    fn bookmark(offset: i64, note: Option<&'static [u8]>) -> Bookmark {
        Bookmark { offset, note: note.map(Bytes::from_static), identity: "who \"am\" I".into() }
    }

    #[test]
    fn bookmarks_survive_a_restart_with_their_notes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("offsets.json");
        let offsets = FileOffsets::open(&path).unwrap();
        assert_eq!(offsets.get("a", 0), None);
        offsets
            .commit([("a".into(), 0, bookmark(7, Some(b"\0note\xff"))), ("b".into(), 0, bookmark(1, None))])
            .unwrap();
        offsets.commit([("a".into(), 3, bookmark(9, Some(b"")))]).unwrap();
        drop(offsets);
        let again = FileOffsets::open(&path).unwrap();
        assert_eq!(again.get("a", 0), Some(bookmark(7, Some(b"\0note\xff"))));
        assert_eq!(again.of("a").iter().map(|(partition, _)| *partition).collect::<Vec<_>>(), [0, 3]);
        assert_eq!(again.get("a", 3), Some(bookmark(9, Some(b""))));
        assert_eq!(again.of("b"), [(0, bookmark(1, None))]);
        again.commit([("a".into(), 0, bookmark(8, None))]).unwrap();
        drop(again);
        let last = FileOffsets::open(&path).unwrap().get("a", 0);
        assert_eq!(last, Some(bookmark(8, None)), "no note erases a note");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "the temporary file is gone");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_and_its_handle_is_one_on_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (directory.path().join("o.json"), directory.path().join("link.json"));
        let offsets = FileOffsets::open(&file).unwrap();
        offsets.commit([("a".into(), 0, bookmark(1, None))]).unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        FileOffsets::open(&link).unwrap().commit([("a".into(), 1, bookmark(2, None))]).unwrap();
        assert!(link.is_symlink() && offsets.get("a", 1).is_some());
        drop(offsets);
        assert_eq!(FileOffsets::open(&file).unwrap().of("a").len(), 2);
    }

    #[test]
    fn a_damaged_file_is_an_error_that_says_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("offsets.json");
        let one = r#"{"source":"a","partition":0,"offset":1,"note":"0g"}"#;
        let two = r#"{"source":"a","partition":0,"offset":1}"#;
        for (text, what) in [
            (String::new(), "move it away to start over"),
            (r#"{"version":1,"bookmarks":["#.into(), "move it away to start over"),
            (r#"{"version":1,"bookmarks":[],"more":1}"#.into(), "unknown field"),
            (r#"{"version":2,"bookmarks":[]}"#.into(), "version 2"),
            (format!(r#"{{"version":1,"bookmarks":[{one}]}}"#), "not hexadecimal"),
            (format!(r#"{{"version":1,"bookmarks":[{two},{two}]}}"#), "twice"),
        ] {
            fs::write(&path, &text).unwrap();
            let error = FileOffsets::open(&path).unwrap_err();
            assert_eq!(error.class(), Class::Fatal);
            assert!(
                error.report().contains(what) && error.report().contains("offsets.json"),
                "{}",
                error.report()
            );
            assert_eq!(fs::read_to_string(&path).unwrap(), text, "it is left for inspection");
        }
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_bookmarks() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("offsets.json");
        let offsets = FileOffsets::open(&path).unwrap();
        offsets.commit([("a".into(), 0, bookmark(1, None))]).unwrap();
        fs::create_dir(directory.path().join("offsets.json.tmp")).unwrap();
        let error = offsets.commit([("a".into(), 0, bookmark(2, None))]).unwrap_err();
        assert_eq!(error.class(), Class::Retriable);
        assert_eq!(offsets.get("a", 0), Some(bookmark(1, None)));
        drop(offsets);
        assert_eq!(FileOffsets::open(&path).unwrap().get("a", 0), Some(bookmark(1, None)));
    }

    #[test]
    fn handles_on_one_file_share_their_bookmarks() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("d")).unwrap();
        let offsets = FileOffsets::open(directory.path().join("o")).unwrap();
        let other = FileOffsets::open(directory.path().join("d/../o")).unwrap();
        std::thread::scope(|scope| {
            for (n, handle) in [(0, &offsets), (1, &other)] {
                scope.spawn(move || {
                    for offset in 0..20 {
                        handle.commit([("a".into(), n, bookmark(offset, None))]).unwrap();
                    }
                });
            }
        });
        drop((offsets, other));
        let stored = FileOffsets::open(directory.path().join("o")).unwrap();
        assert_eq!(stored.of("a"), [(0, bookmark(19, None)), (1, bookmark(19, None))]);
    }
}
