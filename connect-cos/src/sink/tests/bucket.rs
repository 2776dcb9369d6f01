//! A store in memory that counts what happens to it, and can stop, fail or lie at any of these moments.

use crate::{
    client::{Found, Object, Store, Upload},
    error::{Answer, StoreError},
    note::NoteId,
};
use async_trait::async_trait;
use bytes::Bytes;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};
use tokio::sync::Notify;

#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) bytes: Bytes,
    pub(super) found: Found,
}

/// What outlives every instance.
#[derive(Debug, Default)]
pub(super) struct Bucket {
    pub(super) objects: Mutex<BTreeMap<String, Stored>>,
}

impl Bucket {
    fn create(&self, object: &Object, last: Option<i64>, bytes: Bytes) -> Result<(), StoreError> {
        let mut objects = self.objects.lock().unwrap();
        if objects.contains_key(&object.name) {
            return Err(StoreError::new(Answer::Exists, "412"));
        }
        let len = bytes.len() as u64;
        let found = Found { id: Some(object.id), first: Some(object.first), last, len };
        objects.insert(object.name.clone(), Stored { bytes, found });
        Ok(())
    }
}

/// What happens to one instance, by the number of the event.
#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) events: AtomicUsize,
    /// The instance dies at this event: nothing of it goes on, until (if ever) it is thawed.
    pub(super) die_at: usize,
    pub(super) dead: AtomicBool,
    pub(super) died: Notify,
    pub(super) thawed: Notify,
    /// Every so many requests fail: before their effect or, at odd turns, after it.
    pub(super) fail_every: usize,
    pub(super) requests: AtomicUsize,
}

impl Faults {
    /// A moment at which the process may die.
    pub(super) async fn moment(&self) {
        if self.events.fetch_add(1, Ordering::SeqCst) + 1 == self.die_at {
            self.dead.store(true, Ordering::SeqCst);
            self.died.notify_one();
        }
        if self.dead.load(Ordering::SeqCst) {
            self.thawed.notified().await;
            // Others may be frozen too.
            self.thawed.notify_one();
        }
    }

    /// Runs one request with its moments and failures.
    async fn request<T>(&self, effect: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let number = self.requests.fetch_add(1, Ordering::SeqCst) + 1;
        let fails = self.fail_every > 0 && number.is_multiple_of(self.fail_every);
        self.moment().await;
        if fails && (number / self.fail_every).is_multiple_of(2) {
            return Err(StoreError::new(Answer::Transient, "503"));
        }
        let answer = effect();
        self.moment().await;
        if fails {
            return Err(StoreError::new(Answer::Transient, "the answer was lost"));
        }
        answer
    }
}

/// The bucket as one instance sees it.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub(super) bucket: Arc<Bucket>,
    pub(super) faults: Arc<Faults>,
    pub(super) spills: bool,
}

#[async_trait]
impl Store for View {
    fn min_part(&self) -> usize {
        1
    }

    fn spills(&self) -> bool {
        self.spills
    }

    async fn begin(&self, object: &Object) -> Result<Box<dyn Upload>, StoreError> {
        self.faults.request(|| Ok(())).await?;
        Ok(Box::new(Parts { view: self.clone(), object: object.clone(), parts: Vec::new() }))
    }

    async fn put(&self, object: &Object, last: i64, bytes: Bytes) -> Result<(), StoreError> {
        self.faults.request(|| self.bucket.create(object, Some(last), bytes)).await
    }

    async fn stat(&self, name: &str, _: NoteId) -> Result<Option<Found>, StoreError> {
        self.faults
            .request(|| Ok(self.bucket.objects.lock().unwrap().get(name).map(|object| object.found)))
            .await
    }

    async fn list(&self, dir: &str, stem: &str) -> Result<Vec<String>, StoreError> {
        let inside =
            |name: &&String| name.starts_with(dir) && name.rsplit('/').next().unwrap().starts_with(stem);
        self.faults
            .request(|| Ok(self.bucket.objects.lock().unwrap().keys().filter(inside).cloned().collect()))
            .await
    }

    async fn settle(&self, _: &[String], _: &str, _: i64) -> Result<(), StoreError> {
        Ok(())
    }

    async fn remove(&self, name: &str) -> Result<(), StoreError> {
        self.bucket.objects.lock().unwrap().remove(name);
        Ok(())
    }
}

struct Parts {
    view: View,
    object: Object,
    parts: Vec<u8>,
}

#[async_trait]
impl Upload for Parts {
    fn held(&self) -> usize {
        0
    }

    async fn part(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        // A part whose answer was lost is there, and is replaced when it is sent again.
        let before = self.parts.len();
        let faults = Arc::clone(&self.view.faults);
        let answer = faults
            .request(|| {
                self.parts.extend_from_slice(&bytes);
                Ok(())
            })
            .await;
        if answer.is_err() {
            self.parts.truncate(before);
        }
        answer
    }

    async fn complete(&mut self, _: i64) -> Result<u64, StoreError> {
        let (bytes, len) = (Bytes::from(self.parts.clone()), self.parts.len() as u64);
        self.view.faults.request(|| self.view.bucket.create(&self.object, None, bytes)).await.map(|()| len)
    }

    async fn abort(&mut self) {}
}
