//! Wrappers that fail where a plan says so, and forward everything else.

use super::{Faults, Point};
use crate::{
    Assigned, Batch, Commit, Context, DeadLetters, Delivery, Error, Event, Flush, Letter, Output,
    PartitionId, Record, Sink, Source, Transform,
};
use async_trait::async_trait;

/// A sink that fails where the plan says so.
#[derive(Debug)]
pub struct FaultySink<S> {
    sink: S,
    faults: Faults,
}

impl<S> FaultySink<S> {
    /// Wraps `sink`.
    pub fn new(sink: S, faults: &Faults) -> Self {
        Self { sink, faults: faults.clone() }
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl<S: Sink> Sink for FaultySink<S> {
    type Done = S::Done;

    fn delivery(&self) -> Delivery {
        self.sink.delivery()
    }

    async fn open(&mut self) -> Result<(), Error> {
        self.faults.hit(Point::SinkOpen)?;
        self.sink.open().await
    }

    fn assigned(&mut self, partitions: &[Assigned], cx: &mut Context<S::Done>) -> Result<(), Error> {
        self.faults.hit(Point::Assigned)?;
        self.sink.assigned(partitions, cx)
    }

    fn put(&mut self, batch: Batch, cx: &mut Context<S::Done>) -> Result<(), Error> {
        self.faults.hit(Point::Put)?;
        self.sink.put(batch, cx)
    }

    fn done(&mut self, done: S::Done, cx: &mut Context<S::Done>) -> Result<(), Error> {
        self.faults.hit(Point::Done)?;
        self.sink.done(done, cx)
    }

    fn timer(&mut self, cx: &mut Context<S::Done>) -> Result<(), Error> {
        self.faults.hit(Point::Timer)?;
        self.sink.timer(cx)
    }

    fn noted(&mut self, id: PartitionId, cx: &mut Context<S::Done>) -> Result<(), Error> {
        self.faults.hit(Point::Noted)?;
        self.sink.noted(id, cx)
    }

    fn flush(&mut self, why: Flush, cx: &mut Context<S::Done>) -> Result<(), Error> {
        self.faults.hit(Point::Flush)?;
        self.sink.flush(why, cx)
    }

    fn revoke(&mut self, ids: &[PartitionId], cx: &mut Context<S::Done>) -> Result<(), Error> {
        self.faults.hit(Point::Revoke)?;
        self.sink.revoke(ids, cx)
    }

    fn lost(&mut self, ids: &[PartitionId]) {
        self.sink.lost(ids);
    }

    async fn close(&mut self) -> Result<(), Error> {
        self.faults.hit(Point::Close)?;
        self.sink.close().await
    }
}

/// A source that fails where the plan says so.
#[derive(Debug)]
pub struct FaultySource<S> {
    source: S,
    faults: Faults,
}

impl<S> FaultySource<S> {
    /// Wraps `source`.
    pub fn new(source: S, faults: &Faults) -> Self {
        Self { source, faults: faults.clone() }
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl<S: Source> Source for FaultySource<S> {
    async fn open(&mut self) -> Result<(), Error> {
        self.faults.hit(Point::SourceOpen)?;
        self.source.open().await
    }

    async fn next(&mut self, room: usize) -> Result<Event, Error> {
        // Only what is handed over counts: a call that waits is dropped and made again any number of times.
        let event = self.source.next(room).await?;
        self.faults.hit(Point::Next)?;
        Ok(event)
    }

    fn commit(&mut self, commits: Vec<Commit>) {
        self.faults.hit(Point::Commit).expect("told to fail where no error can be returned");
        self.source.commit(commits);
    }

    fn release(&mut self, ids: &[PartitionId]) {
        self.faults.hit(Point::Release).expect("told to fail where no error can be returned");
        self.source.release(ids);
    }

    fn hold(&mut self, ids: &[PartitionId], held: bool) {
        self.source.hold(ids, held);
    }

    async fn close(&mut self) -> Result<(), Error> {
        self.source.close().await
    }
}

/// A transform that fails where the plan says so: [`Point::Transform`].
#[derive(Debug)]
pub struct FaultyTransform<T> {
    transform: T,
    faults: Faults,
}

impl<T> FaultyTransform<T> {
    /// Wraps `transform`.
    pub fn new(transform: T, faults: &Faults) -> Self {
        Self { transform, faults: faults.clone() }
    }
}

#[deny(clippy::missing_trait_methods)]
impl<T: Transform> Transform for FaultyTransform<T> {
    fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error> {
        self.faults.hit(Point::Transform)?;
        self.transform.apply(record, out)
    }

    fn describe(&self) -> Option<String> {
        self.transform.describe()
    }

    fn deterministic(&self) -> bool {
        self.transform.deterministic()
    }
}

/// A dead letter queue that fails where the plan says so: [`Point::Letters`].
#[derive(Debug)]
pub struct FaultyLetters<L> {
    letters: L,
    faults: Faults,
}

impl<L> FaultyLetters<L> {
    /// Wraps `letters`.
    pub fn new(letters: L, faults: &Faults) -> Self {
        Self { letters, faults: faults.clone() }
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl<L: DeadLetters> DeadLetters for FaultyLetters<L> {
    async fn open(&self) -> Result<(), Error> {
        self.letters.open().await
    }

    async fn write(&self, letters: &[Letter]) -> Vec<Result<(), Error>> {
        let mut answers = Vec::with_capacity(letters.len());
        for letter in letters {
            answers.push(match self.faults.hit(Point::Letters) {
                Ok(()) => self.letters.write(std::slice::from_ref(letter)).await.pop().unwrap_or(Ok(())),
                Err(error) => Err(error),
            });
        }
        answers
    }
}
