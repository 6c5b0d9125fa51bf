//! The log: segments, frames and the mark as a writer leaves them, then damage, then recovery, check and repair.
//!
//! ```text
//! script   build:   frame | seal | mark …  255     damage:  xor, cut, overwrite, zero, remove, swap, forge …
//! ```
//!
//! Forged means: a changed header, frame or slot whose checksum holds all the same. A disk does not do that, a
//! script may; then nothing is promised about the records, only that every reader ends, in bounds and of one mind.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use restockd_journal::disk::Disk;
use restockd_journal::wal::{
    Harm, MIN_SEGMENT_BYTES, Options, TailState, WalError, inspect, recover, repair,
};
use restockd_testkit::disk::SimDisk;

use super::script::Script;

const ENGINE: [u8; 16] = *b"engine-for-fuzz!";
const HEADER: usize = 4096;
const OPS_MAX: usize = 48;

type Files = BTreeMap<PathBuf, Vec<u8>>;
type Records = Vec<(u64, (u8, u8, Vec<u8>))>;

fn options() -> Options {
    Options { segment_bytes: MIN_SEGMENT_BYTES, ..Options::new("/data/wal", ENGINE) }
}

fn dir() -> &'static Path {
    Path::new("/data/wal")
}

/// The format once more, written from its drawing.
#[derive(Default)]
struct Builder {
    files: Files,
    records: Records,
    /// Where each frame of each file lies.
    frames: Vec<(PathBuf, usize, usize)>,
    path: PathBuf,
    number: u64,
    last: u64,
    crc: u32,
    marked: u64,
    marks: u64,
}

fn frame_crc(segment: u64, frame: &[u8]) -> u32 {
    let mut seed = crc32fast::Hasher::new();
    seed.update(&ENGINE);
    seed.update(&segment.to_le_bytes());
    let mut crc = crc32fast::Hasher::new_with_initial(seed.finalize());
    crc.update(&frame[..24]);
    crc.update(&frame[28..]);
    crc.finalize()
}

fn slot_crc(slot: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&ENGINE);
    crc.update(&slot[..24]);
    crc.finalize()
}

impl Builder {
    fn seal(&mut self) {
        let first = self.last + 1;
        let mut head = b"RSTKDWAL".to_vec();
        head.extend([1, 0, 0, 0, 0, 0, 0, 0]);
        head.extend(ENGINE);
        head.extend((self.number + 1).to_le_bytes());
        head.extend(first.to_le_bytes());
        head.extend(self.last.to_le_bytes());
        head.extend(self.crc.to_le_bytes());
        head.extend([0; 4]);
        head.extend((HEADER as u64 + 4096).to_le_bytes());
        head.resize(HEADER - 4, 0);
        head.extend(crc32fast::hash(&head).to_le_bytes());
        self.number += 1;
        self.path = dir().join(format!("{first:020}.wal"));
        self.files.insert(self.path.clone(), head);
    }

    fn frame(&mut self, records: Vec<(u8, u8, Vec<u8>)>) {
        let mut payload = Vec::new();
        for (kind, version, bytes) in &records {
            payload.extend((bytes.len() as u32).to_le_bytes());
            payload.extend([*kind, *version]);
            payload.extend(bytes);
        }
        let mut frame = (payload.len() as u32).to_le_bytes().to_vec();
        frame.extend((records.len() as u32).to_le_bytes());
        frame.extend((self.last + 1).to_le_bytes());
        frame.extend(self.last.to_le_bytes());
        frame.extend([0; 8]);
        frame.extend(&payload);
        frame.resize(frame.len().next_multiple_of(8), 0);
        self.crc = frame_crc(self.number, &frame);
        frame[24..28].copy_from_slice(&self.crc.to_le_bytes());
        let file = self.files.get_mut(&self.path).unwrap();
        self.frames.push((self.path.clone(), file.len(), frame.len()));
        file.extend(&frame);
        for record in records {
            self.last += 1;
            self.records.push((self.last, record));
        }
    }

