//! Clusters that are not there: told at once, with what to check.

use super::{
    cluster::{PASSWORD, USER, sasl_bootstrap, unique},
    driver::{config_at, task},
};
use connect_core::{
    Class, DeadLetters, Error, Source,
    kafka::{KafkaConfig, KafkaDeadLetters, KafkaDeadLettersConfig, KafkaSource},
};
use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

/// A third of what librdkafka itself goes on trying.
const AT_ONCE: Duration = Duration::from_secs(3);

/// An address where nothing listens.
fn nowhere() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").to_string()
}

/// The error of opening a source, soon.
async fn refused(config: KafkaConfig) -> Error {
    let begun = Instant::now();
    let error = KafkaSource::new(config, &task(0)).open().await.expect_err("nobody answers");
    assert!(begun.elapsed() < AT_ONCE, "{:?}: {error:?}", begun.elapsed());
    assert!(!error.report().contains('\n'), "one line: {}", error.report());
    error
}

#[tokio::test]
async fn a_port_where_nothing_listens_is_told_at_once_and_always_in_the_same_words() {
    let nowhere = nowhere();
    let source = || config_at(&nowhere, &unique("group"), "t", "classic");
    let error = refused(source()).await;
    assert_eq!(error.class(), Class::Retriable, "it may come up: {error:?}");
    let report = error.report();
    for part in
        ["Connection refused", &format!("check bootstrap.servers={nowhere}"), "security.protocol=plaintext"]
    {
        assert!(report.contains(part), "{report}");
    }
    assert_eq!(refused(source()).await.report(), report, "equal texts are one cause");

    let begun = Instant::now();
    let letters = KafkaDeadLettersConfig::new(&nowhere, "dead");
    let error = KafkaDeadLetters::new(letters).expect("a queue").open().await.expect_err("nobody answers");
    assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
    let (producer, report) = (error.report(), format!("check bootstrap.servers={nowhere}"));
    assert!(producer.contains("Connection refused") && producer.contains(&report), "{producer}");
}

#[tokio::test]
async fn a_host_that_does_not_exist_is_told_at_once() {
    let report =
        refused(config_at("no-such-host.invalid:9092", &unique("group"), "t", "classic")).await.report();
    for part in
        ["Failed to resolve 'no-such-host.invalid:9092'", "check bootstrap.servers=no-such-host.invalid:9092"]
    {
        assert!(report.contains(part), "{report}");
    }
}

#[tokio::test]
async fn a_wrong_password_is_told_at_once_with_the_properties_to_check() {
    let config = |password: &str| {
        config_at(sasl_bootstrap(), &unique("group"), "t", "classic")
            .property("security.protocol", "SASL_PLAINTEXT")
            .property("sasl.mechanism", "PLAIN")
            .property("sasl.username", USER)
            .property("sasl.password", password)
    };
    let error = refused(config("wrong")).await;
    assert_eq!(error.class(), Class::Fatal, "{error:?}");
    assert!(
        error.report().contains("check sasl.mechanism, sasl.username and sasl.password"),
        "{}",
        error.report()
    );
    let mut source = KafkaSource::new(config(PASSWORD), &task(0));
    source.open().await.expect("the right one is let in");
    source.close().await.expect("it closes");
}
