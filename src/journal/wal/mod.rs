//! The write-ahead log: the only truth of the engine. What a synced frame holds happened; the rest did not.
//!
//! One thread owns the file in use. It gathers what was appended, writes it as one frame, syncs once, and only
//! then answers the tickets. There is no timer: the sync of one batch is the gathering time of the next.
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
//! 1. A ticket hears `Ok` only after the sync that covers its record. A dropped or failed ticket is no promise.
//! 2. Numbers start at 1 and have no gaps. The one exception is a gap that [`repair()`] wrote into a header, so that
//!    the number of a lost record is never given to another.
//! 3. Frame k is synced before frame k + 1 is written, so a crash can tear at most one frame, and every frame
//!    proves all frames before it durable.
//! 4. The first failed write or sync in a segment in use ends the log ([`Log::poisoned`]). Nothing is retried: after
//!    a failed sync the kernel calls the lost pages clean.
//! 5. Recovery gives back every acknowledged record, or refuses and says where the damage is. Only [`repair()`], which
//!    a human calls, cuts more than a torn tail.
//! 6. A segment is never used twice.
//!
//! One thing is asked of the disk: a write leaves the bytes beside it alone, even when the power goes (what SQLite
//! calls a power-safe overwrite). Frames share sectors with the frames before them.
//!
//! The log does not look into records, has no opinion on time, and does not lock its directory: the caller does.

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

/// The number of a record: 1 for the first ever, and no gaps.
pub type Lsn = u64;

/// What is run, on the writer thread, once the fate of a record is known.
///
/// It must be short, and it must not block: all other tickets wait behind it. When the log has already ended it is
/// run on the thread of the caller.
pub type Ticket = Box<dyn FnOnce(Result<Lsn, Lost>) + Send>;

/// The longest payload of one record.
pub(crate) const MAX_RECORD_BYTES: usize = 1024 * 1024;

/// The smallest segment that [`Options`] may ask for.
pub const MIN_SEGMENT_BYTES: u64 = 64 * 1024;

/// The longest segment: what [`Options`] may ask for, and what a header is believed about its file.
pub const MAX_SEGMENT_BYTES: u64 = 1024 * 1024 * 1024;

/// The segment size that is used when nothing else is said.
pub const DEFAULT_SEGMENT_BYTES: u64 = 64 * 1024 * 1024;

/// One record on its way into the log. The log does not look inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What it is; the caller's number.
    pub kind: u8,
    /// Which layout of that kind.
    pub version: u8,
    /// The payload, at most [`Options::max_record_bytes`].
    pub bytes: Vec<u8>,
}

/// One record on its way out of the log, borrowed from the segment that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordRef<'a> {
    /// What it is; the caller's number.
    pub kind: u8,
    /// Which layout of that kind.
    pub version: u8,
    /// The payload.
    pub bytes: &'a [u8],
}

/// Where the log lives and how it is cut.
#[derive(Debug, Clone)]
pub struct Options {
    /// The directory of the segments; nothing else may live in it.
    pub dir: PathBuf,
    /// The length of a new segment, in bytes. Old segments keep theirs.
    pub segment_bytes: u64,
    /// The identity of the engine. A segment of another engine is refused.
    pub engine: [u8; 16],
}

impl Options {
    /// Options with the default segment size.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>, engine: [u8; 16]) -> Self {
        Self { dir: dir.into(), segment_bytes: DEFAULT_SEGMENT_BYTES, engine }
    }

    /// The longest record payload that these segments can hold: 1 MiB, or less when segments are tiny.
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