    fn mark(&mut self) {
        let slot = |counter: u64, durable: u64| {
            let mut slot = b"RSTKMARK".to_vec();
            slot.extend(counter.to_le_bytes());
            slot.extend(durable.to_le_bytes());
            let mut whole = slot.clone();
            whole.extend(slot_crc(&slot).to_le_bytes());
            whole.resize(512, 0);
            whole
        };
        self.marks += 1;
        self.marked = self.last;
        let place = (self.marks as usize % 2) * 512;
        let file = self.files.entry(dir().join("mark")).or_insert_with(|| vec![0; 1024]);
        file[place..place + 512].copy_from_slice(&slot(self.marks, self.last));
    }

    fn build(script: &mut Script<'_>) -> Self {
        let mut it = Self::default();
        it.seal();
        for _ in 0..OPS_MAX {
            match script.u8() {
                255 => break,
                254 => it.seal_once(),
                253 => it.mark(),
                _ if script.is_over() => break,
                op => {
                    let records = (0..=op % 4).map(|_| (script.u8(), script.u8(), script.piece().to_vec()));
                    let records = records.collect();
                    it.frame(records);
                }
            }
        }
        it
    }

    /// An empty segment is not sealed again.
    fn seal_once(&mut self) {
        if self.files[&self.path].len() > HEADER {
            self.seal();
        }
    }

    /// Whether something that changed verifies all the same.
    fn is_forged(&self, files: &Files) -> bool {
        files.iter().any(|(path, bytes)| {
            let before = self.files.get(path).map(Vec::as_slice).unwrap_or_default();
            if path.ends_with("mark") {
                return (0..2).any(|slot| {
                    let at = slot * 512;
                    let (Some(now), was) = (bytes.get(at..at + 28), before.get(at..at + 28)) else {
                        return false;
                    };
                    Some(now) != was && now[24..28] == slot_crc(now).to_le_bytes()
                });
            }
            let head = |bytes: &[u8]| bytes.get(..HEADER).map(<[u8]>::to_vec);
            let headed = head(bytes).is_some_and(|now| {
                Some(&now) != head(before).as_ref()
                    && now[4092..] == crc32fast::hash(&now[..4092]).to_le_bytes()
            });
            // a header that is another file's, or a frame that verifies where none or another stood
            let number = bytes.get(32..40).map_or(0, |it| u64::from_le_bytes(it.try_into().unwrap()));
            headed
                || (HEADER..bytes.len()).step_by(8).any(|at| {
                    let Some(frame) = frame_at(bytes, at, number) else { return false };
                    let known = self
                        .frames
                        .iter()
                        .any(|(of, start, length)| self.files[of].get(*start..start + length) == Some(frame));
                    !known
                })
        })
    }
}

/// The bytes of a frame that verifies at a place.
fn frame_at(bytes: &[u8], at: usize, number: u64) -> Option<&[u8]> {
    let length = u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().unwrap()) as usize;
    let frame = bytes.get(at..at.checked_add(32 + length)?.next_multiple_of(8))?;
    (length > 0 && frame[24..28] == frame_crc(number, frame).to_le_bytes()).then_some(frame)
}

fn nth(files: &Files, at: u8) -> Option<PathBuf> {
    files.keys().nth(usize::from(at) % files.len().max(1)).cloned()
}

