//! The quickstart, checked by a script that shares no code with it.

use crate::process::Process;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

const QUICKSTART: &str = env!("CARGO_BIN_EXE_quickstart");

fn here() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn verify(folder: &Path) -> Output {
    Command::new("python3").arg(here().join("verify.py")).arg(folder).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn every_earthquake_arrives_once_in_both_targets_and_a_foreign_script_agrees() {
    let folder = tempfile::tempdir().unwrap();
    let run = Command::new(QUICKSTART).arg("--folder").arg(folder.path()).output().unwrap();
    let (out, err) = (text(&run.stdout), text(&run.stderr));
    assert!(run.status.success(), "{out}\n{err}");
    assert!(out.contains("1707 documents") && out.contains("1707 lines"), "{out}");

    let verified = verify(folder.path());
    assert!(verified.status.success(), "{}{}", text(&verified.stdout), text(&verified.stderr));
    assert_eq!(text(&verified.stdout).matches("1707   1707 different ids").count(), 3);

    // The script would notice: one line twice, one field changed.
    let documents = folder.path().join("documents.ndjson");
    let original = fs::read_to_string(&documents).unwrap();
    let first = original.lines().next().unwrap();
    for broken in
        [format!("{original}{first}\n"), original.replacen("\"type\":\"Feature\"", "\"type\":\"\"", 1)]
    {
        assert_ne!(broken, original);
        fs::write(&documents, broken).unwrap();
        assert!(!verify(folder.path()).status.success());
    }
}

async fn ask(url: &str) -> serde_json::Value {
    serde_json::from_str(&reqwest::get(url).await.unwrap().text().await.unwrap()).unwrap()
}

#[tokio::test]
async fn the_index_can_be_asked_until_ctrl_c() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = Process::start(Command::new(QUICKSTART).arg("--keep").arg("--folder").arg(folder.path()));
    let document = run.line_after("A document, ");
    run.line_after("stays until Ctrl-C");
    let (index, _) = document.split_once("/_doc/").unwrap();
    assert_eq!(ask(&format!("{index}/_count")).await["count"], 1707);
    assert_eq!(ask(&document).await["_source"]["type"], "Feature");
    let hits = &ask(&format!("{index}/_search?q=properties.net:ci&size=3")).await["hits"];
    assert_eq!(hits["hits"].as_array().unwrap().len(), 3);
    assert!(
        hits["hits"][0]["_source"]["properties.net"] == "ci" && hits["total"]["value"].as_u64() > Some(3)
    );
    run.interrupt();
    assert!(run.wait().success());
}
