//! The broker that all tests of this binary share, and what they do to it.

use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, CommitMode, Consumer},
    groups::GroupInfo,
    message::{Header, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, Producer},
};
use services::Kafka;
use std::{
    collections::BTreeMap,
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

static KAFKA: LazyLock<Kafka> = LazyLock::new(|| {
    // Everybody may do everything until a rule says otherwise; without credentials, always.
    Kafka::builder()
        .sasl_plain(USER, PASSWORD)
        .property("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer")
        .property("super.users", "User:ANONYMOUS")
        .property("allow.everyone.if.no.acl.found", "true")
        .start()
        .expect("a kafka broker starts")
});

/// Who may come in by the listener with SASL.
pub(crate) const USER: &str = "alice";
pub(crate) const PASSWORD: &str = "alices-secret";

/// Both group protocols.
pub(crate) const PROTOCOLS: [&str; 2] = ["classic", "consumer"];
const WAIT: Duration = Duration::from_secs(20);

pub(crate) fn bootstrap() -> &'static str {
    KAFKA.bootstrap()
}

/// The listener that asks for [`USER`] and [`PASSWORD`].
pub(crate) fn sasl_bootstrap() -> &'static str {
    KAFKA.sasl_bootstrap().expect("a listener with SASL")
}

/// What `RUST_LOG` asks for.
pub(crate) fn show_logs() {
    static ONCE: LazyLock<()> = LazyLock::new(|| {
        let filter = tracing_subscriber::EnvFilter::from_default_env();
        tracing_subscriber::fmt().with_env_filter(filter).with_test_writer().init();
    });
    LazyLock::force(&ONCE);
}

/// A name that no other test uses.
pub(crate) fn unique(name: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{name}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn client() -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap());
    config
}

fn admin() -> AdminClient<DefaultClientContext> {
    client().create().expect("an admin client")
}

/// Waits until somebody waits to become a member of the group.
pub(crate) async fn joining(group: &str) {
    let waits = |found: &GroupInfo| found.state() == "PreparingRebalance" && found.members().len() >= 2;
    until_group(group, WAIT, move |groups| groups.iter().any(waits)).await;
}

/// Waits until the group has no members.
pub(crate) async fn empty(group: &str, within: Duration) {
    until_group(group, within, |groups| groups.iter().all(|found| found.members().is_empty())).await;
}

