//! The disk that all peers write to, and how fast it is by itself.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a bench may panic")]

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A new directory on a real disk; another user may enter it but not list it.
pub fn directory() -> TempDir {
    let given = std::env::var_os("RESTOCKD_DATA").map(PathBuf::from);
    let place = given.unwrap_or_else(|| env!("CARGO_TARGET_TMPDIR").into());
    fs::create_dir_all(&place).unwrap();
    let place = place.canonicalize().unwrap();
    let kind = rustix::fs::statfs(&place).unwrap().f_type;
    let memory = [0x0102_1994, 0x8584_58f6].contains(&(kind as u32));
    assert!(!memory, "{} lies in memory; set RESTOCKD_DATA to a directory on a disk", place.display());
    let dir = tempfile::Builder::new().prefix("peers").tempdir_in(place).unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o711)).unwrap();
    dir
}

/// How many appends of 4 KiB, each synced, fit into a second.
pub fn syncs_per_second(dir: &Path) -> f64 {
    let path = dir.join("syncs");
    let (mut file, block) = (File::create(&path).unwrap(), [7; 4096]);
    let (start, mut syncs) = (Instant::now(), 0);
    while start.elapsed() < Duration::from_secs(1) {
        file.write_all(&block).unwrap();
        file.sync_data().unwrap();
        syncs += 1;
    }
    let took = start.elapsed();
    fs::remove_file(path).unwrap();
    f64::from(syncs) / took.as_secs_f64()
}

/// Writes out everything that waits for this file system.
pub fn flush(dir: &Path) {
    rustix::fs::syncfs(File::open(dir).unwrap()).unwrap();
}
