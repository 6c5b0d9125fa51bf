//! The idempotency keys that were seen: exactly, for seven days, and within a bound.
//!
//! Keys are 128-bit keyed hashes, made outside, so nobody can craft collisions. A filter that guesses would
//! now and then drop a real request without a word, so the keys are kept whole.
//!
//! ```text
//! 4,096 shards by the top bits ──▶ Arc<sorted [key 16 B | time accepted, in minutes 4 B]>
//! ```
//!
//! Invariants: a key accepted less than seven days ago is found; the count never passes the limit, except at
//! replay; when the window is full, keys older than 76 hours (the longest that senders retry) go first, and
//! only if there are none is a request with a key refused.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::time::Millis;

/// How long a key is remembered: 7 days.
pub const KEEP_MS: u64 = 7 * 86_400_000;
/// How many keys are remembered by default.
pub const KEYS_MAX: usize = 20_000_000;
/// How long senders retry; the longest known schedule takes 75 h 35 min.
const RETRY_MS: u64 = 76 * 3_600_000;
/// The number of shards. A shard that a snapshot shares is copied when it changes.
const SHARDS: usize = 4096;
/// The unit of remembered times.
const MINUTE_MS: u64 = 60_000;

/// A key and the time when it was accepted, without padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    /// The key as 32-bit words, most significant first.
    pub key: [u32; 4],
    /// When it was accepted, in whole minutes since 1970.
    pub minutes: u32,
}

impl Seen {
    /// Whether `keep_ms` have passed since it was accepted; rounded so that it is never too early.
    fn expired(self, now: Millis, keep_ms: u64) -> bool {
        u64::from(self.minutes) * MINUTE_MS + MINUTE_MS + keep_ms <= now.0
    }
}

/// The window of remembered keys.
#[derive(Debug, Clone)]
pub(crate) struct KeyWindow {
    shards: Vec<Arc<Vec<Seen>>>,
    count: usize,
    limit: usize,
    hand: usize,
    /// How many keys were accepted in each minute, so that the age of the oldest is known.
    minutes: BTreeMap<u32, u32>,
}

impl KeyWindow {
    #[must_use]
    pub(crate) fn new(limit: usize) -> Self {
        Self { shards: vec![Arc::default(); SHARDS], count: 0, limit, hand: 0, minutes: BTreeMap::new() }
    }

    /// Whether `key` was accepted within the last seven days.
    #[must_use]
    pub(crate) fn holds(&self, key: u128, now: Millis) -> bool {
        let words = words(key);
        let shard = self.shards.get(shard_of(key)).map(|s| s.as_slice()).unwrap_or_default();
        shard
            .binary_search_by(|seen| seen.key.cmp(&words))
            .ok()
            .and_then(|at| shard.get(at))
            .is_some_and(|seen| !seen.expired(now, KEEP_MS))
    }

    /// Whether one more key can be taken in at `now`, if need be by dropping very old ones.
    #[must_use]
    pub(crate) fn has_room(&self, now: Millis) -> bool {
        self.count < self.limit || self.oldest().is_some_and(|oldest| oldest.expired(now, RETRY_MS))
    }

    /// A key as old as the oldest one.
    fn oldest(&self) -> Option<Seen> {
        self.minutes.keys().next().map(|minutes| Seen { key: [0; 4], minutes: *minutes })
    }

    /// Remembers `key` as accepted at `now`. Replay may pass the limit; a new request asks
    /// [`KeyWindow::has_room`] first.
    pub(crate) fn insert(&mut self, key: u128, now: Millis) {
        self.sweep(now, KEEP_MS);
        if self.count >= self.limit {
            for _ in 0..SHARDS {
                self.sweep(now, RETRY_MS);
            }
        }
        let seen = Seen { key: words(key), minutes: (now.0 / MINUTE_MS) as u32 };
        *self.minutes.entry(seen.minutes).or_default() += 1;
        if let Some(shard) = self.shards.get_mut(shard_of(key)) {
            let shard = Arc::make_mut(shard);
            match shard.binary_search_by(|other| other.key.cmp(&seen.key)) {
                Ok(at) => {
                    if let Some(old) = shard.get_mut(at) {
                        forget(&mut self.minutes, *old);
                        *old = seen;
                    }
                }
                Err(at) => {
                    shard.insert(at, seen);
                    self.count += 1;
                }
            }
        }
    }

    #[must_use]
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// The shards at this moment, for a snapshot.
    #[must_use]
    pub(crate) fn shards(&self) -> &[Arc<Vec<Seen>>] {
        &self.shards
    }

    /// Takes keys back from a snapshot.
    pub(crate) fn restore(&mut self, seen: Vec<Seen>) {
        for one in seen {
            let [a, b, c, d] = one.key.map(u128::from);
            let key = a << 96 | b << 64 | c << 32 | d;
            if let Some(shard) = self.shards.get_mut(shard_of(key)) {
                let shard = Arc::make_mut(shard);
                if let Err(at) = shard.binary_search_by(|other| other.key.cmp(&one.key)) {
                    shard.insert(at, one);
                    *self.minutes.entry(one.minutes).or_default() += 1;
                    self.count += 1;
                }
            }
        }
    }

