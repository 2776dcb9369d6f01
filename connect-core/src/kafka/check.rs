//! Everything that can be known to be wrong before the first record, all at once.

use super::{
    config::{KafkaConfig, Topics},
    context::ReaderConsumer,
    errors,
    names::NAMES,
    reach::Question,
    reader::Setup,
    search::RECEIVE,
};
use crate::{
    Error, Task,
    config::{Passthrough, nearest},
};
use rdkafka::{
    config::{ClientConfig, RDKafkaLogLevel},
    consumer::Consumer,
    error::{KafkaError, RDKafkaErrorCode as Code},
    types::RDKafkaConfRes,
};
use std::time::Duration;

/// Properties that are ours, with the reason.
pub(super) const OURS: &[(&str, &str)] = &[
    ("bootstrap.servers", "it has a setting of its own"),
    ("metadata.broker.list", "it is another name of bootstrap.servers, which has a setting of its own"),
    ("group.id", "it has a setting of its own"),
    ("enable.auto.commit", "offsets are committed when records are delivered"),
    ("auto.commit.enable", "offsets are committed when records are delivered"),
    ("enable.auto.offset.store", "offsets are committed when records are delivered"),
    ("auto.offset.reset", "use the start position; later resets are explicit (on.data.loss)"),
    (
        "enable.partition.eof",
        "librdkafka counts the end of a partition like a record, and skips one after the next pause",
    ),
    ("opaque", "it is no text"),
];
/// What the protocol of KIP-848 leaves to the broker.
const BROKERS_OWN: &[&str] =
    &["partition.assignment.strategy", "session.timeout.ms", "heartbeat.interval.ms"];
/// Set unless the user sets them; `KafkaConfig` documents why.
const DEFAULTS: &[(&str, &str)] = &[
    ("fetch.queue.backoff.ms", "5"),
    ("queued.max.messages.kbytes", "8192"),
    ("queued.min.messages", "20000"),
    ("fetch.message.max.bytes", "262144"),
    ("fetch.max.bytes", "4194304"),
];
/// The default of `receive.message.max.bytes`: librdkafka unpacks no zstd batch into a larger buffer, and triples the
/// buffer until the batch fits. Below the first four bytes of what a TLS or HTTP server says to a client that
/// speaks Kafka, which librdkafka is to refuse as a length.
const RECEIVE_BYTES: u64 = 350_000_000;
/// Other names of properties that have a default here.
const ALIASES: &[(&str, &str)] = &[("max.partition.fetch.bytes", "fetch.message.max.bytes")];

/// Checks the configuration and turns it into what the reader thread needs.
pub(super) fn setup(config: &KafkaConfig, task: &Task) -> Result<Setup, Error> {
    let mut problems: Vec<String> = properties(&config.properties, OURS).map(|(_, what)| what).collect();
    let get = |name: &str| config.properties.get(name).map(String::as_str);
    let by_broker = get("group.protocol").is_some_and(|protocol| protocol.eq_ignore_ascii_case("consumer"));
    if by_broker {
        for name in BROKERS_OWN.iter().filter(|name| get(name).is_some()) {
            problems
                .push(format!("`{name}` is the broker's business with group.protocol=consumer: remove it"));
        }
    }
    problems.extend(shape(config));
    // What is no number was reported above. The defaults are librdkafka's.
    let ms =
        |name, default| Duration::from_millis(get(name).and_then(|ms| ms.parse().ok()).unwrap_or(default));
    let max_poll = ms("max.poll.interval.ms", 300_000);
    if !problems.is_empty() {
        return Err(Error::fatal("configure the kafka source", problems.join("; ")));
    }
    let client = client(config, task, by_broker);
    let number = |name, default| client.get(name).and_then(|text| text.parse().ok()).unwrap_or(default);
    Ok(Setup {
        answer_bytes: number("fetch.max.bytes", 50 << 20),
        queued_bytes: number("queued.max.messages.kbytes", 65_536) * 1_000,
        client,
        config: config.clone(),
        session: ms("session.timeout.ms", 45_000),
        by_broker,
        revoke_within: config.revoke_timeout.min(max_poll / 2),
        call_timeout: Duration::from_secs(5).min(max_poll / 4),
        look_every: ms("topic.metadata.refresh.interval.ms", 300_000),
        again: task.restarts > 0,
        preview: task.preview,
    })
}

