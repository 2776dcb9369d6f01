//! Brokers, topics and records that go away: no silent loss, no commit past a record without a fate, and a state
//! that says what happened.

use crate::{
    child::Worker,
    cluster,
    objects::{self, PATH_FORMAT},
    producer::{self, Flow, Producer},
    records::Plan,
    search,
    spec::{PipelineSpec, Protocol, SinkSpec},
    tier::{self, say},
};
use rdkafka::{
    ClientConfig, Message,
    consumer::{BaseConsumer, Consumer},
    message::Headers,
};
use services::Kafka;
use std::{
    collections::BTreeMap,
    path::PathBuf,
    thread::sleep,
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(60);
/// An outage ends like that for clients: waits between attempts have grown meanwhile.
const AFTER_OUTAGE: Duration = Duration::from_secs(90);

#[test]
fn a_broker_that_stops_for_a_while_loses_and_repeats_nothing() {
    let _turn = cluster::turn();
    let (test, away) = ("broker-stops", tier::pick(Duration::from_secs(8), Duration::from_secs(60)));
    let plan = Plan { partitions: 4, per_partition: tier::pick(4_000, 30_000), padding: 200 };
    let place = Place::new(test, plan);
    let flow = Flow::start(&place.bootstrap, &place.topic, plan, 1_000);
    let pipelines =
        [place.to_search("es", Protocol::Classic), place.to_objects("fs", Protocol::Consumer, "500")];
    let mut worker = Worker::start(place.home.path(), test, &pipelines);
    worker.wait_all("records delivered", PATIENCE, |p| p.partitions.len() == 4 && p.delivered > 1_000);
    cluster::kafka().stop().expect("the broker stops");
    let begin = Instant::now();
    let mut told: BTreeMap<String, String> = BTreeMap::new();
    while begin.elapsed() < away {
        for (name, p) in worker.report().pipelines {
            assert!(p.reconciles && p.state != "Failed", "{name}: {p:#?}");
            told.extend(p.retrying.or(p.last_error).map(|why| (name, why)));
        }
        sleep(Duration::from_millis(100));
    }
    cluster::kafka().restart().expect("the broker starts again");
    say(test, &format!("the broker is back; meanwhile the states said: {told:#?}"));
    flow.join();
    worker.wait_all("everything committed", AFTER_OUTAGE, |p| {
        let committed: i64 = p.partitions.values().map(|(.., committed)| committed).sum();
        committed == plan.total() as i64
    });
    let last = worker.stop(PATIENCE);
    assert!(
        last.pipelines.values().all(|p| p.reconciles && p.dead_lettered + p.skipped + p.lost == 0),
        "{last:#?}"
    );
    place.check(|_, _| false);
    assert_eq!(told.len(), pipelines.len(), "each state said that something is wrong, and what: {told:#?}");
}

#[test]
fn while_the_dead_letter_cluster_is_down_no_offset_passes_its_records() {
    let _turn = cluster::turn();
    let test = "letters-down";
    let plan = Plan { partitions: 2, per_partition: 1_000, padding: 100 };
    let place = Place::new(test, plan);
    let mut letters = Kafka::builder().heap_mib(256).start().expect("the cluster of dead letters starts");
    cluster::create_topic(letters.bootstrap(), "letters", 1);
    let mut spec = place.to_search("es", Protocol::Classic);
    spec.letters = Some((letters.bootstrap().to_owned(), "letters".to_owned()));
    let mut worker = Worker::start(place.home.path(), test, std::slice::from_ref(&spec));
    producer::fill(&place.bootstrap, &place.topic, plan, 0..500);
    worker.wait_one("es", "records delivered", PATIENCE, |p| p.delivered == 1_000);

    letters.kill().expect("the cluster of dead letters dies");
    // Elasticsearch refuses it: `n` is a number there. It stands at offset 500 of partition 0.
    let poison = r#"{"id":"poison","n":"no number"}"#;
    let producer = Producer::new(&place.bootstrap);
    producer.send(&place.topic, 0, poison);
    producer.flush();
    for number in 500..1_000 {
        for partition in 0..2 {
            producer.send(&place.topic, partition, &plan.value(partition, number));
        }
    }
    producer.flush();
    let stuck = worker.wait_one("es", "everything else delivered", PATIENCE, |p| {
        p.delivered == plan.total() && p.retrying.is_some()
    });
    say(test, &format!("the state says: {:?}", stuck.retrying));
    sleep(tier::pick(Duration::from_secs(3), Duration::from_secs(60)));
    let committed = || cluster::committed(&place.bootstrap, &spec.group, &place.topic, 2);
    assert_eq!(committed()[&0].0, 500, "the offset stands at the record without a fate");
    assert_eq!(committed()[&1].0, 1_000, "other partitions go on");
    let now = worker.pipeline("es");
    assert!(now.retrying.is_some() && now.reconciles && now.dead_lettered == 0, "{now:#?}");

    letters.restart().expect("the cluster of dead letters starts again");
    worker.wait_one("es", "dead letter", AFTER_OUTAGE, |p| p.dead_lettered == 1 && p.retrying.is_none());
    let last = worker.stop(PATIENCE);
    assert!(last.pipelines["es"].reconciles, "{last:#?}");
    assert_eq!(committed()[&0].0, 1_001);
    let found = read_letters(letters.bootstrap());
    assert!(found.iter().any(|(value, _)| value == poison), "{found:?}");
    for (value, headers) in found {
        assert_eq!(value, poison, "only poison is a dead letter");
        assert_eq!(headers["__connect.errors.topic"], place.topic);
        assert_eq!(headers["__connect.errors.offset"], "500");
        assert_eq!(headers.len(), 10, "{headers:?}");
    }
    assert_eq!(search::count(&place.topic), plan.total());
}

#[test]
fn of_a_topic_created_again_no_record_is_skipped_in_silence() {
    let _turn = cluster::turn();
    for protocol in [Protocol::Classic, Protocol::Consumer] {
        // Fewer records than were read of the old topic, and more; with time for the consumer to notice, and without.
        for (count, noticed) in [(100, true), (3_000, true), (3_000, false)] {
            create_again(protocol, count, noticed);
        }
    }
}

fn create_again(protocol: Protocol, count: u64, noticed: bool) {
    let test = "created-again";
    let plan = Plan { partitions: 1, per_partition: 3_000, padding: 100 };
    let place = Place::new(test, plan);
    producer::fill(&place.bootstrap, &place.topic, plan, 0..1_000);
    let spec = place.to_search("es", protocol).property("topic.metadata.refresh.interval.ms", "500");
    let mut worker = Worker::start(place.home.path(), test, std::slice::from_ref(&spec));
    worker.wait_one("es", "records committed", PATIENCE, |p| {
        p.partitions.get(&0).is_some_and(|(.., committed)| *committed == 1_000)
    });
    cluster::delete_topic(&place.bootstrap, &place.topic);
    if noticed {
        sleep(Duration::from_secs(2));
    }
    cluster::create_topic(&place.bootstrap, &place.topic, 1);
    producer::fill(&place.bootstrap, &place.topic, plan, 0..count);

    // Either it stops and says why, or it reads the new topic from its first record. Whatever it does, it has to
    // have done it by now.
    let what = format!("end ({}, {count} new records, noticed: {noticed})", protocol.name());
    let seen = worker.wait_one("es", &what, Duration::from_secs(30), |p| {
        p.state == "Failed" || p.delivered >= 1_000 + count
    });
    let why = seen.last_error.unwrap_or_default();
    say(test, &format!("{what}: {}, lost {} time(s), {why:?}", seen.state, seen.partitions_lost));
    let committed = cluster::committed(&place.bootstrap, &spec.group, &place.topic, 1);
    if seen.state == "Failed" {
        assert!(why.contains(&place.topic), "{why}");
        // The broker forgets the commits of a deleted topic.
        assert!(committed.get(&0).is_none_or(|(offset, _)| *offset == 1_000), "it stands: {committed:?}");
    } else {
        assert!(
            seen.partitions_lost + seen.revoked >= 1,
            "the status shows that the partition was another one"
        );
        search::assert_exactly_once(&place.topic, plan, |_, number| number >= count.max(1_000));
    }
}

#[test]
fn retention_that_passes_the_committed_offset_stops_the_pipeline_or_is_counted() {
    let _turn = cluster::turn();
    let test = "retention";
    let plan = Plan { partitions: 2, per_partition: 2_000, padding: 100 };
    let place = Place::new(test, plan);
    producer::fill(&place.bootstrap, &place.topic, plan, 0..1_000);
    let mut pipelines =
        [place.to_search("es", Protocol::Classic), place.to_objects("fs", Protocol::Consumer, "300")];
    let mut worker = Worker::start(place.home.path(), "before", &pipelines);
    worker.wait_all("records committed", PATIENCE, |p| {
        p.partitions.len() == 2 && p.partitions.values().all(|(.., committed)| *committed == 1_000)
    });
    worker.stop(PATIENCE);
    producer::fill(&place.bootstrap, &place.topic, plan, 1_000..2_000);
    cluster::delete_records(&place.bootstrap, &place.topic, 0, 1_300);

    let mut worker = Worker::start(place.home.path(), "stops", &pipelines);
    worker.wait_all("stop", PATIENCE, |p| p.state == "Failed");
    for (name, p) in worker.report().pipelines {
        let why = p.last_error.unwrap_or_default();
        say(test, &format!("{name}: {why}"));
        assert!(why.contains(&place.topic) && why.contains("1000") && why.contains("1300"), "{name}: {why}");
    }
    worker.kill();
    for spec in &pipelines {
        let committed = cluster::committed(&place.bootstrap, &spec.group, &place.topic, 2);
        assert_eq!(committed[&0].0, 1_000, "{}: the offset stands where the loss begins", spec.name);
    }

    pipelines.iter_mut().for_each(|spec| spec.continue_on_loss = true);
    let mut worker = Worker::start(place.home.path(), "goes-on", &pipelines);
    worker.wait_all("end", PATIENCE, |p| {
        p.partitions.len() == 2 && p.partitions.values().all(|(.., committed)| *committed == 2_000)
    });
    let last = worker.stop(PATIENCE);
    assert!(last.pipelines.values().all(|p| p.lost == 300 && p.reconciles), "{last:#?}");
    place.check(|partition, number| partition == 0 && (1_000..1_300).contains(&number));
}

/// A topic, an index and a directory.
struct Place {
    home: tempfile::TempDir,
    bootstrap: String,
    topic: String,
    plan: Plan,
}

impl Place {
    fn new(test: &str, plan: Plan) -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let (bootstrap, topic) = (cluster::bootstrap(), cluster::unique(test));
        cluster::create_topic(&bootstrap, &topic, plan.partitions);
        search::create_index(&topic);
        Self { home, bootstrap, topic, plan }
    }

    fn objects(&self) -> PathBuf {
        self.home.path().join("objects")
    }

    fn to_search(&self, name: &str, protocol: Protocol) -> PipelineSpec {
        let sink = SinkSpec::Search(search::settings(&self.topic));
        PipelineSpec::new(name, &self.bootstrap, &self.topic, protocol, sink)
    }

    fn to_objects(&self, name: &str, protocol: Protocol, age_ms: &str) -> PipelineSpec {
        std::fs::create_dir_all(self.objects()).expect("a directory for objects");
        let url = format!("file://{}", self.objects().display());
        let settings = [("store.url", url.as_str()), ("path.format", PATH_FORMAT), ("max.age.ms", age_ms)];
        let settings = settings.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        PipelineSpec::new(name, &self.bootstrap, &self.topic, protocol, SinkSpec::Objects(settings))
    }

    fn check(&self, excused: impl Fn(i32, u64) -> bool + Copy) {
        search::assert_exactly_once(&self.topic, self.plan, excused);
        objects::assert_exactly_once(&self.objects(), &self.topic, self.plan, excused);
    }
}

/// Values and headers of all dead letters.
fn read_letters(bootstrap: &str) -> Vec<(String, BTreeMap<String, String>)> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "letters")
        .set("auto.offset.reset", "earliest")
        .set("enable.partition.eof", "true")
        .create()
        .expect("a consumer");
    consumer.subscribe(&["letters"]).expect("subscribed");
    let mut found = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        match consumer.poll(Duration::from_millis(200)) {
            None => {}
            Some(Err(rdkafka::error::KafkaError::PartitionEOF(_))) => return found,
            Some(Err(error)) => println!("letters: {error}"),
            Some(Ok(message)) => {
                let text =
                    |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
                let headers = message.headers().map(|all| {
                    all.iter().map(|header| (header.key.to_owned(), text(header.value))).collect()
                });
                found.push((text(message.payload()), headers.unwrap_or_default()));
            }
        }
    }
    panic!("the dead letters cannot be read to their end: {found:?}");
}
