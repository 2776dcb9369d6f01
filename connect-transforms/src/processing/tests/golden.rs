//! The worked examples of the product's documentation.

use super::*;

fn rename(from: &str, to: &str) -> serde_json::Value {
    json!({ "Key": to, "Operate": "MAPPING", "Value": from })
}

#[test]
fn a_nested_json_in_two_chains() {
    let file = json!({ "FieldChain": [
        { "Analyse": { "Format": "JSON" }, "SMT": [
            rename("@timestamp", "@timestamp"), rename("input_type", "input_type"), rename("message", "message"),
            { "Key": "hostname", "Operate": "JSONPATH", "Value": "$.beat.hostname" },
            { "Key": "ip", "Operate": "JSONPATH", "Value": "$.beat.ip" } ] },
        { "Analyse": { "Format": "JSON", "InputValueType": "MAPPING", "InputValue": "message" }, "SMT": [
            rename("@timestamp", "@timestamp"), rename("input_type", "input_type"), rename("hostname", "hostname"),
            rename("ip", "ip"), rename("message.userId", "userId"), rename("message.userName", "userName") ] } ] });
    let value = r#"{"@timestamp":"2022-02-26T22:25:33.210Z","beat":{"hostname":"test-server","ip":"6.6.6.6","version":"5.6.9"},
 "input_type":"log","message":"{\"userId\":888,\"userName\":\"testUser\"}","offset":3030131}"#;
    assert_eq!(
        made(&file, value).unwrap(),
        r#"{"@timestamp":"2022-02-26T22:25:33.210Z","input_type":"log","hostname":"test-server","ip":"6.6.6.6","userId":888,"userName":"testUser"}"#
    );
}

const REGIONS: &str =
    "region=Shanghai$area=a1$server=6.6.6.6$user=testUser$timeStamp=2022-02-26T22:25:33.210Z";

#[test]
fn b_delimiter_key_values_and_dates() {
    let plain = json!({ "FieldChain": [{ "Analyse": { "Format": "DELIMITER", "Regex": "$" } }] });
    let pieces = r#""0":"region=Shanghai","1":"area=a1","2":"server=6.6.6.6","3":"user=testUser","4":"timeStamp=2022-02-26T22:25:33.210Z""#;
    assert_eq!(made(&plain, REGIONS).unwrap(), format!("{{{pieces}}}"));
    let mut file = plain.clone();
    file["FieldChain"][0]["SecondaryAnalyse"] = json!({ "Regex": "=" });
    assert_eq!(
        made(&file, REGIONS).unwrap(),
        format!(
            r#"{{{pieces},"0.region":"Shanghai","1.area":"a1","2.server":"6.6.6.6","3.user":"testUser","4.timeStamp":"2022-02-26T22:25:33.210Z"}}"#
        )
    );
    let date = json!([{ "Type": "DATE", "Date": { "Format": "yyyy-MM-dd HH:mm:ss", "TargetType": "string", "TimeZone": "GMT+8" } }]);
    let time =
        json!({ "Key": "timeStamp", "Operate": "MAPPING", "Value": "4.timeStamp", "ValueOperates": date });
    let now = json!({ "Key": "processTimeStamp", "Operate": "DATE", "ValueOperates": date });
    file["FieldChain"][0]["SMT"] = json!([
        rename("0.region", "region"),
        rename("1.area", "area"),
        rename("2.server", "server"),
        rename("3.user", "user"),
        time,
        now
    ]);
    assert_eq!(
        made(&file, REGIONS).unwrap(),
        r#"{"region":"Shanghai","area":"a1","server":"6.6.6.6","user":"testUser","timeStamp":"2022-02-27 06:25:33","processTimeStamp":"2022-06-27 11:14:49"}"#
    );
}

const PHONES: &str = r#""phoneNumber":"(13[0-9]|14[5|7]|15[0|1|2|3|5|6|7|8|9]|18[0|1|2|3|5|6|7|8|9])\d{8}""#;

