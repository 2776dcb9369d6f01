//! A small model of a cluster behind the scripted server: it keeps documents and knows what it has promised.

use connect_core::testing::http::{HttpServer, Reply, Request};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
};

/// What the cluster remembers.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// Documents by id, with the number of writes.
    pub(crate) documents: BTreeMap<String, (Value, usize)>,
    /// Each write that was carried out: id and document, in order.
    pub(crate) writes: Vec<(String, Value)>,
    /// Statuses that items with this id get before they are carried out.
    pub(crate) faults: HashMap<String, VecDeque<u16>>,
    /// The next requests that write get these answers, carried out (`true`) or not.
    pub(crate) requests_fail: VecDeque<(bool, Reply)>,
    /// Of the next so many requests only the first half of the rows is carried out and answered, as a success.
    pub(crate) halves: usize,
    /// Rows that came with others are refused as losers of a race for the mapping, once per id.
    pub(crate) races: BTreeSet<String>,
    /// The type and the reason of what is refused with status 400 for every row.
    pub(crate) broken: Option<(&'static str, &'static str)>,
    /// Requests with this text are too large.
    pub(crate) too_large: Option<String>,
    /// Ids that were refused for good.
    pub(crate) refused: Vec<String>,
    /// Rows that were sent again though their fate had been told.
    pub(crate) needless: Vec<String>,
    /// Requests that held one id twice.
    pub(crate) doubled: Vec<String>,
    /// The number of rows in each request that was looked into.
    pub(crate) requests: Vec<usize>,
    told: HashMap<String, usize>,
}

impl Memory {
    /// The answer for a row that is refused though its document is sound.
    fn refusal(&mut self, id: &str) -> Option<Value> {
        let (kind, reason) = match self.broken {
            Some(broken) => broken,
            None if self.races.remove(id) => {
                ("illegal_argument_exception", "mapper [mag] cannot be changed from type [long] to [float]")
            }
            None => return None,
        };
        Some(json!({"_index": "t", "_id": id, "status": 400, "error": {"type": kind, "reason": reason}}))
    }
}

/// A cluster of one node.
pub(crate) struct Cluster {
    pub(crate) server: HttpServer,
    memory: Arc<Mutex<Memory>>,
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        let memory = Arc::new(Mutex::new(Memory::default()));
        let shared = Arc::clone(&memory);
        let server =
            HttpServer::with_handler(move |request| answer(request, &mut lock(&shared))).await.unwrap();
        Self { server, memory }
    }

    pub(crate) fn memory(&self) -> MutexGuard<'_, Memory> {
        lock(&self.memory)
    }
}

fn lock(memory: &Mutex<Memory>) -> MutexGuard<'_, Memory> {
    memory.lock().unwrap()
}

fn answer(request: &Request, memory: &mut Memory) -> Reply {
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/") => {
            Reply::json(200, r#"{"version":{"number":"8.1.0"},"tagline":"You Know, for Search"}"#)
        }
        ("POST", "/_bulk")
            if memory.too_large.as_ref().is_some_and(|text| request.text().contains(text.as_str())) =>
        {
            Reply::new(413)
        }
        ("POST", "/_bulk") if memory.halves > 0 => {
            memory.halves -= 1;
            bulk(&half(&request.text()), memory)
        }
        ("POST", "/_bulk") => match memory.requests_fail.pop_front() {
            None => bulk(&request.text(), memory),
            Some((carried_out, reply)) => {
                if carried_out {
                    bulk(&request.text(), memory);
                }
                reply
            }
        },
        _ => Reply::json(404, r#"{"error":{"type":"index_not_found_exception","reason":"no such index"}}"#),
    }
}

/// The first half of a body without deletions: two lines a row.
fn half(body: &str) -> String {
    let rows = body.lines().count() / 2;
    body.split_inclusive('\n').take(rows.div_ceil(2) * 2).collect()
}

fn bulk(body: &str, memory: &mut Memory) -> Reply {
    let mut lines = body.split('\n');
    let (mut items, mut ids) = (Vec::new(), Vec::new());
    while let Some(action) = lines.next().filter(|line| !line.is_empty()) {
        let action: Value = serde_json::from_str(action).unwrap();
        let (operation, action) = action.as_object().unwrap().iter().next().unwrap();
        let document = (operation != "delete").then(|| lines.next().unwrap());
        let id = action["_id"].as_str().unwrap().to_owned();
        // Rows of one id are told apart by their version.
        let row = format!("{id}@{}", action["version"]);
        if ids.contains(&id) {
            memory.doubled.push(id.clone());
        }
        ids.push(id.clone());
        if let Some(error) = memory.refusal(&id) {
            items.push((operation.clone(), id, 400, Some(error)));
            continue;
        }
        let status = item(&id, &row, document, memory);
        items.push((operation.clone(), id, status, None));
    }
    memory.requests.push(items.len());
    let errors = items.iter().any(|(_, _, status, _)| *status >= 300);
    let each = items.into_iter().map(|(operation, id, status, error)| {
        let answer = error.unwrap_or_else(|| reply(&id, status));
        json!({operation: answer})
    });
    let items: Vec<Value> = each.collect();
    // In the order in which Elasticsearch writes it.
    Reply::json(200, format!("{{\"took\":3,\"errors\":{errors},\"items\":{}}}", Value::from(items)))
}

fn item(id: &str, row: &str, document: Option<&str>, memory: &mut Memory) -> u16 {
    if memory.told.contains_key(row) {
        memory.needless.push(row.to_owned());
    }
    if let Some(status) = memory.faults.get_mut(id).and_then(VecDeque::pop_front) {
        if !matches!(status, 429 | 503) {
            memory.told.insert(row.to_owned(), 1);
            memory.refused.push(id.to_owned());
        }
        return status;
    }
    let Ok(document) = serde_json::from_str::<Value>(document.unwrap_or("null")) else {
        memory.told.insert(row.to_owned(), 1);
        memory.refused.push(id.to_owned());
        return 400;
    };
    memory.told.insert(row.to_owned(), 1);
    memory.writes.push((id.to_owned(), document.clone()));
    let (stored, writes) = memory.documents.entry(id.to_owned()).or_default();
    *stored = document;
    *writes += 1;
    if *writes == 1 { 201 } else { 200 }
}

fn reply(id: &str, status: u16) -> Value {
    let kind = match status {
        200 | 201 => return json!({"_index": "t", "_id": id, "status": status, "result": "created"}),
        409 => "version_conflict_engine_exception",
        429 => "es_rejected_execution_exception",
        503 => "unavailable_shards_exception",
        _ => "mapper_parsing_exception",
    };
    json!({"_index": "t", "_id": id, "status": status, "error": {"type": kind, "reason": format!("scripted for {id}")}})
}