    /// Drops the keys in the next shard that are older than `keep_ms`; each call takes another shard.
    fn sweep(&mut self, now: Millis, keep_ms: u64) {
        self.hand = (self.hand + 1) % SHARDS;
        if !self.oldest().is_some_and(|oldest| oldest.expired(now, keep_ms)) {
            return;
        }
        if let Some(shard) = self.shards.get_mut(self.hand)
            && shard.iter().any(|seen| seen.expired(now, keep_ms))
        {
            let shard = Arc::make_mut(shard);
            let before = shard.len();
            shard
                .iter()
                .filter(|seen| seen.expired(now, keep_ms))
                .for_each(|old| forget(&mut self.minutes, *old));
            shard.retain(|seen| !seen.expired(now, keep_ms));
            self.count -= before - shard.len();
        }
    }
}

/// Takes a key out of the count of its minute.
fn forget(minutes: &mut BTreeMap<u32, u32>, seen: Seen) {
    if let Some(count) = minutes.get_mut(&seen.minutes) {
        *count -= 1;
        if *count == 0 {
            minutes.remove(&seen.minutes);
        }
    }
}

/// The key as 32-bit words, most significant first, which sort like the number.
fn words(key: u128) -> [u32; 4] {
    [(key >> 96) as u32, (key >> 64) as u32, (key >> 32) as u32, key as u32]
}

/// The shard of a key: its top twelve bits.
fn shard_of(key: u128) -> usize {
    (key >> 116) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key that spreads over the shards.
    fn key(n: u64) -> u128 {
        u128::from(n.wrapping_mul(0x9e37_79b9_7f4a_7c15)) << 64 | u128::from(n)
    }

    #[test]
    fn a_key_is_held_for_seven_days_and_then_let_go() {
        let mut window = KeyWindow::new(100);
        let start = Millis(1_000_000_000_000);
        window.insert(key(1), start);
        assert!(window.holds(key(1), start.plus(KEEP_MS - 1)));
        assert!(!window.holds(key(1), start.plus(KEEP_MS + 2 * MINUTE_MS)));
        assert!(!window.holds(key(2), start));
    }

    #[test]
    fn a_full_window_lets_go_of_what_no_sender_retries_and_else_refuses() {
        let mut window = KeyWindow::new(50);
        let start = Millis(1_000_000_000_000);
        (0..50).for_each(|n| window.insert(key(n), start));
        assert!(!window.has_room(start.plus(75 * 3_600_000)));
        let later = start.plus(77 * 3_600_000);
        assert!(window.has_room(later));
        window.insert(key(99), later);
        assert_eq!(window.len(), 1);
        assert!(window.holds(key(99), later));
    }

    #[test]
    fn a_restored_window_holds_the_same_keys() {
        let mut window = KeyWindow::new(10_000);
        let start = Millis(1_000_000_000_000);
        (0..5000).for_each(|n| window.insert(key(n), start));
        let mut again = KeyWindow::new(10_000);
        window.shards().iter().for_each(|shard| again.restore(shard.to_vec()));
        assert_eq!(again.len(), 5000);
        assert!((0..5000).all(|n| again.holds(key(n), start)));
    }

    #[test]
    fn a_full_window_never_passes_its_limit_and_never_forgets_too_early() {
        let (mut window, mut now, mut held) =
            (KeyWindow::new(20), Millis(1_000_000_000_000), BTreeMap::new());
        for n in 0..400u64 {
            // Slow and fast hours, so that some keys go by age and some for want of room.
            now = now.plus(if n % 40 < 20 { 60_000 } else { (n % 11) * 3_600_000 });
            if window.has_room(now) {
                window.insert(key(n), now);
                held.insert(n, now);
            }
            assert!(window.len() <= 20, "{n}: {}", window.len());
            let young = held.iter().filter(|(_, at)| now.since(**at) < RETRY_MS);
            assert!(young.into_iter().all(|(n, _)| window.holds(key(*n), now)));
            let stale = held.iter().filter(|(_, at)| now.since(**at) >= KEEP_MS + MINUTE_MS);
            assert!(stale.into_iter().all(|(n, _)| !window.holds(key(*n), now)));
        }
        assert!(held.len() > 60);
    }

    #[test]
    fn a_key_that_the_hand_has_let_go_leaves_no_promise_of_room() {
        let mut window = KeyWindow::new(2);
        let (start, shard) = (Millis(1_000_000_000_000), 1u128 << 116);
        window.insert(shard, start);
        let later = start.plus(KEEP_MS + 2 * MINUTE_MS);
        // The next hand's turn clears the old key's shard, and two young keys fill the window.
        for n in 1..=5000u128 {
            let key = 7 * shard + n;
            if window.has_room(later) {
                window.insert(key, later);
            }
            assert!(window.len() <= 2);
        }
        assert!(!window.has_room(later));
    }
}
