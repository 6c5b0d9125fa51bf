//! An index from names to row numbers, where the rows themselves hold the names.
//!
//! The table holds only 4-byte row numbers. It is rebuilt at start and never iterated, so its order does not
//! matter. Its hash is keyed by a seed from outside, so nobody can craft addresses that collide.

use std::hash::{DefaultHasher, Hash, Hasher};

use hashbrown::HashTable;

#[derive(Debug, Clone, Default)]
pub(crate) struct Index {
    table: HashTable<u32>,
    seed: u64,
}

impl Index {
    /// An empty index, hashed under `seed`.
    #[must_use]
    pub(crate) fn new(seed: u64) -> Self {
        Self { table: HashTable::new(), seed }
    }

    /// The row with a name; `is` says whether a row has it.
    pub(crate) fn find<N: Hash + ?Sized>(&self, name: &N, mut is: impl FnMut(u32) -> bool) -> Option<u32> {
        self.table.find(hash(self.seed, name), |row| is(*row)).copied()
    }

    /// Adds a row under `name`. When the table grows, `name_of` gives the hash of rows that are in it
    /// already.
    pub(crate) fn insert<N: Hash + ?Sized>(
        &mut self,
        name: &N,
        row: u32,
        rehash: impl Fn(u32, &Hashed) -> u64,
    ) {
        let seed = self.seed;
        self.table.insert_unique(hash(seed, name), row, |row| rehash(*row, &Hashed { seed }));
    }

    /// Removes a row from under `name`.
    pub(crate) fn remove<N: Hash + ?Sized>(&mut self, name: &N, row: u32) {
        if let Ok(entry) = self.table.find_entry(hash(self.seed, name), |at| *at == row) {
            entry.remove();
        }
    }
}

/// Hashes names as an index does.
pub(crate) struct Hashed {
    seed: u64,
}

impl Hashed {
    pub(crate) fn of<N: Hash + ?Sized>(&self, name: &N) -> u64 {
        hash(self.seed, name)
    }
}

fn hash<N: Hash + ?Sized>(seed: u64, name: &N) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write_u64(seed);
    name.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_by_name_and_forgotten_when_removed() {
        let names: Vec<String> = (0..500).map(|n| format!("name {n}")).collect();
        let name = |row: u32| names[row as usize].as_str();
        let mut index = Index::new(7);
        for row in 0..500 {
            index.insert(name(row), row, |r, h| h.of(name(r)));
        }
        assert_eq!(index.find("name 321", |r| name(r) == "name 321"), Some(321));
        index.remove("name 321", 321);
        assert_eq!(index.find("name 321", |r| name(r) == "name 321"), None);
        assert_eq!(index.find("name 322", |r| name(r) == "name 322"), Some(322));
    }
}
