//! What can go wrong with a snapshot, in sentences that name the file and what to do.
//!
//! Damage to a generation is mostly *not* an error of a call: `load` falls back and reports it in its
//! outcome. An error ends the call that met it. `NoSpace` is the one to wait out and try again; the others
//! need a human or a restart.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// An error of the snapshot store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk is full; nothing that was named is touched.
    #[error("no space left on the disk of {}; free some, the snapshot is tried again", path.display())]
    NoSpace {
        /// The file or directory that was being written.
        path: PathBuf,
    },
    /// The operating system refused something.
    #[error("could not {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// What the operating system answered.
        #[source]
        source: io::Error,
    },
    /// The snapshots belong to another engine.
    #[error(
        "{} was written by engine {found}, this is engine {expected}; give this engine its own data directory, \
         or restore the secrets the snapshots were made with", path.display()
    )]
    ForeignEngine {
        /// The file that says so.
        path: PathBuf,
        /// The engine named in it, in hex.
        found: String,
        /// This engine, in hex.
        expected: String,
    },
    /// A newer restockd wrote it, or one from before the first release; nothing is damaged.
    #[error(
        "{} is of version {found} and was written by {} restockd; this one reads version {read}: start the version that \
         wrote it, or give this one a data directory of its own", path.display(), age(*.found, *.read)
    )]
    Version {
        /// The file that says so.
        path: PathBuf,
        /// The version that it says.
        found: u32,
        /// The version that is read.
        read: u32,
    },
    /// A file does not hold what was written to it.
    #[error("{} is damaged: {what}; keep it aside and restore it from a backup if no other snapshot is good",
        path.display())]
    Damaged {
        /// The damaged file or directory.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// What was read back is not what was put.
    #[error("{} does not read back as it was written: {what}; it was not published", path.display())]
    ReadBack {
        /// The generation.
        path: PathBuf,
        /// The two facts that differ.
        what: String,
    },
    /// sled was to work on a disk that only this process knows.
    #[error("sled works on the machine's own file system only, and {} is not on it; use the flat backend",
        path.display())]
    NotTheMachine {
        /// The directory.
        path: PathBuf,
    },
    /// A backend failed or panicked.
    #[error("the {backend} backend failed in {}: {what}", path.display())]
    Backend {
        /// Which one.
        backend: &'static str,
        /// The directory it worked in.
        path: PathBuf,
        /// Its error or panic text.
        what: String,
    },
    /// A backend did not come back in time and was given up.
    #[error(
        "the work on {} did not end within {} s and was given up; restart before the next snapshot",
        path.display(), limit.as_secs()
    )]
    Hung {
        /// The directory it worked in.
        path: PathBuf,
        /// The limit it was given.
        limit: Duration,
    },
    /// A page or a meta field is outside what is accepted.
    #[error("{what} is refused: {reason}")]
    Refused {
        /// The page or field.
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// A round is already under way.
    #[error("a snapshot of {} is already being made; commit or drop it first", path.display())]
    Busy {
        /// The store's directory.
        path: PathBuf,
    },
    /// Whether an earlier commit is durable is unknown, so nothing may build on it.
    #[error("it is unknown whether the last snapshot in {} is durable; restart to find out", path.display())]
    Unsure {
        /// The store's directory.
        path: PathBuf,
    },
    /// The caller refused a page; what it has taken so far must be thrown away.
    #[error("a page of {} was refused: {reason}", path.display())]
    Sink {
        /// The generation.
        path: PathBuf,
        /// What the caller said.
        reason: String,
    },
    /// A verified generation failed while it was handed out; what was taken so far must be thrown away.
    #[error("{} failed while it was handed out, after it had been verified: {what}; start again", path.display())]
    Changed {
        /// The generation.
        path: PathBuf,
        /// What happened.
        what: String,
    },
}

impl StoreError {
    /// True when a newer restockd wrote what was read: nothing is damaged then.
    #[must_use]
    pub(crate) fn is_newer(&self) -> bool {
        matches!(self, Self::Version { found, read, .. } if found > read)
    }

    /// Wraps an error of the operating system; a full disk keeps its own name.
    pub(super) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        if no_space(&source) {
            return Self::NoSpace { path: path.to_path_buf() };
        }
        Self::Io { action, path: path.to_path_buf(), source }
    }

    /// Wraps what a backend said; a full disk is told by its words, for a panic has no kind.
    pub(super) fn backend(backend: &'static str, path: &Path, what: String) -> Self {
        if NO_SPACE_WORDS.iter().any(|words| what.contains(words)) {
            return Self::NoSpace { path: path.to_path_buf() };
        }
        Self::Backend { backend, path: path.to_path_buf(), what }
    }

    pub(super) fn damaged(path: &Path, what: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_path_buf(), what: what.into() }
    }

    pub(super) fn refused(what: &'static str, reason: impl Into<String>) -> Self {
        Self::Refused { what, reason: reason.into() }
    }
}

/// Which restockd wrote a file.
fn age(found: u32, read: u32) -> &'static str {
    if found > read { "a newer" } else { "an unreleased" }
}

const NO_SPACE_WORDS: [&str; 4] = ["StorageFull", "os error 28", "No space left", "QuotaExceeded"];

fn no_space(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_apart_in_every_voice() {
        let path = Path::new("gen-1.building");
        let error = StoreError::io("write", path, io::Error::from_raw_os_error(28));
        assert!(matches!(error, StoreError::NoSpace { .. }), "{error}");
        let panic = "called `Result::unwrap()` on an `Err` value: Io(Custom { kind: StorageFull })";
        assert!(matches!(StoreError::backend("sled", path, panic.into()), StoreError::NoSpace { .. }));
        assert!(matches!(StoreError::backend("sled", path, "bug".into()), StoreError::Backend { .. }));
    }
}
