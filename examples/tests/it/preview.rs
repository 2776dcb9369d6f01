//! The preview of a rule file, over a file, standard input and a topic.

use examples::{earthquakes, mock_kafka::MockKafka};
use std::{
    io::Write,
    process::{Command, Output, Stdio},
};

const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config/earthquake-rules.json");
const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/earthquakes.jsonl");

fn preview(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_preview"));
    command.args(arguments);
    command
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_file_is_shown_as_a_table_and_as_json() {
    let table = preview(&[RULES, DATA, "--records", "2"]).output().unwrap();
    let shown = text(&table);
    assert!(table.status.success() && shown.contains("record 2\nstep "), "{shown}");
    assert!(!shown.contains("record 3") && shown.contains("\nFieldChain[0].SMT[2] "), "{shown}");
    let json = preview(&[RULES, DATA, "--records", "1", "--json"]).output().unwrap();
    let line: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(line["explained"]["steps"][0]["place"], "FieldChain[0].Analyse", "{line}");
}

#[test]
fn standard_input_is_read_by_lines_and_failures_are_shown() {
    let mut child = preview(&[RULES])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"{\"properties\":{\"mag\":\"x\"}}\nno json\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let shown = text(&output);
    assert!(output.status.success() && shown.contains("\"x\" is no FLOAT64"), "{shown}");
    assert!(shown.contains("record 2\n") && shown.contains("failed  "), "{shown}");
}

#[test]
fn a_topic_is_read_without_a_commit_so_that_it_can_be_read_again() {
    let kafka = MockKafka::start(earthquakes::TOPIC, 1).unwrap();
    for (_, line) in earthquakes::all().into_iter().take(3) {
        kafka.send(earthquakes::TOPIC, 0, line).unwrap();
    }
    kafka.flush().unwrap();
    for _ in 0..2 {
        let run = preview(&[
            RULES,
            "--bootstrap",
            kafka.bootstrap(),
            "--topic",
            earthquakes::TOPIC,
            "--records",
            "3",
        ]);
        let output = { run }.output().unwrap();
        let shown = text(&output);
        assert!(output.status.success(), "{shown}");
        for offset in 0..3 {
            assert!(shown.contains(&format!("earthquakes-0 at {offset}\n")), "{shown}");
        }
    }
}

#[test]
fn wrong_rules_and_arguments_are_said() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules.json");
    std::fs::write(&rules, r#"{"FieldChain":[{"Analyse":{"Format":"XML"}}],"Output":1}"#).unwrap();
    let output = preview(&[rules.to_str().unwrap(), DATA]).output().unwrap();
    let shown = text(&output);
    assert_eq!(output.status.code(), Some(2), "{shown}");
    assert!(
        shown.contains("2 configuration problems") && shown.contains("FieldChain[0].Analyse.Format"),
        "{shown}"
    );
    for wrong in [&[][..], &[RULES, "--nope"], &[RULES, DATA, "--topic", "t"]] {
        assert_eq!(preview(wrong).output().unwrap().status.code(), Some(2));
    }
}
