//! The start-up check: what can be known to be wrong before the first record, all at once.

use crate::{client::Client, config::NodeUrl, error::Failure};
use connect_core::{Class, Error};
use serde::Deserialize;

/// The oldest Elasticsearch that is supported. OpenSearch began again at 1, with the API of 7.
const ELASTICSEARCH_MIN: u32 = 7;

#[derive(Deserialize)]
struct Info {
    version: VersionInfo,
}

#[derive(Deserialize)]
struct VersionInfo {
    number: String,
    #[serde(default)]
    distribution: Option<String>,
}

/// Asks every node who it is, and for the index that must be there. `again`: the task was started again by itself.
pub(crate) async fn check(client: &Client, index: Option<&str>, again: bool) -> Result<(), Error> {
    let (mut problems, mut away, mut reached) = (Vec::new(), None, None);
    for url in client.urls() {
        match client.ask(url, false, "").await {
            Ok(info) => {
                problems.extend(wrong_version(url, &info));
                reached.get_or_insert(url);
            }
            // A node without that part of its API, or a gateway that hides it.
            Err(Failure::Status { status: 405, .. }) => {
                tracing::info!(node = %url, "reached a node, which does not tell its version");
                reached.get_or_insert(url);
            }
            Err(failure) => sort(failure, again, &mut problems, &mut away),
        }
    }
    if let (Some(index), Some(url)) = (index, reached) {
        match client.ask(url, true, index).await {
            Ok(_) => {}
            Err(Failure::Status { status: 404, .. }) => {
                problems.push(format!("{url} has no index `{index}`, and index.required is true"));
            }
            Err(failure) => sort(failure, again, &mut problems, &mut away),
        }
    }
    if !problems.is_empty() {
        return Err(Error::fatal("check the cluster", problems.join("; ")));
    }
    // One node is enough: the others are taken in turns once they are back.
    match (reached, away) {
        (None, Some(error)) => Err(error),
        _ => Ok(()),
    }
}

/// Credentials that don't hold at the first start never will; a node that is away comes back. So may credentials that
/// did hold: a running task sits that out, and so does one that was started again meanwhile.
fn sort(failure: Failure, again: bool, problems: &mut Vec<String>, away: &mut Option<Error>) {
    if let Failure::Status { status: status @ (401 | 403), .. } = failure
        && !again
    {
        let hint = if status == 403 { " (the cluster privilege `monitor` is needed)" } else { "" };
        problems.push(format!("{failure}{hint}"));
        return;
    }
    // A redirect of the very first request: the URL is another server's.
    if matches!(failure, Failure::Redirect { .. }) && !again {
        problems.push(failure.to_string());
        return;
    }
    let said = failure.to_string();
    let error = failure.during("reach the cluster");
    match error.class() {
        Class::Retriable => *away = Some(error),
        Class::Poison | Class::Fatal => problems.push(said),
    }
}

fn wrong_version(url: &NodeUrl, info: &[u8]) -> Option<String> {
    let Ok(Info { version }) = serde_json::from_slice::<Info>(info) else {
        return Some(format!("{url} is neither Elasticsearch nor OpenSearch"));
    };
    let major: Option<u32> = version.number.split('.').next().and_then(|major| major.parse().ok());
    let opensearch = version.distribution.as_deref() == Some("opensearch");
    let name = if opensearch { "OpenSearch" } else { "Elasticsearch" };
    tracing::info!(node = %url, product = name, version = %version.number, "reached a node");
    if opensearch || major >= Some(ELASTICSEARCH_MIN) {
        return None;
    }
    Some(format!("{url} is Elasticsearch {}: 7 or newer is needed", version.number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elasticsearch_from_7_and_any_opensearch_will_do() {
        let url = "http://a".parse().unwrap();
        let check = |info: &str, sound: bool| {
            assert_eq!(wrong_version(&url, info.as_bytes()).is_none(), sound, "{info}");
        };
        check(r#"{"version":{"number":"7.17.28","build_flavor":"default"},"tagline":"You Know"}"#, true);
        check(r#"{"version":{"number":"9.0.1"}}"#, true);
        check(r#"{"version":{"number":"1.3.2","distribution":"opensearch"}}"#, true);
        check(r#"{"version":{"number":"6.8.0"}}"#, false);
        check("<html>", false);
    }
}
