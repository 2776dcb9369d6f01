use super::*;
use proptest::prelude::*;
use serde_json::value::RawValue;

fn scan(text: &[u8]) -> Result<(), SyntaxError> {
    let mut scanner = Scanner::new(text)?;
    scanner.value(&mut Vec::new())?;
    scanner.end()
}

/// What `serde_json` says: grammar by `RawValue`, which does not look at a number's range, and every string read.
fn serde_accepts(text: &[u8]) -> bool {
    let strings_are_fine = |value: &RawValue| match value.get().as_bytes()[0] {
        b'"' => serde_json::from_str::<String>(value.get()).is_ok(),
        b'[' => serde_json::from_str::<Vec<&RawValue>>(value.get())
            .is_ok_and(|items| items.iter().all(|item| serde_accepts(item.get().as_bytes()))),
        b'{' => serde_json::from_str::<Members<'_>>(value.get())
            .is_ok_and(|members| members.0.iter().all(|item| serde_accepts(item.get().as_bytes()))),
        _ => true,
    };
    serde_json::from_slice::<&RawValue>(text).is_ok_and(strings_are_fine)
}

/// The values of an object whose keys were all read as strings.
struct Members<'a>(Vec<&'a RawValue>);

impl<'de> serde::Deserialize<'de> for Members<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((_, value)) = map.next_entry::<String, &RawValue>()? {
                    members.push(value);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

#[test]
fn each_kind_of_mistake_has_its_name_and_place() {
    use SyntaxError::{Control, End, Escape, Expected, Number, Surrogate, Trailing, Utf8};
    let cases: &[(&[u8], SyntaxError)] = &[
        (b"", End(0)),
        (b" \n ", End(3)),
        (b"\xef\xbb\xbf{}", Expected(0, "a value")),
        (b"{\"a\":\"\xff\"}", Utf8(6)),
        (b"{", End(1)),
        (b"[", End(1)),
        (b"{\"a\"", End(4)),
        (b"{\"a\":", End(5)),
        (b"{\"a\":1", End(6)),
        (b"{\"a\":1,}", Expected(7, "a key in quotes")),
        (b"{a:1}", Expected(1, "a key in quotes")),
        (b"{\"a\" 1}", Expected(5, "`:`")),
        (b"{\"a\":1 \"b\":2}", Expected(7, "`,` or `}`")),
        (b"[1,]", Expected(3, "a value")),
        (b"[1}", Expected(2, "`,` or `]`")),
        (b"{\"a\":1]", Expected(6, "`,` or `}`")),
        (b"[,1]", Expected(1, "a value")),
        (b"]", Expected(0, "a value")),
        (b"\"abc", End(4)),
        (b"\"a\nb\"", Control(2)),
        (b"\"\x1f\"", Control(1)),
        (b"\"\\x\"", Escape(1)),
        (b"\"\\", End(2)),
        (b"\"\\u12\"", Escape(1)),
        (b"\"\\u12g4\"", Escape(1)),
        (b"\"\\u+123\"", Escape(1)),
        (b"\"\\ud800\"", Surrogate(1)),
        (b"\"\\udc00\"", Surrogate(1)),
        (b"\"\\ud800\\n\"", Surrogate(1)),
        (b"\"\\ud800\\ud800\"", Surrogate(1)),
        (b"\"\\ud800\\u12\"", Escape(7)),
        (b"-", Number(0)),
        (b"+1", Expected(0, "a value")),
        (b".5", Expected(0, "a value")),
        (b"1.", Number(0)),
        (b"-.5", Number(0)),
        (b"1e", Number(0)),
        (b"1e+", Number(0)),
        (b"01", Trailing(1)),
        (b"1.5.5", Trailing(3)),
        (b"NaN", Expected(0, "a value")),
        (b"nul", Expected(0, "`null`")),
        (b"truE", Expected(0, "`true`")),
        (b"fals", Expected(0, "`false`")),
        (b"nulll", Trailing(4)),
        (b"{} x", Trailing(3)),
        (b"{}{}", Trailing(2)),
        (b"{}\0", Trailing(2)),
    ];
    for (text, expected) in cases {
        assert_eq!(scan(text), Err(*expected), "{:?}", String::from_utf8_lossy(text));
        assert!(!serde_accepts(text), "{:?}", String::from_utf8_lossy(text));
    }
}

#[test]
fn what_is_json_passes() {
    for text in [
        "0",
        "-0",
        "1e5",
        "1E-5",
        "-12.50e+07",
        "1e999",
        "123456789012345678901234567890",
        "true",
        "false",
        "null",
        "\"\"",
        "[]",
        "{}",
        " [ ] ",
        "\t{\r\n}\n",
        r#"{"":{"":[{}]}}"#,
        r#"["\ud83d\ude00 \u0000 \/ \"", "😀"]"#,
        "\"\u{7f}\u{2028}\"",
        r#"{"a":1,"a":2}"#,
        "[[[[[]]]],{\"a\":[{\"b\":null}]}]",
    ] {
        assert_eq!(scan(text.as_bytes()), Ok(()), "{text}");
        assert!(serde_accepts(text.as_bytes()), "{text}");
    }
}

#[test]
fn a_special_byte_is_found_wherever_it_stands() {
    for special in [b'"', b'\\', 0, 0x1f] {
        for length in 0..40 {
            for at in 0..length {
                let mut bytes = vec![b'!'; length];
                bytes[at] = special;
                // What follows must not hide it, nor be taken for it.
                bytes[at + 1..].fill(b'"');
                assert_eq!(find_special(&bytes, 0), at);
            }
        }
    }
    let harmless: Vec<u8> = (0x20..=0xff).filter(|byte| !b"\"\\".contains(byte)).collect();
    for from in 0..harmless.len() {
        assert_eq!(find_special(&harmless, from), harmless.len());
    }
}

#[test]
fn nesting_is_limited_by_memory_only() {
    let levels = 1_000_000;
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let whole = [open.repeat(levels), "1".into(), close.repeat(levels)].concat();
        assert_eq!(scan(whole.as_bytes()), Ok(()));
        let cut = &whole.as_bytes()[..whole.len() - 1];
        assert_eq!(scan(cut), Err(SyntaxError::End(cut.len())));
    }
}

