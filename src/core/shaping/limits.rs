//! The shop's settings for a provider: rate, burst, letters in flight, letters a day.
//!
//! A setting that a provider's own table leaves out comes from `[provider.default]`; if that leaves it out
//! too, there is no limit. Invariant: every number is at least 1.

use super::super::pace::Rate;
use super::super::provider::Providers;
use std::collections::BTreeMap;

/// The limits of one provider; `None` is no limit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    pub rate: Option<Rate>,
    /// Letters in flight at once.
    pub connections: Option<u32>,
    /// Letters a day (UTC).
    pub per_day: Option<u32>,
    /// Letters on the first day, the second, and so on. After the last of them only `per_day` counts.
    pub warm_up: Vec<u32>,
}

impl Limits {
    /// How many letters may start on a day of the warm-up, where the first is day 0; `None`: no limit.
    #[must_use]
    pub(crate) fn ceiling(&self, day: u32) -> Option<u32> {
        let warm = self.warm_up.get(day as usize).copied();
        [warm, self.per_day].into_iter().flatten().min()
    }

    /// Whether a limit counts the letters of a day.
    #[must_use]
    pub(crate) fn counts_days(&self) -> bool {
        self.per_day.is_some() || !self.warm_up.is_empty()
    }
}

/// All providers and their limits.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Which domains belong to which provider.
    pub providers: Providers,
    /// The limits of providers without their own.
    pub default: Limits,
    /// The limits by provider number, completed from `default`.
    pub named: BTreeMap<u16, Limits>,
}

impl Plan {
    /// The limits of a named provider.
    #[must_use]
    pub fn limits(&self, provider: u16) -> &Limits {
        self.named.get(&provider).unwrap_or(&self.default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warm_up_ends_with_its_last_day_and_never_lifts_the_daily_ceiling() {
        let limits = Limits { per_day: Some(300), warm_up: vec![50, 100, 500], ..Limits::default() };
        let days: Vec<_> = (0..5).map(|day| limits.ceiling(day)).collect();
        assert_eq!(days, [Some(50), Some(100), Some(300), Some(300), Some(300)]);
        let warm = Limits { warm_up: vec![50], ..Limits::default() };
        assert_eq!((warm.ceiling(0), warm.ceiling(1)), (Some(50), None));
        assert!(warm.counts_days() && !Limits::default().counts_days());
    }
}
