//! From the disk back to the machines: newest good generation, then the log after it.
//!
//! ```text
//! generation ──▶ directory, campaigns, lists ──▶ replay: each record whose author's counter is
//! newer than its author's state ──▶ what was open and is not done ──▶ ready to spawn
//! ```
//!
//! The replay runs in parallel by author (`crew`): no author's state depends on another's, and
//! each author's records are taken in the order of the log, so the outcome does not depend on how
//! many work on it.
//!
//! Invariants: a counter that jumps refuses to start (a record is missing); nothing is guessed;
//! never "start empty" where there was something. Replay never reads a clock.

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

/// Why the engine does not start.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// The log.
    #[error(transparent)]
    Log(#[from] WalError),
    /// The snapshots.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Both generations are damaged and the log does not reach back to the beginning.
    #[error("no snapshot can be used ({}) and the log does not hold everything; run `restockd check`", .0.join("; "))]
    NothingGood(Vec<String>, #[source] WalError),
    /// A verified snapshot does not read back: a bug or a foreign version.
    #[error("the snapshot does not fit this version of restockd: {0}")]
    Misfit(String),
    /// The threads of the replay.
    #[error("no thread for the replay: {0}; free some memory or raise the limit of processes")]
    Threads(#[source] std::io::Error),
    /// The newest record lies in the future.
    #[error(
        "the newest record is {ahead_s} s ahead of this machine's clock; set the clock right, or start with \
         --accept-clock if the record's time was wrong"
    )]
    Clock {
        /// By how much.
        ahead_s: u64,
    },
}

/// A claim of a list on a campaign that may not have heard of it.
pub struct CampaignClaim {
    /// The list.
    pub list: ListId,
    /// The product's name, as the list knows it.
    pub product: Option<String>,
    /// What the last restock said of it beyond that.
    pub details: Option<ProductDetails>,
    /// The claim.
    pub invite: Invite,
    /// How many of the audience the campaign does not know of.
    pub added: u32,
}

/// All that came back.
pub struct RecoveredState {
    /// People.
    pub directory: Directory,
    /// Campaigns.
    pub campaigns: Campaigns,
    /// Lists, at rest.
    pub lists: Vec<(ListId, PackedList)>,
    /// What campaigns must be told again.
    pub claims: Vec<CampaignClaim>,
    /// What the log said.
    pub log: wal::LogRecovery,
    /// What was wrong with snapshots that were passed over.
    pub problems: Vec<String>,
}

/// Reads everything back. `directory` and `campaigns` come empty, with their settings.
///
/// # Errors
/// When there is damage that only a human may judge.
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
    let lists = lists::deal(packed, workers).map_err(RecoveryError::Misfit)?;
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
/// More workers than this would wait for the one that reads.
const LIST_WORKERS_MAX: usize = 8;

/// Finds what was left open, and puts all lists to rest.
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

/// Takes from open events what their lists have done, and closes those that nothing is left of; the rest is sent
/// again, in order. A list hears events in order, so what it has not passed is a run at the end; what it has passed it
/// must not hear again, for it would take an old name or stock for news.
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

/// True when the list of a task of an open event has done it.
fn is_done(event: u64, open: &OpenEvent, task: &ListTask, lists: &mut [Lists]) -> Result<bool, String> {
    let Some(list) = lists::find(lists, task.list())? else { return Ok(false) };
    Ok(match task {
        ListTask::Change { .. } | ListTask::Move { .. } => list.passed(event),
        ListTask::Restock(fact) => {
            // A list that the event also put somebody on may have said no more than that.
            let more = open.tasks.iter().filter(|other| other.list() == task.list()).count() > 1;
            let counts = fact.quantity.is_none_or(|quantity| quantity > 0);
            list.has_signal(fact.key) || (list.passed(event) && !(more && counts))
        }
    })
}
