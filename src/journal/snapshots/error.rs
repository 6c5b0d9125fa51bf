//! The errors of snapshots, in sentences that name the file and what to do.
//!
//! Damage to a generation is usually not an error of a call: `load` falls back to the older generation and
//! reports the damage in its outcome. After `NoSpace` the call can be tried again later; the other errors
//! need a human or a restart.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why a snapshot cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk is full. No published generation was touched.
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
        /// The file or directory concerned.
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The snapshots belong to another engine.
    #[error(
        "{} was written by engine {found}, this is engine {expected}; give this engine its own data directory, \
         or restore the secrets the snapshots were made with", path.display()
    )]
    ForeignEngine {
        /// The file that names the engine.
        path: PathBuf,
        /// The engine that it names, in hex.
        found: String,
        /// This engine, in hex.
        expected: String,
    },
    /// It was written by a newer restockd, or by one from before the first release; nothing is damaged.
    #[error(
        "{} is of version {found} and was written by {} restockd; this one reads version {read}: start the version that \
         wrote it, or give this one a data directory of its own", path.display(), age(*.found, *.read)
    )]
    Version {
        /// The file that names the version.
        path: PathBuf,
        /// The version that it names.
        found: u32,
        /// The version that this build reads.
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
        path: PathBuf,
        /// The two values that differ.
        what: String,
    },
    /// sled was asked to work on a simulated disk.
    #[error("sled works on the machine's own file system only, and {} is not on it; use the flat backend",
        path.display())]
    NotTheMachine { path: PathBuf },
    /// A backend failed or panicked.
    #[error("the {backend} backend failed in {}: {what}", path.display())]
    Backend {
        backend: &'static str,
        /// The directory in which it worked.
        path: PathBuf,
        /// Its error, or the message of its panic.
        what: String,
    },
    /// A backend did not finish in time and was abandoned.
    #[error(
        "the work on {} did not end within {} s and was given up; restart before the next snapshot",
        path.display(), limit.as_secs()
    )]
    Hung {
        /// The directory in which it worked.
        path: PathBuf,
        /// The time that it had.
        limit: Duration,
    },
    /// A page or a field of the meta is not acceptable.
    #[error("{what} is refused: {reason}")]
    Refused {
        /// The page or field.
        what: &'static str,
        reason: String,
    },
    /// Another generation is being made.
    #[error("a snapshot of {} is already being made; commit or drop it first", path.display())]
    Busy {
        /// The directory of the snapshots.
        path: PathBuf,
    },
    /// It is unknown whether an earlier commit is durable, so nothing may build on it.
    #[error("it is unknown whether the last snapshot in {} is durable; restart to find out", path.display())]
    Unsure {
        /// The directory of the snapshots.
        path: PathBuf,
    },
    /// The caller refused a page. What it has taken so far must be thrown away.
    #[error("a page of {} was refused: {reason}", path.display())]
    Sink {
        path: PathBuf,
        /// The caller's reason.
        reason: String,
    },
    /// A verified generation failed while it was handed out. What the caller has taken so far must be thrown
    /// away.
    #[error("{} failed while it was handed out, after it had been verified: {what}; start again", path.display())]
    Changed {
        path: PathBuf,
        /// What happened.
        what: String,
    },
}

impl StoreError {
    /// Whether a newer restockd wrote the file; then nothing is damaged.
    #[must_use]
    pub(crate) fn is_newer(&self) -> bool {
        matches!(self, Self::Version { found, read, .. } if found > read)
    }

    /// Wraps an error of the operating system; a full disk gets its own sentence.
    pub(super) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        if no_space(&source) {
            return Self::NoSpace { path: path.to_path_buf() };
        }
        Self::Io { action, path: path.to_path_buf(), source }
    }

    /// Wraps an error of a backend. A full disk is recognised by the words, since a panic has no error kind.
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

/// Which restockd wrote a file, in words.
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
