//! Reads the whole log and judges it, without changing a byte. Recovery, check and repair all act on its
//! verdict.
//!
//! ```text
//!   last segment, first bad frame:   all zeros from here           -> clean end
//!                                    a good frame behind it        -> damage
//!                                    its number is known durable   -> damage
//!                                    else                          -> torn tail: cut it
//!   any earlier segment:             bad frame                     -> damage
//!   between segments:                number, last lsn, crc differ  -> damage
//!   clean end below a known number                                 -> damage
//!   last header bad, nothing behind it, nothing in it known        -> torn while being taken into use
//! ```
//!
//! - Known to be durable is the highest of: the number that the caller knows, the mark, the stable number of
//!   every good frame, and what the header (and the name) of the last segment says came before it.
//! - Damage does not stop the scan. Everything behind it is searched for the highest number that can be
//!   proved to have existed, since a person will ask how many records are at risk.
//! - Only one segment is in memory at a time.

use std::io;
use std::path::{Path, PathBuf};

use super::bytes::content_end;
use super::error::{Damage, Harm, WalError};
use super::frame::{self, Frame};
use super::segment::{self, Chain, HEADER_BYTES, Header};
use super::watermark::{self, WatermarkValue};
use super::{Lsn, Options};
use crate::disk::{Disk, narrow, wide};

/// A segment with a good header, verified up to `end`.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    pub(super) path: PathBuf,
    pub(super) header: Header,
    /// The last good number; if there is no frame, the last one before the segment.
    pub(super) last: Lsn,
    /// The checksum of its last frame; if there is no frame, the one in its header.
    pub(super) crc: u32,
    pub(super) records: u64,
    /// The offset of the last good frame.
    pub(super) last_frame: Option<u64>,
    /// The offset after the last good frame.
    pub(super) end: u64,
    /// The offset after the last byte that is not zero.
    pub(super) content: u64,
    /// The length of the file.
    pub(super) len: u64,
}

impl Segment {
    pub(super) fn chain(&self) -> Chain {
        Chain { number: self.header.number, last: self.last, crc: self.crc }
    }

    pub(super) fn seed(&self) -> u32 {
        frame::seed(&self.header.engine, self.header.number)
    }
}

/// How the log ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tail {
    Clean,
    /// The bytes after the end of the last segment are a torn frame.
    Frame,
    /// The last file was torn while it was taken into use.
    Header {
        path: PathBuf,
        bytes: u64,
    },
}

/// The verdict about a log.
#[derive(Debug)]
pub(super) struct Scan {
    /// The good segments, in order. The last of them is cut short if it holds a damaged frame.
    pub(super) segments: Vec<Segment>,
    /// All segment files, including bad ones and those not read.
    pub(super) files: Vec<(Lsn, PathBuf)>,
    /// What the next segment must name.
    pub(super) chain: Chain,
    pub(super) known: Lsn,
    pub(super) mark: Option<WatermarkValue>,
    pub(super) tail: Tail,
    /// Ranges of numbers that a repair gave up.
    pub(super) missing: Vec<(Lsn, Lsn)>,
    pub(super) damage: Option<Damage>,
}

impl Scan {
    pub(super) fn records(&self) -> u64 {
        self.segments.iter().map(|segment| segment.records).sum()
    }
}

