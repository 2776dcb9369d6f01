//! A store whose client is made anew when its credentials are refused, or when the store wants checksums.
//!
//! Clients read credentials once and keep them while no expiry is known, and rotated files, profiles and container
//! endpoints tell of none. So a refusal is taken as the sign that they have changed: references of the configuration are
//! resolved again, and whatever source the client asks by itself is asked again.

use super::{
    Found, Object, Store, Upload,
    refusal::{Matter, Refusal},
};
use crate::{
    config::{Checksum, CosConfig},
    error::{Answer, StoreError},
    note::NoteId,
};
use async_trait::async_trait;
use bytes::Bytes;
use connect_core::config::Secret;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Between two warnings of refused credentials.
const TELL_AGAIN: Duration = Duration::from_secs(60);

/// Makes the client of a configuration.
pub(super) type Make = fn(&str, &str, &CosConfig) -> Result<Arc<dyn Store>, StoreError>;

/// See the module.
pub(super) struct Renewing(Arc<Shared>);

struct Shared {
    bucket: String,
    root: String,
    make: Make,
    current: Mutex<Current>,
    /// One renewal at a time: requests that fail together need one.
    renewal: tokio::sync::Mutex<()>,
}

struct Current {
    store: Arc<dyn Store>,
    /// The configuration with the credentials that the store was made with.
    config: CosConfig,
    told: Option<Instant>,
}

impl Renewing {
    /// The store of `config`, its references resolved as they are now: a task may start long after they were read.
    pub(super) fn shared(
        bucket: &str,
        root: &str,
        config: &CosConfig,
        make: Make,
    ) -> Result<Arc<dyn Store>, StoreError> {
        let config = resolved(config);
        let store = make(bucket, root, &config)?;
        let current = Mutex::new(Current { store, config, told: None });
        let (bucket, root) = (bucket.to_owned(), root.to_owned());
        Ok(Arc::new(Self(Arc::new(Shared {
            bucket,
            root,
            make,
            current,
            renewal: tokio::sync::Mutex::new(()),
        }))))
    }
}

impl Shared {
    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.lock().store)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the client anew if that may help against `error`, which a request by `used` met. Returns whether a repetition
    /// is worth it.
    async fn renew(&self, used: &Arc<dyn Store>, error: &StoreError) -> bool {
        let Some(refusal) = error.refusal() else { return false };
        let _one = self.renewal.lock().await;
        let config = {
            let current = self.lock();
            if !Arc::ptr_eq(&current.store, used) {
                return true;
            }
            current.config.clone()
        };
        if refusal.matter() == Matter::Checksum && config.checksum == Checksum::Auto {
            tracing::info!(%refusal, "the store wants a checksum with each write: sending Content-MD5 from now on");
            return self.replace(CosConfig { checksum: Checksum::Md5, ..config });
        }
        if !refusal.asks_for_credentials() {
            return false;
        }
        let from = Origin::of(&config);
        if from == Origin::Literal {
            return false;
        }
        let old = config.clone();
        let Ok(config) = tokio::task::spawn_blocking(move || resolved(&config)).await else { return false };
        let changed = (&old.access_key, &old.secret_key, &old.session_token)
            != (&config.access_key, &config.secret_key, &config.session_token);
        self.tell(refusal, from, changed);
        // What the client finds by itself may have changed without a sign.
        (changed || from == Origin::Client) && self.replace(config)
    }

    fn replace(&self, config: CosConfig) -> bool {
        match (self.make)(&self.bucket, &self.root, &config) {
            Ok(store) => {
                let mut current = self.lock();
                (current.store, current.config) = (store, config);
                true
            }
            Err(e) => {
                tracing::warn!(error = %e, "the client of the store could not be made again");
                false
            }
        }
    }

    fn tell(&self, refusal: &Refusal, from: Origin, changed: bool) {
        let mut current = self.lock();
        let quiet = !changed && current.told.is_some_and(|told| told.elapsed() < TELL_AGAIN);
        if quiet {
            return;
        }
        current.told = Some(Instant::now());
        match (from, changed) {
            (Origin::Client, _) => tracing::warn!(
                %refusal,
                "the store refused the credentials; they are read again from the environment, the profile or the \
                 machine's role"
            ),
            (_, true) => tracing::warn!(
                %refusal,
                "the store refused the credentials; what store.access.key.id, store.secret.access.key and \
                 store.session.token refer to has changed, and is used from now on"
            ),
            (_, false) => tracing::warn!(
                %refusal,
                "the store refused the credentials; what store.access.key.id and store.secret.access.key refer to was \
                 read again and is the same"
            ),
        }
    }

    /// Says which keys to look at, and what they say.
    fn advised(&self, mut error: StoreError) -> StoreError {
        let current = self.lock();
        let config = &current.config;
        if let Some(refusal) = error.refusal() {
            let advice = advice(refusal.matter(), config);
            error.advice = (!advice.is_empty()).then_some(advice);
        }
        error
    }
}

/// Where credentials come from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// They stand in the configuration.
    Literal,
    /// The configuration refers to them.
    Reference,
    /// The client looks for them: environment, profile, container, machine.
    Client,
}

impl Origin {
    fn of(config: &CosConfig) -> Self {
        let keys = [&config.access_key, &config.secret_key, &config.session_token];
        match &config.access_key {
            None => Self::Client,
            Some(_) if keys.into_iter().flatten().any(Secret::is_reference) => Self::Reference,
            Some(_) => Self::Literal,
        }
    }
}