/// One piece of damage.
fn harm(script: &mut Script<'_>, files: &mut Files, frames: &[(PathBuf, usize, usize)]) {
    let (op, which) = (script.u8(), script.u8());
    let Some(path) = nth(files, which) else { return };
    let file = files.get_mut(&path).unwrap();
    let length = file.len();
    match op % 12 {
        0 => {
            let at = script.below(length);
            if let Some(byte) = file.get_mut(at) {
                *byte ^= script.u8().max(1);
            }
        }
        1 => file.truncate(script.below(length + 1)),
        2 => {
            let at = script.below(length + 16);
            let piece = script.piece();
            file.resize(length.max(at + piece.len()), 0);
            file[at..at + piece.len()].copy_from_slice(piece);
        }
        3 => {
            let at = script.below(length + 1);
            let end = (at + usize::from(script.u16())).min(length);
            file[at..end].fill(0);
        }
        4 => drop(files.remove(&path)),
        5 => {
            let other = nth(files, script.u8()).unwrap();
            let (one, two) = (files[&path].clone(), files[&other].clone());
            files.insert(path, two);
            files.insert(other, one);
        }
        6 if length >= HEADER => {
            let crc = crc32fast::hash(&file[..HEADER - 4]);
            file[HEADER - 4..HEADER].copy_from_slice(&crc.to_le_bytes());
        }
        7 => {
            let mine: Vec<_> = frames.iter().filter(|(of, ..)| *of == path).collect();
            let Some((_, start, size)) = mine.get(script.below(mine.len())) else { return };
            let Some(frame) = file.get(*start..start + size).map(<[u8]>::to_vec) else { return };
            let number = u64::from_le_bytes(file[32..40].try_into().unwrap());
            let crc = frame_crc(number, &frame);
            file[start + 24..start + 28].copy_from_slice(&crc.to_le_bytes());
        }
        8 => {
            let at = if script.u8().is_multiple_of(2) { 0 } else { 512 };
            let crc = files.get(&dir().join("mark")).and_then(|mark| mark.get(at..at + 28)).map(slot_crc);
            if let (Some(crc), Some(mark)) = (crc, files.get_mut(&dir().join("mark"))) {
                mark[at + 24..at + 28].copy_from_slice(&crc.to_le_bytes());
            }
        }
        9 => {
            let at = script.below(length / 8 + 1) * 8;
            if let Some((of, start, size)) = frames.get(script.below(frames.len()))
                && let Some(frame) =
                    files.get(of).and_then(|file| file.get(*start..start + size)).map(<[u8]>::to_vec)
            {
                let file = files.get_mut(&path).unwrap();
                file.resize(length.max(at + frame.len()), 0);
                file[at..at + frame.len()].copy_from_slice(&frame);
            }
        }
        10 => {
            let name = match script.u8() % 4 {
                0 => format!("{:020}.wal", script.u64()),
                1 => "mark".to_owned(),
                2 => "spare-1.tmp".to_owned(),
                _ => format!("{:020}.wal", script.u8()),
            };
            files.insert(dir().join(name), script.piece().to_vec());
        }
        _ => {
            let at = script.below(length / 8 + 1) * 8;
            let value = script.u64().to_le_bytes();
            if let Some(place) = file.get_mut(at..at + 8) {
                place.copy_from_slice(&value);
            }
        }
    }
}

/// A header that verifies may ask for a file as long as the longest segment; a test has not the room.
fn hold_back(files: &mut Files) {
    for file in files.values_mut().filter(|file| file.len() >= HEADER) {
        let capacity = u64::from_le_bytes(file[64..72].try_into().unwrap());
        let verifies = file[HEADER - 4..HEADER] == crc32fast::hash(&file[..HEADER - 4]).to_le_bytes();
        if verifies && (1 << 18..=restockd_journal::wal::MAX_SEGMENT_BYTES).contains(&capacity) {
            file[64..72].copy_from_slice(&(1_u64 << 14).to_le_bytes());
            let crc = crc32fast::hash(&file[..HEADER - 4]);
            file[HEADER - 4..HEADER].copy_from_slice(&crc.to_le_bytes());
        }
    }
}

fn read(disk: &Arc<dyn Disk>) -> (Result<restockd_journal::wal::LogRecovery, WalError>, Records) {
    let mut seen = Records::new();
    let read = recover(disk, &options(), 1, 0, &mut |lsn, record| {
        seen.push((lsn, (record.kind, record.version, record.bytes.to_vec())));
        Ok(())
    });
    (read, seen)
}

