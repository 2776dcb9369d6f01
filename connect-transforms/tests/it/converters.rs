use crate::{batch, run};
use connect_core::Class;
use connect_transforms::InvalidUtf8;
use connect_transforms::converters::{
    Convert, ConvertHeaders, Converter, Encoding, Envelope, JsonConverter, JsonConverterConfig, Primitive,
    PrimitiveConverter, StringConverter, StringConverterConfig, StringForm,
};

/// What becomes of a value: text, null, or the reason why it is poison.
fn value(converter: impl Converter + 'static, bytes: &[u8]) -> Result<Option<String>, String> {
    result(Convert::value(converter), bytes)
}

fn back(converter: impl Converter + 'static, bytes: &[u8]) -> Result<Option<Vec<u8>>, String> {
    let done = run(Convert::value(converter).back(), batch([(None, Some(bytes))]));
    match done.rejected.first() {
        Some((_, error)) => Err(error.report()),
        None => Ok(done.batch.iter().next().expect("one record").value().map(<[u8]>::to_vec)),
    }
}

fn result(step: Convert, bytes: &[u8]) -> Result<Option<String>, String> {
    let done = run(step, batch([(None, Some(bytes))]));
    match done.rejected.first() {
        Some((_, error)) => {
            assert_eq!(error.class(), Class::Poison);
            Err(error.report())
        }
        None => Ok(done
            .batch
            .iter()
            .next()
            .expect("one record")
            .value()
            .map(|value| String::from_utf8_lossy(value).into_owned())),
    }
}

fn some(text: &str) -> Result<Option<String>, String> {
    Ok(Some(text.to_owned()))
}

#[test]
fn numbers_are_big_endian_and_of_an_exact_size() {
    let of = PrimitiveConverter::new;
    for (primitive, bytes, json) in [
        (Primitive::Short, &(-2_i16).to_be_bytes()[..], "-2"),
        (Primitive::Integer, &42_i32.to_be_bytes(), "42"),
        (Primitive::Long, &i64::MIN.to_be_bytes(), "-9223372036854775808"),
        (Primitive::Float, &0.1_f32.to_be_bytes(), "0.1"),
        (Primitive::Double, &1.0_f64.to_be_bytes(), "1.0"),
        (Primitive::Double, &f64::NEG_INFINITY.to_be_bytes(), "\"-Infinity\""),
        (Primitive::Boolean, &[1], "true"),
        (Primitive::Boolean, &[0], "false"),
    ] {
        assert_eq!(value(of(primitive), bytes), some(json));
        assert_eq!(back(of(primitive), json.as_bytes()), Ok(Some(bytes.to_vec())), "{json}");
    }
    for (primitive, bytes, says) in [
        (
            Primitive::Short,
            &[1][..],
            "deserialize short: Size of data received by ShortDeserializer is not 2",
        ),
        (Primitive::Integer, &[], "Size of data received by IntegerDeserializer is not 4"),
        (Primitive::Long, &[0; 9], "Size of data received by LongDeserializer is not 8"),
        (Primitive::Double, &[0; 4], "Size of data received by Deserializer is not 8"),
        (Primitive::Boolean, &[255], "Unexpected byte received by BooleanDeserializer: -1"),
    ] {
        let error = value(of(primitive), bytes).unwrap_err();
        assert!(
            error.starts_with("failed to convert the value: failed to ") && error.contains(says),
            "{error}"
        );
    }
    for (primitive, json) in [
        (Primitive::Short, "32768"),
        (Primitive::Integer, "1.5"),
        (Primitive::Float, "1e300"),
        (Primitive::Long, "\"1\""),
    ] {
        assert!(back(of(primitive), json.as_bytes()).is_err(), "{json}");
    }
    assert_eq!(back(of(Primitive::Long), b"null"), Ok(None));
}

