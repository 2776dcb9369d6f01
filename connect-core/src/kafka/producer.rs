//! Writing to Kafka: many records at once, an answer for each.

use super::{check, client::Client, context, errors, reach::Question};
use crate::{Class, Error, config::Passthrough};
use rdkafka::{
    ClientContext,
    config::{ClientConfig, RDKafkaLogLevel},
    error::{KafkaError, RDKafkaErrorCode as Code},
    message::{DeliveryResult, Header, OwnedHeaders},
    producer::{BaseRecord, Producer, ProducerContext},
};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::oneshot;

/// Properties of producers that are ours, with the reason.
pub(super) const OURS: &[(&str, &str)] = &[
    ("bootstrap.servers", "it has a setting of its own"),
    ("metadata.broker.list", "it is another name of bootstrap.servers, which has a setting of its own"),
    ("acks", "a record counts as written when all replicas in sync have it"),
    ("request.required.acks", "a record counts as written when all replicas in sync have it"),
    ("transactional.id", "records are written once at least, without transactions"),
];
/// Set unless the user sets them, with the documentation at `KafkaSinkConfig`.
const DEFAULTS: &[(&str, &str)] =
    &[("enable.idempotence", "true"), ("message.timeout.ms", "30000"), ("partitioner", "murmur2_random")];
/// Other names of properties that have a default here.
const ALIASES: &[(&str, &str)] = &[("delivery.timeout.ms", "message.timeout.ms")];
/// How long a full queue is left alone.
const QUEUE_FULL_WAIT: Duration = Duration::from_millis(10);
/// How long a topic that was just created is left alone.
const CREATED_WAIT: Duration = Duration::from_millis(100);
/// How soon a topic is there that the brokers create by themselves (`auto.create.topics.enable`).
const APPEARS_WITHIN: Duration = Duration::from_secs(1);
/// How long the cluster may take to answer at the beginning.
pub(super) const OPEN_TIMEOUT: Duration = Duration::from_secs(10);

/// The configuration of a producer's client, checked.
pub(super) fn client(
    operation: &'static str,
    bootstrap: &str,
    properties: &Passthrough,
    mut problems: Vec<String>,
) -> Result<ClientConfig, Error> {
    problems.extend(check::properties(properties, OURS).map(|(_, what)| what));
    if bootstrap.trim().is_empty() {
        problems.push("`bootstrap.servers` is empty: name at least one broker as host:port".to_owned());
    }
    if !problems.is_empty() {
        return Err(Error::fatal(operation, problems.join("; ")));
    }
    let mut client = ClientConfig::new();
    for (name, value) in DEFAULTS {
        client.set(*name, *value);
    }
    for (name, value) in &**properties {
        if let Some((_, ours)) = ALIASES.iter().find(|(alias, _)| alias == name) {
            client.remove(ours);
        }
        client.set(name, value);
    }
    client.set("bootstrap.servers", bootstrap).set("acks", "all");
    client.set_log_level(check::log_level(properties));
    Ok(client)
}

/// A record to write.
#[derive(Debug)]
pub(super) struct Outgoing<'a> {
    pub(super) topic: &'a str,
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: Option<&'a [u8]>,
    pub(super) timestamp_ms: Option<i64>,
    pub(super) headers: Option<OwnedHeaders>,
}

/// Headers as librdkafka wants them; `None` if there are none.
pub(super) fn headers<'h>(
    headers: impl IntoIterator<Item = (&'h str, Option<&'h [u8]>)>,
    into: Option<OwnedHeaders>,
) -> Option<OwnedHeaders> {
    headers.into_iter().fold(into, |all, (key, value)| {
        Some(all.unwrap_or_else(OwnedHeaders::new).insert(Header { key, value }))
    })
}

/// A producer that is made anew when librdkafka gives one up.
pub(super) struct Writer {
    config: ClientConfig,
    /// What `config` was made of, which knows what may be shown.
    properties: Passthrough,
    client: Mutex<Option<Arc<Client>>>,
}

impl Writer {
    pub(super) fn new(config: ClientConfig, properties: Passthrough) -> Self {
        Self { config, properties, client: Mutex::new(None) }
    }

    fn client(&self) -> Result<Arc<Client>, Error> {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        let usable = client.take().filter(|client| client.client().fatal_error().is_none());
        let usable = match usable {
            Some(client) => client,
            None => Arc::new(Client::new(&self.config).map_err(|error| {
                Error::fatal("create the kafka producer", check::without_secrets(error, &self.properties))
            })?),
        };
        *client = Some(Arc::clone(&usable));
        Ok(usable)
    }

    /// Reaches the cluster, and the topic if one is given; one that was `created` just now is waited for, and one that the
    /// brokers create because they are asked for it.
    pub(super) async fn open(&self, topic: Option<String>, created: bool) -> Result<(), Error> {
        let (client, config) = (self.client()?, self.config.clone());
        let asked = tokio::task::spawn_blocking(move || {
            let until = Instant::now() + if created { OPEN_TIMEOUT } else { APPEARS_WITHIN };
            loop {
                let result = reach(&client, &config, topic.as_deref());
                let missing = |error: &Error| error.root().is::<Missing>();
                if !result.as_ref().is_err_and(|error| created || missing(error)) || Instant::now() > until {
                    return result;
                }
                std::thread::sleep(CREATED_WAIT);
            }
        });
        asked.await.map_err(|error| Error::fatal("reach the kafka cluster", error))?
    }

