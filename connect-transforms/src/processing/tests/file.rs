//! The rule file: reading, writing, and everything that can be wrong with it.

use super::*;
use ValueOperation as Op;

fn everything() -> Rules {
    let operations = [
        Op::Replace { old: "a".into(), new: String::new() },
        Op::Substring { start: 1, end: 2 },
        Op::Date(DateRule::new("yyyy").reading("yyyy-MM").zone("UTC")),
        Op::Date(DateRule::new("yyyy").unix()),
        Op::Trim,
        Op::RegexReplace { pattern: "(a)".into(), new: "$1".into() },
        Op::UrlDecode,
        Op::LowerCase,
        Op::UpperCase,
        Op::Split(",".into()),
        Op::JsonPathReplace { old: "$.a".into(), new: "$.b".into() },
    ];
    let many = operations.into_iter().fold(FieldRule::key("k"), FieldRule::operation);
    let kv = Op::KeyValue { entries: "&".into(), separator: "=".into(), keep: true };
    Rules::new([
        ChainRules::json().key_value("=").field(many.kind(FieldType::String)).field(FieldRule::now("t")),
        ChainRules::delimiter(" ").of_key("k").field(FieldRule::path("$.a").named("p").operation(kv)),
        ChainRules::regex("x+").of_path("$.p").keep_other_fields().field(FieldRule::delete("z")),
        ChainRules::source().field(FieldRule::constant("c").named("c").kind(FieldType::Int64)),
    ])
    .filter("c", FilterMode::Number, ">1")
    .rows(RowContent::KeyValue, Some("="), Some("&"))
    .batch(BatchMode::OneByOne)
    .metadata()
    .on_failure(OnFailure::DeadLetter)
}

#[test]
fn what_is_exported_is_imported_as_it_was() {
    for rules in [everything(), Rules::new([ChainRules::json()])] {
        assert_eq!(Rules::from_json(&rules.to_json()), Ok(rules));
    }
}

#[test]
fn what_the_products_api_prints_is_read() {
    let file = json!({
        "Content": "{\"a\":1}", "SourceType": "CUSTOMIZE", "Result": "{}", "OutputFormat": "JSON", "KeepMetadata": null,
        "RowParam": null, "FilterParam": [], "BatchAnalyse": null,
        "FailureParam": { "Type": "DROP", "KafkaParam": null, "RetryInterval": null, "MaxRetryAttempts": null },
        "FieldChain": [{
            "Analyse": { "Format": "JSON", "Regex": "", "InputValueType": "", "InputValue": "" },
            "SecondaryAnalyse": null, "AnalyseResult": [{ "Key": "a", "Type": "x" }], "Result": "{}",
            "SMT": [{ "Key": "b", "Operate": "MAPPING", "SchemeType": "ORIGINAL", "Value": "a", "OriginalValue": "1",
                "ValueOperate": { "Type": "TRIM", "Replace": null, "Substr": null, "Date": null },
                "ValueOperates": [{ "Type": "TRIM", "Replace": null, "Substr": { }, "Date": null }] }] }],
    });
    assert_eq!(
        rules(&file),
        Rules::new([ChainRules::json().field(FieldRule::key("a").named("b").operation(Op::Trim))])
            .on_failure(OnFailure::Drop)
    );
}

/// A rule file of the product with every parameter that its API knows, most of them empty or left over.
fn printed() -> serde_json::Value {
    json!({
        "Content": "{\"a\":1}", "FilterParam": [{ "Key": "b", "MatchMode": "EXCEPT", "Value": "x", "Type": "" }],
        "FailureParam": {
            "Type": "DLQ", "DlqType": "TOPIC", "RetryInterval": 60_000, "MaxRetryAttempts": 3,
            "KafkaParam": { "Resource": "" }, "TopicParam": { "Resource": "dlq", "StartTime": 0 } },
        "Result": "", "SourceType": "TOPIC", "OutputFormat": "",
        "RowParam": { "RowContent": "VALUE", "KeyValueDelimiter": "=", "EntryDelimiter": "|" },
        "KeepMetadata": false, "BatchAnalyse": { "Format": "" },
        "FieldChain": [
            { "Analyse": { "Format": "JSON", "Regex": ",", "InputValueType": "MAPPING", "InputValue": "" },
              "SecondaryAnalyse": { "Regex": "" },
              "SMT": [{
                "Key": "b", "Operate": "MAPPING", "SchemeType": "", "Value": "a", "ValueOperate": { "Type": "" },
                "ValueOperates": [{ "Type": "DATE", "Replace": { "OldValue": "x", "NewValue": "" }, "Substr": { "Start": 0, "End": 0 },
                    "Date": { "Format": "yyyy", "TargetType": "unix", "TimeZone": "" } }] },
                { "Key": "now", "Operate": "DATE", "Value": "1656299689000" }] },
            { "Analyse": { "Format": "SOURCE", "InputValueType": "MAPPING", "InputValue": "b" } }],
    })
}

