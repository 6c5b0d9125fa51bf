//! Opens a log: verifies everything, cuts a torn tail, and hands out the records.
//!
//! ```text
//!   sync of the file system -> scan -> damage?  -> refuse, nothing was changed
//!                                   -> torn?    -> copy aside, zeros, sync
//!                           -> the end: last frame and the zeros behind it written again, sync
//!                           -> remove unfinished files -> records from `from` on, in order
//! ```
//!
//! - The file system is synced first: after a crash of the process alone, bytes that can be read may exist in
//!   memory only, and no decision may rest on them.
//! - The end is written again because a sync of the last frame or of an earlier cut may have failed. The
//!   kernel then still shows the bytes and calls them clean, although the disk never got them; only writing
//!   makes them dirty again.
//! - A torn tail is copied before it is cut (without the zeros after it), and never stops a start.
//! - Nothing is changed before the whole log was judged, and every change can be interrupted and repeated.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::bytes::{ZEROS, content_end};
use super::error::WalError;
use super::frame;
use super::scan::{self, Scan, Segment, Tail};
use super::segment::{self, Chain, Header};
use super::watermark::WatermarkValue;
use super::{Lsn, Options, RecordRef};
use crate::disk::{Disk, narrow, wide};
use crate::quarantine;

const TEMPORARY_END: &str = ".tmp";

/// A torn tail that was cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Torn {
    /// The segment.
    pub file: PathBuf,
    /// The offset of the torn bytes; 0 if the file was torn while it was taken into use.
    pub offset: u64,
    /// How many bytes were cut.
    pub bytes: u64,
    /// The copy of the file as it was found, without the zeros at its end.
    pub copy: PathBuf,
}

/// A log that was read and can be started.
#[derive(Debug, Clone)]
pub struct LogRecovery {
    /// The number of the next record.
    pub next: Lsn,
    /// The oldest record that is still there; equal to `next` if there is none.
    pub first: Lsn,
    /// The torn tail that was cut, if there was one.
    pub torn: Option<Torn>,
    /// How many segments there are.
    pub segments: usize,
    /// How many records they hold.
    pub records: u64,
    /// How many records were handed out.
    pub delivered: u64,
    /// Ranges of numbers (first, last) that an earlier repair gave up.
    pub missing: Vec<(Lsn, Lsn)>,
    pub(super) mark: Option<WatermarkValue>,
    pub(super) chain: Chain,
    pub(super) files: Vec<(Lsn, PathBuf)>,
    /// The segment to write to, the offset after its last frame, and its capacity in bytes.
    pub(super) open: Option<(PathBuf, u64, u64)>,
}