    /// Writes all rows; answers in order. A full queue is waited for.
    pub(super) async fn write(&self, rows: Vec<Outgoing<'_>>) -> Result<Vec<Result<(), Error>>, Error> {
        let client = self.client()?;
        let mut answers = Vec::with_capacity(rows.len());
        for row in rows {
            answers.push(send(&client, row).await);
        }
        let mut results = Vec::with_capacity(answers.len());
        for answer in answers {
            results.push(match answer {
                Err(error) => Err(error),
                Ok(answer) => match answer.await {
                    Ok(None) => Ok(()),
                    Ok(Some(code)) => Err(refused(code)),
                    Err(_) => {
                        Err(Error::retriable("write to kafka", "the producer ended before it answered"))
                    }
                },
            });
        }
        Ok(results)
    }
}

async fn send(client: &Client, row: Outgoing<'_>) -> Result<oneshot::Receiver<Option<Code>>, Error> {
    let (answer, answered) = oneshot::channel();
    let mut record = BaseRecord::with_opaque_to(row.topic, Box::new(answer));
    record.key = row.key;
    record.payload = row.value;
    record.timestamp = row.timestamp_ms;
    record.headers = row.headers;
    loop {
        match client.send(record) {
            Ok(()) => {
                client.wake();
                return Ok(answered);
            }
            Err((KafkaError::MessageProduction(Code::QueueFull), back)) => {
                record = back;
                tokio::time::sleep(QUEUE_FULL_WAIT).await;
            }
            Err((error, _)) => return Err(refused(error.rdkafka_error_code().unwrap_or(Code::Fail))),
        }
    }
}

/// What a refusal says about a record.
fn refused(code: Code) -> Error {
    let class = match code {
        Code::MessageSizeTooLarge
        | Code::InvalidMessageSize
        | Code::InvalidRecord
        | Code::InvalidTimestamp
        | Code::InvalidTopic
        | Code::InvalidArgument => Class::Poison,
        _ => Class::Retriable,
    };
    Error::new(class, "write to kafka", KafkaError::MessageProduction(code))
}

/// Whether the record is larger than the target takes.
pub(super) fn is_too_large(error: &Error) -> bool {
    matches!(error.root().downcast_ref::<Code>(), Some(Code::MessageSizeTooLarge | Code::InvalidMessageSize))
        || matches!(
            error.root().downcast_ref::<KafkaError>(),
            Some(KafkaError::MessageProduction(Code::MessageSizeTooLarge | Code::InvalidMessageSize))
        )
}

#[derive(Debug, thiserror::Error)]
#[error("it does not exist: create it first")]
struct Missing;

fn reach(client: &Client, config: &ClientConfig, topic: Option<&str>) -> Result<(), Error> {
    let refused = errors::refused;
    let question = Question { config, topic: topic.or(Some("")), timeout: OPEN_TIMEOUT, refused };
    // The client has a thread that serves events.
    let metadata = question.ask(client.client(), &client.context().errors, || {})?;
    let Some(topic) = topic else { return Ok(()) };
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    match found.and_then(rdkafka::metadata::MetadataTopic::error).map(Code::from) {
        None => Ok(()),
        Some(Code::UnknownTopicOrPartition) => Err(Error::fatal("find the topic", Missing).about(topic)),
        Some(code) => Err(errors::refused("find the topic", code, "the broker says no").about(topic)),
    }
}

/// Hands deliveries to whoever waits for them.
#[derive(Default)]
pub(super) struct Answers {
    errors: context::ClientErrors,
}

impl ClientContext for Answers {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        context::log(level, facility, message);
    }

    fn stats_raw(&self, statistics: &[u8]) {
        context::statistics(statistics);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.errors.note(&error, reason);
    }
}

impl ProducerContext for Answers {
    type DeliveryOpaque = Box<oneshot::Sender<Option<Code>>>;

    fn delivery(&self, result: &DeliveryResult<'_>, answer: Self::DeliveryOpaque) {
        let code = match result {
            Ok(_) => None,
            Err((error, _)) => Some(error.rdkafka_error_code().unwrap_or(Code::Fail)),
        };
        // Whoever was to be told has given up: the record is sent again.
        let _ = answer.send(code);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_replicas_acknowledge_whatever_is_configured() {
        let with = |name: &str| {
            let properties: Passthrough = [(name.to_owned(), "1".to_owned())].into_iter().collect();
            client("write to kafka", "localhost:9092", &properties, Vec::new())
        };
        for name in ["acks", "request.required.acks"] {
            let error = with(name).expect_err("it is ours");
            assert!(error.report().contains(&format!("`{name}` cannot be set")), "{}", error.report());
        }
        assert_eq!(with("linger.ms").expect("valid").get("acks"), Some("all"));
    }
}
