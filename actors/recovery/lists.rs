//! The lists of one worker of the replay: packed until a record comes for them, then awake.
//!
//! A list belongs to the worker that the hash of its id says, so all its records meet its state.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::domain::ListId;
use crate::domain::campaign::Campaigns;
use crate::domain::list::{List, PackedList};

use super::Claim;

/// A list on the way back.
struct Held {
    id: ListId,
    state: State,
}

enum State {
    Packed(PackedList),
    Awake(Box<List>),
}

/// What is left when a worker is done: lists at rest, and their claims on campaigns.
pub(super) type Rested = (Vec<(ListId, PackedList)>, Vec<Claim>);

/// The lists of one worker.
#[derive(Default)]
pub(super) struct Lists {
    table: HashMap<ListId, Held>,
}

/// The worker that a list belongs to.
pub(super) fn worker_of(id: &str, workers: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    (hasher.finish() % workers.max(1) as u64) as usize
}

/// Gives each worker its lists.
pub(super) fn deal(packed: HashMap<ListId, PackedList>, workers: usize) -> Vec<Lists> {
    let mut all: Vec<Lists> = (0..workers.max(1)).map(|_| Lists::default()).collect();
    let share = packed.len() / all.len();
    all.iter_mut().for_each(|lists| lists.table.reserve(share));
    let workers = all.len();
    for (id, packed) in packed {
        if let Some(lists) = all.get_mut(worker_of(id.as_str(), workers)) {
            lists.table.insert(id.clone(), Held { id, state: State::Packed(packed) });
        }
    }
    all
}

/// A list, awake, if there is one of that id.
pub(super) fn find<'a>(all: &'a mut [Lists], id: &ListId) -> Result<Option<&'a List>, String> {
    let worker = worker_of(id.as_str(), all.len());
    let Some(held) = all.get_mut(worker).and_then(|lists| lists.table.get_mut(id)) else { return Ok(None) };
    held.wake().map(|(_, list)| Some(&*list))
}

impl Lists {
    /// A list, unpacked for good while the replay lasts; made under the id that `name` gives where there is none.
    pub(super) fn wake(
        &mut self,
        id: &str,
        name: impl FnOnce() -> Result<ListId, String>,
    ) -> Result<(&ListId, &mut List), String> {
        if !self.table.contains_key(id) {
            let id = name()?;
            self.table.insert(id.clone(), Held { id, state: State::Awake(Box::default()) });
        }
        self.table.get_mut(id).ok_or("a list was lost on the way")?.wake()
    }

    /// Puts all lists to rest and takes up their claims on campaigns.
    pub(super) fn rest(self, campaigns: &Campaigns) -> Result<Rested, String> {
        let (mut rested, mut claims) = (Vec::with_capacity(self.table.len()), Vec::new());
        for (_, mut held) in self.table {
            let running = match &held.state {
                State::Packed(packed) => {
                    !packed.summary().map_err(|error| error.to_string())?.running.is_empty()
                }
                State::Awake(_) => true,
            };
            if running {
                let (id, list) = held.wake()?;
                claims_of(id, list, campaigns, &mut claims);
            }
            let packed = match held.state {
                State::Packed(packed) => packed,
                State::Awake(list) => list.pack(),
            };
            rested.push((held.id, packed));
        }
        Ok((rested, claims))
    }
}

impl Held {
    fn wake(&mut self) -> Result<(&ListId, &mut List), String> {
        if let State::Packed(packed) = &self.state {
            let list = packed.unpack().map_err(|error| error.to_string())?;
            self.state = State::Awake(Box::new(list));
        }
        match &mut self.state {
            State::Awake(list) => Ok((&self.id, list)),
            State::Packed(_) => Err("a list did not wake".to_owned()),
        }
    }
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