fn shape(config: &KafkaConfig) -> Vec<String> {
    let mut problems = Vec::new();
    if config.bootstrap.trim().is_empty() {
        problems.push("`bootstrap.servers` is empty: name at least one broker as host:port".to_owned());
    }
    if config.group.is_empty() {
        problems.push("`group.id` is empty: name the consumer group".to_owned());
    }
    match &config.topics {
        Topics::List(names) if names.is_empty() => {
            problems.push("`topics` is empty: name a topic".to_owned())
        }
        Topics::List(names) => {
            for name in names.iter().filter(|name| !is_topic(name)) {
                problems
                    .push(format!("`{name}` is no name of a topic: use letters, digits, `.`, `_` and `-`"));
            }
        }
        Topics::Pattern(pattern) => {
            if let Err(error) = regex::Regex::new(pattern) {
                problems.push(format!("`topics.regex` is no regular expression: {error}"));
            }
        }
    }
    problems
}

pub(super) fn is_topic(name: &str) -> bool {
    let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !name.is_empty() && name.len() <= 249 && name != "." && name != ".." && name.chars().all(valid)
}

fn client(config: &KafkaConfig, task: &Task, by_broker: bool) -> ClientConfig {
    let mut client = ClientConfig::new();
    for (name, value) in DEFAULTS {
        client.set(*name, *value);
    }
    if !by_broker {
        client.set("partition.assignment.strategy", "cooperative-sticky");
    }
    client.set("client.id", format!("connector-consumer-{task}"));
    for (name, value) in &*config.properties {
        if let Some((_, ours)) = ALIASES.iter().find(|(alias, _)| alias == name) {
            client.remove(ours);
        }
        client.set(name, value);
    }
    if client.get(RECEIVE).is_none() {
        // librdkafka wants room for the frame around an answer.
        let fetched = client.get("fetch.max.bytes").and_then(|bytes| bytes.parse::<u64>().ok()).unwrap_or(0);
        client.set(RECEIVE, RECEIVE_BYTES.max(fetched + 512).to_string());
    }
    if let Some(instance) = config.properties.get("group.instance.id") {
        // Members of one group need different ones.
        client.set("group.instance.id", format!("{instance}-{}", task.number));
    }
    client.set_log_level(log_level(&config.properties));
    client
        .set("bootstrap.servers", &config.bootstrap)
        .set("group.id", &config.group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("enable.partition.eof", "false");
    client
}

/// rdkafka's own choice looks at the `log` crate's filter. Debug lines come only where the property `debug` asks.
pub(super) fn log_level(properties: &Passthrough) -> RDKafkaLogLevel {
    if properties.contains_key("debug") { RDKafkaLogLevel::Debug } else { RDKafkaLogLevel::Info }
}

/// What is wrong with librdkafka properties, by name: ours, unknown, invalid, or of a feature that is not compiled in.
pub(super) fn properties(
    properties: &Passthrough,
    ours: &[(&str, &str)],
) -> impl Iterator<Item = (String, String)> {
    let mut problems = missing_features(properties);
    for (name, value) in &**properties {
        if let Some((_, why)) = ours.iter().find(|(ours, _)| ours == name) {
            problems.push((name.clone(), format!("`{name}` cannot be set: {why}")));
            continue;
        }
        let problem = match ClientConfig::new().set(name, value).create_native_config() {
            Err(KafkaError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, ..)) => {
                let meant = nearest(name, NAMES.iter().copied());
                let meant = meant.map(|meant| format!(": did you mean `{meant}`?")).unwrap_or_default();
                format!("librdkafka knows no property `{name}`{meant}")
            }
            // What librdkafka says repeats the value, which may be a secret.
            Err(_) => format!("the value of `{name}` is not valid, or not supported in this build"),
            Ok(_) => continue,
        };
        problems.push((name.clone(), problem));
    }
    problems.into_iter()
}

