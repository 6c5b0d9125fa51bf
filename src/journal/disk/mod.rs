//! The file system as log and snapshots see it: one trait for both.
//!
//! ```text
//!   wal/    snapshots/
//!      \    /
//!      Disk ── RealDisk   the machine's file system
//!           └─ SimDisk    in tests: in memory, seeded; cuts the power, fills up, fails and lies
//! ```
//!
//! Log and snapshots use one disk, so a crash of a simulated one hits both at once. The traits have only what
//! is used, and say exactly what is durable when: the contents of a file after a sync of the file, names (of
//! files and directories) after a sync of the directory they are in, everything after a sync of the file
//! system.
//!
//! Invariant: a change of the disk is one call here, so that a test can make each of them fail in turn.

mod real;

use std::io::{self, Read, Write};
use std::ops::DerefMut;
use std::path::Path;

pub use real::RealDisk;

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    File,
    Dir,
    /// Something else, such as a link or a socket.
    Other,
}

/// What is known about a name without opening it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// What the name stands for. Links are not followed.
    pub kind: FileKind,
    /// The length of a file, in bytes.
    pub len: u64,
}

/// A file system. Every method fails with the error of the operating system.
pub trait Disk: Send + Sync + 'static {
    /// Makes a new file for reading and writing; fails if the name is taken.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Opens a file for reading; it can also be synced.
    fn open_to_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    fn stat(&self, path: &Path) -> io::Result<Stat>;
    /// The sorted names in a directory, of files and directories.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// Renames a file or directory in one step; replaces a file that has the new name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes one directory; fails if the name is taken.
    fn make_dir(&self, dir: &Path) -> io::Result<()>;
    /// Makes a directory, and those above it if need be. Those above are durable afterwards; its own name is
    /// durable after a sync of the one above.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;
    /// Removes a directory with everything in it, name by name.
    fn remove_dir_all(&self, dir: &Path) -> io::Result<()>;
    /// Lets only the owner look into a directory.
    fn make_private(&self, dir: &Path) -> io::Result<()>;
    /// Makes the names in a directory durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Makes everything on the file system of this directory durable.
    fn sync_fs(&self, dir: &Path) -> io::Result<()>;
    /// How many bytes can still be written in a directory.
    fn free(&self, dir: &Path) -> io::Result<u64>;
    /// Whether its paths are those of the machine, so that other code (sled) can open them by itself.
    fn is_machine(&self) -> bool;
}

/// An open file.
#[allow(clippy::len_without_is_empty, reason = "a file is not a collection")]
pub trait DiskFile: Send {
    /// Writes all the bytes at an offset.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Fills all of `into` from an offset.
    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<()>;
    /// Reads some bytes from an offset; none only at the end of the file.
    fn read_some_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<usize>;
    /// Asks that the next read comes from the device and not from a cache. This may have no effect.
    fn forget_cache(&mut self);
    /// Makes the contents durable, and the length if it changed.
    fn sync_data(&mut self) -> io::Result<()>;
    /// Makes the contents and all metadata of the file durable.
    fn sync_all(&mut self) -> io::Result<()>;
    /// Cuts or extends the file.
    fn set_len(&mut self, len: u64) -> io::Result<()>;
    fn len(&mut self) -> io::Result<u64>;
}

/// Reads or writes a file from its beginning to its end.
pub(crate) struct Stream<F> {
    file: F,
    at: u64,
}

impl<F> Stream<F> {
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

/// A length or offset in memory as the disk counts it.
#[must_use]
pub fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// A length or offset of the disk as memory counts it.
#[must_use]
pub fn narrow(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}
