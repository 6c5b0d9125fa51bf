//! Digests of a set of pages: two that do not depend on their order, and one that does.
//!
//! Pages are put in any order and read back sorted, so what is computed while writing must not depend on the
//! order: the count, and the sum modulo 2^256 of the SHA-256 of each page. The digest over the sorted pages
//! is the SHA-256 of those hashes in key order, computed when a generation is read back.
//!
//! ```text
//! hash   = SHA-256( key length, u32 LE | key | value )
//! sum    = hash1 + hash2 + …            as little-endian 256-bit numbers, wrapping
//! digest = SHA-256( hash1 | hash2 | … ) in ascending key order
//! ```

use sha2::{Digest, Sha256};

pub(super) type Hash = [u8; 32];

/// The count, bytes and order-free sum of a set of pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Tally {
    pub(super) pages: u64,
    pub(super) bytes: u64,
    pub(super) sum: Hash,
}

impl Tally {
    /// Counts a page; returns its hash.
    pub(super) fn add(&mut self, key: &[u8], value: &[u8]) -> Hash {
        let hash = page_hash(key, value);
        self.pages += 1;
        self.bytes += (key.len() + value.len()) as u64;
        let mut carry = 0_u16;
        for (place, byte) in self.sum.iter_mut().zip(hash) {
            let sum = u16::from(*place) + u16::from(byte) + carry;
            *place = sum.to_le_bytes()[0];
            carry = sum >> 8;
        }
        hash
    }

    /// The first value that differs from the expected one, in words.
    pub(super) fn differs(&self, expected: &Self) -> Option<String> {
        if self.pages != expected.pages {
            return Some(format!("it holds {} pages where {} were put", self.pages, expected.pages));
        }
        if self.bytes != expected.bytes {
            return Some(format!("it holds {} bytes of pages where {} were put", self.bytes, expected.bytes));
        }
        (self.sum != expected.sum).then(|| format!("the digest of its {} pages differs", self.pages))
    }
}

/// A `Tally` with the digest of the sorted pages, which also checks that they are sorted.
#[derive(Default)]
pub(super) struct SortedTally {
    tally: Tally,
    digest: Sha256,
    last: Option<Vec<u8>>,
}

impl SortedTally {
    /// Counts the next page; `false` if its key does not come after the one before.
    pub(super) fn add(&mut self, key: &[u8], value: &[u8]) -> bool {
        let sorted = self.last.as_deref().is_none_or(|last| last < key);
        let last = self.last.get_or_insert_default();
        last.clear();
        last.extend_from_slice(key);
        self.digest.update(self.tally.add(key, value));
        sorted
    }

    /// The tally and the digest.
    pub(super) fn finish(self) -> (Tally, Hash) {
        (self.tally, self.digest.finalize().into())
    }
}

fn page_hash(key: &[u8], value: &[u8]) -> Hash {
    let length = u32::try_from(key.len()).unwrap_or(u32::MAX);
    Sha256::new().chain_update(length.to_le_bytes()).chain_update(key).chain_update(value).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_forgets_order_and_nothing_else() {
        let of = |pages: &[(&[u8], &[u8])]| {
            let mut tally = Tally::default();
            for (key, value) in pages {
                tally.add(key, value);
            }
            tally
        };
        let one = of(&[(b"a", b"1"), (b"b", b"2"), (b"c", b"3")]);
        assert_eq!(one, of(&[(b"c", b"3"), (b"a", b"1"), (b"b", b"2")]));
        assert_ne!(one, of(&[(b"a", b"2"), (b"b", b"1"), (b"c", b"3")]), "values swapped");
        assert_ne!(one, of(&[(b"a1", b""), (b"b", b"2"), (b"c", b"3")]), "a byte moved into the key");
        assert!(one.differs(&of(&[(b"a", b"1"), (b"b", b"2")])).is_some());
    }

    #[test]
    fn the_sum_carries_over_the_whole_number() {
        let mut tally = Tally { pages: 0, bytes: 0, sum: [0xff; 32] };
        let hash = tally.add(b"k", b"v");
        let mut plus_one = tally.sum;
        for byte in &mut plus_one {
            *byte = byte.wrapping_add(1);
            if *byte != 0 {
                break;
            }
        }
        assert_eq!(plus_one, hash, "all ones is minus one");
    }

    #[test]
    fn unsorted_and_doubled_keys_are_noticed() {
        let mut sorted = SortedTally::default();
        assert!(sorted.add(b"a", b""));
        assert!(sorted.add(b"b", b""));
        assert!(!sorted.add(b"b", b""));
        assert!(!sorted.add(b"a", b""));
    }
}
