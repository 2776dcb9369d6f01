//! A directory as a store. Objects appear whole and create-only: written to a temporary file, made durable, then
//! linked to their name, which fails if the name is taken.
//!
//! A file system keeps no metadata of ours, so the temporary file itself is the proof of identity. It lies in
//! `.connect/` beside the object and is called `<object>.<id>.<first>-<last>.<random>`; after the link it is the
//! same inode as the object. An object is ours if and only if one of the files called after it and our id has its
//! inode: no copy, replay or other pipeline can make that true. The proof stays until the range is committed, and
//! is removed by [`Store::settle`]. `DESIGN.md` says why not otherwise.

use super::{Found, Object, Store, Upload};
use crate::{
    error::{Answer, StoreError},
    naming,
    note::NoteId,
};
use async_trait::async_trait;
use bytes::Bytes;
use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, ErrorKind},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

pub(super) const PROOFS: &str = ".connect";
/// What a proof's name has behind its object's, at most: `.<id>.<first>-<last>.<random>`, offsets of 19 digits.
pub(super) const PROOF_SUFFIX_MAX: usize = 1 + 16 + 1 + 19 + 1 + 19 + 1 + 16;
/// The largest write.
const PART_BYTES_MAX: usize = 1 << 20;
/// Unfinished files that stay open between their parts, in the whole process: an eighth of the usual limit of open
/// files, 1,024. Whoever completes a file needs one more for its directory: were all taken, nobody could go on.
const KEPT_OPEN_MAX: usize = 128;
/// What the name of an unfinished file ends in.
const UNFINISHED: &str = "part";

pub(super) struct FsStore {
    root: PathBuf,
}

impl FsStore {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }
}

/// Runs what blocks on a thread that may.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(e) => Err(StoreError::new(Answer::Transient, e)),
    }
}

#[async_trait]
impl Store for FsStore {
    fn min_part(&self) -> usize {
        1
    }

    /// Larger writes are not faster, and what is not written yet takes memory.
    fn part_size(&self, configured: usize) -> usize {
        configured.min(PART_BYTES_MAX)
    }

    fn spills(&self) -> bool {
        true
    }

    async fn begin(&self, object: &Object) -> Result<Box<dyn Upload>, StoreError> {
        let (root, object) = (self.root.clone(), object.clone());
        blocking(move || Ok(Box::new(FsUpload(Some(Writing::begin(&root, &object)?))) as Box<dyn Upload>))
            .await
    }

    async fn put(&self, object: &Object, last: i64, bytes: Bytes) -> Result<(), StoreError> {
        let (root, object) = (self.root.clone(), object.clone());
        blocking(move || {
            let mut writing = Writing::begin(&root, &object)?;
            writing.append(&bytes)?;
            writing.publish(last).map(drop)
        })
        .await
    }

    async fn stat(&self, name: &str, id: NoteId) -> Result<Option<Found>, StoreError> {
        let target = self.root.join(name);
        blocking(move || find(&target, id)).await
    }

    async fn list(&self, dir: &str, stem: &str) -> Result<Vec<String>, StoreError> {
        let (root, dir, stem) = (self.root.clone(), self.root.join(dir), stem.to_owned());
        blocking(move || {
            let mut names = Vec::new();
            walk(&root, &dir, &stem, &mut names)?;
            Ok(names)
        })
        .await
    }

    async fn settle(&self, names: &[String], stem: &str, from: i64) -> Result<(), StoreError> {
        let dirs: BTreeSet<PathBuf> =
            names.iter().filter_map(|name| Some(self.root.join(name).parent()?.join(PROOFS))).collect();
        let stem = stem.to_owned();
        blocking(move || dirs.iter().try_for_each(|dir| sweep(dir, &stem, from))).await
    }

    async fn sweep(&self, dir: &str, partitions: Vec<(String, i64)>) -> Result<(), StoreError> {
        let (dir, given_up) = (self.root.join(dir), GivenUp::default());
        let stopped = given_up.flag();
        let done = blocking(move || sweep_below(&dir, &partitions, &stopped)).await;
        drop(given_up);
        done
    }

    async fn remove(&self, name: &str) -> Result<(), StoreError> {
        let target = self.root.join(name);
        blocking(move || {
            for proof in proofs(&target)? {
                let _ = fs::remove_file(proof.path);
            }
            Ok(fs::remove_file(&target)?)
        })
        .await
    }
}

static KEPT_OPEN: AtomicUsize = AtomicUsize::new(0);

