//! The handle of the running log: cheap to clone, and never blocked by the disk.
//!
//! Everything goes through one queue to the writer, so the records of one thread keep their order, and a
//! barrier covers all that was appended before it. The queue has no bound of its own: callers hold a permit
//! of admission, and their number bounds it.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::error::WalError;
use super::frame::{FrameBatch, MAX_RECORDS};
use super::preallocator::{Preallocator, SegmentPool};
use super::recover::LogRecovery;
use super::sync::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use super::sync::sync::mpsc::{Sender, channel};
use super::sync::sync::{Mutex, MutexGuard, PoisonError};
use super::sync::thread::{self, Builder, JoinHandle};
use super::watermark::Watermark;
use super::writer::{Age, Current, Gauges, PendingTicket, Writer, WriterMessage, age};
use super::{Lsn, Options, Record, Ticket};
use crate::disk::Disk;

const WRITER_NAME: &str = "wal-writer";
const PREALLOCATOR_NAME: &str = "wal-maker";

/// Called once, when the log fails.
pub(super) type OnPoison = Box<dyn Fn(&WalError) + Send + Sync>;

/// A running log. Clones are the same log; it closes when [`close`](Self::close) is called or the last clone
/// is dropped.
#[derive(Clone)]
pub struct Log {
    inner: Arc<Inner>,
}

/// Counts of the running log, from 0 at the start of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// How many batches were synced.
    pub syncs: u64,
    /// How many records they held.
    pub records: u64,
    /// How many bytes of frames were written.
    pub bytes: u64,
    /// How many segments there are now.
    pub segments: u64,
}

struct Inner {
    queue: Sender<WriterMessage>,
    gauges: Arc<Gauges>,
    pool: Arc<SegmentPool>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Log {
    /// Starts the two threads of a log that [`recover`](super::recover()) has made ready.
    ///
    /// A full disk is no error here: [`Self::room`] becomes false, and the log waits for space.
    ///
    /// # Errors
    ///
    /// If the last segment cannot be opened, or no thread can be started.
    pub fn start(
        disk: Arc<dyn Disk>,
        options: Options,
        recovered: &LogRecovery,
        on_poison: OnPoison,
    ) -> Result<Self, WalError> {
        let (log, writer, preallocator) = Self::parts(disk, &options, recovered, true, age())?;
        let start = |name: &'static str, work: Box<dyn FnOnce() + Send>| {
            let thread = Builder::new().name(name.to_owned()).spawn(work);
            thread.map_err(|error| WalError::io("start a thread for", &options.dir, error))
        };
        let sender = log.inner.queue.clone();
        // From here on an early return closes the queue, which ends the threads that have started.
        let writing = start(WRITER_NAME, Box::new(move || run_writer(writer, &on_poison)))?;
        log.threads().push(writing);
        let making = start(PREALLOCATOR_NAME, Box::new(move || run_preallocator(preallocator, &sender)))?;
        log.threads().push(making);
        Ok(log)
    }

    /// Makes the handle, and the writer and preallocator that threads or a test will move.
    pub(super) fn parts(
        disk: Arc<dyn Disk>,
        options: &Options,
        recovered: &LogRecovery,
        threads: bool,
        age: Age,
    ) -> Result<(Self, Writer, Preallocator), WalError> {
        options.check()?;
        let (sender, queue) = channel();
        let last = recovered.next - 1;
        let gauges = Arc::new(Gauges {
            next: AtomicU64::new(recovered.next),
            durable: AtomicU64::new(last),
            poisoned: AtomicBool::new(false),
            syncs: AtomicU64::new(0),
            records: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            unsettled: AtomicU64::new(0),
            ended: AtomicBool::new(false),
        });
        let pool = Arc::new(SegmentPool::new(recovered.files.clone(), threads));
        let writer = Writer {
            disk: disk.clone(),
            options: options.clone(),
            queue,
            pool: pool.clone(),
            gauges: gauges.clone(),
            current: open_current(&*disk, recovered)?,
            chain: recovered.chain,
            mark: Watermark::new(options, recovered.mark),
            mark_written: age(),
            age,
            most: MAX_RECORDS,
            seal: false,
            batch: FrameBatch::default(),
            waiting: std::collections::VecDeque::new(),
            held: None,
            settled: 0,
        };
        let preallocator = Preallocator { disk, options: options.clone(), pool: pool.clone(), made: 0 };
        let inner = Inner { queue: sender, gauges, pool, threads: Mutex::new(Vec::new()) };
        Ok((Self { inner: Arc::new(inner) }, writer, preallocator))
    }

