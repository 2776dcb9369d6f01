//! Fills the benchmark's topic: `load --bootstrap HOST:PORT --topic NAME [--records 2000000]`.
//!
//! Four partitions, lz4, batches of up to 128 KiB, record `n` in partition `n % 4`. A topic that already
//! holds the records is left alone; one that holds another number is deleted and made again.

use benches::{
    BoxError,
    args::Args,
    exit_code,
    logs::{Logs, PARTITIONS, SEED},
};
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
    producer::{BaseProducer, BaseRecord, Producer},
};
use std::{process::ExitCode, thread, time::Duration};

const TIMEOUT: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    exit_code(run())
}

fn run() -> Result<(), BoxError> {
    let args = Args::parse(&["bootstrap", "topic", "records"], &[])?;
    let (bootstrap, topic) = (args.required("bootstrap")?, args.required("topic")?);
    let records: u64 = args.value("records", 2_000_000)?;
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap);
    let held = held(&config, topic)?;
    if held == Some(records) {
        println!("{topic} already holds {records} records");
        return Ok(());
    }
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(create(
        &config,
        topic,
        held.is_some(),
    ))?;
    let bytes = produce(&mut config, topic, records)?;
    match self::held(&config, topic)? {
        Some(now) if now == records => {
            println!("{topic} holds {records} records of {:.1} bytes", bytes as f64 / records as f64);
            Ok(())
        }
        now => Err(format!("{topic} holds {now:?} records after {records} were produced").into()),
    }
}

/// The number of records in the topic; `None` when it does not exist.
fn held(config: &ClientConfig, topic: &str) -> Result<Option<u64>, BoxError> {
    let consumer: BaseConsumer = config.create()?;
    let metadata = consumer.fetch_metadata(None, TIMEOUT)?;
    let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else { return Ok(None) };
    let mut records = 0;
    for partition in found.partitions() {
        let (low, high) = consumer.fetch_watermarks(topic, partition.id(), TIMEOUT)?;
        records += u64::try_from(high - low)?;
    }
    Ok(Some(records))
}

async fn create(config: &ClientConfig, topic: &str, exists: bool) -> Result<(), BoxError> {
    let admin: AdminClient<DefaultClientContext> = config.create()?;
    let options = AdminOptions::new().operation_timeout(Some(TIMEOUT));
    if exists {
        for deleted in admin.delete_topics(&[topic], &options).await? {
            deleted.map_err(|(topic, code)| format!("cannot delete {topic}: {code}"))?;
        }
    }
    let new = NewTopic::new(topic, PARTITIONS, TopicReplication::Fixed(1));
    // A deleted topic's name stays taken for a moment.
    for _ in 0..50 {
        let created = admin.create_topics([&new], &options).await?;
        match created.into_iter().next() {
            Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Some(Err((topic, code))) => return Err(format!("cannot create {topic}: {code}").into()),
            Some(Ok(_)) | None => return Ok(()),
        }
    }
    Err(format!("{topic} still exists after it was deleted").into())
}

/// Produces the records and returns the bytes of their values.
fn produce(config: &mut ClientConfig, topic: &str, records: u64) -> Result<u64, BoxError> {
    let producer: BaseProducer = config
        .set("compression.type", "lz4")
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("linger.ms", "50")
        .set("batch.size", "131072")
        .create()?;
    let (mut logs, mut value, mut bytes) = (Logs::new(SEED), Vec::new(), 0);
    for number in 0..records {
        logs.next_into(&mut value);
        bytes += value.len() as u64;
        let partition = i32::try_from(number % u64::from(PARTITIONS.unsigned_abs()))?;
        let mut record = BaseRecord::<(), [u8]>::to(topic).partition(partition).payload(&value);
        while let Err((error, returned)) = producer.send(record) {
            if !matches!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)) {
                return Err(error.into());
            }
            record = returned;
            producer.poll(Duration::ZERO);
            thread::sleep(Duration::from_millis(5));
        }
        if number % 1000 == 0 {
            producer.poll(Duration::ZERO);
        }
    }
    producer.flush(Duration::from_secs(60))?;
    Ok(bytes)
}
