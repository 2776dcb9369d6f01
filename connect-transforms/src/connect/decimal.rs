//! Connect's `Decimal`: a number of any size with a fixed number of digits behind the point.

use base64::{Engine, engine::general_purpose::STANDARD};

/// Bytes that an unscaled number may have: reading one costs the square of them.
const BYTES_MAX: usize = 4096;

/// `digits` without leading zeros (`0` is empty), to be multiplied by ten to the power of minus `scale`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    negative: bool,
    digits: String,
    scale: i64,
}

impl Decimal {
    /// From the base64 of its unscaled big-endian bytes, in two's complement.
    pub(crate) fn from_base64(text: &str, scale: i64) -> Option<Self> {
        if text.len() > BYTES_MAX / 3 * 4 {
            return None;
        }
        let bytes = STANDARD.decode(text).ok()?;
        let negative = bytes.first()? & 0x80 != 0;
        let mut magnitude = bytes;
        if negative {
            let mut carry = true;
            for byte in magnitude.iter_mut().rev() {
                (*byte, carry) = (!*byte).overflowing_add(u8::from(carry));
            }
        }
        Some(Self { negative, digits: digits(magnitude), scale })
    }

    /// From the text of a JSON number.
    pub(crate) fn from_number(text: &str) -> Option<Self> {
        let (negative, text) = text.strip_prefix('-').map_or((false, text), |text| (true, text));
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let exponent: i64 = exponent.parse::<i32>().ok()?.into();
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}").trim_start_matches('0').to_owned();
        Some(Self { negative, digits, scale: i64::try_from(fraction.len()).ok()? - exponent })
    }

    /// The same number with so many digits behind the point; `None`: it has more of them, or too many in all.
    pub(crate) fn at_scale(mut self, scale: i64) -> Option<Self> {
        while self.scale > scale && self.digits.ends_with('0') {
            self.digits.pop();
            self.scale -= 1;
        }
        if self.digits.is_empty() {
            self.scale = scale;
        }
        let zeros = usize::try_from(scale - self.scale).ok().filter(|zeros| *zeros <= BYTES_MAX)?;
        self.digits.extend(std::iter::repeat_n('0', zeros));
        Some(Self { scale, ..self })
    }

    /// The base64 of its unscaled big-endian bytes, in two's complement.
    pub(crate) fn base64(&self) -> String {
        let mut magnitude: Vec<u8> = vec![0];
        for digit in self.digits.bytes() {
            let mut carry = u32::from(digit - b'0');
            for byte in magnitude.iter_mut().rev() {
                carry += u32::from(*byte) * 10;
                *byte = u8::try_from(carry & 0xff).unwrap_or_default();
                carry >>= 8;
            }
            if carry > 0 {
                magnitude.insert(0, u8::try_from(carry).unwrap_or_default());
            }
        }
        if magnitude[0] & 0x80 != 0 {
            magnitude.insert(0, 0);
        }
        if self.negative {
            let mut carry = true;
            for byte in magnitude.iter_mut().rev() {
                (*byte, carry) = (!*byte).overflowing_add(u8::from(carry));
            }
            // One byte of signs is enough.
            while let [0xff, next, ..] = magnitude[..]
                && next & 0x80 != 0
            {
                magnitude.remove(0);
            }
        }
        STANDARD.encode(magnitude)
    }

    /// `BigDecimal.longValue`: cut behind the point, lowest 64 bits.
    pub(crate) fn low64(&self) -> i64 {
        let low = |digits: &str| super::number::low64(digits);
        let whole = match usize::try_from(self.scale) {
            Ok(scale) => low(&self.digits[..self.digits.len().saturating_sub(scale)]),
            // Ten to the power of 64 is a multiple of two to the power of 64.
            Err(_) if self.scale <= -64 => 0,
            Err(_) => (self.scale..0).fold(low(&self.digits), |low, _| low.wrapping_mul(10)),
        };
        if self.negative { whole.wrapping_neg() } else { whole }
    }

    /// A text that every parser of numbers reads.
    pub(crate) fn number(&self) -> String {
        let digits = if self.digits.is_empty() { "0" } else { &self.digits };
        format!("{}{digits}e{}", if self.negative { "-" } else { "" }, -self.scale)
    }

    /// Appends `BigDecimal.toString`.
    pub(crate) fn write(&self, out: &mut String) {
        use std::fmt::Write;
        let digits = if self.digits.is_empty() { "0" } else { &self.digits };
        if self.negative && !self.digits.is_empty() {
            out.push('-');
        }
        let count = i64::try_from(digits.len()).unwrap_or(i64::MAX);
        let adjusted = count - 1 - self.scale;
        if self.scale >= 0 && adjusted >= -6 {
            let scale = usize::try_from(self.scale).unwrap_or_default();
            if scale == 0 {
                return out.push_str(digits);
            }
            match digits.len().checked_sub(scale).filter(|whole| *whole > 0) {
                Some(whole) => {
                    out.push_str(&digits[..whole]);
                    out.push('.');
                    out.push_str(&digits[whole..]);
                }
                None => {
                    out.push_str("0.");
                    (digits.len()..scale).for_each(|_| out.push('0'));
                    out.push_str(digits);
                }
            }
            return;
        }
        out.push_str(&digits[..1]);
        if digits.len() > 1 {
            out.push('.');
            out.push_str(&digits[1..]);
        }
        if adjusted != 0 {
            write!(out, "E{adjusted:+}").expect("writing to a string does not fail");
        }
    }
}

