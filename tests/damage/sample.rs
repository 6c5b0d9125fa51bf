//! The log that is damaged: at least 64 KiB of frames in three segments, every record variant in it, written by the
//! real log.
//!
//! The records are the golden ones, one of every variant, again and again, and now and then an event with long
//! properties. Which records share a frame is steered by a gate in a ticket, so the same log comes out each time.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::channel;

use restockd_core::directory::{Accepted, DirectoryEvent, PersonFact};
use restockd_core::list::ChangeSource;
use restockd_core::{Email, Millis, PersonId};
use restockd_journal::disk::Disk;
use restockd_journal::wal::{Log, LogRecovery, Lsn, MIN_SEGMENT_BYTES, Options, Record, WalError, recover};
use restockd_records::{Encoded, Stamp, sample};
use restockd_testkit::disk::SimDisk;

pub const ENGINE: [u8; 16] = *b"engine-of-damage";
pub const HEADER: usize = 4096;
/// Segments before the last record is written.
const SEGMENTS: usize = 3;
/// Bytes of frames in each, at least.
const FRAMES_BYTES: usize = 23_000;

pub fn options() -> Options {
    Options { segment_bytes: MIN_SEGMENT_BYTES, ..Options::new("/data/wal", ENGINE) }
}

pub fn mark_path() -> PathBuf {
    PathBuf::from("/data/wal/mark")
}

/// A frame as it lies in a segment.
#[derive(Debug, Clone, Copy)]
pub struct Frame {
    pub start: usize,
    pub end: usize,
    /// The number of its last record.
    pub last: Lsn,
}

/// A segment file, whole.
pub struct Segment {
    pub path: PathBuf,
    pub bytes: Vec<u8>,
    pub frames: Vec<Frame>,
}

impl Segment {
    /// Where its frames end.
    pub fn used(&self) -> usize {
        self.frames.last().map_or(HEADER, |frame| frame.end)
    }
}

/// A whole log and what was put into it.
pub struct Sample {
    pub disk: SimDisk,
    pub segments: Vec<Segment>,
    pub mark: Vec<u8>,
    /// What the mark says.
    pub marked: Lsn,
    pub records: Arc<Vec<Record>>,
}

/// Every golden record, with an event of a few KiB after each tenth: fewer records to read in each case.
fn supply() -> impl Iterator<Item = Record> {
    let golden: Vec<Record> = sample::entries().iter().map(|entry| logged(sample::encoded(entry))).collect();
    let long = long_event();
    (0..).flat_map(move |at: usize| {
        let record = golden[at % golden.len()].clone();
        [Some(record), (at % 10 == 9).then(|| long.clone())].into_iter().flatten()
    })
}

fn long_event() -> Record {
    let note = format!("\"{}\"", "all work and no play ".repeat(90));
    let person = PersonFact {
        id: PersonId(9),
        email: Email::parse("long@shop.example"),
        user_id: Some("u-long".into()),
        anonymous_id: None,
        props: vec![("note".into(), note)],
    };
    let event = DirectoryEvent::Event(Accepted {
        name: "product.waitlisted".into(),
        key: Some(3),
        source: ChangeSource::Event,
        person: Some(person),
        bag: Vec::new(),
        timestamp: None,
        product: None,
        restock: None,
        attested: None,
    });
    logged(restockd_records::of_directory(Stamp { seq: 1, at: Millis(5) }, &event))
}

fn logged(Encoded { kind, version, bytes }: Encoded) -> Record {
    Record { kind, version, bytes }
}

fn start(disk: &Arc<dyn Disk>) -> Log {
    let recovered = recover(disk, &options(), 1, 0, &mut |_, _| Ok(())).unwrap();
    Log::start(disk.clone(), options(), &recovered, Box::new(|error| panic!("{error}"))).unwrap()
}

/// Appends records as one frame, and waits.
fn frame(log: &Log, records: &[Record]) {
    let (open, gate) = channel::<()>();
    let (told, hear) = channel();
    log.barrier(Box::new(move |_| assert!(gate.recv().is_err())));
    records.iter().for_each(|record| log.append_quiet(record.clone()));
    log.barrier(Box::new(move |outcome| told.send(outcome).unwrap()));
    drop(open);
    hear.recv().unwrap().unwrap();
}

impl Sample {
    /// The whole log, closed: the mark says that everything in it was acknowledged.
    pub fn closed() -> Self {
        let (sim, records) = Self::write();
        Self::of(sim, records)
    }

    /// The same with a last frame that nobody was promised: the mark is from before it.
    pub fn with_open_end(payload: usize) -> Self {
        let (sim, mut records) = Self::write();
        let mark = sim.contents()[&mark_path()].clone();
        let mut last = Vec::new();
        let mut bytes = 0;
        for record in supply().skip(5) {
            bytes += record.bytes.len();
            last.push(record);
            if bytes >= payload {
                break;
            }
        }
        let disk: Arc<dyn Disk> = Arc::new(sim.clone());
        let log = start(&disk);
        frame(&log, &last);
        log.close();
        records.extend(last);
        sim.put(&mark_path(), mark);
        Self::of(sim, records)
    }

