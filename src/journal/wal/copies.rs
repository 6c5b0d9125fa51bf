//! Copies of what was cut (`*.broken-N`): they hold what people once said, so they do not stay for ever.
//!
//! ```text
//!   00000000000000000041.wal.broken-1                       made by a start or by a repair
//!   00000000000000000041.wal.broken-1.seen-1772452800000    when an engine first saw it, in its own name
//!                                                           7 days later ──> removed
//! ```
//!
//! Why the name: a file's times are lost by a backup and set by a rename; the name stays. So a copy stays for at least
//! 7 days of an engine that runs, whoever made it and however old the file in it is.

use std::path::{Path, PathBuf};

use super::error::WalError;
use crate::disk::Disk;

/// How long a copy stays once an engine has seen it.
pub const COPY_STAYS_MS: u64 = 7 * 24 * 3_600_000;

const BROKEN: &str = ".broken-";
const SEEN: &str = ".seen-";

/// A copy of something that was cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenCopy {
    /// Where it lies.
    pub path: PathBuf,
    /// When an engine first saw it, in milliseconds since 1970; none has yet where this is `None`.
    pub seen_ms: Option<u64>,
}

/// All copies in the log's directory.
///
/// # Errors
///
/// What the file system says; a directory that is not there has none.
pub fn copies(disk: &dyn Disk, dir: &Path) -> Result<Vec<BrokenCopy>, WalError> {
    let names = match disk.list(dir) {
        Ok(names) => names,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(WalError::io("list", dir, error)),
    };
    let copies = names.iter().filter_map(|name| {
        let (_, rest) = name.split_once(BROKEN)?;
        let seen_ms = rest.split_once(SEEN).and_then(|(_, at)| at.parse().ok());
        Some(BrokenCopy { path: dir.join(name), seen_ms })
    });
    Ok(copies.collect())
}

/// Notes the time on copies seen for the first time and removes those that are old. What cannot be done now is told
/// and tried again at the next look: a copy is no reason to stop.
pub(super) fn sweep(disk: &dyn Disk, dir: &Path, now_ms: u64) {
    let mut changed = false;
    for copy in copies(disk, dir).unwrap_or_default() {
        let done = match copy.seen_ms {
            None => {
                let mut name = copy.path.clone().into_os_string();
                name.push(format!("{SEEN}{now_ms}"));
                disk.rename(&copy.path, Path::new(&name))
            }
            Some(seen) if now_ms.saturating_sub(seen) >= COPY_STAYS_MS => {
                tracing::info!(file = %copy.path.display(), "a copy of a cut tail is 7 days old and goes");
                disk.remove(&copy.path)
            }
            Some(_) => continue,
        };
        changed = true;
        if let Err(error) = done {
            tracing::warn!(file = %copy.path.display(), %error, "a copy of a cut tail cannot be looked after now");
        }
    }
    if changed && let Err(error) = disk.sync_dir(dir) {
        tracing::warn!(dir = %dir.display(), %error, "the removal of copies may not be durable yet");
    }
}
