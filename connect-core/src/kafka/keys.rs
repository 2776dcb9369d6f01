//! What a configuration can say of Kafka, by keys.

use super::{
    KafkaConfig, KafkaDeadLettersConfig, KafkaSinkConfig, OnDataLoss, StartPosition, TooLarge, check,
    names::NAMES, producer,
};
use crate::config::{Passthrough, Problems, Type, Value, not_empty};
use std::{collections::BTreeMap, time::Duration};

/// What is said of how a cluster is reached: dead letters that go to the source's cluster go there the same way.
const SECURITY: [&str; 3] = ["security.", "sasl.", "ssl."];

crate::choices! {
    /// What happens if the log does not have what is to be read next.
    pub enum DataLoss {
        /// The task stops and says what is missing.
        Fail = "fail",
        /// What is missing is counted as lost, and reading goes on.
        Continue = "continue",
    }
}

crate::choices! {
    /// What happens to a dead letter that is larger than its topic takes.
    pub enum Oversized {
        /// The task stops.
        Fail = "fail",
        /// The headers that say what happened are written without the record, and counted.
        HeadersOnly = "headers.only",
    }
}

crate::config! {
    /// Reads Kafka's topics.
    pub struct KafkaSourceConfig {
        /// Kafka's brokers, `host:port`, separated by commas.
        "bootstrap.servers" => bootstrap: String, importance: High, group: "Kafka", check: not_empty, allowed: "host:port, separated by commas";
        /// The consumer group. As in Kafka Connect, `connect-` and the pipeline's name if not given.
        "group.id" => group: Option<String>, group: "Kafka";
        /// The topics.
        "topics" => topics: Vec<String> = Vec::new(), importance: High, group: "Kafka", check: |topics: &Vec<String>| topic_names(topics);
        /// Instead of `topics`: a pattern of whole names.
        "topics.regex" => topics_regex: Option<String>, importance: High, group: "Kafka", check: expression;
        /// Where partitions start for which the group has committed nothing: `earliest`, `latest`, `timestamp:` and a time in
        /// milliseconds since 1970 or as in RFC 3339, or `offsets:` and pairs such as `orders-0=42`, others at the earliest.
        "start.position" => start: StartPosition = StartPosition::Earliest, group: "Kafka";
        /// What happens if the log does not have what is to be read next.
        "on.data.loss" => on_data_loss: DataLoss = DataLoss::Fail, group: "Kafka";
        /// How long the sink may take to give partitions up; never longer than half of `max.poll.interval.ms`.
        "revoke.timeout.ms" => revoke_timeout: Duration = Duration::from_secs(15), range: Duration::from_millis(1).., group: "Kafka", importance: Low;
        /// How the consumer is set up beside that.
        nested "" => consumer: ConsumerConfig;
    } check one_kind_of_topics
}

crate::config! {
    /// Properties of librdkafka's consumer. By themselves, so that what is wrong with other keys hides nothing of them.
    pub struct ConsumerConfig {
        /// Properties of librdkafka's consumer.
        prefix "consumer.override." => properties: Passthrough, known: NAMES;
    } check consumer_properties
}

crate::config! {
    /// Properties of librdkafka's producer.
    pub struct ProducerConfig {
        /// Properties of librdkafka's producer.
        prefix "producer.override." => properties: Passthrough, known: NAMES;
    } check producer_properties
}

fn one_kind_of_topics(config: &KafkaSourceConfig, problems: &mut Problems) {
    if config.topics.is_empty() == config.topics_regex.is_none() {
        problems.add("topics", "give either topics or topics.regex");
    }
}

fn topic_names(topics: &[String]) -> Result<(), String> {
    topics.iter().find(|topic| !check::is_topic(topic)).map_or(Ok(()), |topic| Err(not_a_topic(topic)))
}

fn expression(pattern: &Option<String>) -> Result<(), String> {
    let compiled = pattern.as_ref().map(|pattern| regex::Regex::new(pattern));
    compiled.transpose().map(drop).map_err(|error| format!("no regular expression: {error}"))
}

