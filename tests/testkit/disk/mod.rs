//! A simulated disk: in memory, seeded, and as faulty as a real one may be.
//!
//! ```text
//!   write ──> live bytes ──sync of the file──> stable bytes ──┐
//!   create, rename, remove ──> live names ──sync of the dir──> stable names ──┴──> what a crash leaves
//! ```
//!
//! - A crash leaves the stable bytes and names. Each unsynced 512-byte sector is kept, dropped, zeroed or garbled, depending
//!   on the seed; of the unsynced name changes in all directories, some first part is kept. Bytes that were not written
//!   since the last sync are never harmed (the powersafe overwrite that the log relies on). A file handle from before the
//!   crash is dead.
//! - A failed sync of a file marks its pages clean: reads still see the bytes, later syncs do not write them, and a crash
//!   loses them. ext4 does the same.
//! - Directories are names too: a new directory is durable after a sync of its parent, a renamed one keeps its contents, and
//!   one is removed name by name.

mod file;
mod state;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use restockd_journal::disk::{Disk, DiskFile, FileKind, Stat, wide};

use file::SimFile;
use state::{File, Rule, State};
use tree::{NameChange, Node, Place};

const ENOSPC: i32 = 28;
const EIO: i32 = 5;

/// A kind of call that can be made to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Op {
    Create,
    Write,
    Sync,
    SyncDir,
    SyncFs,
    Rename,
    Remove,
    MakeDir,
    RemoveDir,
}

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskFault {
    /// The medium is broken (EIO).
    Broken,
    /// There is no space (ENOSPC).
    Full,
}

impl DiskFault {
    fn error(self) -> io::Error {
        io::Error::from_raw_os_error(if self == Self::Full { ENOSPC } else { EIO })
    }
}

/// How often each call was made, failed ones included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiskCalls {
    pub creates: u64,
    pub writes: u64,
    pub syncs: u64,
    pub dir_syncs: u64,
    pub fs_syncs: u64,
    pub renames: u64,
    pub removes: u64,
    pub made_dirs: u64,
    pub removed_dirs: u64,
}

impl DiskCalls {
    /// All calls that change the disk.
    #[must_use]
    pub fn total(&self) -> u64 {
        let names = self.creates + self.renames + self.removes + self.made_dirs + self.removed_dirs;
        names + self.writes + self.syncs + self.dir_syncs + self.fs_syncs
    }
}

/// A simulated disk; clones are the same disk.
#[derive(Debug, Clone)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

