//! Selections: which matches a path has, and in which order.

use super::{STORE, value};
use crate::JsonPath;

#[test]
fn an_index_from_the_end_names_one_place() {
    let json = r#"{"l":[1,2,3],"n":[[4,{"a":"b"}],[]],"o":{},"t":"abc"}"#;
    for (path, expected) in [
        ("$.l[-1]", Some("3")),
        ("$.l[-3]", Some("1")),
        ("$.l[-4]", None),
        ("$.n[-2][-1].a", Some("\"b\"")),
        ("$.n[-1][-1]", None),
        ("$.o[-1]", None),
        ("$.t[-1]", None),
        ("$.x[-1]", None),
        ("$.l[-2:]", Some("[2,3]")),
        ("$.l[-1,0]", Some("[3,1]")),
    ] {
        assert_eq!(value(path, json).as_deref(), expected, "{path}");
    }
    let path = JsonPath::compile("$.store.book[-1].title").unwrap();
    assert!(path.is_definite());
    assert_eq!(path.select(STORE.as_bytes()).unwrap(), ["\"Moby\""]);
}

#[test]
fn several_selectors_are_applied_node_by_node() {
    for (path, json, expected) in [
        ("$.l[*].k[0,1].x", r#"{"l":[{"k":[{"x":1},{"x":5}]},{"k":[{"x":0}]}]}"#, "[1,5,0]"),
        ("$.l[*]['id','q']", r#"{"l":[{"id":1,"q":"x"},{"q":"y","id":2}]}"#, r#"[1,"x",2,"y"]"#),
        ("$..[0,'a']", r#"{"a":[1,{"a":2}]}"#, r#"[[1,{"a":2}],1,2]"#),
        ("$..['a','b']", r#"{"b":{"a":1},"a":{"b":2}}"#, r#"[{"b":2},{"a":1},1,2]"#),
        ("$[*][1,0,1]", "[[1,2],[3]]", "[2,1,2,3]"),
        ("$[*][?@>1,0]", "[[1,2],[3]]", "[2,1,3,3]"),
    ] {
        assert_eq!(value(path, json).as_deref(), Some(expected), "{path}");
    }
}

#[test]
fn slices_count_as_the_rfc_says() {
    for (path, expected) in [
        ("$[1:3]", "[1,2]"),
        ("$[5:]", "[5,6]"),
        ("$[1:5:2]", "[1,3]"),
        ("$[5:1:-2]", "[5,3]"),
        ("$[::-1]", "[6,5,4,3,2,1,0]"),
        ("$[::0]", "[]"),
        ("$[-100:100]", "[0,1,2,3,4,5,6]"),
        ("$[100:-100:-3]", "[6,3,0]"),
        ("$[ 1 : 3 ]", "[1,2]"),
        ("$[-2:]", "[5,6]"),
        ("$[3:3]", "[]"),
    ] {
        assert_eq!(value(path, "[0,1,2,3,4,5,6]").as_deref(), Some(expected), "{path}");
    }
    assert_eq!(value("$[0:1]", r#"{"0":1}"#).as_deref(), Some("[]"));
}

#[test]
fn a_function_behind_many_matches_is_applied_to_each() {
    let json = r#"{"m":[[1,2],[3]],"o":[{"a":1,"b":2},{"c":3},4],"s":["a","bc"],"e":[]}"#;
    for (path, expected) in [
        ("$.m[*].length()", Some("[2,1]")),
        ("$.o[*].length()", Some("[2,1,null]")),
        ("$.s[*].length()", Some("[1,2]")),
        ("$.o[*].keys()", Some(r#"[["a","b"],["c"],null]"#)),
        ("$.m[*].append(9)", Some("[[1,2,9],[3,9]]")),
        ("$.m[*].append(9).length()", Some("[3,2]")),
        ("$.s[*].append(9)", Some(r#"["a","bc"]"#)),
        ("$.s[*].concat('!')", Some(r#"["a!","bc!"]"#)),
        ("$.m[*].concat($.s[0])", Some(r#"["a","a"]"#)),
        ("$.e[*].length()", Some("[]")),
        ("$.e[*].concat('!')", Some("[]")),
        // An array each, as in Jayway; where Jayway fails, all matches together.
        ("$.m[*].sum()", Some("[3,3]")),
        ("$.m[*].first()", Some("[1,3]")),
        ("$.m[*].index(-1)", Some("[2,3]")),
        ("$.m[*].index(1)", Some("[2,null]")),
        ("$.m[0][*].sum()", Some("3")),
        ("$.s[*].last()", Some("\"bc\"")),
        // Behind `$..` all matches are one array, as Jayway turns the two around.
        ("$..a.length()", Some("1")),
        ("$..m.length()", Some("1")),
        ("$..s[*].concat('!')", Some("\"abc!\"")),
        ("$..a.append(2)", Some("[1,2]")),
    ] {
        assert_eq!(value(path, json).as_deref(), expected, "{path}");
    }
    let path = JsonPath::compile("$.m[*].length()").unwrap();
    assert_eq!(path.select(json.as_bytes()).unwrap(), ["2", "1"]);
}

#[test]
fn several_descents_are_bounded_and_the_error_names_the_limit() {
    let nested = |levels: usize| format!("{}1{}", r#"{"a":"#.repeat(levels), "}".repeat(levels));
    assert_eq!(value("$..a..a..a", &nested(4)).as_deref(), Some(r#"[{"a":1},1,1,1]"#));
    let deep = nested(120);
    let error = |path: &str| JsonPath::compile(path).unwrap().value(deep.as_bytes()).unwrap_err();
    let limit = 65_536 + 16 * deep.len();
    let report = error("$..a..a..a").report();
    assert!(report.contains(&format!("would have more than {limit} bytes")), "{report}");
    assert!(!report.contains("filter"), "{report}");
    let report = error("$..a..a..a..a..a").report();
    let limit = (1 << 20) + 2 * deep.len();
    assert!(report.contains(&format!("more than {limit} values")), "{report}");
}