/// The decimal digits of a big-endian number, by repeated division.
fn digits(mut magnitude: Vec<u8>) -> String {
    const BASE: u32 = 1_000_000;
    let mut groups = Vec::new();
    let mut first = 0;
    while first < magnitude.len() {
        let mut rest = 0_u32;
        for byte in &mut magnitude[first..] {
            rest = rest << 8 | u32::from(*byte);
            *byte = u8::try_from(rest / BASE).unwrap_or_default();
            rest %= BASE;
        }
        groups.push(rest);
        while magnitude.get(first) == Some(&0) {
            first += 1;
        }
    }
    let text: String = groups.iter().rev().map(|group| format!("{group:06}")).collect();
    text.trim_start_matches('0').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(decimal: &Decimal) -> String {
        let mut out = String::new();
        decimal.write(&mut out);
        out
    }

    #[test]
    fn unscaled_bytes_are_read_with_their_sign() {
        let decimal = |bytes: &[u8], scale| Decimal::from_base64(&STANDARD.encode(bytes), scale).unwrap();
        assert_eq!(text(&decimal(&[0x30, 0x39], 2)), "123.45");
        assert_eq!(text(&decimal(&[0xff, 0x85], 2)), "-1.23");
        assert_eq!(text(&decimal(&[0], 2)), "0.00");
        assert_eq!(text(&decimal(&[1], 10)), "1E-10");
        assert_eq!(text(&decimal(&[12], -3)), "1.2E+4");
        assert_eq!(text(&decimal(&[0x7f; 16], 0)), "169473963133173273960190490760135540607");
        assert_eq!(decimal(&[0xff, 0x85], 2).low64(), -1);
        assert_eq!(decimal(&[12], -3).low64(), 12_000);
        assert_eq!(decimal(&[0xff], -200).low64(), 0);
        assert_eq!(decimal(&[0x30, 0x39], 2).number().parse::<f64>().unwrap(), 123.45);
        assert!(Decimal::from_base64("", 0).is_none() && Decimal::from_base64("!", 0).is_none());
        assert!(Decimal::from_base64(&"A".repeat(1 << 20), 0).is_none(), "too long to be read");
    }

    #[test]
    fn a_number_is_written_at_another_scale_if_nothing_is_lost() {
        for (number, scale, written) in [
            ("1", 2, Some("1.00")),
            ("0", 2, Some("0.00")),
            ("1.500", 1, Some("1.5")),
            ("-12e1", 0, Some("-120")),
            ("1.5", 0, None),
            ("1200", -2, Some("1.2E+3")),
            ("1e9999", 0, None),
        ] {
            let scaled = Decimal::from_number(number).unwrap().at_scale(scale);
            assert_eq!(scaled.as_ref().map(text).as_deref(), written, "{number} {scale}");
            if let Some(scaled) = scaled {
                let read = Decimal::from_base64(&scaled.base64(), scale).unwrap();
                assert_eq!(text(&read), text(&scaled), "{number} {scale}");
            }
        }
        for (number, bytes) in [
            ("0", &[0][..]),
            ("127", &[127]),
            ("128", &[0, 128]),
            ("-128", &[128]),
            ("-129", &[255, 127]),
            ("-1", &[255]),
            ("-0", &[0]),
        ] {
            assert_eq!(Decimal::from_number(number).unwrap().base64(), STANDARD.encode(bytes), "{number}");
        }
    }

    #[test]
    fn numbers_are_read_with_point_and_exponent() {
        for (number, written) in
            [("1.50", "1.50"), ("-0.0012", "-0.0012"), ("12e3", "1.2E+4"), ("0.0", "0.0")]
        {
            assert_eq!(text(&Decimal::from_number(number).unwrap()), written);
        }
        assert_eq!(Decimal::from_number("1e999999999").unwrap().low64(), 0);
    }
}
