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
