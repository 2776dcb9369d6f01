//! Dead letters in a Kafka topic, on the source's cluster or another one.

use super::{
    check::is_topic,
    config::KafkaConfig,
    names::NAMES,
    producer::{self, Outgoing, Writer},
};
use crate::{Class, DeadLetters, Error, Letter, config::Passthrough};
use async_trait::async_trait;
use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    config::ClientConfig,
    error::RDKafkaErrorCode as Code,
};
use std::fmt;

/// What to do with a letter that is larger than the topic takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TooLarge {
    /// Stop: nothing is lost. The default.
    #[default]
    Fail,
    /// Send the `__connect.errors.*` headers without key, value and original headers, with
    /// `__connect.errors.omitted.bytes`, and count it (`connect_dead_letters_without_value_total`).
    HeadersOnly,
}

/// The configuration of [`KafkaDeadLetters`].
///
/// `acks` is always `all`. `enable.idempotence` is on unless set to `false`, which targets without it need (Tencent
/// CLS). The cluster has addresses and security settings of its own. `Debug` shows no secrets.
#[derive(Clone, Debug)]
pub struct KafkaDeadLettersConfig {
    bootstrap: String,
    topic: String,
    too_large: TooLarge,
    create: Option<(i32, i32)>,
    properties: Passthrough,
}

impl KafkaDeadLettersConfig {
    /// Writes letters to `topic` on the cluster of the brokers `bootstrap` (`host:port`, separated by commas).
    #[must_use]
    pub fn new(bootstrap: impl Into<String>, topic: impl Into<String>) -> Self {
        Self {
            bootstrap: bootstrap.into(),
            topic: topic.into(),
            too_large: TooLarge::default(),
            create: None,
            properties: Passthrough::default(),
        }
    }

    /// What to do with a letter that is larger than the topic takes. Default: [`TooLarge::Fail`].
    #[must_use]
    pub fn too_large(mut self, policy: TooLarge) -> Self {
        self.too_large = policy;
        self
    }

    /// Creates the topic if it does not exist, with this many partitions and replicas. Default: it must exist.
    #[must_use]
    pub fn create(mut self, partitions: i32, replicas: i32) -> Self {
        self.create = Some((partitions, replicas));
        self
    }

    /// Sets a librdkafka property, checked when the queue is made.
    #[must_use]
    pub fn property(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.properties.set_among(NAMES, name, value);
        self
    }

    pub(super) fn properties(self, properties: Passthrough) -> Self {
        Self { properties, ..self }
    }

    /// Refuses a source that would read its own letters: the same cluster, by any common address of a broker, and a
    /// subscription that matches the letters' topic.
    ///
    /// # Errors
    /// Fatal, naming the topic.
    pub fn check_source(&self, source: &KafkaConfig) -> Result<(), Error> {
        if source.reads(&self.bootstrap, &self.topic) {
            let text = "the source reads this topic of the same cluster, so each letter would come back: \
                        choose another topic, or leave it out of `topics` or `topics.regex`";
            return Err(Error::fatal("configure the dead letter queue", text).about(&self.topic));
        }
        Ok(())
    }
}

/// Writes dead letters with original key, value, headers and timestamp, and Connect's headers behind them.
pub struct KafkaDeadLetters {
    config: KafkaDeadLettersConfig,
    client: ClientConfig,
    writer: Writer,
}

impl fmt::Debug for KafkaDeadLetters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaDeadLetters").field("config", &self.config).finish_non_exhaustive()
    }
}

impl KafkaDeadLetters {
    /// Checks the configuration. Nothing is connected before [`DeadLetters::open`].
    ///
    /// # Errors
    /// Fatal: everything that is wrong with the configuration.
    pub fn new(config: KafkaDeadLettersConfig) -> Result<Self, Error> {
        let mut problems = Vec::new();
        if !is_topic(&config.topic) {
            let topic = &config.topic;
            problems.push(format!("`{topic}` is no name of a topic: use letters, digits, `.`, `_` and `-`"));
        }
        let operation = "configure the dead letter queue";
        let client = producer::client(operation, &config.bootstrap, &config.properties, problems)?;
        Ok(Self { writer: Writer::new(client.clone(), config.properties.clone()), config, client })
    }