    fn write() -> (SimDisk, Vec<Record>) {
        let sim = SimDisk::new(1);
        let disk: Arc<dyn Disk> = Arc::new(sim.clone());
        let log = start(&disk);
        let (mut supply, mut records) = (supply(), Vec::new());
        let sizes = [1, 7, 2, 23, 1, 1, 13, 3];
        let mut turn = 0;
        for segment in 0..SEGMENTS {
            let before = log.stats().bytes;
            while ((log.stats().bytes - before) as usize) < FRAMES_BYTES {
                let some: Vec<Record> = supply.by_ref().take(sizes[turn % sizes.len()]).collect();
                frame(&log, &some);
                records.extend(some);
                turn += 1;
            }
            if segment + 1 < SEGMENTS {
                let (told, hear) = channel();
                log.seal(Box::new(move |outcome| told.send(outcome).unwrap()));
                hear.recv().unwrap().unwrap();
            }
        }
        log.close();
        (sim, records)
    }

    fn of(sim: SimDisk, records: Vec<Record>) -> Self {
        let files = sim.contents();
        for path in files.keys().filter(|path| path.extension().is_some_and(|end| end == "tmp")) {
            sim.remove(path).unwrap();
        }
        sim.sync_fs(Path::new("/data/wal")).unwrap();
        let segments: Vec<Segment> = files
            .iter()
            .filter(|(path, _)| path.extension().is_some_and(|end| end == "wal"))
            .map(|(path, bytes)| Segment { path: path.clone(), bytes: bytes.clone(), frames: frames(bytes) })
            .collect();
        let mark = files[&mark_path()].clone();
        let slots = [0, 512].map(|at| {
            let number = |from: usize| u64::from_le_bytes(mark[at + from..at + from + 8].try_into().unwrap());
            (number(8), number(16))
        });
        let marked = slots.into_iter().max().unwrap().1;
        Self { disk: sim, segments, mark, marked, records: Arc::new(records) }
    }

    /// Bytes of frames.
    pub fn frame_bytes(&self) -> usize {
        self.segments.iter().map(|segment| segment.used() - HEADER).sum()
    }

    /// The first record that is in the last frame.
    pub fn last_frame(&self) -> (Frame, Lsn) {
        let frames = &self.segments.last().unwrap().frames;
        (frames[frames.len() - 1], frames[frames.len() - 2].last + 1)
    }
}

/// The frames of a segment, by their own words.
fn frames(bytes: &[u8]) -> Vec<Frame> {
    let mut frames: Vec<Frame> = Vec::new();
    let mut at = HEADER;
    while let Some(head) = bytes.get(at..at + 32) {
        let len = u32::from_le_bytes(head[..4].try_into().unwrap()) as usize;
        if len == 0 {
            break;
        }
        let count = u64::from(u32::from_le_bytes(head[4..8].try_into().unwrap()));
        let first = u64::from_le_bytes(head[8..16].try_into().unwrap());
        let end = (at + 32 + len).next_multiple_of(8);
        frames.push(Frame { start: at, end, last: first + count - 1 });
        at = end;
    }
    frames
}

/// Reads a log that must hold a first part of these records: what recovery says, and how many came.
pub fn read(sim: &SimDisk, records: &[Record], decode: bool) -> (Result<LogRecovery, WalError>, usize) {
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    let mut seen = 0;
    let outcome = recover(&disk, &options(), 1, 0, &mut |lsn, record| {
        let put = records.get(seen).ok_or("more records than were put")?;
        seen += 1;
        let same = lsn == seen as u64
            && (record.kind, record.version, record.bytes) == (put.kind, put.version, &put.bytes[..]);
        if !same {
            return Err(format!("record {lsn} is not what was put"));
        }
        if decode {
            restockd_records::read(record.kind, record.version, record.bytes)
                .map_err(|error| error.to_string())?;
        }
        Ok(())
    });
    (outcome, seen)
}

#[test]
fn the_sample_is_as_large_and_as_varied_as_it_says() {
    let sample = Sample::closed();
    assert!(sample.segments.len() >= SEGMENTS && sample.frame_bytes() >= 64 * 1024);
    let variants = sample::entries().len();
    assert!(sample.records.len() > 2 * variants, "every variant is in it more than once");
    let (outcome, seen) = read(&sample.disk, &sample.records, true);
    assert_eq!((seen, outcome.unwrap().torn), (sample.records.len(), None));
    assert_eq!(sample.marked, sample.records.len() as u64);
    let again = Sample::closed();
    assert!(again.segments.iter().zip(&sample.segments).all(|(one, two)| one.bytes == two.bytes));
}
