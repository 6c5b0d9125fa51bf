//! The lists of one worker of the replay: packed until a record comes for them, then unpacked.
//!
//! The hash of a list's id decides which worker it belongs to, so all of its records meet its state.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use restockd_core::ListId;
use restockd_core::campaign::Campaigns;
use restockd_core::list::List;
use restockd_records::PackedList;

use super::CampaignClaim;

/// A list for which a record came.
struct Awake {
    id: ListId,
    list: List,
}

/// What a worker ends with: its lists, packed, and their claims on campaigns.
pub(super) type PackedLists = (Vec<(ListId, PackedList)>, Vec<CampaignClaim>);

#[derive(Default)]
pub(super) struct Lists {
    /// As the snapshot has them, in the order of ids; `None` for a list that is unpacked.
    packed: Vec<(ListId, Option<PackedList>)>,
    awake: HashMap<ListId, Awake>,
}

/// The worker that a list belongs to.
pub(super) fn worker_of(id: &str, workers: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    (hasher.finish() % workers.max(1) as u64) as usize
}

/// Gives each worker its lists; refuses a snapshot that holds a list twice, since it cannot be known which one is right.
pub(super) fn distribute(packed: Vec<(ListId, PackedList)>, workers: usize) -> Result<Vec<Lists>, String> {
    let workers = workers.max(1);
    let mut all: Vec<Lists> = (0..workers).map(|_| Lists::default()).collect();
    for (id, packed) in packed {
        if let Some(lists) = all.get_mut(worker_of(id.as_str(), workers)) {
            lists.packed.push((id, Some(packed)));
        }
    }
    for lists in &mut all {
        // Nearly sorted already: lists that were awake come a little later than their neighbours.
        lists.packed.sort_by(|one, other| one.0.cmp(&other.0));
        if let Some([(twice, _), _]) = lists.packed.array_windows().find(|[one, other]| one.0 == other.0) {
            return Err(format!("the list {:?} stands twice in the snapshot", twice.as_str()));
        }
    }
    Ok(all)
}

/// The list with this id, unpacked; `None` when there is none.
pub(super) fn find<'a>(all: &'a mut [Lists], id: &ListId) -> Result<Option<&'a List>, String> {
    let worker = worker_of(id.as_str(), all.len());
    let Some(lists) = all.get_mut(worker) else { return Ok(None) };
    if let Some(awake) = lists.wake_packed(id.as_str())? {
        lists.awake.insert(id.clone(), awake);
    }
    Ok(lists.awake.get(id).map(|awake| &awake.list))
}

impl Lists {
    /// A list, unpacked until the replay ends; a new one where there is none with that id.
    pub(super) fn unpack(&mut self, id: &str) -> Result<(&ListId, &mut List), String> {
        if !self.awake.contains_key(id) {
            let awake = match self.wake_packed(id)? {
                Some(awake) => awake,
                None => Awake { id: ListId::stored(id), list: List::default() },
            };
            self.awake.insert(awake.id.clone(), awake);
        }
        let awake = self.awake.get_mut(id).ok_or("a list was lost on the way")?;
        Ok((&awake.id, &mut awake.list))
    }

    /// Unpacks a list of the snapshot; `None` when there is none with that id that is still packed.
    fn wake_packed(&mut self, id: &str) -> Result<Option<Awake>, String> {
        let at = self.packed.binary_search_by(|(other, _)| other.as_str().cmp(id));
        let Some((id, packed)) = at.ok().and_then(|at| self.packed.get_mut(at)) else { return Ok(None) };
        let Some(packed) = packed.take() else { return Ok(None) };
        let list = packed.unpack().map_err(|error| error.to_string())?;
        Ok(Some(Awake { id: id.clone(), list }))
    }

    /// Packs all lists, in the order of ids, and collects their claims on campaigns.
    pub(super) fn pack_all(self, campaigns: &Campaigns) -> Result<PackedLists, String> {
        let (mut rested, mut claims) = (Vec::with_capacity(self.packed.len()), Vec::new());
        for (id, packed) in self.packed {
            let Some(packed) = packed else { continue };
            if !packed.summary().map_err(|error| error.to_string())?.running.is_empty() {
                let list = packed.unpack().map_err(|error| error.to_string())?;
                claims_of(&id, &list, campaigns, &mut claims);
            }
            rested.push((id, packed));
        }
        for Awake { id, list } in self.awake.into_values() {
            claims_of(&id, &list, campaigns, &mut claims);
            rested.push((id, PackedList::of(&list)));
        }
        rested.sort_by(|one, other| one.0.cmp(&other.0));
        Ok((rested, claims))
    }
}

/// Collects a list's claims on campaigns that do not know of them, or think they are done.
fn claims_of(id: &ListId, list: &List, campaigns: &Campaigns, claims: &mut Vec<CampaignClaim>) {
    let known = |campaign| campaigns.get(campaign).map_or(0, |campaign| campaign.upto);
    for (invite, added) in list.claims(known) {
        let held = campaigns.get(invite.campaign);
        let heard = held.is_some_and(|held| held.upto >= invite.upto && !held.status.is_closed());
        let manual = invite.day.is_none() && held.is_none_or(|held| !held.status.is_closed());
        if !heard && !manual {
            claims.push(CampaignClaim {
                list: id.clone(),
                product: list.product().map(str::to_owned),
                details: list.details().cloned(),
                invite,
                added,
            });
        }
    }
}
