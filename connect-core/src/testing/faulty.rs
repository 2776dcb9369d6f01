//! Wrappers that fail where a plan says so, and forward everything else.

use super::{Faults, Point};
use crate::{
    Assigned, Batch, Commit, Context, DeadLetters, Delivery, Error, Event, Flush, Framer, Letter, Output,
    PartitionId, Preparation, Record, Sink, Source, Transform,
};
use async_trait::async_trait;

/// A sink that fails where the plan says so, in its methods and within its jobs.
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

    fn framer(&self) -> Option<Box<dyn Framer>> {
        self.sink.framer()
    }

    async fn open(&mut self) -> Result<(), Error> {
        self.faults.pass(Point::SinkOpen)?;
        self.faults.live().await;
        self.sink.open().await
    }

    fn assigned(&mut self, partitions: &[Assigned], cx: &mut Context<S::Done>) -> Result<(), Error> {
        // The first call that has a context: from here on jobs fail too.
        cx.faults = Some(self.faults.clone());
        if self.faults.pass(Point::Assigned)? { self.sink.assigned(partitions, cx) } else { Ok(()) }
    }

    fn put(&mut self, batch: Batch, cx: &mut Context<S::Done>) -> Result<(), Error> {
        if self.faults.pass(Point::Put)? { self.sink.put(batch, cx) } else { Ok(()) }
    }

    fn done(&mut self, done: S::Done, cx: &mut Context<S::Done>) -> Result<(), Error> {
        if self.faults.pass(Point::Done)? { self.sink.done(done, cx) } else { Ok(()) }
    }

    fn timer(&mut self, cx: &mut Context<S::Done>) -> Result<(), Error> {
        if self.faults.pass(Point::Timer)? { self.sink.timer(cx) } else { Ok(()) }
    }

    fn noted(&mut self, id: PartitionId, cx: &mut Context<S::Done>) -> Result<(), Error> {
        if self.faults.pass(Point::Noted)? { self.sink.noted(id, cx) } else { Ok(()) }
    }

    fn flush(&mut self, why: Flush, cx: &mut Context<S::Done>) -> Result<(), Error> {
        if self.faults.pass(Point::Flush)? { self.sink.flush(why, cx) } else { Ok(()) }
    }

    fn revoke(&mut self, ids: &[PartitionId], cx: &mut Context<S::Done>) -> Result<(), Error> {
        if self.faults.pass(Point::Revoke)? { self.sink.revoke(ids, cx) } else { Ok(()) }
    }

    fn lost(&mut self, ids: &[PartitionId]) {
        if !self.faults.is_dead() {
            self.sink.lost(ids);
        }
    }

    async fn close(&mut self) -> Result<(), Error> {
        self.faults.pass(Point::Close)?;
        self.faults.live().await;
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
    fn frame_by(&mut self, framer: Box<dyn Framer>) {
        self.source.frame_by(framer);
    }

    async fn open(&mut self) -> Result<(), Error> {
        self.faults.pass(Point::SourceOpen)?;
        self.faults.live().await;
        self.source.open().await
    }

    async fn next(&mut self, room: usize) -> Result<Event, Error> {
        self.faults.live().await;
        // Only what is handed over counts: a call that waits is dropped and made again any number of times.
        let event = self.source.next(room).await?;
        self.faults.pass(Point::Next)?;
        self.faults.live().await;
        Ok(event)
    }

    fn commit(&mut self, commits: Vec<Commit>) {
        if self.faults.pass(Point::Commit).expect("told to fail where no error can be returned") {
            self.source.commit(commits);
        }
    }

    fn release(&mut self, ids: &[PartitionId]) {
        if self.faults.pass(Point::Release).expect("told to fail where no error can be returned") {
            self.source.release(ids);
        }
    }

    fn hold(&mut self, ids: &[PartitionId], held: bool) {
        if !self.faults.is_dead() {
            self.source.hold(ids, held);
        }
    }

    async fn close(&mut self) -> Result<(), Error> {
        self.faults.live().await;
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
        if self.faults.pass(Point::Transform)? { self.transform.apply(record, out) } else { Ok(()) }
    }

    fn prepare(&self, batch: &Batch) -> Option<Preparation> {
        self.transform.prepare(batch)
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
            let passed = self.faults.pass(Point::Letters);
            self.faults.live().await;
            answers.push(match passed {
                Ok(_) => self.letters.write(std::slice::from_ref(letter)).await.pop().unwrap_or(Ok(())),
                Err(error) => Err(error),
            });
        }
        answers
    }
}
