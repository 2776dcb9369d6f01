/// How often each difference that is meant occurs; the README's table says what it is.
const MEANT: [(&str, usize); 11] = [
    ("cast-default", 1),
    ("cast-whole-logical", 2),
    ("choices-in-any-case", 12),
    ("flatten-empty", 11),
    ("float-digits", 5),
    ("header-literal", 27),
    ("mask-decimal", 1),
    ("metadata-non-struct", 9),
    ("regex-groups", 83),
    ("schemaless-dates", 25),
    ("unix-exact", 3),
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
