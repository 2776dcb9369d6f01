//! Filters, forms of results, failures, and explanations.

use super::*;
use connect_core::{Batch, BatchBuilder, Chain, Entry, PartitionId, Transform, Transformed};
use std::sync::Arc;

fn run(rules: &Rules, values: &[Option<&[u8]>]) -> Transformed {
    let (mut builder, topic) = (BatchBuilder::new(), "logs".into());
    for (offset, value) in (40..).zip(values) {
        let entry = Entry { offset, timestamp_ms: Some(5), key: Some(b"k\xff"), value: *value };
        builder.push(PartitionId::new(0, 1), &topic, 3, entry, []);
    }
    Chain::new(vec![Arc::new(DataProcessing::new(rules).unwrap())]).apply(builder.finish(), NOW_MS)
}

fn texts(batch: &Batch) -> Vec<String> {
    batch.iter().map(|record| String::from_utf8_lossy(record.value().unwrap()).into_owned()).collect()
}

fn passes(mode: FilterMode, value: &str, json: &str) -> bool {
    let rules = Rules::new([ChainRules::json()]).filter("v", mode, value);
    !made_by(&rules, json).unwrap().is_empty()
}

#[test]
fn every_filter_compares_as_documented() {
    use FilterMode as M;
    for (mode, value, json, expected) in [
        (M::Prefix, "top", r#"{"v":"topicname"}"#, true),
        (M::Prefix, "Top", r#"{"v":"topicname"}"#, false),
        (M::Suffix, "name", r#"{"v":"topicname"}"#, true),
        (M::Suffix, "nam", r#"{"v":"topicname"}"#, false),
        (M::Contains, "na", r#"{"v":"topicname"}"#, true),
        (M::Contains, "é", r#"{"v":"\u00e9"}"#, true),
        (M::Contains, "é", r#"{"v":"e\u0301"}"#, false),
        (M::Except, "topicname", r#"{"v":"topicname"}"#, false),
        (M::Except, "topicname", r#"{"v":"topicnam"}"#, true),
        (M::Except, "x", r#"{"w":1}"#, true),
        (M::Except, "true", r#"{"v":true}"#, false),
        (M::Contains, "x", r#"{"w":"x"}"#, false),
        (M::Contains, "null", r#"{"v":null}"#, false),
        (M::Prefix, "1.", r#"{"v":1.50}"#, true),
        (M::Number, ">10", r#"{"v":10.5}"#, true),
        (M::Number, ">10", r#"{"v":10}"#, false),
        (M::Number, ">=10", r#"{"v":"10"}"#, true),
        (M::Number, "<15", r#"{"v":14}"#, true),
        (M::Number, ">=10&<=20", r#"{"v":20}"#, true),
        (M::Number, ">=10&<=20", r#"{"v":21}"#, false),
        (M::Number, ">=10|<=5", r#"{"v":5}"#, true),
        (M::Number, ">=10|<=5", r#"{"v":6}"#, false),
        (M::Number, "<0 | >= 1 & < 2 | =7", r#"{"v":7.0}"#, true),
        (M::Number, "<0 | >= 1 & < 2 | =7", r#"{"v":2}"#, false),
        (M::Number, "!=3", r#"{"v":3}"#, false),
        (M::Number, ">12345678901234567890", r#"{"v":12345678901234567891}"#, true),
        (M::Number, ">12345678901234567890", r#"{"v":12345678901234567890}"#, false),
        (M::Number, "=9007199254740993", r#"{"v":9007199254740993.0}"#, true),
        (M::Number, "=9007199254740992.0", r#"{"v":9007199254740993}"#, false),
        (M::Number, ">10", r#"{"v":1e999}"#, true),
        (M::Number, ">10", r#"{"v":"Infinity"}"#, false),
        (M::Number, ">10", r#"{"v":"inf"}"#, false),
        (M::Number, ">1", r#"{"v":"x"}"#, false),
        (M::Number, ">0", r#"{"v":true}"#, false),
        (M::Number, ">0", r#"{"v":[1]}"#, false),
        (M::Ip, "::ffff:10.0.0.0/104", r#"{"v":"10.1.1.1"}"#, true),
        (M::Ip, "::ffff:10.0.0.0/104", r#"{"v":"::ffff:11.1.1.1"}"#, false),
        (M::Ip, "::ffff:10.0.0.1", r#"{"v":"10.0.0.1"}"#, true),
        (M::Ip, "0.0.0.0/0", r#"{"v":"::ffff:1.2.3.4"}"#, true),
        (M::Ip, "::/0", r#"{"v":"2001:db8::1"}"#, true),
        (M::Ip, "1.2.3.4/24", r#"{"v":"1.2.3.200"}"#, true),
        (M::Ip, "1.2.3.4/24", r#"{"v":"1.2.4.1"}"#, false),
        (M::Ip, "1.2.3.4", r#"{"v":"1.2.3.4"}"#, true),
        (M::Ip, "1.2.3.4/32", r#"{"v":"1.2.3.5"}"#, false),
        (M::Ip, "0.0.0.0/0", r#"{"v":"255.1.1.1"}"#, true),
        (M::Ip, "0.0.0.0/0", r#"{"v":"::1"}"#, false),
        (M::Ip, "10.0.0.0/8", r#"{"v":"::ffff:10.1.2.3"}"#, true),
        (M::Ip, "2001:db8::/32", r#"{"v":"2001:db8:ffff::1"}"#, true),
        (M::Ip, "2001:db8::/32", r#"{"v":"2001:db9::1"}"#, false),
        (M::Ip, "::/0", r#"{"v":"fe80::1"}"#, true),
        (M::Ip, "10.0.0.0/8", r#"{"v":"not an address"}"#, false),
    ] {
        assert_eq!(passes(mode, value, json), expected, "{mode} {value} {json}");
    }
}

#[test]
fn a_filter_finds_its_field_as_mapping_does() {
    let kept = |key: &str, mode: FilterMode, value: &str, json: &str| {
        made_by(&Rules::new([ChainRules::json()]).filter(key, mode, value), json).unwrap() == json
    };
    for (json, holds) in [
        (r#"{"a":{"b":"x"}}"#, true),
        (r#"{"a":{"b":"y"}}"#, false),
        (r#"{"a":{"b":"y"},"a.b":"x"}"#, true),
        (r#"{"a":{"b.c":1,"b":{"c":2}},"a.b":"y"}"#, false),
        (r#"{"a":"x"}"#, false),
        (r#"{"a":{}}"#, false),
    ] {
        assert_eq!(kept("a.b", FilterMode::Prefix, "x", json), holds, "{json}");
    }
    assert!(kept("a.b.c", FilterMode::Number, ">1", r#"{"a":{"b":{"c":2}}}"#));
    assert!(kept("a.b", FilterMode::Except, "x", r#"{"a":{"b":"y"}}"#));
    assert!(!kept("a.b", FilterMode::Except, "x", r#"{"a":{"b":"x"}}"#));
}

#[test]
fn all_filters_must_hold_and_what_they_drop_is_filtered_not_failed() {
    let rules = Rules::new([ChainRules::json()]).filter("a", FilterMode::Number, ">1").filter(
        "b",
        FilterMode::Prefix,
        "x",
    );
    let values: [Option<&[u8]>; 4] =
        [Some(br#"{"a":2,"b":"xy"}"#), Some(br#"{"a":2,"b":"y"}"#), Some(br#"{"a":1,"b":"x"}"#), None];
    let done = run(&rules, &values);
    assert_eq!((done.filtered, done.rejected.len(), done.batch.len()), (vec![1, 2], 0, 2));
    assert_eq!(done.batch.iter().last().unwrap().value(), None, "a tombstone passes");
}

#[test]
fn json_in_a_row_is_one_line() {
    let rules = Rules::new([ChainRules::json()]).rows(RowContent::Value, None, Some("|"));
    let made = made_by(&rules, "{\"a\":[1,\n 2],\"b\":{\"c\":\r\n\"x\\ny\"},\"d\":\"x\\ny\"}").unwrap();
    assert_eq!(made, "[1, 2]|{\"c\":\"x\\ny\"}|x\ny");
}

#[test]
fn rows_hold_values_or_keys_and_values() {
    let value = r#"{"a":1.0,"b":"x\ty\"","c":null,"d":{"e":[1]}}"#;
    let rules = |content, key_value, entry| Rules::new([ChainRules::json()]).rows(content, key_value, entry);
    for (rules, expected) in [
        (rules(RowContent::Value, None, None), "1.0x\ty\"{\"e\":[1]}"),
        (rules(RowContent::Value, None, Some("|")), "1.0|x\ty\"||{\"e\":[1]}"),
        (rules(RowContent::KeyValue, Some("="), Some("&")), "a=1.0&b=x\ty\"&c=&d={\"e\":[1]}"),
    ] {
        assert_eq!(made_by(&rules, value).as_deref(), Ok(expected));
    }
}

#[test]
fn metadata_stands_at_the_end_under_its_keys() {
    let rules = Rules::new([ChainRules::json()]).metadata();
    let meta = r#""__topic":"logs","__partition":3,"__offset":40,"__timestamp":5"#;
    assert_eq!(texts(&run(&rules, &[Some(b"{\"a\":1}")]).batch), [format!("{{\"a\":1,{meta}}}")]);
    assert_eq!(texts(&run(&rules, &[Some(b"{}")]).batch), [format!("{{{meta}}}")]);
    let row = rules.clone().rows(RowContent::KeyValue, Some("="), Some(","));
    assert_eq!(
        texts(&run(&row, &[Some(b"{\"a\":1}")]).batch),
        ["a=1,__topic=logs,__partition=3,__offset=40,__timestamp=5"]
    );
    let merged = rules.clone().batch(BatchMode::Merge);
    assert_eq!(texts(&run(&merged, &[Some(b"[{},{}]")]).batch), [format!("[{{{meta}}},{{{meta}}}]")]);
    let done = run(&rules, &[Some(b"{\"__offset\":1}")]);
    assert!(done.rejected[0].1.report().contains("two fields"), "a field of that name is no metadata");
}

#[test]
fn failures_are_poison_but_for_keep_which_wraps_the_record() {
    let values: [Option<&[u8]>; 3] = [Some(b"{\"a\":1}"), Some(b"no \"json\""), Some(b"\xff\xfe{}")];
    for policy in [OnFailure::Fail, OnFailure::Drop, OnFailure::DeadLetter] {
        let done = run(&Rules::new([ChainRules::json()]).on_failure(policy), &values);
        assert_eq!((done.batch.len(), done.rejected.len(), done.filtered.len()), (1, 2, 0));
        assert!(done.rejected.iter().all(|(_, error)| error.class() == connect_core::Class::Poison));
        assert!(done.rejected[1].1.report().contains("invalid UTF-8 at byte 0"));
    }
    let done = run(&Rules::new([ChainRules::json()]).on_failure(OnFailure::Keep), &values);
    assert!(done.rejected.is_empty() && done.filtered.is_empty());
    assert_eq!(
        texts(&done.batch),
        [
            r#"{"a":1}"#,
            r#"{"reason":"failed to process the record (FieldChain[0]): expected a value at byte 0","topic":"logs","partition":3,"offset":41,"timestamp":5,"key":"a/8=","key_encoding":"base64","value":"no \"json\"","value_encoding":"utf-8"}"#
                .replace("expected a value", "expected `null`")
                .as_str(),
            r#"{"reason":"failed to process the record (FieldChain[0]): invalid UTF-8 at byte 0","topic":"logs","partition":3,"offset":42,"timestamp":5,"key":"a/8=","key_encoding":"base64","value":"//57fQ==","value_encoding":"base64"}"#,
        ]
    );
    // An element that fails takes its siblings back.
    let batch = Rules::new([ChainRules::json()]).batch(BatchMode::OneByOne);
    let done = run(&batch, &[Some(br#"[{"a":1},{"a":2}]"#), Some(br#"[{"a":1},2]"#)]);
    assert_eq!(
        (texts(&done.batch), done.rejected.len()),
        (vec![r#"{"a":1}"#.into(), r#"{"a":2}"#.into()], 1)
    );
    let done = run(&batch.on_failure(OnFailure::Keep), &[Some(br#"[{"a":1},2]"#)]);
    assert_eq!(done.batch.len(), 1);
    assert!(texts(&done.batch)[0].contains("found a number"));
}

#[test]
fn results_that_depend_on_the_clock_are_not_called_deterministic() {
    let plain = DataProcessing::new(&Rules::new([ChainRules::json()])).unwrap();
    let now = DataProcessing::new(&Rules::new([ChainRules::json().field(FieldRule::now("t"))])).unwrap();
    assert!(plain.deterministic() && !now.deterministic());
    assert_ne!(plain.describe(), now.describe());
    assert!(plain.describe().unwrap().starts_with("DataProcessing rules={\"FailureParam\""));
}

#[test]
fn an_explanation_shows_every_parse_rule_chain_and_filter() {
    let rules = Rules::new([
        ChainRules::json().field(FieldRule::key("m")).field(FieldRule::constant("eu").named("r")),
        ChainRules::delimiter(" ").of_key("m"),
    ])
    .filter("r", FilterMode::Prefix, "e");
    let processing = DataProcessing::new(&rules).unwrap();
    let explained = processing.explain(br#"{"m":"a b","x":1}"#, 0);
    assert_eq!(
        explained.to_string(),
        r#"step                   field  value
FieldChain[0].Analyse  m      "a b"
                       x      1
FieldChain[0].SMT[0]   m      "a b"
FieldChain[0].SMT[1]   r      "eu"
FieldChain[0]          m      "a b"
                       r      "eu"
FieldChain[1].Analyse  r      "eu"
                       m.0    "a"
                       m.1    "b"
FieldChain[1]          r      "eu"
                       m.0    "a"
                       m.1    "b"
FilterParam[0]                holds
result                        {"r":"eu","m.0":"a","m.1":"b"}
"#
    );
    let json = serde_json::to_value(&explained).unwrap();
    assert_eq!(json["outcome"], "delivered");
    assert_eq!(json["result"], json!([r#"{"r":"eu","m.0":"a","m.1":"b"}"#]));
    assert_eq!(
        json["steps"][1],
        json!({ "place": "FieldChain[0].SMT[0]", "step": "rule", "fields": [["m", "\"a b\""]], "holds": null })
    );
    let failed = processing.explain(br#"{"x":1}"#, 0);
    assert!(matches!(&failed.outcome, Outcome::Failed(reason) if reason.contains("nothing at \"m\"")));
    assert!(
        failed.to_string().contains("FieldChain[0].SMT[0]  ") && failed.to_string().contains("(no field)")
    );
    let filtered = DataProcessing::new(&rules.filter("r", FilterMode::Except, "eu")).unwrap();
    assert_eq!(filtered.explain(br#"{"m":"a b"}"#, 0).outcome, Outcome::Filtered);
}