/// Verifies the whole log, cuts a torn tail, and hands every record from number `from` on to `sink`, in
/// order.
///
/// `known_durable` is the highest number that the caller knows to be durable, 0 if none; the log has
/// knowledge of its own besides.
///
/// # Errors
///
/// [`WalError::Damaged`] for anything but a torn tail, [`WalError::Refused`] if `sink` refuses a record,
/// [`WalError::Newer`] for a segment of a newer restockd, and [`WalError::Io`] or [`WalError::NoSpace`] from
/// the disk.
pub fn recover(
    disk: &Arc<dyn Disk>,
    options: &Options,
    from: Lsn,
    known_durable: Lsn,
    sink: &mut dyn FnMut(Lsn, &RecordRef<'_>) -> Result<(), String>,
) -> Result<LogRecovery, WalError> {
    options.check()?;
    let disk = &**disk;
    let dir = &options.dir;
    disk.create_dir(dir).map_err(|error| WalError::io("make the directory", dir, error))?;
    if let Some(above) = dir.parent().filter(|above| !above.as_os_str().is_empty()) {
        disk.sync_dir(above).map_err(|error| WalError::io("sync the directory", above, error))?;
    }
    disk.sync_fs(dir).map_err(|error| WalError::io("sync the file system of", dir, error))?;
    let from = from.max(1);
    let mut found = scan::scan(disk, options, Some(from), known_durable)?;
    if let Some(damage) = found.damage {
        return Err(WalError::of(damage));
    }
    let torn = cut_tail(disk, options, &mut found)?;
    settle_end(disk, &found)?;
    remove_unfinished(disk, dir)?;
    let delivered = deliver(disk, &found.segments, from, sink)?;
    let recovered = recovered(found, torn, delivered);
    tracing::info!(
        wal.next = recovered.next,
        wal.records = recovered.records,
        wal.segments = recovered.segments,
        wal.torn = recovered.torn.is_some(),
        "log recovered"
    );
    Ok(recovered)
}

fn recovered(found: Scan, torn: Option<Torn>, delivered: u64) -> LogRecovery {
    let next = found.chain.last + 1;
    let open =
        found.segments.last().map(|last| (last.path.clone(), last.end, last.len.max(last.header.capacity)));
    LogRecovery {
        next,
        first: found.segments.first().map_or(next, |first| first.header.first_lsn),
        torn,
        segments: found.segments.len(),
        records: found.records(),
        delivered,
        missing: found.missing,
        mark: found.mark,
        chain: found.chain,
        files: found.segments.into_iter().map(|segment| (segment.header.first_lsn, segment.path)).collect(),
        open,
    }
}

/// Cuts a torn frame, sets a torn new segment aside, and restores the length of a short last file.
fn cut_tail(disk: &dyn Disk, options: &Options, found: &mut Scan) -> Result<Option<Torn>, WalError> {
    let torn = match &found.tail {
        Tail::Clean => None,
        Tail::Header { path, bytes } => {
            let copy = set_aside(disk, options, path)?;
            Some(Torn { file: path.clone(), offset: 0, bytes: *bytes, copy })
        }
        Tail::Frame => match found.segments.last() {
            Some(last) => {
                let copy = copy_aside(disk, options, &last.path)?;
                Some(Torn { file: last.path.clone(), offset: last.end, bytes: last.content - last.end, copy })
            }
            None => None,
        },
    };
    if let Some(last) = found.segments.last() {
        clear_tail(disk, last)?;
    }
    if let Some(torn) = &torn {
        tracing::warn!(
            file = %torn.file.display(),
            offset = torn.offset,
            bytes = torn.bytes,
            copy = %torn.copy.display(),
            "cut a torn tail that no one was promised"
        );
    }
    Ok(torn)
}

/// Writes zeros from the last good frame up to the full length and syncs. Does nothing if they are there.
pub(super) fn clear_tail(disk: &dyn Disk, segment: &Segment) -> Result<(), WalError> {
    let full = segment.header.capacity.max(segment.len);
    if segment.content <= segment.end && segment.len == full {
        return Ok(());
    }
    let wrap = |error| WalError::io("cut the tail of", &segment.path, error);
    let mut file = disk.open(&segment.path).map_err(wrap)?;
    segment::fill_zeros(&mut *file, segment.end, segment.content).map_err(wrap)?;
    segment::fill_zeros(&mut *file, segment.len, full).map_err(wrap)?;
    file.sync_all().map_err(wrap)
}

/// Writes the end of the log again: the last frame, unless something proves that it was synced, and zeros as
/// far behind it as one torn frame can reach. After a sync that failed in an earlier run the bytes can be
/// read, but no later sync writes them.
fn settle_end(disk: &dyn Disk, found: &Scan) -> Result<(), WalError> {
    let Some(last) = found.segments.last() else { return Ok(()) };
    let wrap = |error| WalError::io("settle the end of", &last.path, error);
    let mut file = disk.open(&last.path).map_err(wrap)?;
    if let Some(start) = last.last_frame.filter(|_| last.last > found.known) {
        let mut frame = vec![0; narrow(last.end - start)];
        file.read_at(start, &mut frame).and_then(|()| file.write_at(start, &frame)).map_err(wrap)?;
    }
    let full = last.header.capacity.max(last.len);
    let reach = full.min(last.end + wide(frame::MAX_FRAME_BYTES));
    segment::fill_zeros(&mut *file, last.end, reach).and_then(|()| file.sync_data()).map_err(wrap)
}

/// Removes files whose making was interrupted.
fn remove_unfinished(disk: &dyn Disk, dir: &Path) -> Result<(), WalError> {
    let names = disk.list(dir).map_err(|error| WalError::io("list", dir, error))?;
    for name in names.iter().filter(|name| name.ends_with(TEMPORARY_END)) {
        let path = dir.join(name);
        disk.remove(&path).map_err(|error| WalError::io("remove the unfinished", &path, error))?;
    }
    disk.sync_dir(dir).map_err(|error| WalError::io("sync the directory", dir, error))
}

fn deliver(
    disk: &dyn Disk,
    segments: &[Segment],
    from: Lsn,
    sink: &mut dyn FnMut(Lsn, &RecordRef<'_>) -> Result<(), String>,
) -> Result<u64, WalError> {
    let mut delivered = 0;
    for segment in segments.iter().filter(|segment| segment.last >= from) {
        let path = &segment.path;
        let bytes = disk.read(path).map_err(|error| WalError::io("read", path, error))?;
        let mut at = segment::HEADER_BYTES;
        while wide(at) < segment.end {
            let changed = |why| WalError::io("read the same bytes twice from", path, io::Error::other(why));
            let frame = frame::decode(&bytes, at, segment.seed()).map_err(changed)?;
            for (lsn, record) in frame.iter().filter(|(lsn, _)| *lsn >= from) {
                let refused =
                    |reason| WalError::Refused { file: path.clone(), offset: wide(at), lsn, reason };
                sink(lsn, &record).map_err(refused)?;
                delivered += 1;
            }
            at = frame.end;
        }
    }
    Ok(delivered)
}

/// The error for a record that is refused after it was handed out; names its place, as [`recover`] does if
/// `sink` refuses one.
#[must_use]
pub fn refused(disk: &Arc<dyn Disk>, options: &Options, lsn: Lsn, reason: String) -> WalError {
    match place_of(&**disk, options, lsn) {
        Ok((file, offset)) => WalError::Refused { file, offset, lsn, reason },
        Err(error) => error,
    }
}

/// The segment and the offset of the frame that holds a record; offset 0 if it is not there any more.
fn place_of(disk: &dyn Disk, options: &Options, lsn: Lsn) -> Result<(PathBuf, u64), WalError> {
    let files = scan::list(disk, options)?;
    let Some((_, path)) = files.into_iter().rfind(|(first, _)| *first <= lsn) else {
        return Ok((options.dir.clone(), 0));
    };
    let bytes = disk.read(&path).map_err(|error| WalError::io("read", &path, error))?;
    let Ok(header) = Header::decode(&bytes, &options.engine) else { return Ok((path, 0)) };
    let seed = frame::seed(&header.engine, header.number);
    let mut at = segment::HEADER_BYTES;
    while let Ok(frame) = frame::decode(&bytes, at, seed) {
        if frame.last_lsn() >= lsn {
            return Ok((path, wide(at)));
        }
        at = frame.end;
    }
    Ok((path, 0))
}

/// Copies a file, without the zeros at its end, into quarantine.
pub(super) fn copy_aside(disk: &dyn Disk, options: &Options, path: &Path) -> Result<PathBuf, WalError> {
    let copy = free_name(disk, options, path)?;
    let wrap = |error| WalError::io("copy the broken file to", &copy, error);
    let bytes = disk.read(path).map_err(wrap)?;
    let mut file = disk.create(&copy).map_err(wrap)?;
    let written = bytes.get(..content_end(&bytes)).unwrap_or(&bytes);
    for (at, part) in written.chunks(64 * ZEROS.len()).enumerate() {
        file.write_at(wide(at * 64 * ZEROS.len()), part).map_err(wrap)?;
    }
    file.sync_all().map_err(wrap)?;
    disk.sync_dir(&options.dir).map_err(wrap)?;
    Ok(copy)
}

/// Renames a file into quarantine, which needs no space.
pub(super) fn set_aside(disk: &dyn Disk, options: &Options, path: &Path) -> Result<PathBuf, WalError> {
    let copy = free_name(disk, options, path)?;
    let wrap = |error| WalError::io("set the broken file aside as", &copy, error);
    disk.rename(path, &copy).map_err(wrap)?;
    disk.sync_dir(&options.dir).map_err(wrap)?;
    Ok(copy)
}

fn free_name(disk: &dyn Disk, options: &Options, path: &Path) -> Result<PathBuf, WalError> {
    let dir = &options.dir;
    quarantine::free_name(disk, dir, path).map_err(|error| WalError::io("list", dir, error))
}
