//! Reads the times that senders write: strict RFC 3339, into [`Millis`].
//!
//! ```text
//! 2026-01-01T00:00:00[.fraction](Z|+hh:mm|-hh:mm)
//! ```
//!
//! A date without a time, a time without an offset, the 30th of February and any time before 1970 are refused: guessing a
//! sender's time zone would change people's places in line.

use jiff::civil::DateTime;
use jiff::fmt::temporal::Pieces;
use restockd_core::Millis;

/// Digits of a fraction of a second, at most; what is finer than a millisecond is cut off.
const FRACTION_DIGITS_MAX: usize = 18;
/// The digits of a fraction that jiff is given: nanoseconds.
const NANOS: usize = 9;
const DAY_S: i32 = 86_400;
const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

/// Reads an instant. jiff reads more than RFC 3339 allows, so the shape is checked first.
pub(super) fn parse(text: &str) -> Option<Millis> {
    let (clock, rest) = text.split_at_checked("2026-01-01T00:00:00".len())?;
    let (fraction, offset) = rest.split_at(rest.find(['Z', 'z', '+', '-'])?);
    let digits = fraction.strip_prefix('.').unwrap_or("0");
    let fits = has_shape(clock, "0000-00-00T00:00:00")
        && (fraction.is_empty() || fraction.starts_with('.'))
        && (1..=FRACTION_DIGITS_MAX).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && (has_shape(offset, "Z") || has_shape(offset, "+00:00"))
        && !clock.ends_with("60");
    if !fits {
        return None;
    }
    let nanos = digits.get(..NANOS).unwrap_or(digits);
    let text = format!("{clock}.{nanos}{offset}");
    let pieces = Pieces::parse(&text).ok()?;
    let local = pieces.date().to_datetime(pieces.time()?);
    let east = pieces.to_numeric_offset()?.seconds();
    let ms = local.duration_since(EPOCH).as_nanos().div_euclid(1_000_000) - i128::from(east) * 1000;
    u64::try_from(ms).ok().filter(|_| east.abs() < DAY_S).map(Millis)
}

/// Whether a text has the shape of a pattern: a digit for each `0`, either sign for `+`, letters of either case.
fn has_shape(text: &str, pattern: &str) -> bool {
    let fits = |(byte, shape): (u8, u8)| match shape {
        b'0' => byte.is_ascii_digit(),
        b'+' => matches!(byte, b'+' | b'-'),
        shape => byte.eq_ignore_ascii_case(&shape),
    };
    text.len() == pattern.len() && text.bytes().zip(pattern.bytes()).all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_can_be_read() {
        for ms in [0, 1, 951_782_400_000, 1_767_225_599_999, 4_107_542_400_123] {
            assert_eq!(parse(&Millis(ms).to_string()), Some(Millis(ms)));
        }
    }

    #[test]
    fn offsets_and_fractions_count() {
        let noon = parse("2026-01-01T12:00:00Z");
        assert_eq!(parse("2026-01-01T14:30:00+02:30"), noon);
        assert_eq!(parse("2026-01-01T00:00:00.0-12:00"), noon);
        assert_eq!(parse("2026-01-01t12:00:00z"), noon);
        assert_eq!(parse("1970-01-01T00:00:00.9999999Z"), Some(Millis(999)));
        assert_eq!(parse("1970-01-01T00:00:00.5Z"), Some(Millis(500)));
        assert_eq!(parse("1970-01-01T00:00:00.123456789012345678-00:00"), Some(Millis(123)));
        assert_eq!(parse("9999-12-31T23:59:59-23:59"), Some(Millis(253_402_387_139_000)));
    }

    #[test]
    fn guesses_are_refused() {
        for bad in [
            "",
            "2026",
            "2026-01-01",
            "2026-01-01T00:00:00",
            "2026-01-01 00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-10T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:60:00Z",
            "2026-01-01T00:00:60Z",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00+25:00",
            "2026-01-01T00:00:00+24:00",
            "2026-01-01T00:00:00+00:60",
            "2026-01-01T00:00:00+02",
            "2026-01-01T00:00:00+02:00:30",
            "2026-01-01T00:00:00Z[UTC]",
            "2026-01-01T00:00:00,5Z",
            "20260101T000000Z",
            "+026-01-01T00:00:00Z",
            "2026-01-01T00:00:00Zx",
            "1969-12-31T23:59:59Z",
            "1969-12-31T23:59:59.9999Z",
            "2026-01-01T00:00:00+0200",
            "２026-01-01T00:00:00Z",
            "2026-01-01T00:00:00.1234567890123456789Z",
            "2026/01/01T00:00:00Z",
            "not a time at all, but long",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
