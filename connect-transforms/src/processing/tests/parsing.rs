//! Parse modes and chains.

use super::*;

fn row(mode: &str, separator: &str) -> serde_json::Value {
    json!({ "FieldChain": [{ "Analyse": { "Format": mode, "Regex": separator } }] })
}

#[test]
fn json_takes_one_object_and_keeps_its_text() {
    let file = json!({ "FieldChain": [{ "Analyse": { "Format": "JSON" } }] });
    for (value, expected) in [
        (
            r#" {"b":1.0,"a":12345678901234567890123,"\u0063":"\u00e9","d":{"x":[1, 2]},"e":1E400} "#,
            r#"{"b":1.0,"a":12345678901234567890123,"c":"\u00e9","d":{"x":[1, 2]},"e":1E400}"#,
        ),
        ("{}", "{}"),
        ("{\"a\":{\n\"b\":\r\n1}}", r#"{"a":{"b":1}}"#),
    ] {
        assert_eq!(made(&file, value).as_deref(), Ok(expected));
    }
    for (value, reason) in [
        (r#"["a"]"#, "found an array"),
        (r#"[{"a":1}]"#, "found an array"),
        ("12", "found a number"),
        ("null", "found null"),
        ("", "too early"),
        ("text", "byte 0"),
        (r#"{"a":1"#, "byte 6"),
        (r#"{"a":1} x"#, "after the JSON value"),
        (r#"{"a":"\ud800"}"#, "surrogate"),
    ] {
        let error = made(&file, value).unwrap_err();
        assert!(error.contains(reason), "{value}: {error}");
    }
}

#[test]
fn of_equal_keys_the_last_one_counts_in_every_place() {
    let value = r#"{"a":1,"b":{"c":1,"c":2},"\u0061":2,"b":{"c":3,"c":4}}"#;
    let json = json!({ "FieldChain": [{ "Analyse": { "Format": "JSON" } }] });
    assert_eq!(made(&json, value).as_deref(), Ok(r#"{"a":2,"b":{"c":3,"c":4}}"#));
    for (operate, source, expected) in [
        ("MAPPING", "a", "2"),
        ("MAPPING", "b.c", "4"),
        ("JSONPATH", "$.a", "2"),
        ("JSONPATH", "$.b.c", "4"),
        ("JSONPATH", "$..c", "[4]"),
        ("JSONPATH", "$.b.*", "[4]"),
    ] {
        for keep in [false, true] {
            let mut file = json_chain(&json!([{ "Key": "x", "Operate": operate, "Value": source }]));
            file["FieldChain"][0]["KeepOtherFields"] = keep.into();
            let made = made(&file, value).unwrap_or_else(|e| panic!("{source}: {e}"));
            assert!(made.contains(&format!("\"x\":{expected}")), "{source}: {made}");
            assert_eq!(made.matches("\"a\":").count(), usize::from(keep && source != "a"), "{made}");
        }
    }
    let mut file = json.clone();
    file["FilterParam"] = json!([{ "Key": "a", "MatchMode": "NUMBER", "Value": "=2" }]);
    file["OutputFormat"] = json!("ROW");
    file["RowParam"] = json!({ "RowContent": "VALUE", "EntryDelimiter": "," });
    assert_eq!(made(&file, value).as_deref(), Ok(r#"2,{"c":3,"c":4}"#));
    file = json.clone();
    file["BatchAnalyse"] = json!({ "Format": "MERGE" });
    assert_eq!(made(&file, r#"[{"a":1,"a":2},{"b":1}]"#).as_deref(), Ok(r#"[{"a":2},{"b":1}]"#));
    let explained = DataProcessing::new(&rules(&json)).unwrap().explain(br#"{"a":1,"a":2}"#, NOW_MS);
    assert_eq!(explained.steps.len(), 2, "{explained}");
    // Fields that rules name alike are a mistake, and stay one.
    let keep = ChainRules::json().keep_other_fields().field(FieldRule::key("b").named("a"));
    assert!(made_by(&Rules::new([keep]), r#"{"a":1,"b":2}"#).unwrap_err().contains("two fields"));
}

#[test]
fn delimiters_of_all_kinds_give_numbered_texts() {
    for (separator, value, expected) in [
        (" ", "a b", r#"{"0":"a","1":"b"}"#),
        ("\t", "a\tb", r#"{"0":"a","1":"b"}"#),
        (",", "a,,b,", r#"{"0":"a","1":"","2":"b","3":""}"#),
        (";", "a;b", r#"{"0":"a","1":"b"}"#),
        ("|", "a|b", r#"{"0":"a","1":"b"}"#),
        (":", "a:b", r#"{"0":"a","1":"b"}"#),
        ("$", "a$b", r#"{"0":"a","1":"b"}"#),
        ("\"", "a\"b", r#"{"0":"a","1":"b"}"#),
        ("::", "a::b:c", r#"{"0":"a","1":"b:c"}"#),
        (".", "", r#"{"0":""}"#),
    ] {
        assert_eq!(made(&row("DELIMITER", separator), value).as_deref(), Ok(expected), "{separator}");
    }
}

#[test]
fn patterns_have_the_classes_of_re2_which_are_ascii() {
    for (pattern, value, expected) in [
        (r"\w+@\w+\.com", "邮箱zhang@qq.com已登录", r#"{"0":"zhang@qq.com"}"#),
        (r"\d+", "١٢ 34", r#"{"0":"34"}"#),
        (r"[^\s]+", "a\u{3000}b c", "{\"0\":\"a\u{3000}b\",\"1\":\"c\"}"),
        (r"\bpay\b", "已pay付", r#"{"0":"pay"}"#),
        (r"(?i)straße\d", "STRASSE1 STRAßE2", r#"{"0":"STRAßE2"}"#),
        (r"[a&&b]+", "a&b", r#"{"0":"a&b"}"#),
    ] {
        assert_eq!(made(&row("REGULAR", pattern), value).as_deref(), Ok(expected), "{pattern}");
    }
}

#[test]
fn a_pattern_gives_its_whole_matches_and_none_is_no_failure() {
    assert_eq!(made(&row("REGULAR", r"(\w)=(\d)"), "a=1 b=2").as_deref(), Ok(r#"{"0":"a=1","1":"b=2"}"#));
    assert_eq!(made(&row("REGULAR", "x"), "abc").as_deref(), Ok("{}"));
}

#[test]
fn numbers_of_pieces_stay_when_earlier_ones_are_deleted() {
    let mut file = row("DELIMITER", ",");
    file["FieldChain"][0]["SMT"] = json!([
        { "Key": "0", "Operate": "MAPPING", "Value": "0" }, { "Key": "5", "Operate": "MAPPING", "Value": "5" }]);
    assert_eq!(made(&file, "a,b,c,d,e,f").as_deref(), Ok(r#"{"0":"a","5":"f"}"#));
}

#[test]
fn a_later_chain_replaces_the_field_that_it_parses() {
    let later = |format: &str, regex: Option<&str>, kind: &str, value: &str| {
        json!({ "FieldChain": [{ "Analyse": { "Format": "JSON" } }, { "Analyse":
            { "Format": format, "Regex": regex, "InputValueType": kind, "InputValue": value } }] })
    };
    let value = r#"{"m":"x y","o":{"p":{"q":1}},"z":0}"#;
    for (file, expected) in [
        (later("DELIMITER", Some(" "), "MAPPING", "m"), r#"{"o":{"p":{"q":1}},"z":0,"m.0":"x","m.1":"y"}"#),
        (
            later("DELIMITER", Some(" "), "JSONPATH", "$.m"),
            r#"{"o":{"p":{"q":1}},"z":0,"$.m.0":"x","$.m.1":"y"}"#,
        ),
        (later("JSON", None, "MAPPING", "o"), r#"{"m":"x y","z":0,"o.p":{"q":1}}"#),
        (later("JSON", None, "JSONPATH", "$.o.p"), r#"{"m":"x y","o":{"p":{"q":1}},"z":0,"$.o.p.q":1}"#),
    ] {
        assert_eq!(made(&file, value).as_deref(), Ok(expected), "{file}");
    }
    let error = made(&later("JSON", None, "MAPPING", "gone"), value).unwrap_err();
    assert_eq!(error, "failed to process the record (FieldChain[1]): there is nothing at \"gone\" to parse");
    let error = made(&later("JSON", None, "MAPPING", "m"), value).unwrap_err();
    assert!(error.contains("FieldChain[1]") && error.contains("byte 0"), "{error}");
}

#[test]
fn paths_of_later_chains_see_the_fields_so_far() {
    let file = json!({ "FieldChain": [
        { "Analyse": { "Format": "DELIMITER", "Regex": "|" } },
        { "Analyse": { "Format": "JSON", "InputValueType": "MAPPING", "InputValue": "1" }, "SMT": [
            { "Key": "all", "Operate": "JSONPATH", "Value": "$.*" },
            { "Key": "first", "Operate": "JSONPATH", "Value": "$.0" },
            { "Key": "x", "Operate": "JSONPATH", "Value": "$['1.a'].x" } ] } ] });
    assert_eq!(
        made(&file, r#"q"r|{"a":{"x":1.0}}"#).as_deref(),
        Ok(r#"{"all":["q\"r",{"x":1.0}],"first":"q\"r","x":1.0}"#)
    );
}

#[test]
fn arrays_of_objects_are_exploded_or_merged() {
    let mut file = json_chain(&json!([{ "Key": "x", "Operate": "MAPPING", "Value": "a" }]));
    file["FilterParam"] = json!([{ "Key": "x", "MatchMode": "EXCEPT", "Value": "2" }]);
    let value = r#" [{"a":1.0},{"a":2},{"a":3,"b":0}] "#;
    file["BatchAnalyse"] = json!({ "Format": "ONE_BY_ONE" });
    assert_eq!(made(&file, value).as_deref(), Ok("{\"x\":1.0}\n{\"x\":3}"));
    file["BatchAnalyse"] = json!({ "Format": "MERGE" });
    assert_eq!(made(&file, value).as_deref(), Ok(r#"[{"x":1.0},{"x":3}]"#));
    for nothing in ["[]", r#"[{"a":2}]"#] {
        assert_eq!(made(&file, nothing).as_deref(), Ok(""));
    }
    for (value, reason) in [
        ("{}", "expected an array of JSON objects, found an object"),
        (r#"[{"a":1},[2]]"#, "found an array"),
        (r#"[{"a":1} {}]"#, "`,` or `]`"),
        (r#"[{"a":1},]"#, "byte 9"),
        (r#"[{"a":1}"#, "too early"),
        ("[] x", "after the JSON value"),
        ("x", "byte 0"),
    ] {
        let error = made(&file, value).unwrap_err();
        assert!(error.contains(reason), "{value}: {error}");
    }
}

#[test]
fn other_fields_stay_in_their_places_if_they_should() {
    let keep = |smt: serde_json::Value| json!({ "FieldChain": [{ "Analyse": { "Format": "JSON" }, "KeepOtherFields": true, "SMT": smt }] });
    let value = r#"{"a":1.0,"b":{"c":2},"d":"x"}"#;
    let map = |from: &str, to: &str| json!({ "Key": to, "Operate": "MAPPING", "Value": from });
    for (smt, expected) in [
        (json!([]), r#"{"a":1.0,"b":{"c":2},"d":"x"}"#),
        (
            json!([{ "Key": "e", "Operate": "CUSTOMIZE", "Value": "y" }]),
            r#"{"a":1.0,"b":{"c":2},"d":"x","e":"y"}"#,
        ),
        (json!([map("b", "z")]), r#"{"a":1.0,"z":{"c":2},"d":"x"}"#),
        (json!([map("b", "b"), map("b", "copy")]), r#"{"a":1.0,"b":{"c":2},"copy":{"c":2},"d":"x"}"#),
        (json!([{ "Key": "b", "Operate": "DELETE" }]), r#"{"a":1.0,"d":"x"}"#),
        (json!([{ "Key": "b", "Operate": "JSONPATH", "Value": "$.b.c" }]), r#"{"a":1.0,"b":2,"d":"x"}"#),
        (json!([map("b.c", "c")]), r#"{"a":1.0,"b":{"c":2},"d":"x","c":2}"#),
        (json!([map("gone", "c")]), r#"{"a":1.0,"b":{"c":2},"d":"x"}"#),
        (json!([map("a", "d"), map("d", "a")]), r#"{"d":1.0,"b":{"c":2},"a":"x"}"#),
    ] {
        assert_eq!(made(&keep(smt.clone()), value).as_deref(), Ok(expected), "{smt}");
    }
    let error = made(&keep(json!([map("a", "d")])), value).unwrap_err();
    assert!(error.contains("two fields would be named \"d\""), "{error}");
}

#[test]
fn the_second_parse_splits_texts_at_the_first_separator_only() {
    let file =
        json!({ "FieldChain": [{ "Analyse": { "Format": "JSON" }, "SecondaryAnalyse": { "Regex": "=" } }] });
    assert_eq!(
        made(&file, r#"{"a":"k=v=w","b":"none","c":{"x":"y=z"},"d":"=","e":1}"#).as_deref(),
        Ok(r#"{"a":"k=v=w","b":"none","c":{"x":"y=z"},"d":"=","e":1,"a.k":"v=w","d.":""}"#)
    );
}
