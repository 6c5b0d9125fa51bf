//! The engine as a real process, killed with `kill -9` while it works, against what it promised.
//!
//! | file | what is killed | what must hold |
//! |---|---|---|
//! | `broadcast` | a broadcast over SMTP, and one into a folder | nobody twice, nobody lost in silence, the doubt bounded |
//! | `presses` | presses, leaves and restocks from many threads | what was acknowledged is there |
//! | `order` | the engine, between the directory's record and the list's | the last word counts |
//! | `crowd` | nothing: one webhook thousands of times at once | one signal, one campaign |
//!
//! The short form runs with every `cargo test`. The long form takes its sizes from the environment:
//!
//! ```text
//! RESTOCKD_KILLS=20 RESTOCKD_LETTERS=5000 RESTOCKD_WEBHOOKS=10000 \
//!     cargo test --release --test kill -- --nocapture --test-threads 1
//! ```
//!
//! Kills fall at random points; the seed is printed, and `RESTOCKD_SEED` chooses it.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic")]

mod broadcast;
mod crowd;
mod order;
mod presses;
#[path = "../support/process.rs"]
mod process;
#[path = "../support/sink.rs"]
mod sink;

/// A number from the environment, or the short form's.
fn size(name: &str, short: u64) -> u64 {
    std::env::var(name).map_or(short, |text| text.parse().unwrap())
}

/// Random numbers from a seed that is printed.
struct Dice(u64);

impl Dice {
    fn new(what: &str) -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let seed = size("RESTOCKD_SEED", u64::from(now.subsec_nanos()));
        println!("{what}: RESTOCKD_SEED={seed}");
        Self(seed)
    }

    /// A number below `end` (splitmix64).
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end.max(1)
    }
}
