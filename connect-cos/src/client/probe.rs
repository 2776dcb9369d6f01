//! The start-up check: a store that does not publish create-only is refused before the first record.

use super::{Object, Store};
use crate::{
    error::{Answer, StoreError},
    note::NoteId,
};
use bytes::Bytes;
use connect_core::Error;
use std::time::Duration;

const OPERATION: &str = "check the store";
/// The directory below `topics.dir` that no reader of the data looks into.
const HIDDEN: &str = ".connect";
/// What the names of the check's objects begin with; the second of their birth follows.
const STEM: &str = "_connect-probe-";
/// A check of another task is over by then: younger objects may still be needed by it.
const LEFTOVER_AGE_SECONDS: i64 = 15 * 60;
/// What is refused at a first start is asked for once more after this wait before it is called a mistake.
const SECOND_THOUGHT: Duration = Duration::from_secs(1);

/// Writes an object, tries to write over it in both ways the sink writes, asks whose it is and removes it.
/// `parts`: whether objects of several parts can occur (that check costs one smallest part). `again`: the task was
/// started again by itself.
pub(crate) async fn probe(
    store: &dyn Store,
    topics_dir: &str,
    parts: bool,
    again: bool,
) -> Result<(), Error> {
    let dir = match topics_dir {
        "" => HIDDEN.to_owned(),
        dir => format!("{dir}/{HIDDEN}"),
    };
    let now = jiff::Timestamp::now().as_second();
    let mut answer = attempt(store, &dir, now, parts).await;
    if !again && answer.as_ref().is_err_and(|(_, e)| e.answer == Answer::Denied) {
        tokio::time::sleep(SECOND_THOUGHT).await;
        answer = attempt(store, &dir, now, parts).await;
    }
    answer.map_err(|(name, e)| Error::new(e.class_at_start(again), OPERATION, e).about(name))?;
    remove_leftovers(store, &dir, now).await;
    Ok(())
}

/// One check with an object of its own, which is gone afterwards.
async fn attempt(store: &dyn Store, dir: &str, now: i64, parts: bool) -> Result<(), (String, StoreError)> {
    let id = NoteId(fastrand::u64(..));
    let object = Object { name: format!("{dir}/{STEM}{now}-{id}"), id, first: 0 };
    let checked = check(store, &object, parts).await;
    let refused = checked.as_ref().is_err_and(|e| e.answer == Answer::Denied);
    if !refused && let Err(e) = store.remove(&object.name).await {
        // Deleting is asked for nowhere else, so a policy without it is no reason to stop.
        tracing::warn!(object = object.name, error = %e,
            "the start-up check's object could not be removed; it lies beside the data and is tried again at a later \
             start: allow deleting below that directory, or give it a lifecycle rule");
    }
    checked.map_err(|e| (object.name, e))
}

/// Removes what checks that were killed have left. What cannot be listed or removed is left to the next start.
async fn remove_leftovers(store: &dyn Store, dir: &str, now: i64) {
    let names = match store.list(dir, STEM).await {
        Ok(names) => names,
        Err(e) => return tracing::debug!(error = %e, "leftovers of start-up checks could not be listed"),
    };
    for name in names.iter().filter(|name| is_leftover(name, now)) {
        match store.remove(name).await {
            Ok(()) => tracing::info!(object = name, "removed what an earlier start-up check had left"),
            Err(e) => tracing::debug!(object = name, error = %e, "a leftover could not be removed"),
        }
    }
}

/// Whether the object of a check is so old that the check must have died.
fn is_leftover(name: &str, now: i64) -> bool {
    let born = name.rsplit('/').next().and_then(|name| name.strip_prefix(STEM)?.split_once('-'));
    let born = born.and_then(|(second, _)| second.parse::<i64>().ok());
    born.is_some_and(|born| now - born > LEFTOVER_AGE_SECONDS)
}

async fn check(store: &dyn Store, object: &Object, parts: bool) -> Result<(), StoreError> {
    let bytes = Bytes::from_static(b"written by the start-up check of connect-cos\n");
    match store.put(object, 0, bytes.clone()).await {
        // What is there then tells.
        Err(e) if e.answer == Answer::Unconfirmed => {}
        answer => answer?,
    }
    let found = store.stat(&object.name, object.id).await?;
    if found.and_then(|found| found.id) != Some(object.id) {
        let what = "the store does not keep the metadata of an object, which tells whose it is";
        return Err(StoreError::new(Answer::Fatal, what));
    }
    refused(store.put(object, 0, bytes).await)?;
    if parts {
        let mut upload = store.begin(object).await?;
        // The store may answer at any of these, as long as it does.
        let mut answer = upload.part(vec![b'\n'; store.min_part()].into()).await;
        if answer.is_ok() {
            answer = upload.part(Bytes::from_static(b"\n")).await;
        }
        if answer.is_ok() {
            answer = upload.complete(0).await.map(drop);
        }
        upload.abort().await;
        refused(answer)?;
    }
    Ok(())
}

fn refused(answer: Result<(), StoreError>) -> Result<(), StoreError> {
    match answer {
        Err(e) if e.answer == Answer::Exists => Ok(()),
        Err(e) if e.answer != Answer::Unconfirmed => Err(e),
        _ => Err(StoreError::new(
            Answer::Fatal,
            "the store overwrote an object that was to be created only; use one that honours `If-None-Match: *` (S3) \
             or `x-cos-forbid-overwrite` (COS: a bucket that never had versioning)",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_objects_of_checks_that_are_long_over_are_leftovers() {
        let now = 1_800_000_000;
        for (name, leftover) in [
            ("topics/.connect/_connect-probe-1799990000-00000000000000ab", true),
            ("topics/.connect/_connect-probe-1799999999-00000000000000ab", false),
            ("topics/.connect/_connect-probe-x-00000000000000ab", false),
            ("topics/.connect/t+0+0000000000-0.json", false),
        ] {
            assert_eq!(is_leftover(name, now), leftover, "{name}");
        }
    }
}
