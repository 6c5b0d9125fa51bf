//! Instants and days as data.
//!
//! `domain/` never reads a clock: the actor that decides brings the time with the command and
//! writes it into its record, so replay sees the time that the live run saw.
//!
//! ```text
//! Millis  milliseconds since 1970-01-01T00:00:00Z, as u64
//! Day     days since 1970-01-01 in the shop's zone, as i32 (the zone is applied outside)
//! ```

use std::fmt;

/// Milliseconds in a day.
const DAY_MS: u64 = 86_400_000;

/// A point in time: milliseconds since the Unix epoch, UTC.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub u64);

impl Millis {
    /// This instant moved forward by `ms` milliseconds, held at the end of time.
    #[must_use]
    pub fn plus(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this instant; zero when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The day this instant falls on, in a zone that lies `offset_s` seconds east of UTC.
    #[must_use]
    pub fn day(self, offset_s: i32) -> Day {
        let local = self.0 as i64 + i64::from(offset_s) * 1000;
        Day(local.div_euclid(DAY_MS as i64) as i32)
    }
}

/// ISO 8601 with milliseconds and `Z`, as the wire wants it.
impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = Day((self.0 / DAY_MS) as i32);
        let ms = self.0 % DAY_MS;
        let (h, m, s) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
        write!(f, "{day}T{h:02}:{m:02}:{s:02}.{:03}Z", ms % 1000)
    }
}

/// A calendar day, counted from 1970-01-01.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i32);

impl Day {
    /// Year, month (1 to 12) and day of the month, by the proleptic Gregorian calendar
    /// (the "civil from days" arithmetic of Howard Hinnant's date algorithms).
    #[must_use]
    pub fn civil(self) -> (i64, u32, u32) {
        let z = i64::from(self.0) + 719_468;
        let era = z.div_euclid(146_097);
        let doe = z.rem_euclid(146_097);
        let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        let mp = (5 * doy + 2) / 153;
        let day = (doy - (153 * mp + 2) / 5 + 1) as u32;
        let month = if mp < 10 { mp + 3 } else { mp - 9 } as u32;
        (yoe + era * 400 + i64::from(month <= 2), month, day)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (y, m, d) = self.civil();
        write!(f, "{y:04}-{m:02}-{d:02}")
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
    }

    #[test]
    fn the_day_follows_the_zone() {
        let late = Millis(1_767_225_599_999);
        assert_eq!(late.day(0).to_string(), "2025-12-31");
        assert_eq!(late.day(3600).to_string(), "2026-01-01");
        assert_eq!(late.day(-86_400).to_string(), "2025-12-30");
    }
}