impl SimDisk {
    /// An empty disk; the seed decides what its crashes do.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let state = State::new(seed);
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// A separate disk in the same state, with another seed and without the planned faults.
    #[must_use]
    pub fn fork(&self, seed: u64) -> Self {
        let state =
            State { random: seed, rules: Vec::new(), full: false, power_left: None, ..self.lock().clone() };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Makes the `nth` call (1 is the next) of this kind on a path that contains `name_part` fail, once.
    pub fn fail(&self, op: Op, name_part: &str, nth: u64, fault: DiskFault) {
        let rule = Rule { op, name_part: name_part.to_owned(), skip: nth.saturating_sub(1), fault };
        self.lock().rules.push(rule);
    }

    /// While full, no file can be created and none can grow; overwriting still works.
    pub fn set_full(&self, full: bool) {
        self.lock().full = full;
    }

    /// After this many more changing calls every call fails, until [`Self::crash`].
    pub fn cut_power_after(&self, calls: u64) {
        self.lock().power_left = Some(calls);
    }

    /// Forgets every planned fault.
    pub fn heal(&self) {
        let mut state = self.lock();
        state.rules.clear();
        state.full = false;
        state.power_left = None;
    }

    /// Whether any call is planned to fail.
    #[must_use]
    pub fn has_plans(&self) -> bool {
        let state = self.lock();
        !state.rules.is_empty() || state.full || state.power_left.is_some()
    }

    /// Power goes and comes back: what was not synced is lost, kept or harmed.
    pub fn crash(&self) {
        self.lock().crash();
    }

    /// How often each call was made.
    #[must_use]
    pub fn counts(&self) -> DiskCalls {
        self.lock().counts
    }

    /// All files with their contents, as a reader sees them.
    #[must_use]
    pub fn contents(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let state = self.lock();
        let live = |id: u64| state.files.get(&id).map(|file| file.live.clone()).unwrap_or_default();
        state.tree.files().into_iter().map(|(path, id)| (path, live(id))).collect()
    }

    /// Writes a file durably without a counted call, to damage a log on purpose.
    pub fn put(&self, path: &Path, bytes: Vec<u8>) {
        self.put_dir(path.parent().unwrap_or(path));
        let mut state = self.lock();
        let Some(place) = state.tree.place(path) else { return };
        let id = match state.tree.node(path) {
            Some(Node::File(id)) => id,
            _ => state.number(),
        };
        let file =
            File { path: path.to_path_buf(), stable: bytes.clone(), live: bytes, dirty: BTreeSet::new() };
        state.files.insert(id, file);
        state.tree.put(place, Node::File(id));
    }

    /// Creates a directory and its parents durably without a counted call.
    pub fn put_dir(&self, dir: &Path) {
        let mut state = self.lock();
        let mut above: Vec<&Path> = dir.ancestors().collect();
        above.reverse();
        for dir in above {
            if let (None, Some(place)) = (state.tree.node(dir), state.tree.place(dir)) {
                let id = state.number();
                state.tree.add(id);
                state.tree.put(place, Node::Dir(id));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handle(&self, id: u64, boot: u64) -> Box<dyn DiskFile> {
        Box::new(SimFile { disk: self.clone(), id, boot })
    }
}

fn not_found() -> io::Error {
    io::Error::from(io::ErrorKind::NotFound)
}

fn taken() -> io::Error {
    io::Error::from(io::ErrorKind::AlreadyExists)
}

impl State {
    fn free_place(&self, path: &Path) -> io::Result<Place> {
        match self.tree.node(path) {
            Some(_) => Err(taken()),
            None => self.tree.place(path).ok_or_else(not_found),
        }
    }

    fn file(&self, path: &Path) -> io::Result<u64> {
        match self.tree.node(path) {
            Some(Node::File(id)) => Ok(id),
            Some(Node::Dir(_)) => Err(io::Error::from(io::ErrorKind::IsADirectory)),
            None => Err(not_found()),
        }
    }

    fn dir(&self, path: &Path) -> io::Result<u64> {
        self.tree.dir(path).ok_or_else(not_found)
    }

    fn make_dir(&mut self, dir: &Path) -> io::Result<()> {
        let place = self.free_place(dir)?;
        let id = self.number();
        self.tree.add(id);
        self.change_names(Op::MakeDir, dir, NameChange::Set(place, Node::Dir(id)))
    }

    fn sync_dir(&mut self, dir: &Path) -> io::Result<()> {
        let id = self.dir(dir)?;
        self.call(Op::SyncDir, dir).map_err(|failure| failure.error)?;
        self.tree.sync(Some(id));
        Ok(())
    }

    fn remove_all(&mut self, dir: &Path) -> io::Result<()> {
        let (id, place) = (self.dir(dir)?, self.tree.place(dir).ok_or_else(not_found)?);
        for (name, node) in self.tree.list(id) {
            let path = dir.join(&name);
            match node {
                Node::File(_) => self.change_names(Op::Remove, &path, NameChange::Remove((id, name)))?,
                Node::Dir(_) => self.remove_all(&path)?,
            }
        }
        self.change_names(Op::RemoveDir, dir, NameChange::Remove(place))
    }
}

impl Disk for SimDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.lock();
        let place = state.free_place(path)?;
        let id = state.number();
        state.files.insert(id, File { path: path.to_path_buf(), ..File::default() });
        state.change_names(Op::Create, path, NameChange::Set(place, Node::File(id)))?;
        Ok(self.handle(id, state.boot))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let state = self.lock();
        Ok(self.handle(state.file(path)?, state.boot))
    }

    fn open_to_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.open(path)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let state = self.lock();
        let id = state.file(path)?;
        state.files.get(&id).map(|file| file.live.clone()).ok_or_else(not_found)
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        let state = self.lock();
        match state.tree.node(path).ok_or_else(not_found)? {
            Node::Dir(_) => Ok(Stat { kind: FileKind::Dir, len: 0 }),
            Node::File(id) => {
                let len = state.files.get(&id).map_or(0, |file| wide(file.live.len()));
                Ok(Stat { kind: FileKind::File, len })
            }
        }
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let state = self.lock();
        let dir = state.dir(dir)?;
        Ok(state.tree.list(dir).into_iter().map(|(name, _)| name).collect())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.lock();
        let node = state.tree.node(from).ok_or_else(not_found)?;
        match state.tree.node(to) {
            // Only a file may replace a file.
            Some(Node::File(_)) if matches!(node, Node::File(_)) => {}
            Some(_) => return Err(taken()),
            None => {}
        }
        let place = |path| state.tree.place(path).ok_or_else(not_found);
        let change = NameChange::Rename(place(from)?, place(to)?);
        state.change_names(Op::Rename, to, change)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.file(path)?;
        let place = state.tree.place(path).ok_or_else(not_found)?;
        state.change_names(Op::Remove, path, NameChange::Remove(place))
    }

    fn make_dir(&self, dir: &Path) -> io::Result<()> {
        self.lock().make_dir(dir)
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.lock();
        let missing: Vec<&Path> = dir.ancestors().take_while(|dir| state.tree.dir(dir).is_none()).collect();
        for (left, part) in missing.iter().enumerate().rev() {
            state.make_dir(part)?;
            if left > 0 {
                state.sync_dir(part.parent().unwrap_or(part))?;
            }
        }
        Ok(())
    }

    fn remove_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.lock().remove_all(dir)
    }

    /// Does nothing: there is only one user.
    fn make_private(&self, dir: &Path) -> io::Result<()> {
        self.lock().dir(dir).map(drop)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.lock().sync_dir(dir)
    }

    fn sync_fs(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.call(Op::SyncFs, dir).map_err(|failure| failure.error)?;
        let ids: Vec<u64> = state.files.keys().copied().collect();
        ids.into_iter().for_each(|id| state.sync_file(id));
        state.tree.sync(None);
        Ok(())
    }

    fn free(&self, dir: &Path) -> io::Result<u64> {
        let state = self.lock();
        state.dir(dir)?;
        Ok(if state.full { 0 } else { u64::MAX })
    }

    fn is_machine(&self) -> bool {
        false
    }
}
