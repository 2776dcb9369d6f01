//! Value operations, types, and where values come from.

use super::*;
use ValueOperation as Op;

fn op(operation: Op, json: &str) -> Result<String, String> {
    field(FieldRule::key("v").operation(operation), json)
}

fn replace(old: &str, new: &str) -> Op {
    Op::Replace { old: old.into(), new: new.into() }
}

fn regex(pattern: &str, new: &str) -> Op {
    Op::RegexReplace { pattern: pattern.into(), new: new.into() }
}

fn paths(old: &str, new: &str) -> Op {
    Op::JsonPathReplace { old: old.into(), new: new.into() }
}

#[test]
fn every_operation_does_what_it_says() {
    let kv = |keep| Op::KeyValue { entries: "&".into(), separator: "=".into(), keep };
    for (operation, json, expected) in [
        (replace("a.", "b"), r#""a.a.xa""#, r#""bbxa""#),
        (replace("[", ""), r#""[x]""#, r#""x]""#),
        (replace("1", "2"), "11.0", r#""22.0""#),
        (replace("\"", "'"), r#""say \"hi\"""#, r#""say 'hi'""#),
        (Op::Substring { start: 1, end: 3 }, r#""aé😀x""#, r#""é😀""#),
        (Op::Substring { start: 2, end: 99 }, r#""abc""#, r#""c""#),
        (Op::Substring { start: 9, end: 10 }, r#""abc""#, r#""""#),
        (Op::Trim, r#"" \t a b \n""#, r#""a b""#),
        (regex(r"(\d+)-(\d+)", "$2:$1"), r#""a 1-22 3-4""#, r#""a 22:1 4:3""#),
        (regex(r"(?<y>\d{4})", "<${y}>"), r#""in 2022""#, r#""in <2022>""#),
        (regex("a", r"\$1$0"), r#""ba""#, r#""b$1a""#),
        (regex("(a)", "$12"), r#""a""#, r#""a2""#),
        (regex("x*", "-"), r#""ab""#, r#""-a-b-""#),
        (Op::Split(",".into()), r#""a,b\",,c""#, r#"["a","b\"","","c"]"#),
        (Op::UrlDecode, r#""a%20b+c%E4%B8%AD%zz%""#, r#""a b c中%zz%""#),
        (Op::UrlDecodeIn("GBK".into()), r#""%D6%D0%B9%FA""#, r#""中国""#),
        (Op::UrlDecodeIn("gb18030".into()), r#""q=%D6%D0+%b9%fa&r=é%zz""#, r#""q=中 国&r=é%zz""#),
        (Op::UrlDecodeIn("GBK".into()), r#""%81A%81%40""#, r#""丄丂""#),
        (Op::UrlDecodeIn("Big5".into()), r#""%A4%A4%B0%EA""#, r#""中國""#),
        (Op::UrlDecodeIn("Shift_JIS".into()), r#""%93%FA%96%7B""#, r#""日本""#),
        (Op::UrlDecodeIn("windows-1252".into()), r#""caf%E9""#, r#""café""#),
        (Op::LowerCase, r#""ÄB""#, r#""äb""#),
        (Op::UpperCase, r#""äbß""#, r#""ÄBSS""#),
        (paths("$.a", "$.b"), r#"{"a":1.0,"b":[2.50],"c":3}"#, r#"{"a":[2.50],"b":[2.50],"c":3}"#),
        (paths("$..a", "x\"y"), r#"{"a":{"a":1},"b":{"a":2}}"#, r#"{"a":"x\"y","b":{"a":"x\"y"}}"#),
        (paths("$.z", "x"), r#"{"a":1}"#, r#"{"a":1}"#),
        (paths("$.a", "x"), r#""{\"a\":1}""#, r#""{\"a\":\"x\"}""#),
        (paths("$[*]", "$[1]"), "[1,2]", "[2,2]"),
        (kv(false), r#""a=1&b=x=y&c""#, r#"{"v.a":"1","v.b":"x=y"}"#),
        (kv(true), r#""a=1&b""#, r#""a=1&b","v.a":"1""#),
    ] {
        let expected = expected.to_owned();
        assert_eq!(op(operation.clone(), json), Ok(expected), "{operation:?} {json}");
        assert_eq!(op(operation.clone(), "null").as_deref(), Ok("null"), "{operation:?}");
    }
}

#[test]
fn bytes_that_are_not_in_the_encoding_are_told_with_its_name() {
    let error = op(Op::UrlDecode, r#""%D6%D0""#).unwrap_err();
    assert!(error.contains("what `%` stands for is not UTF-8"), "{error}");
    let error = op(Op::UrlDecodeIn("gb2312".into()), r#""%D6%FF""#).unwrap_err();
    assert!(error.contains("what `%` stands for is not GBK"), "{error}");
}

#[test]
fn paths_are_replaced_in_json_only() {
    let replace = |json: &str| op(paths("$.a", "x"), json);
    for plain in [r#""plain""#, r#""""#, r#""{\"a\":1""#, r#""{\"a\":1} x""#] {
        let error = replace(plain).unwrap_err();
        assert!(error.contains("FieldChain[0], field \"v\"") && error.contains("is no JSON"), "{error}");
    }
    for json in [r#""{\"b\":1}""#, r#""[1]""#, r#""\"text\"""#, "12", "true", "{}"] {
        assert_eq!(replace(json).as_deref(), Ok(json));
    }
}

#[test]
fn an_object_of_type_map_gives_its_members_as_fields() {
    let tke = json!({ "FieldChain": [
        { "Analyse": { "Format": "JSON" } },
        { "Analyse": { "Format": "JSON", "InputValueType": "JSONPATH", "InputValue": "$.kubernetes" }, "SMT": [
            { "Key": "pod", "Operate": "MAPPING", "Value": "$.kubernetes.pod_name" },
            { "Key": "$.kubernetes.labels", "Operate": "MAPPING", "Value": "$.kubernetes.labels", "SchemeType": "MAP" }] },
        { "Analyse": { "Format": "SOURCE" }, "SMT": [
            { "Key": "pod", "Operate": "MAPPING", "Value": "pod" },
            { "Key": "app", "Operate": "MAPPING", "Value": "$.kubernetes.labels.k8s-app" },
            { "Key": "more", "Operate": "MAPPING", "Value": "$.kubernetes.labels.more" }] }] });
    let value = r#"{"kubernetes":{"pod_name":"p-0","labels":{"k8s-app":"shop","more":{"x":[1.0]}}}}"#;
    assert_eq!(made(&tke, value).as_deref(), Ok(r#"{"pod":"p-0","app":"shop","more":{"x":[1.0]}}"#));
    let rule = || FieldRule::key("v").kind(FieldType::Map);
    assert_eq!(field(rule(), r#"{"a":1.0,"b":{"c":2}}"#).as_deref(), Ok(r#"{"v.a":1.0,"v.b":{"c":2}}"#));
    assert_eq!(field(rule(), "{}").as_deref(), Ok("{}"));
    assert_eq!(field(rule(), r#"{"a":1,"a":2}"#).as_deref(), Ok(r#"{"v.a":2}"#));
    // Text becomes the object that it holds.
    assert_eq!(field(rule(), r#""{\"a\":1}""#).as_deref(), Ok(r#"{"a":1}"#));
}

#[test]
fn dates_are_read_in_every_documented_form_and_written_in_the_zone() {
    let ymd = || DateRule::new("yyyy-MM-dd HH:mm:ss");
    for (rule, json, expected) in [
        (ymd(), r#""2022-02-26T22:25:33.210Z""#, "2022-02-27 06:25:33"),
        (ymd(), r#""2022-02-26 22:25:33+02:00""#, "2022-02-27 04:25:33"),
        (ymd(), r#""2022-02-26T22:25:33""#, "2022-02-26 22:25:33"),
        (ymd(), r#"" 2022-02-26 22:25:33 ""#, "2022-02-26 22:25:33"),
        (ymd(), r#""2022-02-26""#, "2022-02-26 00:00:00"),
        (ymd(), r#""Sat, 26 Feb 2022 22:25:33 GMT""#, "2022-02-27 06:25:33"),
        (DateRule::new("dd/MM/yyyy"), r#""26/02/2022""#, "26/02/2022"),
        (ymd().reading("dd/MMM/yyyy:HH:mm:ss Z"), r#""26/Feb/2022:22:25:33 +0000""#, "2022-02-27 06:25:33"),
        (ymd().reading("yyyyMMddHHmmss"), "20220226222533", "2022-02-26 22:25:33"),
        (ymd().unix(), "1645914333", "2022-02-27 06:25:33"),
        (ymd().unix(), "1645914333210", "2022-02-27 06:25:33"),
        (ymd().unix(), r#""1645914333""#, "2022-02-27 06:25:33"),
        (DateRule::new("ss.SSS").unix(), "1645914333.25", "33.250"),
        (DateRule::new("ss.SSS").unix(), "-0.25", "59.750"),
        (ymd().unix().zone("UTC"), r#""1e9""#, "2001-09-09 01:46:40"),
        (ymd().unix().zone("UTC"), "1.6562996E9", "2022-06-27 03:13:20"),
        (ymd().unix().zone("UTC"), "1.656299600e+12", "2022-06-27 03:13:20"),
        (ymd().unix().zone("UTC"), "16562996000.0e-1", "2022-06-27 03:13:20"),
        (DateRule::new("ss.SSSSSSSSS").unix(), "1.6562996891234567891E9", "49.123456789"),
        (DateRule::new("ss.SSSSSSSSS").unix(), "-25E-2", "59.750000000"),
        (ymd().unix().zone("UTC"), "0e999999", "1970-01-01 00:00:00"),
        (ymd().unix().zone("UTC"), "0.000000000000000000000000000001656299600e39", "2022-06-27 03:13:20"),
        (ymd().unix().zone("UTC"), "1e-9223372036854775808", "1970-01-01 00:00:00"),
        (ymd().unix().zone("UTC"), "0", "1970-01-01 00:00:00"),
        (ymd().unix().zone("GMT-3:30"), "0", "1969-12-31 20:30:00"),
        (ymd().unix().zone("+0530"), "0", "1970-01-01 05:30:00"),
        (
            DateRule::new("yyyy-MM-dd'T'HH:mm:ssXXX").unix().zone("America/New_York"),
            "1657000000",
            "2022-07-05T01:46:40-04:00",
        ),
    ] {
        assert_eq!(op(Op::Date(rule.clone()), json), Ok(format!("\"{expected}\"")), "{rule:?} {json}");
    }
    for (rule, json) in [
        (ymd(), r#""tomorrow""#),
        (ymd(), r#""2022-13-26""#),
        (ymd().unix(), r#""1e""#),
        (ymd().unix(), r#""1e1.5""#),
        (ymd().unix(), r#"".5""#),
        (ymd().unix(), r#""1_0""#),
        (ymd().unix(), r#""--1""#),
        (ymd().unix(), "1e20"),
        (ymd().unix(), "1e9223372036854775807"),
        (ymd().unix(), "1e99999999999999999999"),
        (ymd().unix(), "99999999999999999999999"),
        (ymd().unix(), "-170141183460469231731687303715884105728"),
        (ymd().unix(), "[1]"),
        (ymd().reading("yyyy"), r#""22""#),
    ] {
        let error = op(Op::Date(rule.clone()), json).unwrap_err();
        assert!(error.contains("FieldChain[0], field \"v\"") && error.contains("no date"), "{error}");
    }
}

#[test]
fn every_type_is_made_of_what_it_can_be_made_of() {
    use FieldType as T;
    for (kind, json, expected) in [
        (T::Original, "1.0", Some("1.0")),
        (T::String, "1.0", Some(r#""1.0""#)),
        (T::String, r#""\u0041""#, Some(r#""\u0041""#)),
        (T::String, r#"{"a": [true]}"#, Some(r#""{\"a\": [true]}""#)),
        (T::Int64, "12", Some("12")),
        (T::Int64, r#"" 012 ""#, Some("12")),
        (T::Int64, r#""+5""#, Some("5")),
        (T::Int64, "-9223372036854775808", Some("-9223372036854775808")),
        (T::Int64, "9223372036854775808", None),
        (T::Int64, "1.0", Some("1")),
        (T::Int64, "1e3", Some("1000")),
        (T::Int64, "1.5", None),
        (T::Int64, "9223372036854775807.0", Some("9223372036854775807")),
        (T::Int64, "-922337203685477580800e-2", Some("-9223372036854775808")),
        (T::Int64, "9223372036854775808.0", None),
        (T::Int64, r#""-.50e1""#, Some("-5")),
        (T::Int64, "0.000e-999999999999999999999", Some("0")),
        (T::Int64, "1.0000000000000000000001", None),
        (T::Int64, "1e-400", None),
        (T::Int64, "1e999999999999999999999", None),
        (T::Int64, "true", None),
        (T::Int64, r#""""#, None),
        (T::Int64, r#""0x10""#, None),
        (T::Float64, "1.10", Some("1.10")),
        (T::Float64, "1", Some("1.0")),
        (T::Float64, r#""1.50""#, Some("1.5")),
        (T::Float64, "1e999", None),
        (T::Float64, r#""NaN""#, None),
        (T::Float64, r#""inf""#, None),
        (T::Float64, "[1]", None),
        (T::Boolean, "true", Some("true")),
        (T::Boolean, r#""FALSE""#, Some("false")),
        (T::Boolean, "1", Some("true")),
        (T::Boolean, r#""0""#, Some("false")),
        (T::Boolean, "2", None),
        (T::Map, r#"{"a":1}"#, Some(r#"{"v.a":1}"#)),
        (T::Map, r#"" {\"a\":1.0} ""#, Some(r#"{"a":1.0}"#)),
        (T::Map, r#""{\"a\":}""#, None),
        (T::Map, r#""[1]""#, None),
        (T::Map, "[1]", None),
        (T::Array, "[1, 2]", Some("[1, 2]")),
        (T::Array, r#""[1]""#, Some("[1]")),
        (T::Array, "{}", None),
        (T::Array, r#""a""#, None),
    ] {
        let made = field(FieldRule::key("v").kind(kind), json);
        assert_eq!(made.as_deref().ok(), expected, "{kind} {json} {made:?}");
        assert_eq!(field(FieldRule::key("v").kind(kind), "null").as_deref(), Ok("null"), "{kind}");
        if let Err(error) = made {
            assert!(
                error.starts_with("failed to process the record (FieldChain[0], field \"v\"): "),
                "{error}"
            );
        }
    }
}

#[test]
fn operations_run_in_their_order_before_the_type() {
    let rule =
        FieldRule::key("v").operation(replace(",", ".")).operation(replace("%", "")).operation(Op::Trim);
    assert_eq!(field(rule.kind(FieldType::Float64), r#"" 12,50 % ""#).as_deref(), Ok("12.5"));
    let rule = FieldRule::key("v").operation(Op::UpperCase).operation(replace("A", "x"));
    assert_eq!(field(rule, r#""aA""#).as_deref(), Ok(r#""xx""#));
}

#[test]
fn values_come_from_keys_paths_constants_and_the_clock() {
    let chain = || ChainRules::json();
    let value = r#"{"a":{"b":[{"c":1.0},{"c":2}]},"a.b":"dotted","n":null}"#;
    for (rule, expected) in [
        (FieldRule::key("a.b").named("x"), r#"{"x":"dotted"}"#),
        (FieldRule::key("n").named("x"), r#"{"x":null}"#),
        (FieldRule::key("z").named("x"), "{}"),
        (FieldRule::path("$.a.b[0].c").named("x"), r#"{"x":1.0}"#),
        (FieldRule::path("$.a.b[*].c").named("x"), r#"{"x":[1.0,2]}"#),
        (FieldRule::path("$.a.b[*].z").named("x"), r#"{"x":[]}"#),
        (FieldRule::path("$.a.z").named("x"), "{}"),
        (FieldRule::path("$['a.b']").named("x"), r#"{"x":"dotted"}"#),
        (FieldRule::path("$.*~").named("x"), r#"{"x":["a","a.b","n"]}"#),
        (FieldRule::path("$").named("x"), r#"{"x":{"a":{"b":[{"c":1.0},{"c":2}]},"a.b":"dotted","n":null}}"#),
        (FieldRule::constant("5 \"x\"").named("x"), r#"{"x":"5 \"x\""}"#),
        (FieldRule::constant("5").named("x").kind(FieldType::Int64), r#"{"x":5}"#),
        (FieldRule::now("x"), r#"{"x":1656299689000}"#),
    ] {
        assert_eq!(
            made_by(&Rules::new([chain().field(rule.clone())]), value).as_deref(),
            Ok(expected),
            "{rule:?}"
        );
    }
}
