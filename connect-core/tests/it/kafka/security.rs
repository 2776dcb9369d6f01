//! Credentials, against a listener that asks for them.

use super::{
    cluster::{PASSWORD, PROTOCOLS, USER, fill, sasl_bootstrap, topic, unique},
    driver::{Driver, config_at, task},
};
use connect_core::{
    Class, DeadLetters, Source,
    kafka::{KafkaConfig, KafkaDeadLetters, KafkaDeadLettersConfig, KafkaSource},
};

fn with(config: KafkaConfig, password: &str) -> KafkaConfig {
    config
        .property("security.protocol", "SASL_PLAINTEXT")
        .property("sasl.mechanism", "PLAIN")
        .property("sasl.username", USER)
        .property("sasl.password", password)
}

#[tokio::test]
async fn sasl_plain_reads_and_commits() {
    let topic = topic("sasl", 1).await;
    fill(&topic, 1, 20);
    for protocol in PROTOCOLS {
        let config = with(config_at(sasl_bootstrap(), &unique("group"), &topic, protocol), PASSWORD);
        let mut driver = Driver::open(config.clone()).await;
        driver.rows(20).await;
        let id = driver.id(0);
        driver.commit(id, 15, None).await.expect("committed");
        driver.close().await;
        let mut driver = Driver::open(config).await;
        driver.rows(5).await;
        driver.close().await;
    }
}

#[tokio::test]
async fn a_wrong_password_stops_the_task_at_the_start_and_is_shown_nowhere() {
    let topic = topic("sasl-wrong", 1).await;
    let wrong = "not-alices-secret";
    let config = with(config_at(sasl_bootstrap(), &unique("group"), &topic, "classic"), wrong);
    assert!(!format!("{config:?}").contains(wrong), "{config:?}");
    let error = KafkaSource::new(config, &task(0)).open().await.expect_err("refused");
    assert_eq!(error.class(), Class::Fatal, "{error:?}");
    let report = error.report();
    assert!(report.contains("Authentication") && !report.contains(wrong), "{report}");

    let letters = KafkaDeadLettersConfig::new(sasl_bootstrap(), &topic);
    let letters = [("security.protocol", "SASL_PLAINTEXT"), ("sasl.mechanism", "PLAIN")]
        .into_iter()
        .chain([("sasl.username", USER), ("sasl.password", wrong)])
        .fold(letters, |letters, (name, value)| letters.property(name, value));
    let error = KafkaDeadLetters::new(letters).expect("a queue").open().await.expect_err("refused");
    assert_eq!(error.class(), Class::Fatal, "{error:?}");
    assert!(!error.report().contains(wrong), "{}", error.report());
}
