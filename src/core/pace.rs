//! A rate with a burst, by the generic cell rate algorithm.
//!
//! One number is the whole state: the theoretical arrival time of the next letter, in nanoseconds. Invariant:
//! in any `t` seconds at most `rate * t + burst` letters may start. A restart rebuilds the number from the
//! records of started letters, so it grants no second burst.

use super::time::Millis;

/// A rate: so many letters in a period, and so many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Letters per period, at least 1.
    pub letters: u32,
    /// The period, in milliseconds.
    pub period_ms: u32,
    /// Letters that may start at once, at least 1.
    pub burst: u32,
}

impl Rate {
    /// Reads `100/s`, `6000/m` or `5000/h`; the burst becomes a tenth of a second's worth of letters, at
    /// least 1. `Some(None)` stands for `unlimited`; `None`: not a rate.
    #[must_use]
    pub fn parse(text: &str) -> Option<Option<Self>> {
        let text = text.trim();
        if text == "unlimited" {
            return Some(None);
        }
        let (letters, unit) = text.split_once('/')?;
        let letters: u32 = letters.trim().parse().ok().filter(|n| (1..=10_000_000).contains(n))?;
        let period_ms = match unit.trim() {
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return None,
        };
        let per_second = u64::from(letters) * 1000 / u64::from(period_ms);
        Some(Some(Self { letters, period_ms, burst: (per_second / 10).max(1) as u32 }))
    }

    /// The slower of two rates, with its own burst.
    #[must_use]
    pub(crate) fn slower(self, other: Self) -> Self {
        if other.interval_ns() > self.interval_ns() { other } else { self }
    }

    /// Letters a minute, at least 1.
    #[must_use]
    pub(crate) fn per_minute(self) -> u32 {
        let letters = u64::from(self.letters) * 60_000 / u64::from(self.period_ms.max(1));
        u32::try_from(letters).unwrap_or(u32::MAX).max(1)
    }

    /// The time between two letters, in nanoseconds.
    fn interval_ns(self) -> u64 {
        (u64::from(self.period_ms) * 1_000_000 / u64::from(self.letters.max(1))).max(1)
    }
}

/// `100/s`, as [`Rate::parse`] reads it.
impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let unit = match self.period_ms {
            1_000 => "s",
            60_000 => "m",
            _ => "h",
        };
        write!(f, "{}/{unit}", self.letters)
    }
}

/// Whether a rate allows one more letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateDecision {
    /// It may start now.
    Now,
    /// It may not start before this time.
    At(Millis),
}

/// How far a rate is used up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pace {
    /// When the next letter would arrive at an even rate, in nanoseconds since 1970.
    pub next_ns: u64,
}

impl Pace {
    /// Whether a letter may start at `at`.
    #[must_use]
    pub(crate) fn check(&self, rate: Option<Rate>, at: Millis) -> RateDecision {
        let Some(rate) = rate else { return RateDecision::Now };
        let slack = rate.interval_ns() * u64::from(rate.burst.saturating_sub(1));
        let earliest = self.next_ns.saturating_sub(slack);
        if earliest <= at.0 * 1_000_000 {
            RateDecision::Now
        } else {
            RateDecision::At(Millis(earliest.div_ceil(1_000_000)))
        }
    }

    /// Whether past letters no longer delay the next one, so that the state equals a new one.
    #[must_use]
    pub(crate) fn is_over(&self, at: Millis) -> bool {
        self.next_ns <= at.0 * 1_000_000
    }

    /// Counts a letter that started at `at`.
    pub(crate) fn take(&mut self, rate: Option<Rate>, at: Millis) {
        if let Some(rate) = rate {
            self.next_ns = self.next_ns.max(at.0 * 1_000_000) + rate.interval_ns();
        }
    }

    /// Takes back a letter that was counted.
    pub(crate) fn give_back(&mut self, rate: Option<Rate>) {
        if let Some(rate) = rate {
            self.next_ns = self.next_ns.saturating_sub(rate.interval_ns());
        }
    }

    /// Changes the rate from `old` to `new`. If only the last letter, started at `last`, still counts, it is
    /// counted anew at the new rate: a letter that started at a slow rate must not delay the next one at a
    /// faster rate.
    pub(crate) fn change(&mut self, last: Millis, old: Option<Rate>, new: Option<Rate>) {
        if let (Some(old), Some(new)) = (old, new)
            && self.next_ns == last.0 * 1_000_000 + old.interval_ns()
        {
            self.next_ns = last.0 * 1_000_000 + new.interval_ns();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rates_are_read_as_people_write_them() {
        assert_eq!(Rate::parse("unlimited"), Some(None));
        let rate = Rate::parse("6000/m").flatten();
        assert_eq!(rate, Some(Rate { letters: 6000, period_ms: 60_000, burst: 10 }));
        assert_eq!(rate.map(|r| r.to_string()).as_deref(), Some("6000/m"));
        for bad in ["", "100", "0/s", "x/s", "1/d", "-1/s", "1/s/s"] {
            assert_eq!(Rate::parse(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn no_window_sees_more_than_rate_times_window_plus_burst(
            letters in 1u32..2000, burst in 1u32..50, gaps in prop::collection::vec(0u64..200, 1..300)
        ) {
            let rate = Some(Rate { letters, period_ms: 1000, burst });
            let (mut pace, mut now, mut starts) = (Pace::default(), Millis(1_000_000), Vec::new());
            for gap in gaps {
                now = now.plus(gap);
                while pace.check(rate, now) == RateDecision::Now && starts.len() < 1000 {
                    pace.take(rate, now);
                    starts.push(now);
                }
            }
            for (i, from) in starts.iter().enumerate() {
                for (j, to) in starts.iter().enumerate().skip(i) {
                    let allowed = to.since(*from) as f64 / 1000.0 * f64::from(letters) + f64::from(burst);
                    prop_assert!((j - i + 1) as f64 <= allowed + 1.0);
                }
            }
        }

        #[test]
        fn waiting_until_told_is_enough(letters in 1u32..5000, n in 1usize..200) {
            let rate = Some(Rate { letters, period_ms: 1000, burst: 1 });
            let (mut pace, mut now) = (Pace::default(), Millis(5));
            for _ in 0..n {
                if let RateDecision::At(then) = pace.check(rate, now) {
                    prop_assert!(then > now);
                    now = then;
                }
                prop_assert_eq!(pace.check(rate, now), RateDecision::Now);
                pace.take(rate, now);
            }
        }
    }
}
