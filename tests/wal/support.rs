//! What the themes share: a log on a simulated disk, and short words for appending and recovering.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};

use restockd_journal::disk::Disk;
use restockd_journal::wal::{
    Log, LogRecovery, Lost, Lsn, MIN_SEGMENT_BYTES, Options, Record, Ticket, WalError, recover,
};
use restockd_testkit::disk::SimDisk;

pub const ENGINE: [u8; 16] = *b"engine-for-tests";
pub const HEADER: usize = 4096;

pub fn options() -> Options {
    Options { segment_bytes: MIN_SEGMENT_BYTES, ..Options::new("/data/wal", ENGINE) }
}

pub fn arc(sim: &SimDisk) -> Arc<dyn Disk> {
    Arc::new(sim.clone())
}

pub fn record(bytes: impl Into<Vec<u8>>) -> Record {
    Record { kind: 7, version: 1, bytes: bytes.into() }
}

/// Records with their numbers.
pub type Seen = Vec<(Lsn, Vec<u8>)>;

/// All records from 1 on, with what recovery said.
pub fn read_from(sim: &SimDisk, from: Lsn, known: Lsn) -> Result<(LogRecovery, Seen), WalError> {
    let mut seen = Vec::new();
    let recovered = recover(&arc(sim), &options(), from, known, &mut |lsn, record| {
        assert_eq!((record.kind, record.version), (7, 1));
        seen.push((lsn, record.bytes.to_vec()));
        Ok(())
    })?;
    Ok((recovered, seen))
}

pub fn read(sim: &SimDisk) -> Result<(LogRecovery, Seen), WalError> {
    read_from(sim, 1, 0)
}

/// The names in the log directory that end like this.
pub fn names(sim: &SimDisk, end: &str) -> Vec<String> {
    let names = sim.list(Path::new("/data/wal")).unwrap();
    names.into_iter().filter(|name| name.ends_with(end)).collect()
}

pub fn segment_path(first: Lsn) -> PathBuf {
    PathBuf::from(format!("/data/wal/{first:020}.wal"))
}

/// A running log and what it told.
pub struct Run {
    pub log: Log,
    pub poisons: Arc<AtomicUsize>,
    pub poison_text: Arc<Mutex<String>>,
}

impl Run {
    pub fn start(sim: &SimDisk) -> Self {
        Self::try_start(sim).unwrap()
    }

    pub fn try_start(sim: &SimDisk) -> Result<Self, WalError> {
        let (recovered, _) = read(sim)?;
        Self::start_on(arc(sim), &options(), &recovered)
    }

    pub fn start_on(
        disk: Arc<dyn Disk>,
        options: &Options,
        recovered: &LogRecovery,
    ) -> Result<Self, WalError> {
        let poisons = Arc::new(AtomicUsize::new(0));
        let poison_text = Arc::new(Mutex::new(String::new()));
        let (count, text) = (poisons.clone(), poison_text.clone());
        let on_poison = move |error: &WalError| {
            count.fetch_add(1, Ordering::SeqCst);
            *text.lock().unwrap() = error.to_string();
        };
        let log = Log::start(disk, options.clone(), recovered, Box::new(on_poison))?;
        Ok(Self { log, poisons, poison_text })
    }

    /// Appends without waiting.
    pub fn send(&self, bytes: impl Into<Vec<u8>>) -> Receiver<Result<Lsn, Lost>> {
        let (ticket, answer) = ticket();
        self.log.append(record(bytes), ticket);
        answer
    }

    /// Appends and waits.
    pub fn append(&self, bytes: impl Into<Vec<u8>>) -> Result<Lsn, Lost> {
        self.send(bytes).recv().unwrap()
    }

    pub fn barrier(&self) -> Result<Lsn, Lost> {
        let (ticket, answer) = ticket();
        self.log.barrier(ticket);
        answer.recv().unwrap()
    }

    pub fn seal(&self) -> Result<Lsn, Lost> {
        let (ticket, answer) = ticket();
        self.log.seal(ticket);
        answer.recv().unwrap()
    }

    pub fn poisons(&self) -> usize {
        self.poisons.load(Ordering::SeqCst)
    }
}

/// Keeps the writer inside a ticket until the other end of the gate is dropped.
pub fn hold(gate: &Receiver<()>) {
    let _ = gate.recv();
}

/// A ticket that sends what it hears.
pub fn ticket() -> (Ticket, Receiver<Result<Lsn, Lost>>) {
    let (sender, receiver) = channel();
    (
        Box::new(move |outcome| {
            let _ = sender.send(outcome);
        }),
        receiver,
    )
}

/// A log of single-record frames, one per payload, closed cleanly.
pub fn closed_log(payloads: &[&[u8]]) -> SimDisk {
    let sim = SimDisk::new(1);
    let run = Run::start(&sim);
    for payload in payloads {
        run.append(*payload).unwrap();
    }
    run.log.close();
    sim
}

/// Forgets the mark, so that nothing but the frames says what was durable.
pub fn forget_mark(sim: &SimDisk) {
    sim.put(Path::new("/data/wal/mark"), Vec::new());
}

/// Where each frame of a segment starts, and where the last one ends.
pub fn frame_starts(bytes: &[u8]) -> Vec<usize> {
    let mut starts = vec![HEADER];
    loop {
        let at = *starts.last().unwrap();
        let len = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        if len == 0 {
            return starts;
        }
        starts.push(at + (32 + len).next_multiple_of(8));
    }
}

/// Waits for something that a background thread will make true.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..50_000_000_u64 {
        if holds() {
            return;
        }
        std::thread::yield_now();
    }
    panic!("never came true: {what}");
}
