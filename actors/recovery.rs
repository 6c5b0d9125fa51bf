//! From the disk back to the machines: the newest good generation, then the log after it.
//!
//! ```text
//! generation ──▶ directory, campaigns, lists ──▶ replay: each record whose number is newer than its author's state
//!            ──▶ open work that is not done ──▶ ready to spawn
//! ```
//!
//! The replay runs in parallel by author: no author's state depends on another's, and each author's records are applied in
//! the order of the log, so the result does not depend on the number of threads.
//!
//! Invariants: a gap in an author's numbers refuses the start, since a record is missing; nothing is guessed; the engine
//! never starts empty where there was something. Replay never reads a clock.

mod appliers;
mod batch;
mod lists;
mod replay;
#[cfg(test)]
mod tests;
mod work;

use std::sync::Arc;

use restockd_core::campaign::Campaigns;
use restockd_core::directory::{Directory, ListTask, OpenEvent};
use restockd_core::list::Invite;
use restockd_core::{ListId, Millis, ProductDetails};
use restockd_journal::disk::Disk;
use restockd_journal::snapshots::{Generations, LoadOutcome, StoreError};
use restockd_journal::wal::{self, Options, WalError};
use restockd_records::PackedList;

use lists::Lists;
use replay::Replayed;
use restockd_records::page::PageReader;

/// Why recovery failed.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    #[error(transparent)]
    Log(#[from] WalError),
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No generation is good, and the log does not reach back to the beginning.
    #[error("no snapshot can be used ({}) and the log does not hold everything; run `restockd check`", .0.join("; "))]
    NothingGood(Vec<String>, #[source] WalError),
    /// A verified snapshot does not read back, because of a bug or a foreign version.
    #[error("the snapshot does not fit this version of restockd: {0}")]
    Misfit(String),
    /// The threads of the replay could not be started.
    #[error("no thread for the replay: {0}; free some memory or raise the limit of processes")]
    Threads(#[source] std::io::Error),
    /// The newest record lies in the future.
    #[error(
        "the newest record is {ahead_s} s ahead of this machine's clock; set the clock right, or start with \
         --accept-clock if the record's time was wrong"
    )]
    Clock {
        /// By how many seconds.
        ahead_s: u64,
    },
}

/// A list's claim on a campaign that may not have heard of it.
pub struct CampaignClaim {
    pub list: ListId,
    /// The product's name, as the list knows it.
    pub product: Option<String>,
    /// What the last restock said of the product beyond its name.
    pub details: Option<ProductDetails>,
    pub invite: Invite,
    /// How many people of the audience the campaign does not know of.
    pub added: u32,
}

/// All that snapshots and log brought back.
pub struct RecoveredState {
    pub directory: Directory,
    pub campaigns: Campaigns,
    /// All lists, passivated.
    pub lists: Vec<(ListId, PackedList)>,
    /// Claims that the campaigns must be told again.
    pub claims: Vec<CampaignClaim>,
    /// What was found when the log was read.
    pub log: wal::LogRecovery,
    /// What was wrong with generations that were passed over.
    pub problems: Vec<String>,
}

/// Reads everything back. `directory` and `campaigns` come in empty, with their settings.
///
/// # Errors
/// On damage that only a person may decide about.
pub fn recover(
    disk: &Arc<dyn Disk>,
    options: &Options,
    generations: &Generations,
    mut directory: Directory,
    mut campaigns: Campaigns,
    now: Option<Millis>,
) -> Result<RecoveredState, RecoveryError> {
    let mut packed = Vec::new();
    let outcome = {
        let mut reader = PageReader::new(&mut directory, &mut campaigns, &mut packed);
        let outcome =
            generations.load(&mut |key, value| reader.read(key, value).map_err(|error| error.to_string()))?;
        reader.finish().map_err(|error| RecoveryError::Misfit(error.to_string()))?;
        outcome
    };
    let (from, durable, newest, problems) = match outcome {
        LoadOutcome::None => (1, 0, Millis(0), Vec::new()),
        LoadOutcome::Generation { meta, problems, .. } => {
            // After a clean stop the log may hold no record that tells the time.
            (meta.replay_from, meta.durable, Millis(meta.made_ms), problems)
        }
        LoadOutcome::AllBad { problems } => (1, 0, Millis(0), problems),
    };
    let workers = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(LIST_WORKERS_MAX));
    let lists = lists::distribute(packed, workers).map_err(RecoveryError::Misfit)?;
    let read = replay::replay(disk, options, (from, durable), directory, campaigns, lists);
    let replayed = match read {
        Err(RecoveryError::Log(error)) if from == 1 && !problems.is_empty() => {
            return Err(RecoveryError::NothingGood(problems, error));
        }
        read => read?,
    };
    let ahead = now.map_or(0, |now| replayed.newest.max(newest).since(now));
    if ahead > CLOCK_AHEAD_MS {
        return Err(RecoveryError::Clock { ahead_s: ahead / 1000 });
    }
    finish(replayed, problems)
}

/// How far the newest record may lie ahead of the clock.
const CLOCK_AHEAD_MS: u64 = 5 * 60_000;
/// More workers would only wait for the reader.
const LIST_WORKERS_MAX: usize = 8;

/// Finds what was left open, and passivates all lists.
fn finish(replayed: Replayed, problems: Vec<String>) -> Result<RecoveredState, RecoveryError> {
    let Replayed { log, mut directory, campaigns, mut lists, .. } = replayed;
    close_done(&mut directory, &mut lists).map_err(RecoveryError::Misfit)?;
    let rested = replay::all_at_once(lists, |lists| lists.pack_all(&campaigns))?;
    let (mut lists, mut claims) = (Vec::new(), Vec::new());
    for one in rested {
        let (mut at_rest, mut claimed) = one.map_err(RecoveryError::Misfit)?;
        if lists.is_empty() {
            lists = at_rest;
        } else {
            lists.append(&mut at_rest);
        }
        claims.append(&mut claimed);
    }
    claims.sort_by(|one, other| one.list.cmp(&other.list));
    Ok(RecoveredState { directory, campaigns, lists, claims, log, problems })
}

/// Removes from open events the tasks that their lists have done, and closes events that have none left; the remaining
/// tasks are sent again, in order. A list hears events in order, so what it has not done is a run at the end. It must not
/// hear done events again: it would take an old name or stock for a new one.
fn close_done(directory: &mut Directory, lists: &mut [Lists]) -> Result<(), String> {
    let mut answered = Vec::new();
    for (event, open) in directory.open() {
        let mut left = Vec::new();
        for (at, task) in open.tasks.iter().enumerate() {
            if !is_done(event, open, task, lists)? {
                left.push(at);
            }
        }
        if left.len() < open.tasks.len() {
            answered.push((event, left));
        }
    }
    answered.into_iter().for_each(|(event, left)| directory.leave_open(event, &left));
    Ok(())
}

/// Whether the list of a task has done it.
fn is_done(event: u64, open: &OpenEvent, task: &ListTask, lists: &mut [Lists]) -> Result<bool, String> {
    let Some(list) = lists::find(lists, task.list())? else { return Ok(false) };
    Ok(match task {
        ListTask::Change { .. } | ListTask::Move { .. } => list.passed(event),
        ListTask::Restock(fact) => {
            // Where the event also put somebody on the list, that record alone does not show that this task was done.
            let more = open.tasks.iter().filter(|other| other.list() == task.list()).count() > 1;
            let counts = fact.quantity.is_none_or(|quantity| quantity > 0);
            list.has_signal(fact.key) || (list.passed(event) && !(more && counts))
        }
    })
}
