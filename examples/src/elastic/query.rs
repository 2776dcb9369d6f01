//! What curl can ask.

use super::store::{Document, Store};
use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub(super) async fn root() -> Response {
    let version = json!({ "number": "7.17.0", "build_flavor": "quickstart" });
    let body = json!({ "name": "quickstart", "version": version, "tagline": "You Know, for Search" });
    ([("x-elastic-product", "Elasticsearch")], Json(body)).into_response()
}

pub(super) async fn count(State(store): State<Arc<Store>>, Path(index): Path<String>) -> Response {
    match store.lock().get(&index) {
        Some(documents) => Json(json!({ "count": documents.len() })).into_response(),
        None => no_index(&index),
    }
}

pub(super) async fn document(
    State(store): State<Arc<Store>>,
    Path((index, id)): Path<(String, String)>,
) -> Response {
    match store.lock().get(&index).and_then(|documents| documents.get(&id)) {
        Some(found) => {
            let mut answer = hit(&index, &id, found);
            answer["found"] = true.into();
            Json(answer).into_response()
        }
        None => {
            let answer = json!({ "_index": index, "_id": id, "found": false });
            (StatusCode::NOT_FOUND, Json(answer)).into_response()
        }
    }
}

/// What `_search` can be told; everything else is refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Search {
    q: Option<String>,
    #[serde(default)]
    from: usize,
    #[serde(default = "ten")]
    size: usize,
}

fn ten() -> usize {
    10
}

pub(super) async fn search(
    State(store): State<Arc<Store>>,
    Path(index): Path<String>,
    Query(Search { q, from, size }): Query<Search>,
) -> Response {
    let indices = store.lock();
    let Some(documents) = indices.get(&index) else { return no_index(&index) };
    let wanted = q.as_deref().and_then(|q| q.split_once(':'));
    if q.is_some() && wanted.is_none() {
        return (StatusCode::BAD_REQUEST, "a query is field:value").into_response();
    }
    let matching =
        documents.iter().filter(|(_, found)| wanted.is_none_or(|(field, value)| has(found, field, value)));
    let total = matching.clone().count();
    let hits: Vec<Value> = matching.skip(from).take(size).map(|(id, found)| hit(&index, id, found)).collect();
    Json(json!({ "hits": { "total": { "value": total, "relation": "eq" }, "hits": hits } })).into_response()
}

/// Whether a field of the first level has this value; text without its quotes.
fn has(document: &Document, field: &str, value: &str) -> bool {
    let fields: Map<String, Value> = serde_json::from_str(document.source.get()).unwrap_or_default();
    match fields.get(field) {
        Some(Value::String(text)) => text == value,
        Some(other) => format!("{other}") == value,
        None => false,
    }
}

fn hit(index: &str, id: &str, document: &Document) -> Value {
    json!({ "_index": index, "_id": id, "_version": document.version, "_source": &*document.source })
}

fn no_index(index: &str) -> Response {
    let error = json!({ "type": "index_not_found_exception", "reason": format!("no such index [{index}]") });
    (StatusCode::NOT_FOUND, Json(json!({ "status": 404, "error": error }))).into_response()
}
