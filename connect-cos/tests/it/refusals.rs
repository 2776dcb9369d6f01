//! What a store refuses: old credentials under a running task, writes without a checksum, and mistakes at the first start.

use crate::{
    server::{BUCKET, KEY, NEXT_KEY, SECRET, Server},
    task,
};
use connect_core::{
    Assigned, Budget, Class, Error, Flush, PartitionId, Progress,
    config::{ByteSize, Config as _, Providers, Secret, Settings},
    testing::{Bench, batch_at},
};
use connect_cos::{Checksum, CosConfig, CosSink};
use std::{
    path::Path,
    sync::{Arc, Mutex, atomic::Ordering},
    time::Duration,
};

fn config(server: &Server) -> CosConfig {
    CosConfig {
        endpoint: Some(server.url.clone()),
        access_key: Some(Secret::from(KEY)),
        secret_key: Some(Secret::from(SECRET)),
        part_size: ByteSize::mib(5),
        backoff: Duration::from_millis(5),
        ..CosConfig::new(format!("s3://{BUCKET}"))
    }
}

/// The configuration as a file has it, with a reference for the access key.
fn by_reference(server: &Server, reference: &str, providers: &Providers) -> CosConfig {
    let url = format!("s3://{BUCKET}");
    let pairs = [
        ("store.url", url.as_str()),
        ("store.endpoint", &server.url),
        ("store.access.key.id", reference),
        ("store.secret.access.key", SECRET),
        ("retry.backoff.ms", "5"),
    ];
    CosConfig::parse(&Settings::new(pairs, providers)).unwrap()
}

async fn started(config: CosConfig) -> Bench<CosSink> {
    started_at(config, 0).await
}

async fn started_at(config: CosConfig, offset: i64) -> Bench<CosSink> {
    let mut bench = Bench::new(CosSink::new(config, &task()).unwrap(), Budget::new(64 << 20));
    bench.open().await.unwrap();
    let id = PartitionId::new(0, 1);
    let assigned = Assigned { id, topic: "t".into(), partition: 0, offset, note: None, partitions: None };
    bench.assigned(&[assigned]).unwrap();
    bench
}

/// Delivers values from `offset` on, as one range.
async fn deliver(bench: &mut Bench<CosSink>, offset: i64, values: &[String]) -> Result<(), Error> {
    bench.put(batch_at("t", 0, offset, values.to_vec()))?;
    bench.flush(Flush::Now)?;
    loop {
        match tokio::time::timeout(Duration::from_secs(30), bench.progress()).await.unwrap()? {
            Progress::Note(id, _) => bench.noted(id)?,
            Progress::Durable(..) => return Ok(()),
            _ => {}
        }
    }
}

/// The lines of the object that begins at `offset`.
fn lines(dir: &Path, offset: i64) -> Vec<String> {
    let name = format!("topics/t/partition=0/t+0+{offset:010}-0.json");
    std::fs::read_to_string(dir.join(name)).unwrap().lines().map(str::to_owned).collect()
}

fn values(count: usize, size: usize) -> Vec<String> {
    (0..count).map(|n| format!("{{\"n\":{n},\"pad\":\"{}\"}}", "x".repeat(size))).collect()
}

/// Refuses the first key, as after a rotation.
fn rotate(server: &Server, status: u16, code: &'static str) {
    *server.faults.refused.lock().unwrap() = Some((KEY, status, code, "it is gone"));
}

