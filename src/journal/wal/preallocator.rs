//! The thread "wal-maker": keeps one blank segment ahead and removes old segments.
//!
//! ```text
//!    preallocator ── spare ──> pool ──> writer takes it, gives it its name
//!      │ no space                   needs one and there is none: waits, and no ticket is answered
//!      └── room = false, again each second (or when something was trimmed) ── made ──> room = true
//! ```
//!
//! - A shortage (space, quota, file handles) while a spare is made is no failure: admission stops, what was
//!   admitted still fits into the current segment, and the attempt is repeated.
//! - Any other error of the disk here poisons the log, like an error of the writer.
//! - Old segments are removed oldest first, each removal synced before the next, and the newest never, so a
//!   crash leaves no hole.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::error::WalError;
use super::segment::make_blank;
use super::sync::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use super::sync::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use super::{Lsn, Options};
use crate::disk::{Disk, DiskFile};
use crate::quarantine;

const TRY_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// A blank segment that has no name in the log yet.
pub(super) struct Spare {
    pub(super) path: PathBuf,
    pub(super) file: Box<dyn DiskFile>,
    pub(super) bytes: u64,
}

/// What the writer and the preallocator share.
pub(super) struct SegmentPool {
    stock: Mutex<Stock>,
    bell: Condvar,
    /// Whether the writer has a thread, which may wait for space.
    waits: bool,
    room: AtomicBool,
    segments: AtomicU64,
}

struct Stock {
    spare: Option<Spare>,
    /// Whether the last attempt to make a spare found no space.
    short: bool,
    /// Whether the preallocator has ended with an error.
    broken: bool,
    /// That error, until the writer fetches it.
    error: Option<WalError>,
    /// Whether the log is closing, so that the writer must not wait for space any more.
    closing: bool,
    /// Whether the writer has ended.
    ended: bool,
    trim_below: Option<Lsn>,
    /// The quarantine is to be swept; the time for it, in milliseconds since 1970.
    sweep_at: Option<u64>,
    /// The segments with their first numbers, oldest first.
    files: Vec<(Lsn, PathBuf)>,
}

impl Stock {
    /// The next task. With `again`, also one that had no space before.
    fn task(&mut self, again: bool) -> Option<Task> {
        if let Some(below) = self.trim_below.take() {
            Some(Task::Trim(below))
        } else if let Some(now_ms) = self.sweep_at.take() {
            Some(Task::Sweep(now_ms))
        } else if self.ended {
            Some(Task::End)
        } else {
            (self.spare.is_none() && (!self.short || again)).then_some(Task::Make)
        }
    }
}

/// Why there is no spare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoSpare {
    /// There is no space for one now.
    Short,
    /// There will be none: the preallocator failed, or the log is closing without space.
    Never,
}

impl SegmentPool {
    pub(super) fn new(files: Vec<(Lsn, PathBuf)>, waits: bool) -> Self {
        let segments = AtomicU64::new(u64::try_from(files.len()).unwrap_or(u64::MAX));
        let stock = Stock {
            spare: None,
            short: false,
            broken: false,
            error: None,
            closing: false,
            ended: false,
            trim_below: None,
            sweep_at: None,
            files,
        };
        Self { stock: Mutex::new(stock), bell: Condvar::new(), waits, room: AtomicBool::new(true), segments }
    }

    pub(super) fn room(&self) -> bool {
        self.room.load(Ordering::Acquire)
    }

    pub(super) fn segments(&self) -> u64 {
        self.segments.load(Ordering::Acquire)
    }

