//! Files and directories: made durable, digested, copied, removed.
//!
//! A file is durable after its own fsync, its name after the fsync of its directory. A sync that failed is
//! never repeated on the same file, since the kernel has marked the pages clean by then. Before a file is
//! digested the kernel is asked to drop its cached pages, so that the bytes come from the device.

use std::io::{ErrorKind, Read, Write};
use std::path::{Component, Path, PathBuf};

use sha2::{Digest, Sha256};

use super::digest::Hash;
use super::error::StoreError;
use crate::disk::{Disk, DiskFile, FileKind, Stream};

const BUFFER_BYTES: usize = 256 << 10;
/// Deeper than any backend nests. Links are not followed.
const DEPTH_MAX: usize = 8;

/// A file of a generation: its name within it, its length and its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileEntry {
    pub(super) name: String,
    pub(super) length: u64,
    pub(super) digest: Hash,
}

/// The space that a snapshot leaves free, in bytes: a log segment (64 MiB) that is made at the same time, and
/// what a backend writes for one batch. With sled this is vital: a full disk kills threads inside it for
/// which every later use of sled in this process would wait, so sled must never meet one.
const HEADROOM_BYTES: u64 = 96 << 20;

/// Refuses to go on if writing `bytes` would not leave that space free.
pub(super) fn room(disk: &dyn Disk, dir: &Path, bytes: u64) -> Result<(), StoreError> {
    let free = disk.free(dir).map_err(|e| StoreError::io("ask for the free space of", dir, e))?;
    if free < bytes.saturating_add(HEADROOM_BYTES) {
        return Err(StoreError::NoSpace { path: dir.to_path_buf() });
    }
    Ok(())
}

/// Makes a directory that only its owner can look into.
pub(super) fn make_dir(disk: &dyn Disk, dir: &Path) -> Result<(), StoreError> {
    disk.make_dir(dir).map_err(|e| StoreError::io("make the directory", dir, e))
}

/// Makes the names in a directory durable.
pub(super) fn sync_dir(disk: &dyn Disk, dir: &Path) -> Result<(), StoreError> {
    disk.sync_dir(dir).map_err(|e| StoreError::io("sync the directory", dir, e))
}

/// Writes a new file and makes its bytes durable, but not its name.
pub(super) fn write_synced(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let mut file = disk.create(path).map_err(|e| StoreError::io("create", path, e))?;
    file.write_at(0, bytes).map_err(|e| StoreError::io("write", path, e))?;
    file.sync_all().map_err(|e| StoreError::io("sync", path, e))
}

/// Syncs every file below a directory, then every directory, the deepest first and the directory itself last.
pub(super) fn sync_tree(disk: &dyn Disk, dir: &Path) -> Result<(), StoreError> {
    let Tree { files, mut dirs } = walk(disk, dir)?;
    for (path, _) in &files {
        disk.open_to_read(path)
            .and_then(|mut file| file.sync_all())
            .map_err(|e| StoreError::io("sync", path, e))?;
    }
    dirs.sort_by_key(|path| std::cmp::Reverse(path.components().count()));
    dirs.iter().try_for_each(|path| sync_dir(disk, path))
}

/// The sorted names of the files below a directory, and the sum of their lengths.
pub(super) fn names(disk: &dyn Disk, dir: &Path) -> Result<(Vec<String>, u64), StoreError> {
    let Tree { files, .. } = walk(disk, dir)?;
    let mut names = Vec::with_capacity(files.len());
    let mut bytes = 0;
    for (path, length) in files {
        bytes += length;
        let name = path.strip_prefix(dir).ok().and_then(Path::to_str);
        names.push(name.ok_or_else(|| StoreError::damaged(&path, "its name is not text"))?.to_owned());
    }
    names.sort_unstable();
    Ok((names, bytes))
}

/// Whether a name stays below its directory: no `..`, no root, no line break.
pub(super) fn plain_name(name: &str) -> bool {
    let parts = || Path::new(name).components();
    !name.is_empty()
        && !name.contains(char::is_control)
        && parts().all(|part| matches!(part, Component::Normal(_)))
        && parts().collect::<PathBuf>().to_str() == Some(name)
}

