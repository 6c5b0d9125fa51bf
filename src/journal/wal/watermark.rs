//! The file `mark`: a hint, at most 100 ms old, of how far the log was durable.
//!
//! ```text
//!   0       8         16            24    28                  512
//!  ┌───────┬─────────┬─────────────┬─────┬───────────────────┬──────────────── the same again ─┐
//!  │ magic │ counter │ durable lsn │ crc │ zeros             │ magic │ ...                     │
//!  └───────┴─────────┴─────────────┴─────┴───────────────────┴─────────────────────────────────┘
//! ```
//!
//! Why it is needed: if the last frame is bad, only the knowledge that it was acknowledged tells damage from
//! a torn write. Later frames and snapshots also carry that knowledge; for the last records of a quiet log,
//! only the mark does.
//!
//! - The two slots are written in turn, so a torn write leaves the other one. The file is written without a
//!   sync, except at a clean stop: it may lag but is never ahead, and without it recovery only takes more for
//!   torn.
//! - No error with the mark stops the log.

use std::io;
use std::path::{Path, PathBuf};

use super::bytes::{u32_at, u64_at};
use super::error::{WalError, is_no_space};
use super::segment::LSN_END;
use super::{Lsn, Options};
use crate::disk::{Disk, DiskFile};

const NAME: &str = "mark";
const MAGIC: &[u8; 8] = b"RSTKMARK";
const SLOT_BYTES: usize = 512;
const CRC_AT: usize = 24;

/// The content of a slot; the higher counter is the newer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct WatermarkValue {
    pub(super) counter: u64,
    pub(super) durable: Lsn,
}

/// The newest good slot; `None` if the file is missing or bad.
pub(super) fn read(disk: &dyn Disk, options: &Options) -> Result<Option<WatermarkValue>, WalError> {
    let path = options.dir.join(NAME);
    let bytes = match disk.read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(WalError::io("read the mark", &path, error)),
    };
    Ok(bytes.chunks(SLOT_BYTES).take(2).filter_map(|slot| decode(slot, &options.engine)).max())
}

/// Replaces the file by one with exactly this value, durably.
pub(super) fn reset(disk: &dyn Disk, options: &Options, value: WatermarkValue) -> Result<(), WalError> {
    let path = options.dir.join(NAME);
    let fresh = options.dir.join("mark.tmp");
    let make = || {
        match disk.remove(&fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = disk.create(&fresh)?;
        file.write_at(0, &[0; 2 * SLOT_BYTES])?;
        file.write_at(slot_of(value.counter), &encode(value, &options.engine))?;
        file.sync_all()?;
        disk.rename(&fresh, &path)?;
        disk.sync_dir(&options.dir)
    };
    make().map_err(|error| WalError::io("replace the mark", &path, error))
}

/// The mark of a running log.
pub(super) struct Watermark {
    path: PathBuf,
    engine: [u8; 16],
    file: Option<Box<dyn DiskFile>>,
    counter: u64,
    written: Option<Lsn>,
    complained: bool,
}

impl Watermark {
    pub(super) fn new(options: &Options, last: Option<WatermarkValue>) -> Self {
        Self {
            path: options.dir.join(NAME),
            engine: options.engine,
            file: None,
            counter: last.map_or(0, |value| value.counter),
            written: last.map(|value| value.durable),
            complained: false,
        }
    }

    /// Whether the file names a lower number than `durable`.
    pub(super) fn is_stale(&self, durable: Lsn) -> bool {
        self.written.unwrap_or(0) != durable
    }

    /// Writes the next slot. An error is logged once and otherwise ignored.
    pub(super) fn write(&mut self, disk: &dyn Disk, durable: Lsn, sync: bool) {
        let value = WatermarkValue { counter: self.counter + 1, durable };
        self.counter = value.counter;
        self.written = Some(durable);
        if let Err(error) = self.try_write(disk, value, sync) {
            self.file = None;
            if !self.complained && !is_no_space(&error) {
                tracing::warn!(file = %self.path.display(), %error, "cannot write the mark, the log goes on without it");
                self.complained = true;
            }
        }
    }

    fn try_write(&mut self, disk: &dyn Disk, value: WatermarkValue, sync: bool) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(open_or_create(disk, &self.path)?),
        };
        file.write_at(slot_of(value.counter), &encode(value, &self.engine))?;
        if sync { file.sync_all() } else { Ok(()) }
    }
}

fn open_or_create(disk: &dyn Disk, path: &Path) -> io::Result<Box<dyn DiskFile>> {
    match disk.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut file = disk.create(path)?;
            file.write_at(0, &[0; 2 * SLOT_BYTES])?;
            file.sync_all()?;
            if let Some(dir) = path.parent() {
                disk.sync_dir(dir)?;
            }
            Ok(file)
        }
        other => other,
    }
}

fn slot_of(counter: u64) -> u64 {
    (counter % 2) * 512
}

fn encode(value: WatermarkValue, engine: &[u8; 16]) -> Vec<u8> {
    let mut slot = Vec::with_capacity(SLOT_BYTES);
    slot.extend_from_slice(MAGIC);
    slot.extend_from_slice(&value.counter.to_le_bytes());
    slot.extend_from_slice(&value.durable.to_le_bytes());
    let crc = checksum(&slot, engine);
    slot.extend_from_slice(&crc.to_le_bytes());
    slot.resize(SLOT_BYTES, 0);
    slot
}

fn decode(slot: &[u8], engine: &[u8; 16]) -> Option<WatermarkValue> {
    let covered = slot.get(..CRC_AT).filter(|covered| covered.starts_with(MAGIC))?;
    let good = u32_at(slot, CRC_AT)? == checksum(covered, engine);
    let value = WatermarkValue { counter: u64_at(slot, 8)?, durable: u64_at(slot, 16)? };
    (good && value.counter < u64::MAX / 2 && value.durable < LSN_END).then_some(value)
}

fn checksum(covered: &[u8], engine: &[u8; 16]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(engine);
    hasher.update(covered);
    hasher.finalize()
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "a test may fail by a panic")]
mod tests {
    use super::*;

    #[test]
    fn a_slot_that_verifies_and_cannot_be_ours_says_nothing() {
        for value in [
            WatermarkValue { counter: u64::MAX, durable: 1 },
            WatermarkValue { counter: 1, durable: u64::MAX },
            WatermarkValue { counter: 1, durable: LSN_END },
        ] {
            assert_eq!(decode(&encode(value, &[1; 16]), &[1; 16]), None);
        }
    }

    #[test]
    fn a_slot_is_read_back_and_no_bit_of_it_can_change_the_value() {
        let value = WatermarkValue { counter: 5, durable: 900 };
        let slot = encode(value, &[1; 16]);
        assert_eq!(decode(&slot, &[1; 16]), Some(value));
        assert_eq!(decode(&slot, &[2; 16]), None);
        for bit in 0..28 * 8 {
            let mut bad = slot.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&bad, &[1; 16]), None, "bit {bit}");
        }
    }
}
