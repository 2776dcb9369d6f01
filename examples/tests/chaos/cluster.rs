//! The servers that all tests share, one test at a time, and what tests do to topics and groups.

use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer},
    producer::{BaseProducer, BaseRecord, Producer},
};
use services::{Elasticsearch, Kafka};
use std::{
    collections::BTreeMap,
    sync::{
        LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    thread::sleep,
    time::{Duration, Instant},
};

static KAFKA: LazyLock<Mutex<Kafka>> =
    LazyLock::new(|| Mutex::new(Kafka::start().expect("a kafka broker starts")));
static SEARCH: LazyLock<Elasticsearch> =
    LazyLock::new(|| Elasticsearch::start().expect("elasticsearch starts"));
static TURN: Mutex<()> = Mutex::new(());

const WAIT: Duration = Duration::from_secs(20);

/// The right to use the servers. They are shared, some tests stop them, and there are two cores.
pub(crate) struct Turn(#[expect(dead_code, reason = "held, not used")] MutexGuard<'static, ()>);

/// Waits for the test before.
pub(crate) fn turn() -> Turn {
    Turn(TURN.lock().unwrap_or_else(PoisonError::into_inner))
}

/// The broker, to be stopped and started.
pub(crate) fn kafka() -> MutexGuard<'static, Kafka> {
    KAFKA.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn bootstrap() -> String {
    kafka().bootstrap().to_owned()
}

pub(crate) fn search() -> &'static Elasticsearch {
    &SEARCH
}

/// A name that no other test uses.
pub(crate) fn unique(name: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{name}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Asks again and again. `what` is said when the time is up, with what was there last.
pub(crate) fn wait<T>(what: &str, patience: Duration, mut ask: impl FnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        match ask() {
            Ok(found) => return found,
            Err(last) if Instant::now() >= deadline => {
                panic!("no {what} within {} s; last: {last}", patience.as_secs())
            }
            Err(_) => sleep(Duration::from_millis(20)),
        }
    }
}

fn client(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap);
    config
}

/// Runs an administrator's command.
fn administer<T>(bootstrap: &str, command: impl AsyncFnOnce(AdminClient<DefaultClientContext>) -> T) -> T {
    let admin = client(bootstrap).create().expect("an admin client");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(command(admin))
}

pub(crate) fn create_topic(bootstrap: &str, topic: &str, partitions: i32) {
    let results = administer(bootstrap, async |admin| {
        let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
        admin.create_topics(&[new], &AdminOptions::new()).await
    });
    results.expect("create the topic").into_iter().for_each(|result| drop(result.expect("create the topic")));
    let producer: BaseProducer = client(bootstrap).create().expect("a producer");
    wait("topic", WAIT, || {
        let metadata = producer.client().fetch_metadata(Some(topic), WAIT).map_err(|e| e.to_string())?;
        let known =
            metadata.topics().iter().any(|t| t.partitions().len() == partitions.unsigned_abs() as usize);
        known.then_some(()).ok_or_else(|| format!("{topic} has not got {partitions} partitions"))
    });
}

pub(crate) fn delete_topic(bootstrap: &str, topic: &str) {
    let results =
        administer(bootstrap, async |admin| admin.delete_topics(&[topic], &AdminOptions::new()).await);
    results.expect("delete the topic").into_iter().for_each(|result| drop(result.expect("delete the topic")));
}

/// Forgets what a group has committed.
pub(crate) fn delete_group(bootstrap: &str, group: &str) {
    let results =
        administer(bootstrap, async |admin| admin.delete_groups(&[group], &AdminOptions::new()).await);
    results.expect("delete the group").into_iter().for_each(|result| drop(result.expect("delete the group")));
}

/// Writes values, each to its partition.
pub(crate) fn send(bootstrap: &str, topic: &str, values: &[(i32, &str)]) {
    let producer: BaseProducer = client(bootstrap).create().expect("a producer");
    for (partition, value) in values {
        let record = BaseRecord::<(), str>::to(topic).partition(*partition).payload(value);
        producer.send(record).map_err(|(error, _)| error).expect("room in the queue");
    }
    producer.flush(WAIT).expect("the records are written");
}

/// Deletes the records below `offset`, as retention would.
pub(crate) fn delete_records(bootstrap: &str, topic: &str, partition: i32, offset: i64) {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, Offset::Offset(offset)).expect("a list");
    let result = administer(bootstrap, async |admin| admin.delete_records(&list, &AdminOptions::new()).await);
    result.expect("delete records");
}

/// What a group has committed: offset and metadata by partition.
pub(crate) fn committed(
    bootstrap: &str,
    group: &str,
    topic: &str,
    partitions: i32,
) -> BTreeMap<i32, (i64, String)> {
    let consumer: BaseConsumer = client(bootstrap).set("group.id", group).create().expect("a consumer");
    let mut list = TopicPartitionList::new();
    list.add_partition_range(topic, 0, partitions - 1);
    let list = consumer.committed_offsets(list, WAIT).expect("committed offsets");
    let of = |e: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>| match e.offset() {
        Offset::Offset(offset) => Some((e.partition(), (offset, e.metadata().to_owned()))),
        _ => None,
    };
    list.elements().iter().filter_map(of).collect()
}
