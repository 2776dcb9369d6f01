//! `POST /_bulk`.

use super::store::{Document, Indices, Store};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};
use std::{collections::BTreeMap, sync::Arc};

/// The line before a document.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    Index(Target),
    Create(Target),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Target {
    #[serde(rename = "_index")]
    index: String,
    #[serde(rename = "_id")]
    id: String,
}

pub(super) async fn write(State(store): State<Arc<Store>>, body: String) -> Response {
    let mut lines = body.lines();
    let mut rows = Vec::new();
    while let Some(line) = lines.next() {
        match (serde_json::from_str::<Action>(line), lines.next()) {
            (Ok(action), Some(document)) => rows.push((action, document)),
            (Ok(_), None) => return refuse("the last document is missing"),
            (Err(error), _) => return refuse(&format!("malformed action: {error}")),
        }
    }
    let mut indices = store.lock();
    let items: Vec<Value> =
        rows.into_iter().map(|(action, text)| apply(&mut indices, action, text)).collect();
    let failed =
        |item: &Value| item.as_object().is_some_and(|item| item.values().any(|row| row["error"].is_object()));
    Json(json!({ "took": 0, "errors": items.iter().any(failed), "items": items })).into_response()
}

/// Carries out one action; the answer is the row's item.
fn apply(indices: &mut Indices, action: Action, text: &str) -> Value {
    let (name, Target { index, id }) = match action {
        Action::Index(target) => ("index", target),
        Action::Create(target) => ("create", target),
    };
    let source = serde_json::from_str::<BTreeMap<&str, &RawValue>>(text)
        .and_then(|_| RawValue::from_string(text.into()));
    let documents = indices.entry(index.clone()).or_default();
    let present = documents.get(&id).map(|document| document.version);
    let result = match (source, present) {
        (Err(error), _) => {
            json!({ "status": 400, "error": failure("mapper_parsing_exception", &error.to_string()) })
        }
        (_, Some(_)) if name == "create" => {
            json!({ "status": 409, "error": failure("version_conflict_engine_exception", "document already exists") })
        }
        (Ok(source), present) => {
            let version = present.unwrap_or(0) + 1;
            documents.insert(id.clone(), Document { version, source: source.into() });
            let (status, result) = if present.is_some() { (200, "updated") } else { (201, "created") };
            json!({ "status": status, "result": result, "_version": version })
        }
    };
    let mut row = json!({ "_index": index, "_id": id });
    row.as_object_mut()
        .zip(result.as_object().cloned())
        .map(|(row, result)| row.extend(result))
        .unwrap_or_default();
    json!({ name: row })
}

fn failure(kind: &str, reason: &str) -> Value {
    json!({ "type": kind, "reason": reason })
}

fn refuse(reason: &str) -> Response {
    let body = json!({ "status": 400, "error": failure("illegal_argument_exception", reason) });
    (StatusCode::BAD_REQUEST, Json(body)).into_response()
}
