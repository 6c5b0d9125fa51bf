//! The thread "wal-writer": gathers a batch, writes it as one frame, syncs once, and answers the tickets.
//!
//! ```text
//!   queue: [append][append][barrier][append][seal]...
//!           └── one batch: up to 1 MiB or 4096 records ──> write ──> fdatasync ──> durable lsn ──> tickets, in order
//! ```
//!
//! - Before it writes a batch, the thread yields once to the threads that are ready to run: with more threads
//!   than processors, the sync then covers what they were about to append. There is no timer, and no cost if
//!   no thread is ready; at worst another process on the same processor takes its turn.
//! - No ticket is called before the sync of its batch has returned. A barrier is a ticket without a record.
//! - The first error in a segment in use ends everything: the flag is set, `on_poison` is called, and every
//!   ticket fails.
//! - Every ticket sits in a [`PendingTicket`], which fails it when dropped. So a dropped queue, a panic and a
//!   closed log all answer their tickets.
//! - The mark is written when it is 100 ms old and too low, even if nothing more is appended.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::error::{Lost, WalError};
use super::frame::{self, FrameBatch};
use super::preallocator::{NoSpare, SegmentPool, Spare};
use super::segment::{self, Chain, HEADER_BYTES};
use super::sync::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use super::sync::sync::mpsc::{Receiver, RecvTimeoutError};
use super::sync::thread;
use super::watermark::Watermark;
use super::{Lsn, Options, Record, Ticket};
use crate::disk::{Disk, DiskFile, wide};

const MARK_EVERY: Duration = Duration::from_millis(100);

/// A message in the queue of the writer.
pub(super) enum WriterMessage {
    Append(Record, Option<PendingTicket>),
    Barrier(PendingTicket),
    Seal(PendingTicket),
    /// The preallocator ended with an error, which is in the pool.
    Broken,
    Close,
}

/// A ticket that fails when it is dropped.
pub(super) struct PendingTicket(Option<Ticket>);

impl PendingTicket {
    pub(super) fn new(ticket: Ticket) -> Self {
        Self(Some(ticket))
    }

    fn answer(mut self, outcome: Result<Lsn, Lost>) {
        if let Some(ticket) = self.0.take() {
            ticket(outcome);
        }
    }
}

impl Drop for PendingTicket {
    fn drop(&mut self) {
        if let Some(ticket) = self.0.take() {
            ticket(Err(Lost::Ended));
        }
    }
}

/// What other threads may read while the writer works.
pub(super) struct Gauges {
    pub(super) next: AtomicU64,
    pub(super) durable: AtomicU64,
    pub(super) poisoned: AtomicBool,
    pub(super) syncs: AtomicU64,
    pub(super) records: AtomicU64,
    pub(super) bytes: AtomicU64,
    /// How many appended records have tickets that were not called yet. While it is 0, all that anybody knows
    /// of is durable.
    pub(super) unsettled: AtomicU64,
    /// The log was told to close.
    pub(super) ended: AtomicBool,
}

/// The segment in use.
pub(super) struct Current {
    pub(super) path: PathBuf,
    pub(super) file: Box<dyn DiskFile>,
    pub(super) offset: u64,
    pub(super) capacity: u64,
}

pub(super) struct Writer {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) options: Options,
    pub(super) queue: Receiver<WriterMessage>,
    pub(super) pool: Arc<SegmentPool>,
    pub(super) gauges: Arc<Gauges>,
    pub(super) current: Option<Current>,
    pub(super) chain: Chain,
    pub(super) mark: Watermark,
    /// The age of the log, which measures the age of the mark.
    pub(super) age: Age,
    pub(super) mark_written: Duration,
    /// The most tickets in a batch.
    pub(super) most: usize,
    /// Whether the next frame should start a new segment.
    pub(super) seal: bool,
    pub(super) batch: FrameBatch,
    /// The tickets of the batch, each with the number it will get.
    pub(super) waiting: VecDeque<(Lsn, PendingTicket)>,
    /// The message that ended the batch before it.
    pub(super) held: Option<WriterMessage>,
    /// Records taken in since tickets were last called.
    pub(super) settled: u64,
}

/// A monotonic clock with any start; nothing that is written depends on it.
pub(super) type Age = Box<dyn Fn() -> Duration + Send>;

/// The clock of the machine.
#[expect(clippy::disallowed_methods, reason = "the age of the mark decides nothing that a test must steer")]
pub(super) fn age() -> Age {
    let start = std::time::Instant::now();
    Box::new(move || start.elapsed())
}

