//! The whole way: from a map to a struct and back, and everything that is told about it.

use std::{collections::BTreeMap, time::Duration};

use serde_json::json;

use super::*;
use crate::choices;

choices! {
    /// What happens to a record without a value.
    enum OnNull {
        /// The task stops.
        Fail = "fail",
        /// The record is dropped.
        Ignore = "ignore",
        /// The document is deleted.
        Delete = "delete",
    }
}

crate::config! {
    /// How to log in.
    struct Login {
        /// The user.
        "username" => username: Option<String>, group: "Security";
        /// The password.
        "password" => password: Option<Secret>, group: "Security", importance: High;
    } check login_is_whole
}

fn login_is_whole(login: &Login, problems: &mut Problems) {
    if login.username.is_some() && login.password.is_none() {
        problems.add("password", "missing beside a user");
    }
    if let Some(password) = login.password.as_ref().filter(|_| login.username.is_none()) {
        // A careless check: what it repeats is taken out again.
        problems.add_allowed("username", format!("missing beside {}", password.expose()), "any");
    }
}

crate::config! {
    /// Where documents go.
    ///
    /// And how.
    struct Target {
        /// Base URLs of the cluster.
        "connection.url" => urls: Vec<String>, importance: High, group: "Connection", check: not_empty;
        /// The prefix of index names.
        "index.prefix" => prefix: String, allowed: "lower case letters", check: |prefix: &String| {
            if prefix.chars().all(|c| c.is_ascii_lowercase()) { Ok(()) } else { Err("not lower case".into()) }
        };
        /// Records in a request; Connect's default.
        "batch.size" => batch: usize = 2000, range: 1..=1_000_000, group: "Batching";
        /// Bytes in a request; Connect's default.
        "bulk.size.bytes" => bulk: ByteSize = ByteSize::mib(5), range: ByteSize::kib(1).., group: "Batching";
        /// The longest wait for a batch to fill.
        "linger.ms" => linger: Duration = Duration::from_millis(50), group: "Batching";
        /// How long to try.
        "errors.retry.timeout" => retry: Timeout = Timeout::Never;
        /// What happens to a record without a value.
        "behavior.on.null.values" => on_null: OnNull = OnNull::Fail, dependents: &["batch.size"];
        /// How much of a second.
        "ratio" => ratio: Option<f64>, range: Some(0.0)..Some(1.0), importance: Low, width: Width::Long;
        /// Whether it is compressed.
        "compression" => compression: bool = false, display: "Compress bodies";
        /// How to log in.
        nested "connection." => login: Login;
        /// Properties of the client.
        prefix "client." => client: Passthrough, group: "Client", known: &["x", "sasl.password"];
    }
}

crate::config! {
    /// What every sink has.
    struct Common {
        /// How many tasks share the work.
        "tasks.max" => tasks_max: u32 = 1, range: 1..=1000;
        /// The first start.
        "start.offset" => start: i64 = -1;
        /// The port of the metrics.
        "port" => port: Option<u16>;
        /// A signed number.
        "weight" => weight: i32 = 0;
    }
}

fn minimal() -> [(&'static str, &'static str); 2] {
    [("connection.url", "http://a:9200 , http://b:9200"), ("index.prefix", "logs")]
}

fn with<'a>(more: impl IntoIterator<Item = (&'a str, &'a str)>) -> Settings {
    Settings::literal(minimal().into_iter().chain(more))
}

fn message(settings: &Settings) -> String {
    Target::parse(settings).unwrap_err().to_string()
}

#[test]
fn what_is_not_given_has_its_default() {
    let target = Target::parse(&with([])).unwrap();
    assert_eq!(target.urls, ["http://a:9200", "http://b:9200"]);
    assert_eq!(target, Target::new(target.urls.clone(), "logs".into()));
    assert_eq!((target.batch, target.bulk, target.retry), (2000, ByteSize::mib(5), Timeout::Never));
    assert_eq!(target.login, Login::default());
    assert_eq!(Common::default(), Common::parse(&Settings::default()).unwrap());
}

