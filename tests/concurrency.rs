//! The log's threads in thousands of orders: group commit, tickets, the barrier of duplicates, poison, close.
//!
//! shuttle runs the very writer and maker, and decides at each lock, queue, atomic and disk call who goes on. The law
//! behind each test is the same: at the moment a ticket hears `Ok`, the power may go and the record is there.
//!
//! ```text
//! cargo test --features shuttle --test concurrency                                        the short form
//! RESTOCKD_SCHEDULES=100000 cargo test --release --features shuttle --test concurrency    the long form
//! ```
//!
//! A failing schedule is printed by shuttle, and `shuttle::replay` plays it again.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;

use restockd_journal::disk::{Disk, DiskFile, Stat};
use restockd_journal::wal::{Log, Lost, Lsn, MIN_SEGMENT_BYTES, Options, Record, recover};
use restockd_testkit::disk::{DiskFault, Op, SimDisk};
use shuttle::sync::Mutex;
use shuttle::thread;

fn options() -> Options {
    Options { segment_bytes: MIN_SEGMENT_BYTES, ..Options::new("/data/wal", *b"engine-for-tests") }
}

/// How many schedules each test tries.
fn schedules() -> usize {
    std::env::var("RESTOCKD_SCHEDULES").map_or(300, |text| text.parse().unwrap())
}

/// Half of them at random, half with few, well placed switches.
fn check(test: impl Fn() + Send + Sync + Copy + 'static) {
    shuttle::check_random(test, schedules().div_ceil(2));
    shuttle::check_pct(test, schedules().div_ceil(2), 3);
}

/// A disk at each of whose calls another thread may go on.
struct Switching(SimDisk);

struct SwitchingFile(Box<dyn DiskFile>);

fn switch<T>(call: impl FnOnce() -> T) -> T {
    thread::yield_now();
    call()
}

impl Disk for Switching {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        switch(|| Ok(Box::new(SwitchingFile(self.0.create(path)?)) as Box<dyn DiskFile>))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        switch(|| Ok(Box::new(SwitchingFile(self.0.open(path)?)) as Box<dyn DiskFile>))
    }

    fn open_to_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.0.open_to_read(path)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.0.read(path)
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        self.0.stat(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.0.list(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        switch(|| self.0.rename(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        switch(|| self.0.remove(path))
    }

    fn make_dir(&self, dir: &Path) -> io::Result<()> {
        self.0.make_dir(dir)
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.0.create_dir(dir)
    }

    fn remove_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.0.remove_dir_all(dir)
    }

    fn make_private(&self, dir: &Path) -> io::Result<()> {
        self.0.make_private(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        switch(|| self.0.sync_dir(dir))
    }

    fn sync_fs(&self, dir: &Path) -> io::Result<()> {
        self.0.sync_fs(dir)
    }

    fn free(&self, dir: &Path) -> io::Result<u64> {
        self.0.free(dir)
    }

    fn is_machine(&self) -> bool {
        false
    }
}

impl DiskFile for SwitchingFile {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        switch(|| self.0.write_at(offset, bytes))
    }

    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.0.read_at(offset, into)
    }

    fn read_some_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        self.0.read_some_at(offset, into)
    }

    fn forget_cache(&mut self) {}

    fn sync_data(&mut self) -> io::Result<()> {
        switch(|| self.0.sync_data())
    }

    fn sync_all(&mut self) -> io::Result<()> {
        switch(|| self.0.sync_all())
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn len(&mut self) -> io::Result<u64> {
        self.0.len()
    }
}

/// What the ticket of a byte heard.
type Heard = (u8, Result<Lsn, Lost>);

/// A log on a disk, and what its tickets heard.
#[derive(Clone)]
struct Bench {
    sim: SimDisk,
    log: Log,
    heard: Arc<Mutex<Vec<Heard>>>,
    poisons: Arc<Mutex<u32>>,
}

