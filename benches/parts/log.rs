//! The log: a record encoded and decoded, and batches appended until the sync that covers them.
//!
//! `frame` moves the log by hand, so that a batch is exactly one write and one sync; `acknowledged` is the running log, whose
//! writer takes whatever has queued up: a batch of many callers at once becomes one frame or two.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use restockd_core::directory::{Directory, DirectoryEvent};
use restockd_core::list::{ChangeSource, ListEvent};
use restockd_core::{Catalog, ListId, PersonId};
use restockd_journal::disk::{Disk, RealDisk};
use restockd_journal::wal::{self, Log, Options, Record};
use restockd_records::{Encoded, Stamp};
use tempfile::TempDir;

use crate::directory::{key, press};
use crate::{NOON, size};

/// Records in a batch.
const BATCHES: [usize; 6] = [1, 8, 64, 256, 1024, 4096];
const STAMP: Stamp = Stamp { seq: 123_456, at: NOON };

/// The directory's record of a press.
fn pressed() -> DirectoryEvent {
    let directory = Directory::new(7, 1000);
    let decision = directory.decide(&press(7, true, key(7)), &Catalog::default(), NOON).unwrap();
    decision.events.into_iter().next().unwrap()
}

/// A list's record of a join.
fn joined() -> (ListId, ListEvent) {
    let (person, ordinal, changed, source) = (PersonId(123_456), 1234, NOON, ChangeSource::Event);
    let event = ListEvent::Joined { event: 123_456, person, ordinal, changed, source };
    (ListId::parse("restock-sku-0007").unwrap(), event)
}

#[divan::bench(max_time = 0.5)]
fn encode_press(bencher: Bencher<'_, '_>) {
    let event = pressed();
    bencher.bench(|| restockd_records::of_directory(black_box(STAMP), black_box(&event)));
}

#[divan::bench(max_time = 0.5)]
fn encode_join(bencher: Bencher<'_, '_>) {
    let (id, event) = joined();
    bencher.bench(|| restockd_records::of_list(black_box(STAMP), black_box(&id), black_box(&event)));
}

#[divan::bench(max_time = 0.5)]
fn decode_press(bencher: Bencher<'_, '_>) {
    let Encoded { kind, version, bytes } = restockd_records::of_directory(STAMP, &pressed());
    bencher.bench(|| restockd_records::read(kind, version, black_box(&bytes)).unwrap());
}

fn disk() -> (TempDir, Arc<dyn Disk>, Options, wal::LogRecovery) {
    let dir = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let segment_bytes = size(wal::DEFAULT_SEGMENT_BYTES, 1 << 20);
    let options = Options { segment_bytes, ..Options::new(dir.path().join("wal"), *b"engine-for-bench") };
    let read = wal::recover(&disk, &options, 1, 0, &mut |_, _| Ok(())).unwrap();
    (dir, disk, options, read)
}

fn batch(records: usize) -> Vec<Record> {
    let Encoded { kind, version, bytes } = restockd_records::of_directory(STAMP, &pressed());
    vec![Record { kind, version, bytes }; records]
}

/// One frame, written and synced on this thread.
#[divan::bench(args = BATCHES, sample_count = 100, sample_size = 1, max_time = 2)]
fn frame(bencher: Bencher<'_, '_>, records: usize) {
    let (_dir, disk, options, read) = disk();
    let age = Box::new(|| Duration::ZERO);
    let (log, mut stepper) = Log::manual(disk, &options, &read, age, Box::new(|_| ())).unwrap();
    let told = Arc::new(AtomicUsize::new(0));
    let mut write = |records: Vec<Record>| {
        let before = told.load(Ordering::Relaxed) + records.len();
        for record in records {
            let told = Arc::clone(&told);
            let ticket = move |result: Result<_, _>| {
                told.fetch_add(usize::from(result.is_ok()), Ordering::Relaxed);
            };
            log.append(record, Box::new(ticket));
        }
        assert!(stepper.write(4096));
        assert_eq!(told.load(Ordering::Relaxed), before, "one frame held them all");
    };
    // The first write makes the segment, the second the spare one behind it.
    write(batch(1));
    write(batch(1));
    bencher.counter(ItemsCount::new(records)).with_inputs(|| batch(records)).bench_local_values(&mut write);
}

/// So many records at once into the running log, until the last ticket is done.
#[divan::bench(args = BATCHES, sample_count = 100, sample_size = 1, max_time = 2)]
fn acknowledged(bencher: Bencher<'_, '_>, records: usize) {
    let (_dir, disk, options, read) = disk();
    let log = Log::start(disk, options, &read, Box::new(|_| ())).unwrap();
    let (told, durable) = mpsc::channel();
    let write = |records: Vec<Record>| {
        let count = records.len();
        for record in records {
            let told = told.clone();
            log.append(record, Box::new(move |result| told.send(result.is_ok()).unwrap()));
        }
        assert!(durable.iter().take(count).all(|good| good));
    };
    write(batch(1)); // which waits for the segment
    bencher.counter(ItemsCount::new(records)).with_inputs(|| batch(records)).bench_local_values(write);
    log.close();
}