    /// Takes the spare, and waits while one is being made; with `must` it also waits for space. Never waits
    /// if the writer has no thread.
    pub(super) fn take(&self, must: bool) -> Result<Spare, NoSpare> {
        let mut stock = self.lock();
        loop {
            if let Some(spare) = stock.spare.take() {
                self.bell.notify_all();
                return Ok(spare);
            }
            if stock.broken || (stock.short && stock.closing) {
                return Err(NoSpare::Never);
            }
            if !self.waits || (stock.short && !must) {
                return Err(NoSpare::Short);
            }
            stock = self.bell.wait(stock).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Adds a segment that is in use from now on.
    pub(super) fn add(&self, first_lsn: Lsn, path: PathBuf) {
        self.change(|stock| stock.files.push((first_lsn, path)));
    }

    pub(super) fn trim(&self, below: Lsn) {
        self.change(|stock| stock.trim_below = Some(below.max(stock.trim_below.unwrap_or(0))));
    }

    pub(super) fn sweep(&self, now_ms: u64) {
        self.change(|stock| stock.sweep_at = Some(now_ms));
    }

    pub(super) fn closing(&self) {
        self.change(|stock| stock.closing = true);
    }

    pub(super) fn ended(&self) {
        self.change(|stock| stock.ended = true);
    }

    /// There will be no more spares, because of this error.
    pub(super) fn broken(&self, error: WalError) {
        self.change(|stock| {
            stock.broken = true;
            stock.error = Some(error);
        });
    }

    pub(super) fn take_error(&self) -> Option<WalError> {
        self.lock().error.take()
    }

    fn change(&self, act: impl FnOnce(&mut Stock)) {
        let mut stock = self.lock();
        act(&mut stock);
        self.segments.store(u64::try_from(stock.files.len()).unwrap_or(u64::MAX), Ordering::Release);
        self.bell.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Stock> {
        self.stock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the preallocator does next.
enum Task {
    Make,
    Trim(Lsn),
    Sweep(u64),
    End,
}

pub(super) struct Preallocator {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) options: Options,
    pub(super) pool: Arc<SegmentPool>,
    pub(super) made: u64,
}

impl Preallocator {
    /// Works until the writer has ended.
    pub(super) fn run(mut self) -> Result<(), WalError> {
        let outcome = self.work();
        let spare = self.pool.lock().spare.take();
        if let Some(spare) = spare {
            // Only to leave a tidy directory; otherwise the next start removes it.
            let _ = self.disk.remove(&spare.path);
        }
        outcome
    }

    fn work(&mut self) -> Result<(), WalError> {
        loop {
            match self.next_task() {
                Task::End => return Ok(()),
                task => self.carry_out(task)?,
            }
        }
    }

    fn carry_out(&mut self, task: Task) -> Result<(), WalError> {
        match task {
            Task::End => Ok(()),
            Task::Trim(below) => self.trim(below),
            Task::Sweep(now_ms) => {
                quarantine::sweep(&*self.disk, &self.options.dir, now_ms);
                Ok(())
            }
            Task::Make => self.make(),
        }
    }

    /// Does all that can be done without waiting. With `again`, also retries what had no space before.
    #[cfg(feature = "testing")]
    pub(super) fn catch_up(&mut self, again: bool) -> Result<(), WalError> {
        let mut again = again;
        loop {
            let task = self.pool.lock().task(std::mem::take(&mut again));
            match task {
                None | Some(Task::End) => return Ok(()),
                Some(task) => self.carry_out(task)?,
            }
        }
    }

    fn next_task(&self) -> Task {
        let mut stock = self.pool.lock();
        let mut waited = false;
        loop {
            if let Some(task) = stock.task(waited) {
                return task;
            }
            let bell = &self.pool.bell;
            if stock.short {
                let (again, timeout) =
                    bell.wait_timeout(stock, TRY_AGAIN_AFTER).unwrap_or_else(PoisonError::into_inner);
                stock = again;
                waited = timeout.timed_out();
            } else {
                stock = bell.wait(stock).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    fn make(&mut self) -> Result<(), WalError> {
        self.made += 1;
        let path = self.options.dir.join(format!("spare-{}.tmp", self.made));
        let bytes = self.options.segment_bytes;
        let made = make_blank(&*self.disk, &path, bytes);
        match made {
            Ok(file) => {
                self.pool.room.store(true, Ordering::Release);
                self.pool.change(|stock| {
                    stock.spare = Some(Spare { path, file, bytes });
                    stock.short = false;
                });
                Ok(())
            }
            Err(error) if error.is_shortage() => {
                // A half-made spare takes space that others need.
                let _ = self.disk.remove(&path);
                if self.pool.room.swap(false, Ordering::AcqRel) {
                    tracing::warn!(%error, "cannot make the next log segment, admission stops until there is space");
                }
                self.pool.change(|stock| stock.short = true);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Removes the segments whose records are all below a number. What cannot be removed stays for the next
    /// time.
    fn trim(&self, below: Lsn) -> Result<(), WalError> {
        loop {
            let oldest = {
                let stock = self.pool.lock();
                match stock.files.as_slice() {
                    [(_, oldest), (next, _), ..] if *next <= below => oldest.clone(),
                    _ => break,
                }
            };
            if let Err(error) = self.disk.remove(&oldest) {
                tracing::warn!(file = %oldest.display(), %error, "cannot remove an old segment, it stays for now");
                break;
            }
            let dir = &self.options.dir;
            self.disk.sync_dir(dir).map_err(|error| WalError::io("sync the directory", dir, error))?;
            self.pool.change(|stock| {
                stock.files.remove(0);
            });
        }
        // There may be space again, so try at once.
        self.pool.change(|stock| stock.short = false);
        Ok(())
    }
}
