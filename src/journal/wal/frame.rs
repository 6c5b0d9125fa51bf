//! The frame: a batch of records that is written, synced and torn as one.
//!
//! ```text
//!   0        4         8            16            24     28         32
//!  ┌────────┬─────────┬────────────┬─────────────┬──────┬──────────┬──────────────────────┬───────────┐
//!  │ len u32│ records │ first lsn  │ stable lsn  │ crc  │ zero u32 │ payload (len bytes)  │ zeros to 8│
//!  └────────┴─────────┴────────────┴─────────────┴──────┴──────────┴──────────────────────┴───────────┘
//!   payload = records x [ len u32 | kind u8 | version u8 | bytes ]          all numbers little end first
//! ```
//!
//! - The crc covers everything except itself, including the padding, and starts from the engine and the
//!   segment number, so bytes of another engine or segment never verify.
//! - The stable lsn is the highest number that was synced before this frame was written. The writer syncs
//!   each frame, so it is the last number of the frame before.
//! - Every length is bounded before it is used, and [`decode`] walks all records of a frame once, so that
//!   reading them afterwards cannot fail.

use crc32fast::Hasher;

use super::bytes::{content_end, u32_at, u64_at};
use super::segment::{HEADER_BYTES, LSN_END};
use super::{Lsn, MAX_RECORD_BYTES, Record, RecordRef};
use crate::disk::{narrow, wide};

pub(super) const FRAME_HEAD_BYTES: usize = 32;
pub(super) const RECORD_HEAD_BYTES: usize = 6;
/// The most records in a batch.
pub(super) const MAX_RECORDS: usize = 4096;
const MAX_PAYLOAD_BYTES: usize = MAX_RECORD_BYTES + RECORD_HEAD_BYTES;
/// The longest frame, in bytes.
pub(super) const MAX_FRAME_BYTES: usize = FRAME_HEAD_BYTES + MAX_PAYLOAD_BYTES + 8;
const CRC_AT: usize = 24;
const CRC_END: usize = 28;

/// The longest payload of a frame, in segments of this length.
pub(super) fn payload_limit(segment_bytes: u64) -> usize {
    let room = narrow(segment_bytes.saturating_sub(wide(HEADER_BYTES + FRAME_HEAD_BYTES)));
    (room & !7).min(MAX_PAYLOAD_BYTES)
}

/// The start value of the checksums in a segment.
pub(super) fn seed(engine: &[u8; 16], segment: u64) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(engine);
    hasher.update(&segment.to_le_bytes());
    hasher.finalize()
}

/// A frame that is being gathered. Its memory is used again for the next one.
#[derive(Debug, Default)]
pub(super) struct FrameBatch {
    buffer: Vec<u8>,
    records: u32,
}

impl FrameBatch {
    /// How many records it holds.
    pub(super) fn records(&self) -> u32 {
        self.records
    }

    /// Removes all records.
    pub(super) fn clear(&mut self) {
        self.buffer.clear();
        self.records = 0;
    }

    /// Whether a record fits within the limits. The first record of a batch only has to keep its own limit.
    pub(super) fn fits(&self, record: &Record, limit: usize) -> bool {
        let used = self.buffer.len().max(FRAME_HEAD_BYTES) - FRAME_HEAD_BYTES;
        narrow(self.records.into()) < MAX_RECORDS && used + RECORD_HEAD_BYTES + record.bytes.len() <= limit
    }

    /// Adds a record that fits.
    pub(super) fn push(&mut self, record: &Record) {
        if self.buffer.is_empty() {
            self.buffer.resize(FRAME_HEAD_BYTES, 0);
        }
        let len = u32::try_from(record.bytes.len()).unwrap_or(u32::MAX);
        self.buffer.extend_from_slice(&len.to_le_bytes());
        self.buffer.extend_from_slice(&[record.kind, record.version]);
        self.buffer.extend_from_slice(&record.bytes);
        self.records += 1;
    }

    /// The length of the frame once it is sealed.
    pub(super) fn frame_bytes(&self) -> usize {
        self.buffer.len().next_multiple_of(8)
    }

