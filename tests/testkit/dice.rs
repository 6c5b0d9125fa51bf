//! Random numbers for tests, with seeds and sizes from the environment: a size makes the long form, a seed repeats a run.

/// The next number of splitmix64, the only source of randomness in tests; advances the state.
pub fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number from the environment, or that of the short form.
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

    /// Random numbers from a seed that was derived from another.
    pub fn of(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        next(&mut self.0) % end.max(1)
    }
}
