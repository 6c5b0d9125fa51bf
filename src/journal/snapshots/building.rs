//! Making a generation: pages are taken in, then it is closed, synced, read back, described and published.
//!
//! ```text
//! Building ── put … put ── seal ──▶ Sealed ── commit ──▶ CURRENT names it
//!     └─ dropped ─┐                    └─ dropped ─┐        └─ older ones removed
//!                 ▼                                ▼
//!            the directory is removed, nothing has changed
//! ```
//!
//! Until `CURRENT.tmp` is renamed, everything can be undone, and is undone on any error. After that nothing
//! can: if the following sync fails, both outcomes are possible, so both generations stay and no new one can
//! be made until a restart has looked at the disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::backend::SnapshotPage;
use super::digest::Tally;
use super::error::StoreError;
use super::files;
use super::generations::{Copied, Inner};
use super::inspect::View;
use super::manifest::{self, Manifest, Meta};
use super::pointer::{self, CurrentPointer, Named};
use super::reader::Reader;
use super::writer::Writer;

/// The longest key, in bytes; the shortest has one byte.
pub const KEY_BYTES_MAX: usize = 1_024;
/// The longest page, in bytes; most pages are packed to 64 KiB.
pub const VALUE_BYTES_MAX: usize = 1 << 20;

const BATCH_PAGES_MAX: usize = 512;
const BATCH_BYTES_MAX: u64 = 4 << 20;

/// A generation that is being written. It takes pages in any order, each key once.
pub struct Building {
    // dropped first: its files must be closed before the directory is removed
    writer: Writer,
    round: Round,
    batch: Vec<SnapshotPage>,
    batch_bytes: u64,
    tally: Tally,
}

impl Building {
    pub(super) fn start(round: Round) -> Result<Self, StoreError> {
        let disk = &round.inner.disk;
        files::remove_dir(&**disk, &round.dir)?;
        files::make_dir(&**disk, &round.dir)?;
        let writer = Writer::start(disk, round.inner.backend, &round.dir)?;
        Ok(Self { writer, round, batch: Vec::new(), batch_bytes: 0, tally: Tally::default() })
    }

    /// Takes a page. After an error the generation is lost: drop it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Refused`] for an empty or too long key or a too long value, [`StoreError::NoSpace`] for
    /// a full disk, or an error of the backend.
    pub fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        if key.is_empty() || key.len() > KEY_BYTES_MAX {
            let reason = format!("it has {} bytes, 1 to {KEY_BYTES_MAX} are accepted", key.len());
            return Err(StoreError::refused("a page's key", reason));
        }
        if value.len() > VALUE_BYTES_MAX {
            let reason = format!("it has {} bytes, {VALUE_BYTES_MAX} are accepted", value.len());
            return Err(StoreError::refused("a page", reason));
        }
        let bytes = (key.len() + value.len()) as u64;
        if self.batch.len() == BATCH_PAGES_MAX || self.batch_bytes + bytes > BATCH_BYTES_MAX {
            self.send()?;
        }
        self.tally.add(key, value);
        self.batch.push((key.to_vec(), value.to_vec()));
        self.batch_bytes += bytes;
        Ok(())
    }

    /// Closes the generation, makes it durable, reads all of it back, and writes its manifest.
    ///
    /// # Errors
    ///
    /// [`StoreError::Refused`] for counts that a manifest cannot hold, [`StoreError::NoSpace`] for a full
    /// disk, [`StoreError::Io`] for a failed sync, [`StoreError::ReadBack`] if the pages do not read back as
    /// they were put, for example because a key was put twice.
    pub fn seal(mut self, meta: Meta) -> Result<Sealed, StoreError> {
        meta.check()?;
        if meta.engine != self.round.inner.engine {
            return Err(StoreError::refused("the snapshot's meta", "it names another engine"));
        }
        self.send()?;
        let Self { writer, round, tally, .. } = self;
        writer.finish()?;
        let (shared, dir, backend) = (&round.inner.disk, &round.dir, round.inner.backend);
        let disk = &**shared;
        files::sync_tree(disk, dir)?;
        let (names, bytes) = files::names(disk, dir)?;
        let copy = Copied::of(&round.inner, round.number, backend, bytes)?;
        let mut files = Vec::new();
        for name in names {
            files.push(files::digest_file(disk, dir, &name, copy.path())?);
        }
        let reader = Reader::start(shared, backend, copy.path().unwrap_or(dir), tally.bytes)?;
        let (found, digest) = reader.verify().map_err(|error| match error {
            StoreError::Damaged { path, what } => StoreError::ReadBack { path, what },
            other => other,
        })?;
        drop(reader);
        drop(copy);
        if let Some(what) = found.differs(&tally) {
            return Err(StoreError::ReadBack { path: dir.clone(), what });
        }
        let (text, hash) = Manifest { meta, backend, tally, digest, files }.encode();
        files::write_synced(disk, &dir.join(manifest::FILE), text.as_bytes())?;
        files::sync_dir(disk, dir)?;
        Ok(Sealed { manifest: hash, round })
    }

    fn send(&mut self) -> Result<(), StoreError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let bytes = std::mem::take(&mut self.batch_bytes);
        self.writer.put(std::mem::take(&mut self.batch), bytes)
    }
}

