//! From the disk back to the machines: newest good generation, then the log after it.
//!
//! ```text
//! generation ──▶ directory, campaigns, lists ──▶ replay: each record whose author's counter is
//! newer than its author's state ──▶ what was open and is not done ──▶ ready to spawn
//! ```
//!
//! Invariants: a counter that jumps refuses to start (a record is missing); nothing is guessed;
//! never "start empty" where there was something. Replay never reads a clock.

use std::collections::HashMap;
use std::sync::Arc;

use crate::disk::Disk;
use crate::domain::campaign::Campaigns;
use crate::domain::directory::{Directory, Open, Task};
use crate::domain::list::{Invite, List, PackedList};
use crate::domain::record::{self, Entry};
use crate::domain::{ListId, Millis};
use crate::store::{Generations, Outcome, StoreError};
use crate::wal::{self, Options, RecordRef, WalError};

use super::checkpoint::PageReader;

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
pub struct Claim {
    /// The list.
    pub list: ListId,
    /// The product's name, as the list knows it.
    pub product: Option<String>,
    /// The claim.
    pub invite: Invite,
    /// How many of the audience the campaign does not know of.
    pub added: u32,
}

/// All that came back.
pub struct Recovered {
    /// People.
    pub directory: Directory,
    /// Campaigns.
    pub campaigns: Campaigns,
    /// Lists, at rest.
    pub lists: Vec<(ListId, PackedList)>,
    /// What campaigns must be told again.
    pub claims: Vec<Claim>,
    /// What the log said.
    pub log: wal::Recovered,
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
    directory: Directory,
    campaigns: Campaigns,
    now: Option<Millis>,
) -> Result<Recovered, RecoveryError> {
    let mut states =
        Replay { directory, campaigns, lists: HashMap::new(), awake: HashMap::new(), newest: Millis(0) };
    let mut packed = HashMap::new();
    let outcome = {
        let mut reader = PageReader::new(&mut states.directory, &mut states.campaigns, &mut packed);
        let outcome = generations.load(&mut |key, value| reader.read(key, value))?;
        reader.finish().map_err(RecoveryError::Misfit)?;
        outcome
    };
    states.lists = packed;
    let (from, durable, problems) = match outcome {
        Outcome::None => (1, 0, Vec::new()),
        Outcome::Generation { meta, problems, .. } => {
            // After a clean stop the log may hold no record that tells the time.
            states.newest = Millis(meta.made_ms);
            (meta.replay_from, meta.durable, problems)
        }
        Outcome::AllBad { problems } => (1, 0, problems),
    };
    let read = wal::recover(disk, options, from, durable, &mut |_, record| states.take(record));
    let log = match read {
        Err(error) if from == 1 && !problems.is_empty() => {
            return Err(RecoveryError::NothingGood(problems, error));
        }
        read => read?,
    };
    let ahead = now.map_or(0, |now| states.newest.since(now));
    if ahead > CLOCK_AHEAD_MS {
        return Err(RecoveryError::Clock { ahead_s: ahead / 1000 });
    }
    states.finish(log, problems)
}

/// How far the newest record may lie ahead of the clock.
const CLOCK_AHEAD_MS: u64 = 5 * 60_000;

/// States while the log is replayed.
struct Replay {
    directory: Directory,
    campaigns: Campaigns,
    lists: HashMap<ListId, PackedList>,
    awake: HashMap<ListId, List>,
    newest: Millis,
}

impl Replay {
    /// Applies one record where its author's counter is newer.
    fn take(&mut self, record: &RecordRef<'_>) -> Result<(), String> {
        let entry =
            record::read(record.kind, record.version, record.bytes).map_err(|error| error.to_string())?;
        match entry {
            Entry::Directory(stamp, event) => {
                self.newest = self.newest.max(stamp.at);
                if newer("the directory", self.directory.seq(), stamp.seq)? {
                    self.directory.apply(&event, stamp.at);
                }
            }
            Entry::Campaign(stamp, event) => {
                self.newest = self.newest.max(stamp.at);
                if newer("the campaigns", self.campaigns.seq(), stamp.seq)? {
                    self.campaigns.apply(&event, stamp.at);
                }
            }
            Entry::List(stamp, id, event) => {
                self.newest = self.newest.max(stamp.at);
                let list = self.wake(&id)?;
                if newer("a list", list.seq(), stamp.seq)? {
                    list.apply(&event, stamp.at);
                }
                if let Some(answered) = event.answers() {
                    self.close_answered(answered, &id);
                }
            }
        }
        Ok(())
    }

