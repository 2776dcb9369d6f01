//! Configuration files: what is wrong with them is said all at once, and the ones we ship are sound.

use std::{fs, process::Command};

const PROGRAMS: [&str; 2] = [env!("CARGO_BIN_EXE_kafka-to-es"), env!("CARGO_BIN_EXE_kafka-to-cos")];

#[test]
fn three_mistakes_are_reported_at_once_and_secrets_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let targets = [
        "connection.url=http://localhost:9200\nconnection.username=elastic\nconnection.password=hunter2secret",
        "store.url=file:///tmp/x",
    ];
    for (program, target) in PROGRAMS.into_iter().zip(targets) {
        let file = folder.path().join("wrong.properties");
        let lines = [
            "name=wrong",
            "bootstrap.servers=localhost:9092",
            "topics=earthquakes",
            "tasks.max=none",
            "errors.tolerance=some",
            "transforms=flat",
            "transforms.flat.type=Flaten",
            "consumer.override.sasl.password=hunter2secret",
            target,
        ];
        fs::write(&file, lines.join("\n")).unwrap();
        let run = Command::new(program).arg(&file).env("RUST_LOG", "trace").output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
        assert_eq!(run.status.code(), Some(2), "{out}{err}");
        for problem in [
            "3 configuration problems",
            r#"tasks.max = "none": not an integer of this type; allowed: from 1 to 1000"#,
            r#"errors.tolerance = "some": "#,
            "allowed: none or all",
            r#"transforms.flat.type = "Flaten": unknown transform, did you mean Flatten?; mistyped keys "#,
        ] {
            assert!(err.contains(problem), "{problem} is not in:\n{err}");
        }
        assert!(!err.contains("hunter2secret") && !out.contains("hunter2secret"), "{out}{err}");
    }
}

const CONVERTER: &str = "value.converter=JsonConverter\nvalue.converter.schemas.enable=false";

#[test]
fn the_configurations_that_we_ship_are_sound() {
    for (program, file) in PROGRAMS.into_iter().zip(["kafka-to-es", "kafka-to-cos"]) {
        let text =
            fs::read_to_string(format!("{}/config/{file}.properties", env!("CARGO_MANIFEST_DIR"))).unwrap();
        // The same file with one key too many, beside converters: nothing else is wrong with it.
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("copy.properties");
        fs::write(&copy, format!("{text}\n{CONVERTER}\ntopic=x\n")).unwrap();
        let run = Command::new(program).arg(&copy).output().unwrap();
        let err = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.code(), Some(2), "{err}");
        assert!(
            err.starts_with("1 configuration problem\n  topic: unknown key, did you mean topics?"),
            "{err}"
        );
    }
}

#[test]
fn a_missing_file_is_a_configuration_problem() {
    for program in PROGRAMS {
        for arguments in [&["/no/such/file.properties"][..], &[]] {
            assert_eq!(Command::new(program).args(arguments).output().unwrap().status.code(), Some(2));
        }
    }
}
