//! A log of up to a hundred thousand records read back: verified, decoded, and applied as at a start.
//!
//! A press is four records, one of the directory and one of each of its three lists. Items are records. The file is in the
//! page cache, as after a crash of the process.

use std::sync::Arc;

use divan::Bencher;
use divan::counter::ItemsCount;
use restockd_core::Retry;
use restockd_core::campaign::Campaigns;
use restockd_core::directory::Directory;
use restockd_engine::recovery::recover;
use restockd_engine::token::Secrets;
use restockd_journal::disk::{Disk, RealDisk};
use restockd_journal::snapshots::{Backend, Generations};
use restockd_journal::wal::{self, RecordRef};
use restockd_testkit::shop::{Pen, Shop, Size, options, secrets, snapshots};
use tempfile::TempDir;

use crate::size;

/// A data directory with such a log.
struct Place {
    dir: TempDir,
    disk: Arc<dyn Disk>,
    secrets: Secrets,
    records: usize,
}

impl Place {
    fn new(records: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let secrets = secrets(dir.path());
        let size = Size { people: records / 4, lists: records / 40, bag: 3, one_in: 0 };
        let (mut shop, mut pen) = (Shop::new(size, &secrets), Pen::new(dir.path(), &secrets));
        (0..size.people).for_each(|p| shop.press(p, &mut |record| pen.write(record)));
        pen.close();
        Self { dir, disk: Arc::new(RealDisk), secrets, records }
    }

    fn items(&self) -> ItemsCount {
        ItemsCount::new(self.records)
    }

    /// Reads the log and hands each record on; returns how many there were.
    fn read(&self, mut take: impl FnMut(&RecordRef<'_>)) -> u64 {
        let options = options(self.dir.path(), &self.secrets);
        let read = wal::recover(&self.disk, &options, 1, 0, &mut |_, record| {
            take(record);
            Ok(())
        });
        read.unwrap().delivered
    }
}

/// Numbers of records. The short log shows what a start costs in any case: the file system is synced first, and a segment
/// has its length however little is in it.
fn records() -> [usize; 2] {
    size([400, 100_000], [40, 400])
}

/// Read and verified.
#[divan::bench(args = records(), sample_count = 10, sample_size = 1, max_time = 3)]
fn read(bencher: Bencher<'_, '_>, records: usize) {
    let place = Place::new(records);
    assert_eq!(place.read(|_| ()), place.records as u64);
    bencher.counter(place.items()).bench_local(|| place.read(|_| ()));
}

/// Also decoded.
#[divan::bench(args = records(), sample_count = 10, sample_size = 1, max_time = 3)]
fn decode(bencher: Bencher<'_, '_>, records: usize) {
    let place = Place::new(records);
    bencher.counter(place.items()).bench_local(|| {
        place
            .read(|it| drop(divan::black_box(restockd_records::read(it.kind, it.version, it.bytes).unwrap())))
    });
}

/// Also applied: the machines as they were.
#[divan::bench(args = records(), sample_count = 10, sample_size = 1, max_time = 5)]
fn machines(bencher: Bencher<'_, '_>, records: usize) {
    let place = Place::new(records);
    let (path, engine) = (snapshots(place.dir.path()), place.secrets.engine);
    let generations = Generations::open(Arc::clone(&place.disk), path, engine, Backend::Sled).unwrap();
    let options = options(place.dir.path(), &place.secrets);
    bencher
        .counter(place.items())
        .with_inputs(|| Directory::new(place.secrets.seed(), 20_000_000))
        .bench_local_values(|directory| {
            let campaigns = Campaigns::new(None, Retry::default());
            recover(&place.disk, &options, &generations, directory, campaigns, None).unwrap()
        });
}
