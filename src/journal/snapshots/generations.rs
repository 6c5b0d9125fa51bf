//! The directory of the snapshots: opening it, cleaning it, and what it holds.
//!
//! Cleaning removes only what cannot be needed: half-made directories, copies, `CURRENT.tmp`, and generations
//! that `CURRENT` does not name. The latter go only if `CURRENT` and all that it names look whole; otherwise
//! everything stays for `load` and for a human.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::backend::Backend;
use super::building::{Building, Round};
use super::error::StoreError;
use super::files;
use super::inspect::{self, GenerationInfo, View};
use super::pointer::{self, CurrentPointer};
use super::text::hex;
use crate::disk::Disk;
use crate::quarantine;

const BUILDING: &str = ".building";
const COPY: &str = ".copy";

/// The generations in one directory, for one engine.
pub struct Generations {
    pub(super) inner: Arc<Inner>,
}

impl Generations {
    /// Opens the directory, makes it if need be, and removes what an unfinished generation left behind. New
    /// generations are written with `backend`; existing ones are read with the backend that wrote them.
    ///
    /// # Errors
    ///
    /// If the directory cannot be made, read or cleaned, or [`StoreError::ForeignEngine`] if the snapshots belong
    /// to another engine.
    pub fn open(
        disk: Arc<dyn Disk>,
        dir: PathBuf,
        engine: [u8; 16],
        backend: Backend,
    ) -> Result<Self, StoreError> {
        backend.check(&*disk, &dir)?;
        if disk.stat(&dir).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            files::make_dir(&*disk, &dir)?;
            let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
            files::sync_dir(&*disk, parent.unwrap_or(Path::new(".")))?;
        }
        disk.make_private(&dir).map_err(|e| StoreError::io("set the permissions of", &dir, e))?;
        let store = Self::look(disk, dir, engine, backend);
        store.inner.clean()?;
        Ok(store)
    }

    /// A handle that only looks: it makes, cleans and checks nothing. For `list` beside a running engine.
    #[must_use]
    pub fn look(disk: Arc<dyn Disk>, dir: PathBuf, engine: [u8; 16], backend: Backend) -> Self {
        Self::handle(disk, dir, engine, backend, None)
    }

    /// A handle that only looks but can also `load`. Copies for opening are made in `scratch`, on the same
    /// disk, and nothing in the directory itself changes.
    #[must_use]
    pub fn look_with(disk: Arc<dyn Disk>, dir: PathBuf, engine: [u8; 16], scratch: PathBuf) -> Self {
        Self::handle(disk, dir, engine, Backend::default(), Some(scratch))
    }

    fn handle(
        disk: Arc<dyn Disk>,
        dir: PathBuf,
        engine: [u8; 16],
        backend: Backend,
        scratch: Option<PathBuf>,
    ) -> Self {
        let inner = Inner {
            disk,
            dir,
            scratch,
            loaded: Mutex::new(None),
            engine,
            backend,
            busy: AtomicBool::new(false),
            unsure: AtomicBool::new(false),
            turn: Mutex::new(()),
            bad: Mutex::new(BTreeSet::new()),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Begins a new generation, which takes pages in any order.
    ///
    /// # Errors
    ///
    /// [`StoreError::Busy`] if another one is being made, [`StoreError::NoSpace`] if the disk is full,
    /// [`StoreError::Unsure`] if it is unknown whether an earlier commit is durable.
    pub fn begin(&self) -> Result<Building, StoreError> {
        let inner = &self.inner;
        inner.refuse_when_unsure()?;
        if inner.busy.swap(true, Ordering::SeqCst) {
            return Err(StoreError::Busy { path: inner.dir.clone() });
        }
        // from here on, dropping the round ends it
        let mut round = Round::new(Arc::clone(inner), 0, inner.dir.join("gen-0.building"));
        round.number = View::read(&*inner.disk, &inner.dir)?.next_number()?;
        round.dir = inner.building(round.number);
        Building::start(round)
    }

    /// The lowest `replay_from` of the newest two generations; the log below it is no longer needed. `None`
    /// unless there are two that look whole (manifest and file lengths; `load` and `list` check the
    /// contents).
    #[must_use]
    pub fn replay_floor(&self) -> Option<u64> {
        if self.inner.unsure.load(Ordering::SeqCst) {
            return None;
        }
        let current = View::read(&*self.inner.disk, &self.inner.dir).ok()?.current.ok()??;
        let [newest, previous] = [current.newest, current.previous?].map(|named| {
            let manifest = inspect::check_manifest(&self.inner, named.number, Some(named.manifest)).ok()?;
            (!self.inner.is_bad(named.number)).then_some(manifest.meta.replay_from)
        });
        Some(newest?.min(previous?))
    }

    /// Every generation, the newest first, with the length and digest of each file checked. Writes nothing.
    #[must_use]
    pub fn list(&self) -> Vec<GenerationInfo> {
        inspect::list(&self.inner)
    }

    /// Refuses snapshots of another engine, as [`Self::open`] does.
    ///
    /// # Errors
    ///
    /// [`StoreError::ForeignEngine`] if `CURRENT` names another engine.
    pub fn check_owner(&self) -> Result<(), StoreError> {
        match CurrentPointer::read(&*self.inner.disk, &self.inner.dir) {
            Ok(Some(current)) => {
                self.inner.refuse_foreign(current.engine, &self.inner.dir.join(pointer::FILE))
            }
            _ => Ok(()),
        }
    }

    /// The generation that the last `load` handed out.
    #[must_use]
    pub fn loaded(&self) -> Option<u64> {
        *self.inner.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// If a newer restockd wrote `CURRENT`: a sentence with the two versions.
    #[must_use]
    pub fn newer(&self) -> Option<String> {
        let view = View::read(&*self.inner.disk, &self.inner.dir).ok()?;
        view.refuse_newer().err().map(|error| error.to_string())
    }

    /// What is wrong with `CURRENT`: damaged, or missing although there are generations. `None`: nothing.
    #[must_use]
    pub fn current_problem(&self) -> Option<String> {
        match View::read(&*self.inner.disk, &self.inner.dir) {
            Err(StoreError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => None,
            Ok(view) => view.current_problem(&self.inner.dir),
            Err(error) => Some(error.to_string()),
        }
    }
}

impl Generations {
    /// Puts a generation into quarantine; returns its new path.
    ///
    /// # Errors
    ///
    /// If it cannot be renamed or the directory cannot be synced.
    pub fn set_aside(&self, number: u64) -> Result<PathBuf, StoreError> {
        let (disk, dir) = (&*self.inner.disk, &self.inner.dir);
        let from = self.inner.generation(number);
        let to = quarantine::free_name(disk, dir, &from).map_err(|e| StoreError::io("list", dir, e))?;
        disk.rename(&from, &to).map_err(|e| StoreError::io("rename to", &to, e))?;
        files::sync_dir(disk, dir)?;
        Ok(to)
    }

    /// Removes the generations that were first seen in quarantine 7 days before `now_ms` (milliseconds since
    /// 1970).
    pub fn sweep_quarantine(&self, now_ms: u64) {
        quarantine::sweep(&*self.inner.disk, &self.inner.dir, now_ms);
    }
}

/// What the handles of one directory share.
pub(super) struct Inner {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) dir: PathBuf,
    /// Where copies for opening are made; `None`: in `dir`.
    pub(super) scratch: Option<PathBuf>,
    /// The generation that the last load handed out.
    pub(super) loaded: Mutex<Option<u64>>,
    pub(super) engine: [u8; 16],
    pub(super) backend: Backend,
    /// Whether a generation is being made.
    pub(super) busy: AtomicBool,
    /// Whether a sync of `dir` failed, so that it is unknown what is durable.
    pub(super) unsure: AtomicBool,
    turn: Mutex<()>,
    bad: Mutex<BTreeSet<u64>>,
}

impl Inner {
    /// The directory of a generation.
    pub(super) fn generation(&self, number: u64) -> PathBuf {
        self.dir.join(format!("gen-{number}"))
    }

    /// The directory of a generation while it is being made.
    pub(super) fn building(&self, number: u64) -> PathBuf {
        self.dir.join(format!("gen-{number}{BUILDING}"))
    }

    /// Loads and commits take turns, so that nothing is removed while it is read.
    pub(super) fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers that the content of a generation is damaged.
    pub(super) fn mark_bad(&self, number: u64) {
        self.bad.lock().unwrap_or_else(PoisonError::into_inner).insert(number);
    }

    pub(super) fn is_bad(&self, number: u64) -> bool {
        self.bad.lock().unwrap_or_else(PoisonError::into_inner).contains(&number)
    }

    pub(super) fn refuse_when_unsure(&self) -> Result<(), StoreError> {
        let unsure = self.unsure.load(Ordering::SeqCst);
        if unsure { Err(StoreError::Unsure { path: self.dir.clone() }) } else { Ok(()) }
    }

    /// Refuses data of another engine.
    pub(super) fn refuse_foreign(&self, found: [u8; 16], path: &Path) -> Result<(), StoreError> {
        if found == self.engine {
            return Ok(());
        }
        let (found, expected) = (hex(&found), hex(&self.engine));
        Err(StoreError::ForeignEngine { path: path.to_path_buf(), found, expected })
    }

    /// Removes the generations that `CURRENT` does not name.
    pub(super) fn remove_unnamed(&self, current: &CurrentPointer) -> Result<(), StoreError> {
        let numbers = View::read(&*self.disk, &self.dir)?.numbers;
        for number in
            numbers.into_iter().filter(|&number| current.named().all(|named| named.number != number))
        {
            files::remove_dir(&*self.disk, &self.generation(number))?;
        }
        files::sync_dir(&*self.disk, &self.dir)
    }

    fn clean(&self) -> Result<(), StoreError> {
        let view = View::read(&*self.disk, &self.dir)?;
        if let Ok(Some(current)) = &view.current {
            self.refuse_foreign(current.engine, &self.dir.join(pointer::FILE))?;
        }
        // if the process died after a rename, that rename may be in memory only
        files::sync_dir(&*self.disk, &self.dir)?;
        files::remove_file(&*self.disk, &self.dir.join(pointer::TMP))?;
        for name in &view.debris {
            files::remove_dir(&*self.disk, &self.dir.join(name))?;
        }
        match &view.current {
            Ok(Some(current))
                if current
                    .named()
                    .all(|it| inspect::check_manifest(self, it.number, Some(it.manifest)).is_ok()) =>
            {
                self.remove_unnamed(current)
            }
            _ => Ok(()),
        }
    }
}

/// The meaning of a name in the directory.
pub(super) enum Name {
    Generation(u64),
    /// A half-made generation or a copy.
    Debris(u64),
}

impl Name {
    pub(super) fn parse(name: &str) -> Option<Self> {
        let rest = name.strip_prefix("gen-")?;
        let debris = rest.strip_suffix(BUILDING).or_else(|| rest.strip_suffix(COPY));
        let digits = debris.unwrap_or(rest);
        let number: u64 = digits.parse().ok().filter(|number: &u64| number.to_string() == digits)?;
        Some(if debris.is_some() { Self::Debris(number) } else { Self::Generation(number) })
    }
}

/// The copy that is opened in place of a generation, if its backend needs one. Removed when dropped.
pub(super) struct Copied(Option<(Arc<dyn Disk>, PathBuf)>);

impl Copied {
    pub(super) fn of(inner: &Inner, number: u64, backend: Backend, bytes: u64) -> Result<Self, StoreError> {
        if !backend.store().writes_on_open() {
            return Ok(Self(None));
        }
        let disk = &inner.disk;
        // A check asks for the same room as a start, since it must give the same verdict.
        files::room(&**disk, &inner.dir, bytes)?;
        let place = inner.scratch.as_deref().unwrap_or(&inner.dir);
        files::room(&**disk, place, bytes)?;
        let dir = place.join(format!("gen-{number}{COPY}"));
        files::remove_dir(&**disk, &dir)?;
        files::make_dir(&**disk, &dir)?;
        Ok(Self(Some((Arc::clone(disk), dir))))
    }

    pub(super) fn path(&self) -> Option<&Path> {
        self.0.as_ref().map(|(_, dir)| dir.as_path())
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.0.as_ref().map(|(disk, dir)| files::remove_dir(&**disk, dir)) {
            tracing::warn!(%error, "a copy of a snapshot is removed at the next start");
        }
    }
}
