//! The store's directory: opened, cleaned, and asked what it keeps.
//!
//! Cleaning removes only what nothing can need: half-built directories, copies, `CURRENT.tmp`; and generations
//! that `CURRENT` does not name, but those only while `CURRENT` and all it names look whole. If they do not,
//! everything stays where it is for `load` and for a human.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::backend::Backend;
use super::building::{Building, Round};
use super::current::{self, Current};
use super::disk;
use super::error::StoreError;
use super::inspect::{self, GenerationInfo, View};
use super::text::hex;

const BUILDING: &str = ".building";
const COPY: &str = ".copy";

/// The generations in one directory, for one engine.
pub struct Generations {
    pub(super) inner: Arc<Inner>,
}

impl Generations {
    /// Opens the directory, making it if need be, and removes what a dead round left behind. New generations
    /// are written with `backend`; old ones are read with the one that wrote them.
    ///
    /// # Errors
    ///
    /// The directory cannot be made, read or cleaned, or its snapshots belong to another engine.
    pub fn open(dir: PathBuf, engine: [u8; 16], backend: Backend) -> Result<Self, StoreError> {
        if !dir.is_dir() {
            disk::make_dir(&dir)?;
            let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
            disk::sync_dir(parent.unwrap_or(Path::new(".")))?;
        }
        fs::set_permissions(&dir, Permissions::from_mode(0o700))
            .map_err(|e| StoreError::io("set the permissions of", &dir, e))?;
        let store = Self::look(dir, engine, backend);
        store.inner.clean()?;
        Ok(store)
    }

    /// A handle for looking only: makes, cleans and checks nothing. For `list` beside a running engine.
    #[must_use]
    pub fn look(dir: PathBuf, engine: [u8; 16], backend: Backend) -> Self {
        Self::handle(dir, engine, backend, None)
    }

    /// A handle for looking only that can also `load`: copies that are opened are made in `scratch`, and nothing in the
    /// store's directory changes.
    #[must_use]
    pub fn look_with(dir: PathBuf, engine: [u8; 16], scratch: PathBuf) -> Self {
        Self::handle(dir, engine, Backend::default(), Some(scratch))
    }

