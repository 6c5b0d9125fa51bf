//! The snapshot store from outside: rounds, crashes between their steps, damage, and the two backends
//! against each other.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]

mod crash;
mod damage;
mod forged;
#[cfg(feature = "root-tests")]
mod full_disk;
mod power;
mod rounds;
mod twins;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use restockd_journal::disk::{Disk, RealDisk};
use restockd_journal::snapshots::{Backend, Generations, LoadOutcome, Meta, StoreError};
use tempfile::TempDir;

/// Pages by key.
pub type Pages = BTreeMap<Vec<u8>, Vec<u8>>;

pub const ENGINE: [u8; 16] = [7; 16];
pub const BOTH: [Backend; 2] = [Backend::Sled, Backend::Flat];

/// The disk of the machine.
pub fn real() -> Arc<dyn Disk> {
    Arc::new(RealDisk)
}

/// A store in a directory of its own.
pub struct Place {
    _root: TempDir,
    pub dir: PathBuf,
    pub backend: Backend,
}

impl Place {
    pub fn new(backend: Backend) -> Self {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("snapshots");
        Self { _root: root, dir, backend }
    }

    /// A place with two generations: 1 with `pages(1)`, 2 with `pages(2)`.
    pub fn with_two(backend: Backend) -> Self {
        let place = Self::new(backend);
        place.round(10, &pages(1));
        place.round(20, &pages(2));
        place
    }

    pub fn open(&self) -> Generations {
        Generations::open(real(), self.dir.clone(), ENGINE, self.backend).unwrap()
    }

    /// One whole round in a fresh handle.
    pub fn round(&self, replay_from: u64, pages: &Pages) -> u64 {
        round(&self.open(), replay_from, pages)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The names in the directory, sorted.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.dir).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

pub fn meta(replay_from: u64) -> Meta {
    let counts = vec![("members".to_owned(), 3), ("open campaigns".to_owned(), u64::MAX)];
    Meta { engine: ENGINE, replay_from, durable: replay_from + 5, made_ms: 1_700_000_000_000, counts }
}

/// A few pages that differ by seed, one of them large.
pub fn pages(seed: u8) -> Pages {
    let mut pages: Pages =
        (0..20_u8).map(|page| (vec![b'k', seed, page], vec![seed ^ page; usize::from(page) * 40])).collect();
    pages.insert(vec![b'z', seed], (0..70_000_u32).map(|at| (at % 251) as u8 ^ seed).collect());
    pages
}

pub fn round(store: &Generations, replay_from: u64, pages: &Pages) -> u64 {
    let mut building = store.begin().unwrap();
    for (key, value) in pages {
        building.put(key, value).unwrap();
    }
    let sealed = building.seal(meta(replay_from)).unwrap();
    let number = sealed.number();
    sealed.commit().unwrap();
    number
}

/// What a load says, and what its sink took. The sink must have taken nothing unless a generation came.
pub fn load(store: &Generations) -> (Result<LoadOutcome, StoreError>, Pages) {
    let mut taken = Pages::new();
    let outcome = store.load(&mut |key, value| {
        assert!(taken.insert(key.to_vec(), value.to_vec()).is_none(), "a page came twice");
        Ok(())
    });
    assert!(matches!(outcome, Ok(LoadOutcome::Generation { .. })) || taken.is_empty(), "half a generation");
    (outcome, taken)
}

/// Loads and expects this generation without a complaint.
pub fn loads(store: &Generations, number: u64, pages: &Pages) -> Meta {
    match load(store) {
        (Ok(LoadOutcome::Generation { number: found, meta, older: false, problems }), taken) => {
            assert_eq!((found, problems), (number, vec![]));
            assert!(taken == *pages, "other pages came back");
            meta
        }
        (other, _) => panic!("{other:?}"),
    }
}

/// Every file below a directory with its bytes.
pub fn tree(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.insert(path.clone(), Vec::new());
            files.extend(tree(&path));
        } else {
            files.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    files
}

/// Copies a directory with all in it.
pub fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_tree(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// Numbers that look random and are the same in every run.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}
