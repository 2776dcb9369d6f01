//! S3 and COS, by OpenDAL. Its writer puts one object of one part by a conditional PUT, several parts by a multipart
//! upload whose completion is conditional; the last part stays with the writer until then.
//!
//! OpenDAL's writer has two layers. The lower one, the multipart upload, keeps a part until the store has it, so a
//! failed call may be repeated. The upper one collects what is smaller than the store's least part and forgets it when
//! the lower one fails. Parts are cut by this crate, so [`unbuffered`] takes the upper one away.

use super::{
    Found, Object, Store, Upload,
    refusal::{BodyDigest, Reading},
};
use crate::{
    config::{Checksum, CosConfig},
    error::{Answer, StoreError},
    note::NoteId,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt;
use opendal::{
    HttpTransporter, Metadata, OperationContext, Operator, Writer, layers::CapabilityOverrideLayer,
};
use std::{collections::HashMap, future::Future, sync::Arc, time::Duration};

const ID: &str = "connect-id";
const FIRST: &str = "connect-first";
const LAST: &str = "connect-last";

const MIB: usize = 1024 * 1024;

pub(super) struct OpenDalStore {
    operator: Operator,
    min_part: usize,
    limits: Limits,
}

/// The longest waits for an answer.
#[derive(Clone, Copy)]
struct Limits {
    request: (Duration, &'static str),
    completion: (Duration, &'static str),
}

/// Amazon S3 or what speaks like it.
#[cfg(feature = "s3")]
pub(super) fn s3(bucket: &str, root: &str, config: &CosConfig) -> Result<Arc<dyn Store>, StoreError> {
    let mut service = opendal::services::S3::default()
        .bucket(bucket)
        .root(root)
        .region(config.region.as_deref().unwrap_or("us-east-1"));
    if let Some(endpoint) = &config.endpoint {
        service = service.endpoint(endpoint);
    }
    if let (Some(key), Some(secret)) = (&config.access_key, &config.secret_key) {
        service = service.access_key_id(key.expose()).secret_access_key(secret.expose());
        service = service.disable_config_load().disable_ec2_metadata();
    }
    if let Some(token) = &config.session_token {
        service = service.session_token(token.expose());
    }
    if !config.path_style {
        service = service.enable_virtual_host_style();
    }
    if config.checksum == Checksum::Crc32c {
        service = service.checksum_algorithm("crc32c");
    }
    Ok(OpenDalStore::shared(Operator::new(service)?, 5 * MIB, digest(config), config))
}

/// Tencent COS, with its own signature.
#[cfg(feature = "cos")]
pub(super) fn cos(bucket: &str, root: &str, config: &CosConfig) -> Result<Arc<dyn Store>, StoreError> {
    let mut service = opendal::services::Cos::default().bucket(bucket).root(root);
    if let Some(endpoint) = &config.endpoint {
        service = service.endpoint(endpoint);
    }
    if let (Some(key), Some(secret)) = (&config.access_key, &config.secret_key) {
        service = service.secret_id(key.expose()).secret_key(secret.expose()).disable_config_load();
    }
    if let Some(token) = &config.session_token {
        service = service.security_token(token.expose());
    }
    Ok(OpenDalStore::shared(Operator::new(service)?, MIB, digest(config), config))
}

/// MD5 goes by the transport: the client has none for parts of an upload, nor for COS.
fn digest(config: &CosConfig) -> BodyDigest {
    match config.checksum {
        Checksum::Md5 => BodyDigest::ContentMd5,
        Checksum::Auto | Checksum::None | Checksum::Crc32c => BodyDigest::Nothing,
    }
}

impl OpenDalStore {
    fn shared(operator: Operator, min_part: usize, digest: BodyDigest, config: &CosConfig) -> Arc<dyn Store> {
        // Without it the first request finds no HTTP client.
        opendal::install_default();
        let transport = HttpTransporter::new(Reading(HttpTransporter::default(), digest));
        let operator = operator.with_context(OperationContext::new().with_http_transport(transport));
        let limits = Limits {
            request: (config.request_timeout, "request.timeout.ms"),
            completion: (config.completion_timeout, "completion.timeout.ms"),
        };
        Arc::new(Self { operator: unbuffered(operator), min_part, limits })
    }

    async fn writer(&self, object: &Object, last: Option<i64>) -> Result<Writer, StoreError> {
        let mut metadata = HashMap::from([
            (ID.to_owned(), object.id.to_string()),
            (FIRST.to_owned(), object.first.to_string()),
        ]);
        if let Some(last) = last {
            metadata.insert(LAST.to_owned(), last.to_string());
        }
        let writer = self.operator.writer_with(&object.name).if_not_exists(true).user_metadata(metadata);
        within(self.limits.request, async { writer.await }).await
    }
}

/// An operator whose writers hand each write on as it is. Told of a least part, they would hold smaller writes back,
/// and lose them if the request fails that sends them.
fn unbuffered(operator: Operator) -> Operator {
    operator.layer(CapabilityOverrideLayer::new(|mut capability| {
        capability.write_multi_min_size = None;
        capability
    }))
}

/// A store that has published an object tells its etag. COS answers 200 before it has put parts together and sends an
/// error as the body then; what is in front of a store may answer 200 with anything.
fn confirmed(metadata: &Metadata) -> Result<(), StoreError> {
    if metadata.etag().is_some_and(|etag| !etag.is_empty()) {
        return Ok(());
    }
    Err(StoreError::new(
        Answer::Unconfirmed,
        "the store answered without an etag, so it is asked for the object",
    ))
}

/// A request without an answer is an ambiguous one: the sink asks the store what happened.
async fn within<T>(
    (limit, key): (Duration, &'static str),
    request: impl Future<Output = opendal::Result<T>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(limit, request).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(StoreError::new(Answer::Transient, format!("no answer within {limit:?} ({key})"))),
    }
}

#[async_trait]
impl Store for OpenDalStore {
    fn min_part(&self) -> usize {
        self.min_part
    }

    fn spills(&self) -> bool {
        false
    }

    async fn begin(&self, object: &Object) -> Result<Box<dyn Upload>, StoreError> {
        let (writer, operator) = (self.writer(object, None).await?, self.operator.clone());
        let name = object.name.clone();
        Ok(Box::new(Parts { writer, operator, name, limits: self.limits, cached: 0 }))
    }

    async fn put(&self, object: &Object, last: i64, bytes: Bytes) -> Result<(), StoreError> {
        let mut writer = self.writer(object, Some(last)).await?;
        // One write and a close: OpenDAL sends one PUT at the close.
        within(self.limits.request, writer.write(bytes)).await?;
        confirmed(&within(self.limits.request, writer.close()).await?)
    }

    async fn stat(&self, name: &str, _: NoteId) -> Result<Option<Found>, StoreError> {
        let metadata = match within(self.limits.request, self.operator.stat(name)).await {
            Ok(metadata) => metadata,
            Err(e) if e.answer == Answer::Unknown => return Ok(None),
            Err(e) => return Err(e),
        };
        let user = metadata.user_metadata();
        let text = |key: &str| user.and_then(|user| user.get(key));
        Ok(Some(Found {
            id: text(ID).and_then(|id| u64::from_str_radix(id, 16).ok()).map(NoteId),
            first: text(FIRST).and_then(|first| first.parse().ok()),
            last: text(LAST).and_then(|last| last.parse().ok()),
            len: metadata.content_length(),
        }))
    }

    async fn list(&self, dir: &str, stem: &str) -> Result<Vec<String>, StoreError> {
        let dir = if dir.is_empty() { String::new() } else { format!("{dir}/") };
        let mut entries =
            within(self.limits.request, async { self.operator.lister_with(&dir).recursive(true).await })
                .await?;
        let mut names = Vec::new();
        while let Some(entry) = within(self.limits.request, entries.try_next()).await? {
            if entry.name().starts_with(stem) {
                names.push(entry.path().to_owned());
            }
        }
        Ok(names)
    }

    async fn settle(&self, _: &[String], _: &str, _: i64) -> Result<(), StoreError> {
        Ok(())
    }

    async fn remove(&self, name: &str) -> Result<(), StoreError> {
        within(self.limits.request, self.operator.delete(name)).await
    }
}

struct Parts {
    writer: Writer,
    /// Asks what a completion has made.
    operator: Operator,
    name: String,
    limits: Limits,
    /// The last part: the writer keeps it back until it knows whether there is another.
    cached: usize,
}

#[async_trait]
impl Upload for Parts {
    fn held(&self) -> usize {
        self.cached
    }

    async fn part(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        let len = bytes.len();
        within(self.limits.request, self.writer.write(bytes)).await.map_err(gone)?;
        self.cached = len;
        Ok(())
    }

    async fn complete(&mut self, _: i64) -> Result<u64, StoreError> {
        confirmed(&within(self.limits.completion, self.writer.close()).await.map_err(gone)?)?;
        // The etag of several parts says nothing about their bytes. One more request for a large object is cheap.
        Ok(within(self.limits.request, self.operator.stat(&self.name)).await?.content_length())
    }

    async fn abort(&mut self) {
        if let Err(e) = within(self.limits.request, self.writer.abort()).await {
            tracing::debug!(error = %e, "an upload could not be aborted; the bucket's lifecycle rule has to");
        }
    }
}

/// "Not found" for a part or a completion means that the store has forgotten the upload.
fn gone(error: StoreError) -> StoreError {
    match error.answer {
        Answer::Unknown => StoreError { answer: Answer::Gone, ..error },
        _ => error,
    }
}
