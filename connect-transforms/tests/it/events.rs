use crate::{batch, run};
use connect_transforms::{FilterByPath, FilterType, OnMissingOrNull, RouteByField};

fn routed(route: &RouteByField, value: Option<&str>) -> Result<String, String> {
    let done = run(route.clone(), batch([(None, value.map(str::as_bytes))]));
    match done.rejected.first() {
        Some((_, error)) => Err(error.report()),
        None => Ok(done.batch.iter().next().expect("one record").topic().to_owned()),
    }
}

#[test]
fn the_topic_is_made_from_a_field_and_the_origin_stays() {
    let route = RouteByField::value("$.tenant.id").unwrap().format("${topic}-${field}.v1").unwrap();
    for (value, topic) in [
        (r#"{"tenant":{"id":"a\u0062"}}"#, "logs-ab.v1"),
        (r#"{"tenant":{"id":12}}"#, "logs-12.v1"),
        (r#"{"tenant":{"id":true}}"#, "logs-true.v1"),
    ] {
        assert_eq!(routed(&route, Some(value)), Ok(topic.to_owned()));
    }
    let done = run(route.clone(), batch([(None, Some(&br#"{"tenant":{"id":1}}"#[..]))]));
    assert_eq!(done.batch.iter().next().unwrap().origin().topic, "logs");
    for wrong in [r#"{"tenant":{"id":"a b"}}"#, r#"{"tenant":{"id":"../x"}}"#] {
        assert!(routed(&route, Some(wrong)).unwrap_err().contains("no topic can be called"), "{wrong}");
    }
    let long = format!(r#"{{"tenant":{{"id":"{}"}}}}"#, "x".repeat(300));
    assert!(routed(&route, Some(&long)).is_err());
    for missing in [
        Some("{}"),
        Some(r#"{"tenant":{"id":null}}"#),
        Some(r#"{"tenant":{"id":[]}}"#),
        Some(r#"{"tenant":{"id":""}}"#),
        None,
    ] {
        assert!(routed(&route, missing).unwrap_err().contains("$.tenant.id is missing"), "{missing:?}");
    }
    assert!(routed(&route, Some("{")).is_err());
}

#[test]
fn of_many_places_the_first_that_can_be_a_name_routes() {
    let seen = |path: &str, value: &str| routed(&RouteByField::value(path).unwrap(), Some(value));
    for (path, value, topic) in [
        (
            "$..tenant",
            r#"{"a":{"tenant":null},"b":[{"tenant":{}},{"tenant":""}],"c":{"tenant":"t"},"d":{"tenant":"u"}}"#,
            "t",
        ),
        ("$.tags[*]", r#"{"tags":[[],7,"x"]}"#, "7"),
        ("$.tags[-1]", r#"{"tags":["x","y"]}"#, "y"),
        ("$.items[?@.main == true].to", r#"{"items":[{"to":"a"},{"to":"b","main":true}]}"#, "b"),
        (r#"$.concat($.a,"-",$.b)"#, r#"{"a":"x","b":2}"#, "x-2"),
    ] {
        assert_eq!(seen(path, value), Ok(topic.to_owned()), "{path}");
    }
    for (path, value) in
        [("$..tenant", "{}"), ("$.tags[*]", r#"{"tags":[]}"#), ("$.tags[*]", r#"{"tags":[null,{}]}"#)]
    {
        assert!(seen(path, value).unwrap_err().contains("is missing"), "{path} {value}");
    }
}

fn kept(filter: &FilterByPath, value: Option<&str>) -> Result<bool, String> {
    let done = run(filter.clone(), batch([(None, value.map(str::as_bytes))]));
    match done.rejected.first() {
        Some((_, error)) => Err(error.report()),
        None => Ok(done.filtered.is_empty()),
    }
}

#[test]
fn records_that_meet_a_condition_are_kept_or_dropped() {
    let condition = r#"$[?(@.level == "ERROR" && @.n > 1)]"#;
    let include = FilterByPath::value(condition, FilterType::Include).unwrap();
    let exclude = FilterByPath::value(condition, FilterType::Exclude).unwrap();
    for (value, meets) in [
        (r#"{"level":"ERROR","n":2}"#, true),
        (r#" [{"level":"INFO"},{"level":"ERROR","n":2}]"#, true),
        (r#"{"level":"ERROR","n":1}"#, false),
        ("{}", false),
        ("1", false),
    ] {
        assert_eq!(kept(&include, Some(value)), Ok(meets), "{value}");
        assert_eq!(kept(&exclude, Some(value)), Ok(!meets), "{value}");
    }
    assert!(kept(&include, Some("{\"level\":")).is_err());
    let list = FilterByPath::value("$.items[?@.id == 7]", FilterType::Include).unwrap();
    assert_eq!(kept(&list, Some(r#"{"items":[{"id":1},{"id":7}]}"#)), Ok(true));
    assert_eq!(kept(&list, Some(r#"{"items":[]}"#)), Ok(false));
}

#[test]
fn what_cannot_be_asked_is_handled_as_the_configuration_says() {
    let place = |kind| FilterByPath::value("$.a.b", kind).unwrap();
    for kind in [FilterType::Include, FilterType::Exclude] {
        for missing in [None, Some("{}"), Some(r#"{"a":{"b":null}}"#)] {
            assert!(kept(&place(kind), missing).unwrap_err().contains("missing.or.null.behavior"));
            assert_eq!(kept(&place(kind).on_missing_or_null(OnMissingOrNull::Include), missing), Ok(true));
            assert_eq!(kept(&place(kind).on_missing_or_null(OnMissingOrNull::Exclude), missing), Ok(false));
        }
        assert_eq!(kept(&place(kind), Some(r#"{"a":{"b":false}}"#)), Ok(kind == FilterType::Include));
    }
}

#[test]
fn a_path_to_many_places_is_met_by_any_and_has_nothing_where_all_are_missing_or_null() {
    for path in ["$..a", "$.list[*].a", "$.list[0,1].a"] {
        let filter = FilterByPath::value(path, FilterType::Include).unwrap();
        for (value, meets) in [
            (r#"{"list":[{"a":null},{"a":false}]}"#, Some(true)),
            (r#"{"list":[{"a":null},{"b":1}]}"#, None),
            (r#"{"list":[]}"#, None),
            ("{}", None),
        ] {
            match meets {
                Some(meets) => assert_eq!(kept(&filter, Some(value)), Ok(meets), "{path} {value}"),
                None => {
                    let why = kept(&filter, Some(value)).unwrap_err();
                    assert!(why.contains("missing.or.null.behavior"), "{path} {value}: {why}");
                    let kind = OnMissingOrNull::Include;
                    assert_eq!(kept(&filter.clone().on_missing_or_null(kind), Some(value)), Ok(true));
                }
            }
        }
    }
    // A condition that nothing meets is an answer, also inside of a path that goes everywhere.
    for path in ["$..[?@.a == 1]", "$.list[?@.a == 1]", "$.list[0,?@.a == 1].a"] {
        let filter = FilterByPath::value(path, FilterType::Exclude).unwrap();
        assert_eq!(kept(&filter, Some(r#"{"list":[{"a":1}]}"#)), Ok(false), "{path}");
        assert_eq!(kept(&filter, Some(r#"{"list":[]}"#)), Ok(true), "{path}");
    }
    let length = FilterByPath::value("$.list.length()", FilterType::Include).unwrap();
    assert_eq!(kept(&length, Some(r#"{"list":[]}"#)), Ok(true));
    assert!(kept(&length, Some("{}")).is_err());
}
