//! When a deferred letter is tried again: after `base * 2^(n-1)`, up to a cap, with a spread.
//!
//! The spread keeps ten thousand deferred letters from coming back at once. It is computed from the person's
//! number instead of drawn at random, so replay finds the same times.

use super::time::Millis;

/// The longest wait between two attempts: 6 hours.
const CAP_MS: u64 = 6 * 3_600_000;

/// The schedule on which deferred letters are tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// The first wait, in milliseconds.
    pub base_ms: u64,
    /// How long after its first attempt a letter is given up, in milliseconds.
    pub max_age_ms: u64,
}

impl Default for Retry {
    fn default() -> Self {
        Self { base_ms: 60_000, max_age_ms: 86_400_000 }
    }
}

impl Retry {
    /// When the next attempt may be made, after `attempts` of which the first was at `first` and the last at
    /// `at`. `None` if the letter would be too old by then.
    #[must_use]
    pub fn next(&self, attempts: u16, first: Millis, at: Millis, spread: u32) -> Option<Millis> {
        let doublings = u32::from(attempts.saturating_sub(1)).min(20);
        let wait = self.base_ms.saturating_mul(1 << doublings).min(CAP_MS);
        // Up to an eighth later, by a multiplicative hash of the spread.
        let jitter = wait / 8 * u64::from(spread.wrapping_mul(0x9e37_79b1) >> 24) / 256;
        let then = at.plus(wait + jitter);
        (then.since(first) <= self.max_age_ms).then_some(then)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_cap_and_end_with_the_age() {
        let retry = Retry { base_ms: 1000, max_age_ms: 86_400_000 };
        let (first, mut at, mut waits) = (Millis(0), Millis(0), Vec::new());
        for attempt in 1.. {
            let Some(then) = retry.next(attempt, first, at, 0) else { break };
            waits.push(then.since(at));
            at = then;
        }
        assert_eq!(&waits[..4], &[1000, 2000, 4000, 8000]);
        assert!(waits.iter().all(|w| *w <= CAP_MS));
        assert!(at.0 <= 86_400_000);
    }
}
