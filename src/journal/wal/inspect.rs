//! Checks a log with the same verification as a start, without changing a byte.
//!
//! It makes no sync, directory or file, and the log need not be stopped. A running log may show a torn tail
//! that is only a write in progress.

use std::path::PathBuf;
use std::sync::Arc;

use super::error::{Damage, Harm, WalError};
use super::scan::{self, Tail};
use super::segment::{FORMAT_VERSION, Header};
use super::{Lsn, Options};
use crate::disk::Disk;

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogReport {
    /// The segments that were read, in order.
    pub segments: Vec<SegmentReport>,
    /// How many good records they hold.
    pub records: u64,
    /// The oldest record; `None` if there is none.
    pub first: Option<Lsn>,
    /// The newest good record; `None` if there is none.
    pub last: Option<Lsn>,
    /// The highest number that is known to have been durable.
    pub known_durable: Lsn,
    pub tail: TailState,
    /// The first damage, for which a start would be refused, with the number of records at risk.
    pub damage: Option<Damage>,
    /// Ranges of numbers (first, last) that an earlier repair gave up.
    pub missing: Vec<(Lsn, Lsn)>,
}

impl LogReport {
    /// How many records are known to have existed and cannot be read.
    #[must_use]
    pub fn at_risk(&self) -> u64 {
        self.damage.as_ref().map_or(0, |damage| damage.at_risk)
    }
}

/// One segment in a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentReport {
    pub file: PathBuf,
    /// Its number in the chain of segments.
    pub number: u64,
    /// The number of its first record.
    pub first: Lsn,
    /// The number of its last good record; `first - 1` if it is empty.
    pub last: Lsn,
    /// Its length in bytes.
    pub bytes: u64,
    /// How many of its bytes are header and good frames.
    pub used: u64,
}

/// How a log ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TailState {
    /// With zeros.
    Clean,
    /// With a torn write that a start would cut.
    Torn {
        file: PathBuf,
        /// The offset of the torn bytes.
        offset: u64,
        /// How many bytes are torn.
        bytes: u64,
    },
    /// Not known, because of damage.
    Unknown,
}

/// Verifies the log like [`recover`](super::recover()) and reports what it finds, without changing anything.
///
/// # Errors
///
/// If the directory or a file cannot be read; damage is in the report.
pub fn inspect(
    disk: &Arc<dyn Disk>,
    options: &Options,
    from: Lsn,
    known_durable: Lsn,
) -> Result<LogReport, WalError> {
    options.check()?;
    let found = scan::scan(&**disk, options, Some(from.max(1)), known_durable)?;
    let records = found.records();
    let torn = |file: PathBuf, offset, bytes| TailState::Torn { file, offset, bytes };
    let tail = match (&found.damage, &found.tail, found.segments.last()) {
        (Some(_), ..) => TailState::Unknown,
        (None, Tail::Header { path, bytes }, _) => torn(path.clone(), 0, *bytes),
        (None, Tail::Frame, Some(last)) => torn(last.path.clone(), last.end, last.content - last.end),
        (None, ..) => TailState::Clean,
    };
    let some = (records > 0).then_some(());
    Ok(LogReport {
        records,
        first: some
            .and_then(|()| found.segments.iter().find(|one| one.records > 0))
            .map(|one| one.header.first_lsn),
        last: some.and_then(|()| found.segments.iter().rfind(|one| one.records > 0)).map(|one| one.last),
        known_durable: found.known,
        tail,
        damage: found.damage,
        missing: found.missing,
        segments: found
            .segments
            .into_iter()
            .map(|one| SegmentReport {
                number: one.header.number,
                first: one.header.first_lsn,
                last: one.last,
                bytes: one.len,
                used: one.end,
                file: one.path,
            })
            .collect(),
    })
}

/// The error with which a start would end because of the first segment that a newer restockd wrote; `None` if
/// there is none.
///
/// # Errors
///
/// If the directory or a file cannot be read.
pub fn newer(disk: &Arc<dyn Disk>, options: &Options) -> Result<Option<WalError>, WalError> {
    for (_, file) in scan::list(&**disk, options)? {
        let bytes = disk.read(&file).map_err(|error| WalError::io("read", &file, error))?;
        if let Err(Harm::UnknownFormat(found)) = Header::decode(&bytes, &options.engine)
            && found > FORMAT_VERSION
        {
            return Ok(Some(WalError::Newer { file, found, reads: FORMAT_VERSION }));
        }
    }
    Ok(None)
}