#[test]
fn c_whole_matches_of_a_pattern_alone_and_in_a_chain() {
    let text =
        r#"[{"phoneNumber":"13890000000"},{"phoneNumber":"15920000000"},{"phoneNumber":"18830000000"}]"#;
    let file = json!({ "FieldChain": [{ "Analyse": { "Format": "REGULAR", "Regex": PHONES } }] });
    assert_eq!(
        made(&file, text).unwrap(),
        r#"{"0":"\"phoneNumber\":\"13890000000\"","1":"\"phoneNumber\":\"15920000000\"","2":"\"phoneNumber\":\"18830000000\""}"#
    );
    let email = json!({ "FieldChain": [{ "Analyse": { "Format": "REGULAR", "Regex": r#""email":"\w+([-+.]\w+)*@\w+([-.]\w+)*\.\w+([-.]\w+)*""# } }] });
    assert_eq!(
        made(&email, r#"{"email":"a.b@c-d.org","x":1}"#).unwrap(),
        r#"{"0":"\"email\":\"a.b@c-d.org\""}"#
    );
    let chained = json!({ "FieldChain": [
        { "Analyse": { "Format": "JSON" } },
        { "Analyse": { "Format": "REGULAR", "Regex": r"1\d{10}", "InputValueType": "MAPPING", "InputValue": "message" } } ] });
    let outer = json!({ "message": text, "region": "eu" }).to_string();
    assert_eq!(
        made(&chained, &outer).unwrap(),
        r#"{"region":"eu","message.0":"13890000000","message.1":"15920000000","message.2":"18830000000"}"#
    );
}

#[test]
fn d_an_nginx_combined_line() {
    let line = r#"1.2.3.4 - - [26/Feb/2022:22:25:33 +0800] "GET /a/b?x=1 HTTP/1.1" 404 177 "http://ref/" "Mozilla/5.0 (X11)""#;
    let trim = json!({ "Type": "TRIM" });
    let strip =
        |bracket: &str| json!({ "Type": "REPLACE", "Replace": { "OldValue": bracket, "NewValue": "" } });
    let time = json!({ "Type": "DATE", "Date": { "Format": "yyyy-MM-dd'T'HH:mm:ssXXX", "InputFormat": "dd/MMM/yyyy:HH:mm:ss Z" } });
    let file = json!({ "FieldChain": [
        { "Analyse": { "Format": "DELIMITER", "Regex": "\"" },
          "SMT": [rename("0", "0"), rename("1", "1"), rename("2", "2"), rename("5", "5")] },
        { "Analyse": { "Format": "DELIMITER", "Regex": "-", "InputValueType": "MAPPING", "InputValue": "0" } },
        { "Analyse": { "Format": "DELIMITER", "Regex": " ", "InputValueType": "MAPPING", "InputValue": "2" } },
        { "Analyse": { "Format": "SOURCE" }, "SMT": [
            { "Key": "remote_addr", "Operate": "MAPPING", "Value": "0.0", "ValueOperates": [trim] },
            { "Key": "time", "Operate": "MAPPING", "Value": "0.2", "ValueOperates": [strip("["), strip("]"), trim, time] },
            rename("1", "request"),
            { "Key": "status", "Operate": "MAPPING", "Value": "2.1", "SchemeType": "INT64" },
            { "Key": "bytes", "Operate": "MAPPING", "Value": "2.2", "SchemeType": "INT64" },
            rename("5", "user_agent") ] } ] });
    assert_eq!(
        made(&file, line).unwrap(),
        r#"{"remote_addr":"1.2.3.4","time":"2022-02-26T22:25:33+08:00","request":"GET /a/b?x=1 HTTP/1.1","status":404,"bytes":177,"user_agent":"Mozilla/5.0 (X11)"}"#
    );
}

#[test]
fn e_a_tke_log() {
    let value = r#"{"@timestamp":1648803500.63659,"@filepath":"/var/log/tke-log-agent/test7/c816991f.log","log":"2022-04-01 16:58:20 hello",
        "kubernetes":{"pod_name":"nginx-0","namespace_name":"default","labels":"{\"k8s-app\":\"nginx\",\"qcloud-app\":\"nginx\"}",
        "annotations":{"tke.cloud.tencent.com/networks":"tke-bridge"}}}"#;
    let k8s = "$.kubernetes";
    let file = json!({ "FieldChain": [
        { "Analyse": { "Format": "JSON" } },
        { "Analyse": { "Format": "JSON", "InputValueType": "JSONPATH", "InputValue": k8s }, "SMT": [
            rename("log", "log"), rename("$.kubernetes.pod_name", "$.kubernetes.pod_name"),
            { "Key": "$.kubernetes.labels", "Operate": "MAPPING", "Value": "$.kubernetes.labels", "SchemeType": "MAP" },
            { "Key": "$.kubernetes.annotations", "Operate": "MAPPING", "Value": "$.kubernetes.annotations", "SchemeType": "MAP" } ] },
        { "Analyse": { "Format": "SOURCE" }, "SMT": [
            rename("log", "log"), rename("$.kubernetes.pod_name", "pod"), rename("$.kubernetes.labels.k8s-app", "app"),
            rename("$.kubernetes.annotations.tke.cloud.tencent.com/networks", "networks") ] } ] });
    let two = json!({ "FieldChain": [file["FieldChain"][0], file["FieldChain"][1]] });
    assert_eq!(
        made(&two, value).unwrap(),
        r#"{"log":"2022-04-01 16:58:20 hello","$.kubernetes.pod_name":"nginx-0","$.kubernetes.labels":{"k8s-app":"nginx","qcloud-app":"nginx"},"$.kubernetes.annotations.tke.cloud.tencent.com/networks":"tke-bridge"}"#
    );
    assert_eq!(
        made(&file, value).unwrap(),
        r#"{"log":"2022-04-01 16:58:20 hello","pod":"nginx-0","app":"nginx","networks":"tke-bridge"}"#
    );
    let all =
        json!({ "FieldChain": [file["FieldChain"][0], { "Analyse": file["FieldChain"][1]["Analyse"] }] });
    let all = made(&all, value).unwrap();
    assert!(all.starts_with(r#"{"@timestamp":1648803500.63659,"@filepath""#), "{all}");
    assert!(
        all.contains(r#""$.kubernetes.pod_name":"nginx-0","$.kubernetes.namespace_name":"default""#)
            && !all.contains("\"kubernetes\"")
    );
}

#[test]
fn f_json_in_a_string() {
    let value = r#"{"key":"{\"categories\":[\"dev\"],\"id\":\"6qwcrqjqtpqhnyhy\",\"n\":1.0}"}"#;
    let inner = json!({ "Format": "JSON", "InputValueType": "MAPPING", "InputValue": "key" });
    let file = json!({ "FieldChain": [{ "Analyse": { "Format": "JSON" } }, { "Analyse": inner }] });
    assert_eq!(
        made(&file, value).unwrap(),
        r#"{"key.categories":["dev"],"key.id":"6qwcrqjqtpqhnyhy","key.n":1.0}"#
    );
    let file = json!({ "FieldChain": [{ "Analyse": { "Format": "JSON" } }, { "Analyse": inner, "SMT": [
        rename("key.categories", "categories"), rename("key.id", "id") ] }] });
    assert_eq!(made(&file, value).unwrap(), r#"{"categories":["dev"],"id":"6qwcrqjqtpqhnyhy"}"#);
}

#[test]
fn a_mysql_change_in_debeziums_and_in_canals_form() {
    let debezium = r#"{"payload":{"before":null,"after":{"id":1,"name":"a"},
 "source":{"connector":"mysql","db":"d","table":"t","file":"binlog.000001","pos":4,"snapshot":"false"},"op":"c","ts_ms":1650000000000}}"#;
    let date = json!([{ "Type": "DATE", "Date": { "Format": "yyyy-MM-dd HH:mm:ss.SSS", "TargetType": "unix", "TimeZone": "UTC" } }]);
    let file = json!({ "FieldChain": [
        { "Analyse": { "Format": "JSON" }, "SMT": [
            { "Key": "table", "Operate": "JSONPATH", "Value": "$.concat($.payload.source.db, \".\", $.payload.source.table)" },
            { "Key": "op", "Operate": "JSONPATH", "Value": "$.payload.op" },
            { "Key": "at", "Operate": "JSONPATH", "Value": "$.payload.ts_ms", "ValueOperates": date },
            { "Key": "row", "Operate": "JSONPATH", "Value": "$.payload.after" } ] },
        { "Analyse": { "Format": "JSON", "InputValueType": "MAPPING", "InputValue": "row" } } ],
        "FilterParam": [{ "Key": "op", "MatchMode": "EXCEPT", "Value": "d" }] });
    assert_eq!(
        made(&file, debezium).unwrap(),
        r#"{"table":"d.t","op":"c","at":"2022-04-15 05:20:00.000","row.id":1,"row.name":"a"}"#
    );
    let canal = r#"{"data":[{"id":"1","name":"a"}],"database":"d","table":"t","type":"INSERT","pkNames":null,"ts":1650000000000}"#;
    let file = json_chain(&json!([
        { "Key": "table", "Operate": "JSONPATH", "Value": "$.concat($.database, '.', $.table)" },
        { "Key": "rows", "Operate": "MAPPING", "Value": "data" },
        { "Key": "id", "Operate": "JSONPATH", "Value": "$.data[0].id", "SchemeType": "INT64" } ]));
    assert_eq!(made(&file, canal).unwrap(), r#"{"table":"d.t","rows":[{"id":"1","name":"a"}],"id":1}"#);
}
