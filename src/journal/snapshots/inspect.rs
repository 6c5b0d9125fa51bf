//! What is in the directory of the snapshots, without changing it.
//!
//! ```text
//! View     names only: CURRENT, the numbers of the generations, the debris      begin, commit, open
//! glance   a generation's manifest, its chain to CURRENT, its files' lengths    replay_floor, commit, load
//! list     glance, and the SHA-256 of every file                                `restockd check`
//! ```
//!
//! If `CURRENT` is whole, a generation that it does not name does not count. If it is damaged or missing, all
//! generations count, the newest first, since each was read back whole before it got its name.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;

use super::digest::Hash;
use super::error::StoreError;
use super::files;
use super::generations::{Inner, Name};
use super::manifest::{self, Manifest, Meta};
use super::pointer::{self, CurrentPointer, Named};
use crate::disk::Disk;

/// What `CURRENT` says about a generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It is the newest one.
    Newest,
    /// It is the one before.
    Previous,
    /// `CURRENT` does not name it or is damaged; a crash may have left it behind.
    Unnamed,
}

/// A generation as it is on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenerationInfo {
    pub number: u64,
    pub role: Role,
    /// What the engine said about it; `None` if its manifest is damaged.
    pub meta: Option<Meta>,
    /// How many pages it holds.
    pub pages: u64,
    /// The bytes in its files, without the manifest.
    pub bytes: u64,
    /// What is wrong with it, naming the file; `None` if every file is as it was written.
    pub damage: Option<String>,
    /// If a newer restockd wrote it: a sentence with the two versions. Then nothing is damaged.
    pub newer: Option<String>,
}

/// The names in the directory.
pub(super) struct View {
    pub(super) current: Result<Option<CurrentPointer>, StoreError>,
    pub(super) numbers: BTreeSet<u64>,
    pub(super) debris: Vec<String>,
    highest: u64,
}

impl View {
    pub(super) fn read(disk: &dyn Disk, dir: &Path) -> Result<Self, StoreError> {
        let (mut numbers, mut debris, mut highest) = (BTreeSet::new(), Vec::new(), 0);
        for name in disk.list(dir).map_err(|e| StoreError::io("list", dir, e))? {
            match Name::parse(&name) {
                Some(Name::Generation(number)) => {
                    numbers.insert(number);
                    highest = highest.max(number);
                }
                Some(Name::Debris(number)) => {
                    debris.push(name);
                    highest = highest.max(number);
                }
                None => {}
            }
        }
        let current = CurrentPointer::read(disk, dir);
        if let Ok(Some(current)) = &current {
            highest = current.named().fold(highest, |highest, named| highest.max(named.number));
        }
        Ok(Self { current, numbers, debris, highest })
    }

    /// Refuses a `CURRENT` of a newer restockd, since it is not known which generations count.
    pub(super) fn refuse_newer(&self) -> Result<(), StoreError> {
        match &self.current {
            Err(StoreError::Version { path, found, read }) if found > read => {
                Err(StoreError::Version { path: path.clone(), found: *found, read: *read })
            }
            _ => Ok(()),
        }
    }

    /// A number above all that are in use.
    pub(super) fn next_number(&self) -> Result<u64, StoreError> {
        let next = self.highest.checked_add(1);
        next.ok_or_else(|| StoreError::refused("a new snapshot", "the numbers have run out"))
    }

    /// The generations that count, the best first, each with the digest of its manifest if `CURRENT` names
    /// it.
    pub(super) fn candidates(&self) -> Vec<(u64, Option<Hash>)> {
        match &self.current {
            Ok(Some(current)) => current.named().map(|it| (it.number, Some(it.manifest))).collect(),
            _ => self.numbers.iter().rev().map(|number| (*number, None)).collect(),
        }
    }

    /// The best generation that looks whole, which is kept beside a new one.
    pub(super) fn newest_good(&self, inner: &Inner) -> Option<Named> {
        let good = |&(number, expected): &(u64, Option<Hash>)| {
            if inner.is_bad(number) {
                return None;
            }
            check_manifest(inner, number, expected).ok()?;
            let (_, manifest) = Manifest::read(&*inner.disk, &inner.generation(number)).ok()?;
            Some(Named { number, manifest })
        };
        self.candidates().iter().find_map(good)
    }

