//! A create-only object store in memory, and the file-like sink in front of it.

mod sink;

use super::{Delivered, Gate, WriteFault};
use crate::Error;
pub use sink::{Completed, ObjectSink};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

/// A complete object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// The id of the note under which it was made.
    pub id: u64,
    /// What it contains.
    pub rows: Vec<Delivered>,
}

/// The target of [`ObjectSink`]s: survives them, as a bucket would. Cloning gives another handle.
///
/// ```
/// use connect_core::testing::MemoryObjects;
/// let bucket = MemoryObjects::new();
/// let sink = bucket.sink();
/// assert!(bucket.objects().is_empty());
/// # drop(sink);
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemoryObjects(Arc<Mutex<Store>>);

#[derive(Debug, Default)]
struct Store {
    objects: BTreeMap<String, Object>,
    faults: VecDeque<WriteFault>,
    ids: u64,
    /// Broken: objects that exist are replaced.
    replaces: bool,
}

impl MemoryObjects {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A sink that cuts when it is told to, by a flush or a revoke.
    #[must_use]
    pub fn sink(&self) -> ObjectSink {
        ObjectSink::new(self.clone())
    }

    /// A sink that completes objects only after they have passed `gate`.
    #[must_use]
    pub fn gated(&self, gate: &Gate) -> ObjectSink {
        self.sink().wait_at(gate)
    }

    /// All objects by name: `topic-partition/from`.
    #[must_use]
    pub fn objects(&self) -> BTreeMap<String, Object> {
        self.lock().objects.clone()
    }

    /// The rows of all objects, in the order of their names.
    #[must_use]
    pub fn rows(&self) -> Vec<Delivered> {
        self.lock().objects.values().flat_map(|object| object.rows.clone()).collect()
    }

    /// The next completion fails like this; several calls queue up.
    pub fn fail_next(&self, fault: WriteFault) {
        self.lock().faults.push_back(fault);
    }

    /// Completes an object, create-only. One that exists counts only if it carries the same id.
    ///
    /// # Errors
    /// Fatal if the name is taken by another id; otherwise those of [`fail_next`](Self::fail_next).
    pub fn create(&self, name: &str, object: Object) -> Result<(), Error> {
        let mut store = self.lock();
        let fault = store.faults.pop_front();
        if let Some(fault) = fault.as_ref().filter(|fault| !fault.written) {
            return Err((fault.error)());
        }
        match store.objects.get(name) {
            Some(existing) if existing.id != object.id && !store.replaces => {
                return Err(
                    Error::fatal("complete the object", "its name is taken by another range").about(name)
                );
            }
            Some(_) if !store.replaces => {}
            _ => {
                store.objects.insert(name.to_owned(), object);
            }
        }
        fault.map_or(Ok(()), |fault| Err((fault.error)()))
    }

    /// The same store, which replaces objects from now on: for tests of what finds that.
    #[cfg(test)]
    pub(super) fn replacing(&self) -> &Self {
        self.lock().replaces = true;
        self
    }

    fn next_id(&self) -> u64 {
        let mut store = self.lock();
        store.ids += 1;
        store.ids
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Store> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