#[test]
fn a_value_is_returned_as_it_stands() {
    let text = br#" [ 1.50 ,{"k" : "\u0041"} ] "#;
    let mut scanner = Scanner::new(text).unwrap();
    let span = scanner.value(&mut Vec::new()).unwrap();
    assert_eq!(scanner.slice(span), br#"[ 1.50 ,{"k" : "\u0041"} ]"#);
    assert_eq!(scanner.end(), Ok(()));
}

/// Texts that are JSON, or nearly.
fn nearly_json() -> impl Strategy<Value = Vec<u8>> {
    let atoms: Vec<&'static [u8]> = vec![
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"\"",
        b"\"a\"",
        b"\"a\":",
        b"\\",
        b"\\u",
        b"\\ud83d",
        b"\\ude00",
        b"00",
        b"4",
        b"0",
        b"-",
        b"1",
        b".",
        b"e",
        b"E+",
        b"true",
        b"null",
        b"fals",
        b" ",
        b"\n",
        b"\t",
        b"\0",
        b"\x1f",
        b"\x7f",
        b"\xff",
        b"\xc3",
        b"\xa9",
        "é".as_bytes(),
        b"\x0c",
        b"n",
        b"\xef\xbb\xbf",
    ];
    let atom = prop_oneof![4 => proptest::sample::select(atoms).prop_map(<[u8]>::to_vec),
                           1 => any::<u8>().prop_map(|byte| vec![byte])];
    proptest::collection::vec(atom, 0..24).prop_map(|parts| parts.concat())
}

/// JSON by construction.
pub(crate) fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|b| b.to_string()),
        "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,5})?([eE][+-]?[0-9]{1,4})?",
        any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
    ];
    let blank = "[ \n\r\t]{0,2}";
    leaf.prop_recursive(5, 48, 6, move |inner| {
        let key = prop_oneof!["[ab.]{0,2}", any::<String>(), Just("a\"b\n".to_owned())];
        let key = key.prop_map(|key| serde_json::to_string(&key).unwrap());
        prop_oneof![
            (proptest::collection::vec(inner.clone(), 0..6), blank)
                .prop_map(|(items, b)| format!("[{b}{}{b}]", items.join(&format!("{b},{b}")))),
            (proptest::collection::vec((key, inner), 0..6), blank).prop_map(|(members, b)| {
                let members: Vec<_> = members.iter().map(|(k, v)| format!("{k}{b}:{b}{v}")).collect();
                format!("{{{b}{}{b}}}", members.join(&format!("{b},{b}")))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn nearly_json_is_judged_as_serde_json_does(text in nearly_json()) {
        prop_assert_eq!(scan(&text).is_ok(), serde_accepts(&text), "{:?}", scan(&text));
    }
}

proptest! {
    #[test]
    fn json_passes(text in json()) {
        prop_assert_eq!(scan(text.as_bytes()), Ok(()));
        prop_assert!(serde_accepts(text.as_bytes()));
    }

    #[test]
    fn json_with_one_byte_changed_or_cut_is_judged_as_serde_json_does(
        text in json(), at: proptest::sample::Index, byte: Option<u8>,
    ) {
        let mut bytes = text.into_bytes();
        let at = at.index(bytes.len());
        match byte {
            Some(byte) => bytes[at] = byte,
            None => bytes.truncate(at),
        }
        prop_assert_eq!(scan(&bytes).is_ok(), serde_accepts(&bytes), "{:?}", scan(&bytes));
    }
}
