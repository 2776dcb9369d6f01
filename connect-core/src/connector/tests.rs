use super::*;
use crate::{
    Chain, Output, Record,
    config::{Providers, Value as _},
    registry::Plugin,
    testing::{Recording, batch},
};
use serde_json::Value;

crate::config! {
    /// Keeps records.
    struct KeepConfig {
        /// Where.
        "place" => place: String;
        /// What happens where the log lacks something: the source's key too.
        "on.data.loss" => on_data_loss: crate::kafka::DataLoss = crate::kafka::DataLoss::Fail;
    }
}

struct Mark(&'static str);

impl Transform for Mark {
    fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error> {
        let value = [record.value().unwrap_or_default(), self.0.as_bytes()].concat();
        out.derive(record).value(Some(&value)).emit();
        Ok(())
    }

    fn describe(&self) -> Option<String> {
        Some(self.0.to_owned())
    }
}

fn plugins() -> Plugins {
    let mut plugins = Plugins::new();
    let keep = Plugin::new("io.example.KeepSinkConnector", |_: KeepConfig| {
        let target = Recording::new();
        Ok(SinkPlugin::new(move |_| Ok(target.sink())))
    });
    plugins.sinks.add(keep).expect("its names are free");
    let mark = Plugin::new("io.example.Mark", |(): ()| Ok(Arc::new(Mark("2")) as Arc<dyn Transform>));
    plugins.transforms.add(mark).expect("its names are free");
    plugins.first(|reader| {
        let wanted = bool::parse(reader.get("first").unwrap_or("false"));
        reader.claim("first");
        if let Err(what) = &wanted {
            reader.problem("first", what.clone(), None);
        }
        let wanted = wanted.ok()?;
        Some(Arc::new(move || {
            let first: Arc<dyn Transform> = Arc::new(Mark("1"));
            Ok(wanted.then_some(first).into_iter().collect())
        }))
    });
    plugins
}

fn settings(more: &[(&'static str, &'static str)]) -> Settings {
    let least = [
        ("name", "p"),
        ("connector.class", "Keep"),
        ("place", "here"),
        ("bootstrap.servers", "localhost:9092"),
        ("topics", "t"),
    ];
    Settings::literal(least.iter().chain(more).copied())
}

fn wrong(more: &[(&'static str, &'static str)]) -> String {
    plugins().read(&settings(more)).expect_err("something is wrong").to_string()
}

#[test]
fn a_map_becomes_a_pipeline_with_its_steps_in_order() {
    let connector = plugins()
        .read(&settings(&[
            ("tasks.max", "3"),
            ("transforms", "m"),
            ("transforms.m.type", "Mark"),
            ("first", "true"),
            ("offset.flush.interval.ms", "250"),
        ]))
        .unwrap();
    assert_eq!((connector.config().name.as_str(), connector.config().tasks_max), ("p", 3));
    let pipeline = connector.pipeline().unwrap();
    assert_eq!(pipeline.chain().describe().as_deref(), Some("1\n2"));
    assert_eq!(pipeline.options().commit_interval.as_millis(), 250);
}

#[test]
fn everything_that_is_wrong_is_told_at_once_with_the_nearest_known_keys() {
    let error = wrong(&[
        ("tasks.max", "none"),
        ("errors.tolerance", "some"),
        ("errors.retry.timeout", "60000"),
        ("on.data.loss", "stop"),
        ("plaice", "x"),
        ("consumer.override.group.id", "g"),
        ("transforms", "m"),
        ("transforms.m.type", "Marc"),
        ("first", "perhaps"),
        ("errors.deadletterqueue.topic.name", "no topic"),
    ]);
    for part in [
        "9 configuration problems",
        "tasks.max = \"none\": not an integer",
        "errors.tolerance = \"some\": ",
        "errors.retry.timeout = \"60000\": what fails for passing reasons is tried again for ever here; allowed: -1",
        "on.data.loss = \"stop\": not one of the choices; allowed: fail or continue",
        "plaice: unknown key, did you mean place?",
        "consumer.override.group.id = \"g\": `group.id` cannot be set",
        "transforms.m.type = \"Marc\": unknown transform, did you mean Mark?",
        // A key that is read by hand is declared nowhere.
        "first = \"[redacted]\": ",
        "errors.deadletterqueue.topic.name = \"no topic\": ",
    ] {
        assert!(error.contains(part), "{part} is not in {error}");
    }
}

#[test]
fn records_that_will_never_work_stop_it_are_dropped_or_go_to_the_queue() {
    for (more, want) in [
        (&[][..], Poison::Fail),
        (&[("errors.tolerance", "all")], Poison::Skip),
        (&[("errors.tolerance", "all"), ("errors.deadletterqueue.topic.name", "dead")], Poison::DeadLetter),
    ] {
        let pipeline = plugins().read(&settings(more)).unwrap().pipeline().unwrap();
        assert_eq!(pipeline.options().poison, want);
    }
    let error = wrong(&[("errors.deadletterqueue.topic.name", "t")]);
    assert!(
        error.contains("errors.tolerance: a dead letter queue is for records that are tolerated"),
        "{error}"
    );
    assert!(error.contains("so each letter would come back"), "{error}");
}

#[test]
fn what_is_written_where_it_is_read_would_come_back_for_ever() {
    let copy = |more: &[(&'static str, &'static str)]| {
        let least = [
            ("name", "p"),
            ("bootstrap.servers", "localhost:9092"),
            ("topics", "t"),
            ("connector.class", "Kafka"),
            ("target.bootstrap.servers", "other:1, LOCALHOST:9092"),
        ];
        let settings = Settings::literal(least.iter().chain(more).copied());
        plugins().read(&settings).map(drop).map_err(|error| error.to_string())
    };
    for more in [&[][..], &[("target.topic", "t")]] {
        let error = copy(more).unwrap_err();
        assert!(error.contains("target.topic") && error.contains("the source reads this topic"), "{error}");
    }
    let renamed = [("transforms", "m"), ("transforms.m.type", "Mark")];
    for more in [&[("target.topic", "copy")][..], &[("target.bootstrap.servers", "other:1")], &renamed] {
        assert_eq!(copy(more), Ok(()));
    }
}

#[test]
fn a_plugin_that_cannot_be_made_says_so_when_the_pipeline_is() {
    let mut plugins = plugins();
    let broken = Plugin::new("Broken", |(): ()| Err::<SinkPlugin, _>(Error::fatal("make it", "no disk")));
    plugins.sinks.add(broken).expect("its name is free");
    let least =
        [("name", "p"), ("bootstrap.servers", "b:9092"), ("topics", "t"), ("connector.class", "Broken")];
    let connector = plugins.read(&Settings::literal(least)).unwrap();
    assert_eq!(connector.pipeline().unwrap_err().report(), "failed to make it: no disk");
}

#[test]
fn a_class_that_is_missing_or_unknown_is_a_problem_and_kafka_is_the_source_that_is_meant() {
    let error = plugins().read(&Settings::literal([("name", "p"), ("source.class", "Kafak")])).unwrap_err();
    let error = error.to_string();
    for part in ["connector.class: required", "source.class = \"Kafak\": unknown source, did you mean Kafka?"]
    {
        assert!(error.contains(part), "{part} is not in {error}");
    }
}

#[test]
fn a_validation_has_the_definitions_and_the_errors_of_all_parts() {
    let answer = plugins().validate(&settings(&[("tasks.max", "0"), ("transforms", "m")]));
    assert_eq!((&answer["name"], &answer["error_count"]), (&"Keep".into(), &2.into()));
    let of = |name: &str| {
        let configs = answer["configs"].as_array().unwrap();
        configs.iter().find(|config| config["value"]["name"] == name).unwrap_or(&Value::Null).clone()
    };
    assert_eq!(of("place")["definition"]["required"], true);
    assert_eq!(of("bootstrap.servers")["value"]["value"], "localhost:9092");
    assert_eq!(of("errors.tolerance")["value"]["recommended_values"], serde_json::json!(["none", "all"]));
    assert_eq!(of("tasks.max")["value"]["errors"].as_array().unwrap().len(), 1);
    assert_eq!(of("transforms.m.type")["value"]["errors"].as_array().unwrap().len(), 1);
}

#[test]
fn a_mistake_elsewhere_shows_no_secret_of_what_cannot_be_read_for_it() {
    let secrets = [
        ("store.access.key.id", "hunter2AKIA"),
        ("transforms.m.user.info", "u:hunter2"),
        ("consumer.override.sasl.pasword", "hunter2"),
        ("producer.override.sasl.pasword", "hunter2"),
        ("target.override.sasl.pasword", "hunter2"),
    ];
    for wrong in [
        [("connector.class", "Kept"), ("transforms", "m"), ("transforms.m.type", "Marc")],
        [("connector.class", "Kafka"), ("transforms", "m"), ("transforms.m.type", "Marc")],
        [("connector.class", ""), ("source.class", "Kafak"), ("transforms", "m")],
    ] {
        let settings = settings(&[&secrets[..], &wrong].concat());
        let answer = plugins().validate(&settings);
        let error = plugins().read(&settings).expect_err("something is wrong");
        let shown = format!("{answer} {error} {error:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("store.access.key.id"), "the key itself is in the answer: {shown}");
    }
}

#[test]
fn nothing_of_what_a_reference_stands_for_is_told() {
    let secrets = Providers::none().with("env", |name: &str| {
        Ok::<_, String>(match name {
            "LIST" => "hunter2 secret,b".to_owned(),
            name => format!("Hunter2{name}"),
        })
    });
    let least = [("name", "p"), ("bootstrap.servers", "b:9092"), ("place", "here")];
    for (key, value, more) in [
        ("topics", "${env:LIST},b", ("connector.class", "Keep")),
        ("topics.regex", "${env:X}(", ("connector.class", "Keep")),
        ("start.position", "offsets:${env:X}", ("topics", "t")),
        ("consumer.override.sasl.mechanism", "SCRAM-${env:X}", ("topics", "t")),
        ("consumer.override.sasl.mechanisms", "SCRAM-${env:X}", ("topics", "t")),
        ("consumer.override.security.protocol", "${env:X}SSL", ("topics", "t")),
        ("consumer.override.sasl.pasword", "${env:X}", ("topics", "t")),
        ("transforms", "${env:X}", ("topics", "t")),
        ("transforms", "m,${env:LIST},${env:LIST}", ("transforms.m.type", "Mark")),
        ("predicates", "${env:X}", ("transforms.m.predicate", "q")),
        ("transforms.m.type", "${env:X}", ("transforms", "m")),
        ("connector.class", "${env:X}", ("topics", "t")),
        ("target.topic", "${env:LIST}", ("connector.class", "Kafka")),
        ("errors.deadletterqueue.topic.name", "${env:LIST}", ("topics", "t")),
    ] {
        let settings = Settings::new(least.into_iter().chain([(key, value), more]), &secrets);
        let error = plugins().read(&settings).expect_err("something is wrong");
        let answer = plugins().validate(&settings);
        let shown = format!("{error} {error:?} {answer}");
        let told = shown.to_lowercase();
        assert!(!told.contains("hunter2") && !told.contains("secret,b"), "{key}: {shown}");
    }
}

#[test]
fn a_name_has_no_control_characters_and_comes_from_no_reference() {
    let providers =
        Providers::none().with("file", |_: &str| Ok::<_, String>("PATH=/bin\0TOKEN=hunter2\0".to_owned()));
    let problem = |name: &str| {
        let least = [
            ("name", name),
            ("connector.class", "Keep"),
            ("place", "here"),
            ("topics", "t"),
            ("bootstrap.servers", "b:1"),
        ];
        plugins().read(&Settings::new(least, &providers)).unwrap_err().to_string()
    };
    assert_eq!(
        problem("a\0b"),
        "1 configuration problem\n  name = \"a\\0b\": the control character U+0000 is in it; allowed: text without control characters"
    );
    assert!(problem("a\u{1b}[2J").contains("U+001B"));
    let reference = problem("${file:/proc/self/environ}");
    assert_eq!(
        reference,
        "1 configuration problem\n  name = \"${file:/proc/self/environ}\": a reference, but this value is printed in logs: write it out; \
         allowed: text without control characters"
    );
    for name in ["a\0b", "a\u{85}b"] {
        let error = crate::Pipeline::builder(name).build().unwrap_err().report();
        assert!(error.contains("cannot be used: the control character U+00"), "{error}");
    }
}

#[test]
fn the_type_that_a_name_from_a_reference_needs_is_asked_for_without_the_name() {
    let env = Providers::none().with("env", |_: &str| Ok::<_, String>("m".to_owned()));
    let read = |more: &[(&'static str, &'static str)]| {
        let least = [("name", "p"), ("connector.class", "Keep"), ("place", "here"), ("topics", "t")];
        let rest = [("bootstrap.servers", "b:9092"), ("transforms", "${env:X}")];
        let settings = Settings::new(least.into_iter().chain(rest).chain(more.iter().copied()), &env);
        plugins().read(&settings).map(drop).map_err(|error| error.to_string())
    };
    let error = read(&[]).unwrap_err();
    assert!(error.contains("transforms.[redacted].type: required, but not given"), "{error}");
    assert_eq!(read(&[("transforms.m.type", "Mark")]), Ok(()));
}

/// Runs a connector from files, with more tasks than there can be, until it ends. Gives the values that were kept.
async fn read_files(settings: &Settings) -> Vec<String> {
    let (kept, mut plugins) = (Recording::new(), Plugins::new());
    let target = kept.clone();
    let keep = Plugin::new("KeepHere", move |(): ()| {
        let target = target.clone();
        Ok(SinkPlugin::new(move |_| Ok(target.sink())))
    });
    plugins.sinks.add(keep).expect("its name is free");
    let connector = plugins.read(settings).expect("nothing is wrong with it");
    let handle = connector.pipeline().expect("nothing is wrong with it").start();
    let status = handle.wait().await;
    assert_eq!((status.tasks.len(), status.state()), (1, crate::TaskState::Stopped), "{status:?}");
    let text = |row: &crate::testing::Delivered| {
        let value = row.message.value.as_deref().unwrap_or_default();
        String::from_utf8_lossy(value).into_owned()
    };
    kept.rows().iter().map(text).collect()
}

#[tokio::test]
async fn files_are_read_by_one_task_and_again_from_where_it_ended() {
    let directory = tempfile::tempdir().unwrap();
    let (log, offsets) = (directory.path().join("a.log"), directory.path().join("offsets.json"));
    let settings = Settings::literal([
        ("name", "p"),
        ("tasks.max", "3"),
        ("source.class", "FileLines"),
        ("file", log.to_str().unwrap()),
        ("topic", "lines"),
        ("offset.storage.file.filename", offsets.to_str().unwrap()),
        ("follow", "false"),
        ("connector.class", "KeepHere"),
    ]);
    std::fs::write(&log, "one\ntwo\n").unwrap();
    assert_eq!(read_files(&settings).await, ["one", "two"]);
    std::fs::write(&log, "one\ntwo\nthree\n").unwrap();
    assert_eq!(read_files(&settings).await, ["three"]);
}

#[test]
fn steps_apply_in_the_order_of_their_reading() {
    let steps = [Mark("1"), Mark("2")].map(|mark| Arc::new(mark) as Arc<dyn Transform>);
    let out = Chain::new(steps.to_vec()).apply(batch(["x"]), 0).batch;
    assert_eq!(out.get(0).unwrap().value(), Some(&b"x12"[..]));
}
