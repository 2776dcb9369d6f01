//! Records that lack a field of the path.

use crate::task;
use connect_core::{
    Assigned, Budget, Flush, PartitionId, Progress,
    testing::{Bench, batch_at},
};
use connect_cos::{CosConfig, CosSink};
use metrics_exporter_prometheus::PrometheusBuilder;

#[tokio::test]
async fn records_that_lack_a_field_of_the_path_are_counted_when_their_range_is_committed() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let counted = || {
        let text = recorder.handle().render();
        let line = text.lines().find(|line| line.starts_with("connect_records_without_path_field_total{"));
        let line = line.unwrap_or_else(|| panic!("no such metric in:\n{text}"));
        assert!(line.contains(r#"connector="p""#) && line.contains(r#"task="0""#), "{line}");
        line.rsplit(' ').next().and_then(|value| value.parse::<u64>().ok())
    };
    let dir = tempfile::tempdir().unwrap();
    let url = format!("file://{}", dir.path().display());
    let config = CosConfig { path: "{field:p.net}/{field:kind}".to_owned(), ..CosConfig::new(url) };
    let mut bench = Bench::new(CosSink::new(config, &task()).unwrap(), Budget::new(1 << 20));
    let id = PartitionId::new(0, 1);
    let assigned = Assigned { id, topic: "t".into(), partition: 0, offset: 0, note: None, partitions: None };
    bench.assigned(&[assigned]).unwrap();
    let values =
        [r#"{"p":{"net":"us"},"kind":"q"}"#, "{}", r#"{"p.net":"us"}"#, r#"{"p":{"net":{}},"kind":1}"#];
    bench.put(batch_at("t", 0, 0, values)).unwrap();
    bench.flush(Flush::Now).unwrap();
    let Progress::Note(..) = bench.progress().await.unwrap() else { panic!("a note") };
    assert_eq!(counted(), Some(0));
    bench.noted(id).unwrap();
    let Progress::Durable(_, 4) = bench.progress().await.unwrap() else { panic!("all of them") };
    assert_eq!(counted(), Some(3));
    assert!(dir.path().join("topics/__missing__/__missing__").is_dir());
}
