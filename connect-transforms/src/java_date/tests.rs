use super::*;
use proptest::prelude::*;

fn simple(pattern: &str) -> JavaDate {
    JavaDate::new(pattern, Dialect::Simple).unwrap()
}

fn formatter(pattern: &str) -> JavaDate {
    JavaDate::new(pattern, Dialect::Formatter).unwrap()
}

fn formatted(date: &JavaDate, nanos: i128) -> String {
    let mut out = String::new();
    date.format(nanos, &mut out);
    out
}

/// What OpenJDK 17 printed for `SimpleDateFormat` in UTC: `f`, pattern, milliseconds, text; or `p`, pattern, text,
/// milliseconds or `error`.
#[test]
#[allow(clippy::cast_possible_truncation, reason = "as Java does it")]
fn simple_patterns_do_what_javas_own_class_does() {
    let mut wrong = Vec::new();
    for line in include_str!("golden.tsv").lines() {
        let [kind, pattern, input, expected] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let date = simple(pattern);
        let got = match kind {
            "f" => formatted(&date, input.parse::<i128>().unwrap() * 1_000_000),
            _ => match date.parse(input) {
                // Java counts in 64 bits, and goes on at the other end.
                Ok(nanos) => ((nanos / 1_000_000) as i64).to_string(),
                Err(_) => "error".to_owned(),
            },
        };
        if got != expected {
            wrong.push(format!("{line} but got {got}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_letter_that_is_not_supported_is_named() {
    let error = |pattern| JavaDate::new(pattern, Dialect::Simple).unwrap_err().to_string();
    assert_eq!(
        error("YYYY-MM-dd"),
        "the letter 'Y' is not supported: quote it ('Y') if it is text, or write `y`: `Y` is the year of a week"
    );
    assert_eq!(error("yyyy-MM-ddTHH"), "the letter 'T' is not supported: quote it ('T') if it is text");
    assert_eq!(error("yyyy'T"), "a quote that is never closed");
    assert_eq!(error("XXXX"), "'X' may stand 3 times at most");
    assert!(JavaDate::new("n", Dialect::Simple).is_err());
    assert!(JavaDate::new("n", Dialect::Formatter).is_ok());
}

#[test]
fn a_formatter_reads_fractions_and_refuses_what_is_left_or_out_of_range() {
    let date = formatter("yyyy-MM-dd HH:mm:ss.SSSSSS");
    assert_eq!(date.parse("2023-01-05 01:02:03.123456").unwrap(), 1_672_880_523_123_456_000);
    assert_eq!(formatted(&date, 1_672_880_523_123_456_789), "2023-01-05 01:02:03.123456");
    for text in [
        "2023-02-29 00:00:00.000000",
        "2023-13-01 00:00:00.000000",
        "2023-01-05 24:00:00.000000",
        "2023-01-05 01:02:03.12345",
        "2023-01-05 01:02:03.123456 ",
        " 2023-01-05 01:02:03.123456",
        "",
    ] {
        assert!(date.parse(text).is_err(), "{text}");
    }
    assert!(formatter("yyyy-MM-dd").parse("2024-02-29").is_ok());
    assert_eq!(
        formatter("yyyyMMdd").parse("20230105").unwrap(),
        formatter("yyyy-M-d").parse("2023-1-5").unwrap()
    );
}

#[test]
fn a_formatter_refuses_numbers_that_no_field_of_a_date_has() {
    for (pattern, text) in [
        ("y-M-d", "9000000000000000000-1-1"),
        ("y-M-d", "99999999999999999999-1-1"),
        ("h a", "9223372036854775807 PM"),
        ("K a", "9223372036854775807 PM"),
        ("K a", "12 AM"),
        ("yyyy-MM-dd hh", "2021-01-01 13"),
        ("HH:mm:ss.S", "01:02:03.1234567890123"),
        ("HH:mm:ss.S", "01:02:03.0123456789"),
        ("HH:mm:ss.n", "01:02:03.1000000000"),
        ("yyyy-D", "2021-366"),
    ] {
        assert!(formatter(pattern).parse(text).is_err(), "{pattern} {text}");
    }
    assert_eq!(formatter("HH:mm:ss.S").parse("00:00:00.123456789").unwrap(), 123_456_789);
    assert_eq!(formatter("ss.n").parse("00.999999999").unwrap(), 999_999_999);
    assert!(
        formatter("yyyy-D").parse("2020-366").is_ok() && formatter("y-M-d").parse("2147483647-1-1").is_ok()
    );
}

#[test]
fn a_zone_is_used_where_the_text_names_none() {
    let shanghai = simple("yyyy-MM-dd HH:mm:ss").zone(TimeZone::get("Asia/Shanghai").unwrap());
    assert_eq!(shanghai.parse("1970-01-01 08:00:00").unwrap(), 0);
    assert_eq!(formatted(&shanghai, 0), "1970-01-01 08:00:00");
    let named = simple("yyyy-MM-dd HH:mm:ss XXX z").zone(TimeZone::get("America/New_York").unwrap());
    assert_eq!(formatted(&named, 1_700_000_000_000_000_000), "2023-11-14 17:13:20 -05:00 EST");
    assert_eq!(named.parse("2023-11-14 17:13:20 -05:00 EST").unwrap(), 1_700_000_000_000_000_000);
    let fixed = simple("HH Z z").zone(TimeZone::fixed(jiff::tz::offset(8)));
    assert_eq!(formatted(&fixed, 0), "08 +0800 GMT+08:00");
    // The hour that summer time leaves out, and the one that it repeats.
    let berlin = simple("yyyy-MM-dd HH:mm").zone(TimeZone::get("Europe/Berlin").unwrap());
    assert_eq!(berlin.parse("2023-03-26 02:30").unwrap(), 1_679_794_200_000_000_000);
    assert!(berlin.parse("2023-10-29 02:30").is_ok());
}

proptest! {
    #[test]
    fn what_was_written_is_read_again(ms in -12_219_292_800_000_i64..253_402_300_799_999) {
        let nanos = i128::from(ms) * 1_000_000;
        for date in [
            simple("yyyy-MM-dd'T'HH:mm:ss.SSSXXX"),
            simple("G y MMMM dd hh:mm:ss a SSS Z"),
            simple("yyyy D kk:mm:ss.SSS"),
            formatter("uuuu-MM-dd HH:mm:ss.SSS"),
            formatter("yyyyMMddHHmmssSSS"),
            simple("EEEE, d. MMM yyyy HH:mm:ss SSS").zone(TimeZone::fixed(jiff::tz::offset(-7))),
        ] {
            // Four digits are all that a formatter's fixed width takes, and BC needs its era.
            if ms >= -12_000_000_000_000 {
                prop_assert_eq!(date.parse(&formatted(&date, nanos)), Ok(nanos), "{}", formatted(&date, nanos));
            }
        }
    }

    #[test]
    fn any_time_is_written_and_any_text_is_read_or_refused(nanos: i128, pattern in "[GyMLdDEuaHkKhmsSzZX'. :-]{0,12}", text in "\\PC{0,24}") {
        for dialect in [Dialect::Simple, Dialect::Formatter] {
            if let Ok(date) = JavaDate::new(&pattern, dialect) {
                formatted(&date, nanos);
                let _ = date.parse(&text);
            }
        }
    }
}