    fn handle(dir: PathBuf, engine: [u8; 16], backend: Backend, scratch: Option<PathBuf>) -> Self {
        let inner = Inner {
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

    /// Begins a round: a new generation that takes pages in any order.
    ///
    /// # Errors
    ///
    /// One is already under way, the disk is full, or an earlier commit ended in doubt.
    pub fn begin(&self) -> Result<Building, StoreError> {
        let inner = &self.inner;
        inner.refuse_when_unsure()?;
        if inner.busy.swap(true, Ordering::SeqCst) {
            return Err(StoreError::Busy { path: inner.dir.clone() });
        }
        // from here on the round's drop ends it
        let mut round = Round::new(Arc::clone(inner), 0, inner.dir.join("gen-0.building"));
        round.number = View::read(&inner.dir)?.next_number()?;
        round.dir = inner.dir.join(format!("gen-{}{BUILDING}", round.number));
        Building::start(round)
    }

    /// The lowest `replay_from` of the two retained generations: the log below it may go. `None` while there
    /// are not two that look whole (manifest and file lengths; content is checked by `load` and `list`).
    #[must_use]
    pub fn replay_floor(&self) -> Option<u64> {
        if self.inner.unsure.load(Ordering::SeqCst) {
            return None;
        }
        let current = View::read(&self.inner.dir).ok()?.current.ok()??;
        let [newest, previous] = [current.newest, current.previous?].map(|named| {
            let manifest = inspect::glance(&self.inner, named.number, Some(named.manifest)).ok()?;
            (!self.inner.is_bad(named.number)).then_some(manifest.meta.replay_from)
        });
        Some(newest?.min(previous?))
    }

    /// Every generation, the newest first, with each file's length and digest checked. Writes nothing.
    #[must_use]
    pub fn list(&self) -> Vec<GenerationInfo> {
        inspect::list(&self.inner)
    }

    /// Refuses snapshots of another engine, as [`Self::open`] does.
    ///
    /// # Errors
    ///
    /// `CURRENT` names another engine.
    pub fn check_owner(&self) -> Result<(), StoreError> {
        match Current::read(&self.inner.dir) {
            Ok(Some(current)) => {
                self.inner.refuse_foreign(current.engine, &self.inner.dir.join(current::FILE))
            }
            _ => Ok(()),
        }
    }

    /// The generation that the last `load` handed out.
    #[must_use]
    pub fn loaded(&self) -> Option<u64> {
        *self.inner.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is wrong with `CURRENT`, if anything: damaged, or absent though there are generations.
    #[must_use]
    pub fn current_problem(&self) -> Option<String> {
        match View::read(&self.inner.dir) {
            Err(StoreError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => None,
            Ok(view) => view.current_problem(&self.inner.dir),
            Err(error) => Some(error.to_string()),
        }
    }
}

/// What the handles of one store share.
pub(super) struct Inner {
    pub(super) dir: PathBuf,
    /// Where copies are made for opening, if not in `dir`.
    pub(super) scratch: Option<PathBuf>,
    /// The generation that the last load handed out.
    pub(super) loaded: Mutex<Option<u64>>,
    pub(super) engine: [u8; 16],
    pub(super) backend: Backend,
    /// A round is under way.
    pub(super) busy: AtomicBool,
    /// A sync of `dir` failed: what is durable is unknown.
    pub(super) unsure: AtomicBool,
    turn: Mutex<()>,
    bad: Mutex<BTreeSet<u64>>,
}

impl Inner {
    /// Where a generation lies once it has its name.
    pub(super) fn generation(&self, number: u64) -> PathBuf {
        self.dir.join(format!("gen-{number}"))
    }

    /// Loads and commits take turns, so that nothing is removed while it is read.
    pub(super) fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers that a generation's content was found damaged.
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
    pub(super) fn remove_unnamed(&self, current: &Current) -> Result<(), StoreError> {
        let numbers = View::read(&self.dir)?.numbers;
        for number in
            numbers.into_iter().filter(|&number| current.named().all(|named| named.number != number))
        {
            disk::remove_dir(&self.generation(number))?;
        }
        disk::sync_dir(&self.dir)
    }

    fn clean(&self) -> Result<(), StoreError> {
        let view = View::read(&self.dir)?;
        if let Ok(Some(current)) = &view.current {
            self.refuse_foreign(current.engine, &self.dir.join(current::FILE))?;
        }
        // a process that died after a rename may have left it in memory only
        disk::sync_dir(&self.dir)?;
        disk::remove_file(&self.dir.join(current::TMP))?;
        for name in &view.debris {
            disk::remove_dir(&self.dir.join(name))?;
        }
        match &view.current {
            Ok(Some(current))
                if current.named().all(|it| inspect::glance(self, it.number, Some(it.manifest)).is_ok()) =>
            {
                self.remove_unnamed(current)
            }
            _ => Ok(()),
        }
    }
}

/// A name in the store's directory.
pub(super) enum Name {
    Generation(u64),
    /// A building directory or a copy.
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

/// A directory for the copy that is opened in place of a generation, if its backend needs one; removed again.
pub(super) struct Copied(Option<PathBuf>);

impl Copied {
    pub(super) fn of(inner: &Inner, number: u64, backend: Backend, bytes: u64) -> Result<Self, StoreError> {
        if !backend.store().writes_on_open() {
            return Ok(Self(None));
        }
        // Looking asks for the room that a start would need, too: its verdict must be the start's.
        disk::room(&inner.dir, bytes)?;
        let place = inner.scratch.as_deref().unwrap_or(&inner.dir);
        disk::room(place, bytes)?;
        let dir = place.join(format!("gen-{number}{COPY}"));
        disk::remove_dir(&dir)?;
        disk::make_dir(&dir)?;
        Ok(Self(Some(dir)))
    }

    pub(super) fn path(&self) -> Option<&Path> {
        self.0.as_deref()
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.0.as_deref().map(disk::remove_dir) {
            tracing::warn!(%error, "a copy of a snapshot is removed at the next start");
        }
    }
}