impl Bench {
    fn new() -> Self {
        let sim = SimDisk::new(shuttle::rand::Rng::r#gen(&mut shuttle::rand::thread_rng()));
        let disk: Arc<dyn Disk> = Arc::new(Switching(sim.clone()));
        let recovered = recover(&disk, &options(), 1, 0, &mut |_, _| Ok(())).unwrap();
        let poisons = Arc::new(Mutex::new(0));
        let count = Arc::clone(&poisons);
        let poisoned = Box::new(move |_: &_| *count.lock().unwrap() += 1);
        let log = Log::start(disk, options(), &recovered, poisoned).unwrap();
        Self { sim, log, heard: Arc::default(), poisons }
    }

    /// The ticket of what carries this byte: once it hears `Ok`, the power may go.
    fn ticket(&self, byte: u8) -> restockd_journal::wal::Ticket {
        let (sim, heard) = (self.sim.clone(), Arc::clone(&self.heard));
        Box::new(move |outcome| {
            if outcome.is_ok() {
                assert!(on_disk(&sim).contains(&byte), "{byte} was promised and is not on the disk");
            }
            heard.lock().unwrap().push((byte, outcome));
        })
    }

    fn append(&self, byte: u8) {
        self.log.append(Record { kind: 7, version: 1, bytes: vec![byte; 40] }, self.ticket(byte));
    }

    /// How often each was answered.
    fn answers(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }
}

/// What would be there if the power went now.
fn on_disk(sim: &SimDisk) -> BTreeSet<u8> {
    let twin = sim.fork(9);
    twin.crash();
    let twin: Arc<dyn Disk> = Arc::new(twin);
    let mut seen = BTreeSet::new();
    recover(&twin, &options(), 1, 0, &mut |_, record| {
        seen.insert(record.bytes[0]);
        Ok(())
    })
    .unwrap();
    seen
}

/// Runs the work of each thread and waits for all.
fn together(works: Vec<Box<dyn FnOnce() + Send>>) {
    let threads: Vec<_> = works.into_iter().map(|work| thread::spawn(work)).collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn what_a_ticket_promises_is_on_the_disk_and_numbers_have_no_gap() {
    check(|| {
        let bench = Bench::new();
        let work = |first: u8| {
            let bench = bench.clone();
            Box::new(move || (first..first + 3).for_each(|byte| bench.append(byte)))
                as Box<dyn FnOnce() + Send>
        };
        together(vec![work(1), work(11), work(21)]);
        bench.log.close();
        let answers = bench.answers();
        let numbers: BTreeSet<Lsn> = answers.iter().map(|(_, outcome)| outcome.unwrap()).collect();
        assert_eq!(numbers, (1..=9).collect());
        // What one thread appended keeps its order.
        for first in [1, 11, 21] {
            let of: Vec<Lsn> = (first..first + 3)
                .map(|byte| answers.iter().find(|(b, _)| *b == byte).unwrap().1.unwrap())
                .collect();
            assert!(of.is_sorted(), "{of:?}");
        }
    });
}

#[test]
fn a_duplicate_is_answered_behind_its_original() {
    check(|| {
        let bench = Bench::new();
        // What an actor does: the first of a key is recorded, all others wait behind it.
        let seen = Arc::new(Mutex::new(BTreeSet::new()));
        let work = || {
            let (bench, seen) = (bench.clone(), Arc::clone(&seen));
            Box::new(move || {
                for byte in [5, 6] {
                    let mut seen = seen.lock().unwrap();
                    if seen.insert(byte) {
                        bench.append(byte);
                    } else {
                        bench.log.barrier_at_once(bench.ticket(byte));
                    }
                }
            }) as Box<dyn FnOnce() + Send>
        };
        together(vec![work(), work(), work()]);
        bench.log.close();
        assert_eq!(bench.answers().len(), 6);
        assert_eq!(bench.log.stats().records, 2);
    });
}

#[test]
fn after_a_failed_sync_nothing_more_is_promised_and_every_ticket_hears_it() {
    check(|| {
        let bench = Bench::new();
        let nth = 1 + shuttle::rand::Rng::gen_range(&mut shuttle::rand::thread_rng(), 0..4);
        let op = [Op::Sync, Op::Write][nth as usize % 2];
        bench.sim.fail(op, ".wal", nth, DiskFault::Broken);
        let work = |first: u8| {
            let bench = bench.clone();
            Box::new(move || {
                (first..first + 3).for_each(|byte| bench.append(byte));
                bench.log.barrier_at_once(bench.ticket(first));
            }) as Box<dyn FnOnce() + Send>
        };
        together(vec![work(1), work(11)]);
        bench.log.close();
        let answers = bench.answers();
        assert_eq!(answers.len(), 8, "{answers:?}");
        let failed = answers.iter().any(|(_, outcome)| outcome.is_err());
        assert_eq!(*bench.poisons.lock().unwrap(), u32::from(bench.log.poisoned()));
        assert_eq!(failed, bench.log.poisoned());
        // Promises come before the first failure, in the order of the tickets.
        let oks = answers.iter().take_while(|(_, outcome)| outcome.is_ok()).count();
        assert!(answers[oks..].iter().all(|(_, outcome)| outcome.is_err()), "{answers:?}");
    });
}

#[test]
fn a_close_that_crosses_appends_answers_each_ticket_once() {
    check(|| {
        let bench = Bench::new();
        let appends = bench.clone();
        let closes = bench.clone();
        together(vec![
            Box::new(move || (1..4).for_each(|byte| appends.append(byte))),
            Box::new(move || closes.log.close()),
        ]);
        bench.log.close();
        bench.append(9);
        let answers = bench.answers();
        let bytes: BTreeSet<u8> = answers.iter().map(|(byte, _)| *byte).collect();
        assert_eq!((answers.len(), bytes.len()), (4, 4), "{answers:?}");
        assert!(answers.contains(&(9, Err(Lost::Ended))));
    });
}

#[test]
fn seals_and_trims_that_cross_appends_lose_nothing() {
    check(|| {
        let bench = Bench::new();
        let (appends, seals) = (bench.clone(), bench.clone());
        together(vec![
            Box::new(move || (1..5).for_each(|byte| appends.append(byte))),
            Box::new(move || {
                for _ in 0..2 {
                    seals.log.seal(Box::new(|outcome| assert!(outcome.is_ok())));
                    // Nothing below the first record may go.
                    seals.log.trim(1);
                }
            }),
        ]);
        bench.log.close();
        assert_eq!(bench.answers().iter().filter(|(_, outcome)| outcome.is_ok()).count(), 4);
        assert_eq!(on_disk(&bench.sim), (1..5).collect());
    });
}
