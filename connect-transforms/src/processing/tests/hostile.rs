//! Records made to do harm: a correct result or a clear error, in bounded time and memory.

use super::*;
use proptest::prelude::*;

fn keep(rules: impl IntoIterator<Item = FieldRule>) -> Rules {
    let chain = rules.into_iter().fold(ChainRules::json().keep_other_fields(), ChainRules::field);
    Rules::new([chain])
}

#[test]
fn a_hundred_thousand_levels_pass_where_no_tree_is_needed() {
    let nested = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let value = format!(r#"{{"a":{nested},"b":{{"c":1}}}}"#);
    let rules = keep([FieldRule::key("a").named("x"), FieldRule::path("$.b.c").named("c")]);
    assert_eq!(made_by(&rules, &value).unwrap(), format!(r#"{{"x":{nested},"b":{{"c":1}},"c":1}}"#));
    for kind in [FieldType::String, FieldType::Array] {
        let rules = keep([FieldRule::key("a").kind(kind)]);
        assert!(made_by(&rules, &value).is_ok());
    }
    let error = made_by(&keep([FieldRule::path("$..c").named("c")]), &value).unwrap_err();
    assert!(error.contains("more than 128 levels"), "{error}");
    assert!(made_by(&keep([]), &"{\"a\":".repeat(100_000)).unwrap_err().contains("too early"));
}

#[test]
fn whether_a_record_meets_the_limits_does_not_depend_on_those_before_it() {
    let made = |constant: usize| {
        let cut = ValueOperation::Substring { start: 0, end: 1 };
        let rules =
            Rules::new([ChainRules::json()
                .field(FieldRule::constant(&"x".repeat(constant)).named("c").operation(cut))]);
        let processing = DataProcessing::new(&rules).unwrap();
        let run = |value: &str| processing.write(value.as_bytes(), 0, &mut Vec::new()).is_ok();
        let wide: Vec<String> = (0..2000).map(|n| format!("\"\\u0041{n}\":{n}")).collect();
        let fresh = std::thread::scope(|scope| scope.spawn(|| run("{}")).join().unwrap());
        run(&format!("{{{}}}", wide.join(",")));
        assert_eq!(run("{}"), fresh, "{constant}");
        fresh
    };
    let room = 16 << 20;
    for below in [1, 4, 16, 64, 128, 256, 300] {
        made(room - (below << 10));
    }
    assert!(made(room - (512 << 10)) && !made(room), "the limit is somewhere in between");
}

#[test]
fn a_hundred_thousand_fields_take_linear_time() {
    let members: Vec<String> = (0..100_000).map(|n| format!("\"k{n}\":{n}")).collect();
    let value = format!("{{{}}}", members.join(","));
    let rules = keep([FieldRule::key("k99999").named("last"), FieldRule::path("$.k7").named("x")]);
    let made = made_by(&rules, &value).unwrap();
    assert!(made.starts_with(r#"{"k0":0,"#) && made.ends_with(r#""k99998":99998,"last":99999,"x":7}"#));
    let texts = vec!["1"; 100_000].join(",");
    assert!(made_by(&Rules::new([ChainRules::delimiter(",")]), &texts).unwrap().ends_with(r#""99999":"1"}"#));
    assert!(made_by(&Rules::new([ChainRules::regex("1")]), &texts).unwrap().ends_with(r#""99999":"1"}"#));
    let too_many = made_by(&Rules::new([ChainRules::delimiter(",")]), &",".repeat(4 << 20)).unwrap_err();
    assert!(too_many.contains("more than"), "{too_many}");
}

#[test]
fn a_value_of_fifty_megabytes_passes() {
    let value = format!(r#"{{"a":"{}","b":1}}"#, "x".repeat(50 << 20));
    let made = made_by(&keep([FieldRule::key("b").named("c")]), &value).unwrap();
    assert_eq!(made.len(), value.len());
    assert!(made.ends_with(r#""c":1}"#));
}

#[test]
fn results_cannot_grow_without_bound() {
    let copies = (0..100).map(|n| FieldRule::key("v").named(&format!("c{n}")));
    let value = format!(r#"{{"v":"{}"}}"#, "x".repeat(10_000));
    let error =
        made_by(&Rules::new([copies.fold(ChainRules::json(), ChainRules::field)]), &value).unwrap_err();
    assert!(error.contains("more than"), "{error}");
    let constant = FieldRule::constant(&"y".repeat(10_000)).named("c");
    let exploded = Rules::new([ChainRules::json().field(constant)]).batch(BatchMode::OneByOne);
    assert!(
        made_by(&exploded, &format!("[{}{{}}]", "{},".repeat(10_000))).unwrap_err().contains("more than")
    );
    let longer = ValueOperation::Replace { old: "x".into(), new: "y".repeat(100_000) };
    assert!(
        made_by(&keep([FieldRule::key("v").operation(longer)]), &value).unwrap_err().contains("more than")
    );
    let longer = ValueOperation::RegexReplace { pattern: String::new(), new: "y".repeat(100_000) };
    assert!(
        made_by(&keep([FieldRule::key("v").operation(longer)]), &value).unwrap_err().contains("more than")
    );
}

#[test]
fn catastrophic_patterns_take_linear_time_and_quadratic_iteration_ends() {
    let value = format!(r#"{{"v":"{}!"}}"#, "a".repeat(100_000));
    let pattern = ValueOperation::RegexReplace { pattern: "(a+)+$|(a|a)*b".into(), new: "x".into() };
    assert_eq!(made_by(&keep([FieldRule::key("v").operation(pattern)]), &value).unwrap(), value);
    // Each of these matches looks at all of the rest of the text.
    let quadratic = Rules::new([ChainRules::regex(".*[^A-Z]|[A-Z]")]);
    assert!(made_by(&quadratic, &"A".repeat(10_000)).is_ok());
    let lazy = Rules::new([ChainRules::regex("a.*?x|a")]);
    assert!(made_by(&lazy, &"a".repeat(64 << 10)).unwrap_err().contains("too many matches"));
    // A pattern that stops where it matches may have any number of matches.
    let long = format!("{}{}", "A-".repeat(1_000), "-".repeat(5 << 20));
    for pattern in ["A+", "A{1,9}"] {
        assert!(made_by(&Rules::new([ChainRules::regex(pattern)]), &long).is_ok());
    }
}

#[test]
fn numbers_beyond_all_types_and_lone_surrogates() {
    let value = r#"{"a":1e999,"b":-0.0,"c":123456789012345678901234567890.10}"#;
    assert_eq!(
        made_by(&keep([FieldRule::constant("1").named("z")]), value).unwrap(),
        value.replace('}', r#","z":"1"}"#)
    );
    for text in [r#"{"a":"\ud800"}"#, r#"{"\udc00":1}"#, r#"{"a":"\ud800\ud800"}"#] {
        assert!(made_by(&keep([]), text).unwrap_err().contains("surrogate"));
    }
    let inner = Rules::new([ChainRules::json(), ChainRules::json().of_key("a")]);
    assert!(made_by(&inner, r#"{"a":"{\"b\":\"\\ud800\"}"}"#).unwrap_err().contains("FieldChain[1]"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_value_makes_any_chain_panic(value: Vec<u8>, text in "[\\[\\]{}:,\"a1\\\\ .=&%-]{0,40}") {
        let operations = [
            ValueOperation::Trim, ValueOperation::UrlDecode, ValueOperation::Split("a".into()),
        ];
        let rule = operations.into_iter().fold(FieldRule::key("0"), FieldRule::operation);
        for rules in [
            Rules::new([ChainRules::json(), ChainRules::json().of_key("a")]),
            Rules::new([ChainRules::delimiter(",").key_value(":").field(rule)]),
            Rules::new([ChainRules::regex("a.").field(FieldRule::path("$..*").named("x"))]),
            Rules::new([ChainRules::json()]).batch(BatchMode::Merge),
        ] {
            let processing = DataProcessing::new(&rules).unwrap();
            for value in [&value[..], text.as_bytes()] {
                let mut out = b"before".to_vec();
                let done = processing.write(value, 0, &mut out);
                prop_assert!(out.starts_with(b"before") && (done.is_ok() || out.len() == 6));
                if done.is_ok() {
                    for line in out[6..].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                        prop_assert!(serde_json::from_slice::<&serde_json::value::RawValue>(line).is_ok());
                    }
                }
                let explained = processing.explain(value, 0);
                prop_assert_eq!(matches!(explained.outcome, Outcome::Failed(_)), done.is_err());
            }
        }
    }

    #[test]
    fn a_chain_without_changes_keeps_what_serde_json_reads(keys in proptest::collection::vec("[a-z\"é]{0,3}", 0..6), n: i64, text: String) {
        let mut object = serde_json::Map::new();
        for (number, key) in keys.into_iter().enumerate() {
            object.insert(key, match number % 3 { 0 => json!(n), 1 => json!(text), _ => json!({ "x": [n, null, true] }) });
        }
        let value = serde_json::Value::Object(object);
        for rules in [Rules::new([ChainRules::json()]), keep([]), keep([FieldRule::delete("zzzz")])] {
            prop_assert_eq!(made_by(&rules, &value.to_string()).unwrap(), value.to_string());
        }
    }

    #[test]
    fn no_rule_file_makes_the_reader_panic(text in "\\PC{0,40}", key in "[A-Z][a-z]{3,8}", value: i64) {
        let _ = Rules::from_json(&text);
        let file = json!({ "FieldChain": [{ "Analyse": { "Format": text, "Regex": text, key: value }, "SMT": [{ "Key": text, "Operate": "JSONPATH", "Value": text,
            "ValueOperates": [{ "Type": "REGEX_REPLACE", "RegexReplace": { "Regex": text, "NewValue": text } }, { "Type": "DATE", "Date": { "Format": text, "TimeZone": text } }] }] }] });
        let _ = Rules::from_json(&file.to_string());
    }
}
