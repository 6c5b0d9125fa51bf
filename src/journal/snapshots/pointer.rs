//! The file `CURRENT`: which two generations count, and how they are published.
//!
//! ```text
//! restockd current 1
//! engine <32 hex>
//! newest <number> <SHA-256 of its MANIFEST>
//! previous <number> <SHA-256 of its MANIFEST>      absent until there are two
//! crc <8 hex>
//! ```
//!
//! To publish, a synced `CURRENT.tmp` is renamed to it, then the directory is synced. Until that sync has
//! returned, a power cut may leave either the old or the new text, so both must name good generations, and
//! nothing is removed before.

use std::fmt::Write as _;
use std::io::ErrorKind;
use std::path::Path;

use super::digest::Hash;
use super::error::StoreError;
use super::files;
use super::text::{self, field, hex, unhex};
use crate::disk::Disk;

/// The name of the file.
pub(super) const FILE: &str = "CURRENT";
/// The name under which it is written.
pub(super) const TMP: &str = "CURRENT.tmp";

const TITLE: &str = "restockd current ";
const VERSION: u32 = 1;
const BYTES_MAX: u64 = 4_096;

/// A generation as `CURRENT` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) number: u64,
    pub(super) manifest: Hash,
}

/// The content of `CURRENT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CurrentPointer {
    pub(super) engine: [u8; 16],
    pub(super) newest: Named,
    pub(super) previous: Option<Named>,
}

impl CurrentPointer {
    /// Reads the file; `None` if there is none.
    pub(super) fn read(disk: &dyn Disk, dir: &Path) -> Result<Option<Self>, StoreError> {
        let path = dir.join(FILE);
        let text = match text::read(disk, &path, BYTES_MAX) {
            Ok(text) => text,
            Err(StoreError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        text::check_version(&path, &text, TITLE, VERSION)?;
        let current = Self::parse(&text).filter(|current| current.body() == text);
        current
            .map(Some)
            .ok_or_else(|| StoreError::damaged(&path, "it does not name generations as it should"))
    }

    /// The generations that it names, the newest first.
    pub(super) fn named(&self) -> impl Iterator<Item = Named> {
        std::iter::once(self.newest).chain(self.previous)
    }

    /// Writes the new text beside the old one; nothing is published yet.
    pub(super) fn prepare(&self, disk: &dyn Disk, dir: &Path) -> Result<(), StoreError> {
        let tmp = dir.join(TMP);
        files::remove_file(disk, &tmp)?;
        files::write_synced(disk, &tmp, text::close(self.body()).as_bytes())
    }

    /// Publishes what was prepared. After an error it is unknown which of the two texts will be found.
    pub(super) fn publish(disk: &dyn Disk, dir: &Path) -> Result<(), StoreError> {
        let path = dir.join(FILE);
        disk.rename(&dir.join(TMP), &path).map_err(|e| StoreError::io("rename to", &path, e))?;
        files::sync_dir(disk, dir)
    }

    fn body(&self) -> String {
        let mut text = format!("{TITLE}{VERSION}\nengine {}\n", hex(&self.engine));
        for (name, named) in ["newest", "previous"].into_iter().zip(self.named()) {
            let _ = writeln!(text, "{name} {} {}", named.number, hex(&named.manifest));
        }
        text
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next()?.strip_prefix(TITLE)?.parse() != Ok(VERSION) {
            return None;
        }
        let engine = unhex(field(lines.next(), "engine")?)?;
        let newest = named(field(lines.next(), "newest")?)?;
        let previous = match lines.next() {
            None => None,
            line => Some(named(field(line, "previous")?)?),
        };
        lines.next().is_none().then_some(Self { engine, newest, previous })
    }
}

fn named(value: &str) -> Option<Named> {
    let (number, manifest) = value.split_once(' ')?;
    Some(Named { number: number.parse().ok()?, manifest: unhex(manifest)? })
}
