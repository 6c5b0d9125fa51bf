//! The contents of a simulated disk: live bytes, stable bytes, names, planned faults, and what a crash makes of them.
//!
//! The rules are in the module above. All randomness comes from one seeded splitmix64.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use restockd_journal::disk::{narrow, wide};

use super::tree::{NameChange, ROOT, Tree};
use super::{DiskCalls, DiskFault, Op};
use crate::dice;

pub(super) const SECTOR_BYTES: usize = 512;

#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) random: u64,
    pub(super) boot: u64,
    pub(super) files: BTreeMap<u64, File>,
    pub(super) next: u64,
    pub(super) tree: Tree,
    pub(super) rules: Vec<Rule>,
    pub(super) full: bool,
    pub(super) power_left: Option<u64>,
    pub(super) counts: DiskCalls,
}

#[derive(Debug, Clone, Default)]
pub(super) struct File {
    pub(super) path: PathBuf,
    pub(super) live: Vec<u8>,
    pub(super) stable: Vec<u8>,
    pub(super) dirty: BTreeSet<usize>,
}

#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) op: Op,
    pub(super) name_part: String,
    pub(super) skip: u64,
    pub(super) fault: DiskFault,
}

/// A failed call, and what it did before it failed.
pub(super) struct Failure {
    pub(super) error: io::Error,
    pub(super) effect: Effect,
}

/// What a failed call did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Nothing,
    /// Everything, but it did not return: the power went.
    Unsaid,
    /// The planned fault of this kind of call.
    Planned,
}

impl State {
    fn random(&mut self) -> u64 {
        dice::next(&mut self.random)
    }

    /// An empty disk.
    pub(super) fn new(seed: u64) -> Self {
        Self {
            random: seed,
            boot: 0,
            files: BTreeMap::new(),
            next: ROOT + 1,
            tree: Tree::new(),
            rules: Vec::new(),
            full: false,
            power_left: None,
            counts: DiskCalls::default(),
        }
    }

    /// Counts a call and decides whether it fails.
    pub(super) fn call(&mut self, op: Op, path: &Path) -> Result<(), Failure> {
        let counts = &mut self.counts;
        *match op {
            Op::Create => &mut counts.creates,
            Op::Write => &mut counts.writes,
            Op::Sync => &mut counts.syncs,
            Op::SyncDir => &mut counts.dir_syncs,
            Op::SyncFs => &mut counts.fs_syncs,
            Op::Rename => &mut counts.renames,
            Op::Remove => &mut counts.removes,
            Op::MakeDir => &mut counts.made_dirs,
            Op::RemoveDir => &mut counts.removed_dirs,
        } += 1;
        match &mut self.power_left {
            Some(0) => return Err(Failure { error: DiskFault::Broken.error(), effect: Effect::Nothing }),
            Some(left) => {
                *left -= 1;
                if *left == 0 {
                    let effect =
                        if self.random().is_multiple_of(2) { Effect::Unsaid } else { Effect::Nothing };
                    return Err(Failure { error: DiskFault::Broken.error(), effect });
                }
            }
            None => {}
        }
        let text = path.to_string_lossy();
        let mut hit = None;
        for (at, rule) in self.rules.iter_mut().enumerate() {
            if rule.op == op && text.contains(&rule.name_part) {
                if rule.skip == 0 {
                    hit = Some(at);
                    break;
                }
                rule.skip -= 1;
            }
        }
        match hit {
            Some(at) => Err(Failure { error: self.rules.remove(at).fault.error(), effect: Effect::Planned }),
            None if self.full && matches!(op, Op::Create | Op::MakeDir) => {
                Err(Failure { error: DiskFault::Full.error(), effect: Effect::Nothing })
            }
            None => Ok(()),
        }
    }

    /// A number that nothing has yet.
    pub(super) fn number(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    /// Counts a call that changes names, and makes the change unless the call fails.
    pub(super) fn change_names(&mut self, op: Op, path: &Path, change: NameChange) -> io::Result<()> {
        let outcome = self.call(op, path);
        if outcome.as_ref().err().is_none_or(|failure| failure.effect == Effect::Unsaid) {
            self.tree.change(change);
            if op == Op::Rename {
                self.retell_paths();
            }
        }
        outcome.map_err(|failure| failure.error)
    }

    /// Tells every file its present path: planned faults are found by path.
    fn retell_paths(&mut self) {
        for (path, id) in self.tree.files() {
            if let Some(file) = self.files.get_mut(&id) {
                file.path = path;
            }
        }
    }

    pub(super) fn crash(&mut self) {
        let pending = self.tree.pending();
        let kept = if pending == 0 { 0 } else { self.random() % (wide(pending) + 1) };
        self.tree.crash(narrow(kept));
        let alive: BTreeSet<u64> = self.tree.files().into_values().collect();
        self.files.retain(|id, _| alive.contains(id));
        self.retell_paths();
        let mut files = std::mem::take(&mut self.files);
        for file in files.values_mut() {
            self.crash_file(file);
        }
        self.files = files;
        self.boot += 1;
        self.power_left = None;
        self.rules.clear();
    }

    fn crash_file(&mut self, file: &mut File) {
        let mut after = file.stable.clone();
        if file.live.len() != after.len() && !file.dirty.is_empty() && self.random().is_multiple_of(2) {
            after.resize(file.live.len(), 0);
        }
        for sector in std::mem::take(&mut file.dirty) {
            let fate = self.random() % 4;
            for at in sector * SECTOR_BYTES..((sector + 1) * SECTOR_BYTES).min(after.len()) {
                let new = file.live.get(at).copied().unwrap_or(0);
                let garbage =
                    if fate == 3 { self.random().to_le_bytes().first().copied().unwrap_or(0) } else { 0 };
                if let Some(byte) = after.get_mut(at).filter(|byte| **byte != new) {
                    *byte = match fate {
                        0 => new,
                        1 => *byte,
                        _ => garbage,
                    };
                }
            }
        }
        file.live.clone_from(&after);
        file.stable = after;
    }

    pub(super) fn sync_file(&mut self, id: u64) {
        if let Some(file) = self.files.get_mut(&id) {
            file.stable.resize(file.live.len(), 0);
            for sector in std::mem::take(&mut file.dirty) {
                let range = sector * SECTOR_BYTES..((sector + 1) * SECTOR_BYTES).min(file.live.len());
                if let (Some(to), Some(from)) = (file.stable.get_mut(range.clone()), file.live.get(range)) {
                    to.copy_from_slice(from);
                }
            }
        }
    }
}
