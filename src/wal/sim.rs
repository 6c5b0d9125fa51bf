//! The faulty twin of the disk: in memory, seeded, and as unkind as a real one may be.
//!
//! ```text
//!   write ──> live bytes ──sync of the file──> stable bytes ──┐
//!   create, rename, remove ──> live names ──sync of the dir──> stable names ──┴──> what a crash leaves
//! ```
//!
//! - A crash leaves the stable bytes and names. Each unsynced 512-byte sector is kept, dropped, zeroed or garbled, as
//!   the seed says; of the unsynced name changes of all directories a first part is kept. Bytes that were not written
//!   since the last sync are never harmed (the power-safe overwrite that the log asks for). A file handle from
//!   before the crash is dead.
//! - A failed sync of a file calls its pages clean: reads still see the bytes, later syncs do not write them, and a
//!   crash loses them. ext4 does just this.
//! - Directories themselves are durable at once; the log makes only one.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::bytes::{narrow, wide};
use super::disk::{Disk, DiskFile};
use super::sim_state::{Effect, Failure, File, NameChange, Rule, SECTOR_BYTES, State};

const ENOSPC: i32 = 28;
const EIO: i32 = 5;

/// A kind of call that can be made to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "named after the calls")]
pub enum Op {
    Create,
    Write,
    Sync,
    SyncDir,
    SyncFs,
    Rename,
    Remove,
}

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The medium is broken (EIO).
    Broken,
    /// There is no space (ENOSPC).
    Full,
}

impl Fault {
    pub(super) fn error(self) -> io::Error {
        io::Error::from_raw_os_error(if self == Self::Full { ENOSPC } else { EIO })
    }
}

/// How often each call was made, failed ones too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "named after the calls")]
pub struct Counts {
    pub creates: u64,
    pub writes: u64,
    pub syncs: u64,
    pub dir_syncs: u64,
    pub fs_syncs: u64,
    pub renames: u64,
    pub removes: u64,
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

    /// A disk of its own in the same state, with another seed and without the planned faults.
    #[must_use]
    pub fn fork(&self, seed: u64) -> Self {
        let state =
            State { random: seed, rules: Vec::new(), full: false, power_left: None, ..self.lock().clone() };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Makes the `nth` call (1 is the next) of this kind on a path that contains `name_part` fail, once.
    pub fn fail(&self, op: Op, name_part: &str, nth: u64, fault: Fault) {
        let rule = Rule { op, name_part: name_part.to_owned(), skip: nth.saturating_sub(1), fault };
        self.lock().rules.push(rule);
    }

    /// While full, no file can be made and none can grow; writing inside a file still works.
    pub fn set_full(&self, full: bool) {
        self.lock().full = full;
    }

    /// After this many more changing calls nothing works any more, until [`Self::crash`].
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

    /// True when some call is planned to fail.
    #[must_use]
    pub fn has_plans(&self) -> bool {
        let state = self.lock();
        !state.rules.is_empty() || state.full || state.power_left.is_some()
    }

    /// The power goes and comes back: what was not synced is lost, kept or harmed.
    pub fn crash(&self) {
        self.lock().crash();
    }

    /// How often each call was made.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.lock().counts
    }

    /// All files with their contents, as a reader sees them.
    #[must_use]
    pub fn contents(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let state = self.lock();
        let file = |id: &u64| state.files.get(id).map(|file| file.live.clone()).unwrap_or_default();
        state.names.iter().map(|(path, id)| (path.clone(), file(id))).collect()
    }

