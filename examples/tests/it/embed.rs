//! A service with a pipeline in it.

use crate::process::Process;
use examples::{earthquakes, elastic::Elastic, mock_kafka::MockKafka};
use std::{process::Command, time::Duration};
use tokio::time::{Instant, sleep};

async fn get(url: &str) -> (u16, String) {
    let answer = reqwest::get(url).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_answers_for_its_health_and_its_metrics_and_stops_gracefully() {
    let kafka = MockKafka::start(earthquakes::TOPIC, earthquakes::PARTITIONS).unwrap();
    let elastic = Elastic::start(0).await.unwrap();
    for (partition, record) in earthquakes::all().into_iter().take(100) {
        kafka.send(earthquakes::TOPIC, partition, record).unwrap();
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_embed"));
    command.args([kafka.bootstrap(), earthquakes::TOPIC, &elastic.url()]).env("PORT", "0");
    let mut service = tokio::task::spawn_blocking(move || Process::start(&mut command)).await.unwrap();
    let url = service.line_after("listening on ");

    let patience = Instant::now() + Duration::from_secs(30);
    while !get(&format!("{url}/healthz")).await.1.contains("Running read=100 delivered=100") {
        assert!(Instant::now() < patience, "{:?}", get(&format!("{url}/healthz")).await);
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(get(&format!("{url}/healthz")).await.0, 200);
    let (status, metrics) = get(&format!("{url}/metrics")).await;
    let delivered =
        r#"kafka_connect_sink_task_metrics_sink_record_send_total{connector="embed",task="0"} 100"#;
    assert!(status == 200 && metrics.contains(delivered), "{metrics}");
    assert_eq!(elastic.documents(earthquakes::TOPIC).len(), 100);

    service.interrupt();
    let said = service.line_after("stopped: ");
    assert_eq!(said, "read 100, delivered 100, abandoned 0");
    assert!(service.wait().success());
}
