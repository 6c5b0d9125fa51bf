//! The newest campaigns by their ids, where a search need not ask an actor.
//!
//! ```text
//! campaign actor ── fill, add ──▶ ids, newest first, at most 10,000 ◀── newest ── who looks for a letter's campaign
//! ```
//!
//! Which campaign a Message-ID belongs to can only be found by trying: it is a keyed hash. Anybody may send a report that
//! asks for it, and thousands of hashes are milliseconds that no actor has, nor is the search in slices of its time any
//! cheaper. So the campaign actor, the only one who writes here, publishes what is to be tried, and whoever searches does
//! it on a thread of its own. The ids may lag behind the records by one message; no letter is reported that soon.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::RwLock;

use restockd_core::CampaignId;

/// Campaigns among which a letter is looked for.
const MOST: usize = 10_000;

/// The ids; clones are the same ones.
#[derive(Debug, Clone, Default)]
pub struct Recent(Arc<RwLock<VecDeque<CampaignId>>>);

impl Recent {
    /// All that there are at start, newest first.
    pub(crate) fn fill(&self, newest: impl Iterator<Item = CampaignId>) {
        *self.0.write() = newest.take(MOST).collect();
    }

    /// A campaign came into being.
    pub(crate) fn add(&self, id: CampaignId) {
        let mut ids = self.0.write();
        ids.push_front(id);
        ids.truncate(MOST);
    }

    /// A copy, newest first: a search holds nobody up.
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