    /// A list, unpacked for good while the replay lasts.
    fn wake(&mut self, id: &ListId) -> Result<&mut List, String> {
        if !self.awake.contains_key(id) {
            let list = match self.lists.remove(id) {
                Some(packed) => packed.unpack().map_err(|error| error.to_string())?,
                None => List::default(),
            };
            self.awake.insert(id.clone(), list);
        }
        self.awake.get_mut(id).ok_or_else(|| "a list was lost on the way".to_owned())
    }

    /// Puts all lists to rest and finds what was left open.
    fn finish(mut self, log: wal::Recovered, problems: Vec<String>) -> Result<Recovered, RecoveryError> {
        self.close_done().map_err(RecoveryError::Misfit)?;
        let mut claims = Vec::new();
        for (id, packed) in &self.lists {
            let summary = packed.summary().map_err(|error| RecoveryError::Misfit(error.to_string()))?;
            if !summary.running.is_empty() {
                let list = packed.unpack().map_err(|error| RecoveryError::Misfit(error.to_string()))?;
                claims_of(id, &list, &self.campaigns, &mut claims);
            }
        }
        for (id, list) in &self.awake {
            claims_of(id, list, &self.campaigns, &mut claims);
        }
        // One log leads to one order, whatever the map's.
        claims.sort_by(|one, other| one.list.cmp(&other.list));
        let mut lists: Vec<_> = self.lists.into_iter().collect();
        lists.extend(self.awake.into_iter().map(|(id, list)| (id, list.pack())));
        let (directory, campaigns) = (self.directory, self.campaigns);
        Ok(Recovered { directory, campaigns, lists, claims, log, problems })
    }

    /// Closes an open event as soon as the only list that it has spoke of it, so that a replay
    /// does not hold every event of the log.
    fn close_answered(&mut self, event: u64, by: &ListId) {
        let only = |open: &Open| matches!(open.tasks.as_slice(), [Task::Change { list, .. }] if list == by);
        if self.directory.open_event(event).is_some_and(|(_, open)| only(open)) {
            self.directory.close(event);
        }
    }

    /// Closes open events all of whose lists have passed them; the rest is sent again, in order. A
    /// list hears events in order, so what it has not passed is a run at the end.
    fn close_done(&mut self) -> Result<(), String> {
        let events: Vec<u64> = self.directory.open().map(|(event, _)| event).collect();
        for event in events {
            let Some(open) = self.directory.open_event(event).map(|(_, open)| open.clone()) else {
                continue;
            };
            let mut done = true;
            for task in &open.tasks {
                done &= match task {
                    Task::Change { list, .. } | Task::Move { list, .. } => self.wake(list)?.passed(event),
                    Task::Restock(fact) => {
                        let list = self.wake(&fact.list)?;
                        list.passed(event) || list.has_signal(fact.key)
                    }
                };
            }
            if done {
                self.directory.close(event);
            }
        }
        Ok(())
    }
}

/// True when a record is the next of its author's; an error when one is missing before it.
fn newer(author: &str, held: u64, seq: u64) -> Result<bool, String> {
    if seq > held + 1 {
        return Err(format!("{author} went from record {held} to {seq}: records are missing between them"));
    }
    Ok(seq > held)
}

/// A list's claims on campaigns that do not know of them, or think they are done.
fn claims_of(id: &ListId, list: &List, campaigns: &Campaigns, claims: &mut Vec<Claim>) {
    let known = |campaign| campaigns.get(campaign).map_or(0, |campaign| campaign.upto);
    for (invite, added) in list.claims(known) {
        let held = campaigns.get(invite.campaign);
        let heard = held.is_some_and(|held| held.upto >= invite.upto && !held.status.is_closed());
        let by_hand = invite.day.is_none() && held.is_none_or(|held| !held.status.is_closed());
        if !heard && !by_hand {
            claims.push(Claim {
                list: id.clone(),
                product: list.product().map(str::to_owned),
                invite,
                added,
            });
        }
    }
}