/// A verified generation that is not published yet.
pub struct Sealed {
    manifest: [u8; 32],
    round: Round,
}

impl Sealed {
    /// The number that it will have.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.round.number
    }

    /// Publishes the generation as the newest, with the newest good one before it as the previous, then
    /// removes all others.
    ///
    /// # Errors
    ///
    /// A full disk or a failed rename leaves everything as it was. After a failed sync of the directory, the
    /// outcome is unknown and no new generation can be made until a restart.
    pub fn commit(mut self) -> Result<(), StoreError> {
        let inner = Arc::clone(&self.round.inner);
        let _turn = inner.turn();
        inner.refuse_when_unsure()?;
        let newest = Named { number: self.round.number, manifest: self.manifest };
        let previous = View::read(&*inner.disk, &inner.dir)?.newest_good(&inner);
        self.round.rename(inner.generation(newest.number))?;
        let current = CurrentPointer { engine: inner.engine, newest, previous };
        current.prepare(&*inner.disk, &inner.dir)?;
        self.round.published = true;
        if let Err(error) = CurrentPointer::publish(&*inner.disk, &inner.dir) {
            inner.unsure.store(true, Ordering::SeqCst);
            return Err(error);
        }
        tracing::info!(snapshot.number = newest.number, "snapshot published");
        if let Err(error) = inner.remove_unnamed(&current) {
            tracing::warn!(%error, "an old snapshot could not be removed, it is tried again after the next");
        }
        Ok(())
    }
}

/// The directory of the generation being made; removed again unless it was published.
pub(super) struct Round {
    pub(super) inner: Arc<Inner>,
    pub(super) number: u64,
    pub(super) dir: PathBuf,
    /// Whether it was renamed to the name of a generation.
    named: bool,
    published: bool,
}

impl Round {
    pub(super) fn new(inner: Arc<Inner>, number: u64, dir: PathBuf) -> Self {
        Self { inner, number, dir, named: false, published: false }
    }

    fn rename(&mut self, to: PathBuf) -> Result<(), StoreError> {
        let disk = &*self.inner.disk;
        disk.rename(&self.dir, &to).map_err(|e| StoreError::io("rename to", &to, e))?;
        (self.dir, self.named) = (to, true);
        let synced = files::sync_dir(disk, &self.inner.dir);
        if synced.is_err() {
            self.inner.unsure.store(true, Ordering::SeqCst);
        }
        synced
    }

    /// Gives it back a name that the next start removes, durably. A directory is removed file by file, and a
    /// crash in between must not leave half of one that looks like a generation.
    fn take_back(&mut self) -> Result<(), StoreError> {
        if !std::mem::take(&mut self.named) {
            return Ok(());
        }
        let disk = &*self.inner.disk;
        let to = self.inner.building(self.number);
        disk.rename(&self.dir, &to).map_err(|e| StoreError::io("rename to", &to, e))?;
        self.dir = to;
        files::sync_dir(disk, &self.inner.dir)
    }
}

impl Drop for Round {
    fn drop(&mut self) {
        if !self.published {
            let tmp = self.inner.dir.join(pointer::TMP);
            let debris = self.take_back();
            let disk = &*self.inner.disk;
            let removed = debris.and_then(|()| files::remove_dir(disk, &self.dir));
            for result in [files::remove_file(disk, &tmp), removed] {
                if let Err(error) = result {
                    log_left_behind(&self.dir, &error);
                }
            }
        }
        self.inner.busy.store(false, Ordering::SeqCst);
    }
}

fn log_left_behind(dir: &Path, error: &StoreError) {
    tracing::warn!(dir = %dir.display(), %error, "an unfinished snapshot is removed at the next start");
}
