//! An engine that has ended lets its data directory go: nothing of it is at work there any more.

use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use parking_lot::{Condvar, Mutex};
use restockd_journal::disk::{Disk, DiskFile, RealDisk, Stat};
use restockd_testkit::app::Plan;
use tokio::sync::Notify;

use crate::helpers::engine_on;

/// The machine's disk, but files of a snapshot under way are made only when the test lets them.
#[derive(Default)]
struct SlowSnapshots {
    held: Mutex<bool>,
    let_go: Condvar,
    reached: Notify,
}

impl SlowSnapshots {
    fn hold(&self) {
        *self.held.lock() = true;
    }

    fn let_go(&self) {
        *self.held.lock() = false;
        self.let_go.notify_all();
    }
}

/// A handle that an engine can own.
struct Slow(Arc<SlowSnapshots>);

impl Disk for Slow {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        if path.to_string_lossy().contains(".building") {
            let mut held = self.0.held.lock();
            while *held {
                self.0.reached.notify_one();
                self.0.let_go.wait(&mut held);
            }
        }
        RealDisk.create(path)
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        RealDisk.open(path)
    }
    fn open_to_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        RealDisk.open_to_read(path)
    }
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        RealDisk.read(path)
    }
    fn stat(&self, path: &Path) -> io::Result<Stat> {
        RealDisk.stat(path)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        RealDisk.list(dir)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }
    fn make_dir(&self, dir: &Path) -> io::Result<()> {
        RealDisk.make_dir(dir)
    }
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        RealDisk.create_dir(dir)
    }
    fn remove_dir_all(&self, dir: &Path) -> io::Result<()> {
        RealDisk.remove_dir_all(dir)
    }
    fn make_private(&self, dir: &Path) -> io::Result<()> {
        RealDisk.make_private(dir)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        RealDisk.sync_dir(dir)
    }
    fn sync_fs(&self, dir: &Path) -> io::Result<()> {
        RealDisk.sync_fs(dir)
    }
    fn free(&self, dir: &Path) -> io::Result<u64> {
        RealDisk.free(dir)
    }
    fn is_machine(&self) -> bool {
        RealDisk.is_machine()
    }
}

/// Looks once whether something is over.
async fn is_over<T>(what: &mut Pin<Box<impl Future<Output = T>>>) -> bool {
    std::future::poll_fn(|context| Poll::Ready(what.as_mut().poll(context).is_ready())).await
}

#[test]
fn a_crash_is_over_only_when_a_snapshot_under_way_has_let_the_directory_go() {
    // One thread for what blocks: whatever was given to it before is done when it has done the next.
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.max_blocking_threads(1).enable_all().build().unwrap().block_on(async {
        let (plan, disk) = (Plan::new(), Arc::new(SlowSnapshots::default()));
        let data = plan.data();
        let (engine, _) = engine_on(&plan, Arc::new(Slow(Arc::clone(&disk))), data.clone()).await;
        disk.hold();
        let round = tokio::spawn({
            let engine = engine.clone();
            async move { engine.snapshot().await }
        });
        disk.reached.notified().await;
        engine.kill();
        let mut crash = Box::pin(engine.abandon());
        assert!(!is_over(&mut crash).await);
        tokio::task::spawn_blocking(|| ()).await.unwrap();
        // The log is closed by now.
        assert!(!is_over(&mut crash).await, "the directory is free while a snapshot is written in it");
        disk.let_go();
        crash.await;
        assert!(round.await.unwrap().is_err());
        let left = RealDisk.list(&data.join("snapshots")).unwrap();
        assert!(left.is_empty(), "the round was undone before the crash was over: {left:?}");
        let (next, _) = engine_on(&plan, Arc::new(RealDisk), data).await;
        next.stop().await;
    });
}