/// Why the loop ends.
pub(super) enum WriterExit {
    Closed,
    Failed(WalError),
    /// There is no space for the batch, which stays as it is. Only the manual driver gets this.
    Later,
}

impl From<WalError> for WriterExit {
    fn from(error: WalError) -> Self {
        Self::Failed(error)
    }
}

impl Writer {
    /// Works until the log is closed (`Ok`) or fails. What is still queued fails when the writer is dropped.
    pub(super) fn run(&mut self) -> Result<(), WalError> {
        loop {
            match self.turn() {
                Ok(()) | Err(WriterExit::Later) => {}
                Err(WriterExit::Failed(error)) => return Err(error),
                Err(WriterExit::Closed) => {
                    self.mark.write(&*self.disk, self.chain.last, true);
                    return Ok(());
                }
            }
        }
    }

    /// Gathers one batch and makes it durable.
    fn turn(&mut self) -> Result<(), WriterExit> {
        let Some(message) = self.wait()? else { return Ok(()) };
        self.gather(message)?;
        self.gather_what_is_about_to_come()?;
        self.finish()
    }

    /// Yields once to the threads that are ready to run, and takes in what they appended, since a sync costs
    /// more than the record of a letter. If no thread is ready, this takes no time.
    fn gather_what_is_about_to_come(&mut self) -> Result<(), WriterExit> {
        if self.held.is_some() || self.waiting.len() >= self.most {
            return Ok(());
        }
        thread::yield_now();
        match self.queue.try_recv() {
            Ok(more) => self.gather(more),
            Err(_) => Ok(()),
        }
    }

    /// Takes in what has queued up behind this message, as long as it fits into one batch.
    pub(super) fn gather(&mut self, message: WriterMessage) -> Result<(), WriterExit> {
        let mut next = Some(message);
        while let Some(message) = next.take() {
            self.held = self.take_in(message)?;
            if self.held.is_some() {
                break;
            }
            next = if self.waiting.len() < self.most { self.queue.try_recv().ok() } else { None };
        }
        Ok(())
    }

    /// Makes the batch durable, then handles the message that ended it.
    pub(super) fn finish(&mut self) -> Result<(), WriterExit> {
        self.commit()?;
        match self.held.take() {
            Some(WriterMessage::Seal(waiting)) => self.seal_now(waiting),
            Some(WriterMessage::Broken) => Err(self.why_never()),
            Some(WriterMessage::Close) => Err(WriterExit::Closed),
            held => {
                self.held = held;
                Ok(())
            }
        }
    }

    /// The next message; `None` if it is time to write the mark.
    fn wait(&mut self) -> Result<Option<WriterMessage>, WriterExit> {
        if let Some(message) = self.held.take() {
            return Ok(Some(message));
        }
        if !self.mark.is_stale(self.chain.last) {
            return self.queue.recv().map(Some).map_err(|_| WriterExit::Closed);
        }
        let left = MARK_EVERY.saturating_sub(self.mark_age());
        match self.queue.recv_timeout(left) {
            Ok(message) => Ok(Some(message)),
            Err(RecvTimeoutError::Disconnected) => Err(WriterExit::Closed),
            Err(RecvTimeoutError::Timeout) => {
                self.write_mark();
                Ok(None)
            }
        }
    }

    /// Adds a message to the batch; returns it if the batch has to end before it.
    fn take_in(&mut self, message: WriterMessage) -> Result<Option<WriterMessage>, WriterExit> {
        let last = self.chain.last + Lsn::from(self.batch.records());
        match message {
            WriterMessage::Append(record, waiting) => {
                let limit = self.options.max_record_bytes();
                if record.bytes.len() > limit {
                    self.turn_away(record.bytes.len(), limit, waiting)?;
                    self.settled += 1;
                    return Ok(None);
                }
                if !self.batch.fits(&record, frame::payload_limit(self.options.segment_bytes)) {
                    return Ok(Some(WriterMessage::Append(record, waiting)));
                }
                self.batch.push(&record);
                self.settled += 1;
                self.waiting.extend(waiting.map(|waiting| (last + 1, waiting)));
                Ok(None)
            }
            WriterMessage::Barrier(waiting) => {
                self.waiting.push_back((last, waiting));
                Ok(None)
            }
            other => Ok(Some(other)),
        }
    }

    /// Fails the ticket of a record that is too long. Without a ticket, the log must end.
    fn turn_away(
        &self,
        bytes: usize,
        limit: usize,
        waiting: Option<PendingTicket>,
    ) -> Result<(), WriterExit> {
        match waiting {
            Some(waiting) => {
                waiting.answer(Err(Lost::TooLarge));
                Ok(())
            }
            None => Err(WriterExit::Failed(WalError::TooLarge { bytes, limit })),
        }
    }

