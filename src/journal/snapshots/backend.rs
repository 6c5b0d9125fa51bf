//! What a backend must be able to do, and which there are.
//!
//! A backend writes pages into a fresh directory and reads them back in key order. That is all: counting,
//! digests, fsync, naming and deciding whether a directory is good are done above it, the same for each, so
//! the flat file is both the check on sled and the way out of it. A generation carries the name of the
//! backend that wrote it and is read with that one, whatever is configured now.

use std::path::Path;
use std::sync::Arc;

use super::error::StoreError;
use super::{flat::Flat, sled::Sled};
use crate::disk::Disk;

/// A page on its way to or from a backend: key and value.
pub(super) type SnapshotPage = (Vec<u8>, Vec<u8>);
/// Takes one page at a time.
pub(super) type Each<'a> = dyn FnMut(&[u8], &[u8]) -> Result<(), StoreError> + 'a;

/// Which backend writes new generations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Backend {
    /// One sled tree in a directory of its own.
    #[default]
    Sled,
    /// One flat file: pages, their checksums, length and SHA-256 at the end.
    Flat,
}

impl Backend {
    /// The name that stands in a manifest.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sled => "sled",
            Self::Flat => "flat",
        }
    }

    /// The backend of that name.
    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::Sled, Self::Flat].into_iter().find(|backend| backend.name() == name)
    }

    /// Refuses a disk that this backend cannot work on: sled opens files by itself.
    pub(super) fn check(self, disk: &dyn Disk, dir: &Path) -> Result<(), StoreError> {
        if self == Self::Sled && !disk.is_machine() {
            return Err(StoreError::NotTheMachine { path: dir.to_path_buf() });
        }
        Ok(())
    }

    pub(super) fn store(self) -> &'static dyn SnapshotStore {
        match self {
            Self::Sled => &Sled,
            Self::Flat => &Flat,
        }
    }
}

/// Writes and reads the pages of one directory. Every call may panic or hang; callers see to that.
pub(super) trait SnapshotStore: Sync {
    /// Makes an empty set of pages in an empty directory.
    fn create(&self, disk: &Arc<dyn Disk>, dir: &Path) -> Result<Box<dyn PageWriter>, StoreError>;
    /// Opens a finished set of pages.
    fn open(&self, disk: &Arc<dyn Disk>, dir: &Path) -> Result<Box<dyn PageReader>, StoreError>;
    /// Whether opening writes, so that only a copy may be opened.
    fn writes_on_open(&self) -> bool;
}

/// A set of pages being written.
pub(super) trait PageWriter {
    /// Adds a batch.
    fn put(&mut self, batch: Vec<SnapshotPage>) -> Result<(), StoreError>;
    /// Writes out what is buffered; the caller then drops the writer and syncs the files.
    fn flush(&mut self) -> Result<(), StoreError>;
}

/// A finished set of pages.
pub(super) trait PageReader {
    /// Visits every page in ascending key order, the same each time.
    fn scan(&mut self, each: &mut Each<'_>) -> Result<(), StoreError>;
}
