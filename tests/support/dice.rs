//! Sizes and seeds of tests from the environment, so that one command is the long form and one seed a replay.
#![allow(dead_code, missing_docs, reason = "each test tree uses its part")]
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic")]

#[path = "splitmix.rs"]
mod splitmix;

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

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        splitmix::next(&mut self.0) % end.max(1)
    }
}
