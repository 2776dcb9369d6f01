//! Faults below the client library: each request of an upload fails once, on its way to a real server.

use crate::{
    fault_target::{Target, kind},
    task,
};
use bytes::Bytes;
use connect_core::{
    Assigned, Budget, Class, Flush, PartitionId, Progress,
    config::ByteSize,
    testing::{
        Bench, batch_at,
        http::{Fault, FaultProxy, Reply},
    },
};
use connect_cos::{CosConfig, CosSink};
use std::{fmt, time::Duration};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
/// More than the least part of S3, so that a tail may be larger than that too.
const PART: usize = 6 * MIB;
/// Shorter than the waits of a held request, longer than any request takes here.
const TIMEOUT: Duration = Duration::from_secs(3);

/// A fault and its name.
#[derive(Clone)]
struct Named(&'static str, Fault);

impl fmt::Debug for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

fn refused(status: u16, code: &str) -> Reply {
    let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>later</Message></Error>");
    Reply::new(status).header("content-type", "application/xml").body(body)
}

/// The faults of the short form.
fn some_faults() -> Vec<Named> {
    vec![
        Named("503 before", Fault::Before(refused(503, "SlowDown"))),
        Named("reset after", Fault::reset_after()),
    ]
}

fn all_faults() -> Vec<Named> {
    let mut faults = some_faults();
    faults.extend([
        Named("403 before", Fault::Before(refused(403, "AccessDenied"))),
        Named("429 before", Fault::Before(refused(429, "TooManyRequests"))),
        Named("500 before", Fault::Before(refused(500, "InternalError"))),
        Named("500 after", Fault::After(refused(500, "InternalError"))),
        Named("reset before", Fault::reset_before()),
        Named("time-out before", Fault::HoldRequest(2 * TIMEOUT)),
        Named("time-out after", Fault::HoldAnswer(2 * TIMEOUT)),
        Named("cut off", Fault::Cut(30)),
    ]);
    faults
}

/// Records of `size` bytes in all, and what the object has to hold.
fn records(size: usize) -> (Vec<String>, String) {
    let mut text = String::with_capacity(size);
    let mut values = Vec::new();
    while text.len() < size {
        let start = format!("{{\"n\":{},\"pad\":\"", values.len());
        let rest = size - text.len();
        let length = if rest < 512 * KIB { rest } else { 256 * KIB };
        let value = format!("{start}{}\"}}", "x".repeat(length - start.len() - 3));
        text.push_str(&value);
        text.push('\n');
        values.push(value);
    }
    (values, text)
}

/// Delivers `values` as one range, starting again from the note as the runtime would.
async fn deliver(config: &CosConfig, values: &[String]) {
    let mut note: Option<Bytes> = None;
    for _ in 0..5 {
        let sink = CosSink::new(config.clone(), &task()).unwrap();
        let mut bench = Bench::new(sink, Budget::new(64 << 20));
        let id = PartitionId::new(0, 1);
        let assigned = Assigned {
            id,
            topic: "test".into(),
            partition: 0,
            offset: 0,
            note: note.clone(),
            partitions: None,
        };
        bench.assigned(&[assigned]).unwrap();
        bench.put(batch_at("test", 0, 0, values.to_vec())).unwrap();
        bench.flush(Flush::Now).unwrap();
        loop {
            match tokio::time::timeout(Duration::from_secs(60), bench.progress()).await.unwrap() {
                Ok(Progress::Note(id, bytes)) => {
                    note = Some(bytes);
                    bench.noted(id).unwrap();
                }
                Ok(Progress::Durable(_, offset)) => {
                    assert_eq!(offset, values.len() as i64);
                    return;
                }
                Ok(_) => {}
                Err(error) => {
                    assert_eq!(error.class(), Class::Retriable, "{}", error.report());
                    break;
                }
            }
        }
    }
    panic!("the range was begun again and again");
}

fn config(target: &Target, proxy: &FaultProxy) -> CosConfig {
    CosConfig {
        part_size: ByteSize::mib(6),
        request_timeout: TIMEOUT,
        completion_timeout: TIMEOUT,
        backoff: Duration::from_millis(5),
        ..target.config(proxy.addr())
    }
}

/// One delivery of `size` bytes in which the `n`-th request of `kind` fails. Returns the requests by kind.
async fn case(target: &Target, size: usize, fault: Option<(&str, usize, &Named)>) -> FaultProxy {
    let proxy = FaultProxy::start(target.addr(), kind).await.unwrap();
    if let Some((kind, n, fault)) = fault {
        proxy.fail(kind, n, fault.1.clone());
    }
    let (values, text) = records(size);
    deliver(&config(target, &proxy), &values).await;
    let objects = target.take_objects().await;
    assert!(
        matches!(objects.as_slice(), [object] if object == text.as_bytes()),
        "{size} bytes, {fault:?}: objects of {:?} bytes",
        objects.iter().map(Vec::len).collect::<Vec<_>>()
    );
    proxy
}

/// Each request that makes an object of `size` bytes fails once in each way.
async fn each_request_fails(target: &Target, size: usize, faults: &[Named]) -> usize {
    let counts = case(target, size, None).await.counts();
    let mut cases = 0;
    for kind in ["initiate", "part", "complete", "put"] {
        for n in 1..=counts.get(kind).copied().unwrap_or_default() {
            for fault in faults {
                let proxy = case(target, size, Some((kind, n, fault))).await;
                assert_eq!(proxy.unmet(), 0, "{size} bytes, {kind} {n}, {fault:?}");
                cases += 1;
            }
        }
    }
    cases
}

/// Around one, two and three parts; tails on both sides of the least parts of COS (1 MiB) and S3 (5 MiB).
const SIZES: [usize; 9] = [
    PART - 1,
    PART,
    PART + 512 * KIB,
    PART + 2 * MIB,
    PART + 5 * MIB + 512 * KIB,
    2 * PART + 512 * KIB,
    2 * PART + 2 * MIB,
    2 * PART + 5 * MIB + 512 * KIB,
    3 * PART + 1,
];

async fn whole_matrix(target: Target) {
    if std::env::var("CONNECT_TIER").as_deref() != Ok("2") {
        return short_matrix(target).await;
    }
    let (started, mut cases) = (std::time::Instant::now(), 0);
    for size in SIZES {
        cases += each_request_fails(&target, size, &all_faults()).await;
    }
    println!("{cases} cases, each record in one object, in {:?}", started.elapsed());
}

async fn short_matrix(target: Target) {
    for size in [PART - 1, PART + 512 * KIB, 2 * PART + 2 * MIB] {
        each_request_fails(&target, size, &some_faults()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_request_of_an_upload_may_fail_once_on_s3() {
    whole_matrix(Target::s3s()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_request_of_an_upload_may_fail_once_on_cos() {
    whole_matrix(Target::cos().await).await;
}

/// Answers that say success and prove nothing: COS's way to say that a merge failed, a page of something in between,
/// nothing at all, and the right answer without its etag.
fn lies() -> Vec<Named> {
    let said = |body: &'static str| Reply::new(200).header("content-type", "application/xml").body(body);
    let failed = said(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>InternalError</Code><Message>merge failed</Message></Error>",
    );
    let page = said("<html><body>welcome</body></html>");
    let bare = said("<CompleteMultipartUploadResult><Location>l</Location></CompleteMultipartUploadResult>");
    [("error", failed), ("page", page), ("nothing", said("")), ("no etag", bare)]
        .into_iter()
        .flat_map(|(name, reply)| {
            [Named(name, Fault::Before(reply.clone())), Named(name, Fault::After(reply))]
        })
        .chain([Named("cut off", Fault::Cut(120))])
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_success_without_an_etag_is_asked_for_the_object() {
    for target in [Target::s3s(), Target::cos().await] {
        for lie in lies() {
            case(&target, PART + 512 * KIB, Some(("complete", 1, &lie))).await;
            case(&target, KIB, Some(("put", 1, &lie))).await;
        }
    }
}