    /// Puts a file there durably, as if by magic: for damaging a log on purpose.
    pub fn put(&self, path: &Path, bytes: Vec<u8>) {
        let mut state = self.lock();
        let id = state.names.get(path).copied().unwrap_or(state.next_file);
        state.next_file = state.next_file.max(id + 1);
        let file =
            File { path: path.to_path_buf(), stable: bytes.clone(), live: bytes, dirty: BTreeSet::new() };
        state.files.insert(id, file);
        state.names.insert(path.to_path_buf(), id);
        state.stable_names.insert(path.to_path_buf(), id);
        state.dirs.extend(path.parent().map(Path::to_path_buf));
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

impl Disk for SimDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.lock();
        if state.names.contains_key(path) {
            return Err(io::Error::from(io::ErrorKind::AlreadyExists));
        }
        let id = state.next_file;
        state.next_file += 1;
        state.files.insert(id, File { path: path.to_path_buf(), ..File::default() });
        state.change_names(Op::Create, path, NameChange::Set(path.to_path_buf(), id))?;
        Ok(self.handle(id, state.boot))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let state = self.lock();
        let id = *state.names.get(path).ok_or_else(not_found)?;
        Ok(self.handle(id, state.boot))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let state = self.lock();
        let id = state.names.get(path).ok_or_else(not_found)?;
        state.files.get(id).map(|file| file.live.clone()).ok_or_else(not_found)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let state = self.lock();
        if !state.dirs.contains(dir) {
            return Err(not_found());
        }
        let inside = state.names.keys().filter(|path| path.parent() == Some(dir));
        Ok(inside.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.lock();
        if !state.names.contains_key(from) {
            return Err(not_found());
        }
        state.change_names(Op::Rename, to, NameChange::Rename(from.to_path_buf(), to.to_path_buf()))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        if !state.names.contains_key(path) {
            return Err(not_found());
        }
        state.change_names(Op::Remove, path, NameChange::Remove(path.to_path_buf()))
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.lock().dirs.extend(dir.ancestors().map(Path::to_path_buf));
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.call(Op::SyncDir, dir).map_err(|failure| failure.error)?;
        state.sync_names(Some(dir));
        Ok(())
    }

    fn sync_fs(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.call(Op::SyncFs, dir).map_err(|failure| failure.error)?;
        let ids: Vec<u64> = state.files.keys().copied().collect();
        ids.into_iter().for_each(|id| state.sync_file(id));
        state.sync_names(None);
        Ok(())
    }
}

struct SimFile {
    disk: SimDisk,
    id: u64,
    boot: u64,
}

impl SimFile {
    fn with<T>(&self, op: Option<Op>, act: impl FnOnce(&mut State, u64) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.disk.lock();
        let path =
            state.files.get(&self.id).filter(|_| state.boot == self.boot).map(|file| file.path.clone());
        let path = path.ok_or_else(|| Fault::Broken.error())?;
        match op.map_or(Ok(()), |op| state.call(op, &path)) {
            Ok(()) => act(&mut state, self.id),
            Err(Failure { error, effect }) => {
                match (op, effect) {
                    // The pages are called clean, and nothing was written.
                    (Some(Op::Sync), Effect::Planned) => {
                        state.files.get_mut(&self.id).map(|file| std::mem::take(&mut file.dirty));
                    }
                    (Some(Op::Write), Effect::Planned | Effect::Unsaid) => drop(act(&mut state, self.id)),
                    _ => {}
                }
                Err(error)
            }
        }
    }

    fn resize(state: &mut State, id: u64, len: usize) -> io::Result<()> {
        let full = state.full;
        let file = state.files.get_mut(&id).ok_or_else(not_found)?;
        if len > file.live.len() && full {
            return Err(Fault::Full.error());
        }
        let (low, high) = (len.min(file.live.len()), len.max(file.live.len()));
        file.live.resize(len, 0);
        file.dirty.extend(low / SECTOR_BYTES..high.div_ceil(SECTOR_BYTES));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.with(Some(Op::Sync), |state, id| {
            state.sync_file(id);
            Ok(())
        })
    }
}

impl DiskFile for SimFile {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.with(Some(Op::Write), |state, id| {
            let start = narrow(offset);
            let end = start.saturating_add(bytes.len());
            if state.files.get(&id).is_some_and(|file| file.live.len() < end) {
                Self::resize(state, id, end)?;
            }
            let file = state.files.get_mut(&id).ok_or_else(not_found)?;
            if let Some(place) = file.live.get_mut(start..end) {
                place.copy_from_slice(bytes);
            }
            file.dirty.extend(start / SECTOR_BYTES..end.div_ceil(SECTOR_BYTES));
            Ok(())
        })
    }

    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.with(None, |state, id| {
            let file = state.files.get(&id).ok_or_else(not_found)?;
            let end = narrow(offset).saturating_add(into.len());
            let from = file.live.get(narrow(offset)..end).ok_or(io::ErrorKind::UnexpectedEof)?;
            into.copy_from_slice(from);
            Ok(())
        })
    }

    fn sync_data(&mut self) -> io::Result<()> {
        self.sync()
    }

    fn sync_all(&mut self) -> io::Result<()> {
        self.sync()
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.with(Some(Op::Write), |state, id| Self::resize(state, id, narrow(len)))
    }

    fn len(&mut self) -> io::Result<u64> {
        self.with(None, |state, id| {
            state.files.get(&id).map(|file| wide(file.live.len())).ok_or_else(not_found)
        })
    }
}
