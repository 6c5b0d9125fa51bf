//! Quarantine: damaged files and directories that were taken out of use, and copies of what was cut from
//! them.
//!
//! ```text
//!   00000000000000000041.wal.broken-1                       made by a start or a repair; no reader looks at it
//!   00000000000000000041.wal.broken-1.seen-1772452800000    the time when an engine first saw it, as part of the name
//!   gen-8.broken-1.seen-1772452800000                       a directory as well
//!                                                           7 days later ──> removed
//! ```
//!
//! These files hold data about people, so they do not stay for ever. The time is in the name because a backup
//! loses the times of a file and a rename sets them. So each stays for at least 7 days in which an engine was
//! there to see it, whoever made it and however old it is.

use std::io;
use std::path::{Path, PathBuf};

use crate::disk::{Disk, FileKind};

/// How long something stays after an engine first saw it, in milliseconds.
pub(crate) const QUARANTINE_MS: u64 = 7 * 24 * 3_600_000;

const BROKEN: &str = ".broken-";
const SEEN: &str = ".seen-";

/// A file or directory in quarantine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    pub path: PathBuf,
    /// When an engine first saw it, in milliseconds since 1970; `None`: not yet.
    pub seen_ms: Option<u64>,
}

/// Everything in quarantine in a directory; nothing if there is no such directory.
///
/// # Errors
///
/// If the directory cannot be read.
pub fn quarantined(disk: &dyn Disk, dir: &Path) -> io::Result<Vec<Quarantined>> {
    let names = match disk.list(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        names => names?,
    };
    let found = names.iter().filter_map(|name| {
        let (_, rest) = name.split_once(BROKEN)?;
        let seen_ms = rest.split_once(SEEN).and_then(|(_, at)| at.parse().ok());
        Some(Quarantined { path: dir.join(name), seen_ms })
    });
    Ok(found.collect())
}

/// The first name in quarantine that is free for a file or directory.
pub(crate) fn free_name(disk: &dyn Disk, dir: &Path, path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let taken = disk.list(dir)?;
    let mut number = 1_u64;
    loop {
        let candidate = format!("{name}{BROKEN}{number}");
        if !taken.contains(&candidate) {
            return Ok(dir.join(candidate));
        }
        number += 1;
    }
}

/// Adds the time to names that are seen for the first time, and removes what is old. What fails is logged and
/// tried again at the next sweep; nothing in quarantine may stop the engine.
pub(crate) fn sweep(disk: &dyn Disk, dir: &Path, now_ms: u64) {
    let mut changed = false;
    for held in quarantined(disk, dir).unwrap_or_default() {
        let done = match held.seen_ms {
            None => {
                let mut name = held.path.clone().into_os_string();
                name.push(format!("{SEEN}{now_ms}"));
                disk.rename(&held.path, Path::new(&name))
            }
            Some(seen) if now_ms.saturating_sub(seen) >= QUARANTINE_MS => {
                tracing::info!(path = %held.path.display(), "what was in quarantine for 7 days is removed");
                remove(disk, &held.path)
            }
            Some(_) => continue,
        };
        changed = true;
        if let Err(error) = done {
            tracing::warn!(path = %held.path.display(), %error, "what is in quarantine cannot be looked after now");
        }
    }
    if changed && let Err(error) = disk.sync_dir(dir) {
        tracing::warn!(dir = %dir.display(), %error, "a change in quarantine may not be durable yet");
    }
}

fn remove(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    match disk.stat(path)?.kind {
        FileKind::Dir => disk.remove_dir_all(path),
        FileKind::File | FileKind::Other => disk.remove(path),
    }
}