#[tokio::test]
async fn keys_in_a_file_that_were_rotated_are_read_again_under_a_running_task() {
    for (status, code) in [(400, "ExpiredToken"), (403, "InvalidAccessKeyId"), (401, "Unauthorized")] {
        for values in [values(3, 10), values(12, 1 << 20)] {
            let server = Server::start(true);
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), format!("{KEY}\n")).unwrap();
            let reference = format!("${{file:{}}}", file.path().display());
            let mut bench = started(by_reference(&server, &reference, &Providers::system())).await;
            deliver(&mut bench, 0, &values).await.unwrap();
            std::fs::write(file.path(), format!("{NEXT_KEY}\n")).unwrap();
            rotate(&server, status, code);
            let next = i64::try_from(values.len()).unwrap();
            if let Err(e) = deliver(&mut bench, next, &values).await {
                // An upload belongs to the client that began it: the log has its records.
                assert!(values.len() > 3 && e.report().contains("built again"), "{}", e.report());
                assert_eq!(e.class(), Class::Retriable);
                let config = by_reference(&server, &reference, &Providers::system());
                deliver(&mut started_at(config, next).await, next, &values).await.unwrap();
            }
            assert!(lines(&server.dir(), next) == values, "{status} {code}");
        }
    }
}

#[tokio::test]
async fn a_task_that_starts_late_reads_what_any_provider_says_then() {
    let server = Server::start(true);
    let key = Arc::new(Mutex::new(KEY.to_owned()));
    let vault = Arc::clone(&key);
    let vault = move |_: &str| Ok::<_, String>(vault.lock().unwrap().clone());
    let config = by_reference(&server, "${vault:key}", &Providers::none().with("vault", vault));
    rotate(&server, 403, "InvalidAccessKeyId");
    NEXT_KEY.clone_into(&mut key.lock().unwrap());
    deliver(&mut started(config).await, 0, &values(3, 10)).await.unwrap();
}

#[tokio::test]
async fn a_bucket_that_demands_a_checksum_gets_one_by_default_and_on_request() {
    for checksum in [Checksum::Auto, Checksum::Md5, Checksum::Crc32c] {
        for values in [values(3, 10), values(12, 1 << 20)] {
            let server = Server::start(true);
            server.faults.wants_checksum.store(true, Ordering::SeqCst);
            let mut bench = started(CosConfig { checksum, ..config(&server) }).await;
            deliver(&mut bench, 0, &values).await.unwrap();
            assert!(lines(&server.dir(), 0) == values, "{checksum:?}");
        }
    }
}

#[tokio::test]
async fn a_mistake_that_is_refused_at_the_first_start_is_told_with_key_code_and_sentence() {
    for (status, code, sentence, key) in [
        (400, "AuthorizationHeaderMalformed", "the region 'us-east-1' is wrong", "store.region=us-east-1"),
        (403, "SignatureDoesNotMatch", "check your key", "store.secret.access.key"),
        (301, "PermanentRedirect", "use another endpoint", "store.endpoint=http://127.0.0.1"),
        (400, "InvalidRequest", "Content-MD5 HTTP header is required", "store.checksum.algorithm=none"),
        (403, "AccessDenied", "no", "store.url=s3://bucket"),
    ] {
        let server = Server::start(true);
        *server.faults.refused.lock().unwrap() = Some((KEY, status, code, sentence));
        let config = CosConfig { checksum: Checksum::None, ..config(&server) };
        let mut bench = Bench::new(CosSink::new(config, &task()).unwrap(), Budget::new(1 << 20));
        let error = bench.open().await.unwrap_err();
        let report = error.report();
        assert_eq!(error.class(), Class::Fatal, "{report}");
        for part in [code, sentence, key] {
            assert!(report.contains(part), "{part} is not in {report}");
        }
        assert!(report.len() < 500 && !report.contains(SECRET), "{report}");
    }
}

#[tokio::test]
async fn tls_to_a_server_without_it_is_a_mistake_that_names_the_endpoint() {
    let server = Server::start(true);
    let endpoint = Some(server.url.replace("http://", "https://"));
    let config = CosConfig { endpoint, ..config(&server) };
    let mut bench = Bench::new(CosSink::new(config, &task()).unwrap(), Budget::new(1 << 20));
    let error = bench.open().await.unwrap_err();
    assert_eq!(error.class(), Class::Fatal, "{}", error.report());
    assert!(error.report().contains("store.endpoint=https://"), "{}", error.report());
}
