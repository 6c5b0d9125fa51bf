//! What a worker of the replay is sent, and what it does with it.

use super::batch::ReplayBatch;
use restockd_core::ListId;
use restockd_journal::wal::RecordRef;

pub(super) enum Work {
    Records(ReplayBatch),
    /// Sent to the directory only: events, each with the list that has answered it.
    Answers(Vec<(u64, ListId)>),
}

/// The state that a worker's records are applied to.
pub(super) trait Replay: Send {
    /// Applies one record, unless the state holds it already.
    ///
    /// # Errors
    /// When a record is missing before it, or its bytes do not fit.
    fn take(&mut self, record: &RecordRef<'_>) -> Result<(), String>;
    /// Called after each batch.
    fn batch_over(&mut self) {}
    /// Notes that a list has answered an event.
    fn answered(&mut self, _event: u64, _by: &ListId) {}
}
