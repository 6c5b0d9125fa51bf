//! Loading the newest good generation, or else the older one.
//!
//! ```text
//! for each candidate      glance: manifest, chain, engine, lengths
//!                         digest every file, copying in the same reading · open the copy
//!                         first pass: count, sum and digest must be the manifest's
//!     bad ─▶ its problem is named, the next candidate
//!     good ─▶ second pass: pages to the sink, counted again
//! ```
//!
//! The sink is called only in the second pass, so it never gets a page of a generation that turns out
//! damaged. A full disk, a foreign engine and a sink that refuses are not damage: they end the load with an
//! error.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::PoisonError;

use super::digest::Hash;
use super::error::StoreError;
use super::files::COPYING;
use super::generations::{Copied, Generations, Inner};
use super::inspect::{self, View};
use super::manifest::{Manifest, Meta};
use super::reader::Reader;

/// Takes a key and its page, or says why it refuses them.
pub type Sink<'a> = dyn FnMut(&[u8], &[u8]) -> Result<(), String> + 'a;

/// The result of a load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadOutcome {
    /// There never was a snapshot: no `CURRENT` and no generation.
    None,
    /// Every page of this generation went to the sink.
    Generation {
        number: u64,
        /// What the engine said about it. Replay goes on from `replay_from`, so the log must reach back to
        /// there.
        meta: Meta,
        /// Whether there is a newer generation that is damaged.
        older: bool,
        /// What is wrong with `CURRENT` and newer generations, naming files.
        problems: Vec<String>,
    },
    /// There are snapshots, but none is good; the sink got no page. Unless the log still reaches back to its
    /// first record, the start must be refused.
    AllBad {
        /// What is wrong, naming files.
        problems: Vec<String>,
    },
}

/// Why a generation was not loaded.
enum Failure {
    /// It is damaged: try the next.
    Bad(StoreError),
    /// Something else is wrong, which trying the next would hide.
    Stop(StoreError),
}

impl Generations {
    /// Verifies the newest good generation as a whole, then hands each of its pages to the sink, in key
    /// order.
    ///
    /// # Errors
    ///
    /// [`StoreError::ForeignEngine`] for snapshots of another engine, [`StoreError::NoSpace`] if there is no space
    /// for the copy that is opened, [`StoreError::Sink`] if the sink refuses a page, [`StoreError::Changed`]
    /// if the generation fails after it was verified. In the last two cases the sink must throw away what it
    /// took.
    pub fn load(&self, sink: &mut Sink<'_>) -> Result<LoadOutcome, StoreError> {
        let inner = &*self.inner;
        let _turn = inner.turn();
        if inner.scratch.is_some()
            && inner.disk.stat(&inner.dir).is_err_and(|error| error.kind() == ErrorKind::NotFound)
        {
            return Ok(LoadOutcome::None); // a start makes it
        }
        let view = View::read(&*inner.disk, &inner.dir)?;
        view.refuse_newer()?;
        let candidates = view.candidates();
        let mut problems: Vec<String> = view.current_problem(&inner.dir).into_iter().collect();
        if candidates.is_empty() && problems.is_empty() {
            return Ok(LoadOutcome::None);
        }
        for (index, &(number, expected)) in candidates.iter().enumerate() {
            let loaded = verify(inner, number, expected).and_then(|it| it.deliver_pages(sink));
            match loaded {
                Ok(meta) => {
                    *inner.loaded.lock().unwrap_or_else(PoisonError::into_inner) = Some(number);
                    return Ok(LoadOutcome::Generation { number, meta, older: index > 0, problems });
                }
                Err(Failure::Stop(error)) => return Err(error),
                Err(Failure::Bad(error)) => {
                    tracing::error!(snapshot.number = number, %error, "snapshot is not good");
                    inner.mark_bad(number);
                    problems.push(error.to_string());
                }
            }
        }
        Ok(LoadOutcome::AllBad { problems })
    }
}

/// A generation whose first pass agreed with its manifest.
struct Verified {
    // closed before its files are removed
    reader: Reader,
    _copy: Copied,
    manifest: Manifest,
    path: PathBuf,
}

fn verify(inner: &Inner, number: u64, expected: Option<Hash>) -> Result<Verified, Failure> {
    let path = inner.generation(number);
    let manifest = inspect::check_manifest(inner, number, expected).map_err(sort)?;
    manifest.backend.check(&*inner.disk, &path).map_err(Failure::Stop)?;
    let copy = Copied::of(inner, number, manifest.backend, manifest.bytes()).map_err(Failure::Stop)?;
    inspect::digest_files(&*inner.disk, &path, &manifest, copy.path()).map_err(sort)?;
    let opened = copy.path().unwrap_or(&path);
    let reader =
        Reader::start(&inner.disk, manifest.backend, opened, manifest.bytes()).map_err(Failure::Stop)?;
    let (tally, digest) = reader.verify().map_err(sort)?;
    if let Some(what) = tally.differs(&manifest.tally) {
        return Err(Failure::Bad(StoreError::damaged(&path, what)));
    }
    if digest != manifest.digest {
        return Err(Failure::Bad(StoreError::damaged(&path, "the digest of its sorted pages differs")));
    }
    Ok(Verified { reader, _copy: copy, manifest, path })
}

impl Verified {
    fn deliver_pages(self, sink: &mut Sink<'_>) -> Result<Meta, Failure> {
        let Self { reader, _copy, manifest, path } = self;
        let changed = |what: String| Failure::Stop(StoreError::Changed { path: path.clone(), what });
        let handed = reader.deliver_pages(|key, value| {
            sink(key, value).map_err(|reason| StoreError::Sink { path: path.clone(), reason })
        });
        match handed {
            Ok(found) if found == (manifest.tally, manifest.digest) => Ok(manifest.meta),
            Ok(_) => Err(changed("its second reading differs from its first".to_owned())),
            Err(refused @ StoreError::Sink { .. }) => Err(Failure::Stop(refused)),
            Err(error) => Err(changed(error.to_string())),
        }
    }
}

/// Tells damage from other errors.
fn sort(error: StoreError) -> Failure {
    match error {
        StoreError::NoSpace { .. } | StoreError::ForeignEngine { .. } | StoreError::Version { .. } => {
            Failure::Stop(error)
        }
        StoreError::Io { action, .. } if action == COPYING => Failure::Stop(error),
        other => Failure::Bad(other),
    }
}
