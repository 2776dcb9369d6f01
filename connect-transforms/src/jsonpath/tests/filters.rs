//! Filters: the RFC's, and what Jayway adds to them.

use super::value;
use crate::JsonPath;

#[track_caller]
fn finds(path: &str, json: &str, expected: &str) {
    assert_eq!(value(path, json).as_deref(), Some(expected), "{path}");
}

#[test]
fn count_of_nothing_is_zero() {
    finds("$[?count(@.k)==0]", "[{}]", "[{}]");
    finds("$[?count(@.k)==0]", r#"[{"k":1},{}]"#, "[{}]");
    finds("$[?count(@.*)==0]", r#"[{},[],1,[2]]"#, "[{},[],1]");
    finds("$[?count(@['a','b'])==2]", r#"[{"a":1,"b":2},{"a":1}]"#, r#"[{"a":1,"b":2}]"#);
    finds("$[?count(@..a)>count($.x)]", r#"[{"b":{"a":1}},{}]"#, r#"[{"b":{"a":1}}]"#);
}

#[test]
fn a_filter_stands_directly_in_the_bracket_of_a_filter() {
    finds("$[?@[?@>1]]", "[[0],[0,2]]", "[[0,2]]");
    finds("$[?@[?@[?@>1]]]", "[[[0]],[[0,2]]]", "[[[0,2]]]");
    finds("$[?!@[?@>1]]", "[[0],[0,2]]", "[[0]]");
    finds("$[?count(@[?@>1])==1]", "[[0],[0,2],[2,2]]", "[[0,2]]");
}

#[test]
fn numbers_compare_exactly() {
    let json = r#"[{"id":1234567890123456788},{"id":1234567890123456789},{"id":12345678901234567890123},{"id":1.5},{"id":1e999}]"#;
    finds("$[?(@.id == 1234567890123456789)]", json, r#"[{"id":1234567890123456789}]"#);
    finds("$[?(@.id != 1234567890123456789)].id.length()", json, "[null,null,null,null]");
    finds("$[?(@.id > 1234567890123456788)].id", json, "[1234567890123456789,12345678901234567890123,1e999]");
    finds("$[?(@.id < 12345678901234567890124 && @.id > 2e20)].id", json, "[12345678901234567890123]");
    finds("$[?(@.id == 1.50)].id", json, "[1.5]");
    finds("$[?(@.id >= 1e999)].id", json, "[1e999]");
    finds("$[?(@ == 10)]", "[10,10.0,1e1,0.1e2,\"10\",-10]", "[10,10.0,1e1,0.1e2]");
    finds("$[?(@ == 0)]", "[0,-0,0.0,0e9,1e-9]", "[0,-0,0.0,0e9]");
    finds("$[?(@ < -1)]", "[-1,-1.5,-10,1,-0.9]", "[-1.5,-10]");
    finds("$[?(@ == 0.1)]", "[0.1,0.10000000000000001]", "[0.1]");
    finds("$[?(@ in [9007199254740993])]", "[9007199254740992,9007199254740993]", "[9007199254740993]");
}

#[test]
fn comparisons_follow_the_rfc() {
    finds(
        "$[?@.a == @.b]",
        r#"[{},{"a":1},{"a":1,"b":1},{"a":[1,{"x":2}],"b":[1,{"x":2.0}]}]"#,
        r#"[{},{"a":1,"b":1},{"a":[1,{"x":2}],"b":[1,{"x":2.0}]}]"#,
    );
    finds(
        "$[?@.a <= @.b]",
        r#"[{},{"a":null,"b":null},{"a":"x","b":"y"},{"a":1,"b":"y"},{"a":2,"b":1}]"#,
        r#"[{},{"a":null,"b":null},{"a":"x","b":"y"}]"#,
    );
    finds("$[?@.a == null]", r#"[{},{"a":null}]"#, r#"[{"a":null}]"#);
    finds("$[?@.a]", r#"[{},{"a":null},{"a":false}]"#, r#"[{"a":null},{"a":false}]"#);
    finds("$[?@ == true || @ == 'x' && @ != \"y\"]", r#"[true,"x","y"]"#, r#"[true,"x"]"#);
    finds("$[?!(@ == true || @ == 'x')]", r#"[true,"x","y"]"#, r#"["y"]"#);
    finds("$[?length(@) == 2]", r#"["äö",[1,2],{"a":1},7]"#, r#"["äö",[1,2]]"#);
    finds("$[?value(@..x) == 1]", r#"[{"a":{"x":1}},{"x":1,"b":{"x":1}}]"#, r#"[{"a":{"x":1}}]"#);
    finds("$[?@['a'][0] == '\\u00e9\\n']", r#"[{"a":["é\n"]}]"#, r#"[{"a":["é\n"]}]"#);
    finds("$[?search(@.a, 'b.d')]", r#"[{"a":"abcde"},{"a":"b\nd"},{"a":1}]"#, r#"[{"a":"abcde"}]"#);
}

const LIST: &str = r#"{"l":[{"q":"x","k":[1,2],"n":1},{"q":"X","k":[3],"n":2},{"q":"yx","k":[],"n":"2"},{}],"q":["x","yx"]}"#;

fn numbers(condition: &str) -> String {
    value(&format!("$.l[?({condition})].n"), LIST).unwrap()
}

#[test]
fn jayways_operators_are_understood() {
    for (condition, expected) in [
        ("@.q in ['x']", "[1]"),
        ("@.q IN [\"x\",'X']", "[1,2]"),
        ("@.q in $.q", r#"[1,"2"]"#),
        ("@.q in $.l[*].q", r#"[1,2,"2"]"#),
        ("'x' in $.q && @.n == 1", "[1]"),
        ("@.n in [2, 1.0]", "[1,2]"),
        ("@.k in [[3],[]]", r#"[2,"2"]"#),
        ("@.k == [1,2]", "[1]"),
        ("@.q nin ['x', 'X']", r#"["2"]"#),
        ("!(@.q in ['x'])", r#"[2,"2"]"#),
        ("@.q =~ /x/", "[1]"),
        ("@.q =~ /X/i", "[1,2]"),
        ("@.q =~ /.*X/i", r#"[1,2,"2"]"#),
        ("@.n =~ /[12]/", r#"[1,2,"2"]"#),
        ("/y.*/ =~ @.q", r#"["2"]"#),
        ("@.q =~ /x\\/y|x/", "[1]"),
        ("@.q =~ / X # or more/xi", "[1,2]"),
        ("@.k subsetof [1,2,3]", r#"[1,2,"2"]"#),
        ("@.k subsetof [2,1]", r#"[1,"2"]"#),
        ("@.k anyof [2,3]", "[1,2]"),
        ("@.k noneof [2]", r#"[2,"2"]"#),
        ("@.q anyof ['x']", "[]"),
        ("@.k contains 3", "[2]"),
        ("@.q contains 'x'", r#"[1,"2"]"#),
        ("@.k all [1,2]", "[1]"),
        ("@.k size 2", "[1]"),
        ("@.q size 2", r#"["2"]"#),
        ("@.k empty true", r#"["2"]"#),
        ("@.k empty false", "[1,2]"),
        ("@.n === 2", "[2]"),
        ("@.n !== 2", r#"[1,"2"]"#),
    ] {
        assert_eq!(numbers(condition), expected, "{condition}");
    }
    assert_eq!(value("$.l[?(@.q nin ['x','X','yx'])]", LIST).as_deref(), Some("[{}]"));
    finds("$[?(@ =~ /b./)]", r#"[["a","bc"],["a"],"bx",{"b":"bx"}]"#, r#"[["a","bc"],"bx"]"#);
    finds("$[?(@ =~ /a.c/s)]", r#"["a\nc","abc"]"#, r#"["a\nc","abc"]"#);
    finds("$[?(@.a empty true)]", r#"[{"a":{}},{"a":""},{"a":[0]},{"a":0}]"#, r#"[{"a":{}},{"a":""}]"#);
    finds("$[?(@ == {'a':[1,{\"b\":null}]})]", r#"[{"a":[1,{"b":null}]},{}]"#, r#"[{"a":[1,{"b":null}]}]"#);
}

#[test]
fn patterns_are_read_as_java_reads_them() {
    let json = r#"["é","1","\u0661","Kelvin","kelvin"]"#;
    finds(r"$[?(@ =~ /\w/)]", json, r#"["1"]"#);
    finds(r"$[?(@ =~ /\p{Alpha}+/)]", json, r#"["Kelvin","kelvin"]"#);
    finds(r"$[?(@ =~ /[a-z&&[^k]]+/ui)]", json, "[]");
    finds(r"$[?(@ =~ /KELVIN/iui)]", json, r#"["Kelvin","kelvin"]"#);
    finds(r"$[?match(@, '\\d')]", json, r#"["1"]"#);
}

#[test]
fn methods_stand_in_filters() {
    for (condition, expected) in [
        ("@.k.length() > 1", "[1]"),
        ("@.k.length() == 0", r#"["2"]"#),
        ("2 == @.k.size()", "[1]"),
        ("@.k.sum() == 3", "[1,2]"),
        ("@.k.first() < @.k.last()", "[1]"),
        ("@.q.concat('!') == 'x!'", "[1]"),
        ("@.k.append(7).length() == 2", "[2]"),
        ("@.k.length() < $.q.length()", r#"[2,"2"]"#),
        ("@.keys() contains 'q'", r#"[1,2,"2"]"#),
        ("@.k.max()", "[1,2]"),
        ("@.k[*].length() == [null]", "[2]"),
    ] {
        assert_eq!(numbers(condition), expected, "{condition}");
    }
    assert_eq!(value("$.l[?(@.k.length() == 2)].q", LIST).as_deref(), Some("[\"x\"]"));
}

#[test]
fn a_filter_that_means_nothing_is_refused_at_the_character() {
    for (path, at, reason) in [
        ("$[?@.* == 1]", 3, "one value"),
        ("$[?@..a.b == 1]", 3, "one value"),
        ("$[?length(@.*) > 1]", 10, "one value"),
        ("$[?length(@.a)]", 3, "compared"),
        ("$[?count(1) == 1]", 9, "path"),
        ("$[?count(@.a, @.b) == 1]", 12, "expected"),
        ("$[?true]", 3, "compared"),
        ("$[?match(@.a, 'x') == true]", 19, "expected"),
        ("$[?nope(@.a)]", 3, "no such function"),
        ("$[?@.a == 01]", 11, "expected"),
        ("$[?@.a == 'x]", 10, "not closed"),
        ("$[?@.a =~ 'x']", 10, "`/…/`"),
        ("$[?@.a =~ /x/q]", 13, "flag"),
        ("$[?@.a =~ /x", 10, "not closed"),
        ("$[?@.a =~ /(?=x)/]", 10, "look-around"),
        ("$[?@.a near 1]", 7, "in, nin"),
        ("$[?@.a in]", 9, "expected"),
        ("$[?(@.a == 1]", 12, "`)`"),
        ("$[?!@.a == 1]", 8, "expected"),
        ("$[?@.a == 1 &&]", 14, "expected"),
        ("$['\\q']", 2, "escape"),
        ("$['\\ud800']", 2, "escape"),
        ("$[01]", 3, "expected"),
        ("$[-0]", 2, "zero"),
        ("$[9007199254740992]", 2, "9007199254740991"),
        ("$[1:2:3:4]", 7, "expected"),
        ("$[0", 3, "not closed"),
    ] {
        let error = JsonPath::compile(path).unwrap_err();
        assert!(error.to_string().contains(reason), "{path}: {error}");
        assert_eq!(error.at(), at, "{path}: {error}");
    }
    for open in ["(", "!(", "@[?", "[", "{'a':", "length(", "@.a.concat("] {
        let deep = format!("$[?{}", open.repeat(5000));
        assert!(JsonPath::compile(&deep).is_err(), "{open}");
    }
}

#[test]
fn what_one_path_costs_is_bounded_in_its_functions_too() {
    let json = format!("[{}1]", "1,".repeat(20_000));
    for path in ["$[?@ == $.length()]", "$[?@ in $.append(2)]", "$[?@.concat($..*) == 'x']"] {
        let error = JsonPath::compile(path).unwrap().value(json.as_bytes()).unwrap_err();
        assert!(error.report().contains("more than 1128"), "{path}: {}", error.report());
    }
}