async fn until_group(group: &str, within: Duration, done: impl Fn(&[GroupInfo]) -> bool + Send + 'static) {
    let (group, watcher) = (group.to_owned(), client().create::<BaseConsumer>().expect("a client"));
    let look = move || {
        let until = Instant::now() + within;
        loop {
            let list = watcher.fetch_group_list(Some(&group), WAIT).expect("the group");
            if done(list.groups()) {
                return;
            }
            let seen: Vec<_> =
                list.groups().iter().map(|found| (found.state(), found.members().len())).collect();
            assert!(Instant::now() < until, "{group} is {seen:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    tokio::task::spawn_blocking(look).await.expect("it happens");
}

/// Waits until the group has this many members and no rebalance is under way.
pub(crate) async fn settled(group: &str, members: usize) {
    let (group, watcher) = (group.to_owned(), client().create::<BaseConsumer>().expect("a client"));
    let look = move || {
        for _ in 0..200 {
            let list = watcher.fetch_group_list(Some(&group), WAIT).expect("the group");
            if list.groups().iter().any(|found| found.state() == "Stable" && found.members().len() == members)
            {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("{group} has never had {members} members");
    };
    tokio::task::spawn_blocking(look).await.expect("it settles");
}

/// A new topic of this many partitions.
pub(crate) async fn topic(name: &str, partitions: i32) -> String {
    topic_with(name, partitions, &[]).await
}

pub(crate) async fn topic_with(name: &str, partitions: i32, settings: &[(&str, &str)]) -> String {
    let topic = unique(name);
    create(&topic, partitions, settings).await;
    topic
}

/// A topic of another broker, which may take its time.
pub(crate) async fn create_at(bootstrap: &str, topic: &str, partitions: i32) {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", bootstrap).create().expect("an admin client");
    let patience = Some(Duration::from_secs(120));
    let options = AdminOptions::new().request_timeout(patience).operation_timeout(patience);
    let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
    let results = admin.create_topics(&[new], &options).await.expect("create the topic");
    results.into_iter().for_each(|result| drop(result.expect("create the topic")));
}

pub(crate) async fn create(topic: &str, partitions: i32, settings: &[(&str, &str)]) {
    let mut new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
    for (key, value) in settings {
        new = new.set(key, value);
    }
    let results = admin().create_topics(&[new], &AdminOptions::new()).await.expect("create the topic");
    results.into_iter().for_each(|result| drop(result.expect("create the topic")));
    metadata_of(topic, partitions as usize);
}

/// Waits until the broker knows the topic with this many partitions.
fn metadata_of(topic: &str, partitions: usize) {
    let producer: BaseProducer = client().create().expect("a producer");
    for _ in 0..200 {
        let metadata = producer.client().fetch_metadata(Some(topic), WAIT).expect("metadata");
        if metadata.topics().iter().any(|t| t.name() == topic && t.partitions().len() == partitions) {
            return;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    panic!("{topic} has not got {partitions} partitions");
}

pub(crate) async fn delete(topic: &str) {
    let results = admin().delete_topics(&[topic], &AdminOptions::new()).await.expect("delete the topic");
    results.into_iter().for_each(|result| drop(result.expect("delete the topic")));
}

pub(crate) async fn grow(topic: &str, partitions: usize) {
    let new = NewPartitions::new(topic, partitions);
    let results = admin().create_partitions([&new], &AdminOptions::new()).await.expect("add partitions");
    results.into_iter().for_each(|result| drop(result.expect("add partitions")));
    metadata_of(topic, partitions);
}

/// Deletes the records below `offset`, as retention would.
pub(crate) async fn delete_records(topic: &str, partition: i32, offset: i64) {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, Offset::Offset(offset)).expect("a list");
    admin().delete_records(&list, &AdminOptions::new()).await.expect("delete records");
}

/// Appends a record, with one header if given.
pub(crate) struct Producing(BaseProducer);

impl Producing {
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    pub(crate) fn with(settings: &[(&str, &str)]) -> Self {
        let mut config = client();
        config.set("linger.ms", "5").set("queue.buffering.max.messages", "1000000");
        for (key, value) in settings {
            config.set(*key, *value);
        }
        Self(config.create().expect("a producer"))
    }

    pub(crate) fn send(&self, topic: &str, partition: i32, value: &str) {
        self.send_full(topic, partition, None, Some(value.as_bytes()), &[], None);
    }

    pub(crate) fn send_full(
        &self,
        topic: &str,
        partition: i32,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(&str, Option<&[u8]>)],
        timestamp: Option<i64>,
    ) {
        let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic).partition(partition);
        record.key = key;
        record.payload = value;
        record.timestamp = timestamp;
        if !headers.is_empty() {
            let add = |all: OwnedHeaders, (key, value): &(&str, Option<&[u8]>)| {
                all.insert(Header { key, value: *value })
            };
            record = record.headers(headers.iter().fold(OwnedHeaders::new(), add));
        }
        let mut record = Some(record);
        while let Some(next) = record.take() {
            if let Err((error, refused)) = self.0.send(next) {
                assert_eq!(error.rdkafka_error_code(), Some(rdkafka::error::RDKafkaErrorCode::QueueFull));
                self.0.poll(Duration::from_millis(10));
                record = Some(refused);
            }
        }
    }

    pub(crate) fn flush(&self) {
        self.0.flush(WAIT).expect("everything is written");
    }

    pub(crate) fn producer(&self) -> &BaseProducer {
        &self.0
    }
}

/// `count` records per partition, with their number as value.
pub(crate) fn fill(topic: &str, partitions: i32, count: usize) {
    let producing = Producing::new();
    for n in 0..count {
        for partition in 0..partitions {
            producing.send(topic, partition, &n.to_string());
        }
    }
    producing.flush();
}

fn group_client(group: &str) -> BaseConsumer {
    client().set("group.id", group).create().expect("a consumer")
}

/// What a group has committed: offset and metadata by partition.
pub(crate) fn committed(group: &str, topic: &str, partitions: i32) -> BTreeMap<i32, (i64, String)> {
    let mut list = TopicPartitionList::new();
    list.add_partition_range(topic, 0, partitions - 1);
    let list = group_client(group).committed_offsets(list, WAIT).expect("committed offsets");
    let of = |e: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>| match e.offset() {
        Offset::Offset(offset) => Some((e.partition(), (offset, e.metadata().to_owned()))),
        _ => None,
    };
    list.elements().iter().filter_map(of).collect()
}

/// Commits as an operator would, for a group without members.
pub(crate) fn set_offset(group: &str, topic: &str, partition: i32, offset: i64, note: &str) {
    let mut list = TopicPartitionList::new();
    let mut element = list.add_partition(topic, partition);
    element.set_offset(Offset::Offset(offset)).expect("an offset");
    if !note.is_empty() {
        element.set_metadata(note);
    }
    group_client(group).commit(&list, CommitMode::Sync).expect("the offset is committed");
}
