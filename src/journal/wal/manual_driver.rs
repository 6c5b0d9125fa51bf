//! The log without threads, for tests (feature `testing`): the test says when a batch is written and when a
//! segment is made.
//!
//! ```text
//!   log.append(..) ──> queue ──> driver.write(most) ──> one frame, one sync, its tickets
//!                                driver.make(again) ──> the spare, the removal of old segments
//! ```
//!
//! It moves the same writer and preallocator that the threads run, so a simulation can put any order of
//! events between two of their steps, and repeat that order from a seed. It never waits; what a thread would
//! wait for, the next step tries again.

use std::sync::Arc;
use std::time::Duration;

use super::Options;
use super::error::WalError;
use super::log::{Log, OnPoison, end_writer};
use super::preallocator::Preallocator;
use super::recover::LogRecovery;
use super::writer::{Writer, WriterExit};
use crate::disk::Disk;

/// The writer and the preallocator of a log without threads.
pub struct ManualDriver {
    writer: Option<Writer>,
    preallocator: Preallocator,
    on_poison: OnPoison,
}

impl Log {
    /// Makes a log from a [`LogRecovery`] that moves only when its driver is moved. `age` is a monotonic
    /// clock; it measures nothing but the age of the mark.
    ///
    /// # Errors
    ///
    /// If the last segment cannot be opened.
    pub fn manual(
        disk: Arc<dyn Disk>,
        options: &Options,
        recovered: &LogRecovery,
        age: Box<dyn Fn() -> Duration + Send>,
        on_poison: OnPoison,
    ) -> Result<(Self, ManualDriver), WalError> {
        let (log, writer, preallocator) = Self::parts(disk, options, recovered, false, age)?;
        Ok((log, ManualDriver { writer: Some(writer), preallocator, on_poison }))
    }
}

impl ManualDriver {
    /// Writes one batch of at most `most` tickets, if there is one and it has space. False once the log has
    /// ended; then every ticket has been answered.
    pub fn write(&mut self, most: usize) -> bool {
        if let Err(error) = self.preallocator.catch_up(false) {
            return self.end(Err(error));
        }
        let Some(writer) = &mut self.writer else { return false };
        writer.most = most.max(1);
        let step = if writer.batch.records() > 0 || !writer.waiting.is_empty() {
            writer.finish()
        } else {
            match writer.held.take().or_else(|| writer.queue.try_recv().ok()) {
                Some(message) => writer.gather(message).and_then(|()| writer.finish()),
                None => {
                    writer.look_at_mark();
                    Ok(())
                }
            }
        };
        match step {
            Ok(()) | Err(WriterExit::Later) => true,
            Err(WriterExit::Closed) => {
                writer.mark.write(&*writer.disk, writer.chain.last, true);
                self.end(Ok(()))
            }
            Err(WriterExit::Failed(error)) => self.end(Err(error)),
        }
    }

    /// Makes the next segment and removes old ones, as far as possible now. With `again`, also retries what
    /// had no space before.
    pub fn make(&mut self, again: bool) -> bool {
        match self.preallocator.catch_up(again) {
            Ok(()) => self.writer.is_some(),
            Err(error) => self.end(Err(error)),
        }
    }

    fn end(&mut self, outcome: Result<(), WalError>) -> bool {
        if let Some(writer) = self.writer.take() {
            end_writer(writer, outcome, &self.on_poison);
        }
        false
    }
}