/// An open file that counts against [`KEPT_OPEN_MAX`].
struct Kept(File);

impl Kept {
    fn new(file: File) -> Option<Self> {
        let kept = Self(file);
        // Too many: dropped, which takes it off the count and closes it.
        (KEPT_OPEN.fetch_add(1, Ordering::Relaxed) < KEPT_OPEN_MAX).then_some(kept)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        KEPT_OPEN.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A file on its way to its name.
struct Writing {
    /// `None`: opened for each part.
    file: Option<Kept>,
    /// Where it is now, in the directory of proofs.
    path: PathBuf,
    target: PathBuf,
    id: NoteId,
    first: i64,
    /// Bytes of whole parts: what a failed write may have added behind them does not count.
    len: u64,
    /// It has become an object, or has lost the race for the name.
    linked: bool,
}

impl Writing {
    fn begin(root: &Path, object: &Object) -> Result<Self, StoreError> {
        let target = root.join(&object.name);
        let dir = target.parent().unwrap_or(root).join(PROOFS);
        make_dir(&dir)?;
        let path =
            dir.join(format!("{}.{}.{:016x}.{UNFINISHED}", file_name(&target), object.id, fastrand::u64(..)));
        let file = Kept::new(File::options().write(true).create_new(true).open(&path)?);
        Ok(Self { file, path, target, id: object.id, first: object.first, len: 0, linked: false })
    }

    fn with_file(&self, work: impl FnOnce(&File) -> io::Result<()>) -> io::Result<()> {
        if let Some(Kept(file)) = &self.file {
            return work(file);
        }
        let file = File::options().write(true).open(&self.path)?;
        work(&file)?;
        // A failure to write back may be forgotten while nobody has the file open: a later sync would not tell.
        file.sync_data()
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        use std::os::unix::fs::FileExt;
        self.with_file(|file| file.write_all_at(bytes, self.len))?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Returns the length of the object.
    fn publish(&mut self, last: i64) -> Result<u64, StoreError> {
        let mut len = 0;
        self.with_file(|file| {
            file.set_len(self.len)?;
            file.sync_all()?;
            len = file.metadata()?.len();
            Ok(())
        })?;
        self.file = None;
        if self.path.extension().is_some_and(|end| end == UNFINISHED) {
            let proof = format!(
                "{}.{}.{}-{last}.{:016x}",
                file_name(&self.target),
                self.id,
                self.first,
                fastrand::u64(..)
            );
            let proof = self.path.with_file_name(proof);
            fs::rename(&self.path, &proof)?;
            self.path = proof;
        }
        // The proof has to be as durable as the object it speaks for, and before it.
        sync_dir(&self.path)?;
        fs::hard_link(&self.path, &self.target)?;
        self.linked = true;
        sync_dir(&self.target)?;
        Ok(len)
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        // After a failed link the file proves nothing; after a successful one it is the proof.
        if !self.linked {
            let _ = fs::remove_file(&self.path);
        }
    }
}

struct FsUpload(Option<Writing>);

impl FsUpload {
    async fn with<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Writing) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let mut writing =
            self.0.take().ok_or_else(|| StoreError::new(Answer::Gone, "the file was given up"))?;
        let (writing, done) = blocking(move || {
            let done = work(&mut writing);
            Ok((writing, done))
        })
        .await?;
        self.0 = Some(writing);
        done
    }
}

#[async_trait]
impl Upload for FsUpload {
    fn held(&self) -> usize {
        0
    }

    async fn part(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        self.with(move |writing| writing.append(&bytes)).await
    }

    async fn complete(&mut self, last: i64) -> Result<u64, StoreError> {
        self.with(move |writing| writing.publish(last)).await
    }

