//! The sled backend, the only file that uses sled.
//!
//! sled 0.34 serves as a file format, not as a database. Its `flush` does not sync and its `open` writes, so
//! it is trusted neither for durability nor for health: the caller syncs every file that it leaves, digests
//! them, and lets it open copies only. Deliberately unused are the flusher thread (`flush_every_ms`),
//! `flush_async` (it deadlocks), transactions, and a tree per list (four times the size). sled does not
//! survive a full disk: its I/O threads, which the process shares, die of it, and the next user waits for
//! ever. So the writer checks for space before each batch and each copy, and sled never meets a full disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sled::{Batch, Config, Db, Error, Mode};

use super::backend::{Each, PageReader, PageWriter, SnapshotPage, SnapshotStore};
use super::error::StoreError;
use crate::disk::Disk;

/// The size of sled's own cache, in bytes; its default is 1 GiB.
const CACHE_BYTES: u64 = 64 << 20;

/// The number of accesses that sled collects before it evicts.
const CACHE_ACCESSES: usize = 64;

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
    /// Makes sled enforce the limit of its cache. By itself it does so only at every 64th access to one of
    /// 256 shards, and with large pages the cache would grow past a gigabyte first.
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
