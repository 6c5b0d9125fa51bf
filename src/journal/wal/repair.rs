//! Cuts a damaged log at the first damage, so that it starts again. Records are lost, so only a human runs
//! it.
//!
//! ```text
//!   before   [ 1..40 ][ 41..7# bad ..90 ][ 91..120 ]                 120 is known to have existed
//!   after    [ 1..40 ][ 41..70          ]            [ 121.. ]       71..120 given up, noted in the new header
//!            *.broken-1 of every file that changed
//! ```
//!
//! - Every file that changes is copied first; later segments are renamed, not removed.
//! - The number of a lost record is never used again: the new segment starts above all known numbers, and its
//!   header names the missing ones, so later starts accept this gap and no other.
//! - Files of another engine and unknown formats are not damage that can be cut; they are refused.
//! - A repair can be interrupted and run again.

use std::path::PathBuf;
use std::sync::Arc;

use super::error::{Damage, Harm, WalError};
use super::recover::{clear_tail, copy_aside, set_aside};
use super::salvage::salvage;
use super::scan::{self, Scan};
use super::segment;
use super::watermark::{self, WatermarkValue};
use super::{Lsn, Options};
use crate::disk::Disk;

const BLANK_NAME: &str = "repair.tmp";

/// What a repair did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repaired {
    /// What was wrong, in the order in which it was found.
    pub damage: Vec<Damage>,
    /// The numbers (first, last) that are known to have existed and are lost.
    pub lost: Option<(Lsn, Lsn)>,
    /// The files that were cut or taken out of the log.
    pub changed: Vec<PathBuf>,
    /// The copies of these files, in the same order.
    pub copies: Vec<PathBuf>,
    /// The number of the next record.
    pub next: Lsn,
}

/// Makes a damaged log start again by giving up everything from the first damage on.
///
/// A log that needs no repair stays as it is; a torn tail is left to the next start.
///
/// # Errors
///
/// [`WalError::Damaged`] or [`WalError::Newer`] if the damage cannot be cut (another engine, an unknown
/// format), and [`WalError::Io`] or [`WalError::NoSpace`] from the disk.
pub fn repair(disk: &Arc<dyn Disk>, options: &Options, known_durable: Lsn) -> Result<Repaired, WalError> {
    repair_from(disk, options, None, known_durable)
}

/// Like [`repair`], for a caller that needs the records from number `from` on. A log that begins after `from`
/// is damaged too and is given up as a whole.
///
/// # Errors
///
/// As for [`repair`].
pub fn repair_from(
    disk: &Arc<dyn Disk>,
    options: &Options,
    from: Option<Lsn>,
    known_durable: Lsn,
) -> Result<Repaired, WalError> {
    options.check()?;
    let disk = &**disk;
    let mut done =
        Repaired { damage: Vec::new(), lost: None, changed: Vec::new(), copies: Vec::new(), next: 1 };
    loop {
        let mut found = scan::scan(disk, options, from, known_durable)?;
        done.next = found.chain.last + 1;
        let Some(mut damage) = found.damage.clone() else { return Ok(done) };
        if found.files.is_empty() {
            // The whole log is given up. The new one begins with the first record that the caller needs.
            found.chain.last = from.map_or(0, |from| from.max(1) - 1);
            damage.expected = found.chain.last + 1;
            damage.at_risk = found.known.saturating_add(1).saturating_sub(damage.expected);
        }
        if matches!(damage.harm, Harm::ForeignEngine | Harm::UnknownFormat(_)) {
            return Err(WalError::of(damage));
        }
        if damage.harm == Harm::Stray {
            clear_last(disk, options, &found, &mut done)?;
        } else {
            cut(disk, options, &found, &damage, &mut done)?;
        }
        tracing::warn!(%damage, "cut the log on request");
        done.damage.push(damage);
    }
}

/// Copies the last segment that was read, and zeros what follows its good frames.
fn clear_last(disk: &dyn Disk, options: &Options, found: &Scan, done: &mut Repaired) -> Result<(), WalError> {
    if let Some(last) = found.segments.last().filter(|last| last.content > last.end) {
        done.copies.push(copy_aside(disk, options, &last.path)?);
        done.changed.push(last.path.clone());
        clear_tail(disk, last)?;
    }
    Ok(())
}

/// Takes segments out of the log that are no longer needed, oldest first, so that an interruption leaves no
/// hole. Returns their new paths.
///
/// # Errors
///
/// If a file cannot be renamed or the directory cannot be synced.
pub fn set_aside_segments(
    disk: &dyn Disk,
    options: &Options,
    names: &[String],
) -> Result<Vec<PathBuf>, WalError> {
    names.iter().map(|name| set_aside(disk, options, &options.dir.join(name))).collect()
}

fn cut(
    disk: &dyn Disk,
    options: &Options,
    found: &Scan,
    damage: &Damage,
    done: &mut Repaired,
) -> Result<(), WalError> {
    let mut highest = damage.expected.saturating_add(damage.at_risk).saturating_sub(1).max(damage.expected);
    if damage.harm == Harm::Uncovered {
        // The segments that are left are useless without those before them, but their numbers are not used
        // again.
        highest = highest.max(found.known).max(found.files.last().map_or(0, |(first, _)| *first));
        salvage(disk, options, &mut |lsn, _| highest = highest.max(lsn))?;
    }
    if highest >= segment::LSN_END - 1 {
        // No record can have a higher number, so the number is wrong.
        return Err(WalError::Damaged(damage.clone()));
    }
    // The new segment is made before anything is given up, so a full disk changes nothing.
    let dir = &options.dir;
    disk.create_dir(dir).map_err(|error| WalError::io("make the directory", dir, error))?;
    let blank = dir.join(BLANK_NAME);
    match disk.remove(&blank) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(WalError::io("remove the unfinished", &blank, error));
        }
        _ => {}
    }
    let mut file = segment::make_blank(disk, &blank, options.segment_bytes)?;
    // Written before the cut, so that a second run after an interruption still knows how far the log reached.
    let counter = found.mark.map_or(1, |mark| mark.counter + 1);
    watermark::reset(disk, options, WatermarkValue { counter, durable: highest })?;
    clear_last(disk, options, found, done)?;
    // From the newest down, so that an interrupted repair leaves no hole.
    for (_, path) in found.files.iter().skip(found.segments.len()).rev() {
        done.copies.push(set_aside(disk, options, path)?);
        done.changed.push(path.clone());
    }
    let header = found.chain.next(options, highest + 1, options.segment_bytes);
    segment::activate_blank(disk, options, &blank, &mut *file, &header)?;
    if damage.at_risk > 0 || highest > damage.expected {
        done.lost = Some((damage.expected, highest));
    }
    Ok(())
}