    /// Pads the frame and writes its header; returns the bytes for the disk and their checksum.
    pub(super) fn seal(&mut self, seed: u32, first_lsn: Lsn, stable_lsn: Lsn) -> (&[u8], u32) {
        let len = u32::try_from(self.buffer.len().saturating_sub(FRAME_HEAD_BYTES)).unwrap_or(u32::MAX);
        self.buffer.resize(self.frame_bytes(), 0);
        let mut head = Vec::with_capacity(FRAME_HEAD_BYTES);
        head.extend_from_slice(&len.to_le_bytes());
        head.extend_from_slice(&self.records.to_le_bytes());
        head.extend_from_slice(&first_lsn.to_le_bytes());
        head.extend_from_slice(&stable_lsn.to_le_bytes());
        let mut hasher = Hasher::new_with_initial(seed);
        hasher.update(&head);
        hasher.update(self.buffer.get(CRC_END..).unwrap_or_default());
        let crc = hasher.finalize();
        head.extend_from_slice(&crc.to_le_bytes());
        if let Some(place) = self.buffer.get_mut(..CRC_END) {
            place.copy_from_slice(&head);
        }
        (&self.buffer, crc)
    }
}

/// A frame whose checksum matched.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<'a> {
    pub(super) first_lsn: Lsn,
    pub(super) stable_lsn: Lsn,
    pub(super) records: u32,
    pub(super) crc: u32,
    /// The offset after it.
    pub(super) end: usize,
    payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The number of its last record.
    pub(super) fn last_lsn(&self) -> Lsn {
        self.first_lsn + Lsn::from(self.records) - 1
    }

    /// Its records with their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Lsn, RecordRef<'a>)> + use<'a> {
        let mut rest = self.payload;
        let mut lsn = self.first_lsn;
        std::iter::from_fn(move || {
            let (record, after) = split_record(rest)?;
            let item = (lsn, record);
            rest = after;
            lsn += 1;
            Some(item)
        })
    }
}

/// Reads the frame at an offset, or says why there is none.
pub(super) fn decode(bytes: &[u8], at: usize, seed: u32) -> Result<Frame<'_>, &'static str> {
    const CUT: &str = "it is cut short";
    let frame = bytes.get(at..).ok_or(CUT)?;
    let len = narrow(u32_at(frame, 0).ok_or(CUT)?.into());
    let records = u32_at(frame, 4).ok_or(CUT)?;
    let first_lsn = u64_at(frame, 8).ok_or(CUT)?;
    let stable_lsn = u64_at(frame, 16).ok_or(CUT)?;
    let crc = u32_at(frame, CRC_AT).ok_or(CUT)?;
    if !plausible(len, records, first_lsn, stable_lsn) {
        return Err("its header makes no sense");
    }
    let size = (FRAME_HEAD_BYTES + len).next_multiple_of(8);
    let frame = frame.get(..size).ok_or(CUT)?;
    let mut hasher = Hasher::new_with_initial(seed);
    hasher.update(frame.get(..CRC_AT).ok_or(CUT)?);
    hasher.update(frame.get(CRC_END..).ok_or(CUT)?);
    if hasher.finalize() != crc {
        return Err("its checksum does not match");
    }
    let payload = frame.get(FRAME_HEAD_BYTES..FRAME_HEAD_BYTES + len).ok_or(CUT)?;
    let frame = Frame { first_lsn, stable_lsn, records, crc, end: at + size, payload };
    let mut rest = payload;
    for _ in 0..records {
        rest = split_record(rest).ok_or("its records do not fill it")?.1;
    }
    if rest.is_empty() { Ok(frame) } else { Err("its records do not fill it") }
}

/// The frames that [`search`] found after a bad one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hit {
    /// The first number of the first frame found.
    pub(super) first: Lsn,
    /// The highest number in all frames found.
    pub(super) highest: Lsn,
}

/// Looks for frames from an offset on, in steps of 8 bytes, so that a damaged length cannot hide the next
/// frame.
pub(super) fn search(bytes: &[u8], from: usize, floor: Lsn, seed: u32) -> Option<Hit> {
    let mut hit: Option<Hit> = None;
    let mut at = from.next_multiple_of(8);
    let stop = content_end(bytes);
    while at < stop {
        at = match u64_at(bytes, at + 8)
            .filter(|first| *first >= floor)
            .and_then(|_| decode(bytes, at, seed).ok())
        {
            Some(frame) => {
                let highest = frame.last_lsn().max(hit.map_or(0, |hit| hit.highest));
                hit = Some(Hit { first: hit.map_or(frame.first_lsn, |hit| hit.first), highest });
                frame.end
            }
            None => at + 8,
        };
    }
    hit
}