/// What ended the reading of a segment.
enum Stop {
    Clean,
    Bad(&'static str),
    Number(Lsn),
}

/// Reads and judges the log. `from` is the first record that the caller needs, if it needs one.
pub(super) fn scan(
    disk: &dyn Disk,
    options: &Options,
    from: Option<Lsn>,
    known_durable: Lsn,
) -> Result<Scan, WalError> {
    let files = list(disk, options)?;
    let mark = watermark::read(disk, options)?;
    let known = known_durable
        .max(mark.map_or(0, |mark| mark.durable))
        .max(from.map_or(0, |from| from.saturating_sub(1)));
    let before = files.first().map_or(0, |(first, _)| first - 1);
    let mut scan = Scan {
        segments: Vec::new(),
        chain: Chain { number: 0, last: if files.is_empty() { 0 } else { before }, crc: 0 },
        files,
        known,
        mark,
        tail: Tail::Clean,
        missing: Vec::new(),
        damage: None,
    };
    // A file gets its name only after everything before it was synced.
    scan.known = scan.known.max(scan.files.last().map_or(0, |(first, _)| first - 1));
    for at in 0..scan.files.len() {
        let found = judge_file(disk, options, from, &mut scan, at)?;
        if let Some((file, offset, harm)) = found {
            let expected = scan.chain.last + 1;
            scan.damage = Some(report(disk, options, &scan, at, (file, offset, expected), harm)?);
            return Ok(scan);
        }
    }
    if scan.known > scan.chain.last {
        let (file, offset) =
            scan.segments.last().map_or((options.dir.clone(), 0), |last| (last.path.clone(), last.end));
        let expected = scan.chain.last + 1;
        let at_risk = scan.known - scan.chain.last;
        scan.damage = Some(Damage { file, offset, expected, at_risk, harm: Harm::Missing });
    }
    Ok(scan)
}

/// The segment files, in order.
pub(super) fn list(disk: &dyn Disk, options: &Options) -> Result<Vec<(Lsn, PathBuf)>, WalError> {
    let names = match disk.list(&options.dir) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(WalError::io("list", &options.dir, error)),
    };
    Ok(names.iter().filter_map(|name| Some((segment::parse_name(name)?, options.dir.join(name)))).collect())
}

type FoundDamage = Option<(PathBuf, u64, Harm)>;

/// Adds a file to the verdict, or says what is wrong with it.
fn judge_file(
    disk: &dyn Disk,
    options: &Options,
    from: Option<Lsn>,
    scan: &mut Scan,
    at: usize,
) -> Result<FoundDamage, WalError> {
    let Some((first, path)) = scan.files.get(at).cloned() else { return Ok(None) };
    let is_last = at + 1 == scan.files.len();
    let bytes = read(disk, &path)?;
    let content = content_end(&bytes);
    let header = match Header::decode(&bytes, &options.engine) {
        Ok(header) if header.first_lsn != first => {
            return Ok(Some((path, 0, Harm::Header("its name is another"))));
        }
        Ok(header) => header,
        Err(Harm::Header(_)) if is_last && content <= HEADER_BYTES && scan.known < first => {
            if scan.segments.is_empty() && from.is_some_and(|from| from < first) {
                scan.chain.last = from.unwrap_or(1) - 1;
                return Ok(Some((path, 0, Harm::Uncovered)));
            }
            scan.tail = Tail::Header { path, bytes: wide(content) };
            return Ok(None);
        }
        Err(harm) => return Ok(Some((path, 0, harm))),
    };
    if let Some(found) = judge_link(scan, &header, &path, from) {
        return Ok(Some(found));
    }
    let (segment, stop) = walk(&bytes, header, path, &mut scan.known);
    scan.chain = segment.chain();
    let (path, end, seed) = (segment.path.clone(), segment.end, segment.seed());
    scan.segments.push(segment);
    let why = match stop {
        Stop::Clean => return Ok(None),
        Stop::Number(number) => return Ok(Some((path, end, Harm::Number(number)))),
        Stop::Bad(why) => why,
    };
    if !is_last {
        let harm = if is_closed_here(disk, options, scan, at)? { Harm::Stray } else { Harm::Frame(why) };
        return Ok(Some((path, end, harm)));
    }
    let behind = frame::search(&bytes, narrow(end) + 8, scan.chain.last + 1, seed);
    if behind.is_some() || scan.chain.last < scan.known {
        return Ok(Some((path, end, Harm::Frame(why))));
    }
    scan.tail = Tail::Frame;
    Ok(None)
}

