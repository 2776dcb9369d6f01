//! Decimals: an unscaled number in two's complement, the greatest byte first.

use super::DecimalFormat;
use base64::{Engine, engine::general_purpose::STANDARD};

/// Longer ones are no numbers that anybody meant (2,400 digits), and digits take quadratic time.
const BYTES_MAX: usize = 1000;
/// Zeros that a scale may add.
const SCALE_MAX: usize = 10_000;

/// Appends a decimal. `None`: it is too long to be one.
pub(super) fn write_decimal(
    bytes: &[u8],
    scale: usize,
    format: DecimalFormat,
    out: &mut Vec<u8>,
) -> Option<()> {
    match format {
        DecimalFormat::Base64 => {
            out.push(b'"');
            out.extend_from_slice(STANDARD.encode(shortest(bytes)).as_bytes());
            out.push(b'"');
        }
        DecimalFormat::Numeric if bytes.len() > BYTES_MAX || scale > SCALE_MAX => return None,
        DecimalFormat::Numeric => {
            let negative = bytes.first().is_some_and(|byte| *byte >= 0x80);
            if negative {
                out.push(b'-');
            }
            let digits = digits(magnitude(bytes, negative));
            // At least one digit stands before the point.
            let padding = (scale + 1).saturating_sub(digits.len());
            let padded = [vec![b'0'; padding], digits].concat();
            let (whole, fraction) = padded.split_at(padded.len() - scale);
            out.extend_from_slice(whole);
            if !fraction.is_empty() {
                out.push(b'.');
                out.extend_from_slice(fraction);
            }
        }
    }
    Some(())
}

/// As Java's `BigInteger.toByteArray`: without bytes that only repeat the sign. No bytes are zero.
fn shortest(mut bytes: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = bytes
        && let Some(second) = rest.first()
        && ((*first == 0 && *second < 0x80) || (*first == 0xff && *second >= 0x80))
    {
        bytes = rest;
    }
    if bytes.is_empty() { &[0] } else { bytes }
}

/// The number without its sign, the greatest byte first.
fn magnitude(bytes: &[u8], negative: bool) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if negative {
        let mut carry = true;
        for byte in bytes.iter_mut().rev() {
            (*byte, carry) = (!*byte).overflowing_add(carry.into());
        }
    }
    bytes
}

/// Decimal digits, by dividing again and again by a billion.
fn digits(mut number: Vec<u8>) -> Vec<u8> {
    const BILLION: u64 = 1_000_000_000;
    let mut groups = Vec::new();
    while number.iter().any(|byte| *byte != 0) {
        let mut rest = 0_u64;
        for byte in &mut number {
            let value = rest << 8 | u64::from(*byte);
            *byte = u8::try_from(value / BILLION).expect("the rest is less than the divisor");
            rest = value % BILLION;
        }
        groups.push(rest);
    }
    let mut text = String::new();
    for group in groups.iter().rev() {
        text.push_str(&format!("{group:09}"));
    }
    match text.trim_start_matches('0') {
        "" => b"0".to_vec(),
        digits => digits.as_bytes().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(bytes: &[u8], scale: usize, format: DecimalFormat) -> String {
        let mut out = Vec::new();
        write_decimal(bytes, scale, format, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_have_all_their_digits() {
        for (number, scale, expected) in [
            (12345_i128, 2, "123.45"),
            (-12345, 2, "-123.45"),
            (5, 3, "0.005"),
            (-5, 1, "-0.5"),
            (0, 2, "0.00"),
            (7, 0, "7"),
            (-128, 0, "-128"),
            (i128::MAX, 5, "1701411834604692317316873037158841.05727"),
            (i128::MIN, 0, "-170141183460469231731687303715884105728"),
        ] {
            assert_eq!(written(&number.to_be_bytes(), scale, DecimalFormat::Numeric), expected);
            assert_eq!(written(shortest(&number.to_be_bytes()), scale, DecimalFormat::Numeric), expected);
        }
        assert_eq!(written(&[], 2, DecimalFormat::Numeric), "0.00");
        assert!(write_decimal(&[1; 2000], 0, DecimalFormat::Numeric, &mut Vec::new()).is_none());
    }

    #[test]
    fn base64_is_of_the_fewest_bytes() {
        for (bytes, shortest) in [
            (&[0, 0, 1][..], "\"AQ==\""),
            (&[0, 0x80], "\"AIA=\""),
            (&[0xff, 0xff, 0x80], "\"gA==\""),
            (&[0xff, 0x7f], "\"/38=\""),
            (&[0, 0], "\"AA==\""),
            (&[], "\"AA==\""),
        ] {
            assert_eq!(written(bytes, 2, DecimalFormat::Base64), shortest);
        }
    }
}
