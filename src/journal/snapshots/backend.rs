//! The interface of a backend, and the two backends there are.
//!
//! A backend writes pages into a fresh directory and reads them back in key order. Counting, digests, fsync,
//! naming and the decision whether a directory is good are made above it, for both alike, so the flat file
//! can check sled and replace it. A generation names the backend that wrote it and is read with that one,
//! whatever is configured now.

use std::path::Path;
use std::sync::Arc;

use super::error::StoreError;
use super::{flat::Flat, sled::Sled};
use crate::disk::Disk;

/// A page: its key and its value.
pub(super) type SnapshotPage = (Vec<u8>, Vec<u8>);
/// Takes one page at a time.
pub(super) type Each<'a> = dyn FnMut(&[u8], &[u8]) -> Result<(), StoreError> + 'a;

/// The backend that writes new generations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Backend {
    /// A sled tree in a directory of its own.
    #[default]
    Sled,
    /// One flat file: pages with their checksums, then the length and a SHA-256.
    Flat,
}

impl Backend {
    /// The name in a manifest.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sled => "sled",
            Self::Flat => "flat",
        }
    }

    /// The backend with a name.
    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::Sled, Self::Flat].into_iter().find(|backend| backend.name() == name)
    }

    /// Refuses a disk on which this backend cannot work; sled opens files by itself.
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

/// Writes and reads the pages in one directory. Every call may panic or hang, and callers must guard against
/// it.
pub(super) trait SnapshotStore: Sync {
    /// Makes an empty set of pages in an empty directory.
    fn create(&self, disk: &Arc<dyn Disk>, dir: &Path) -> Result<Box<dyn PageWriter>, StoreError>;
    /// Opens a finished set of pages.
    fn open(&self, disk: &Arc<dyn Disk>, dir: &Path) -> Result<Box<dyn PageReader>, StoreError>;
    /// Whether opening writes, so that only a copy may be opened.
    fn writes_on_open(&self) -> bool;
}

/// A set of pages that is being written.
pub(super) trait PageWriter {
    fn put(&mut self, batch: Vec<SnapshotPage>) -> Result<(), StoreError>;
    /// Writes out what is buffered. The caller then drops the writer and syncs the files.
    fn flush(&mut self) -> Result<(), StoreError>;
}

/// A finished set of pages.
pub(super) trait PageReader {
    /// Visits every page in ascending key order, the same each time.
    fn scan(&mut self, each: &mut Each<'_>) -> Result<(), StoreError>;
}
