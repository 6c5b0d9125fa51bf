//! The names on a simulated disk: directories that hold files and directories, live and stable.
//!
//! ```text
//!   change ──> live names ──────────────────────────> what a reader sees
//!      └─────> pending, in order ──sync of the dir──> stable names, what a crash leaves
//! ```
//!
//! A directory is an object of its own with a name in its parent, as a file is. So a renamed directory keeps its contents,
//! synced or not, and a directory whose own name was not synced is lost with everything in it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

/// The number of the root directory, which always exists.
pub(super) const ROOT: u64 = 0;

type Names = BTreeMap<String, Node>;
/// A directory and a name in it.
pub(super) type Place = (u64, String);

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Node {
    File(u64),
    Dir(u64),
}

/// One change of the names.
#[derive(Debug, Clone)]
pub(super) enum NameChange {
    Set(Place, Node),
    Rename(Place, Place),
    Remove(Place),
}

#[derive(Debug, Clone, Default)]
struct Dir {
    live: Names,
    stable: Names,
}

/// All directories, by number.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    dirs: BTreeMap<u64, Dir>,
    pending: Vec<NameChange>,
}

impl Tree {
    pub(super) fn new() -> Self {
        Self { dirs: BTreeMap::from([(ROOT, Dir::default())]), pending: Vec::new() }
    }

    /// Adds an empty directory that is about to be named.
    pub(super) fn add(&mut self, dir: u64) {
        self.dirs.insert(dir, Dir::default());
    }

    pub(super) fn node(&self, path: &Path) -> Option<Node> {
        let mut node = Node::Dir(ROOT);
        for name in parts(path) {
            let Node::Dir(dir) = node else { return None };
            node = *self.dirs.get(&dir)?.live.get(&name)?;
        }
        Some(node)
    }

    pub(super) fn dir(&self, path: &Path) -> Option<u64> {
        match self.node(path)? {
            Node::Dir(dir) => Some(dir),
            Node::File(_) => None,
        }
    }

    /// Where a name is or would be; `None` when its directory does not exist.
    pub(super) fn place(&self, path: &Path) -> Option<Place> {
        let name = parts(path).pop()?;
        Some((self.dir(path.parent()?)?, name))
    }

    /// The contents of a directory, sorted by name.
    pub(super) fn list(&self, dir: u64) -> Vec<(String, Node)> {
        let live = self.dirs.get(&dir).map(|dir| &dir.live);
        live.into_iter().flatten().map(|(name, node)| (name.clone(), *node)).collect()
    }

    /// Every file that a reader sees, by path.
    pub(super) fn files(&self) -> BTreeMap<PathBuf, u64> {
        let mut files = BTreeMap::new();
        let mut open = vec![(PathBuf::from("/"), ROOT)];
        while let Some((path, dir)) = open.pop() {
            for (name, node) in self.list(dir) {
                match node {
                    Node::File(id) => drop(files.insert(path.join(name), id)),
                    Node::Dir(dir) => open.push((path.join(name), dir)),
                }
            }
        }
        files
    }

    /// Changes what a reader sees; a sync makes it durable.
    pub(super) fn change(&mut self, change: NameChange) {
        self.apply(&change, |dir| &mut dir.live);
        self.pending.push(change);
    }

    /// Names something durably at once.
    pub(super) fn put(&mut self, place: Place, node: Node) {
        let change = NameChange::Set(place, node);
        self.apply(&change, |dir| &mut dir.live);
        self.apply(&change, |dir| &mut dir.stable);
    }

    /// Makes the changes in one directory durable, or those in all.
    pub(super) fn sync(&mut self, dir: Option<u64>) {
        let (now, later) = std::mem::take(&mut self.pending).into_iter().partition(|change| {
            let (NameChange::Set(place, _) | NameChange::Rename(_, place) | NameChange::Remove(place)) =
                change;
            dir.is_none_or(|dir| place.0 == dir)
        });
        let now: Vec<NameChange> = now;
        now.iter().for_each(|change| self.apply(change, |dir| &mut dir.stable));
        self.pending = later;
    }

    pub(super) fn pending(&self) -> usize {
        self.pending.len()
    }

    /// The power goes: the first few of the pending changes are kept, and what has no name then is gone.
    pub(super) fn crash(&mut self, kept: usize) {
        for change in std::mem::take(&mut self.pending).iter().take(kept) {
            self.apply(change, |dir| &mut dir.stable);
        }
        for dir in self.dirs.values_mut() {
            dir.live = dir.stable.clone();
        }
        let mut alive = BTreeSet::from([ROOT]);
        let mut open = vec![ROOT];
        while let Some(dir) = open.pop() {
            for (_, node) in self.list(dir) {
                if let Node::Dir(dir) = node
                    && alive.insert(dir)
                {
                    open.push(dir);
                }
            }
        }
        self.dirs.retain(|dir, _| alive.contains(dir));
    }

    fn apply(&mut self, change: &NameChange, which: impl Fn(&mut Dir) -> &mut Names) {
        let mut set = |place: &Place, node: Option<Node>| {
            let names = which(self.dirs.get_mut(&place.0)?);
            match node {
                Some(node) => names.insert(place.1.clone(), node),
                None => names.remove(&place.1),
            }
        };
        match change {
            NameChange::Set(place, node) => drop(set(place, Some(*node))),
            NameChange::Remove(place) => drop(set(place, None)),
            NameChange::Rename(from, to) => {
                if let Some(node) = set(from, None) {
                    set(to, Some(node));
                }
            }
        }
    }
}

/// The names along a path; a relative path begins at the root too.
fn parts(path: &Path) -> Vec<String> {
    let normal = path.components().filter(|part| matches!(part, Component::Normal(_)));
    normal.map(|part| part.as_os_str().to_string_lossy().into_owned()).collect()
}
