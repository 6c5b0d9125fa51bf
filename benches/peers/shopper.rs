//! What each client presses.
//!
//! It is the same for every peer: client `n` presses the same things in the same order, as far as it gets. Whether an answer
//! must say "new" or "repeat" follows from the press. Only joins of people who are still on a list are repeated: restockd
//! puts somebody who presses again after leaving on the list again, even with the same key; a table of keys does not.

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// A new shopper joins a list.
    Join,
    /// An earlier join with its key; the person is still on the list.
    Again,
    /// Somebody who joined leaves.
    Leave,
}

/// One request.
pub struct Act {
    pub what: What,
    pub email: String,
    pub list: String,
    pub key: String,
}

impl Act {
    /// Whether the person joins (or leaves).
    pub fn on(&self) -> bool {
        self.what != What::Leave
    }
}

/// Decides what a client presses next.
pub struct Shopper {
    n: usize,
    lists: usize,
    dice: u64,
    /// How many have joined; also the number of the next.
    pub joined: u64,
    /// How many of these, the first ones, have left.
    pub left: u64,
}

impl Shopper {
    pub fn new(n: usize, lists: usize) -> Self {
        Self { n, lists, dice: mix(n as u64), joined: 0, left: 0 }
    }

    pub fn next(&mut self) -> Act {
        self.dice = mix(self.dice);
        match self.dice % 100 {
            0..5 if self.left < self.joined => {
                self.left += 1;
                self.act(What::Leave, self.left - 1)
            }
            5..10 if self.left < self.joined => {
                let here = self.joined - self.left;
                self.act(What::Again, self.left + mix(self.dice) % here)
            }
            _ => {
                self.joined += 1;
                self.act(What::Join, self.joined - 1)
            }
        }
    }

    /// Takes back the last decision when there was no time to send it.
    pub fn unsent(&mut self, act: &Act) {
        match act.what {
            What::Join => self.joined -= 1,
            What::Leave => self.left -= 1,
            What::Again => (),
        }
    }

    fn act(&self, what: What, number: u64) -> Act {
        let n = self.n;
        let list = mix((n as u64) << 40 | number) % self.lists as u64;
        let word = if what == What::Leave { "leave" } else { "waitlist" };
        Act {
            what,
            email: format!("new.{n}.{number}@mail.example"),
            list: format!("restock-sku-{list:06}"),
            key: format!("{word}-{n}-{number}-sku-{list:06}"),
        }
    }
}

/// A pseudo-random number derived from another (splitmix64).
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
