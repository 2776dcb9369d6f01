//! Parsed schemas by number: fetched before a batch, looked up by its records.

use super::{Lookup, RegisteredSchema, SchemaRegistry};
use crate::{Error, Preparation};
use futures_util::{StreamExt, stream};
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};
use tokio::time::Instant;

/// Requests to the registry at once.
const CONCURRENCY: usize = 8;
/// What was used within this time stays: a batch that was prepared finds its schemas whatever other tasks fetch.
/// Longer than an attempt to fetch what else the batch needs may take.
const STAYS: Duration = Duration::from_secs(600);
/// How long the registry is not asked again for a number that it does not know.
const MISSING_FOR: Duration = Duration::from_secs(60);

type Parse<P> = dyn Fn(&RegisteredSchema) -> Result<P, String> + Send + Sync;

/// Schemas as a converter needs them, shared by its clones and so by the tasks of a pipeline.
///
/// # Memory
/// As many as `schemas.cache.size` says; beyond, numbers that do not exist go first, then what was not used longest, but
/// no schema that was used within the last ten minutes.
pub struct Schemas<P>(Arc<Shared<P>>);

struct Shared<P> {
    registry: SchemaRegistry,
    parse: Box<Parse<P>>,
    capacity: usize,
    entries: RwLock<HashMap<u32, Entry<P>>>,
}

struct Entry<P> {
    used: Instant,
    fetched: Instant,
    found: Result<Arc<P>, Refused>,
}

/// Why no record of a schema can be converted.
#[derive(Clone, Debug, thiserror::Error)]
enum Refused {
    #[error("the schema registry does not have schema {0}: {1}")]
    Missing(u32, Arc<str>),
    #[error("schema {0} cannot be used: {1}")]
    Unusable(u32, Arc<str>),
    #[error(
        "schema {0} was not fetched: a converter by a schema registry stands before all that changes its part of the record"
    )]
    NotFetched(u32),
}

impl<P: Send + Sync + 'static> Schemas<P> {
    /// No schema is known yet. `parse` makes of a schema what the converter needs, once per schema; its error says why
    /// records of that schema are poison.
    pub fn new(
        registry: SchemaRegistry,
        capacity: usize,
        parse: impl Fn(&RegisteredSchema) -> Result<P, String> + Send + Sync + 'static,
    ) -> Self {
        let entries = RwLock::new(HashMap::new());
        Self(Arc::new(Shared { registry, parse: Box::new(parse), capacity, entries }))
    }

    /// What must be fetched before records with these numbers can be converted; `None` if all are known. A number
    /// that the registry does not have is known as such, for a minute.
    ///
    /// # Errors of the future
    /// Those of [`SchemaRegistry::schema`]. What was fetched until then is kept.
    pub fn prepare(&self, ids: impl IntoIterator<Item = u32>) -> Option<Preparation> {
        let now = Instant::now();
        let mut unknown: Vec<u32> = Vec::new();
        let mut last = None;
        let mut entries = self.0.entries.write().unwrap_or_else(PoisonError::into_inner);
        for id in ids {
            // Neighbours usually have one schema.
            if last.replace(id) == Some(id) {
                continue;
            }
            match entries.get_mut(&id) {
                Some(entry) if entry.holds(now) => entry.used = now,
                _ => unknown.push(id),
            }
        }
        drop(entries);
        if unknown.is_empty() {
            return None;
        }
        unknown.sort_unstable();
        unknown.dedup();
        let shared = Arc::clone(&self.0);
        Some(Box::pin(async move { shared.fetch(unknown).await }))
    }

    /// What was made of that schema. Never waits.
    ///
    /// # Errors
    /// Poison: the registry does not have it, it cannot be used, or it was not [prepared](Self::prepare).
    pub fn get(&self, id: u32) -> Result<Arc<P>, Error> {
        let entries = self.0.entries.read().unwrap_or_else(PoisonError::into_inner);
        let found = entries.get(&id).map_or(Err(Refused::NotFetched(id)), |entry| entry.found.clone());
        found.map_err(|refused| Error::poison("find the schema of the record", refused))
    }
}

impl<P> Entry<P> {
    fn holds(&self, now: Instant) -> bool {
        !self.is_missing() || now < self.fetched + MISSING_FOR
    }

    fn is_missing(&self) -> bool {
        matches!(self.found, Err(Refused::Missing(..)))
    }
}

impl<P: Send + Sync + 'static> Shared<P> {
    async fn fetch(&self, ids: Vec<u32>) -> Result<(), Error> {
        let mut answers = stream::iter(ids)
            .map(|id| async move { (id, self.registry.schema(id).await) })
            .buffer_unordered(CONCURRENCY);
        while let Some((id, answer)) = answers.next().await {
            let found = match answer? {
                Lookup::Found(schema) => {
                    (self.parse)(&schema).map(Arc::new).map_err(|why| Refused::Unusable(id, why.into()))
                }
                Lookup::Missing(why) => Err(Refused::Missing(id, why.into())),
            };
            self.insert(id, found);
        }
        Ok(())
    }

    fn insert(&self, id: u32, found: Result<Arc<P>, Refused>) {
        let now = Instant::now();
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        entries.insert(id, Entry { used: now, fetched: now, found });
        if entries.len() <= self.capacity {
            return;
        }
        // To forget that a number does not exist is harmless: its records are refused either way.
        let others = entries.iter().filter(|(other, _)| **other != id);
        let first = others.min_by_key(|(_, entry)| (!entry.is_missing(), entry.used));
        if let Some((&gone, _)) = first.filter(|(_, entry)| entry.is_missing() || entry.used + STAYS < now) {
            entries.remove(&gone);
        }
    }
}

impl<P> Clone for Schemas<P> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<P> fmt::Debug for Schemas<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schemas").field("registry", &self.0.registry).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