    /// Appends a record; its ticket gets the number once the record is durable. Never blocks, so the caller
    /// must hold a permit of admission. A record longer than [`Options::max_record_bytes`] only fails its
    /// ticket.
    pub fn append(&self, record: Record, ticket: Ticket) {
        self.send_record(record, Some(PendingTicket::new(ticket)));
    }

    /// Appends a record without a ticket. One that is too long poisons the log, since nobody would learn of
    /// its loss.
    pub fn append_quiet(&self, record: Record) {
        self.send_record(record, None);
    }

    /// The ticket gets the number of the last record appended before, once all of those are durable. Costs no
    /// sync if they are.
    pub fn barrier(&self, ticket: Ticket) {
        self.send(WriterMessage::Barrier(PendingTicket::new(ticket)));
    }

    /// A barrier that need not queue: if no record is on its way, the ticket is called on this thread before
    /// this returns.
    pub fn barrier_at_once(&self, ticket: Ticket) {
        let gauges = &self.inner.gauges;
        let resting = gauges.unsettled.load(Ordering::Acquire) == 0;
        if resting && !gauges.ended.load(Ordering::Acquire) && !self.poisoned() {
            return ticket(Ok(self.durable_lsn()));
        }
        self.barrier(ticket);
    }

    /// Lets the next record start a new segment, and answers when that segment is there. An empty segment is
    /// not sealed again. If there is no space for a new one, this answers at once and the next batch tries
    /// again.
    pub fn seal(&self, ticket: Ticket) {
        self.send(WriterMessage::Seal(PendingTicket::new(ticket)));
    }

    /// The number that the writer gives to the next record; records in the queue have none yet.
    #[must_use]
    pub fn next_lsn(&self) -> Lsn {
        self.inner.gauges.next.load(Ordering::Acquire)
    }

    /// The highest number that is durable.
    #[must_use]
    pub fn durable_lsn(&self) -> Lsn {
        self.inner.gauges.durable.load(Ordering::Acquire)
    }

    /// Whether the last attempt to make a spare segment found space. As long as it did not, nothing new may
    /// be admitted.
    #[must_use]
    pub fn room(&self) -> bool {
        self.inner.pool.room()
    }

    /// Whether the log has failed. It never works again in this process.
    #[must_use]
    pub fn poisoned(&self) -> bool {
        self.inner.gauges.poisoned.load(Ordering::Acquire)
    }

    /// Removes the segments whose records are all below this number, never the last one. Runs in the
    /// background and has ended when [`Self::close`] returns.
    pub fn trim(&self, below: Lsn) {
        self.inner.pool.trim(below);
    }

    /// Removes what was first seen in quarantine 7 days before `now_ms` (milliseconds since 1970). Runs in
    /// the background, like [`Self::trim`].
    pub fn sweep_quarantine(&self, now_ms: u64) {
        self.inner.pool.sweep(now_ms);
    }

    #[must_use]
    pub fn stats(&self) -> Stats {
        let gauges = &self.inner.gauges;
        Stats {
            syncs: gauges.syncs.load(Ordering::Relaxed),
            records: gauges.records.load(Ordering::Relaxed),
            bytes: gauges.bytes.load(Ordering::Relaxed),
            segments: self.inner.pool.segments(),
        }
    }

