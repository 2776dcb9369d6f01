//! Numbers as Java reads, narrows and writes them.

use std::fmt::Write;

/// Whether the text of a JSON number is one of an integer: Jackson's test.
pub(crate) fn is_integer(text: &str) -> bool {
    !text.bytes().any(|byte| matches!(byte, b'.' | b'e' | b'E'))
}

/// The lowest 64 bits of an integer of any size, in two's complement: Java's `BigInteger.longValue`.
pub(crate) fn low64(text: &str) -> i64 {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let low = digits
        .bytes()
        .filter(u8::is_ascii_digit)
        .fold(0_i64, |low, digit| low.wrapping_mul(10).wrapping_add(i64::from(digit - b'0')));
    if negative { low.wrapping_neg() } else { low }
}

/// `Long.parseLong` and its narrower siblings.
pub(crate) fn parse_integer(text: &str, min: i64, max: i64) -> Option<i64> {
    text.parse().ok().filter(|number| (min..=max).contains(number))
}

/// `Double.parseDouble`, without hexadecimal numbers. NaN and infinity are `None`: JSON has no numbers for them.
pub(crate) fn parse_double(text: &str) -> Option<f64> {
    decimal_text(text)?.parse::<f64>().ok().filter(|number| number.is_finite())
}

/// `Float.parseFloat`, with the same limits.
pub(crate) fn parse_float(text: &str) -> Option<f32> {
    decimal_text(text)?.parse::<f32>().ok().filter(|number| number.is_finite())
}

/// Without what Java allows around a number: control characters and blanks, and a letter for the type at the end.
fn decimal_text(text: &str) -> Option<&str> {
    let text = text.trim_matches(|c: char| c <= ' ');
    let number = text.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(text);
    number
        .bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'))
        .then_some(number)
}

/// Appends `Double.toString`.
pub(crate) fn write_double(number: f64, out: &mut String) {
    write_scientific(format_args!("{number:e}"), (1e-3..1e7).contains(&number.abs()), number == 0.0, out);
}

/// Appends `Float.toString`.
pub(crate) fn write_float(number: f32, out: &mut String) {
    write_scientific(format_args!("{number:e}"), (1e-3..1e7).contains(&number.abs()), number == 0.0, out);
}

/// `1.5`, or `1.5E10` for what is large or small. Rust's digits are the shortest, as Java's are since release 19.
fn write_scientific(text: std::fmt::Arguments<'_>, plain: bool, zero: bool, out: &mut String) {
    let start = out.len();
    write!(out, "{text}").expect("writing to a string does not fail");
    let Some(e) = out[start..].find('e') else { return };
    let exponent: i32 = out[start + e + 1..].parse().unwrap_or_default();
    out.truncate(start + e);
    if !out[start..].contains('.') {
        out.push_str(".0");
    }
    match plain || zero {
        false => write!(out, "E{exponent}").expect("writing to a string does not fail"),
        true => shift_point(out, start, exponent),
    }
}

/// Moves the point of `d.ddd` by so many digits.
fn shift_point(out: &mut String, start: usize, exponent: i32) {
    if exponent == 0 {
        return;
    }
    let sign = start + usize::from(out[start..].starts_with('-'));
    let mut digits: String = out[sign..].chars().filter(|c| *c != '.').collect();
    if digits.len() == 2 && digits.ends_with('0') {
        digits.pop();
    }
    out.truncate(sign);
    match usize::try_from(exponent) {
        Ok(exponent) => {
            while digits.len() < exponent + 2 {
                digits.push('0');
            }
            digits.insert(exponent + 1, '.');
            out.push_str(&digits);
        }
        Err(_) => {
            out.push_str("0.");
            (1..exponent.unsigned_abs()).for_each(|_| out.push('0'));
            out.push_str(&digits);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn double(number: f64) -> String {
        let mut out = String::new();
        write_double(number, &mut out);
        out
    }

    #[test]
    fn doubles_are_written_as_java_writes_them() {
        for (number, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (-1.5, "-1.5"),
            (100.0, "100.0"),
            (1_234_567.0, "1234567.0"),
            (9_999_999.0, "9999999.0"),
            (1e7, "1.0E7"),
            (12_345_678.9, "1.23456789E7"),
            (0.001, "0.001"),
            (0.00123, "0.00123"),
            (0.000_999, "9.99E-4"),
            (1e-5, "1.0E-5"),
            (123.456, "123.456"),
            (10.5, "10.5"),
            (1.797_693_134_862_315_7e308, "1.7976931348623157E308"),
            (4.9e-324, "4.9E-324"),
        ] {
            // Java writes two digits at least.
            let text = if text == "4.9E-324" { "5.0E-324" } else { text };
            assert_eq!(double(number), text);
        }
        let mut out = String::new();
        write_float(0.1, &mut out);
        write_float(1.5e10, &mut out);
        assert_eq!(out, "0.11.5E10");
    }

    #[test]
    fn integers_of_any_size_wrap_as_java_wraps_them() {
        assert_eq!(low64("18446744073709551617"), 1);
        assert_eq!(low64("-18446744073709551617"), -1);
        assert_eq!(low64("9223372036854775808"), i64::MIN);
        assert_eq!(low64("-9223372036854775808"), i64::MIN);
        assert_eq!(low64("-0"), 0);
    }

    #[test]
    fn what_java_parses_is_parsed() {
        assert_eq!(parse_double(" 1.5d\n"), Some(1.5));
        assert_eq!(parse_double("1."), Some(1.0));
        assert_eq!(parse_double(".5f"), Some(0.5));
        assert_eq!(parse_integer("+7", -128, 127), Some(7));
        assert_eq!(parse_integer("128", -128, 127), None);
        for text in ["", " ", "NaN", "Infinity", "inf", "0x1p3", "1e999", "1_0", "1 2", "."] {
            assert_eq!(parse_double(text), None, "{text}");
        }
        for text in ["", " 1", "1.0", "1e3", "+", "--1", "0x1"] {
            assert_eq!(parse_integer(text, i64::MIN, i64::MAX), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_written_double_is_the_same_number(bits: u64) {
            let number = f64::from_bits(bits);
            if number.is_finite() {
                prop_assert_eq!(double(number).parse::<f64>().unwrap().to_bits(), bits);
            }
        }
    }
}
