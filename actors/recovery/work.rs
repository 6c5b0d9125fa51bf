//! What a worker of the replay is sent, and what it does with it.

use super::batch::ReplayBatch;
use restockd_core::ListId;
use restockd_journal::wal::RecordRef;

/// What is sent to a worker.
pub(super) enum Work {
    /// Its records.
    Records(ReplayBatch),
    /// To the directory alone: events that a list has answered.
    Answers(Vec<(u64, ListId)>),
}

/// What a worker does.
pub(super) trait Replay: Send {
    /// Applies one record where its author's counter is newer.
    fn take(&mut self, record: &RecordRef<'_>) -> Result<(), String>;
    /// A batch is over.
    fn batch_over(&mut self) {}
    /// A list has answered an event.
    fn answered(&mut self, _event: u64, _by: &ListId) {}
}