/// Security that needs a feature of this crate.
fn missing_features(properties: &Passthrough) -> Vec<(String, String)> {
    let get = |name: &str| properties.get(name).map(|value| value.to_ascii_uppercase());
    let protocol = get("security.protocol").unwrap_or_default();
    let mechanism = get("sasl.mechanism").or_else(|| get("sasl.mechanisms"));
    let mut problems = Vec::new();
    // Names that are known, not what was given: that may come from a reference, of which nothing is shown.
    let mut needs = |name: &str, value: &'static str, feature: &str| {
        problems.push((
            name.to_owned(),
            format!("`{name}={value}` needs the feature `{feature}` of connect-core"),
        ));
    };
    if protocol.ends_with("SSL") && !cfg!(feature = "ssl") {
        needs("security.protocol", if protocol.starts_with("SASL") { "SASL_SSL" } else { "SSL" }, "ssl");
    }
    // librdkafka's default mechanism is GSSAPI.
    let mechanism = mechanism.or_else(|| protocol.starts_with("SASL").then(|| "GSSAPI".to_owned()));
    match mechanism.as_deref() {
        Some("GSSAPI") if !cfg!(feature = "gssapi") => needs("sasl.mechanism", "GSSAPI", "gssapi"),
        Some(name) if name.starts_with("SCRAM-") && !cfg!(feature = "ssl") => {
            needs("sasl.mechanism", "SCRAM-…", "ssl");
        }
        Some("OAUTHBEARER") if !cfg!(feature = "ssl") => needs("sasl.mechanism", "OAUTHBEARER", "ssl"),
        _ => {}
    }
    problems
}

/// An error of creating a client, which may quote a value.
pub(super) fn without_secrets(error: KafkaError, properties: &Passthrough) -> String {
    match error {
        KafkaError::ClientConfig(_, _, name, _) => format!("the value of `{name}` is not valid"),
        other if properties.is_repeated_in(&other.to_string()) => {
            "librdkafka refuses a property; which one would repeat a value that is not shown".to_owned()
        }
        other => other.to_string(),
    }
}