#[test]
fn what_the_products_api_prints_beside_the_rules_is_ignored_and_told() {
    let read = rules(&printed());
    let date = Op::Date(DateRule::new("yyyy").unix());
    let mut expected = Rules::new([
        ChainRules::json().field(FieldRule::key("a").named("b").operation(date)).field(FieldRule::now("now")),
        ChainRules::source(),
    ])
    .filter("b", FilterMode::Except, "x")
    .on_failure(OnFailure::DeadLetter);
    let pipeline = |key: &str| {
        format!(
            "FailureParam.{key} has no effect: dead letters and retries are set by the pipeline's own keys"
        )
    };
    expected.ignored = vec![
        "FieldChain[0].Analyse.Regex has no effect: Format JSON takes no separator and no pattern".into(),
        "FieldChain[0].Analyse.InputValueType has no effect: there is no InputValue beside it".into(),
        "FieldChain[0].SMT[0].ValueOperates[0].Replace has no effect: the operation is DATE, not REPLACE"
            .into(),
        "FieldChain[0].SMT[1].Value has no effect: Operate DATE takes no value".into(),
        "FieldChain[1].Analyse.InputValueType has no effect: Format SOURCE takes the whole result so far"
            .into(),
        "FieldChain[1].Analyse.InputValue has no effect: Format SOURCE takes the whole result so far".into(),
        "RowParam has no effect: the output is JSON, not ROW".into(),
        pipeline("DlqType"),
        pipeline("TopicParam"),
        pipeline("RetryInterval"),
        pipeline("MaxRetryAttempts"),
    ];
    assert_eq!(read, expected);
    let explained = DataProcessing::new(&read).unwrap().explain(br#"{"a":0}"#, NOW_MS);
    assert_eq!(explained.ignored, expected.ignored);
    assert!(explained.to_string().starts_with("FieldChain[0].Analyse.Regex has no effect: "));
}

#[test]
fn an_encoding_is_known_by_each_of_its_labels() {
    let read = |label: &str| {
        let operation = json!([{ "Type": "URL_DECODE", "UrlDecode": { "CharsetName": label } }]);
        let field = json!([{ "Key": "a", "Operate": "MAPPING", "Value": "a", "ValueOperates": operation }]);
        rules(&json_chain(&field)).chains[0].fields[0].operations.clone()
    };
    for utf8 in ["", "UTF-8", "utf8"] {
        assert_eq!(read(utf8), [Op::UrlDecode]);
    }
    assert_eq!(read("gb2312"), [Op::UrlDecodeIn("gb2312".into())]);
    let rules =
        Rules::new([ChainRules::json().field(FieldRule::key("a").operation(Op::UrlDecodeIn("GBK".into())))]);
    assert_eq!(Rules::from_json(&rules.to_json()), Ok(rules));
}

#[test]
fn an_empty_text_is_the_same_as_not_given() {
    let mut row = printed();
    row["OutputFormat"] = json!("ROW");
    row["FailureParam"]["Type"] = json!("");
    let read = rules(&row);
    assert_eq!(
        read.row,
        Some(RowRules {
            content: RowContent::Value,
            key_value_delimiter: None,
            entry_delimiter: Some("|".into())
        })
    );
    assert_eq!((read.batch, read.on_failure), (None, OnFailure::Fail));
    assert!(read.ignored.contains(
        &"RowParam.KeyValueDelimiter has no effect: no keys are written with RowContent VALUE".to_owned()
    ));
    // Where something is needed, an empty text is not enough.
    row["FieldChain"][0]["Analyse"]["Format"] = json!("");
    row["RowParam"]["RowContent"] = json!("");
    let found = problems(&row).join("\n");
    assert!(found.contains("FieldChain[0].Analyse.Format: missing; allowed: JSON, "), "{found}");
    assert!(found.contains("RowParam.RowContent: missing; allowed: "), "{found}");
}

#[test]
fn all_problems_are_reported_at_once_each_with_its_place() {
    let file = json!({
        "FieldChains": [], "OutputFormat": "XML", "KeepMetadata": "yes",
        "FailureParam": { "Type": "DLQ", "KafkaParam": { "Topic": "t" } },
        "FilterParam": [{ "Key": "a", "MatchMode": "LIKE", "Value": "x" }, { "Key": "a", "MatchMode": "NUMBER", "Value": ">x" },
            { "Key": "a", "MatchMode": "IP", "Value": "1.2.3.4/33" }],
        "FieldChain": [
            { "Analyse": { "Format": "JSON", "InputValueType": "MAPPING", "InputValue": "x" }, "SMT": [
                { "Key": "a", "Operate": "JSONPATH", "Value": "$.a[" },
                { "Key": "a", "Operate": "MAPPING", "Value": "b", "SchemeType": "INTEGER" },
                { "Key": "c", "Operate": "DATE", "ValueOperates": [{ "Type": "DATE", "Date": { "Format": "YYYY", "TimeZone": "Mars" } }] },
                { "Key": "d", "Operate": "MAPPING", "Value": "d", "ValueOperates": [
                    { "Type": "REGEX_REPLACE", "RegexReplace": { "Regex": "(?=x)", "NewValue": "" } },
                    { "Type": "REGEX_REPLACE", "RegexReplace": { "Regex": "x", "NewValue": "$1" } },
                    { "Type": "SUBSTR", "Substr": { "Start": 3, "End": 1 } },
                    { "Type": "REPLACE", "Replace": { "OldValue": "", "NewValue": "x" } },
                    { "Type": "SPLIT", "Split": { "Regex": "," } },
                    { "Type": "TRIM" },
                    { "Type": "URL_DECODE", "UrlDecode": { "CharsetName": "KLINGON" } },
                    { "Type": "KV", "KV": { "Delimiter": "&", "Regex": "=" } },
                    { "Type": "REVERSE" } ] },
                { "Key": "e", "Operate": "DELETE" } ] },
            { "Analyse": { "Format": "REGULAR", "Regex": "(a", "InputValueType": "MAPPING", "InputValue": "a" } },
            { "Analyse": { "Format": "JSON" } } ],
    });
    let found = problems(&file);
    let text = found.join("\n");
    for expected in [
        "FieldChains: no such key; allowed: BatchAnalyse, FieldChain, ",
        "OutputFormat: \"XML\" is not one of the choices; allowed: JSON or ROW",
        "KeepMetadata: \"yes\" does not fit; allowed: true or false",
        "FilterParam[0].MatchMode: \"LIKE\" is not one of the choices; allowed: PREFIX, SUFFIX, CONTAINS, EXCEPT, NUMBER or IP",
        "FilterParam[1].Value: \">x\" is no comparison",
        "FilterParam[2].Value: \"1.2.3.4/33\" is no network",
        "FieldChain[0].Analyse.InputValue: the first chain parses the record",
        "FieldChain[0].SMT[0].Value: `$.a[` is no JSON path: a `[` that is not closed, at character 5",
        "FieldChain[0].SMT[1].SchemeType: \"INTEGER\" is not one of the choices; allowed: ORIGINAL, STRING, ",
        "FieldChain[0].SMT[1].Key: \"a\" is the key of two rules",
        "FieldChain[0].SMT[2].ValueOperates[0].Date.Format: \"YYYY\"",
        "FieldChain[0].SMT[2].ValueOperates[0].Date.TimeZone: \"Mars\" is no time zone",
        "FieldChain[0].SMT[3].ValueOperates[0].RegexReplace.Regex: \"(?=x)\": look-around",
        "FieldChain[0].SMT[3].ValueOperates[1].RegexReplace.NewValue: the pattern has no group 1",
        "FieldChain[0].SMT[3].ValueOperates[2].Substr: Start 3 is behind End 1",
        "FieldChain[0].SMT[3].ValueOperates[3].Replace.OldValue: it is empty",
        "FieldChain[0].SMT[3].ValueOperates[4]: SPLIT makes an array",
        "FieldChain[0].SMT[3].ValueOperates[6].UrlDecode.CharsetName: \"KLINGON\" is no known encoding; allowed: UTF-8, GBK, ",
        "FieldChain[0].SMT[3].ValueOperates[8].Type: \"REVERSE\" is not one of the choices; allowed: REPLACE, ",
        "FieldChain[0].SMT[4].Operate: fields without a rule are left out already",
        "FieldChain[1].Analyse.Regex: \"(a\": unclosed group",
        "FieldChain[2].Analyse.InputValue: missing",
    ] {
        assert!(text.contains(expected), "{expected}\nis not in\n{text}");
    }
    assert_eq!(found.len(), 22, "{text}");
}

#[test]
fn smaller_mistakes_are_found_too() {
    let chain = |analyse: serde_json::Value| json!({ "FieldChain": [{ "Analyse": analyse }] });
    let with = |key: &str, value: serde_json::Value| {
        let mut file = chain(json!({ "Format": "JSON" }));
        file[key] = value;
        file
    };
    for (file, expected) in [
        (json!([]), "the rule file: [] does not fit; allowed: an object"),
        (json!({}), "FieldChain: empty or missing"),
        (json!({ "FieldChain": "x" }), "FieldChain: \"x\" does not fit; allowed: an array"),
        (json!({ "FieldChain": [1] }), "FieldChain[0]: 1 does not fit; allowed: an object"),
        (json!({ "FieldChain": [{}] }), "FieldChain[0].Analyse: missing"),
        (
            chain(json!({})),
            "FieldChain[0].Analyse.Format: missing; allowed: JSON, DELIMITER, REGULAR or SOURCE",
        ),
        (chain(json!({ "Format": "DELIMITER" })), "FieldChain[0].Analyse.Regex: missing"),
        (chain(json!({ "Format": "DELIMITER", "Regex": "" })), "FieldChain[0].Analyse.Regex: it is empty"),
        (
            chain(json!({ "Format": "SOURCE" })),
            "FieldChain[0].Analyse.Format: there is no chain before the first",
        ),
        (with("OutputFormat", json!("ROW")), "RowParam: missing"),
        (with("BatchAnalyse", json!({ "Format": "BOTH" })), "BatchAnalyse.Format: \"BOTH\""),
        (
            json_chain(
                &json!([{ "Key": "a", "Operate": "MAPPING", "Value": "a", "ValueOperate": { "Type": "TRIM" },
                "ValueOperates": [{ "Type": "LOWERCASE" }] }]),
            ),
            "FieldChain[0].SMT[0].ValueOperate: another operation than in ValueOperates",
        ),
    ] {
        let found = problems(&file);
        assert!(found.iter().any(|problem| problem.contains(expected)), "{expected}: {found:?}");
    }
    assert!(Rules::from_json("{").unwrap_err().to_string().contains("it is not JSON"));
    let key_value = Rules::new([ChainRules::json()]).rows(RowContent::KeyValue, None, Some(""));
    assert_eq!(DataProcessing::new(&key_value).unwrap_err().problems().len(), 2);
    let merged = Rules::new([ChainRules::json()]).rows(RowContent::Value, None, None).batch(BatchMode::Merge);
    assert!(DataProcessing::new(&merged).is_err());
    let split = Rules::new([ChainRules::delimiter(",")]).batch(BatchMode::OneByOne);
    assert!(DataProcessing::new(&split).is_err());
    assert!(DataProcessing::new(&Rules::new([])).is_err());
}

#[test]
fn keys_that_stand_twice_are_named_with_both_values() {
    let file = r#"{"OutputFormat":"ROW","Content":"a","Content":"b","FieldChain":[{"Analyse":{"Format":"JSON"},
        "SMT":[{"Key":"a","Operate":"MAPPING","Value":"x","V\u0061lue":"y","ValueOperates":[{"Type":"TRIM","Type":"KV"}]}],
        "AnalyseResult":[{"Key":"a","Key":"b"}]}],"OutputFormat":"JSON"}"#;
    let error = Rules::from_json(file).unwrap_err();
    let found: Vec<_> = error.problems().iter().map(ToString::to_string).collect();
    let twice = |place: &str, first: &str, second: &str| {
        format!(
            "{place}: the key stands twice, with {first} and {second}; allowed: every key once in an object"
        )
    };
    for expected in [
        twice("FieldChain[0].SMT[0].Value", "\"x\"", "\"y\""),
        twice("FieldChain[0].SMT[0].ValueOperates[0].Type", "\"TRIM\"", "\"KV\""),
        twice("OutputFormat", "\"ROW\"", "\"JSON\""),
    ] {
        assert!(found.contains(&expected), "{expected}: {found:?}");
    }
    // The fourth is about the parameters that KV, the last one, lacks: all are told at once.
    assert_eq!(found.len(), 4 + 2, "{found:?}");
}

