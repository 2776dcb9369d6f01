//! Dead letters to a Kafka topic of any cluster, written with a client of its own.

use async_trait::async_trait;
use connect_core::{DeadLetters, Error, Letter};
use rdkafka::{
    ClientConfig,
    message::{Header, OwnedHeaders},
    producer::{FutureProducer, FutureRecord, Producer},
};
use std::time::Duration;

pub(crate) struct KafkaLetters {
    producer: FutureProducer,
    topic: String,
}

impl KafkaLetters {
    pub(crate) fn new(bootstrap: &str, topic: &str) -> Result<Self, Error> {
        let producer = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("acks", "all")
            .set("message.timeout.ms", "2000")
            .create()
            .map_err(|e| Error::fatal("configure dead letters", e))?;
        Ok(Self { producer, topic: topic.to_owned() })
    }

    async fn one(&self, letter: &Letter) -> Result<(), Error> {
        let record = letter.record.iter().next().expect("a letter holds one record");
        let original = record.original();
        let headers = letter.error_headers();
        let headers = headers.iter().fold(OwnedHeaders::new(), |all, (key, value)| {
            all.insert(Header { key, value: Some(value.as_bytes()) })
        });
        let mut out: FutureRecord<'_, [u8], [u8]> = FutureRecord::to(&self.topic).headers(headers);
        out.key = original.key();
        out.payload = original.value();
        match self.producer.send(out, Duration::from_secs(2)).await {
            Ok(_) => Ok(()),
            Err((error, _)) => Err(Error::retriable("write a dead letter", error)),
        }
    }
}

#[async_trait]
impl DeadLetters for KafkaLetters {
    async fn open(&self) -> Result<(), Error> {
        let client = self.producer.client();
        let known = client.fetch_metadata(Some(&self.topic), Duration::from_secs(5));
        known.map(drop).map_err(|e| Error::retriable("reach the cluster of dead letters", e))
    }

    async fn write(&self, letters: &[Letter]) -> Vec<Result<(), Error>> {
        let mut answers = Vec::with_capacity(letters.len());
        for letter in letters {
            answers.push(self.one(letter).await);
        }
        answers
    }
}
