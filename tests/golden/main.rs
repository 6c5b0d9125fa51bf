//! What was released stays readable: data directories that earlier versions wrote are kept here, and every build opens
//! them and finds in them what their written account says.
//!
//! ```text
//! tests/golden/<version>/<backend>/data    a data directory: secrets, log, snapshots
//! tests/golden/<version>/<backend>/account what is in it, in words that no build changes
//! ```
//!
//! One is made for each release, and whenever a kind of record gets a new version:
//!
//!     RESTOCKD_GOLDEN=0.2.0 cargo test --test golden make
//!
//! A kept directory is never made again: the bytes in it are the promise.
#![allow(clippy::unwrap_used)]

mod account;
mod make;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use restockd_core::Retry;
use restockd_core::campaign::Campaigns;
use restockd_core::directory::Directory;
use restockd_engine::recovery::{self, RecoveredState};
use restockd_journal::disk::{Disk, RealDisk};
use restockd_journal::snapshots::{Backend, Generations};
use restockd_journal::wal;
use restockd_records::{Kind, KindOwner};
use restockd_testkit::process::copy_dir as copy;

/// Where the kept ones lie.
fn kept() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// Every kept directory, with the name of its version and backend.
fn all() -> Vec<PathBuf> {
    let inside = |dir: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.is_dir()).collect()
    };
    let mut all: Vec<PathBuf> = inside(&kept()).iter().flat_map(|version| inside(version)).collect();
    all.sort();
    assert!(!all.is_empty(), "nothing is kept");
    all
}

/// Reads a data directory as a start does.
fn open(data: &Path) -> RecoveredState {
    let secrets = restockd::boot::secrets(data).unwrap();
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let options = make::options(data, &secrets);
    let generations =
        Generations::open(Arc::clone(&disk), data.join("snapshots"), secrets.engine, Backend::default())
            .unwrap();
    let directory = Directory::new(secrets.seed(), 1000);
    let campaigns = Campaigns::new(None, Retry::default());
    recovery::recover(&disk, &options, &generations, directory, campaigns, None).unwrap()
}

#[test]
fn every_kept_directory_opens_with_everything_in_it() {
    for kept in all() {
        let account = std::fs::read_to_string(kept.join("account")).unwrap();
        let place = tempfile::tempdir().unwrap();
        let data = place.path().join("data");
        copy(&kept.join("data"), &data);
        let found = open(&data);
        assert!(found.problems.is_empty(), "{}: {:?}", kept.display(), found.problems);
        assert_eq!(account::of(&found), account, "{}", kept.display());
        // Opened once more: a start that mends its tail changes nothing of it.
        assert_eq!(account::of(&open(&data)), account, "{}", kept.display());
    }
}

#[test]
fn every_kept_directory_is_sound_to_check() {
    for kept in all() {
        let place = tempfile::tempdir().unwrap();
        let data = place.path().join("data");
        copy(&kept.join("data"), &data);
        let mut check = Command::new(env!("CARGO_BIN_EXE_restockd"));
        let out = check.args(["check", "--accept-clock", "--data"]).arg(&data).env_clear().output().unwrap();
        let said = String::from_utf8([out.stdout, out.stderr].concat()).unwrap();
        assert!(out.status.success() && said.contains("sound"), "{}: {said}", kept.display());
    }
}

#[test]
fn a_kind_of_record_in_its_newest_version_stands_in_a_kept_log() {
    let mut seen = BTreeSet::new();
    for kept in all() {
        let data = kept.join("data");
        let secrets = std::fs::read_to_string(data.join("secrets")).unwrap();
        let secrets = restockd_engine::token::Secrets::parse(&secrets).unwrap();
        wal::salvage(&RealDisk, &make::options(&data, &secrets), &mut |_, record| {
            seen.insert((record.kind, record.version));
        })
        .unwrap();
    }
    for kind in Kind::ALL.iter().filter(|kind| kind.owner() != KindOwner::Page) {
        let name = kind.name();
        assert!(
            seen.contains(&(*kind as u8, kind.version())),
            "{name} of version {} stands in no kept directory: make one for this version",
            kind.version()
        );
    }
}

#[test]
fn a_kind_of_page_in_its_newest_version_stands_in_a_kept_snapshot() {
    let mut seen = BTreeSet::new();
    for kept in all() {
        let place = tempfile::tempdir().unwrap();
        let data = place.path().join("data");
        copy(&kept.join("data"), &data);
        let engine = restockd::boot::secrets(&data).unwrap().engine;
        let snapshots = data.join("snapshots");
        let generations =
            Generations::open(Arc::new(RealDisk), snapshots, engine, Backend::default()).unwrap();
        let mut note = |_: &[u8], page: &[u8]| {
            seen.insert((page[0], page[1]));
            Ok(())
        };
        generations.load(&mut note).unwrap();
    }
    for kind in Kind::ALL.iter().filter(|kind| kind.owner() == KindOwner::Page) {
        let name = kind.name();
        assert!(seen.contains(&(*kind as u8, kind.version())), "{name} stands in no kept snapshot");
    }
}

#[test]
fn make_a_directory_of_this_version_where_one_is_asked_for() {
    let Some(version) = std::env::var_os("RESTOCKD_GOLDEN") else {
        // Nothing is asked for: what would be made opens as it says.
        let place = tempfile::tempdir().unwrap();
        for backend in [Backend::Flat, Backend::Sled] {
            let data = place.path().join(backend.name());
            make::make(&data, backend);
            let account = account::of(&open(&data));
            assert!(account.lines().count() > 40, "{account}");
        }
        return;
    };
    for backend in [Backend::Flat, Backend::Sled] {
        let place = kept().join(&version).join(backend.name());
        assert!(!place.exists(), "{} is kept already and never made again", place.display());
        make::make(&place.join("data"), backend);
        std::fs::write(place.join("account"), account::of(&open(&place.join("data")))).unwrap();
    }
}
