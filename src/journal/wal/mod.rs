//! The write-ahead log: the engine's source of truth. What is in a synced frame has happened; nothing else
//! has.
//!
//! One thread owns the file in use. It gathers the appended records, writes them as one frame, syncs once,
//! and only then answers the tickets. There is no timer: while one batch is being synced, the next one
//! gathers.
//!
//! [`recover()`] reads a log and makes it ready, [`Log::start`] runs it, [`inspect()`] checks one without
//! changing it, [`repair()`] cuts a damaged one. All of them fail with a [`WalError`]; a ticket that fails
//! gets a [`Lost`].
//!
//! ```text
//!   actors ── append(record, ticket) ──> queue ──> wal-writer ── write, fdatasync ──> 00000000000000000001.wal
//!                     ^                                │   │                           00000000000000048213.wal
//!                     └───────── ticket(Ok(lsn)) ──────┘   └── every 100 ms ─────────> mark
//!                                                 wal-maker ── zeros ────────────────> spare-7.tmp
//!
//!   segment   [ header 4 KiB | frame | frame | frame | zeros .................... ]
//!   frame     [ len, records, first lsn, stable lsn, crc | record | record | pad to 8 ]
//! ```
//!
//! Invariants:
//!
//! 1. A ticket gets `Ok` only after the sync that covers its record. A dropped or failed ticket promises
//!    nothing.
//! 2. Record numbers start at 1 and have no gaps, except those that [`repair()`] wrote into a header so that
//!    the number of a lost record is never given to another.
//! 3. Frame k is synced before frame k + 1 is written, so a crash can tear at most one frame, and every frame
//!    proves all frames before it durable.
//! 4. The first failed write or sync in a segment in use ends the log ([`Log::poisoned`]). Nothing is
//!    retried: after a failed sync the kernel calls the lost pages clean.
//! 5. Recovery gives back every acknowledged record, or refuses and says where the damage is. Only
//!    [`repair()`], which a human calls, cuts more than a torn tail.
//! 6. A segment is never used twice.
//!
//! The log relies on one property of the disk: a write leaves the bytes beside it alone, even when the power
//! goes (SQLite calls this power-safe overwrite). Frames share sectors with the frames before them.
//!
//! The log does not look into records, knows no clock time, and does not lock its directory; its caller does.

mod bytes;
mod error;
mod frame;
mod inspect;
mod log;
#[cfg(feature = "testing")]
mod manual_driver;
mod preallocator;
mod read_only_disk;
mod recover;
mod repair;
mod salvage;
mod scan;
mod segment;
mod sync;
mod watermark;
mod writer;

use std::path::PathBuf;

pub use error::{Damage, Harm, Lost, WalError};
pub use inspect::{LogReport, SegmentReport, TailState, inspect, newer};
pub use log::{Log, Stats};
#[cfg(feature = "testing")]
pub use manual_driver::ManualDriver;
pub use read_only_disk::{ReadOnlyDisk, first_segment, segments_below};
pub use recover::{LogRecovery, Torn, recover, refused};
pub use repair::{Repaired, repair, repair_from, set_aside_segments};
pub use salvage::salvage;

/// The number of a record: 1 for the first ever, then without gaps.
pub type Lsn = u64;

/// Called on the writer thread once it is known whether a record is durable.
///
/// It must be short and must not block, since all other tickets wait behind it. If the log has ended already,
/// it is called on the thread of the caller.
pub type Ticket = Box<dyn FnOnce(Result<Lsn, Lost>) + Send>;

/// The longest payload of one record, in bytes.
pub(crate) const MAX_RECORD_BYTES: usize = 1024 * 1024;

/// The smallest segment that [`Options`] may ask for, in bytes.
pub const MIN_SEGMENT_BYTES: u64 = 64 * 1024;

/// The largest segment that [`Options`] may ask for and that a header may claim, in bytes.
pub const MAX_SEGMENT_BYTES: u64 = 1024 * 1024 * 1024;

/// The default size of a segment, in bytes.
pub const DEFAULT_SEGMENT_BYTES: u64 = 64 * 1024 * 1024;

/// A record on its way into the log, which does not look into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The caller's number for what the record is.
    pub kind: u8,
    /// The version of the layout of that kind.
    pub version: u8,
    /// The payload, at most [`Options::max_record_bytes`].
    pub bytes: Vec<u8>,
}

/// A record read from the log, borrowed from its segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordRef<'a> {
    /// The caller's number for what the record is.
    pub kind: u8,
    /// The version of the layout of that kind.
    pub version: u8,
    pub bytes: &'a [u8],
}

/// Where the log is and how long its segments are.
#[derive(Debug, Clone)]
pub struct Options {
    /// The directory of the segments; nothing else may be in it.
    pub dir: PathBuf,
    /// The length of a new segment, in bytes. Existing segments keep theirs.
    pub segment_bytes: u64,
    /// The identity of the engine. The segments of another engine are refused.
    pub engine: [u8; 16],
}

impl Options {
    /// Options with the default segment size.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>, engine: [u8; 16]) -> Self {
        Self { dir: dir.into(), segment_bytes: DEFAULT_SEGMENT_BYTES, engine }
    }

    /// The longest record payload that these segments can hold, in bytes: 1 MiB, or less if segments are
    /// tiny.
    #[must_use]
    pub fn max_record_bytes(&self) -> usize {
        frame::payload_limit(self.segment_bytes).saturating_sub(frame::RECORD_HEAD_BYTES)
    }

    fn check(&self) -> Result<(), WalError> {
        if !(MIN_SEGMENT_BYTES..=MAX_SEGMENT_BYTES).contains(&self.segment_bytes) {
            return Err(WalError::Options(format!(
                "segments of {} bytes are not between {MIN_SEGMENT_BYTES} and {MAX_SEGMENT_BYTES}",
                self.segment_bytes
            )));
        }
        Ok(())
    }
}
