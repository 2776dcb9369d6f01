//! Ordered transforms over a batch: what goes on, what was filtered, what was rejected.

use crate::{
    Batch, Error, Output, Preparation, Record, Transform,
    batch::payload,
    framing::Frame,
    record::{ONLY, Row},
};
use std::sync::Arc;

/// The transforms of a pipeline, in order. Cheap to clone.
#[derive(Clone, Default)]
pub struct Chain {
    stages: Arc<[Arc<dyn Transform>]>,
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.stages.iter().map(|stage| stage.describe())).finish()
    }
}

/// What a [`Chain`] made of a batch. Accounted by the runtime before the sink sees `batch`.
#[derive(Debug)]
pub struct Transformed {
    /// What goes to the sink: the runs as read, the rows as transformed.
    pub batch: Batch,
    /// Records that became none, as read.
    pub filtered: Vec<u32>,
    /// Records that became several, as read, with how many.
    pub fanned: Vec<(u32, u32)>,
    /// Records that a transform refused, each as a batch of one that shares nothing, with the reason.
    pub rejected: Vec<(Batch, Error)>,
}

impl Chain {
    /// The transforms in the order in which records pass them.
    #[must_use]
    pub fn new(stages: Vec<Arc<dyn Transform>>) -> Self {
        Self { stages: stages.into() }
    }

    /// Whether records pass untouched.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stages.is_empty()
    }

    /// Text that is equal for chains with equal results; `None` if a transform cannot be described.
    #[must_use]
    pub fn describe(&self) -> Option<String> {
        let stages: Option<Vec<String>> = self.stages.iter().map(|stage| stage.describe()).collect();
        stages.map(|stages| stages.join("\n"))
    }

    /// Whether every transform gives equal results for equal records.
    #[must_use]
    pub fn deterministic(&self) -> bool {
        self.stages.iter().all(|stage| stage.deterministic())
    }

    /// What has to be fetched before a batch as read may be [applied](Self::apply), one transform after the other;
    /// `None`: nothing. See [`Transform::prepare`].
    #[must_use]
    pub fn prepare(&self, batch: &Batch) -> Option<Preparation> {
        let mut needed: Vec<Preparation> =
            self.stages.iter().filter_map(|stage| stage.prepare(batch)).collect();
        match needed.len() {
            0 => None,
            1 => needed.pop(),
            _ => Some(Box::pin(async move {
                for preparation in needed {
                    preparation.await?;
                }
                Ok(())
            })),
        }
    }

    /// Sends a batch as read through all stages. A record that any stage refuses is taken back with all its
    /// siblings: it is dead-lettered as read, so its children must not be delivered too.
    #[must_use]
    pub fn apply(&self, mut batch: Batch, now_ms: i64) -> Transformed {
        if self.stages.is_empty() || batch.is_empty() {
            return Transformed { batch, filtered: Vec::new(), fanned: Vec::new(), rejected: Vec::new() };
        }
        debug_assert!(batch.originals.is_none(), "a chain takes batches as read");
        let originals = batch.take_originals();
        let mut errors = Vec::new();
        for stage in &*self.stages {
            batch = run_stage(&**stage, batch, now_ms, &mut errors);
        }
        batch.originals = Some(Arc::clone(&originals));
        let rejected = take_back(&mut batch, errors);
        let (filtered, fanned) = count_children(&mut batch, &originals, &rejected);
        batch.whole = filtered.is_empty() && fanned.is_empty() && rejected.is_empty();
        drop_unused_chunks(&mut batch);
        let rejected = rejected.into_iter().map(|(_, record, error)| (record, error)).collect();
        Transformed { batch, filtered, fanned, rejected }
    }
}

fn run_stage(stage: &dyn Transform, mut batch: Batch, now_ms: i64, errors: &mut Vec<(u32, Error)>) -> Batch {
    let chunk = u32::try_from(batch.chunks.len()).expect("a batch has few chunks");
    let mut out = Output::new(chunk, std::mem::take(&mut batch.topics), now_ms);
    out.rows.reserve(batch.len());
    out.buf.reserve(batch.payload_bytes());
    // Records look topics up in their batch while `out` collects new ones: the batch keeps the old list.
    batch.topics = out.topics.clone();
    for record in batch.iter() {
        let (rows, bytes) = (out.rows.len(), out.buf.len());
        if let Err(error) = stage.apply(record, &mut out) {
            out.rows.truncate(rows);
            out.buf.truncate(bytes);
            errors.push((record.row().original, error));
        }
    }
    batch.payload = payload(&out.rows);
    batch.rows = out.rows;
    batch.strips.clear();
    batch.topics = out.topics;
    batch.chunks.push(out.buf.into());
    batch
}

/// Removes the surviving siblings of refused records and copies the records themselves out, as read.
fn take_back(batch: &mut Batch, mut errors: Vec<(u32, Error)>) -> Vec<(u32, Batch, Error)> {
    if errors.is_empty() {
        return Vec::new();
    }
    errors.sort_by_key(|(original, _)| *original);
    errors.dedup_by_key(|(original, _)| *original);
    batch.rows.retain(|row| errors.binary_search_by_key(&row.original, |(original, _)| *original).is_err());
    batch.payload = payload(&batch.rows);
    let originals = batch.originals.clone().expect("set before rows are taken back");
    let copy_out = |original: u32| Record::new(batch, &originals[original as usize]).original().detach();
    errors.into_iter().map(|(original, error)| (original, copy_out(original), error)).collect()
}

/// Numbers siblings and finds the records that became none or several. Rows stand in order of their originals.
fn count_children(
    batch: &mut Batch,
    originals: &[Row],
    rejected: &[(u32, Batch, Error)],
) -> (Vec<u32>, Vec<(u32, u32)>) {
    let (mut filtered, mut fanned) = (Vec::new(), Vec::new());
    let mut refused = rejected.iter().map(|(original, ..)| *original).peekable();
    let mut rest = batch.rows.as_mut_slice();
    for original in 0..u32::try_from(originals.len()).expect("a batch has fewer than 2^32 rows") {
        let count = rest.iter().take_while(|row| row.original == original).count();
        let (children, others) = std::mem::take(&mut rest).split_at_mut(count);
        rest = others;
        match children {
            [] if refused.next_if_eq(&original).is_some() => {}
            [] => filtered.push(original),
            [only] => only.index = ONLY,
            several => {
                for (index, child) in (0..).zip(several.iter_mut()) {
                    child.index = index;
                    // It names the record without a number.
                    child.frame = Frame::NONE;
                }
                fanned.push((
                    original,
                    u32::try_from(several.len()).expect("a batch has fewer than 2^32 rows"),
                ));
            }
        }
    }
    debug_assert!(rest.is_empty(), "output keeps the order of input");
    (filtered, fanned)
}

/// What intermediate stages wrote is of no use once later stages have rewritten it.
fn drop_unused_chunks(batch: &mut Batch) {
    let mut used = vec![false; batch.chunks.len()];
    let originals = batch.originals.as_deref().map_or(&[][..], Vec::as_slice);
    for row in batch.rows.iter().chain(originals) {
        for span in [row.key, row.value, row.headers] {
            if !span.is_null() {
                used[span.chunk as usize] = true;
            }
        }
    }
    for (chunk, used) in batch.chunks.iter_mut().zip(used) {
        if !used {
            *chunk = bytes::Bytes::new();
        }
    }
}

#[cfg(test)]
mod tests;