    /// Writes all that was appended before, syncs the mark, and ends both threads. Later tickets fail. On a
    /// full disk it does not wait for space, and what does not fit fails. Only the first call waits; further
    /// calls do nothing.
    pub fn close(&self) {
        self.inner.close();
    }

    /// Counts the record before sending it: if no record is on its way, all that anybody has learned of is
    /// durable.
    fn send_record(&self, record: Record, waiting: Option<PendingTicket>) {
        self.inner.gauges.unsettled.fetch_add(1, Ordering::AcqRel);
        self.send(WriterMessage::Append(record, waiting));
    }

    /// A message that the writer cannot receive is dropped here, so its ticket fails.
    fn send(&self, message: WriterMessage) {
        drop(self.inner.queue.send(message));
    }

    fn threads(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.inner.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log")
            .field("durable", &self.durable_lsn())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl Inner {
    fn close(&self) {
        self.gauges.ended.store(true, Ordering::Release);
        self.pool.closing();
        drop(self.queue.send(WriterMessage::Close));
        let me = thread::current().id();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        if threads.iter().any(|thread| thread.thread().id() == me) {
            return; // A ticket closed the log: its own thread cannot wait for itself.
        }
        for thread in threads {
            // A panic in the thread was caught and has poisoned the log.
            let _ = thread.join();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

fn open_current(disk: &dyn Disk, recovered: &LogRecovery) -> Result<Option<Current>, WalError> {
    let Some((path, offset, capacity)) = recovered.open.clone() else { return Ok(None) };
    let file = disk.open(&path).map_err(|error| WalError::io("open", &path, error))?;
    Ok(Some(Current { path, file, offset, capacity }))
}

fn run_writer(mut writer: Writer, on_poison: &OnPoison) {
    let outcome = catch_unwind(AssertUnwindSafe(|| writer.run()));
    end_writer(writer, outcome.unwrap_or(Err(WalError::Panicked(WRITER_NAME))), on_poison);
}

/// The end of a writer: reports what went wrong, then fails every ticket that is left.
pub(super) fn end_writer(writer: Writer, outcome: Result<(), WalError>, on_poison: &OnPoison) {
    let gauges = writer.gauges.clone();
    let pool = writer.pool.clone();
    if let Err(error) = outcome {
        gauges.poisoned.store(true, Ordering::Release);
        tracing::error!(%error, "the log failed, nothing more is promised");
        let told = catch_unwind(AssertUnwindSafe(|| on_poison(&error)));
        if told.is_err() {
            tracing::error!("the poison callback panicked");
        }
    }
    pool.ended();
    // Fails the queued tickets, and from now on also new ones.
    drop_tickets(writer);
}

/// Drops the writer with all tickets that wait in it; a ticket that panics does not stop the others.
fn drop_tickets(mut writer: Writer) {
    let fail = |one: &mut dyn FnMut()| drop(catch_unwind(AssertUnwindSafe(one)));
    while let Some(one) = writer.waiting.pop_front() {
        let mut one = Some(one);
        fail(&mut || drop(one.take()));
    }
    fail(&mut || drop(writer.held.take()));
    while let Ok(one) = writer.queue.try_recv() {
        let mut one = Some(one);
        fail(&mut || drop(one.take()));
    }
    drop(catch_unwind(AssertUnwindSafe(|| drop(writer))));
}

fn run_preallocator(preallocator: Preallocator, writer: &Sender<WriterMessage>) {
    let pool = preallocator.pool.clone();
    let outcome = catch_unwind(AssertUnwindSafe(|| preallocator.run()));
    let outcome = outcome.unwrap_or(Err(WalError::Panicked(PREALLOCATOR_NAME)));
    if let Err(error) = outcome {
        pool.broken(error);
        drop(writer.send(WriterMessage::Broken));
    }
}