/// What is wrong with the properties below a prefix.
fn overrides(prefix: &str, properties: &Passthrough, ours: &[(&str, &str)], problems: &mut Problems) {
    for (name, what) in check::properties(properties, ours) {
        problems.add(format!("{prefix}{name}"), what);
    }
}

fn consumer_properties(config: &ConsumerConfig, problems: &mut Problems) {
    overrides("consumer.override.", &config.properties, check::OURS, problems);
}

fn producer_properties(config: &ProducerConfig, problems: &mut Problems) {
    overrides("producer.override.", &config.properties, producer::OURS, problems);
}

fn target_properties(config: &TargetProducerConfig, problems: &mut Problems) {
    overrides("target.override.", &config.properties, producer::OURS, problems);
}

fn not_a_topic(name: &str) -> String {
    format!("{name} is no name of a topic: use letters, digits, `.`, `_` and `-`")
}

impl KafkaSourceConfig {
    /// What the source of the pipeline `name` is told.
    #[must_use]
    pub fn kafka(&self, name: &str) -> KafkaConfig {
        let group = self.group.clone().unwrap_or_else(|| format!("connect-{name}"));
        let kafka = match &self.topics_regex {
            Some(pattern) => KafkaConfig::with_pattern(&self.bootstrap, group, pattern),
            None => KafkaConfig::new(&self.bootstrap, group, &self.topics),
        };
        let kafka = kafka.start(self.start.clone()).revoke_timeout(self.revoke_timeout);
        let kafka = kafka.on_data_loss(match self.on_data_loss {
            DataLoss::Fail => OnDataLoss::Stop,
            DataLoss::Continue => OnDataLoss::Continue,
        });
        KafkaConfig { properties: self.consumer.properties.clone(), ..kafka }
    }
}

crate::config! {
    /// Writes to Kafka's topics. Its keys begin with `target.`, since the source may be Kafka too.
    pub struct KafkaTargetConfig {
        /// The brokers that are written to, `host:port`, separated by commas.
        "target.bootstrap.servers" => bootstrap: String, importance: High, group: "Target", check: not_empty, allowed: "host:port, separated by commas";
        /// The topic of all records; each keeps its own, if not given. In the cluster that is read from, name another topic
        /// than those that are read, here or by a transform: what is written there would be read again, for ever.
        "target.topic" => topic: Option<String>, importance: High, group: "Target", check: topic_name;
        /// How the producer is set up beside that.
        nested "" => producer: TargetProducerConfig;
    }
}

crate::config! {
    /// Properties of librdkafka's producer. By themselves, so that what is wrong with other keys hides nothing of them.
    pub struct TargetProducerConfig {
        /// Properties of librdkafka's producer.
        prefix "target.override." => properties: Passthrough, known: NAMES;
    } check target_properties
}

impl KafkaTargetConfig {
    /// What the sink is told.
    #[must_use]
    pub fn kafka(&self) -> KafkaSinkConfig {
        let sink = KafkaSinkConfig::new(&self.bootstrap).properties(self.producer.properties.clone());
        self.topic.iter().fold(sink, KafkaSinkConfig::topic)
    }
}

crate::config! {
    /// Where records go that will never work: to a topic, as they were read, with Connect's headers.
    pub struct KafkaLettersConfig {
        /// The topic of the dead letter queue; without it there is none.
        "errors.deadletterqueue.topic.name" => topic: Option<String>, group: "Errors", check: |topic: &Option<String>| topic_name(topic);
        /// Brokers of another cluster, `host:port`, separated by commas; if not given those of `bootstrap.servers`, reached
        /// with the security settings of `consumer.override.` where `producer.override.` has none.
        "errors.deadletterqueue.bootstrap.servers" => bootstrap: Option<String>, group: "Errors";
        /// Creates the topic if it does not exist, with one partition and so many replicas, as Connect does with 3. If not given,
        /// it must exist.
        "errors.deadletterqueue.topic.replication.factor" => replicas: Option<u16>, range: Some(1).., group: "Errors", importance: Low;
        /// Whether letters say what happened in headers. Always; Connect's default is `false`.
        "errors.deadletterqueue.context.headers.enable" => headers: bool = true, check: |on: &bool| always(*on), allowed: "true", group: "Errors", importance: Low;
        /// What happens to a letter that is larger than the topic takes.
        "errors.deadletterqueue.oversized.behavior" => oversized: Oversized = Oversized::Fail, group: "Errors", importance: Low;
        /// How the producer is set up beside that.
        nested "" => producer: ProducerConfig;
    } check writable
}