    /// Writes the batch, syncs it, publishes its last number, then calls the tickets.
    fn commit(&mut self) -> Result<(), WriterExit> {
        let records = u64::from(self.batch.records());
        if records > 0 {
            self.write_batch(records)?;
        }
        self.answer_all();
        self.look_at_mark();
        Ok(())
    }

    /// Writes the mark if it is old and too low.
    pub(super) fn look_at_mark(&mut self) {
        if self.mark.is_stale(self.chain.last) && self.mark_age() >= MARK_EVERY {
            self.write_mark();
        }
    }

    fn mark_age(&self) -> Duration {
        (self.age)().saturating_sub(self.mark_written)
    }

    fn write_batch(&mut self, records: u64) -> Result<(), WriterExit> {
        let need = wide(self.batch.frame_bytes());
        self.make_room(need)?;
        let Some(current) = &mut self.current else { return Err(WriterExit::Closed) };
        let last = self.chain.last + records;
        let seed = frame::seed(&self.options.engine, self.chain.number);
        let (bytes, crc) = self.batch.seal(seed, self.chain.last + 1, self.chain.last);
        self.gauges.next.store(last + 1, Ordering::Release);
        current
            .file
            .write_at(current.offset, bytes)
            .map_err(|error| WalError::io("write to", &current.path, error))?;
        current.file.sync_data().map_err(|error| WalError::io("sync", &current.path, error))?;
        current.offset += need;
        self.chain = Chain { last, crc, ..self.chain };
        self.gauges.durable.store(last, Ordering::Release);
        self.gauges.syncs.fetch_add(1, Ordering::Relaxed);
        self.gauges.records.fetch_add(records, Ordering::Relaxed);
        self.gauges.bytes.fetch_add(need, Ordering::Relaxed);
        self.batch.clear();
        Ok(())
    }

    /// Makes sure that a frame of this length fits, in the current segment or in the spare.
    fn make_room(&mut self, need: u64) -> Result<(), WriterExit> {
        let fits = self.current.as_ref().is_some_and(|current| current.offset + need <= current.capacity);
        if fits && !self.seal {
            return Ok(());
        }
        match self.pool.take(!fits) {
            Ok(spare) => self.rotate(spare),
            // A new segment was asked for, but there is no space: the current one is as safe.
            Err(_) if fits => Ok(()),
            Err(NoSpare::Short) => Err(WriterExit::Later),
            Err(NoSpare::Never) => Err(self.why_never()),
        }
    }

    /// Why there will be no segment: the preallocator's error, or the log is closing on a full disk.
    fn why_never(&self) -> WriterExit {
        self.pool.take_error().map_or(WriterExit::Closed, WriterExit::Failed)
    }

    /// Takes a spare into use.
    fn rotate(&mut self, spare: Spare) -> Result<(), WriterExit> {
        let Spare { path, mut file, bytes } = spare;
        let first = self.chain.last + 1;
        let header = self.chain.next(&self.options, first, bytes);
        let path = segment::activate_blank(&*self.disk, &self.options, &path, &mut *file, &header)?;
        self.pool.add(first, path.clone());
        self.chain.number = header.number;
        self.current = Some(Current { path, file, offset: wide(HEADER_BYTES), capacity: bytes });
        self.seal = false;
        Ok(())
    }

    /// Starts a new segment, unless the current one is empty. Without space the next frame tries again.
    fn seal_now(&mut self, waiting: PendingTicket) -> Result<(), WriterExit> {
        // Kept with the others, so that it does not fail before the log is known to have failed.
        self.waiting.push_back((self.chain.last, waiting));
        if self.current.as_ref().is_some_and(|current| current.offset > wide(HEADER_BYTES)) {
            self.seal = true;
            match self.pool.take(false) {
                Ok(spare) => self.rotate(spare)?,
                Err(NoSpare::Short) => {}
                Err(NoSpare::Never) => return Err(self.why_never()),
            }
        }
        self.answer_all();
        Ok(())
    }

    fn answer_all(&mut self) {
        while let Some((lsn, waiting)) = self.waiting.pop_front() {
            waiting.answer(Ok(lsn));
        }
        self.gauges.unsettled.fetch_sub(std::mem::take(&mut self.settled), Ordering::Release);
    }

    fn write_mark(&mut self) {
        self.mark.write(&*self.disk, self.chain.last, false);
        self.mark_written = (self.age)();
    }
}