/// Asks the broker for the topics: the address, the credentials and the right to read them.
pub(super) fn reachable(consumer: &ReaderConsumer, setup: &Setup) -> Result<(), Error> {
    // A task that was started again by itself was let in before.
    let refused: fn(_, _, String) -> _ = if setup.again { errors::coded } else { errors::refused };
    let fetch = |topic: Option<&str>| {
        let timeout = setup.call_timeout * 2;
        let question = Question { config: &setup.client, topic, timeout, refused };
        question.ask(consumer.client(), consumer.context().errors(), || {
            let _ = consumer.poll(Duration::from_millis(10));
        })
    };
    let Topics::List(names) = &setup.config.topics else { return fetch(None).map(drop) };
    let mut problems = Vec::new();
    for name in names {
        let metadata = fetch(Some(name))?;
        let error = metadata.topics().iter().find_map(rdkafka::metadata::MetadataTopic::error);
        match error.map(Code::from) {
            None => {}
            Some(Code::UnknownTopicOrPartition | Code::LeaderNotAvailable) => {
                tracing::warn!(topic = name, "the topic does not exist yet");
            }
            Some(code) => problems.push((name, code)),
        }
    }
    match problems.first() {
        None => Ok(()),
        Some((_, code)) => {
            let all: Vec<String> =
                problems.iter().map(|(name, code)| format!("topic {name}: {code}")).collect();
            Err(refused("read the topics", *code, all.join("; ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task() -> Task {
        Task { pipeline: "p".into(), number: 3, of: 4, restarts: 0, transforms: None, preview: false }
    }

    fn config() -> KafkaConfig {
        KafkaConfig::new("localhost:9092", "g", ["t"])
    }

    fn problem(config: &KafkaConfig) -> String {
        setup(config, &task()).err().map(|error| error.report()).unwrap_or_default()
    }

    #[test]
    fn what_is_ours_is_refused_by_name_with_the_reason() {
        for (name, why) in OURS {
            let report = problem(&config().property(*name, "1"));
            assert!(report.contains(name) && report.contains(why), "{report}");
        }
    }

    #[test]
    fn all_problems_are_named_at_once_with_the_nearest_known_property() {
        let config = config()
            .property("fetch.mim.bytes", "1")
            .property("fetch.max.bytes", "many")
            .property("group.id", "other");
        let report = problem(&config);
        for part in
            ["`fetch.mim.bytes`", "did you mean `fetch.min.bytes`?", "`fetch.max.bytes`", "`group.id`"]
        {
            assert!(report.contains(part), "{report}");
        }
    }

    #[test]
    fn the_brokers_business_is_refused_with_kip_848_only() {
        for name in BROKERS_OWN {
            let value = if name.ends_with("ms") { "6000" } else { "range" };
            let config = config().property(*name, value);
            assert_eq!(problem(&config), "");
            let report = problem(&config.property("group.protocol", "consumer"));
            assert!(report.contains(name), "{report}");
        }
    }

    #[test]
    fn security_that_is_not_compiled_in_names_the_feature() {
        let with = |pairs: &[(&str, &str)]| {
            problem(&pairs.iter().fold(config(), |config, (name, value)| config.property(*name, *value)))
        };
        if !cfg!(feature = "ssl") {
            assert!(with(&[("security.protocol", "ssl")]).contains("feature `ssl`"));
            let scram = [("security.protocol", "SASL_PLAINTEXT"), ("sasl.mechanism", "SCRAM-SHA-512")];
            assert!(with(&scram).contains("feature `ssl`"));
        }
        if !cfg!(feature = "gssapi") {
            assert!(with(&[("security.protocol", "SASL_PLAINTEXT")]).contains("feature `gssapi`"));
        }
        let plain = [("security.protocol", "SASL_PLAINTEXT"), ("sasl.mechanism", "PLAIN")];
        assert_eq!(with(&plain), "");
    }

    #[test]
    fn secrets_are_neither_in_debug_nor_in_errors() {
        let config = config().property("sasl.password", "hunter2").property("ssl.key.password", "hunter2");
        assert!(!format!("{config:?}").contains("hunter2"), "{config:?}");
        assert!(!problem(&config.property("sasl.password", "hunter2\0")).contains("hunter2"));
        let mistyped = self::config().property("sasl.pasword", "hunter2");
        let shown = format!("{mistyped:?} {}", problem(&mistyped));
        assert!(shown.contains("`sasl.pasword`") && !shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn an_error_of_creating_a_client_repeats_no_hidden_value() {
        let error = || KafkaError::ClientCreation("Unsupported SASL mechanism: HUNTER2".to_owned());
        let mut properties = Passthrough::default();
        properties.set("sasl.mechanism", "hunter2");
        assert!(!without_secrets(error(), &properties).to_lowercase().contains("hunter2"));
        properties.set_among(NAMES, "sasl.mechanism", "hunter2");
        assert!(without_secrets(error(), &properties).contains("Unsupported SASL mechanism"));
    }

    #[test]
    fn defaults_hold_unless_they_are_set_by_any_of_their_names() {
        let get = |config: &KafkaConfig, name: &str| {
            let setup = setup(config, &task()).expect("a valid configuration");
            setup.client.get(name).map(str::to_owned)
        };
        let plain = config();
        assert_eq!(get(&plain, "partition.assignment.strategy").as_deref(), Some("cooperative-sticky"));
        assert_eq!(get(&plain, "auto.offset.reset").as_deref(), Some("error"));
        assert_eq!(get(&plain, "client.id").as_deref(), Some("connector-consumer-p-3"));
        let set = config().property("max.partition.fetch.bytes", "99999").property("group.instance.id", "me");
        assert_eq!(get(&set, "fetch.message.max.bytes"), None);
        assert_eq!(get(&set, "group.instance.id").as_deref(), Some("me-3"));
        let broker = config().property("group.protocol", "consumer");
        assert_eq!(get(&broker, "partition.assignment.strategy"), None);
    }

    #[test]
    fn a_revoke_is_answered_within_half_of_max_poll_interval() {
        let within = |config: &KafkaConfig| setup(config, &task()).expect("valid").revoke_within;
        assert_eq!(within(&config()), Duration::from_secs(15));
        assert_eq!(within(&config().property("max.poll.interval.ms", "20000")), Duration::from_secs(10));
        let short = config().revoke_timeout(Duration::from_secs(2));
        assert_eq!(within(&short), Duration::from_secs(2));
    }

    #[test]
    fn every_name_for_suggestions_is_one_that_librdkafka_knows() {
        let is_unknown = |name: &&&str| {
            let native = ClientConfig::new().set(**name, "1").create_native_config();
            matches!(native, Err(KafkaError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, ..)))
        };
        let unknown: Vec<_> = NAMES.iter().filter(is_unknown).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }
}