fn topic_name(topic: &Option<String>) -> Result<(), String> {
    match topic {
        Some(topic) if !check::is_topic(topic) => Err(not_a_topic(topic)),
        _ => Ok(()),
    }
}

fn always(on: bool) -> Result<(), String> {
    on.then_some(()).ok_or_else(|| "letters always say what happened".to_owned())
}

fn writable(config: &KafkaLettersConfig, problems: &mut Problems) {
    if config.topic.is_none() && config.bootstrap.is_some() {
        problems.add("errors.deadletterqueue.topic.name", "required where the queue's brokers are given");
    }
}

impl KafkaLettersConfig {
    /// What the queue is told, beside the source `source` if that is Kafka. `None`: there is no queue.
    ///
    /// # Errors
    /// The key that is wrong, and why: there are no brokers, or the source would read the letters.
    pub fn kafka(
        &self,
        source: Option<&KafkaConfig>,
    ) -> Result<Option<KafkaDeadLettersConfig>, (&'static str, String)> {
        let Some(topic) = &self.topic else { return Ok(None) };
        let letters = match (&self.bootstrap, source) {
            (Some(brokers), _) => {
                KafkaDeadLettersConfig::new(brokers, topic).properties(self.producer.properties.clone())
            }
            (None, Some(source)) => {
                let security = |key: &str| SECURITY.iter().any(|start| key.starts_with(start));
                let properties = source.properties.only(security).with(&self.producer.properties);
                KafkaDeadLettersConfig::new(&source.bootstrap, topic).properties(properties)
            }
            (None, None) => {
                let what = "required, since the source is not Kafka";
                return Err(("errors.deadletterqueue.bootstrap.servers", what.to_owned()));
            }
        };
        if let Some(source) = source {
            letters
                .check_source(source)
                .map_err(|error| ("errors.deadletterqueue.topic.name", error.report()))?;
        }
        let letters = match self.replicas {
            Some(replicas) => letters.create(1, replicas.into()),
            None => letters,
        };
        Ok(Some(letters.too_large(match self.oversized {
            Oversized::Fail => TooLarge::Fail,
            Oversized::HeadersOnly => TooLarge::HeadersOnly,
        })))
    }
}

impl Value for StartPosition {
    const TYPE: Type = Type::String;

    fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.eq_ignore_ascii_case("earliest") {
            return Ok(Self::Earliest);
        }
        if text.eq_ignore_ascii_case("latest") {
            return Ok(Self::Latest);
        }
        match text.split_once(':') {
            Some(("timestamp", time)) => timestamp(time.trim()).map(Self::Timestamp),
            Some(("offsets", pairs)) => {
                pairs.split(',').map(offset).collect::<Result<BTreeMap<_, _>, _>>().map(Self::Offsets)
            }
            _ => Err("no start position".into()),
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Earliest => "earliest".into(),
            Self::Latest => "latest".into(),
            Self::Timestamp(ms) => format!("timestamp:{ms}"),
            Self::Offsets(offsets) => {
                let pair = |((topic, partition), offset): (&(String, i32), &i64)| {
                    format!("{topic}-{partition}={offset}")
                };
                format!("offsets:{}", offsets.iter().map(pair).collect::<Vec<_>>().join(","))
            }
        }
    }

    fn allowed() -> Option<String> {
        Some("earliest, latest, timestamp:<milliseconds or RFC 3339>, or offsets:<topic>-<partition>=<offset>,…".into())
    }
}

