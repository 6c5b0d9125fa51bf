//! One segment file: its name, its header block, and how it is made and taken into use.
//!
//! ```text
//!   0       8         12     16          32        40          48                56          64
//!  ┌───────┬─────────┬──────┬───────────┬─────────┬───────────┬─────────────────┬──────┬────┬──────────┬─
//!  │ magic │ version │ zero │ engine 16 │ number  │ first lsn │ last lsn before │ crc  │zero│ capacity │
//!  └───────┴─────────┴──────┴───────────┴─────────┴───────────┴─────────────────┴──────┴────┴──────────┴─
//!   zeros up to 4092, then the crc of the first 4092 bytes; frames from 4096 on, zeros behind them
//! ```
//!
//! - A blank segment is all zeros on the disk before it is used. Writing the zeros allocates the blocks, so a
//!   full disk shows while a segment is made and never while a record is written. It happens in small synced
//!   steps, so that the syncs of the writer do not wait behind 64 MiB.
//! - A segment names the last number and the checksum of the last frame before it, so a missing, cut or
//!   exchanged segment is noticed.
//! - `first lsn` is `last lsn before + 1`, unless a repair gave up the numbers between.

use std::path::Path;

use super::bytes::{ZEROS, u32_at, u64_at};
use super::error::{Harm, WalError};
use super::{Lsn, MAX_SEGMENT_BYTES, Options};
use crate::disk::{Disk, DiskFile, narrow, wide};

pub(super) const HEADER_BYTES: usize = 4096;
/// No number that is written reaches this, so calculations with one that was read cannot overflow.
pub(super) const LSN_END: Lsn = Lsn::MAX / 2;
/// The version of the format of the header and the frames.
pub(super) const FORMAT_VERSION: u32 = 1;
const MAGIC: &[u8; 8] = b"RSTKDWAL";
const CRC_AT: usize = HEADER_BYTES - 4;
const FILL_STEP_BYTES: usize = 256 * 1024;
const NAME_DIGITS: usize = 20;
const NAME_END: &str = ".wal";

/// The content of a header block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) engine: [u8; 16],
    pub(super) number: u64,
    pub(super) first_lsn: Lsn,
    pub(super) previous_last: Lsn,
    pub(super) previous_crc: u32,
    pub(super) capacity: u64,
}

impl Header {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut block = Vec::with_capacity(HEADER_BYTES);
        block.extend_from_slice(MAGIC);
        block.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        block.extend_from_slice(&[0; 4]);
        block.extend_from_slice(&self.engine);
        block.extend_from_slice(&self.number.to_le_bytes());
        block.extend_from_slice(&self.first_lsn.to_le_bytes());
        block.extend_from_slice(&self.previous_last.to_le_bytes());
        block.extend_from_slice(&self.previous_crc.to_le_bytes());
        block.extend_from_slice(&[0; 4]);
        block.extend_from_slice(&self.capacity.to_le_bytes());
        block.resize(CRC_AT, 0);
        let crc = crc32fast::hash(&block);
        block.extend_from_slice(&crc.to_le_bytes());
        block
    }

    /// Reads and verifies a header block, which must belong to `engine`.
    pub(super) fn decode(bytes: &[u8], engine: &[u8; 16]) -> Result<Self, Harm> {
        const SHORT: Harm = Harm::Header("it is cut short");
        let covered = bytes.get(..CRC_AT).ok_or(SHORT)?;
        if u32_at(bytes, CRC_AT).ok_or(SHORT)? != crc32fast::hash(covered) {
            return Err(Harm::Header("its checksum does not match"));
        }
        if covered.get(..8) != Some(MAGIC.as_slice()) {
            return Err(Harm::Header("it is not a log segment"));
        }
        let version = u32_at(covered, 8).ok_or(SHORT)?;
        if version != FORMAT_VERSION {
            return Err(Harm::UnknownFormat(version));
        }
        if covered.get(16..32) != Some(engine.as_slice()) {
            return Err(Harm::ForeignEngine);
        }
        let header = Self {
            engine: *engine,
            number: u64_at(covered, 32).ok_or(SHORT)?,
            first_lsn: u64_at(covered, 40).ok_or(SHORT)?,
            previous_last: u64_at(covered, 48).ok_or(SHORT)?,
            previous_crc: u32_at(covered, 56).ok_or(SHORT)?,
            capacity: u64_at(covered, 64).ok_or(SHORT)?,
        };
        if header.is_plausible() { Ok(header) } else { Err(Harm::Header("its numbers make no sense")) }
    }

    /// Whether a writer could have written these numbers. They are calculated with later, and a file is made
    /// as long as the capacity says.
    fn is_plausible(&self) -> bool {
        self.first_lsn > self.previous_last
            && self.first_lsn < LSN_END
            && (1..LSN_END).contains(&self.number)
            && (wide(HEADER_BYTES)..=MAX_SEGMENT_BYTES).contains(&self.capacity)
    }
}

/// Where a log ends, which the next segment must name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chain {
    pub(super) number: u64,
    pub(super) last: Lsn,
    pub(super) crc: u32,
}

