//! A disk on which nothing can be changed: reads go through, and writes are forgotten.
//!
//! `check` must give the same verdict as a start, so it runs the code of the start on such a disk. Files can
//! also be hidden, to see what a log would be without them.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::error::WalError;
use super::{Lsn, Options, segment};
use crate::disk::{Disk, DiskFile, Stat, narrow, wide};

/// Shows another disk and changes nothing on it.
pub struct ReadOnlyDisk {
    inner: Arc<dyn Disk>,
    hidden: BTreeSet<String>,
}

impl ReadOnlyDisk {
    #[must_use]
    pub fn new(inner: Arc<dyn Disk>) -> Self {
        Self { inner, hidden: BTreeSet::new() }
    }

    /// Hides the files with these names.
    #[must_use]
    pub fn without(mut self, names: impl IntoIterator<Item = String>) -> Self {
        self.hidden.extend(names);
        self
    }
}

/// The names of the segments that hold only records below number `from`, oldest first.
///
/// # Errors
///
/// If the directory cannot be read.
pub fn segments_below(disk: &dyn Disk, options: &Options, from: Lsn) -> Result<Vec<String>, WalError> {
    let names = disk.list(&options.dir).map_err(|error| WalError::io("list", &options.dir, error))?;
    let segments: Vec<(Lsn, String)> =
        names.into_iter().filter_map(|name| Some((segment::parse_name(&name)?, name))).collect();
    let needed = segments.iter().rposition(|(first, _)| *first <= from).unwrap_or(0);
    Ok(segments.into_iter().take(needed).map(|(_, name)| name).collect())
}

/// The number of the first segment, by its name; `None` if there is no segment.
///
/// # Errors
///
/// If the directory cannot be read.
pub fn first_segment(disk: &dyn Disk, options: &Options) -> Result<Option<Lsn>, WalError> {
    match disk.list(&options.dir) {
        Ok(names) => Ok(names.iter().find_map(|name| segment::parse_name(name))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(WalError::io("list", &options.dir, error)),
    }
}

impl Disk for ReadOnlyDisk {
    fn create(&self, _: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(Forgets(Vec::new())))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(Forgets(self.inner.read(path)?)))
    }

    fn open_to_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.inner.open_to_read(path)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.inner.read(path)
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        self.inner.stat(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        match self.inner.list(dir) {
            Ok(names) => Ok(names.into_iter().filter(|name| !self.hidden.contains(name)).collect()),
            // A start would make the directory.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn remove(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn make_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn create_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn remove_dir_all(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn make_private(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn sync_fs(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn free(&self, dir: &Path) -> io::Result<u64> {
        self.inner.free(dir)
    }

    fn is_machine(&self) -> bool {
        self.inner.is_machine()
    }
}

/// A file as it was when it was opened; writes to it are forgotten.
struct Forgets(Vec<u8>);

impl DiskFile for Forgets {
    fn write_at(&mut self, _: u64, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let at = narrow(offset);
        let bytes = at.checked_add(into.len()).and_then(|end| self.0.get(at..end));
        into.copy_from_slice(bytes.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?);
        Ok(())
    }

    fn read_some_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let rest = self.0.get(narrow(offset)..).unwrap_or_default();
        let count = rest.len().min(into.len());
        into.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        Ok(count)
    }

    fn forget_cache(&mut self) {}

    fn sync_data(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn sync_all(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn set_len(&mut self, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn len(&mut self) -> io::Result<u64> {
        Ok(wide(self.0.len()))
    }
}
