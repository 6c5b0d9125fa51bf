//! Rate limits by name, in memory of fixed size.
//!
//! ```text
//! slots  [ next free moment | … ]   a name's slot is its hash; two names in one slot share the rate
//! ```
//!
//! A table of names would grow with every invented name, and a table that is emptied would forget. Here a slot holds the
//! time at which its names have their whole burst again (GCRA). 65,536 slots stand for all names, and the hash differs at
//! every start, so nobody can aim at another's slot.

use std::hash::{BuildHasher, Hash, RandomState};

use parking_lot::Mutex;

use restockd_core::Millis;

/// Slots of one limiter: 512 KiB.
const SLOTS: usize = 1 << 16;

#[derive(Debug)]
pub(super) struct Limiter {
    slots: Mutex<Box<[u64]>>,
    seed: RandomState,
    each_ms: u64,
    burst: u64,
}

impl Limiter {
    /// Allows `burst` requests at once, and then one every `each_ms` milliseconds.
    pub(super) fn new(burst: u64, each_ms: u64) -> Self {
        Self { slots: Mutex::new(vec![0; SLOTS].into()), seed: RandomState::new(), each_ms, burst }
    }

    /// Counts one request.
    ///
    /// # Errors
    /// The milliseconds after which it would be allowed.
    pub(super) fn take(&self, name: impl Hash, now: Millis) -> Result<(), u64> {
        let at = self.seed.hash_one(name) as usize % SLOTS;
        let mut slots = self.slots.lock();
        let Some(slot) = slots.get_mut(at) else { return Ok(()) };
        let free = (*slot).max(now.0);
        let early = now.0 + self.each_ms * self.burst.saturating_sub(1);
        if free > early {
            return Err(free - early);
        }
        *slot = free + self.each_ms;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_one_at_a_time() {
        let limiter = Limiter::new(3, 1000);
        let at = |ms: u64| limiter.take("ann", Millis(1_000_000 + ms));
        assert_eq!([at(0), at(0), at(0), at(0)], [Ok(()), Ok(()), Ok(()), Err(1000)]);
        assert_eq!((at(999), at(1000), at(1000)), (Err(1), Ok(()), Err(1000)));
        assert_eq!(at(60_000), Ok(()));
        let others = (0..100).filter(|n| limiter.take(n, Millis(1_000_000)).is_ok()).count();
        assert!(others >= 99, "others have their own slots");
    }
}
