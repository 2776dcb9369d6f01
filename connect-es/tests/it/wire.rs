//! A server that behaves badly at the level of the connection: bodies in many parts arrive whole, or again.

use connect_core::{Pipeline, Status, TaskState, testing::MemoryLog};
use connect_es::{Elasticsearch, EsConfig};
use std::{
    collections::{BTreeMap, VecDeque},
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

/// What happens to one request.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// So much of the body is read, then the connection goes: reset, as unread bytes are there.
    Reset(usize),
    /// 413 at the sight of the head, and the connection is closed.
    TooLarge,
    /// Success is answered at once, the body is read afterwards, then the connection is closed.
    Early,
    /// The answer says nothing about the connection, which is closed behind it.
    CloseBehind,
    /// The answer is cut off in its middle.
    Cut,
}

#[derive(Debug, Default)]
struct Seen {
    acts: VecDeque<Act>,
    /// How often each document came, in bodies that were read to their end.
    documents: BTreeMap<String, usize>,
    requests: usize,
    problems: Vec<String>,
}

const BEGINNING: &str = r#"{"took":1,"errors":false,"items":["#;

fn serve(stream: TcpStream, seen: &Mutex<Seen>, max: usize) -> std::io::Result<()> {
    let mut reader = BufReader::with_capacity(1024, stream);
    loop {
        let (mut length, mut first, mut chunked) = (0, String::new(), false);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let lower = line.trim().to_ascii_lowercase();
            if first.is_empty() {
                first.clone_from(&lower);
            }
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            chunked |= lower.starts_with("transfer-encoding");
            if lower.is_empty() {
                break;
            }
        }
        if first.starts_with("get") || first.starts_with("head") {
            let body = r#"{"version":{"number":"8.1.0"}}"#;
            write!(reader.get_mut(), "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())?;
            continue;
        }
        let act = {
            let mut seen = seen.lock().unwrap();
            seen.requests += 1;
            if chunked || length == 0 {
                seen.problems.push(format!("no length: {first}"));
            }
            if length > max { Some(Act::TooLarge) } else { seen.acts.pop_front() }
        };
        match act {
            Some(Act::Reset(bytes)) => {
                let mut some = vec![0; bytes.min(length)];
                reader.read_exact(&mut some)?;
                return Ok(());
            }
            Some(Act::TooLarge) => {
                write!(
                    reader.get_mut(),
                    "HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                )?;
                return Ok(());
            }
            Some(Act::Early) => {
                // The beginning is answered before anything is read.
                write!(reader.get_mut(), "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{BEGINNING}")?;
            }
            _ => {}
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let items = items(note(&body, &mut seen.lock().unwrap()));
        let success = success(&items);
        match act {
            Some(Act::Early) => return write!(reader.get_mut(), "{items}]}}"),
            Some(Act::Cut) => {
                reader.get_mut().write_all(&success.as_bytes()[..success.len() / 2])?;
                return Ok(());
            }
            Some(Act::CloseBehind) => {
                reader.get_mut().write_all(success.as_bytes())?;
                return Ok(());
            }
            _ => reader.get_mut().write_all(success.as_bytes())?,
        }
    }
}

fn items(rows: usize) -> String {
    vec![r#"{"index":{"status":201}}"#; rows].join(",")
}

fn success(items: &str) -> String {
    let body = format!("{BEGINNING}{items}]}}");
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// Pairs of lines, each action with the document that belongs to it. Returns how many there are.
fn note(body: &[u8], seen: &mut Seen) -> usize {
    let mut rows = 0;
    if body.last() != Some(&b'\n') {
        seen.problems.push("the body does not end with a line feed".to_owned());
    }
    let mut lines = body.split(|byte| *byte == b'\n');
    while let (Some(action), Some(document)) = (lines.next().filter(|line| !line.is_empty()), lines.next()) {
        rows += 1;
        let json = |text: &[u8]| serde_json::from_slice::<serde_json::Value>(text);
        let (Ok(action), Ok(document)) = (json(action), json(document)) else {
            seen.problems.push(String::from_utf8_lossy(action).into_owned());
            continue;
        };
        let id = action["index"]["_id"].as_str().unwrap_or_default().to_owned();
        if id != document["id"].as_str().unwrap_or_default() {
            seen.problems.push(format!("{action} before {:.80}", document.to_string()));
        }
        *seen.documents.entry(id).or_default() += 1;
    }
    rows
}

fn start(acts: &[Act], max: usize) -> (String, Arc<Mutex<Seen>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Seen { acts: acts.iter().copied().collect(), ..Seen::default() }));
    let shared = Arc::clone(&seen);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let seen = Arc::clone(&shared);
            thread::spawn(move || serve(stream, &seen, max));
        }
    });
    (url, seen)
}

async fn run(url: &str, rows: usize, batch_bytes: u64, filler: usize) -> Status {
    let log = MemoryLog::new();
    log.topic("t", 2);
    let filler = "x".repeat(filler);
    for n in 0..rows {
        // Some on several lines: rows without a frame between those that have one.
        let line = if n % 37 == 5 { "\n" } else { "" };
        let (partition, offset) = (n % 2, n / 2);
        let value = format!("{{\"id\":\"t+{partition}+{offset}\",{line}\"filler\":\"{filler}\"}}");
        log.append("t", i32::try_from(partition).unwrap(), value);
    }
    log.finish();
    let config = EsConfig {
        linger: Duration::from_millis(5),
        backoff: Duration::from_millis(1),
        backoff_max: Duration::from_millis(20),
        batch_bytes: connect_core::config::ByteSize::bytes(batch_bytes),
        ..EsConfig::new(vec![url.parse().unwrap()])
    };
    let pipeline = Pipeline::builder("to-es")
        .source(move |_| Ok(log.source("group", &["t"])))
        .sink(move |_| Elasticsearch::sink(&config));
    let handle = pipeline.build().unwrap().start();
    tokio::time::timeout(Duration::from_secs(60), handle.wait()).await.expect("the pipeline ends")
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_in_parts_arrive_whole_or_again_whatever_becomes_of_the_connection() {
    let acts = [
        Act::Reset(0),
        Act::Reset(1),
        Act::Reset(100_000),
        Act::CloseBehind,
        Act::Cut,
        Act::Early,
        Act::CloseBehind,
        Act::Reset(900_000),
        Act::CloseBehind,
        Act::CloseBehind,
    ];
    let (url, seen) = start(&acts, usize::MAX);
    let status = run(&url, 5_000, 1 << 20, 1_500).await;
    let seen = seen.lock().unwrap();
    assert_eq!(status.state(), TaskState::Stopped, "{status:?}");
    assert_eq!(seen.problems, Vec::<String>::new());
    assert_eq!(seen.documents.len(), 5_000);
    assert_eq!(status.counts().delivered, 5_000);
    assert!(seen.acts.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_refused_at_the_sight_of_its_length_is_halved() {
    let (url, seen) = start(&[], 300_000);
    let status = run(&url, 2_000, 4 << 20, 4_000).await;
    let seen = seen.lock().unwrap();
    assert_eq!(status.state(), TaskState::Stopped, "{status:?}");
    assert_eq!((seen.documents.len(), seen.requests < 200), (2_000, true), "{} requests", seen.requests);
    assert_eq!(seen.problems, Vec::<String>::new());
}
