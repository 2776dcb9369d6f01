/// How often each difference that is meant occurs; the README's table says what it is.
const MEANT: [(&str, usize); 19] = [
    ("cast-default", 1),
    ("cast-whole-logical", 2),
    ("choices-in-any-case", 12),
    ("flatten-empty", 11),
    ("float-digits", 5),
    ("header-literal", 21),
    ("mask-decimal", 2),
    ("metadata-non-struct", 9),
    ("regex-groups", 83),
    ("schemaless-dates", 25),
    ("unix-exact", 3),
    ("unwrap-adds-objects", 23),
    ("unwrap-dropped-and-deleted", 2),
    ("unwrap-dropped-and-null", 3),
    ("unwrap-no-object", 35),
    ("unwrap-plain-key", 1),
    ("unwrap-replaces", 2),
    ("unwrap-schemaless", 29),
    ("unwrap-tombstone", 49),
];

/// Which of the differences that are meant this one is.
fn name_of(vector: &Vector<'_>, ours: &Ours) -> Option<&'static str> {
    let kafka = vector.err.as_ref().map_or("", |error| error.msg.as_str());
    let transform = vector.t.split('$').next().unwrap_or_default();
    let value = |out: &Out| if vector.t.ends_with("$Key") { out.k.clone() } else { out.v.clone() };
    let values = match (&vector.out, ours) {
        (Some(kafka), Ours::Out(ours)) => value(kafka).zip(value(ours)),
        _ => None,
    };
    let is_ours = matches!(ours, Ours::Out(_));
    if transform == "ExtractNewRecordState" {
        return unwrap_name(vector, kafka, ours);
    }
    match transform {
        "Cast" if values.as_ref().is_some_and(|(kafka, ours)| same_floats(kafka, ours)) => Some("float-digits"),
        "Cast" if is_ours && kafka.starts_with("Invalid type for ") => Some("cast-whole-logical"),
        "Cast" if is_ours && kafka == "Invalid default value" => Some("cast-default"),
        "Flatten" if values.as_ref().is_some_and(|(kafka, ours)| alike(kafka, &without_empty(ours))) => {
            Some("flatten-empty")
        }
        "InsertHeader" if headers_but_the_last(vector, ours) => Some("header-literal"),
        "MaskField" if is_ours && kafka.starts_with("Decimal value has mismatching scale") => Some("mask-decimal"),
        "RegexRouter" if matches!(ours, Ours::Config(why) if why.contains("No group")) => Some("regex-groups"),
        "SetSchemaMetadata" if is_ours && kafka.starts_with("Cannot list fields on non-struct") => {
            Some("metadata-non-struct")
        }
        "TimestampConverter" if kafka.starts_with("Invalid value date for configuration") => Some("choices-in-any-case"),
        "TimestampConverter" if is_ours && kafka.starts_with("Java class class java.util.Date") => {
            Some("schemaless-dates")
        }
        "TimestampConverter" if is_ours && kafka.contains("should not have any time fields") => {
            Some("dates-out-of-range")
        }
        "TimestampConverter" if is_ours && vector.c["target.type"] == "unix" => Some("unix-exact"),
        _ => None,
    }
}

/// Debezium's unwrap.
fn unwrap_name(vector: &Vector<'_>, kafka: &str, ours: &Ours) -> Option<&'static str> {
    let fails = [
        // A field of an object that the event's schema does not have.
        ("\"org.apache.kafka.connect.data.Field.schema()\" because", "unwrap-no-object"),
        ("Struct schemas do not match", "unwrap-adds-objects"),
        ("Cannot create field because of field name duplication", "unwrap-replaces"),
        ("\"org.apache.kafka.connect.data.Schema.fields()\" because", "unwrap-dropped-and-deleted"),
        ("Only Struct objects supported for [field replacement]", "unwrap-plain-key"),
        ("Cannot list fields on non-struct type", "unwrap-plain-key"),
    ];
    let failed = fails.into_iter().find(|(text, _)| kafka.contains(text)).map(|(_, name)| name);
    if failed.is_some() {
        return failed.filter(|_| !matches!(ours, Ours::Refused(_) | Ours::Config(_)));
    }
    if let (Some(kafka), Ours::Out(ours)) = (&vector.out, ours)
        && kafka.v.as_ref().is_some_and(|value| is_envelope(value) && value["payload"].is_null())
    {
        let without_schema = Out { v: None, ..kafka.clone() };
        return same_out(&without_schema, ours).then_some("unwrap-tombstone");
    }
    if !vector.s {
        let passes = vector.out.as_ref().is_some_and(|kafka| kafka.v == json(vector.v.map(|v| v.get().as_bytes())));
        return passes.then_some("unwrap-schemaless");
    }
    let keeps_null = vector.c.get("replace.null.with.default").is_some_and(|value| value == "false");
    (keeps_null && vector.c.contains_key("drop.fields.header.name")).then_some("unwrap-dropped-and-null")
}

/// Equal but for the value of the header that stands last.
fn headers_but_the_last(vector: &Vector<'_>, ours: &Ours) -> bool {
    let (Some(kafka), Ours::Out(ours)) = (&vector.out, ours) else { return false };
    let (mut kafka, mut ours) = (kafka.clone(), (**ours).clone());
    let names = (kafka.h.pop().map(|header| header.0), ours.h.pop().map(|header| header.0));
    names.0.is_some() && names.0 == names.1 && same_out(&kafka, &ours)
}

/// Equal but for the digits of numbers that are the same 32-bit float.
fn same_floats(a: &Value, b: &Value) -> bool {
    #[allow(clippy::cast_possible_truncation, reason = "to compare as the narrower type")]
    fn narrow(value: &Value) -> Value {
        match value {
            Value::Number(number) if number.is_f64() => Value::from(number.as_f64().unwrap() as f32),
            Value::Array(items) => items.iter().map(narrow).collect(),
            Value::Object(object) => {
                Value::Object(object.iter().map(|(key, value)| (key.clone(), narrow(value))).collect())
            }
            other => other.clone(),
        }
    }
    same(&narrow(a), &narrow(b))
}

/// Without the members that are empty objects.
fn without_empty(value: &Value) -> Value {
    let empty = |value: &Value| value.as_object().is_some_and(serde_json::Map::is_empty);
    let members = value.as_object().into_iter().flatten().filter(|(_, value)| !empty(value));
    Value::Object(members.map(|(key, value)| (key.clone(), value.clone())).collect())
}