/// Reads a file once; returns its length and digest. On request, copies exactly the bytes that were digested.
pub(super) fn digest_file(
    disk: &dyn Disk,
    dir: &Path,
    name: &str,
    copy: Option<&Path>,
) -> Result<FileEntry, StoreError> {
    let path = dir.join(name);
    let found = disk.stat(&path).map_err(|e| StoreError::io("open", &path, e))?;
    if found.kind != FileKind::File {
        return Err(StoreError::damaged(&path, "it is not a plain file"));
    }
    let mut file = disk.open_to_read(&path).map_err(|e| StoreError::io("open", &path, e))?;
    file.forget_cache();
    let mut file = Stream::new(file);
    let mut target = copy.map(|copy| Target::create(disk, copy, name)).transpose()?;
    let (mut digest, mut length) = (Sha256::new(), 0);
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let count = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(e) => return Err(StoreError::io("read", &path, e)),
        };
        let bytes = buffer.get(..count).unwrap_or_default();
        digest.update(bytes);
        length += count as u64;
        if let Some(target) = &mut target {
            target.write(bytes)?;
        }
    }
    Ok(FileEntry { name: name.to_owned(), length, digest: digest.finalize().into() })
}

/// Removes a directory with everything in it, if it is there.
pub(super) fn remove_dir(disk: &dyn Disk, dir: &Path) -> Result<(), StoreError> {
    absent_is_fine(disk.remove_dir_all(dir)).map_err(|e| StoreError::io("remove the directory", dir, e))
}

/// Removes a file, if it is there.
pub(super) fn remove_file(disk: &dyn Disk, path: &Path) -> Result<(), StoreError> {
    absent_is_fine(disk.remove(path)).map_err(|e| StoreError::io("remove", path, e))
}

fn absent_is_fine(result: std::io::Result<()>) -> std::io::Result<()> {
    result.or_else(|e| if e.kind() == ErrorKind::NotFound { Ok(()) } else { Err(e) })
}

/// A copy that is being written. Its errors are told apart from those of its source, since they are no
/// damage.
struct Target {
    path: PathBuf,
    file: Stream<Box<dyn DiskFile>>,
}

impl Target {
    fn create(disk: &dyn Disk, dir: &Path, name: &str) -> Result<Self, StoreError> {
        let path = dir.join(name);
        let parent = path.parent().unwrap_or(dir);
        disk.create_dir(parent).map_err(|e| copying(parent, e))?;
        let file = disk.create(&path).map_err(|e| copying(&path, e))?;
        Ok(Self { path, file: Stream::new(file) })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.file.write_all(bytes).map_err(|e| copying(&self.path, e))
    }
}

/// The action that marks an error of the copy, not of its source.
pub(super) const COPYING: &str = "write the copy";

fn copying(path: &Path, error: std::io::Error) -> StoreError {
    StoreError::io(COPYING, path, error)
}

/// What is below a directory: files with their lengths, and directories, including itself.
struct Tree {
    files: Vec<(PathBuf, u64)>,
    dirs: Vec<PathBuf>,
}

fn walk(disk: &dyn Disk, dir: &Path) -> Result<Tree, StoreError> {
    let mut tree = Tree { files: Vec::new(), dirs: Vec::new() };
    let mut open = vec![(dir.to_path_buf(), 0)];
    while let Some((dir, depth)) = open.pop() {
        for name in disk.list(&dir).map_err(|e| StoreError::io("list", &dir, e))? {
            let path = dir.join(name);
            let found = disk.stat(&path).map_err(|e| StoreError::io("list", &path, e))?;
            match found.kind {
                FileKind::File => tree.files.push((path, found.len)),
                FileKind::Dir if depth < DEPTH_MAX => open.push((path, depth + 1)),
                _ => return Err(StoreError::damaged(&path, "it is neither a plain file nor a directory")),
            }
        }
        tree.dirs.push(dir);
    }
    Ok(tree)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_are_followed() {
        assert!(["db", "blobs/12", "snap.00000000000000FF"].into_iter().all(plain_name));
        assert!(
            !["", "../db", "/db", "blobs/../db", "./db", "blobs//1", "db/", "a\nb"]
                .into_iter()
                .any(plain_name)
        );
    }
}
