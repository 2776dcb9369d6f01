//! Numbers without a fraction, exactly.

/// The whole number that the text of a decimal number stands for: `1.50e1` is 15. `None`: it has a fraction, or more than
/// 128 bits.
pub(super) fn whole(text: &str) -> Option<i128> {
    let (negative, number) = match text.strip_prefix('-') {
        Some(number) => (true, number),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (front, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [front, fraction].concat();
    let zeros = digits.len() - digits.trim_end_matches('0').len();
    let digits = digits[..digits.len() - zeros].trim_start_matches('0');
    if digits.is_empty() {
        return Some(0);
    }
    // Zeros that follow the digits; fewer than none are a fraction.
    let behind = exponent.parse::<i64>().ok()?.checked_add(i64::try_from(zeros).ok()?)?;
    let behind = u32::try_from(behind.checked_sub(i64::try_from(fraction.len()).ok()?)?).ok()?;
    let unsigned = digits.parse::<i128>().ok()?;
    let signed = if negative { -unsigned } else { unsigned };
    signed.checked_mul(10_i128.checked_pow(behind)?)
}