#[test]
fn text_becomes_a_json_string_in_values_and_stays_text_in_keys() {
    let text = "say \"hi\"\n".as_bytes();
    assert_eq!(value(StringConverter::default(), text), some(r#""say \"hi\"\n""#));
    assert_eq!(back(StringConverter::default(), br#""say \"hi\"\n""#), Ok(Some(text.to_vec())));
    assert_eq!(back(StringConverter::default(), b"{\"a\":1}"), Ok(Some(b"{\"a\":1}".to_vec())));
    let done = run(Convert::key(StringConverter::default()), batch([(Some(&b"user-1"[..]), None)]));
    assert_eq!(done.batch.iter().next().unwrap().key(), Some(&b"user-1"[..]));
    let as_text =
        || StringConverterConfig { form: Some(StringForm::Text), ..StringConverterConfig::default() };
    assert_eq!(value(StringConverter::new(as_text()), text), some("say \"hi\"\n"));
}

#[test]
fn bytes_that_are_no_text_are_replaced_as_by_java_or_refused() {
    let config = |encoding, invalid| {
        StringConverter::new(StringConverterConfig { encoding, invalid, ..StringConverterConfig::default() })
    };
    assert_eq!(value(StringConverter::default(), b"a\xffb"), some("\"a\u{fffd}b\""));
    for (encoding, bytes) in [
        (Encoding::Utf8, &b"\xff"[..]),
        (Encoding::Ascii, b"\x80"),
        (Encoding::Utf16Be, b"\xd8\x00\x00a"),
        (Encoding::Utf16Le, b"a"),
    ] {
        assert!(value(config(encoding, InvalidUtf8::Fail), bytes).is_err(), "{encoding}");
        assert!(value(config(encoding, InvalidUtf8::Replace), bytes).unwrap().unwrap().contains('\u{fffd}'));
    }
    assert_eq!(value(config(Encoding::Latin1, InvalidUtf8::Fail), b"\xe9"), some("\"é\""));
    assert_eq!(
        value(config(Encoding::Utf16Be, InvalidUtf8::Fail), b"\x00a\xd8\x3d\xde\x00"),
        some("\"a😀\"")
    );
    for encoding in [Encoding::Latin1, Encoding::Utf16Be, Encoding::Utf16Le] {
        let there = value(
            config(encoding, InvalidUtf8::Fail),
            &back(config(encoding, InvalidUtf8::Fail), "\"é\"".as_bytes()).unwrap().unwrap(),
        );
        assert_eq!(there, some("\"é\""), "{encoding}");
    }
}

fn enveloped(envelope: Envelope) -> JsonConverter {
    JsonConverter::new(JsonConverterConfig { envelope, ..JsonConverterConfig::default() })
}

#[test]
fn an_envelope_is_stripped_or_kept_and_nothing_else_accepted() {
    let text =
        r#"{"schema":{"type":"string","optional":false}, "payload": {"b":1.0,"a":12345678901234567890}}"#;
    assert_eq!(
        value(enveloped(Envelope::Strip), text.as_bytes()),
        some(r#"{"b":1.0,"a":12345678901234567890}"#)
    );
    assert_eq!(value(enveloped(Envelope::Keep), text.as_bytes()), some(text));
    for wrong in ["{}", "1", r#"{"schema":null}"#, r#"{"schema":null,"payload":1,"x":2}"#] {
        let error = value(enveloped(Envelope::Strip), wrong.as_bytes()).unwrap_err();
        assert!(error.ends_with("set schemas.enable=false in your converter configuration."), "{error}");
    }
    assert!(value(enveloped(Envelope::Strip), b"").is_err());
}

#[test]
fn a_null_payload_is_null_its_default_or_an_error() {
    let of = |schema: &str| {
        value(enveloped(Envelope::Strip), format!(r#"{{"schema":{schema},"payload":null}}"#).as_bytes())
    };
    assert_eq!(of("null"), Ok(None));
    assert_eq!(of(r#"{"type":"int32","optional":true}"#), Ok(None));
    assert_eq!(of(r#"{"type":"int32","optional":true,"default":7}"#), some("7"));
    let required = of(r#"{"type":"double"}"#).unwrap_err();
    assert!(required.ends_with("Invalid null value for required FLOAT64 field"), "{required}");
    assert!(of("{}").unwrap_err().ends_with("Schema must contain 'type' field"));
}

#[test]
fn plain_json_keeps_its_bytes_and_null_is_null() {
    let plain = JsonConverter::schemaless;
    for text in [r#" {"a": 1.0} "#, "[1,2]", "\"x\"", "1e999"] {
        assert_eq!(value(plain(), text.as_bytes()), some(text));
    }
    for null in ["null", " null\n", "", "  "] {
        assert_eq!(value(plain(), null.as_bytes()), Ok(None), "{null:?}");
    }
    for wrong in [&b"{"[..], b"{} x", b"\"\xff\"", b"nul"] {
        assert!(value(plain(), wrong).is_err());
    }
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    assert!(value(plain(), deep.as_bytes()).is_ok());
    assert_eq!(
        back(enveloped(Envelope::Strip), b"[1]"),
        Ok(Some(br#"{"schema":null,"payload":[1]}"#.to_vec()))
    );
}

#[test]
fn null_passes_every_converter_and_headers_are_converted_on_their_own() {
    let done = run(Convert::value(PrimitiveConverter::new(Primitive::Long)), batch([(None, None)]));
    assert_eq!(done.batch.iter().next().unwrap().value(), None);
    let done = run(ConvertHeaders::new(), batch([(None, Some(&b"x"[..]))]));
    let record = done.batch.iter().next().unwrap();
    assert_eq!(
        (record.value(), record.headers().next()),
        (Some(&b"x"[..]), Some(("header", Some(&b"\"h\""[..]))))
    );
}
