//! The errors of the log, in sentences for the person who has to act.
//!
//! [`WalError`] is for starting, checking and repairing. [`Lost`] is for a ticket; it is small and `Copy`,
//! because thousands of tickets may get it at once. [`Damage`] is one finding of the scan: where, what, and
//! how many records.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::Lsn;
use super::segment::FORMAT_VERSION;

/// Why a ticket failed. Nothing is promised of the record: the next start may find it or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// The log is poisoned or closed.
    #[error("the log is poisoned or closed, so the record is not promised")]
    Ended,
    /// The record is too long. Nothing was written, and the log goes on.
    #[error("the record is longer than the log takes, nothing was written")]
    TooLarge,
}

/// What is wrong at a place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Harm {
    /// The header block of a segment does not verify.
    Header(&'static str),
    ForeignEngine,
    /// The segment has a format version that this build does not know.
    UnknownFormat(u32),
    /// A segment between this one and the one before is missing, or the two do not belong together.
    Chain,
    /// A frame does not verify, and it is no torn tail.
    Frame(&'static str),
    /// A frame verifies but begins with another number than expected.
    Number(Lsn),
    /// The log ends cleanly, but before a record that was acknowledged.
    Missing,
    /// The oldest segment begins after the record that the caller needs first.
    Uncovered,
    /// There are stray bytes after the last frame of a closed segment; the next segment proves that no record
    /// is missing.
    Stray,
}

impl fmt::Display for Harm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(why) => write!(f, "the segment header is bad ({why})"),
            Self::ForeignEngine => write!(f, "the segment belongs to another engine"),
            Self::UnknownFormat(version) => {
                write!(f, "format version {version} is not known to this program")
            }
            Self::Chain => {
                write!(f, "it does not follow the segment before it, a segment is missing or was replaced")
            }
            Self::Frame(why) => write!(f, "a frame is bad ({why}) and it is not a torn tail"),
            Self::Number(found) => write!(f, "a frame is numbered {found}"),
            Self::Missing => write!(f, "acknowledged records are missing at the end"),
            Self::Uncovered => write!(f, "the oldest segment starts too late, older segments are missing"),
            Self::Stray => {
                write!(f, "stray bytes follow the last frame of a closed segment, no record is missing")
            }
        }
    }
}

/// A place where the log is damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    pub file: PathBuf,
    /// The offset in the file, in bytes.
    pub offset: u64,
    /// The number of the record that should be there.
    pub expected: Lsn,
    /// How many records from `expected` on are known to have existed.
    pub at_risk: u64,
    pub harm: Harm,
}

impl Damage {
    /// The format of the segment, if a newer restockd wrote it.
    fn newer(&self) -> Option<u32> {
        match self.harm {
            Harm::UnknownFormat(version) if version > FORMAT_VERSION => Some(version),
            _ => None,
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} at offset {}, where record {} is expected: {}; {} records are at risk",
            self.file.display(),
            self.offset,
            self.expected,
            self.harm,
            self.at_risk
        )
    }
}

/// Why a start, a check, a repair or the running log ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WalError {
    /// The options cannot work.
    #[error("the log options cannot work: {0}")]
    Options(String),
    /// There is no space (or no quota) left.
    #[error("no space to {doing} {}: free space on that disk, then start again", file.display())]
    NoSpace {
        /// What was tried.
        doing: &'static str,
        /// The file or directory concerned.
        file: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The disk refused something.
    #[error("cannot {doing} {}: check the disk, then start again", file.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// The file or directory concerned.
        file: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The log is damaged, and only a human may decide to lose records.
    #[error("the log is damaged: {0}; restore the file from a copy, or run the repair and accept the loss")]
    Damaged(Damage),
    /// A newer restockd wrote a segment; nothing is damaged.
    #[error(
        "{} is a log segment of format {found} and was written by a newer restockd; this one reads format {reads}: start \
         the version that wrote it", file.display()
    )]
    Newer {
        /// The segment.
        file: PathBuf,
        /// The format of the segment.
        found: u32,
        /// The format that this build reads.
        reads: u32,
    },
    /// The caller did not accept a record.
    #[error(
        "record {lsn} in {} at offset {offset} was refused: {reason}; use the program version that wrote it",
        file.display()
    )]
    Refused {
        /// The segment.
        file: PathBuf,
        /// The offset of the record's frame, in bytes.
        offset: u64,
        /// The number of the record.
        lsn: Lsn,
        /// The caller's reason.
        reason: String,
    },
    /// A record that no ticket waits for was too long, so its loss would go unnoticed.
    #[error(
        "a record of {bytes} bytes is too long for the log, which takes {limit}: nobody waits for it, so the log ends"
    )]
    TooLarge {
        /// The length of the record.
        bytes: usize,
        /// The most bytes that the log takes.
        limit: usize,
    },
    /// A thread of the log panicked, perhaps within a ticket.
    #[error("the {0} thread panicked: restart the process")]
    Panicked(&'static str),
}

impl WalError {
    /// The error for a damage. A segment of a newer format is not damaged.
    pub(super) fn of(damage: Damage) -> Self {
        match damage.newer() {
            Some(found) => Self::Newer { file: damage.file, found, reads: FORMAT_VERSION },
            None => Self::Damaged(damage),
        }
    }

    /// Wraps an error of the file system; a full disk gets its own sentence.
    pub(super) fn io(doing: &'static str, file: &Path, source: io::Error) -> Self {
        let file = file.to_path_buf();
        if is_no_space(&source) {
            Self::NoSpace { doing, file, source }
        } else {
            Self::Io { doing, file, source }
        }
    }

    /// Whether the same attempt can succeed later: no space, no quota, no memory, no file handles.
    pub(super) fn is_shortage(&self) -> bool {
        const TOO_MANY_OPEN: [i32; 2] = [23, 24]; // ENFILE, EMFILE
        match self {
            Self::NoSpace { .. } => true,
            Self::Io { source, .. } => {
                source.kind() == io::ErrorKind::OutOfMemory
                    || source.raw_os_error().is_some_and(|code| TOO_MANY_OPEN.contains(&code))
            }
            _ => false,
        }
    }
}

/// Whether the disk or the quota is full.
pub(super) fn is_no_space(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