#[test]
fn blanks_around_a_value_are_no_part_of_it_whatever_its_type() {
    let given = with([
        ("index.prefix", " \tlogs \n"),
        ("batch.size", " 7 "),
        ("connection.password", " p w "),
        ("connection.username", " u "),
    ]);
    let target = Target::parse(&given).unwrap();
    assert_eq!((target.prefix.as_str(), target.batch), ("logs", 7));
    assert_eq!(target.login.password.map(|password| password.expose().to_owned()).as_deref(), Some("p w"));
}

#[test]
fn every_type_is_read() {
    let target = Target::parse(&with([
        ("batch.size", " 7 "),
        ("bulk.size.bytes", "1MiB"),
        ("linger.ms", "5"),
        ("errors.retry.timeout", "60000"),
        ("behavior.on.null.values", "DELETE"),
        ("ratio", "0.5"),
        ("compression", "True"),
        ("connection.username", "ann"),
        ("connection.password", "hunter2"),
        ("client.sasl.password", "pw"),
    ]))
    .unwrap();
    assert_eq!((target.batch, target.bulk, target.linger), (7, ByteSize::mib(1), Duration::from_millis(5)));
    assert_eq!((target.retry, target.on_null), (Timeout::ms(60_000), OnNull::Delete));
    assert_eq!((target.ratio, target.compression), (Some(0.5), true));
    assert_eq!(target.login.password.unwrap().expose(), "hunter2");
    assert_eq!(target.client.into_map(), BTreeMap::from([("sasl.password".to_owned(), "pw".to_owned())]));
    let blank = Target::parse(&with([("ratio", " "), ("connection.password", "")])).unwrap();
    assert_eq!((blank.ratio, blank.login.password), (None, None));
}

#[test]
fn three_mistakes_are_reported_at_once_with_key_value_and_what_is_allowed_and_no_secret() {
    let settings = with([
        ("batch.size", "0"),
        ("behavior.on.null.values", "drop"),
        ("bulk.size.bytes", "5MB"),
        ("connection.username", "ann"),
        ("connection.password", "hunter2"),
    ]);
    let error = Target::parse(&settings).unwrap_err();
    assert_eq!(
        error.to_string(),
        "3 configuration problems
  batch.size = \"0\": too small; allowed: from 1 to 1000000
  bulk.size.bytes = \"5MB\": unknown unit; allowed: 1024 or more
  behavior.on.null.values = \"drop\": not one of the choices; allowed: fail, ignore or delete"
    );
    let everything = format!("{error}{error:?}{settings:?}{}", Target::infos("target", &settings));
    assert!(!everything.contains("hunter2"), "{everything}");
}

#[test]
fn a_secret_appears_nowhere() {
    let secret = "hunter2";
    let settings = with([
        ("connection.password", secret),
        ("connection.pasword", secret),
        ("client.sasl.password", secret),
        ("batch.size", "none"),
    ]);
    let error = Target::parse(&settings).unwrap_err();
    let mut reader = Reader::new(&settings);
    drop(reader.read::<Target>());
    let report = reader.finish();
    let shown = format!("{error} {error:?} {settings:?} {} {:?}", report.infos("t"), report.redacted());
    assert!(!shown.contains(secret), "{shown}");

    let sound = with([
        ("connection.username", "ann"),
        ("connection.password", secret),
        ("client.ssl.key.pem", secret),
    ]);
    let target = Target::parse(&sound).unwrap();
    let shown = format!("{target:?} {:?}", target.to_settings());
    assert!(!shown.contains(secret), "{shown}");
    assert_eq!(target.to_settings()["connection.password"], REDACTED);
    assert_eq!(target.to_settings_exposed()["connection.password"], secret);

    // The default of a secret, which nobody should declare, is hidden as well.
    let slot = Slot::<Secret>::new("key", " Doc.").default(Secret::from(secret));
    let shown = format!("{slot:?}{}", slot.definition().to_json());
    assert!(!shown.contains(secret), "{shown}");
}

