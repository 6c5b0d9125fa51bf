//! Pages in one sled tree: the only file that knows sled.
//!
//! sled 0.34 is used as a file format, not as a database. Its `flush` does not sync and its `open` writes, so
//! neither durability nor health is taken from it: the caller syncs every file it left behind, digests them,
//! and lets it open copies only. Left out on purpose: the flusher thread (`flush_every_ms`), `flush_async`
//! (it deadlocks), transactions, and a tree per list (four times the size). sled does not survive a full disk:
//! its process-wide I/O threads die of it and whoever uses it next waits for ever, so the writer looks for room
//! before each batch and before a copy, and never lets sled find out.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sled::{Batch, Config, Db, Error, Mode};

use super::backend::{Each, PageReader, PageWriter, SnapshotPage, SnapshotStore};
use super::error::StoreError;
use crate::disk::Disk;

/// sled's own cache; its default is 1 GiB.
const CACHE_BYTES: u64 = 64 << 20;

/// As many accesses as sled collects before it evicts.
const CACHE_ACCESSES: usize = 64;

/// The sled backend.
pub(super) struct Sled;

struct OpenDatabase {
    db: Db,
    dir: PathBuf,
}

impl SnapshotStore for Sled {
    fn create(&self, _: &Arc<dyn Disk>, dir: &Path) -> Result<Box<dyn PageWriter>, StoreError> {
        Ok(Box::new(open(dir, true)?))
    }

    fn open(&self, _: &Arc<dyn Disk>, dir: &Path) -> Result<Box<dyn PageReader>, StoreError> {
        Ok(Box::new(open(dir, false)?))
    }

    fn writes_on_open(&self) -> bool {
        true
    }
}

impl PageWriter for OpenDatabase {
    fn put(&mut self, pages: Vec<SnapshotPage>) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        for (key, value) in &pages {
            batch.insert(key.as_slice(), value.as_slice());
        }
        self.db.apply_batch(batch).map_err(|e| said(&self.dir, e))?;
        pages.iter().try_for_each(|(key, _)| self.nudge(key))
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        self.db.flush().map(drop).map_err(|e| said(&self.dir, e))
    }
}

impl PageReader for OpenDatabase {
    fn scan(&mut self, each: &mut Each<'_>) -> Result<(), StoreError> {
        for page in self.db.iter() {
            let (key, value) = page.map_err(|e| said(&self.dir, e))?;
            each(&key, &value)?;
            drop(value);
            self.nudge(&key)?;
        }
        Ok(())
    }
}

impl OpenDatabase {
    /// Makes sled look at its cache's limit: it does so only at every 64th access to one of 256 shards, which
    /// with large pages lets the cache grow past a gigabyte first.
    fn nudge(&self, key: &[u8]) -> Result<(), StoreError> {
        for _ in 0..CACHE_ACCESSES {
            self.db.contains_key(key).map_err(|e| said(&self.dir, e))?;
        }
        Ok(())
    }
}

fn open(dir: &Path, create_new: bool) -> Result<OpenDatabase, StoreError> {
    let config = Config::new()
        .path(dir)
        .create_new(create_new)
        .flush_every_ms(None)
        .cache_capacity(CACHE_BYTES)
        .mode(Mode::HighThroughput);
    let db = config.open().map_err(|e| said(dir, e))?;
    Ok(OpenDatabase { db, dir: dir.to_path_buf() })
}

fn said(dir: &Path, error: Error) -> StoreError {
    match error {
        Error::Io(source) => match StoreError::io("use sled in", dir, source) {
            full @ StoreError::NoSpace { .. } => full,
            other => StoreError::backend("sled", dir, other.to_string()),
        },
        other => StoreError::backend("sled", dir, other.to_string()),
    }
}