    pub(super) fn current_problem(&self, dir: &Path) -> Option<String> {
        match &self.current {
            Ok(Some(_)) => None,
            Ok(None) if self.numbers.is_empty() => None,
            Ok(None) => Some(format!(
                "{} is missing though there are snapshots; they are taken by their numbers",
                dir.join(pointer::FILE).display()
            )),
            Err(error) => Some(error.to_string()),
        }
    }
}

/// Reads the manifest of a generation, and checks its digest in `CURRENT`, its engine and the lengths of its
/// files.
pub(super) fn check_manifest(
    inner: &Inner,
    number: u64,
    expected: Option<Hash>,
) -> Result<Manifest, StoreError> {
    let dir = inner.generation(number);
    let path = dir.join(manifest::FILE);
    let (manifest, digest) = Manifest::read(&*inner.disk, &dir)?;
    if expected.is_some_and(|expected| expected != digest) {
        return Err(StoreError::damaged(&path, "it is whole, but not the manifest that CURRENT names"));
    }
    inner.refuse_foreign(manifest.meta.engine, &path)?;
    for file in &manifest.files {
        let path = dir.join(&file.name);
        let found = inner.disk.stat(&path).map_err(|e| StoreError::io("open", &path, e))?.len;
        if found != file.length {
            let what = format!("it has {found} bytes, {} were written", file.length);
            return Err(StoreError::damaged(&path, what));
        }
    }
    Ok(manifest)
}

/// Digests every file of a generation, copying on request, and compares with the manifest.
pub(super) fn digest_files(
    disk: &dyn Disk,
    dir: &Path,
    manifest: &Manifest,
    copy: Option<&Path>,
) -> Result<(), StoreError> {
    for file in &manifest.files {
        let found = files::digest_file(disk, dir, &file.name, copy)?;
        if found != *file {
            return Err(StoreError::damaged(
                &dir.join(&file.name),
                "its bytes are not those that were written",
            ));
        }
    }
    Ok(())
}

pub(super) fn list(inner: &Inner) -> Vec<GenerationInfo> {
    let view = match View::read(&*inner.disk, &inner.dir) {
        Ok(view) => view,
        Err(StoreError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            let (role, damage) = (Role::Unnamed, Some(error.to_string()));
            return vec![GenerationInfo {
                number: 0,
                role,
                meta: None,
                pages: 0,
                bytes: 0,
                damage,
                newer: None,
            }];
        }
    };
    let current = view.current.as_ref().ok().and_then(Option::as_ref);
    let named: Vec<Named> = current.map(|current| current.named().collect()).unwrap_or_default();
    let mut numbers = view.numbers;
    numbers.extend(named.iter().map(|named| named.number));
    let numbers = numbers.into_iter().rev();
    numbers
        .map(|number| info(inner, number, named.iter().position(|it| it.number == number), &named))
        .collect()
}

fn info(inner: &Inner, number: u64, place: Option<usize>, named: &[Named]) -> GenerationInfo {
    let role = match place {
        Some(0) => Role::Newest,
        Some(_) => Role::Previous,
        None => Role::Unnamed,
    };
    let dir = inner.generation(number);
    let expected = place.and_then(|place| named.get(place)).map(|named| named.manifest);
    let checked = check_manifest(inner, number, expected)
        .and_then(|manifest| digest_files(&*inner.disk, &dir, &manifest, None));
    let (newer, damage) = match checked {
        Ok(()) => (None, None),
        Err(error) if error.is_newer() => (Some(error.to_string()), None),
        Err(error) => (None, Some(error.to_string())),
    };
    let manifest = Manifest::read(&*inner.disk, &dir).ok().map(|(manifest, _)| manifest);
    let (pages, bytes) = manifest.as_ref().map_or((0, 0), |it| (it.tally.pages, it.bytes()));
    GenerationInfo { number, role, meta: manifest.map(|it| it.meta), pages, bytes, damage, newer }
}