#[test]
fn a_value_is_shown_only_if_its_key_is_declared() {
    let providers = Providers::none().with("env", |_: &str| Err::<String, _>("gone".to_owned()));
    let settings = Settings::new(
        minimal().into_iter().chain([
            ("client.x", "seen"),
            // A mistyped password among properties that nobody checks, since one of them cannot be resolved.
            ("client.sasl.pasword", "hunter2"),
            ("client.y", "${env:Y}"),
            ("claimed.pass", "hunter2"),
            ("claimed.reference", "${env:Z}"),
        ]),
        &providers,
    );
    let mut reader = Reader::new(&settings);
    reader.claim("claimed.");
    drop(reader.read::<Target>());
    // Before the key is declared as a secret, and of one that is not declared at all.
    reader.problem("connection.password", "bad", None);
    reader.problem("claimed.pass", "bad", None);
    let report = reader.finish();
    let value = |key: &str| report.redacted()[key].clone();
    assert_eq!((value("client.x"), value("client.sasl.pasword")), ("seen".to_owned(), REDACTED.to_owned()));
    assert_eq!((value("claimed.pass"), value("claimed.reference")), (REDACTED.into(), "${env:Z}".into()));
    let shown = format!("{} {:?} {:?}", report.infos("t"), report.redacted(), report.problems());
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn properties_filled_in_code_are_shown_only_if_they_are_known() {
    let mut client = Passthrough::default();
    client.set("x", "hunter2");
    client.set_among(&["x", "y", "a.secret"], "y", "seen");
    client.set_among(&["x", "y", "a.secret"], "a.secret", "hunter2");
    client.set_among(&["x", "y", "a.secret"], "pasword", "hunter2");
    let shown = format!("{client:?}");
    assert!(shown.contains("\"y\": \"seen\"") && !shown.contains("hunter2"), "{shown}");
    client.set("y", "hunter2");
    assert!(!format!("{client:?}").contains("hunter2"));
}

#[test]
fn a_secret_that_a_check_repeats_is_taken_out() {
    let error = message(&with([("connection.password", "hunter2")]));
    assert_eq!(
        error,
        "1 configuration problem\n  connection.username: missing beside [redacted]; allowed: any"
    );
}

#[test]
fn what_a_reference_stands_for_is_not_shown() {
    let providers = Providers::none().with("vault", |name: &str| match name {
        "size" => Ok("hunter2".to_owned()),
        "url" => Ok("http://a".to_owned()),
        _ => Err(format!("there is no {name}")),
    });
    let pairs = [
        ("connection.url", "${vault:url}"),
        ("index.prefix", "${vault:size}"),
        ("batch.size", "${vault:size}"),
        ("connection.password", "${vault:nothing}"),
        ("client.a", "${vault:size}"),
        ("client.b", "${vault:nothing}"),
    ];
    let error = message(&Settings::new(pairs, &providers));
    assert_eq!(
        error,
        "4 configuration problems
  index.prefix = \"${vault:size}\": not lower case; allowed: lower case letters
  batch.size = \"${vault:size}\": not an integer of this type; allowed: from 1 to 1000000
  connection.password = \"${vault:nothing}\": cannot be resolved: there is no nothing
  client.b = \"${vault:nothing}\": cannot be resolved: there is no nothing"
    );
    let pairs = [pairs[0], ("index.prefix", "logs"), pairs[4]];
    let settings = Settings::new(pairs, &providers);
    let target = Target::parse(&settings).unwrap();
    assert_eq!(target.urls, ["http://a"]);
    assert_eq!(target.client["a"], "hunter2");
    assert!(!format!("{target:?}").contains("hunter2"));
    assert_eq!(settings.raw().find(|(key, _)| *key == "client.a"), Some(("client.a", "${vault:size}")));
}

#[test]
fn a_part_of_a_secret_beside_a_reference_is_not_shown() {
    let providers = Providers::none().with("env", |_: &str| Err::<String, _>("gone".to_owned()));
    let pairs = minimal().into_iter().chain([("connection.password", "hunter2${env:X}")]);
    let error = message(&Settings::new(pairs, &providers));
    assert!(error.ends_with("connection.password = \"[redacted]\": cannot be resolved: gone"), "{error}");
}

#[test]
fn missing_and_unknown_keys_are_named_with_the_nearest_one() {
    let settings = Settings::literal([
        ("conection.url", "http://a"),
        ("connection.passwrd", "hunter2"),
        ("index.prefix", "Logs"),
        ("wholly.different", "1"),
        ("client.", "1"),
    ]);
    assert_eq!(
        message(&settings),
        "6 configuration problems
  connection.url: required, but not given; allowed: a list separated by commas
  index.prefix = \"Logs\": not lower case; allowed: lower case letters
  client.: unknown key
  conection.url: unknown key, did you mean connection.url?
  connection.passwrd: unknown key, did you mean connection.password?
  wholly.different: unknown key"
    );
}

#[test]
fn bounds_are_inclusive_or_exclusive_as_declared() {
    let parse = |key, text| Target::parse(&with([(key, text)])).map(drop).map_err(|error| error.to_string());
    for (key, text) in
        [("batch.size", "1"), ("batch.size", "1000000"), ("ratio", "0"), ("bulk.size.bytes", "1024")]
    {
        assert_eq!(parse(key, text), Ok(()), "{key} {text}");
    }
    for (key, text, what) in [
        ("batch.size", "1000001", "too large; allowed: from 1 to 1000000"),
        ("batch.size", "99999999999999999999", "too large; allowed: from 1 to 1000000"),
        ("ratio", "1", "too large; allowed: from 0 to less than 1"),
        ("ratio", "-0.1", "too small; allowed: from 0 to less than 1"),
        ("ratio", "NaN", "not a finite number; allowed: from 0 to less than 1"),
        ("bulk.size.bytes", "1023", "too small; allowed: 1024 or more"),
        ("connection.url", "", "empty; allowed: a list separated by commas"),
        ("connection.url", "http://a,,b", "item 2 is empty; allowed: a list separated by commas"),
        ("compression", "yes", "not a boolean; allowed: true or false"),
    ] {
        let error = parse(key, text).unwrap_err();
        assert!(error.ends_with(&format!("{key} = {text:?}: {what}")), "{error}");
    }
    for (key, text, allowed) in [
        ("port", "65536", "an integer from 0 to 65535"),
        ("weight", "1.0", "an integer from -2147483648 to 2147483647"),
    ] {
        let error = Common::parse(&Settings::literal([(key, text)])).unwrap_err().to_string();
        assert!(error.ends_with(allowed), "{error}");
    }
}

#[test]
fn two_declarations_share_a_map_and_only_what_neither_knows_is_unknown() {
    let settings = with([("tasks.max", "0"), ("batch.size", "x"), ("task.max", "1")]);
    let error = <(Common, Target)>::parse(&settings).unwrap_err().to_string();
    assert_eq!(
        error,
        "3 configuration problems
  tasks.max = \"0\": too small; allowed: from 1 to 1000
  batch.size = \"x\": not an integer of this type; allowed: from 1 to 1000000
  task.max: unknown key, did you mean tasks.max?"
    );
    let (common, target, ()) = <(Common, Target, ())>::parse(&with([("tasks.max", "2")])).unwrap();
    assert_eq!((common.tasks_max, target.batch), (2, 2000));
}

#[test]
fn a_part_of_a_map_is_read_with_its_prefix_cut_off_and_named_in_full() {
    let settings = Settings::literal([("other", "1"), ("a.b.tasks.max", "3"), ("a.b.prt", "1")]);
    let error = Common::parse(&settings.sub("a.").sub("b.")).unwrap_err().to_string();
    assert_eq!(error, "1 configuration problem\n  a.b.prt: unknown key, did you mean a.b.port?");
    let mut reader = Reader::new(&settings);
    reader.claim("other");
    let common = reader.within("a.b.", |reader| {
        reader.claim("prt");
        reader.read::<Common>()
    });
    assert_eq!(reader.finish().result(common).unwrap().tasks_max, 3);
}

#[test]
fn a_struct_filled_in_code_goes_to_a_map_and_back_and_is_checked_alike() {
    let mut target = Target {
        batch: 7,
        linger: Duration::from_millis(1),
        retry: Timeout::ms(9),
        on_null: OnNull::Ignore,
        ratio: Some(0.25),
        compression: true,
        login: Login { username: Some("ann".into()), password: Some("hunter2".into()) },
        client: [("a", "1")].into_iter().collect(),
        ..Target::new(vec!["http://a".into(), "http://b".into()], "logs".into())
    };
    assert_eq!(target.validate(), Ok(()));
    assert_eq!(Target::parse(&Settings::literal(target.to_settings_exposed())).unwrap(), target);
    target.batch = 0;
    target.login.password = None;
    assert_eq!(
        target.validate().unwrap_err().to_string(),
        "2 configuration problems
  batch.size = \"0\": too small; allowed: from 1 to 1000000
  connection.password: missing beside a user"
    );
}

#[test]
fn json_takes_strings_numbers_and_booleans_and_connects_rest_form() {
    let none = Providers::none();
    let read = |text: &str| {
        let settings = Settings::from_json(text, &none).map_err(|error| error.to_string())?;
        Ok(settings.raw().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" "))
    };
    assert_eq!(
        read(r#"{"a": 1, "b": true, "c": "x", "d": 1.5, "e": null}"#),
        Ok("a=1 b=true c=x d=1.5".into())
    );
    assert_eq!(read(r#"{"name": "n", "config": {"a": "1"}}"#), Ok("a=1 name=n".into()));
    assert_eq!(read(r#"{"name": "n", "config": {"a": "1", "name": "n"}}"#), Ok("a=1 name=n".into()));
    let nested: Result<String, String> = read(r#"{"a": {"b": 1}, "c": [1], "d": 1, "d": 2}"#);
    assert_eq!(
        nested.unwrap_err(),
        "3 configuration problems
  a: a nested value; allowed: a string, a number or a boolean
  c: a nested value; allowed: a string, a number or a boolean
  d: given twice"
    );
    for wrong in ["", "[]", "\"hunter2\"", "{\"a\": hunter2}", "{\"a\": \"hunter2\"", "3"] {
        let error = read(wrong).unwrap_err();
        assert!(error.contains("config: not a JSON object, see line"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn properties_files_are_read() {
    let none = Providers::none();
    let settings =
        Settings::from_properties("# sink\nbatch.size = 5\nurl=http://a,\\\n  http://b\n", &none).unwrap();
    assert_eq!((settings.get("batch.size"), settings.get("url")), (Some("5"), Some("http://a,http://b")));
    let error = Settings::from_properties("a=1\na=2", &none).unwrap_err().to_string();
    assert_eq!(error, "1 configuration problem\n  a: given twice");
    assert!(Settings::from_properties("a=\\u1", &none).unwrap_err().to_string().contains("line 1"));
}

#[test]
fn definitions_have_connects_shape() {
    let definitions = Target::definitions();
    let names: Vec<_> = definitions.iter().map(|definition| definition.name.as_str()).collect();
    assert_eq!(names[0], "connection.url");
    assert!(names.contains(&"connection.password"), "{names:?}");
    let of = |name: &str| definitions.iter().find(|definition| definition.name == name).unwrap().to_json();
    assert_eq!(
        of("connection.url"),
        json!({
            "name": "connection.url", "type": "LIST", "required": true, "default_value": null,
            "importance": "HIGH", "documentation": "Base URLs of the cluster.", "group": "Connection", "order": 1,
            "width": "LONG", "display_name": "Connection url", "dependents": [],
        })
    );
    assert_eq!(
        of("behavior.on.null.values"),
        json!({
            "name": "behavior.on.null.values", "type": "STRING", "required": false, "default_value": "fail",
            "importance": "MEDIUM", "documentation": "What happens to a record without a value.",
            "group": "General", "order": 3, "width": "MEDIUM", "display_name": "Behavior on null values",
            "dependents": ["batch.size"],
        })
    );
    let password = of("connection.password");
    assert_eq!((&password["type"], &password["required"]), (&json!("PASSWORD"), &json!(false)));
    assert_eq!(of("bulk.size.bytes")["default_value"], "5242880");
    assert_eq!((&of("ratio")["importance"], &of("ratio")["width"]), (&json!("LOW"), &json!("LONG")));
    assert_eq!(of("compression")["display_name"], "Compress bodies");
}

#[test]
fn a_validation_is_answered_as_connect_does() {
    let infos = Target::infos(
        "io.example.Target",
        &with([("batch.size", "0"), ("bach.size", "1"), ("client.x", "y")]),
    );
    assert_eq!(infos["name"], "io.example.Target");
    assert_eq!(infos["error_count"], 2);
    assert_eq!(infos["groups"], json!(["Connection", "General", "Batching", "Security"]));
    let configs = infos["configs"].as_array().unwrap();
    let of = |name: &str| configs.iter().find(|config| config["value"]["name"] == name).unwrap();
    assert_eq!(of("batch.size")["definition"]["type"], "LONG");
    assert_eq!(
        of("batch.size")["value"],
        json!({
            "name": "batch.size", "value": "0", "recommended_values": [], "visible": true,
            "errors": ["batch.size = \"0\": too small; allowed: from 1 to 1000000"],
        })
    );
    assert_eq!(of("linger.ms")["value"]["value"], "50");
    assert_eq!(
        of("behavior.on.null.values")["value"]["recommended_values"],
        json!(["fail", "ignore", "delete"])
    );
    assert_eq!(of("bach.size")["definition"], json!(null));
    assert_eq!(
        of("bach.size")["value"]["errors"],
        json!(["bach.size: unknown key, did you mean batch.size?"])
    );
    assert_eq!(of("client.x")["value"]["value"], "y");
    assert!(configs.iter().all(|config| config["value"]["name"] != "client."));
}

#[test]
fn the_schema_allows_texts_numbers_and_references() {
    let schema = Target::json_schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(
        (&schema["title"], &schema["required"]),
        (&json!("Target"), &json!(["connection.url", "index.prefix"]))
    );
    assert_eq!(schema["description"], "Where documents go.\n\nAnd how.");
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["patternProperties"]["^client\\.."]["type"], json!(["string", "number", "boolean"]));
    let batch = &schema["properties"]["batch.size"];
    assert_eq!(
        (&batch["minimum"], &batch["maximum"], &batch["default"]),
        (&json!(1), &json!(1_000_000), &json!("2000"))
    );
    let matches = |key: &str, text: &str| {
        let schema = &schema["properties"][key];
        let pattern = schema["pattern"].as_str().or(schema["anyOf"][1]["pattern"].as_str()).unwrap();
        regex::Regex::new(pattern).unwrap().is_match(text)
    };
    for (key, text, allowed) in [
        ("batch.size", "12", true),
        ("batch.size", "${env:SIZE}", true),
        ("batch.size", "twelve", false),
        ("bulk.size.bytes", "5MiB", true),
        ("bulk.size.bytes", "5MB", false),
        ("behavior.on.null.values", "FAIL", true),
        ("behavior.on.null.values", "failed", false),
        ("compression", "TRUE", true),
        ("compression", "1", false),
    ] {
        assert_eq!(matches(key, text), allowed, "{key} {text}");
    }
    let password = &schema["properties"]["connection.password"]["anyOf"][0];
    assert_eq!((&password["format"], &password["writeOnly"]), (&json!("password"), &json!(true)));
}

#[test]
fn a_wrong_configuration_is_a_fatal_error() {
    let error = crate::Error::from(Target::parse(&Settings::default()).unwrap_err());
    assert_eq!(error.class(), crate::Class::Fatal);
    assert!(error.report().contains("connection.url: required, but not given"), "{}", error.report());
}

#[test]
fn long_values_are_cut_and_user_parts_of_urls_hidden() {
    let long = "x".repeat(500);
    let error = message(&with([("batch.size", long.as_str())]));
    assert!(error.contains(&format!("{:?}", "x".repeat(200) + "…")), "{error}");
    let error = message(&with([("batch.size", "http://ann:hunter2@es")]));
    assert!(error.contains("http://[redacted]@es"), "{error}");
}

#[test]
fn a_file_is_read_by_its_ending() {
    let directory = tempfile::tempdir().unwrap();
    let none = Providers::none();
    let read = |name: &str, text: &str| {
        std::fs::write(directory.path().join(name), text).unwrap();
        Settings::from_file(directory.path().join(name), &none)
    };
    assert_eq!(read("sink.properties", "a = 1").unwrap().get("a"), Some("1"));
    assert_eq!(read("sink.json", "{\"a\": 1}").unwrap().get("a"), Some("1"));
    let error = Settings::from_file(directory.path().join("none.json"), &none).unwrap_err().to_string();
    assert!(error.contains("none.json: the configuration file cannot be read: "), "{error}");
}

#[test]
fn a_file_with_another_ending_is_read_by_its_content_and_an_error_says_as_what() {
    let directory = tempfile::tempdir().unwrap();
    let none = Providers::none();
    let read = |name: &str, text: &str| {
        std::fs::write(directory.path().join(name), text).unwrap();
        Settings::from_file(directory.path().join(name), &none)
    };
    assert_eq!(read("sink.conf", "# a comment\na = 1").unwrap().get("a"), Some("1"));
    assert_eq!(read("sink", " \n{\"a\": 1}").unwrap().get("a"), Some("1"));
    let error = |name: &str, text: &str| read(name, text).unwrap_err().to_string();
    assert!(error("sink.conf", "{a = 1}").contains("sink.conf: not a JSON object"));
    assert!(error("sink.conf", "{a = 1}").contains("read as JSON because it begins with `{`"));
    assert!(error("sink.json", "a = 1").contains("read as JSON because its name ends in `.json`"));
    let properties = error("sink.cfg", "a=\\u1");
    assert!(
        properties.contains("read as a .properties file because it does not begin with `{`"),
        "{properties}"
    );
}

#[test]
fn a_byte_order_mark_is_no_part_of_a_configuration() {
    let none = Providers::none();
    let properties = Settings::from_properties("\u{feff}name=a\n", &none).unwrap();
    let json = Settings::from_json("\u{feff}{\"name\": \"a\"}", &none).unwrap();
    assert_eq!((properties.get("name"), json.get("name")), (Some("a"), Some("a")));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sink");
    std::fs::write(&path, "\u{feff}{\"name\": \"a\"}").unwrap();
    assert_eq!(Settings::from_file(&path, &none).unwrap().get("name"), Some("a"));
}

#[test]
fn control_characters_of_keys_and_texts_are_printed_escaped() {
    let settings = with([("evil\u{1b}[2J\u{7}\n  fake: line", "1"), ("batch.size", "\u{1b}[31m")]);
    let error = message(&settings);
    assert!(!error.chars().any(|c| c.is_control() && c != '\n'), "{error:?}");
    assert_eq!(error.lines().count(), 3, "{error}");
    assert!(error.contains(r"evil\u{1b}[2J\u{7}\n  fake: line: unknown key"), "{error}");
    let careless =
        Careless::parse(&Settings::literal([("text", "\u{1b}c\u{9b}1m")])).unwrap_err().to_string();
    assert!(!careless.chars().any(|c| c.is_control() && c != '\n'), "{careless:?}");
}

/// The work that a reader does grows with the size of the map: this takes minutes where it grows with its square.
#[test]
fn a_key_of_a_megabyte_and_many_unknown_keys_are_answered_in_short() {
    let long = "k".repeat(1 << 20);
    let error = message(&with([(long.as_str(), "1")]));
    assert!(error.len() < 1_000 && error.contains("kkk…: unknown key"), "{}", error.len());
    let mut settings = with([("batch.size", "0")]);
    (0..100_000).for_each(|n| settings.set(format!("{n}.password"), format!("hunter{n}")));
    let error = Target::parse(&settings).unwrap_err();
    assert_eq!(error.problems().len(), 100_001);
    let text = error.to_string();
    assert!(text.starts_with("100001 configuration problems\n"), "{text:.100}");
    assert!(text.contains("batch.size = \"0\": too small"), "{text:.1000}");
    assert!(text.ends_with("\n  … and 99901 more"), "{}", &text[text.len() - 100..]);
    assert_eq!(text.lines().count(), 102);
    assert_eq!(Target::infos("target", &settings)["error_count"], 100_001);
}

#[test]
fn groups_and_properties_keep_their_place_below_a_prefix() {
    let settings = Settings::literal([
        ("a.connection.url", "http://a"),
        ("a.index.prefix", "logs"),
        ("a.connection.username", "ann"),
        ("a.client.sasl.password", "hunter2"),
        ("client.x", "1"),
    ]);
    let mut reader = Reader::new(&settings);
    let target = reader.within("a.", Reader::read::<Target>).unwrap();
    assert_eq!(target.client["sasl.password"], "hunter2");
    let report = reader.finish();
    let dependents: Vec<_> = report.definitions().iter().flat_map(|known| &known.dependents).collect();
    assert_eq!(dependents, ["a.batch.size"]);
    assert_eq!(
        report.result(Some(())).unwrap_err().to_string(),
        "2 configuration problems\n  a.connection.password: missing beside a user\n  client.x: unknown key"
    );
}

proptest::proptest! {
    #[test]
    fn no_text_makes_a_reader_panic(text in "[a-c${}:\\\\\"=#u0d8é@/, \n\r.-]{0,40}") {
        let providers = Providers::none().with("a", |text: &str| Ok::<_, String>(text.to_owned()));
        for settings in [
            Settings::from_properties(&text, &providers).ok(),
            Settings::from_json(&text, &providers).ok(),
            Some(Settings::new([("connection.url", text.as_str()), (text.as_str(), "1")], &providers)),
        ] {
            let settings = settings.unwrap_or_default();
            drop(Target::parse(&settings));
            drop(Target::infos("target", &settings));
        }
        drop((ByteSize::parse(&text), Timeout::parse(&text), f64::parse(&text), bool::parse(&text)));
    }
}

crate::config! {
    /// A check that repeats what it is given.
    struct Careless {
        /// Any text.
        "text" => text: String, check: |text: &String| Err(format!("{text} is bad"));
    }
}

#[test]
fn what_a_reference_stands_for_is_taken_out_of_the_message_of_a_check() {
    let providers = Providers::none().with("vault", |_: &str| Ok::<_, String>("hunter2".to_owned()));
    let error =
        Careless::parse(&Settings::new([("text", "${vault:a}")], &providers)).unwrap_err().to_string();
    assert_eq!(error, "1 configuration problem\n  text = \"${vault:a}\": [redacted] is bad");
    let error = Careless::parse(&Settings::literal([("text", "plain")])).unwrap_err().to_string();
    assert_eq!(error, "1 configuration problem\n  text = \"plain\": plain is bad");
}