    async fn create(&self, partitions: i32, replicas: i32) -> Result<(), Error> {
        let failed = |error| super::errors::failed("create the dead letter topic", error);
        let admin: AdminClient<DefaultClientContext> = self.client.create().map_err(failed)?;
        let topic = NewTopic::new(&self.config.topic, partitions, TopicReplication::Fixed(replicas));
        let options = AdminOptions::new().request_timeout(Some(producer::OPEN_TIMEOUT));
        let results = admin.create_topics(&[topic], &options).await.map_err(failed)?;
        for result in results {
            match result {
                Ok(_) | Err((_, Code::TopicAlreadyExists)) => {}
                Err((topic, code)) => {
                    let error =
                        super::errors::refused("create the dead letter topic", code, "the broker refused");
                    return Err(error.about(topic));
                }
            }
        }
        Ok(())
    }

    /// Sends the letters that were too large once more, without what makes them large.
    async fn write_headers(&self, letters: &[Letter], results: &mut [Result<(), Error>]) {
        let too_large = |result: &Result<(), Error>| result.as_ref().is_err_and(producer::is_too_large);
        let numbers: Vec<usize> = (0..letters.len()).filter(|number| too_large(&results[*number])).collect();
        if numbers.is_empty() {
            return;
        }
        let rows = numbers.iter().map(|number| {
            let letter = &letters[*number];
            let omitted = letter.record.bytes().to_string();
            let error = letter.error_headers();
            let error = error.iter().map(|(name, value)| (name.as_str(), Some(value.as_bytes())));
            let headers = producer::headers(error, None);
            let omitted = [("__connect.errors.omitted.bytes", Some(omitted.as_bytes()))];
            let headers = producer::headers(omitted, headers);
            Outgoing { topic: &self.config.topic, key: None, value: None, timestamp_ms: None, headers }
        });
        match self.writer.write(rows.collect()).await {
            Err(error) => results[numbers[0]] = Err(error),
            Ok(answers) => {
                for (number, answer) in numbers.into_iter().zip(answers) {
                    if answer.is_ok() {
                        metrics::counter!("connect_dead_letters_without_value_total").increment(1);
                    }
                    results[number] = answer;
                }
            }
        }
    }
}

#[async_trait]
impl DeadLetters for KafkaDeadLetters {
    async fn open(&self) -> Result<(), Error> {
        if let Some((partitions, replicas)) = self.config.create {
            self.create(partitions, replicas).await?;
        }
        self.writer.open(Some(self.config.topic.clone()), self.config.create.is_some()).await
    }

    async fn write(&self, letters: &[Letter]) -> Vec<Result<(), Error>> {
        let rows: Vec<Outgoing<'_>> =
            letters.iter().map(|letter| outgoing(&self.config.topic, letter)).collect();
        let mut results = match self.writer.write(rows).await {
            Ok(results) => results,
            Err(error) => {
                let text = error.report();
                let again = || Err(Error::new(error.class(), "write dead letters", text.clone()));
                return letters.iter().map(|_| again()).collect();
            }
        };
        if self.config.too_large == TooLarge::HeadersOnly {
            self.write_headers(letters, &mut results).await;
        }
        results.into_iter().map(|result| result.map_err(final_class)).collect()
    }
}

fn outgoing<'a>(topic: &'a str, letter: &'a Letter) -> Outgoing<'a> {
    let record = letter.record.get(0).expect("a letter holds one record").original();
    let error = letter.error_headers();
    let headers = producer::headers(record.headers(), None);
    let headers =
        producer::headers(error.iter().map(|(name, value)| (name.as_str(), Some(value.as_bytes()))), headers);
    Outgoing { topic, key: record.key(), value: record.value(), timestamp_ms: record.timestamp_ms(), headers }
}

/// There is no dead letter queue behind this one: what will never work stops the task.
fn final_class(error: Error) -> Error {
    if error.class() != Class::Poison {
        return error;
    }
    let advice = "raise max.message.bytes of the topic and message.max.bytes here, or send headers only";
    let about =
        if producer::is_too_large(&error) { advice } else { "the target refuses this letter for good" };
    Error::fatal("write a dead letter", error).about(about)
}
