//! Times as senders write them: RFC 3339, strictly, into [`Millis`].
//!
//! ```text
//! 2026-01-01T00:00:00[.fraction](Z|+hh:mm|-hh:mm)
//! ```
//!
//! A date without a time, a time without an offset, the 30th of February and anything before
//! 1970 are refused: guessing a sender's time zone would move people in line.

use restockd_core::Millis;

/// Reads an instant; `None` when it is none.
pub(super) fn parse(text: &str) -> Option<Millis> {
    let bytes = text.as_bytes();
    let (day, rest) = (bytes.get(..10)?, bytes.get(10..)?);
    let (year, month, date) = (digits(day.get(..4)?)?, digits(day.get(5..7)?)?, digits(day.get(8..10)?)?);
    let dashed = day.get(4) == Some(&b'-') && day.get(7) == Some(&b'-');
    if !dashed || !matches!(rest.first(), Some(b'T' | b't')) {
        return None;
    }
    let clock = rest.get(1..9)?;
    let (hour, minute, second) =
        (digits(clock.get(..2)?)?, digits(clock.get(3..5)?)?, digits(clock.get(6..8)?)?);
    let coloned = clock.get(2) == Some(&b':') && clock.get(5) == Some(&b':');
    let real = (1..=12).contains(&month) && date >= 1 && date <= month_days(year, month);
    if !coloned || !real || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (fraction_ms, rest) = fraction(rest.get(9..)?)?;
    let offset_min = offset(rest)?;
    let seconds = days(year, month, date) * 86_400 + hour * 3600 + minute * 60 + second - offset_min * 60;
    u64::try_from(seconds * 1000 + fraction_ms).ok().map(Millis)
}

/// Decimal digits and nothing else.
fn digits(bytes: &[u8]) -> Option<i64> {
    bytes.iter().try_fold(0, |n, b| b.is_ascii_digit().then(|| n * 10 + i64::from(b - b'0')))
}

/// `.123456`, cut to milliseconds, and what follows; nothing is zero.
fn fraction(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let Some(rest) = bytes.strip_prefix(b".") else { return Some((0, bytes)) };
    let count = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    if count == 0 || count > 18 {
        return None;
    }
    let (number, rest) = rest.split_at(count);
    let ms = (0..3).fold(0, |ms, at| ms * 10 + number.get(at).map_or(0, |b| i64::from(b - b'0')));
    Some((ms, rest))
}

/// Minutes east of UTC.
fn offset(bytes: &[u8]) -> Option<i64> {
    match bytes {
        b"Z" | b"z" => Some(0),
        [sign @ (b'+' | b'-'), rest @ ..] if rest.len() == 5 && rest.get(2) == Some(&b':') => {
            let (hours, minutes) = (digits(rest.get(..2)?)?, digits(rest.get(3..)?)?);
            let whole = hours * 60 + minutes;
            (hours <= 23 && minutes <= 59).then_some(if *sign == b'-' { -whole } else { whole })
        }
        _ => None,
    }
}

/// Days in a month of the Gregorian calendar.
fn month_days(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 ("days from civil", Howard Hinnant).
fn days(year: i64, month: i64, date: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let yoe = y - era * 400;
    let doy = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + date - 1;
    era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468
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
            "+026-01-01T00:00:00Z",
            "2026-01-01T00:00:00Zx",
            "1969-12-31T23:59:59Z",
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