    async fn abort(&mut self) {
        self.0 = None;
    }
}

fn file_name(target: &Path) -> String {
    target.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Creates a directory and makes every new level durable.
fn make_dir(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    if let Some(parent) = dir.parent() {
        make_dir(parent)?;
    }
    match fs::create_dir(dir) {
        Err(e) if e.kind() != ErrorKind::AlreadyExists => Err(e),
        _ => sync_dir(dir),
    }
}

/// Makes the entry of `path` in its directory durable.
fn sync_dir(path: &Path) -> io::Result<()> {
    let dir = path.parent().ok_or_else(|| io::Error::other("a file lies in a directory"))?;
    File::open(dir)?.sync_all()
}

struct Proof {
    path: PathBuf,
    id: NoteId,
    first: i64,
    last: i64,
}

/// The finished files called after `target`.
fn proofs(target: &Path) -> io::Result<Vec<Proof>> {
    let dir = target.parent().map(|dir| dir.join(PROOFS)).unwrap_or_default();
    let prefix = format!("{}.", file_name(target));
    let mut proofs = Vec::new();
    for path in entries(&dir)? {
        let name = file_name(&path);
        if let Some((id, first, last)) = name.strip_prefix(&prefix).and_then(parse_proof) {
            proofs.push(Proof { path, id, first, last });
        }
    }
    Ok(proofs)
}

/// `<id>.<first>-<last>.<random>`
fn parse_proof(rest: &str) -> Option<(NoteId, i64, i64)> {
    let mut pieces = rest.split('.');
    let (id, offsets, _random, None) = (pieces.next()?, pieces.next()?, pieces.next()?, pieces.next()) else {
        return None;
    };
    let (first, last) = offsets.split_once('-')?;
    Some((NoteId(u64::from_str_radix(id, 16).ok()?), first.parse().ok()?, last.parse().ok()?))
}

/// The entries of a directory; none if it is not there.
fn entries(dir: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(dir) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(e),
    }
}

fn find(target: &Path, id: NoteId) -> Result<Option<Found>, StoreError> {
    let object = match fs::symlink_metadata(target) {
        Ok(object) => object,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e.into()),
    };
    for proof in proofs(target)?.into_iter().filter(|proof| proof.id == id) {
        // It may be removed meanwhile: then it proves nothing.
        if let Ok(same) = fs::symlink_metadata(&proof.path)
            && (same.dev(), same.ino()) == (object.dev(), object.ino())
        {
            // Who linked it may have died before the name was durable, and on our word the offset moves.
            sync_dir(target)?;
            let (first, last) = (Some(proof.first), Some(proof.last));
            return Ok(Some(Found { id: Some(id), first, last, len: object.len() }));
        }
    }
    Ok(Some(Found { id: None, first: None, last: None, len: object.len() }))
}

fn walk(root: &Path, dir: &Path, stem: &str, names: &mut Vec<String>) -> Result<(), StoreError> {
    for path in entries(dir)? {
        let name = file_name(&path);
        if name == PROOFS {
            continue;
        }
        if path.is_dir() {
            walk(root, &path, stem, names)?;
        } else if name.starts_with(stem)
            && let Ok(inside) = path.strip_prefix(root)
        {
            names.push(inside.to_string_lossy().into_owned());
        }
    }
    Ok(())
}

/// Removes the proofs and unfinished files of a partition's ranges below `from`.
fn sweep(dir: &Path, stem: &str, from: i64) -> Result<(), StoreError> {
    for path in entries(dir)? {
        let name = file_name(&path);
        let old = name.strip_prefix(stem).and_then(naming::from_of).is_some_and(|of| of < from);
        if old
            && let Err(e) = fs::remove_file(&path)
            && e.kind() != ErrorKind::NotFound
        {
            return Err(e.into());
        }
    }
    Ok(())
}

/// Tells a walk that nobody waits for it any more, when it is dropped.
#[derive(Default)]
struct GivenUp(Arc<AtomicBool>);

impl GivenUp {
    fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }
}

