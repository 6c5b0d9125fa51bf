//! The counts that `check` prints of a recovery.
//!
//! Counts only: no name, no address, no text of a person is in it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::recovery::RecoveredState;
use restockd_core::PersonId;
use restockd_core::campaign::{Campaign, LetterState, SkipReason};
use restockd_core::directory::{PersonStatus, SuppressionReason};

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RecoveryStats {
    /// Records replayed.
    pub replayed: u64,
    pub lists: u64,
    /// Present memberships.
    pub members: u64,
    /// Memberships that ended and are remembered.
    pub left: u64,
    pub people: u64,
    /// People who were merged into another.
    pub merged: u64,
    pub erased: u64,
    /// People who want no mail at all.
    pub unsubscribed: u64,
    /// Suppressed addresses, by reason.
    pub suppressed: BTreeMap<&'static str, u64>,
    /// By status.
    pub campaigns: BTreeMap<&'static str, u64>,
    /// Letters of all campaigns, by state.
    pub letters: BTreeMap<&'static str, u64>,
    /// Letters in doubt, with those that were on the wire at the end: a start settles these as in doubt.
    pub in_doubt: u64,
    /// Names of campaigns whose counters do not add up: a bug.
    pub unbalanced: Vec<String>,
    /// Events whose lists have not all answered; they are sent again.
    pub open_events: u64,
    /// Restocks that their campaigns must be told of again.
    pub claims: u64,
    /// API keys that are not revoked.
    pub api_keys: u64,
    pub api_keys_revoked: u64,
}

impl RecoveryStats {
    #[must_use]
    pub fn of(found: &RecoveredState) -> Self {
        let mut survey = Self {
            replayed: found.log.delivered,
            lists: found.lists.len() as u64,
            open_events: found.directory.open().count() as u64,
            claims: found.claims.len() as u64,
            ..Self::default()
        };
        for summary in found.lists.iter().filter_map(|(_, list)| list.summary().ok()) {
            survey.members += u64::from(summary.joined);
            survey.left += u64::from(summary.left);
        }
        survey.people(found);
        found.campaigns.newest().for_each(|campaign| survey.campaign(campaign));
        survey
    }

    fn people(&mut self, found: &RecoveredState) {
        let directory = &found.directory;
        for id in (1..=directory.last_person()).map(PersonId) {
            match directory.status(id) {
                Some(PersonStatus::Live) => self.people += 1,
                Some(PersonStatus::Merged(_)) => self.merged += 1,
                Some(PersonStatus::Erased) => self.erased += 1,
                None => {}
            }
            let own = directory.person(id).filter(|(live, person)| *live == id && person.unsubscribed);
            self.unsubscribed += u64::from(own.is_some());
        }
        for suppression_reason in directory.suppression_reasons() {
            let word = match suppression_reason {
                SuppressionReason::Unsubscribed => "unsubscribed",
                SuppressionReason::Bounced => "bounced",
                SuppressionReason::Complained => "complained",
                SuppressionReason::Manual => "manual",
                SuppressionReason::Erased => "erased",
            };
            *self.suppressed.entry(word).or_default() += 1;
        }
        for key in directory.api_keys() {
            *(if key.revoked.is_some() { &mut self.api_keys_revoked } else { &mut self.api_keys }) += 1;
        }
    }

    fn campaign(&mut self, campaign: &Campaign) {
        *self.campaigns.entry(campaign.status.as_str()).or_default() += 1;
        let counts = campaign.ledger.counts();
        let skipped: u64 = campaign.skipped().iter().sum();
        let parts = [
            ("pending", campaign.pending()),
            ("started", counts.started),
            ("deferred", counts.deferred),
            ("sent", counts.sent),
            ("failed", counts.failed),
            ("skipped", skipped),
            ("in doubt", counts.doubt),
        ];
        for (word, count) in parts {
            *self.letters.entry(word).or_default() += count;
        }
        self.in_doubt += counts.doubt + counts.started;
        let sum: u64 = parts.iter().map(|(_, count)| count).sum();
        if sum != campaign.total() || !rows_add_up(campaign) {
            self.unbalanced.push(campaign.header.id.to_string());
        }
    }
}

/// Whether the counters agree with the rows; a ledger whose rows are gone has counters only.
fn rows_add_up(campaign: &Campaign) -> bool {
    let counts = campaign.ledger.counts();
    if campaign.ledger.is_empty() {
        return true;
    }
    let (mut plain, mut skipped) = ([0_u64; 6], [0_u64; 9]);
    for row in campaign.ledger.rows() {
        let place = match row.state {
            LetterState::Pending => 0,
            LetterState::Started => 1,
            LetterState::Deferred => 2,
            LetterState::Sent => 3,
            LetterState::Failed | LetterState::Dropped => 4,
            LetterState::Doubt => 5,
            LetterState::Skipped(reason) => {
                for (one, count) in SkipReason::ALL.iter().zip(&mut skipped) {
                    *count += u64::from(*one == reason);
                }
                continue;
            }
        };
        if let Some(count) = plain.get_mut(place) {
            *count += 1;
        }
    }
    plain == [counts.pending, counts.started, counts.deferred, counts.sent, counts.failed, counts.doubt]
        && skipped == counts.skipped
}