/// The configuration with its secrets as they are now. What cannot be resolved stays as it was.
fn resolved(config: &CosConfig) -> CosConfig {
    let again = |key: &str, secret: &Option<Secret>| {
        let secret = secret.as_ref()?;
        Some(secret.resolve().unwrap_or_else(|why| {
            tracing::warn!(key, why, "a credential could not be read again; the one read before is used");
            secret.clone()
        }))
    };
    CosConfig {
        access_key: again("store.access.key.id", &config.access_key),
        secret_key: again("store.secret.access.key", &config.secret_key),
        session_token: again("store.session.token", &config.session_token),
        ..config.clone()
    }
}

fn advice(matter: Matter, config: &CosConfig) -> String {
    let region = config.region.as_deref().unwrap_or("us-east-1, the default");
    let endpoint = config.endpoint.as_deref().unwrap_or("AWS's own");
    match matter {
        Matter::Credentials if config.access_key.is_none() => {
            "check the credentials of the environment, the profile or the machine's role, or set store.access.key.id \
             and store.secret.access.key"
                .to_owned()
        }
        Matter::Credentials => {
            "check store.access.key.id, store.secret.access.key and store.session.token".to_owned()
        }
        Matter::Permission => format!(
            "check that the owner of store.access.key.id may write, read and list below store.url={}",
            config.url
        ),
        Matter::Region => format!("check store.region={region}"),
        Matter::Endpoint => format!("check store.endpoint={endpoint} and store.region={region}"),
        Matter::Checksum => {
            format!("check store.checksum.algorithm={}", config.checksum.as_str())
        }
        Matter::Request => format!("check store.url={} and store.endpoint={endpoint}", config.url),
    }
}

#[async_trait]
impl Store for Renewing {
    fn min_part(&self) -> usize {
        self.0.store().min_part()
    }

    fn part_size(&self, configured: usize) -> usize {
        self.0.store().part_size(configured)
    }

    fn spills(&self) -> bool {
        self.0.store().spills()
    }

    async fn begin(&self, object: &Object) -> Result<Box<dyn Upload>, StoreError> {
        let mut used = self.0.store();
        let mut answer = used.begin(object).await;
        if let Err(e) = &answer
            && self.0.renew(&used, e).await
        {
            used = self.0.store();
            answer = used.begin(object).await;
        }
        match answer {
            Ok(upload) => Ok(Box::new(RenewingUpload { upload, used, shared: Arc::clone(&self.0) })),
            Err(e) => Err(self.0.advised(e)),
        }
    }

    async fn put(&self, object: &Object, last: i64, bytes: Bytes) -> Result<(), StoreError> {
        let used = self.0.store();
        let mut answer = used.put(object, last, bytes.clone()).await;
        if let Err(e) = &answer
            && self.0.renew(&used, e).await
        {
            answer = self.0.store().put(object, last, bytes).await;
        }
        answer.map_err(|e| self.0.advised(e))
    }

    async fn stat(&self, name: &str, id: NoteId) -> Result<Option<Found>, StoreError> {
        let used = self.0.store();
        let mut answer = used.stat(name, id).await;
        if let Err(e) = &answer
            && self.0.renew(&used, e).await
        {
            answer = self.0.store().stat(name, id).await;
        }
        answer.map_err(|e| self.0.advised(e))
    }

    async fn list(&self, dir: &str, stem: &str) -> Result<Vec<String>, StoreError> {
        let used = self.0.store();
        let mut answer = used.list(dir, stem).await;
        if let Err(e) = &answer
            && self.0.renew(&used, e).await
        {
            answer = self.0.store().list(dir, stem).await;
        }
        answer.map_err(|e| self.0.advised(e))
    }

    async fn settle(&self, names: &[String], stem: &str, from: i64) -> Result<(), StoreError> {
        self.0.store().settle(names, stem, from).await
    }

    async fn remove(&self, name: &str) -> Result<(), StoreError> {
        let used = self.0.store();
        let mut answer = used.remove(name).await;
        if let Err(e) = &answer
            && self.0.renew(&used, e).await
        {
            answer = self.0.store().remove(name).await;
        }
        answer.map_err(|e| self.0.advised(e))
    }
}

/// An upload belongs to the client that began it: after a renewal it can only be begun anew.
struct RenewingUpload {
    upload: Box<dyn Upload>,
    used: Arc<dyn Store>,
    shared: Arc<Shared>,
}

/// What a request of an upload begun by `used` was answered.
async fn answered<T>(
    shared: &Shared,
    used: &Arc<dyn Store>,
    answer: Result<T, StoreError>,
) -> Result<T, StoreError> {
    let e = match answer {
        Ok(done) => return Ok(done),
        Err(e) => e,
    };
    let renewed = shared.renew(used, &e).await;
    let e = shared.advised(e);
    Err(if renewed { StoreError { answer: Answer::Gone, ..e } } else { e })
}

#[async_trait]
impl Upload for RenewingUpload {
    fn held(&self) -> usize {
        self.upload.held()
    }

    async fn part(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        let answer = self.upload.part(bytes).await;
        answered(&self.shared, &self.used, answer).await
    }

    async fn complete(&mut self, last: i64) -> Result<u64, StoreError> {
        let answer = self.upload.complete(last).await;
        answered(&self.shared, &self.used, answer).await
    }

    async fn abort(&mut self) {
        self.upload.abort().await;
    }
}
