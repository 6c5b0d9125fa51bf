//! A real full disk: a small file system in memory. Mounting takes root, so the file is part of the tests
//! only with the feature `root-tests`.

use std::fs;
use std::path::Path;
use std::process::Command;

use restockd_journal::snapshots::{Backend, Generations, LoadOutcome, StoreError};

use super::{BOTH, ENGINE, load, loads, meta, pages, real, round};

struct Mount(tempfile::TempDir);

impl Mount {
    fn new(size: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let size = format!("size={size}");
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(dir.path()).status();
        assert!(mount.unwrap().success(), "could not mount");
        Self(dir)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

/// Puts pages until something says no; never more than the disk could hold.
fn fill(store: &Generations) -> StoreError {
    let mut building = match store.begin() {
        Ok(building) => building,
        Err(error) => return error,
    };
    for n in 0..2_000_u32 {
        let value: Vec<u8> = (0..32_768_u32).map(|at| (at ^ n) as u8).collect();
        if let Err(error) = building.put(&n.to_be_bytes(), &value) {
            return error;
        }
    }
    building.seal(meta(99)).map(|_| ()).expect_err("64 MiB and a copy on a smaller disk")
}

#[test]
fn a_disk_full_while_building_is_said_so_and_leaves_no_trace() {
    for backend in BOTH {
        for size in ["103m", "109m", "118m", "134m", "155m"] {
            let mount = Mount::new(size);
            let dir = mount.path().join("snapshots");
            let store = Generations::open(real(), dir.clone(), ENGINE, backend).unwrap();
            round(&store, 10, &pages(1));
            for _ in 0..2 {
                let error = fill(&store);
                assert!(matches!(error, StoreError::NoSpace { .. }), "{backend:?} {size}: {error}");
                assert_eq!(fs::read_dir(&dir).unwrap().count(), 2, "{backend:?} {size}");
            }
            round(&store, 20, &pages(2));
            loads(&store, 2, &pages(2));
        }
    }
}

#[test]
fn a_load_without_room_for_the_copy_says_so_and_blames_no_snapshot() {
    let mount = Mount::new("120m");
    let dir = mount.path().join("snapshots");
    let store = Generations::open(real(), dir, ENGINE, Backend::Sled).unwrap();
    round(&store, 10, &pages(1));
    let ballast = mount.path().join("ballast");
    let _ = fs::write(&ballast, vec![0; 128 << 20]);
    assert!(matches!(load(&store).0, Err(StoreError::NoSpace { .. })));
    assert!(matches!(store.begin().map(|_| ()), Err(StoreError::NoSpace { .. })));
    fs::remove_file(ballast).unwrap();
    assert!(matches!(load(&store).0, Ok(LoadOutcome::Generation { older: false, .. })));
}