#[test]
fn parameters_of_something_else_are_told_all_at_once() {
    let file = json!({
        "FieldChain": [{ "Analyse": { "Format": "JSON" }, "SMT": [
            { "Key": "b", "Operate": "MAPPING", "Value": "b", "ValueOperates": [
                { "Type": "TRIM", "Replace": { "OldValue": "a", "NewValue": "" }, "Substr": { "Start": 0, "End": 0 } },
                { "Type": "LOWERCASE", "Split": { "Regex": "," }, "KV": { "KeepOriginalKey": true } }] },
            { "Key": "c", "Operate": "DEFAULT", "Value": "a sample" }] }],
    });
    let not = |place: &str, key: &str, what: &str, owner: &str| {
        format!(
            "FieldChain[0].SMT[0].ValueOperates[{place}].{key} has no effect: the operation is {what}, not {owner}"
        )
    };
    assert_eq!(
        rules(&file).ignored,
        [
            not("0", "Replace", "TRIM", "REPLACE"),
            not("1", "Split", "LOWERCASE", "SPLIT"),
            not("1", "KV", "LOWERCASE", "KV")
        ]
    );
    // What is our own and stands in the wrong place is a mistake.
    let date = json!([{ "Key": "a", "Operate": "DATE", "ValueOperates": [
        { "Type": "DATE", "Date": { "Format": "yyyy", "InputFormat": "MM" } }] }]);
    assert_eq!(
        problems(&json_chain(&date)),
        [
            "FieldChain[0].SMT[0].ValueOperates[0].Date.InputFormat: \"MM\" is nothing for the time of processing, which is a number; allowed: none with Operate DATE"
        ]
    );
}

