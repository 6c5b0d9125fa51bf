//! Points in time and calendar days as plain values.
//!
//! This crate never reads a clock. The actor that decides brings the time with the command and writes it into
//! the record, so replay sees the same time.
//!
//! ```text
//! Millis  milliseconds since 1970-01-01T00:00:00Z, as u64
//! Day     days since 1970-01-01 in the shop's time zone, as i32 (the zone is applied outside)
//! ```
//!
//! The calendar is jiff's, which ends with the year 9999; later times are shown as its end.

use std::fmt;

use jiff::SignedDuration;
use jiff::civil::DateTime;

const DAY_MS: u64 = 86_400_000;
const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

/// A point in time: milliseconds since 1970, UTC.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub u64);

impl Millis {
    /// This time plus `ms` milliseconds, at most the largest possible.
    #[must_use]
    pub fn plus(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this time; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The day of this time in a zone that is `offset_s` seconds east of UTC.
    #[must_use]
    pub fn day(self, offset_s: i32) -> Day {
        let local = self.0 as i64 + i64::from(offset_s) * 1000;
        Day(local.div_euclid(DAY_MS as i64) as i32)
    }
}

/// ISO 8601 with milliseconds and `Z`, as in JSON.
impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = SignedDuration::from_millis(i64::try_from(self.0).unwrap_or(i64::MAX));
        write!(f, "{:.3}Z", EPOCH.saturating_add(since))
    }
}

/// A calendar day, in days since 1970-01-01.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i32);

/// Year, month and day, as in `2026-01-31`.
impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        EPOCH.date().saturating_add(SignedDuration::from_hours(24 * i64::from(self.0))).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_print_as_iso_with_milliseconds() {
        assert_eq!(Millis(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Millis(1_767_225_599_999).to_string(), "2025-12-31T23:59:59.999Z");
        assert_eq!(Millis(951_782_400_000).to_string(), "2000-02-29T00:00:00.000Z");
        assert_eq!(Millis(253_402_300_799_999).to_string(), "9999-12-31T23:59:59.999Z");
        assert_eq!(Millis(u64::MAX).to_string(), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn the_day_follows_the_zone() {
        let late = Millis(1_767_225_599_999);
        assert_eq!(late.day(0).to_string(), "2025-12-31");
        assert_eq!(late.day(3600).to_string(), "2026-01-01");
        assert_eq!(late.day(-86_400).to_string(), "2025-12-30");
    }
}
