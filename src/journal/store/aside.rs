//! Generations taken out of use by a repair: renamed, not removed, and gone 7 days after an engine first saw them.
//!
//! ```text
//! gen-8.broken-1                      set aside by a human's order; no reader looks at this name
//! gen-8.broken-1.seen-1772452800000   when an engine first saw it; 7 days later it is removed
//! ```
//!
//! It holds what people once said, so it must not stay for ever; and the name keeps the time because a file's own
//! times do not survive a backup.

use std::path::{Path, PathBuf};

use super::error::StoreError;
use super::files;
use super::generations::Generations;

const STAYS_MS: u64 = 7 * 24 * 3_600_000;
const BROKEN: &str = ".broken-";
const SEEN: &str = ".seen-";

impl Generations {
    /// Takes a generation out of use. Answers its new place.
    ///
    /// # Errors
    ///
    /// What the file system says.
    pub fn set_aside(&self, number: u64) -> Result<PathBuf, StoreError> {
        let disk = &*self.inner.disk;
        let from = self.inner.generation(number);
        let mut to = from.clone();
        for copy in 1_u64.. {
            to = self.inner.dir.join(format!("gen-{number}{BROKEN}{copy}"));
            if disk.stat(&to).is_err() {
                break;
            }
        }
        disk.rename(&from, &to).map_err(|e| StoreError::io("rename to", &to, e))?;
        files::sync_dir(disk, &self.inner.dir)?;
        Ok(to)
    }

    /// What was set aside, with the time at which an engine first saw it, if one has.
    #[must_use]
    pub fn set_aside_list(&self) -> Vec<(PathBuf, Option<u64>)> {
        let names = self.inner.disk.list(&self.inner.dir).unwrap_or_default();
        let found = names.into_iter().filter_map(|name| {
            let (_, rest) = name.split_once(BROKEN)?;
            let seen = rest.split_once(SEEN).and_then(|(_, at)| at.parse().ok());
            Some((self.inner.dir.join(&name), seen))
        });
        found.collect()
    }

    /// Notes the time on what is seen for the first time, removes what is old. What cannot be done is told.
    pub fn sweep_set_aside(&self, now_ms: u64) {
        let disk = &*self.inner.disk;
        for (path, seen) in self.set_aside_list() {
            let done = match seen {
                None => {
                    let mut name = path.clone().into_os_string();
                    name.push(format!("{SEEN}{now_ms}"));
                    disk.rename(&path, Path::new(&name)).map_err(|e| StoreError::io("rename", &path, e))
                }
                Some(seen) if now_ms.saturating_sub(seen) >= STAYS_MS => files::remove_dir(disk, &path),
                Some(_) => continue,
            };
            if let Err(error) = done.and_then(|()| files::sync_dir(disk, &self.inner.dir)) {
                tracing::warn!(%error, "a snapshot that was set aside cannot be looked after now");
            }
        }
    }
}
