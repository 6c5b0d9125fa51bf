//! The ids of the newest campaigns, for searches that must not hold up an actor.
//!
//! ```text
//! campaign actor ── fill, add ──▶ ids, newest first, at most 10,000 ◀── newest ── search for a letter's campaign
//! ```
//!
//! The campaign of a Message-ID can only be found by trying, because the Message-ID is a keyed hash. Anybody may send a
//! report that asks for such a search, and thousands of hashes take milliseconds that no actor can spare. So the campaign
//! actor, the only writer here, publishes the ids, and the search runs on a thread of its own. The ids may lag one message
//! behind the records; no letter is reported that soon.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::RwLock;

use restockd_core::CampaignId;

/// Campaigns that are kept for the search.
const MOST: usize = 10_000;

/// Clones share the same ids.
#[derive(Debug, Clone, Default)]
pub struct Recent(Arc<RwLock<VecDeque<CampaignId>>>);

impl Recent {
    /// Sets the ids that there are at start, newest first.
    pub(crate) fn fill(&self, newest: impl Iterator<Item = CampaignId>) {
        *self.0.write() = newest.take(MOST).collect();
    }

    /// Adds a new campaign.
    pub(crate) fn add(&self, id: CampaignId) {
        let mut ids = self.0.write();
        ids.push_front(id);
        ids.truncate(MOST);
    }

    /// A copy, newest first, so that a search holds no lock.
    #[must_use]
    pub(crate) fn newest(&self) -> Vec<CampaignId> {
        self.0.read().iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_come_first_and_the_oldest_go_when_there_are_too_many() {
        let recent = Recent::default();
        recent.fill((1..=3).rev().map(CampaignId));
        recent.add(CampaignId(4));
        assert_eq!(recent.newest(), [4, 3, 2, 1].map(CampaignId));
        (5..20_000).for_each(|id| recent.add(CampaignId(id)));
        let newest = recent.newest();
        assert_eq!((newest.len(), newest.first()), (MOST, Some(&CampaignId(19_999))));
    }
}
