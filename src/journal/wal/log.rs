//! The handle of the running log: cheap to clone, never blocks on the disk.
//!
//! Everything goes through one queue to the writer, so what one thread appends keeps its order, and a barrier covers
//! all that was appended before it. The queue has no bound: whoever appends on behalf of the outside holds a permit of
//! admission, which is what bounds it.

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

/// What is called, once, when the log fails.
pub(super) type OnPoison = Box<dyn Fn(&WalError) + Send + Sync>;

/// A running log. Clones are the same log; it closes when it is told to or when the last clone goes.
#[derive(Clone)]
pub struct Log {
    inner: Arc<Inner>,
}

/// Numbers for the eye. The counts start at 0 with the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// How many batches were synced.
    pub syncs: u64,
    /// How many records they held.
    pub records: u64,
    /// How many bytes of frames.
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
    /// Starts the two threads behind what [`recover`](super::recover()) found.
    ///
    /// A disk with no space is no error here: [`Self::room`] turns false, and the log waits.
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
        // From here on an early return closes the queue, which ends whatever has started.
        let writing = start(WRITER_NAME, Box::new(move || run_writer(writer, &on_poison)))?;
        log.threads().push(writing);
        let making = start(PREALLOCATOR_NAME, Box::new(move || run_preallocator(preallocator, &sender)))?;
        log.threads().push(making);
        Ok(log)
    }

    /// The handle, and what has to be moved for it: by threads, or by hand.
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

    /// Appends a record; the ticket hears its number once it is durable. Never blocks, so the caller must hold an
    /// admission permit. A record longer than [`Options::max_record_bytes`] fails its ticket and nothing else.
    pub fn append(&self, record: Record, ticket: Ticket) {
        self.send_record(record, Some(PendingTicket::new(ticket)));
    }

    /// Appends a record that nobody waits for. One that is too long poisons the log: its loss would go unheard.
    pub fn append_quiet(&self, record: Record) {
        self.send_record(record, None);
    }

    /// The ticket hears the last number appended before, once all of that is durable. Costs no sync when it is.
    pub fn barrier(&self, ticket: Ticket) {
        self.send(WriterMessage::Barrier(PendingTicket::new(ticket)));
    }

    /// A barrier that does not wait for its turn: when nothing is on its way at all, the ticket hears it before this
    /// returns, on this thread.
    pub fn barrier_at_once(&self, ticket: Ticket) {
        let gauges = &self.inner.gauges;
        let resting = gauges.unsettled.load(Ordering::Acquire) == 0;
        if resting && !gauges.ended.load(Ordering::Acquire) && !self.poisoned() {
            return ticket(Ok(self.durable_lsn()));
        }
        self.barrier(ticket);
    }

    /// Lets the next record start a new segment, and answers when that one is there. An empty segment is not sealed
    /// again. When there is no space for a new one, this answers at once and the next batch tries again.
    pub fn seal(&self, ticket: Ticket) {
        self.send(WriterMessage::Seal(PendingTicket::new(ticket)));
    }

    /// The number that the writer gives next; records still in the queue have none yet.
    #[must_use]
    pub fn next_lsn(&self) -> Lsn {
        self.inner.gauges.next.load(Ordering::Acquire)
    }

    /// The highest number that is durable.
    #[must_use]
    pub fn durable_lsn(&self) -> Lsn {
        self.inner.gauges.durable.load(Ordering::Acquire)
    }

    /// Whether the last try to make a spare segment had space. While it had not, nothing new may be admitted.
    #[must_use]
    pub fn room(&self) -> bool {
        self.inner.pool.room()
    }

    /// Whether the log has failed. It never works again in this process.
    #[must_use]
    pub fn poisoned(&self) -> bool {
        self.inner.gauges.poisoned.load(Ordering::Acquire)
    }

    /// Lets whole segments go whose records are all below this number; never the last one. Happens in the background,
    /// and is done when [`Self::close`] returns.
    pub fn trim(&self, below: Lsn) {
        self.inner.pool.trim(below);
    }

    /// Looks after the quarantine: what an engine first saw 7 days before `now_ms` is removed. In the background, like [`Self::trim`].
    pub fn sweep_quarantine(&self, now_ms: u64) {
        self.inner.pool.sweep(now_ms);
    }

    /// Numbers for the eye.
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

    /// Writes all that was appended before, syncs the mark, and ends both threads. Later tickets fail. On a full disk
    /// it does not wait for space: what does not fit fails. Closing twice is fine; the first call
    /// is the one that waits.
    pub fn close(&self) {
        self.inner.close();
    }

    /// Counted before it is sent: whoever sees no record on its way knows that those it heard of are durable.
    fn send_record(&self, record: Record, waiting: Option<PendingTicket>) {
        self.inner.gauges.unsettled.fetch_add(1, Ordering::AcqRel);
        self.send(WriterMessage::Append(record, waiting));
    }

    /// A message that the writer cannot get is dropped here, and its ticket fails with it.
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
            // A panic inside was caught and has poisoned the log.
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

/// The last thing a writer does: what went wrong is told, then every ticket that is left hears it.
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
    // Fails what is queued, and from now on also what comes.
    drop_tickets(writer);
}

/// Drops the writer with all tickets that wait in it; one that panics does not keep the others from hearing.
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
