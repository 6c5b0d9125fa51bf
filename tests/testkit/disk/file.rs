//! An open file on a simulated disk: its sectors, and what a failed call does to them.
//!
//! The rules are in the module above. A handle belongs to the boot in which it was opened and is dead after a crash.

use std::io;

use restockd_journal::disk::{DiskFile, narrow, wide};

use super::state::{Effect, Failure, SECTOR_BYTES, State};
use super::{DiskFault, Op, SimDisk, not_found};

pub(super) struct SimFile {
    pub(super) disk: SimDisk,
    pub(super) id: u64,
    pub(super) boot: u64,
}

impl SimFile {
    fn with<T>(&self, op: Option<Op>, act: impl FnOnce(&mut State, u64) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.disk.lock();
        let path =
            state.files.get(&self.id).filter(|_| state.boot == self.boot).map(|file| file.path.clone());
        let path = path.ok_or_else(|| DiskFault::Broken.error())?;
        match op.map_or(Ok(()), |op| state.call(op, &path)) {
            Ok(()) => act(&mut state, self.id),
            Err(Failure { error, effect }) => {
                match (op, effect) {
                    // The pages are marked clean, although nothing was written.
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
            return Err(DiskFault::Full.error());
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

    fn read_some_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        self.with(None, |state, id| {
            let file = state.files.get(&id).ok_or_else(not_found)?;
            let left = file.live.get(narrow(offset)..).unwrap_or_default();
            let count = left.len().min(into.len());
            if let (Some(to), Some(from)) = (into.get_mut(..count), left.get(..count)) {
                to.copy_from_slice(from);
            }
            Ok(count)
        })
    }

    fn forget_cache(&mut self) {}

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