pub fn body(data: &[u8]) {
    let mut script = Script::new(data);
    let built = Builder::build(&mut script);
    let mut files = built.files.clone();
    let harmed = !script.is_over();
    for _ in 0..OPS_MAX {
        if script.is_over() {
            break;
        }
        harm(&mut script, &mut files, &built.frames);
    }
    hold_back(&mut files);
    let sim = SimDisk::new(1);
    sim.put(&dir().join("notes"), Vec::new());
    files.iter().for_each(|(path, bytes)| sim.put(path, bytes.clone()));
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());

    let before = sim.contents();
    let report = inspect(&disk, &options(), 1, 0).unwrap();
    assert!(sim.contents() == before, "a look changed something");
    let (outcome, seen) = read(&disk);
    assert!(seen.windows(2).all(|two| two[0].0 < two[1].0), "numbers rise");
    match outcome {
        Ok(recovered) => {
            assert_eq!(report.damage, None, "a check and a start are of one mind");
            assert_eq!(matches!(report.tail, TailState::Torn { .. }), recovered.torn.is_some());
            assert_eq!(recovered.delivered, seen.len() as u64);
            if !built.is_forged(&files) {
                assert!(built.records.starts_with(&seen), "other records came back");
                let marked = files.get(&dir().join("mark")) == built.files.get(&dir().join("mark"));
                let acked = if marked { built.marked } else { 0 };
                assert!(seen.len() as u64 >= acked, "{} of {acked} acknowledged came back", seen.len());
                assert!(harmed || seen.len() == built.records.len(), "a whole log lost records");
            }
            let (again, same) = read(&disk);
            assert!(again.unwrap().torn.is_none() && same == seen, "starting twice is starting once");
        }
        Err(WalError::Damaged(damage)) => {
            assert_eq!(report.damage.as_ref(), Some(&damage), "a check and a start are of one mind");
            assert!(damage.file.starts_with(dir()));
            assert!(harmed, "a whole log was refused: {damage}");
            if repair(&disk, &options(), 0).is_ok() {
                let (after, kept) = read(&disk);
                // A log that no longer reaches back to record 1 needs a snapshot; repair cannot make up for that.
                let uncovered =
                    matches!(&after, Err(WalError::Damaged(left)) if left.harm == Harm::Uncovered);
                assert!(after.is_ok() || uncovered, "a repaired log does not start: {:?}", after.err());
                assert!(built.is_forged(&files) || kept.iter().all(|one| built.records.contains(one)));
            }
        }
        Err(other) => panic!("{other}"),
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let frame = |records: u8, fill: u8| {
        let mut op = vec![records - 1];
        for record in 0..records {
            op.extend([record % 3 + 1, 1, 9]);
            op.extend([fill.wrapping_add(record); 9]);
        }
        op
    };
    let base =
        [frame(1, 3), frame(3, 4), vec![253, 254], frame(2, 5), vec![254], frame(1, 6), frame(4, 7)].concat();
    let mut seeds = vec![base.clone(), [base.clone(), vec![253]].concat()];
    let harms: [&[u8]; 14] = [
        &[0, 2, 0x10, 0x10, 1],
        &[1, 2, 0x30, 0x10],
        &[2, 2, 0x40, 0x10, 3, 9, 9, 9],
        &[3, 0, 0, 0x10, 64, 0],
        &[4, 1],
        &[5, 0, 1],
        &[11, 0, 4, 0, 255, 255, 255, 255, 255, 255, 255, 255, 6, 0],
        &[11, 1, 8, 0, 255, 255, 255, 255, 255, 255, 255, 255, 6, 1],
        &[0, 1, 0x28, 0x10, 1, 7, 1, 0, 0],
        &[11, 3, 2, 0, 255, 255, 255, 255, 255, 255, 255, 255, 8, 3, 0],
        &[11, 3, 66, 0, 255, 255, 255, 255, 255, 255, 255, 127, 8, 3, 1],
        &[9, 2, 0x04, 2, 1, 0],
        &[10, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 4, 1, 2, 3, 4],
        &[10, 0, 3, 200, 0],
    ];
    seeds.extend(harms.iter().map(|harm| [base.as_slice(), &[255], harm].concat()));
    seeds
}