/// The cheap checks, made before any length is used.
fn plausible(len: usize, records: u32, first_lsn: Lsn, stable_lsn: Lsn) -> bool {
    let count = narrow(records.into());
    (1..=MAX_RECORDS).contains(&count)
        && len >= count * RECORD_HEAD_BYTES
        && len <= MAX_PAYLOAD_BYTES
        && (1..LSN_END).contains(&first_lsn)
        && stable_lsn < first_lsn
}

fn split_record(bytes: &[u8]) -> Option<(RecordRef<'_>, &[u8])> {
    let len = narrow(u32_at(bytes, 0)?.into());
    let (kind, version) = (*bytes.get(4)?, *bytes.get(5)?);
    let (payload, rest) = bytes.get(RECORD_HEAD_BYTES..)?.split_at_checked(len)?;
    Some((RecordRef { kind, version, bytes: payload }, rest))
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "a test may fail by a panic")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn records() -> impl Strategy<Value = Vec<Record>> {
        let record = (any::<u8>(), any::<u8>(), proptest::collection::vec(any::<u8>(), 0..300))
            .prop_map(|(kind, version, bytes)| Record { kind, version, bytes });
        proptest::collection::vec(record, 1..20)
    }

    fn sealed(records: &[Record], seed: u32, first: Lsn) -> Vec<u8> {
        let mut batch = FrameBatch::default();
        records.iter().for_each(|record| batch.push(record));
        batch.seal(seed, first, first - 1).0.to_vec()
    }

    proptest! {
        #[test]
        fn a_sealed_frame_decodes_to_the_same_records(records in records(), seed: u32, first in 1..u64::MAX / 4) {
            let bytes = sealed(&records, seed, first);
            prop_assert_eq!(bytes.len() % 8, 0);
            let frame = decode(&bytes, 0, seed).expect("sealed");
            prop_assert_eq!((frame.first_lsn, frame.stable_lsn, frame.end), (first, first - 1, bytes.len()));
            for (at, (lsn, record)) in frame.iter().enumerate() {
                prop_assert_eq!(lsn, first + wide(at));
                prop_assert_eq!((record.kind, record.version), (records[at].kind, records[at].version));
                prop_assert_eq!(record.bytes, &records[at].bytes[..]);
            }
            prop_assert_eq!(frame.iter().count(), records.len());
            prop_assert!(decode(&bytes, 0, seed ^ 1).is_err());
        }

        #[test]
        fn a_changed_or_cut_frame_does_not_verify(records in records(), bit: prop::sample::Index, cut: prop::sample::Index) {
            let bytes = sealed(&records, 9, 5);
            let bit = bit.index(bytes.len() * 8);
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(decode(&flipped, 0, 9).is_err());
            prop_assert!(decode(&bytes[..cut.index(bytes.len())], 0, 9).is_err());
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0..220_usize) {
            prop_assert!(decode(&bytes, at, 1).is_err());
            prop_assert_eq!(search(&bytes, at, 0, 1), None);
        }

        #[test]
        fn a_frame_is_found_behind_garbage(records in records(), garbage in proptest::collection::vec(any::<u8>(), 8..80)) {
            let mut bytes = garbage;
            bytes.resize(bytes.len().next_multiple_of(8), 1);
            bytes.extend(sealed(&records, 3, 40));
            bytes.extend(sealed(&records, 3, 40 + wide(records.len())));
            let highest = 39 + 2 * wide(records.len());
            prop_assert_eq!(search(&bytes, 0, 30, 3), Some(Hit { first: 40, highest }));
            prop_assert_eq!(search(&bytes, 0, highest + 1, 3), None);
        }
    }

    #[test]
    fn the_limit_lets_a_full_frame_fit_its_segment() {
        for bytes in [super::super::MIN_SEGMENT_BYTES, 100_003, super::super::DEFAULT_SEGMENT_BYTES] {
            let whole = (FRAME_HEAD_BYTES + payload_limit(bytes)).next_multiple_of(8);
            assert!(wide(HEADER_BYTES + whole) <= bytes);
        }
    }
}
