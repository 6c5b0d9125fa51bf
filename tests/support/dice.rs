//! Sizes and seeds of tests from the environment, so that one command is the long form and one seed a replay.
#![allow(dead_code, missing_docs, reason = "each test tree uses its part")]
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic")]

/// A number from the environment, or the short form's.
pub fn size(name: &str, short: u64) -> u64 {
    std::env::var(name).map_or(short, |text| text.parse().unwrap())
}

/// Random numbers from a seed that is printed.
pub struct Dice(u64);

impl Dice {
    pub fn new(what: &str) -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let seed = size("RESTOCKD_SEED", u64::from(now.subsec_nanos()));
        println!("{what}: RESTOCKD_SEED={seed}");
        Self(seed)
    }

    /// Random numbers from a seed that belongs to another one.
    pub fn of(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `end` (splitmix64).
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end.max(1)
    }
}