/// Whether a header follows from what was read so far.
fn judge_link(scan: &mut Scan, header: &Header, path: &Path, from: Option<Lsn>) -> FoundDamage {
    match scan.segments.last() {
        None => {
            if from.is_some_and(|from| header.previous_last >= from) {
                scan.chain.last = from.unwrap_or(1) - 1;
                return Some((path.to_path_buf(), 0, Harm::Uncovered));
            }
            scan.chain.last = header.previous_last;
        }
        Some(before) => {
            let chain = before.chain();
            if header.number == chain.number + 1 && header.previous_last > chain.last {
                return Some((before.path.clone(), before.end, Harm::Missing));
            }
            if *header
                != (Header {
                    number: chain.number + 1,
                    previous_last: chain.last,
                    previous_crc: chain.crc,
                    ..*header
                })
            {
                return Some((path.to_path_buf(), 0, Harm::Chain));
            }
        }
    }
    if header.first_lsn > header.previous_last + 1 {
        scan.missing.push((header.previous_last + 1, header.first_lsn - 1));
    }
    None
}

/// Reads frames up to the zeros or the first bad frame.
fn walk(bytes: &[u8], header: Header, path: PathBuf, known: &mut Lsn) -> (Segment, Stop) {
    let mut segment = Segment {
        path,
        header,
        last: header.first_lsn - 1,
        crc: header.previous_crc,
        records: 0,
        last_frame: None,
        end: wide(HEADER_BYTES),
        content: wide(content_end(bytes)),
        len: wide(bytes.len()),
    };
    let seed = segment.seed();
    *known = (*known).max(header.first_lsn - 1);
    while segment.end < segment.content {
        match frame::decode(bytes, narrow(segment.end), seed) {
            Ok(frame) if frame.first_lsn == segment.last + 1 => {
                *known = (*known).max(frame.stable_lsn);
                segment.last_frame = Some(segment.end);
                segment.take(&frame);
            }
            Ok(frame) => return (segment, Stop::Number(frame.first_lsn)),
            Err(why) => return (segment, Stop::Bad(why)),
        }
    }
    (segment, Stop::Clean)
}

impl Segment {
    fn take(&mut self, frame: &Frame<'_>) {
        self.last = frame.last_lsn();
        self.crc = frame.crc;
        self.records += u64::from(frame.records);
        self.end = wide(frame.end);
    }
}

/// Whether the next segment proves that the last one read has no further frames.
fn is_closed_here(disk: &dyn Disk, options: &Options, scan: &Scan, at: usize) -> Result<bool, WalError> {
    let Some((_, next)) = scan.files.get(at + 1) else { return Ok(false) };
    let header = Header::decode(&read(disk, next)?, &options.engine);
    let chain = scan.chain;
    Ok(header.is_ok_and(|header| {
        (header.number, header.previous_last, header.previous_crc)
            == (chain.number + 1, chain.last, chain.crc)
    }))
}

/// Completes a damage with the number of records that are known to have existed.
fn report(
    disk: &dyn Disk,
    options: &Options,
    scan: &Scan,
    at: usize,
    (file, offset, expected): (PathBuf, u64, Lsn),
    harm: Harm,
) -> Result<Damage, WalError> {
    if harm == Harm::Stray {
        return Ok(Damage { file, offset, expected, at_risk: 0, harm });
    }
    let mut highest = scan.known;
    let mut number = scan.chain.number;
    for (place, (first, path)) in scan.files.iter().enumerate().skip(at) {
        let bytes = read(disk, path)?;
        number = Header::decode(&bytes, &options.engine).map_or(number + 1, |header| header.number);
        let from = scan
            .segments
            .last()
            .filter(|last| last.path == *path)
            .map_or(HEADER_BYTES, |last| narrow(last.end));
        let seed = frame::seed(&options.engine, number);
        let found = frame::search(&bytes, from, expected, seed);
        let named = if place > at { first - 1 } else { 0 };
        highest = highest.max(named).max(found.map_or(0, |hit| hit.highest));
    }
    let highest = if harm == Harm::Uncovered {
        scan.files.first().map_or(highest, |(first, _)| first - 1)
    } else {
        highest
    };
    let at_risk = highest.saturating_add(1).saturating_sub(expected);
    Ok(Damage { file, offset, expected, at_risk, harm })
}

fn read(disk: &dyn Disk, path: &Path) -> Result<Vec<u8>, WalError> {
    disk.read(path).map_err(|error| WalError::io("read", path, error))
}