#[test]
fn a_file_without_chains_tells_the_rest_as_well() {
    let file = json!({ "FilterParam": [{ "Key": "a", "MatchMode": "IP", "Value": "x" }] });
    let found = problems(&file);
    assert!(found.len() == 2 && found[0].starts_with("FieldChain: empty"), "{found:?}");
}

#[test]
fn keys_give_the_rules_or_their_file() {
    use connect_core::config::{Config, Settings};
    let rules = Rules::new([ChainRules::json()]).to_json();
    let parsed =
        |settings: &[(&str, &str)]| DataProcessingConfig::parse(&Settings::literal(settings.iter().copied()));
    let made = DataProcessing::from_config(&parsed(&[("rules", &rules)]).unwrap()).unwrap();
    assert_eq!(made.rules().to_json(), rules);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &rules).unwrap();
    let config = parsed(&[("rules.file", file.path().to_str().unwrap())]).unwrap();
    assert_eq!(DataProcessing::from_config(&config).unwrap().rules().to_json(), rules);
    assert!(parsed(&[]).unwrap_err().to_string().contains("give rules or rules.file"));
    assert!(parsed(&[("rules", &rules), ("rules.file", "x")]).is_err());
    let wrong =
        parsed(&[("rules", r#"{"FieldChain":[{"Analyse":{"Format":"XML"}}]}"#)]).unwrap_err().to_string();
    assert!(wrong.contains("FieldChain[0].Analyse.Format: \"XML\""), "{wrong}");
    let missing = parsed(&[("rules.file", "/nowhere/rules.json")]).unwrap();
    assert!(DataProcessing::from_config(&missing).unwrap_err().report().contains("/nowhere/rules.json"));
}
