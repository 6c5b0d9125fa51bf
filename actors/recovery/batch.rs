//! Records on their way from the reader to a worker: copied once, end to end, in one buffer.
//!
//! ```text
//! bytes    [ record | record | record … ]      at most about BATCH_BYTES
//! ends     [ lsn, kind, version, end ]…        one for each
//! ```

use restockd_journal::wal::{Lsn, RecordRef};

/// Bytes at which a batch is sent.
const BATCH_BYTES: usize = 128 * 1024;

/// Some records of one worker, in the order of the log.
#[derive(Default)]
pub(super) struct ReplayBatch {
    bytes: Vec<u8>,
    ends: Vec<(Lsn, u8, u8, usize)>,
}

impl ReplayBatch {
    /// Adds a record; true once the batch is full.
    pub(super) fn push(&mut self, lsn: Lsn, record: &RecordRef<'_>) -> bool {
        if self.bytes.capacity() == 0 {
            self.bytes.reserve(BATCH_BYTES + BATCH_BYTES / 8);
        }
        self.bytes.extend_from_slice(record.bytes);
        self.ends.push((lsn, record.kind, record.version, self.bytes.len()));
        self.bytes.len() >= BATCH_BYTES
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Lsn, RecordRef<'_>)> {
        let mut from = 0;
        self.ends.iter().map(move |&(lsn, kind, version, end)| {
            let bytes = self.bytes.get(from..end).unwrap_or_default();
            from = end;
            (lsn, RecordRef { kind, version, bytes })
        })
    }
}
