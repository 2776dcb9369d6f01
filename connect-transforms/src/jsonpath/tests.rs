mod filters;
mod selection;

use super::*;
use proptest::prelude::*;

fn value(path: &str, json: &str) -> Option<String> {
    let path = JsonPath::compile(path).unwrap_or_else(|e| panic!("{e}"));
    path.value(json.as_bytes()).unwrap().map(Cow::into_owned)
}

const STORE: &str = r#"{"store":{"book":[
 {"category":"reference","title":"Sayings","price":8.95},
 {"category":"fiction","title":"Sword","price":12.99,"isbn":"0-553"},
 {"category":"fiction","title":"Moby","price":8.99}],
 "bicycle":{"color":"red","price":19.95}},"expensive":10}"#;

#[test]
fn rfc_paths_give_all_matches_and_definite_ones_the_value() {
    for (path, expected) in [
        ("$.store.bicycle.color", Some("\"red\"")),
        ("$['store'][\"book\"][1].title", Some("\"Sword\"")),
        ("$.store.book[-1].title", Some("\"Moby\"")),
        ("$.store.book[*].title", Some(r#"["Sayings","Sword","Moby"]"#)),
        ("$.store.book[0,2].price", Some("[8.95,8.99]")),
        ("$.store.book[:2].price", Some("[8.95,12.99]")),
        ("$.store.book[::2].price", Some("[8.95,8.99]")),
        ("$..price", Some("[8.95,12.99,8.99,19.95]")),
        ("$.store.book[?(@.price < 10)].title", Some(r#"["Sayings","Moby"]"#)),
        ("$.store.book[?@.price > $.expensive && @.isbn].title", Some(r#"["Sword"]"#)),
        ("$.store.book[?!@.isbn].title", Some(r#"["Sayings","Moby"]"#)),
        ("$.store.book[?match(@.title, 'S.*')].title", Some(r#"["Sayings","Sword"]"#)),
        ("$.store.book[?search(@.title, '^.o')].title", Some(r#"["Moby"]"#)),
        ("$.store.book[?length(@.title) == 4].title", Some(r#"["Moby"]"#)),
        ("$.store.book[?@.category in ['reference']].title", Some("[\"Sayings\"]")),
        ("$.nothing", None),
        ("$.nothing[*]", Some("[]")),
        ("$.expensive[0]", None),
        ("$.expensive", Some("10")),
    ] {
        assert_eq!(value(path, STORE).as_deref(), expected, "{path}");
    }
    assert_eq!(value("$", " [1.0, 2] ").as_deref(), Some("[1.0, 2]"));
}

#[test]
fn jayways_dialect_is_understood_where_the_product_documents_it() {
    let json = r#"{"kubernetes":{"labels":{"qcloud-app":"shop","k8s-app":"x"},"pod_name":"p"},"@timestamp":"t",
        "key1.key2":7,"0":"zero","a":{"b":[3,1.0,"x",12345678901234567890],"s":"h\u00e9llo","o":{"x":1,"\u0079":null}},
        "data":{"Response":{"SubnetSet":[{"VpcId":"vpc-1","SubnetId":"sub-2","CidrBlock":"10.0.0.0/8"}]}}}"#;
    for (path, expected) in [
        ("$.kubernetes.labels.qcloud-app", Some("\"shop\"")),
        ("$.['kubernetes'].['labels'].['k8s-app']", Some("\"x\"")),
        ("$.['key1.key2']", Some("7")),
        ("$.@timestamp", Some("\"t\"")),
        ("$.0", Some("\"zero\"")),
        ("$..qcloud-app", Some("[\"shop\"]")),
        ("$.kubernetes[?@.qcloud-app == 'shop'].k8s-app", Some("[\"x\"]")),
        ("$.kubernetes.*~", Some(r#"["labels","pod_name"]"#)),
        ("$.kubernetes[*]~", Some(r#"["labels","pod_name"]"#)),
        ("$.a.o.*~", Some(r#"["x","\u0079"]"#)),
        ("$.a[*].*~", Some(r#"["x","\u0079"]"#)),
        ("$.kubernetes.keys()", Some(r#"["labels","pod_name"]"#)),
        ("$.a.b.keys()", None),
        ("$.a.b.length()", Some("4")),
        ("$.a.o.length()", Some("2")),
        ("$.a.s.length()", Some("5")),
        ("$.a.b.min()", Some("1.0")),
        ("$.a.b.max()", Some("12345678901234567890")),
        ("$.sum($.a.b[0], $.a.b[1])", Some("4.0")),
        ("$.sum($.a.b[0], 9007199254740993)", Some("9007199254740996")),
        ("$.avg($.a.b[0:2])", Some("2.0")),
        ("$.stddev($.a.b[0:2])", Some("1.0")),
        ("$.a.b.first()", Some("3")),
        ("$.a.b.last()", Some("12345678901234567890")),
        ("$.a.b.index(2)", Some("\"x\"")),
        ("$.a.b.index(-2)", Some("\"x\"")),
        ("$.a.b.index(4)", None),
        ("$.a.b.append('y', 1)", Some(r#"[3,1.0,"x",12345678901234567890,"y",1]"#)),
        ("$.a.b.append('y').length()", Some("5")),
        ("$.none.append('y')", None),
        ("$.none.sum()", None),
        (
            "$.concat($.data.Response.SubnetSet[0].VpcId,\"#\",$.data.Response.SubnetSet[0].SubnetId,\"#\",$.data.Response.SubnetSet[0].CidrBlock))",
            Some("\"vpc-1#sub-2#10.0.0.0/8\""),
        ),
        ("$.concat($.a.b[0], ' \\'\"', $.none, null, true, $.a.s)", Some("\"3 '\\\"truehéllo\"")),
        ("$.a.s.concat('!')", Some("\"héllo!\"")),
    ] {
        assert_eq!(value(path, json).as_deref(), expected, "{path}");
    }
}

#[test]
fn an_expression_that_does_not_compile_is_an_error_at_the_character() {
    for (path, at, reason) in [
        ("", 0, "begins with `$`"),
        ("a.b", 0, "begins with `$`"),
        ("$.", 2, "expected a key"),
        ("$.a[", 4, "not closed"),
        ("$.a[b]", 4, "expected"),
        ("$.é.a[", 6, "not closed"),
        ("$.a b", 4, "the end"),
        ("$.a[?@.b-c ==]", 13, "expected"),
        ("$.a['x", 4, "not closed"),
        ("$.a['x'", 7, "not closed"),
        ("$.a.nope()", 4, "no such function"),
        ("$.a.length(1)", 4, "no argument"),
        ("$.a.index('x')", 4, "whole number"),
        ("$.a.concat($.b.nope())", 15, "no such function"),
        ("$.a.concat(x)", 11, "expected a path"),
        ("$.a.concat('\\q')", 11, "escape"),
        ("$.a.sum().b", 10, "only functions"),
        ("$.a~", 3, "stands behind"),
        ("$.*~.a", 4, "nothing may follow"),
        ("$[?match(@.a, @.b)]", 3, "must stand here"),
        ("$[?match(@.a, '(?=x)')]", 3, "look-around"),
        ("$[?match(@.a, 'a{1000}{1000}')]", 3, "bytes"),
        ("$.a)", 3, "the end"),
    ] {
        let error = JsonPath::compile(path).unwrap_err();
        assert!(error.to_string().contains(reason), "{path}: {error}");
        assert_eq!(error.at(), at, "{path}: {error}");
    }
    let deep = format!("${}", "[?@".repeat(1000));
    assert!(JsonPath::compile(&deep).is_err());
    assert!(JsonPath::compile(&"$.concat(".repeat(1000)).is_err());
}

#[test]
fn what_is_not_json_is_poison_with_the_byte() {
    let path = JsonPath::compile("$..a").unwrap();
    for (text, reason) in [(&b"{\"a\":"[..], "byte 5"), (b"\xff", "UTF-8 at byte 0"), (b"", "byte 0")] {
        let error = path.value(text).unwrap_err();
        assert_eq!(error.class(), connect_core::Class::Poison);
        assert!(error.report().contains(reason), "{}", error.report());
    }
}

#[test]
fn a_hundred_thousand_children_take_linear_time() {
    let elements: Vec<String> = (0..100_000).map(|n| format!(r#"{{"id":{n},"name":"n{n}"}}"#)).collect();
    let json = format!(r#"{{"limit":99990,"list":[{}]}}"#, elements.join(","));
    let count = |path: &str| JsonPath::compile(path).unwrap().select(json.as_bytes()).unwrap().len();
    assert_eq!(count("$.list[?@.id >= $.limit].id"), 10);
    assert_eq!(count("$.list[?match(@.name, 'n9999.')].id"), 10);
    assert_eq!(value("$..name.length()", &json).as_deref(), Some("100000"));
    assert_eq!(value("$.list[99999].id", &json).as_deref(), Some("99999"));
    let members: Vec<String> = (0..100_000).map(|n| format!("\"k{n}\":{n}")).collect();
    let json = format!("{{{}}}", members.join(","));
    assert_eq!(value("$[?@ == $.k777]", &json).as_deref(), Some("[777]"));
}

#[test]
fn work_that_is_not_linear_ends_with_an_error() {
    let json = format!("[{}1]", "1,".repeat(50_000));
    for path in ["$[?$[?@ == 2]]", "$[?@ == 2 || none_of($, $)]", "$[?count($.*) == 1]"] {
        let error = JsonPath::compile(path).unwrap().value(json.as_bytes()).unwrap_err();
        assert!(error.report().contains("would look at more than"), "{}", error.report());
    }
}

#[test]
fn a_long_key_is_not_copied_for_each_of_its_children() {
    let json = format!("{{\"{}\":[{}1]}}", "k".repeat(1 << 20), "1,".repeat(200_000));
    let path = JsonPath::compile("$.*.*").unwrap();
    assert_eq!(path.select(json.as_bytes()).unwrap().len(), 200_001);
}

#[test]
fn nesting_is_limited_where_a_tree_is_needed_and_only_there() {
    let nested = |levels: usize| format!(r#"{{"a":{}1{}}}"#, "[".repeat(levels), "]".repeat(levels));
    let path = JsonPath::compile("$..[0]").unwrap();
    assert!(path.value(nested(127).as_bytes()).is_ok());
    assert!(path.value(nested(128).as_bytes()).unwrap_err().report().contains("128 levels"));
    assert!(path.value(nested(100_000).as_bytes()).is_err());
    assert_eq!(value("$.a", &nested(100_000)).map(|value| value.len()), Some(200_001));
}

/// The deepest tree that is allowed takes less than half of the smallest stack in use: without optimisation too.
#[test]
fn the_deepest_tree_fits_half_a_stack_of_two_mebibytes() {
    let levels = crate::json::tree::DEPTH_MAX;
    let json = format!("{}1{}", r#"{"a":["#.repeat(levels / 2), "]}".repeat(levels / 2));
    let walk = move || {
        for path in ["$..a", "$..*", "$..[?@.a]", "$[?@ == $.a]", "$..[?@..a[?@ == $.a]]"] {
            let path = JsonPath::compile(path).unwrap();
            let _ = path.value(json.as_bytes()).unwrap();
        }
    };
    std::thread::Builder::new().stack_size(1 << 20).spawn(walk).unwrap().join().unwrap();
}

#[test]
fn numbers_beyond_all_machine_types_are_kept_and_compared_as_text() {
    let json = "[1e999,12345678901234567890123,1.10,-0]";
    assert_eq!(value("$[*]", json).as_deref(), Some(json));
    assert_eq!(value("$[?@ == $[0]]", json).as_deref(), Some("[1e999]"));
    assert!(JsonPath::compile("$.sum()").unwrap().value(json.as_bytes()).is_err());
}

proptest! {
    #[test]
    fn no_expression_makes_the_compiler_panic(source in "[$@.\\[\\]()a'\"*?~, :0-9=<&|!-]{0,24}|\\PC{0,12}") {
        let _ = JsonPath::compile(&source);
        let _ = JsonPath::compile(&format!("${source}"));
    }

    #[test]
    fn a_definite_path_finds_what_jsonpath_rust_finds(
        json in "[{][\"](a|b)[\"]:([0-9]|\\[1,[{]\"a\":2[}]\\]|[{]\"b\":[{]\"a\":\\[\\][}][}]),\"c\":[0-9][}]",
        path in "[$]([.](a|b|c)|\\[[0-2]\\]){0,4}",
    ) {
        let tree: serde_json::Value = serde_json::from_str(&json).unwrap();
        let expected = jsonpath_rust::JsonPath::query(&tree, &path).unwrap();
        let found = value(&path, &json);
        prop_assert_eq!(found.map(|found| serde_json::from_str(&found).unwrap()), expected.first().map(|v| (*v).clone()));
    }
}
