//! The MANIFEST of a generation: whose it is, what it holds, and every file of it.
//!
//! ```text
//! restockd manifest 2
//! engine <32 hex>                  whose data it is
//! backend sled                     which backend wrote it
//! replay_from <u64>                the number of the log record at which replay begins
//! durable <u64>                    the highest log number known durable when it was made
//! made_ms <u64>                    milliseconds since 1970
//! pages <count> <bytes> <sum, 64 hex> <digest of the sorted pages, 64 hex>
//! counts <n>                       then n lines
//! count <u64> <name>
//! files <n>                        then n lines, sorted by name
//! file <length> <sha-256> <name>
//! crc <8 hex>
//! ```
//!
//! Every list is preceded by its length, which is bounded. `CURRENT` names the SHA-256 of this file.

use std::fmt::Write as _;
use std::path::Path;
use std::str::Lines;

use sha2::{Digest, Sha256};

use super::backend::Backend;
use super::digest::{Hash, Tally};
use super::error::StoreError;
use super::files::{self, FileEntry};
use super::text::{self, field, hex, unhex};
use crate::disk::Disk;

/// The name of the file.
pub(super) const FILE: &str = "MANIFEST";
/// The most counts that a meta may hold.
pub const COUNTS_MAX: usize = 1_000;

const TITLE: &str = "restockd manifest ";
/// The version of the manifest and of the pages. Version 1 was never released and is not read.
const VERSION: u32 = 2;
const BYTES_MAX: u64 = 64 << 20;
const COUNT_NAME_BYTES_MAX: usize = 128;
const FILES_MAX: usize = 500_000;

/// What the engine says about a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Meta {
    /// The engine to which it belongs.
    pub engine: [u8; 16],
    /// The number of the log record at which replay begins.
    pub replay_from: u64,
    /// The highest log number that was known to be durable when it was made.
    pub durable: u64,
    /// When it was made, in milliseconds since 1970.
    pub made_ms: u64,
    /// Counts to compare after a load, by name.
    pub counts: Vec<(String, u64)>,
}

impl Meta {
    /// Refuses counts that cannot be written as lines.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        if self.counts.len() > COUNTS_MAX {
            return Err(StoreError::refused(
                "the snapshot's meta",
                format!("it has over {COUNTS_MAX} counts"),
            ));
        }
        match self.counts.iter().find(|(name, _)| !count_name(name)) {
            Some((name, _)) => Err(StoreError::refused(
                "the snapshot's meta",
                format!("the count name {name:?} is empty, over {COUNT_NAME_BYTES_MAX} bytes or not plain"),
            )),
            None => Ok(()),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Manifest {
    pub(super) meta: Meta,
    pub(super) backend: Backend,
    pub(super) tally: Tally,
    pub(super) digest: Hash,
    pub(super) files: Vec<FileEntry>,
}

impl Manifest {
    /// Reads the manifest of a generation, and the SHA-256 by which `CURRENT` names it.
    pub(super) fn read(disk: &dyn Disk, dir: &Path) -> Result<(Self, Hash), StoreError> {
        let path = dir.join(FILE);
        let bytes = text::read_bounded(disk, &path, BYTES_MAX)?;
        let digest = digest(&bytes);
        let text = text::open(bytes).map_err(|what| StoreError::damaged(&path, what))?;
        text::check_version(&path, &text, TITLE, VERSION)?;
        let manifest = Self::parse(&text).filter(|manifest| manifest.body() == text);
        let manifest = manifest.ok_or_else(|| StoreError::damaged(&path, "it is not a manifest"))?;
        Ok((manifest, digest))
    }

    /// The bytes to write, and their SHA-256.
    pub(super) fn encode(&self) -> (String, Hash) {
        let text = text::close(self.body());
        let digest = digest(text.as_bytes());
        (text, digest)
    }

    /// The bytes in all its files.
    pub(super) fn bytes(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.length))
    }

    fn body(&self) -> String {
        let Self { meta, backend, tally, digest, files } = self;
        let mut text =
            format!("{TITLE}{VERSION}\nengine {}\nbackend {}\n", hex(&meta.engine), backend.name());
        let _ = writeln!(text, "replay_from {}\ndurable {}", meta.replay_from, meta.durable);
        let _ = writeln!(text, "made_ms {}", meta.made_ms);
        let _ = writeln!(text, "pages {} {} {} {}", tally.pages, tally.bytes, hex(&tally.sum), hex(digest));
        let _ = writeln!(text, "counts {}", meta.counts.len());
        for (name, count) in &meta.counts {
            let _ = writeln!(text, "count {count} {name}");
        }
        let _ = writeln!(text, "files {}", files.len());
        for FileEntry { name, length, digest } in files {
            let _ = writeln!(text, "file {length} {} {name}", hex(digest));
        }
        text
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next()?.strip_prefix(TITLE)?.parse() != Ok(VERSION) {
            return None;
        }
        let engine = unhex(field(lines.next(), "engine")?)?;
        let backend = Backend::named(field(lines.next(), "backend")?)?;
        let replay_from = field(lines.next(), "replay_from")?.parse().ok()?;
        let durable = field(lines.next(), "durable")?.parse().ok()?;
        let made_ms = field(lines.next(), "made_ms")?.parse().ok()?;
        let mut words = field(lines.next(), "pages")?.splitn(4, ' ');
        let (pages, bytes) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let (sum, digest) = (unhex(words.next()?)?, unhex(words.next()?)?);
        let counts = list(&mut lines, "counts", COUNTS_MAX, |line| {
            let (count, name) = field(Some(line), "count")?.split_once(' ')?;
            count_name(name).then_some((name.to_owned(), count.parse().ok()?))
        })?;
        let files = list(&mut lines, "files", FILES_MAX, |line| {
            let mut words = field(Some(line), "file")?.splitn(3, ' ');
            let (length, digest) = (words.next()?.parse().ok()?, unhex(words.next()?)?);
            let name = words.next().filter(|name| files::plain_name(name))?.to_owned();
            Some(FileEntry { name, length, digest })
        })?;
        let meta = Meta { engine, replay_from, durable, made_ms, counts };
        let tally = Tally { pages, bytes, sum };
        lines.next().is_none().then_some(Self { meta, backend, tally, digest, files })
    }
}

fn list<T>(
    lines: &mut Lines<'_>,
    name: &str,
    max: usize,
    parse: impl Fn(&str) -> Option<T>,
) -> Option<Vec<T>> {
    let length: usize = field(lines.next(), name)?.parse().ok()?;
    if length > max {
        return None;
    }
    (0..length).map(|_| parse(lines.next()?)).collect()
}

fn count_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= COUNT_NAME_BYTES_MAX && !name.contains(char::is_control)
}

fn digest(bytes: &[u8]) -> Hash {
    Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;

    #[test]
    fn a_manifest_of_another_version_is_refused_by_both_names_and_never_called_damaged() {
        let (disk, dir) = (RealDisk, tempfile::tempdir().unwrap());
        let dir = dir.path();
        for version in [1, 3] {
            let path = dir.join(FILE);
            let mut file = disk.create(&path).unwrap();
            file.write_at(0, text::close(format!("{TITLE}{version}\nengine x\n")).as_bytes()).unwrap();
            let said = Manifest::read(&disk, dir).unwrap_err().to_string();
            assert!(said.contains(&format!("version {version}")) && said.contains("version 2"), "{said}");
            assert!(!said.contains("damaged"), "{said}");
            disk.remove(&path).unwrap();
        }
    }
}
