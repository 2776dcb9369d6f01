//! Choices that Kafka does not have: empty objects, equal names and dots in keys.

use super::{becomes, flat};
use crate::{Arrays, Collisions, EmptyObjects, Flatten};

#[test]
fn empty_objects_are_kept_dropped_or_null() {
    let json = r#"{"user":{},"a":{"b":{ },"c":[{}],"d":1},"e":{"f":{}}}"#;
    let value = || Flatten::value();
    becomes(&value(), json, r#"{"user":{},"a.b":{},"a.c":[{}],"a.d":1,"e.f":{}}"#);
    becomes(&value().empty_objects(EmptyObjects::Drop), json, r#"{"a.c":[{}],"a.d":1}"#);
    let null = value().empty_objects(EmptyObjects::Null);
    becomes(&null, json, r#"{"user":null,"a.b":null,"a.c":[{}],"a.d":1,"e.f":null}"#);
    becomes(&null, "{}", "{}");
    becomes(&null.clone().max_depth(1), r#"{"a":{"b":{}},"c":{}}"#, r#"{"a.b":{},"c":null}"#);
    let drop = value().empty_objects(EmptyObjects::Drop);
    becomes(&drop, r#"{"a":{}}"#, "{}");
    becomes(&drop, r#"{"a":{"b":{}},"c":1}"#, r#"{"c":1}"#);
    becomes(&drop.max_depth(0), r#"{"a":{}}"#, r#"{"a":{}}"#);
}

#[test]
fn of_fields_with_one_name_the_first_or_the_last_stays() {
    let first = Flatten::value().on_collision(Collisions::First);
    let last = Flatten::value().on_collision(Collisions::Last);
    for (json, of_first, of_last) in [
        (r#"{"a":{"b":1},"a.b":2}"#, r#"{"a.b":1}"#, r#"{"a.b":2}"#),
        (r#"{"a":1,"b":[2,"}"],"a":3}"#, r#"{"a":1,"b":[2,"}"]}"#, r#"{"b":[2,"}"],"a":3}"#),
        (r#"{"a":1,"a":2,"a":3,"b":4}"#, r#"{"a":1,"b":4}"#, r#"{"a":3,"b":4}"#),
        (
            r#"{"x":0,"a":{"k":[1, 2]},"y":1,"a.k":{"z":1},"a":{"k":"last"}}"#,
            r#"{"x":0,"a.k":[1, 2],"y":1,"a.k.z":1}"#,
            r#"{"x":0,"y":1,"a.k.z":1,"a.k":"last"}"#,
        ),
        (r#"{"\u0061":1,"a":2}"#, r#"{"a":1}"#, r#"{"a":2}"#),
        (r#"{"a":1,"b":1,"a":2,"b":2,"a":3}"#, r#"{"a":1,"b":1}"#, r#"{"b":2,"a":3}"#),
    ] {
        becomes(&first, json, of_first);
        becomes(&last, json, of_last);
    }
    assert!(flat(&Flatten::value(), r#"{"a":{"b":1},"a.b":2}"#).is_err());
}

#[test]
fn the_last_of_many_equal_names_costs_linear_time() {
    let fields: Vec<String> = (0..100_000).map(|n| format!("\"a{}\":{n}", n % 3)).collect();
    let last = Flatten::value().on_collision(Collisions::Last);
    becomes(&last, &format!("{{{}}}", fields.join(",")), r#"{"a1":99997,"a2":99998,"a0":99999}"#);
}

#[test]
fn dots_in_keys_are_replaced() {
    let json = r#"{"labels":{"app":"a","app.kubernetes.io/name":"b"},"x.y":{"z\u002e":1}}"#;
    let value = Flatten::value().key_dots("_");
    becomes(&value, json, r#"{"labels.app":"a","labels.app_kubernetes_io/name":"b","x_y.z_":1}"#);
    becomes(&value.delimiter("/"), r#"{"a.b":{"c.d":[{"e.f":1}]}}"#, r#"{"a_b/c_d":[{"e.f":1}]}"#);
    becomes(&Flatten::value().key_dots("\""), r#"{"a.b":1}"#, r#"{"a\"b":1}"#);
    becomes(&Flatten::value().key_dots(""), r#"{"a.b":1}"#, r#"{"ab":1}"#);
    let error = flat(&Flatten::value().key_dots("_"), r#"{"a.b":1,"a_b":2}"#).unwrap_err();
    assert!(error.contains("\"a_b\""), "{error}");
    let long = Flatten::value().key_dots(&"x".repeat(100_000));
    assert!(flat(&long, r#"{"a.b":1}"#).unwrap_err().contains("would have more than"));
}

#[test]
fn dots_are_replaced_with_a_schema_too() {
    let field = |name: &str| format!(r#"{{"type":"int32","optional":false,"field":"{name}"}}"#);
    let json = |name: &str| {
        let inner =
            format!(r#"{{"type":"struct","fields":[{}],"optional":false,"field":"x.y"}}"#, field(name));
        format!(
            r#"{{"schema":{{"type":"struct","fields":[{inner}],"optional":false}},"payload":{{"x.y":{{"{name}":1}}}}}}"#
        )
    };
    let flattened = flat(&Flatten::value().key_dots("_"), &json("a.b")).unwrap();
    assert!(flattened.contains(r#""field":"x_y.a_b""#), "{flattened}");
    assert!(flattened.ends_with(r#""payload":{"x_y.a_b":1}}"#), "{flattened}");
}

#[test]
fn arrays_of_objects_become_an_array_for_each_field() {
    let fields = Flatten::value().arrays(Arrays::Fields);
    for (json, expected) in [
        (r#"{"items":[{"id":1},{"id":2}]}"#, r#"{"items.id":[1,2]}"#),
        (
            r#"{"x":0,"items":[ {"id": 1, "n":"a"}, {"id":2,"o":{"p":1.0}} , {} ],"y":1}"#,
            r#"{"x":0,"items.id":[1,2],"items.n":["a"],"items.o.p":[1.0],"items":[{}],"y":1}"#,
        ),
        (r#"{"a":[{"b":[{"c":1},{"c":2}]},{"b":[{"c":3}],"d":4}]}"#, r#"{"a.b.c":[1,2,3],"a.d":[4]}"#),
        (r#"{"a":[{"b":{"c":[{"d":1}]}}],"e":[{"f":2}]}"#, r#"{"a.b.c.d":[1],"e.f":[2]}"#),
        // What is no array of objects is a value.
        (
            r#"{"a":[1,2],"b":[],"c":[[{"d":1}]],"e":[3,{"f":4}]}"#,
            r#"{"a":[1,2],"b":[],"c":[[{"d":1}]],"e":[3,{"f":4}]}"#,
        ),
        (r#"{"p":[{"at":[1,2],"l":[]},{"at":[3,4]}]}"#, r#"{"p.at":[[1,2],[3,4]],"p.l":[[]]}"#),
        (r#"{"a":[{"id":1},2,[{"b":3}],null,{"id":4}]}"#, r#"{"a.id":[1,4],"a":[2,[{"b":3}],null]}"#),
        (r#"{"a":[{"b":1,"b":2},{"b.c":3,"b":{"c":4}}]}"#, r#"{"a.b":[1,2],"a.b.c":[3,4]}"#),
        ("{\"a\":[\n{\"b\":[1,\n2]},{\"\\u0062\":\"]\"}]}", r#"{"a.b":[[1,2],"]"]}"#),
    ] {
        becomes(&fields, json, expected);
    }
    becomes(&fields.clone().delimiter("__"), r#"{"a":[{"b":1},2]}"#, r#"{"a__b":[1],"a":[2]}"#);
    becomes(&fields.clone().key_dots("_"), r#"{"a.b":[{"c.d":1},2]}"#, r#"{"a_b.c_d":[1],"a_b":[2]}"#);
}

#[test]
fn the_other_choices_hold_in_arrays_of_objects_too() {
    let fields = Flatten::value().arrays(Arrays::Fields);
    let json = r#"{"a":[{},{"b":{}},{"b":1}]}"#;
    becomes(&fields, json, r#"{"a":[{}],"a.b":[{},1]}"#);
    becomes(&fields.clone().empty_objects(EmptyObjects::Drop), json, r#"{"a.b":[1]}"#);
    becomes(&fields.clone().empty_objects(EmptyObjects::Null), json, r#"{"a":[null],"a.b":[null,1]}"#);
    let json = r#"{"a":[{"b":{"c":{"d":1}}},{"b":{"c":{}}}]}"#;
    becomes(&fields.clone().max_depth(0), json, json);
    becomes(&fields.clone().max_depth(1), json, r#"{"a.b":[{"c":{"d":1}},{"c":{}}]}"#);
    becomes(&fields.clone().max_depth(2), json, r#"{"a.b.c":[{"d":1},{}]}"#);
    becomes(&fields.clone().max_depth(3), json, r#"{"a.b.c.d":[1],"a.b.c":[{}]}"#);
    let json = r#"{"a":[{"b":1}],"a.b":2,"c":3,"c":[{"d":4},5]}"#;
    assert!(flat(&fields, json).unwrap_err().contains("\"a.b\""));
    becomes(&fields.clone().on_collision(Collisions::First), json, r#"{"a.b":[1],"c":3,"c.d":[4]}"#);
    becomes(&fields.on_collision(Collisions::Last), json, r#"{"a.b":2,"c.d":[4],"c":[5]}"#);
}

#[test]
fn an_array_of_objects_costs_linear_time_and_its_names_are_bounded() {
    let fields = Flatten::value().arrays(Arrays::Fields);
    let elements: Vec<String> = (0..100_000).map(|n| format!("{{\"k{}\":{n}}}", n % 50_000)).collect();
    let flattened = flat(&fields, &format!("{{\"a\":[{}]}}", elements.join(","))).unwrap();
    assert!(flattened.starts_with(r#"{"a.k0":[0,50000],"a.k1":[1,50001],"#));
    let levels = 20_000;
    let json = format!("{}1{}", "{\"a\":[".repeat(levels).replace("[{", "[ {"), "]}".repeat(levels));
    let error = flat(&fields, &json.replacen("[1]", "[{}]", 1)).map(|flat| flat.len());
    assert_eq!(error, Ok(2 * levels - 1 + "{\"\":[{}]}".len()));
    let json = format!("{{\"{}\":[{}{{\"a\":1}}]}}", "k".repeat(100_000), "{\"a\":1},".repeat(10_000));
    assert!(flat(&fields, &json).unwrap_err().contains("would have more than"));
    for broken in
        [r#"{"a":[{"b":1}"#, r#"{"a":[{"b":1}}"#, r#"{"a":[{"b":1},]}"#, r#"{"a":[{]}"#, r#"{"a":[{"b":1"#]
    {
        assert!(flat(&fields, broken).is_err(), "{broken}");
        becomes(&fields, r#"{"a":[{"c":1}]}"#, r#"{"a.c":[1]}"#);
    }
}
