//! What the shop has set for a provider: rate, burst, letters in flight, letters a day.
//!
//! A field that a provider's own table leaves out is taken from `[provider.default]`; what that leaves out is
//! no limit. Invariant: what is set is at least 1.

use super::super::pace::Rate;
use super::super::provider::Providers;
use std::collections::BTreeMap;

/// The limits of one provider.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// Letters in a span, with their burst.
    pub rate: Option<Rate>,
    /// Letters in flight at once.
    pub connections: Option<u32>,
    /// Letters a day (UTC).
    pub per_day: Option<u32>,
    /// Letters on the first day, the second, and so on; after the last, `per_day` alone.
    pub warm_up: Vec<u32>,
}

impl Limits {
    /// How many letters may start on a day, the first being day 0.
    #[must_use]
    pub(crate) fn ceiling(&self, day: u32) -> Option<u32> {
        let warm = self.warm_up.get(day as usize).copied();
        [warm, self.per_day].into_iter().flatten().min()
    }

    /// True where letters of a day are counted.
    #[must_use]
    pub(crate) fn counts_days(&self) -> bool {
        self.per_day.is_some() || !self.warm_up.is_empty()
    }
}

/// The table of providers with their limits.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Who receives what.
    pub providers: Providers,
    /// The limits of whoever has none of their own.
    pub default: Limits,
    /// Limits by a provider's number, `default` filled in.
    pub named: BTreeMap<u16, Limits>,
}

impl Plan {
    /// The limits of a provider with a name.
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