impl Chain {
    /// The header of the next segment.
    pub(super) fn next(&self, options: &Options, first_lsn: Lsn, capacity: u64) -> Header {
        Header {
            engine: options.engine,
            number: self.number + 1,
            first_lsn,
            previous_last: self.last,
            previous_crc: self.crc,
            capacity,
        }
    }
}

/// The file name of the segment whose first record has this number.
pub(super) fn name(first_lsn: Lsn) -> String {
    format!("{first_lsn:0width$}{NAME_END}", width = NAME_DIGITS)
}

/// The number in the name of a segment; `None` for any other file.
pub(super) fn parse_name(name: &str) -> Option<Lsn> {
    let digits = name.strip_suffix(NAME_END)?;
    let plain = digits.len() == NAME_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain { digits.parse().ok().filter(|first| (1..LSN_END).contains(first)) } else { None }
}

/// Makes a blank segment of synced zeros. Its name is not durable yet.
pub(super) fn make_blank(disk: &dyn Disk, path: &Path, bytes: u64) -> Result<Box<dyn DiskFile>, WalError> {
    let wrap = |error| WalError::io("make the segment", path, error);
    let mut file = disk.create(path).map_err(wrap)?;
    fill_zeros(&mut *file, 0, bytes).and_then(|()| file.sync_all()).map_err(wrap)?;
    Ok(file)
}

/// Writes zeros from one offset up to another, in synced steps.
pub(super) fn fill_zeros(file: &mut dyn DiskFile, from: u64, to: u64) -> std::io::Result<()> {
    let step = vec![0; FILL_STEP_BYTES.min(narrow(to.saturating_sub(from)))];
    let mut at = from;
    while at < to {
        let now = step.len().min(narrow(to - at));
        file.write_at(at, step.get(..now).unwrap_or(&ZEROS))?;
        at += wide(now);
        if at < to {
            file.sync_data()?;
        }
    }
    Ok(())
}

/// Takes a blank segment into use, in this order: header, sync, rename, sync of the directory.
pub(super) fn activate_blank(
    disk: &dyn Disk,
    options: &Options,
    blank: &Path,
    file: &mut dyn DiskFile,
    header: &Header,
) -> Result<std::path::PathBuf, WalError> {
    let path = options.dir.join(name(header.first_lsn));
    file.write_at(0, &header.encode()).map_err(|error| WalError::io("write the header of", blank, error))?;
    file.sync_all().map_err(|error| WalError::io("sync the header of", blank, error))?;
    disk.rename(blank, &path).map_err(|error| WalError::io("give its name to", &path, error))?;
    disk.sync_dir(&options.dir).map_err(|error| WalError::io("sync the directory", &options.dir, error))?;
    Ok(path)
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "a test may fail by a panic")]
mod tests {
    use super::*;

    #[test]
    fn only_segment_names_are_segments() {
        assert_eq!(parse_name(&name(7)), Some(7));
        assert_eq!(parse_name(&name(LSN_END - 1)), Some(LSN_END - 1));
        assert_eq!(parse_name(&name(u64::MAX)), None, "nobody wrote that");
        for other in ["mark", "7.wal", "+0000000000000000007.wal", "99999999999999999999.wal", "spare-1.tmp"]
        {
            assert_eq!(parse_name(other), None, "{other}");
        }
        assert_eq!(parse_name(&format!("{}.broken-1", name(7))), None);
    }

    #[test]
    fn a_header_that_verifies_and_cannot_be_ours_is_refused() {
        let good = Header {
            engine: [3; 16],
            number: 2,
            first_lsn: 9,
            previous_last: 8,
            previous_crc: 77,
            capacity: 65536,
        };
        let bad = [
            Header { number: u64::MAX, ..good },
            Header { number: 0, ..good },
            Header { first_lsn: u64::MAX, ..good },
            Header { first_lsn: u64::MAX, previous_last: u64::MAX - 1, ..good },
            Header { previous_last: 9, ..good },
            Header { capacity: u64::MAX, ..good },
            Header { capacity: MAX_SEGMENT_BYTES + 1, ..good },
            Header { capacity: 0, ..good },
        ];
        for header in bad {
            let refused = Header::decode(&header.encode(), &[3; 16]);
            assert!(matches!(refused, Err(Harm::Header(_))), "{header:?}: {refused:?}");
        }
    }

    #[test]
    fn no_bit_of_a_header_can_change_unseen() {
        let header = Header {
            engine: [3; 16],
            number: 2,
            first_lsn: 9,
            previous_last: 8,
            previous_crc: 77,
            capacity: 65536,
        };
        let block = header.encode();
        assert_eq!(block.len(), HEADER_BYTES);
        assert_eq!(Header::decode(&block, &[3; 16]), Ok(header));
        assert_eq!(Header::decode(&block, &[4; 16]), Err(Harm::ForeignEngine));
        for bit in 0..block.len() * 8 {
            let mut bad = block.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Header::decode(&bad, &[3; 16]).is_err(), "bit {bit}");
        }
    }
}
