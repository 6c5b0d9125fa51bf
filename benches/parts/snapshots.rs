//! Generations of a hundred thousand memberships: packed into pages, written until they are committed, loaded, and turned
//! back into machines.
//!
//! Each shopper is on three lists and each list has thirty members; all lists are at rest. Items are memberships.

use std::sync::Arc;

use divan::Bencher;
use divan::counter::ItemsCount;
use restockd_core::Retry;
use restockd_core::campaign::Campaigns;
use restockd_core::directory::Directory;
use restockd_engine::recovery::{RecoveredState, recover};
use restockd_engine::token::Secrets;
use restockd_journal::disk::{Disk, RealDisk};
use restockd_journal::snapshots::{Backend, Generations, LoadOutcome, Meta};
use restockd_records::page::{PageWriter, Portion};
use restockd_testkit::shop::{Shop, Size, options, secrets, snapshots};
use tempfile::TempDir;

use crate::{NOON, size};

const BACKENDS: [&str; 2] = ["flat", "sled"];

/// A data directory with one generation.
struct Place {
    dir: TempDir,
    secrets: Secrets,
    generations: Generations,
    memberships: usize,
}

impl Place {
    fn new(backend: &str) -> Self {
        let backend = if backend == "flat" { Backend::Flat } else { Backend::Sled };
        let memberships = size(100_000, 300);
        let dir = tempfile::tempdir().unwrap();
        let secrets = secrets(dir.path());
        let size = Size { people: memberships / 3, lists: memberships / 30, bag: 3, one_in: 0 };
        let mut shop = Shop::new(size, &secrets);
        (0..size.people).for_each(|p| shop.press(p, &mut drop));
        shop.snapshot(dir.path(), &secrets, backend);
        let path = snapshots(dir.path());
        let generations = Generations::open(Arc::new(RealDisk), path, secrets.engine, backend).unwrap();
        Self { dir, secrets, generations, memberships: size.memberships() }
    }

    fn items(&self) -> ItemsCount {
        ItemsCount::new(self.memberships)
    }

    fn recover(&self) -> RecoveredState {
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let options = options(self.dir.path(), &self.secrets);
        let directory = Directory::new(self.secrets.seed(), 20_000_000);
        let campaigns = Campaigns::new(None, Retry::default());
        recover(&disk, &options, &self.generations, directory, campaigns, None).unwrap()
    }
}

/// Hands all pages to `put`.
fn pages<E: std::fmt::Debug>(found: &RecoveredState, put: impl FnMut(&[u8], &[u8]) -> Result<(), E>) {
    let mut pages = PageWriter::new(put);
    pages.write(Portion::Directory(found.directory.image())).unwrap();
    pages.write(Portion::Campaigns(found.campaigns.image())).unwrap();
    pages.write(Portion::Resting(found.lists.clone())).unwrap();
    pages.finish().unwrap();
}

/// Only packs the pages, and drops them.
#[divan::bench(sample_count = 20, sample_size = 1, max_time = 2)]
fn pack(bencher: Bencher<'_, '_>) {
    let place = Place::new("flat");
    let found = place.recover();
    bencher.counter(place.items()).bench_local(|| {
        let mut bytes = 0;
        pages(&found, |key, value| {
            bytes += key.len() + value.len();
            Ok::<_, ()>(())
        });
        bytes
    });
}

/// A whole generation: packed, written, sealed, read back, committed.
#[divan::bench(args = BACKENDS, sample_count = 10, sample_size = 1, max_time = 4)]
fn write(bencher: Bencher<'_, '_>, backend: &str) {
    let place = Place::new(backend);
    let found = place.recover();
    bencher.counter(place.items()).bench_local(|| {
        let mut building = place.generations.begin().unwrap();
        pages(&found, |key, value| building.put(key, value));
        let engine = place.secrets.engine;
        let meta = Meta { engine, replay_from: 1, durable: 0, made_ms: NOON.0, counts: Vec::new() };
        building.seal(meta).unwrap().commit().unwrap()
    });
}

/// A generation verified and read page by page.
#[divan::bench(args = BACKENDS, sample_count = 10, sample_size = 1, max_time = 4)]
fn load(bencher: Bencher<'_, '_>, backend: &str) {
    let place = Place::new(backend);
    bencher.counter(place.items()).bench_local(|| {
        let mut bytes = 0;
        let taken = place.generations.load(&mut |key, value| {
            bytes += key.len() + value.len();
            Ok(())
        });
        assert!(matches!(taken, Ok(LoadOutcome::Generation { older: false, .. })));
        bytes
    });
}

/// The machines from a generation, as at a start after a clean stop.
#[divan::bench(args = BACKENDS, sample_count = 10, sample_size = 1, max_time = 4)]
fn machines(bencher: Bencher<'_, '_>, backend: &str) {
    let place = Place::new(backend);
    bencher.counter(place.items()).bench_local(|| place.recover());
}
