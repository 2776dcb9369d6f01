//! The start-up check: a store that does not publish create-only is refused before the first record.

use super::{Object, Store};
use crate::{
    error::{Answer, StoreError},
    note::NoteId,
};
use bytes::Bytes;
use connect_core::Error;

const OPERATION: &str = "check the store";

/// Writes an object, tries to write over it in both ways the sink writes, asks whose it is and removes it.
/// `parts`: whether objects of several parts can occur (that check costs one smallest part). `again`: the task was
/// started again by itself.
pub(crate) async fn probe(
    store: &dyn Store,
    topics_dir: &str,
    parts: bool,
    again: bool,
) -> Result<(), Error> {
    let id = NoteId(fastrand::u64(..));
    let dir = if topics_dir.is_empty() { String::new() } else { format!("{topics_dir}/") };
    let object = Object { name: format!("{dir}_connect-probe-{id}"), id, first: 0 };
    let checked = check(store, &object, parts).await;
    if let Err(e) = store.remove(&object.name).await {
        tracing::warn!(object = object.name, error = %e, "the start-up check's object could not be removed");
    }
    checked.map_err(|e| Error::new(e.class_at_start(again), OPERATION, e).about(&object.name))
}

async fn check(store: &dyn Store, object: &Object, parts: bool) -> Result<(), StoreError> {
    let bytes = Bytes::from_static(b"written by the start-up check of connect-cos\n");
    store.put(object, 0, bytes.clone()).await?;
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
            answer = upload.complete(0).await;
        }
        upload.abort().await;
        refused(answer)?;
    }
    Ok(())
}

fn refused(answer: Result<(), StoreError>) -> Result<(), StoreError> {
    match answer {
        Err(e) if e.answer == Answer::Exists => Ok(()),
        Err(e) => Err(e),
        Ok(()) => Err(StoreError::new(
            Answer::Fatal,
            "the store overwrote an object that was to be created only; use one that honours `If-None-Match: *` (S3) \
             or `x-cos-forbid-overwrite` (COS: a bucket that never had versioning)",
        )),
    }
}