impl Drop for GivenUp {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Sweeps every directory of proofs below `dir`. What is at or above a partition's committed offset stays: the range of
/// its note, or of whoever else has it by now.
fn sweep_below(dir: &Path, partitions: &[(String, i64)], stopped: &AtomicBool) -> Result<(), StoreError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e.into()),
    };
    for entry in entries {
        if stopped.load(Ordering::Relaxed) {
            return Ok(());
        }
        let entry = entry?;
        // Links are not followed: what they lead to is somebody else's.
        if !entry.file_type()?.is_dir() {
            continue;
        }
        match entry.file_name() == PROOFS {
            true => partitions.iter().try_for_each(|(stem, from)| sweep(&entry.path(), stem, *from))?,
            false => sweep_below(&entry.path(), partitions, stopped)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::probe;

    const ID: NoteId = NoteId(7);

    fn object(name: &str) -> Object {
        Object { name: name.to_owned(), id: ID, first: 10 }
    }

    fn store() -> (tempfile::TempDir, FsStore) {
        let dir = tempfile::tempdir().unwrap();
        let store = FsStore::new(dir.path().to_owned());
        (dir, store)
    }

    fn proofs_in(dir: &tempfile::TempDir) -> usize {
        entries(&dir.path().join("a").join(PROOFS)).unwrap().len()
    }

    #[tokio::test]
    async fn an_object_appears_whole_and_is_never_overwritten() {
        let (dir, store) = store();
        let name = "a/t+0+0000000010-0.json";
        let mut upload = store.begin(&object(name)).await.unwrap();
        upload.part("one\n".into()).await.unwrap();
        assert!(!dir.path().join(name).exists());
        upload.part("two\n".into()).await.unwrap();
        upload.complete(12).await.unwrap();
        assert_eq!(fs::read_to_string(dir.path().join(name)).unwrap(), "one\ntwo\n");
        let again = store.put(&Object { id: NoteId(8), ..object(name) }, 12, "other".into()).await;
        assert_eq!(again.unwrap_err().answer, Answer::Exists);
        assert_eq!(fs::read_to_string(dir.path().join(name)).unwrap(), "one\ntwo\n");
        let found = store.stat(name, ID).await.unwrap();
        assert_eq!(found, Some(Found { id: Some(ID), first: Some(10), last: Some(12), len: 8 }));
        assert_eq!(store.stat("a/none", ID).await.unwrap(), None);
    }

    #[tokio::test]
    async fn more_objects_may_be_unfinished_than_files_may_be_open() {
        let (dir, _) = store();
        let name = |n| format!("a/t+{n}+0000000010-0.json");
        let begun = (0..2 * KEPT_OPEN_MAX).map(|n| Writing::begin(dir.path(), &object(&name(n))).unwrap());
        let mut all: Vec<Writing> = begun.collect();
        for part in ["one\n", "two\n"] {
            all.iter_mut().for_each(|writing| writing.append(part.as_bytes()).unwrap());
        }
        assert!(all.iter().filter(|writing| writing.file.is_some()).count() <= KEPT_OPEN_MAX);
        for (n, writing) in all.iter_mut().enumerate() {
            writing.publish(12).unwrap();
            assert_eq!(fs::read_to_string(dir.path().join(name(n))).unwrap(), "one\ntwo\n");
        }
        assert!(all.iter().all(|writing| writing.file.is_none()), "what is published is closed");
    }

    #[tokio::test]
    async fn an_equal_object_of_another_writer_is_not_ours() {
        let (dir, store) = store();
        let name = "a/t+0+0000000010-0.json";
        store.put(&object(name), 12, "same".into()).await.unwrap();
        assert_eq!(store.stat(name, NoteId(8)).await.unwrap().unwrap().id, None);
        // A copy put in its place has the bytes and the proof's name, but not the inode.
        fs::copy(dir.path().join(name), dir.path().join("copy")).unwrap();
        fs::rename(dir.path().join("copy"), dir.path().join(name)).unwrap();
        assert_eq!(store.stat(name, ID).await.unwrap().unwrap().id, None);
    }

    #[tokio::test]
    async fn of_two_writers_with_one_note_either_may_win_and_both_know() {
        let (_dir, store) = store();
        let name = "a/t+0+0000000010-0.json";
        let (mut one, mut two) =
            (store.begin(&object(name)).await.unwrap(), store.begin(&object(name)).await.unwrap());
        one.part("same".into()).await.unwrap();
        two.part("same".into()).await.unwrap();
        two.complete(12).await.unwrap();
        assert_eq!(one.complete(12).await.unwrap_err().answer, Answer::Exists);
        drop(one);
        assert_eq!(store.stat(name, ID).await.unwrap().unwrap().id, Some(ID));
    }

    #[tokio::test]
    async fn proofs_have_no_longer_names_than_was_reckoned() {
        let (dir, store) = store();
        let name = "a/t+0+0000000010-0.json";
        let object = Object { id: NoteId(u64::MAX), first: i64::MAX - 1, ..object(name) };
        store.put(&object, i64::MAX, "x".into()).await.unwrap();
        let proofs = entries(&dir.path().join("a").join(PROOFS)).unwrap();
        let lengths: Vec<usize> = proofs.iter().map(|proof| file_name(proof).len()).collect();
        assert_eq!(lengths, [name.len() - "a/".len() + PROOF_SUFFIX_MAX]);
    }

    #[tokio::test]
    async fn leftovers_go_when_the_range_is_committed_and_not_before() {
        let (dir, store) = store();
        let name = "a/t+0+0000000010-0.json";
        store.put(&object(name), 12, "x".into()).await.unwrap();
        let stale =
            dir.path().join("a").join(PROOFS).join("t+0+0000000010-1.json.0000000000000007.00ff.part");
        fs::write(&stale, "half").unwrap();
        let other =
            dir.path().join("a").join(PROOFS).join("t+1+0000000010-1.json.0000000000000007.00ff.part");
        fs::write(&other, "half").unwrap();
        let names = [name.to_owned()];
        store.settle(&names, "t+0+", 10).await.unwrap();
        assert_eq!(proofs_in(&dir), 3);
        store.settle(&names, "t+0+", 11).await.unwrap();
        assert_eq!(proofs_in(&dir), 1, "another partition's files stay");
        assert!(dir.path().join(name).exists());
    }

    #[tokio::test]
    async fn a_dropped_upload_leaves_nothing() {
        let (dir, store) = store();
        let mut upload = store.begin(&object("a/t+0+0000000010-0.json")).await.unwrap();
        upload.part("x".into()).await.unwrap();
        assert_eq!(proofs_in(&dir), 1);
        drop(upload);
        assert_eq!(proofs_in(&dir), 0);
    }

    #[tokio::test]
    async fn names_are_listed_by_stem_without_proofs() {
        let (_dir, store) = store();
        for name in ["a/b/t+0+0000000010-0.json", "a/t+0+0000000010-1.json", "a/t+0+0000000011-0.json"] {
            store.put(&object(name), 12, "x".into()).await.unwrap();
        }
        let mut names = store.list("a", "t+0+0000000010-").await.unwrap();
        names.sort();
        assert_eq!(names, ["a/b/t+0+0000000010-0.json", "a/t+0+0000000010-1.json"]);
        assert!(store.list("none", "t").await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn the_start_up_check_accepts_a_directory_and_leaves_no_file() {
        let (dir, store) = store();
        probe(&store, "topics", true, false).await.unwrap();
        let left: Vec<_> =
            fs::read_dir(dir.path().join("topics")).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, [PROOFS], "nothing is where readers look");
        let hidden = dir.path().join("topics").join(PROOFS);
        assert_eq!(entries(&hidden).unwrap(), [hidden.join(PROOFS)]);
        assert!(entries(&hidden.join(PROOFS)).unwrap().is_empty());
    }

    #[tokio::test]
    async fn leftovers_of_committed_ranges_go_in_directories_that_are_no_longer_written() {
        let (dir, store) = store();
        for name in ["topics/2025/t+0+0000000010-0.json", "topics/2026/t+0+0000000020-0.json"] {
            store.put(&object(name), 12, "old\n".into()).await.unwrap();
        }
        let hidden = dir.path().join("topics/2025").join(PROOFS);
        fs::write(hidden.join("t+0+0000000005-0.json.00000000000000ab.00000000000000cd.part"), "cut")
            .unwrap();
        fs::write(hidden.join("t+1+0000000005-0.json.00000000000000ab.00000000000000cd.part"), "theirs")
            .unwrap();
        store.sweep("topics", vec![("t+0+".to_owned(), 20)]).await.unwrap();
        let left: Vec<String> = entries(&hidden).unwrap().iter().map(|path| file_name(path)).collect();
        assert_eq!(
            left,
            ["t+1+0000000005-0.json.00000000000000ab.00000000000000cd.part"],
            "of another owner"
        );
        let links = |name: &str| fs::metadata(dir.path().join(name)).unwrap().nlink();
        assert_eq!(links("topics/2025/t+0+0000000010-0.json"), 1, "deleting it frees its blocks");
        assert_eq!(
            links("topics/2026/t+0+0000000020-0.json"),
            2,
            "the range at the committed offset keeps its proof"
        );
        store.sweep("nowhere", vec![("t+0+".to_owned(), 20)]).await.unwrap();
    }

    #[tokio::test]
    async fn what_a_killed_start_up_check_left_goes_at_a_later_start() {
        let (dir, store) = store();
        let hidden = dir.path().join("topics").join(PROOFS);
        fs::create_dir_all(&hidden).unwrap();
        let young = format!("_connect-probe-{}-00000000000000cd", jiff::Timestamp::now().as_second());
        for name in ["_connect-probe-1700000000-00000000000000ab", &young, "t+0+0000000000-0.json.x.part"] {
            fs::write(hidden.join(name), "left over").unwrap();
        }
        probe(&store, "topics", false, false).await.unwrap();
        let mut left: Vec<String> = entries(&hidden).unwrap().iter().map(|path| file_name(path)).collect();
        left.sort();
        assert_eq!(
            left,
            [PROOFS, &young, "t+0+0000000000-0.json.x.part"],
            "another task may need the young one"
        );
    }
}
