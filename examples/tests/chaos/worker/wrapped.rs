//! A sink that can be made deaf from outside the process.

use crate::spec::{AT_NOTED, DEAF_TO_NOTED, GATE, SILENCE};
use async_trait::async_trait;
use connect_core::{Assigned, Batch, Context, Delivery, Error, Flush, PartitionId, Sink};
use std::{
    collections::VecDeque,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::time::Instant;

/// How often a closed gate is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// While the gate is closed, every call is kept, in order, and the sink knows nothing of it: it neither writes nor
/// answers a revocation. When the gate opens, it hears everything as if it were now.
pub(crate) struct Wrapped<S: Sink> {
    inner: S,
    pipeline: String,
    dir: PathBuf,
    kept: VecDeque<Call<S::Done>>,
    /// Answers that the sink has not heard.
    unheard: VecDeque<S::Done>,
}

/// A call that waits.
enum Call<D> {
    Assigned(Vec<Assigned>),
    Put(Batch),
    Done(D),
    Noted(PartitionId),
    Flush(Flush),
    Revoke(Vec<PartitionId>),
    Lost(Vec<PartitionId>),
}

impl<S: Sink> Wrapped<S> {
    pub(crate) fn new(inner: S, pipeline: &str, dir: &Path) -> Self {
        Self {
            inner,
            pipeline: pipeline.to_owned(),
            dir: dir.to_owned(),
            kept: VecDeque::new(),
            unheard: VecDeque::new(),
        }
    }

    fn is_blocked(&self) -> bool {
        self.dir.join(GATE).exists()
    }

    fn is_in_silence(&self) -> bool {
        self.dir.join(SILENCE).exists()
    }

    fn call(&mut self, call: Call<S::Done>, cx: &mut Context<S::Done>) -> Result<(), Error> {
        if self.kept.is_empty() && !self.is_blocked() {
            return self.forward(call, cx);
        }
        self.kept.push_back(call);
        cx.wake_at(Instant::now() + LOOK);
        Ok(())
    }

    fn forward(&mut self, call: Call<S::Done>, cx: &mut Context<S::Done>) -> Result<(), Error> {
        match call {
            Call::Assigned(partitions) => self.inner.assigned(&partitions, cx),
            Call::Put(batch) => self.inner.put(batch, cx),
            Call::Done(done) => self.inner.done(done, cx),
            Call::Noted(id) if self.is_deaf_to_noted() => {
                tracing::info!(?id, "the sink does not hear that its note is committed");
                fs::write(self.dir.join(AT_NOTED), "").map_err(|e| Error::fatal("write a marker", e))
            }
            Call::Noted(id) => self.inner.noted(id, cx),
            Call::Flush(why) => self.inner.flush(why, cx),
            Call::Revoke(ids) => self.inner.revoke(&ids, cx),
            Call::Lost(ids) => {
                self.inner.lost(&ids);
                Ok(())
            }
        }
    }

    fn is_deaf_to_noted(&self) -> bool {
        fs::read_to_string(self.dir.join(DEAF_TO_NOTED)).is_ok_and(|pipeline| pipeline == self.pipeline)
    }
}

#[async_trait]
impl<S: Sink> Sink for Wrapped<S> {
    type Done = S::Done;

    fn delivery(&self) -> Delivery {
        self.inner.delivery()
    }

    async fn open(&mut self) -> Result<(), Error> {
        self.inner.open().await
    }

    fn assigned(&mut self, partitions: &[Assigned], cx: &mut Context<S::Done>) -> Result<(), Error> {
        self.call(Call::Assigned(partitions.to_vec()), cx)
    }

    fn put(&mut self, batch: Batch, cx: &mut Context<S::Done>) -> Result<(), Error> {
        self.call(Call::Put(batch), cx)
    }

    fn done(&mut self, done: S::Done, cx: &mut Context<S::Done>) -> Result<(), Error> {
        if self.is_in_silence() {
            self.unheard.push_back(done);
            cx.wake_at(Instant::now() + LOOK);
            return Ok(());
        }
        self.call(Call::Done(done), cx)
    }

    fn timer(&mut self, cx: &mut Context<S::Done>) -> Result<(), Error> {
        if self.is_blocked() {
            cx.wake_at(Instant::now() + LOOK);
            return Ok(());
        }
        while let Some(call) = self.kept.pop_front() {
            self.forward(call, cx)?;
        }
        if !self.unheard.is_empty() {
            cx.wake_at(Instant::now() + LOOK);
        }
        while !self.is_in_silence()
            && let Some(done) = self.unheard.pop_front()
        {
            self.inner.done(done, cx)?;
        }
        // The wish that was spent may have been the sink's own.
        self.inner.timer(cx)
    }

    fn noted(&mut self, id: PartitionId, cx: &mut Context<S::Done>) -> Result<(), Error> {
        self.call(Call::Noted(id), cx)
    }

    fn flush(&mut self, why: Flush, cx: &mut Context<S::Done>) -> Result<(), Error> {
        self.call(Call::Flush(why), cx)
    }

    fn revoke(&mut self, ids: &[PartitionId], cx: &mut Context<S::Done>) -> Result<(), Error> {
        self.call(Call::Revoke(ids.to_vec()), cx)
    }

    fn lost(&mut self, ids: &[PartitionId]) {
        if self.kept.is_empty() {
            self.inner.lost(ids);
        } else {
            self.kept.push_back(Call::Lost(ids.to_vec()));
        }
    }

    async fn close(&mut self) -> Result<(), Error> {
        self.inner.close().await
    }
}
