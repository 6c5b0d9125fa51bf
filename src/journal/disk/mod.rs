//! The file system as log and snapshots see it: one seam for both.
//!
//! ```text
//!   wal/    store/
//!      \    /
//!      Disk ── RealDisk   the machine's file system
//!           └─ SimDisk    in tests: in memory, seeded; cuts the power, fills up, fails and lies
//! ```
//!
//! Both layers stand on one disk, so a crash of a simulated one hits both at once. The traits have only what is
//! used, and they say exactly what is durable when: contents after a sync of the file, names (of files and of
//! directories) after a sync of the directory they stand in, everything after a sync of the file system.
//!
//! Invariant: a call that changes the disk is one call here, so that a test can fail each of them in turn.

mod real;

use std::io::{self, Read, Write};
use std::ops::DerefMut;
use std::path::Path;

pub use real::RealDisk;

/// What stands behind a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A plain file.
    File,
    /// A directory.
    Dir,
    /// Something else: a link, a socket.
    Other,
}

/// What is known about a name without opening it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// What it is; a link is not followed.
    pub kind: FileKind,
    /// The length of a file.
    pub len: u64,
}

/// A file system.
pub trait Disk: Send + Sync + 'static {
    /// Makes a new file, for reading and writing; fails if the name is taken.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Opens a file for reading and writing.
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Opens a file for reading; it can be synced too.
    fn open_to_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Reads a whole file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// What a name stands for.
    fn stat(&self, path: &Path) -> io::Result<Stat>;
    /// The names in a directory, of files and directories, sorted.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// Gives a file or a directory another name, in one step; a file of that name is replaced.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes one new directory; fails if the name is taken.
    fn make_dir(&self, dir: &Path) -> io::Result<()>;
    /// Makes a directory and those above it; one that is there is fine. Those above are durable after it, its own
    /// name is after a sync of the one above.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;
    /// Removes a directory with all in it, one name after the other.
    fn remove_dir_all(&self, dir: &Path) -> io::Result<()>;
    /// Lets nobody but the owner look into a directory.
    fn make_private(&self, dir: &Path) -> io::Result<()>;
    /// Makes the names in a directory durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Makes everything on the file system of this directory durable.
    fn sync_fs(&self, dir: &Path) -> io::Result<()>;
    /// The bytes that may still be written in a directory.
    fn free(&self, dir: &Path) -> io::Result<u64>;
    /// Whether its paths are those of the machine, so that others (sled) can open them by themselves.
    fn is_machine(&self) -> bool;
}

/// An open file.
#[allow(clippy::len_without_is_empty, reason = "a file is not a collection")]
pub trait DiskFile: Send {
    /// Writes all the bytes at an offset.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Fills all of `into` from an offset.
    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<()>;
    /// Reads some bytes from an offset, none only at the end of the file.
    fn read_some_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<usize>;
    /// Asks that the next reading comes from the device, not from a cache; only a wish.
    fn forget_cache(&mut self);
    /// Makes the contents durable (and the length, when it changed).
    fn sync_data(&mut self) -> io::Result<()>;
    /// Makes the contents and everything about the file durable.
    fn sync_all(&mut self) -> io::Result<()>;
    /// Cuts or grows the file.
    fn set_len(&mut self, len: u64) -> io::Result<()>;
    /// The length of the file.
    fn len(&mut self) -> io::Result<u64>;
}

/// A file read or written from its beginning to its end.
pub(crate) struct Stream<F> {
    file: F,
    at: u64,
}

impl<F> Stream<F> {
    /// Begins at the first byte.
    pub(crate) fn new(file: F) -> Self {
        Self { file, at: 0 }
    }
}

impl<F: DerefMut<Target = dyn DiskFile + 'static>> Read for Stream<F> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_some_at(self.at, into)?;
        self.at += wide(count);
        Ok(count)
    }
}

impl<F: DerefMut<Target = dyn DiskFile + 'static>> Write for Stream<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_at(self.at, bytes)?;
        self.at += wide(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A length or offset as the file system counts it.
#[must_use]
pub fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// An offset as memory counts it.
#[must_use]
pub fn narrow(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}