fn timestamp(text: &str) -> Result<i64, String> {
    let ms = text.parse().ok().or_else(|| Some(text.parse::<jiff::Timestamp>().ok()?.as_millisecond()));
    ms.filter(|ms| *ms >= 0).ok_or_else(|| "no time from 1970 on".into())
}

fn offset(pair: &str) -> Result<((String, i32), i64), String> {
    let parse = || {
        let (place, offset) = pair.trim().split_once('=')?;
        let (topic, partition) = place.trim().rsplit_once('-')?;
        let (partition, offset): (u32, u64) = (partition.parse().ok()?, offset.trim().parse().ok()?);
        let found = (topic.to_owned(), i32::try_from(partition).ok()?);
        check::is_topic(topic).then_some((found, i64::try_from(offset).ok()?))
    };
    parse().ok_or_else(|| format!("{pair} is no offset of a partition"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Providers, Settings};

    #[test]
    fn start_positions_are_words_times_and_offsets() {
        let offsets = BTreeMap::from([(("a-b".to_owned(), 0), 42), (("c".to_owned(), 11), 0)]);
        for (text, want) in [
            ("Earliest", StartPosition::Earliest),
            (" latest ", StartPosition::Latest),
            ("timestamp:1700000000000", StartPosition::Timestamp(1_700_000_000_000)),
            ("timestamp: 2023-11-14T22:13:20Z", StartPosition::Timestamp(1_700_000_000_000)),
            ("offsets:a-b-0=42, c-11=0", StartPosition::Offsets(offsets)),
        ] {
            assert_eq!(StartPosition::parse(text), Ok(want.clone()), "{text}");
            assert_eq!(StartPosition::parse(&want.show()), Ok(want), "{text}");
        }
        for text in [
            "",
            "first",
            "timestamp:",
            "timestamp:-1",
            "timestamp:soon",
            "offsets:",
            "offsets:a=1",
            "offsets:a-x=1",
            "offsets:a-0=-1",
        ] {
            assert!(StartPosition::parse(text).is_err(), "{text}");
        }
    }

    fn source(more: &[(&str, &str)]) -> Result<KafkaSourceConfig, String> {
        let settings = [("bootstrap.servers", "b:9092")].iter().chain(more).copied();
        KafkaSourceConfig::parse(&Settings::literal(settings)).map_err(|error| error.to_string())
    }

    #[test]
    fn the_group_is_connects_unless_it_is_given() {
        let config = source(&[("topics", "a,b"), ("consumer.override.check.crcs", "true")]).unwrap();
        let kafka = config.kafka("p");
        assert_eq!((kafka.group.as_str(), kafka.properties["check.crcs"].as_str()), ("connect-p", "true"));
        let config =
            source(&[("topics.regex", "a.*"), ("group.id", "g"), ("on.data.loss", "continue")]).unwrap();
        let kafka = config.kafka("p");
        assert!(
            kafka.topics.matches("abc") && kafka.group == "g" && kafka.on_data_loss == OnDataLoss::Continue
        );
    }

    #[test]
    fn what_librdkafka_would_refuse_at_the_start_is_told_with_the_rest() {
        let error = source(&[
            ("topics", "a b"),
            ("topics.regex", "("),
            ("consumer.override.enable.auto.commit", "true"),
            ("consumer.override.fetch.max.byte", "1"),
            ("consumer.override.sasl.password", "hunter2secret"),
        ])
        .unwrap_err();
        for part in [
            "topics = \"a b\": a b is no name",
            "topics.regex = \"(\": no regular expression",
            "consumer.override.enable.auto.commit = \"true\": ",
            "did you mean `fetch.max.bytes`?",
        ] {
            assert!(error.contains(part), "{part} is not in {error}");
        }
        assert!(!error.contains("hunter2secret"), "{error}");
        for topics in [&[][..], &[("topics", "a"), ("topics.regex", "a")]] {
            assert!(source(topics).is_err_and(|error| error.contains("give either topics or topics.regex")));
        }
    }

    #[test]
    fn the_value_of_a_property_that_librdkafka_does_not_know_is_not_shown() {
        let wrong = ("sasl.pasword", "hunter2");
        let pairs =
            ["consumer", "producer", "target"].map(|of| (format!("{of}.override.{}", wrong.0), wrong.1));
        let least =
            [("bootstrap.servers", "b:9092"), ("topics", "a"), ("target.bootstrap.servers", "b:9092")];
        let least = least.map(|(key, value)| (key.to_owned(), value));
        let settings = Settings::literal(least.into_iter().chain(pairs));
        type All = (KafkaSourceConfig, KafkaTargetConfig, KafkaLettersConfig);
        let error = All::parse(&settings).unwrap_err();
        let shown = format!("{error} {error:?} {}", All::infos("p", &settings));
        assert!(!shown.contains("hunter2"), "{shown}");
        let told = "override.sasl.pasword = \"[redacted]\": librdkafka knows no property `sasl.pasword`: \
                    did you mean `sasl.password`?";
        assert_eq!(error.to_string().matches(told).count(), 3, "{error}");
    }

    #[test]
    fn a_target_has_its_own_brokers_and_properties() {
        let settings = [
            ("target.bootstrap.servers", "c:9092"),
            ("target.topic", "copies"),
            ("target.override.linger.ms", "5"),
        ];
        let sink = KafkaTargetConfig::parse(&Settings::literal(settings)).unwrap().kafka();
        let sink = format!("{sink:?}");
        for part in ["c:9092", "Some(\"copies\")", "\"linger.ms\": \"5\""] {
            assert!(sink.contains(part), "{part}: {sink}");
        }
        let wrong = [("target.topic", "no topic"), ("target.override.acks", "1")];
        let error = KafkaTargetConfig::parse(&Settings::literal(wrong)).unwrap_err().to_string();
        for part in [
            "target.bootstrap.servers: required",
            "target.topic = \"no topic\": no topic is no name of a topic",
            "target.override.acks = \"1\": ",
        ] {
            assert!(error.contains(part), "{part} is not in {error}");
        }
    }

    #[test]
    fn letters_go_to_the_sources_cluster_its_way_unless_another_is_named() {
        let secret = |key: &str, value: &str| (format!("consumer.override.{key}"), value.to_owned());
        let consumer = [secret("sasl.username", "${env:PATH}"), secret("fetch.min.bytes", "1")];
        let rest =
            [("bootstrap.servers", "b:9092"), ("topics", "a")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        let settings = Settings::new(consumer.into_iter().chain(rest), &Providers::system());
        let source = KafkaSourceConfig::parse(&settings).unwrap().kafka("p");
        let letters = |source: Option<&KafkaConfig>, more: &[(&str, &str)]| {
            let config = KafkaLettersConfig::parse(&Settings::literal(more.iter().copied())).unwrap();
            config.kafka(source).map(|letters| letters.map(|letters| format!("{letters:?}")))
        };
        let topic = ("errors.deadletterqueue.topic.name", "dead");
        let same = letters(Some(&source), &[topic, ("producer.override.linger.ms", "5")]).unwrap().unwrap();
        for part in ["b:9092", "\"linger.ms\": \"5\"", "\"sasl.username\": \"[redacted]\""] {
            assert!(same.contains(part) && !same.contains("fetch.min.bytes"), "{part}: {same}");
        }
        let other = ("errors.deadletterqueue.bootstrap.servers", "c:9092");
        let other = letters(Some(&source), &[topic, other]).unwrap().unwrap();
        assert!(other.contains("c:9092") && !other.contains("sasl.username"), "{other}");
        assert_eq!(letters(Some(&source), &[]), Ok(None));
        assert!(letters(None, &[topic]).is_err_and(|(key, _)| key.ends_with("bootstrap.servers")));
        let own = letters(Some(&source), &[("errors.deadletterqueue.topic.name", "a")]);
        assert!(own.is_err_and(|(key, what)| key.ends_with("topic.name") && what.contains("come back")));
    }
}
