//! The laws: those that hold after every step, and those that hold at the end.

use std::collections::BTreeSet;

use restockd_core::PersonId;
use restockd_core::campaign::{CampaignStatus, LetterState, SkipReason};

use crate::model::Known;
use crate::running::Running;
use crate::world::{CLIENTS, SKUS, World, email, list_id, sku_of};

/// A campaign as the laws see it.
struct Seen {
    id: u128,
    sku: usize,
    key: Option<String>,
    status: CampaignStatus,
    total: u64,
    parts: u64,
    sent: u64,
    doubt: u64,
    people: Vec<PersonId>,
    states: Vec<LetterState>,
}

impl World {
    /// Laws that hold after every step.
    pub fn look(&mut self) {
        let seed = self.seed;
        let mut trace = self.dice.clone().next();
        for seen in self.seen() {
            // The conservation law.
            assert_eq!(seen.total, seen.parts, "seed {seed}: the counts of {:x} do not add up", seen.id);
            let people: BTreeSet<&PersonId> = seen.people.iter().collect();
            assert_eq!(people.len(), seen.people.len(), "seed {seed}: two letters for one person");
            trace ^= seen.total.rotate_left(9) ^ seen.sent.rotate_left(17) ^ seen.doubt.rotate_left(33);
        }
        if let Some(running) = &self.running {
            for sku in 0..SKUS {
                let (stock, name) =
                    running.list(&list_id(sku), |list| (list.stock(), list.product().map(str::to_owned)));
                self.words.judge(seed, sku, stock, name.as_deref());
            }
        }
        self.campaigns_seen = self.campaigns_seen.max(self.seen().len());
        self.note(trace);
    }

    fn seen(&mut self) -> Vec<Seen> {
        let Some(running) = &mut self.running else { return Vec::new() };
        running.campaigns(|all| {
            all.newest()
                .map(|campaign| {
                    let counts = campaign.ledger.counts();
                    let skipped: u64 = campaign.skipped().iter().sum();
                    let open = campaign.pending() + counts.started + counts.deferred;
                    Seen {
                        id: campaign.header.id.0,
                        sku: sku_of(&campaign.header.list),
                        key: campaign.header.key.clone(),
                        status: campaign.status,
                        total: campaign.total(),
                        parts: open + counts.sent + counts.failed + skipped + counts.doubt,
                        sent: counts.sent,
                        doubt: counts.doubt,
                        people: campaign.ledger.rows().map(|row| row.person).collect(),
                        states: campaign.ledger.rows().map(|row| row.state).collect(),
                    }
                })
                .collect()
        })
    }

    /// Laws that hold once everything has come to its end.
    pub fn judge(&mut self) {
        let seed = self.seed;
        let all = self.seen();
        let keys: BTreeSet<&String> = all.iter().filter_map(|seen| seen.key.as_ref()).collect();
        assert_eq!(keys.len(), all.len(), "seed {seed}: two campaigns of one key");
        for seen in &all {
            // The counts say what the mailboxes say.
            let accepted = self.model.accepted_of(seen.id);
            let fits = (seen.sent..=seen.sent + seen.doubt).contains(&accepted);
            assert!(
                fits || self.model.was_judged(seen.id),
                "seed {seed}: {:x} counts {} sent and {} in doubt, {accepted} were accepted",
                seen.id,
                seen.sent,
                seen.doubt
            );
        }
        for id in &self.created {
            assert!(all.iter().any(|seen| seen.id == id.0), "seed {seed}: an acknowledged campaign is gone");
        }
        self.memberships();
        let persons: Vec<Option<PersonId>> = (0..CLIENTS).map(|address| self.person(address)).collect();
        let judged: BTreeSet<u128> =
            all.iter().map(|seen| seen.id).filter(|id| self.model.was_judged(*id)).collect();
        let (canceled, tried) = (&self.canceled, &self.tried);
        self.model.judge(|sku, campaign, address| {
            let mut of_sku = all
                .iter()
                .filter(|seen| seen.sku == sku && campaign.is_none_or(|campaign| campaign == seen.id));
            // In doubt or given up, by a day's age or by an operator; the campaign was canceled; or the address was tried a short while
            // ago, perhaps under the number of somebody erased since.
            of_sku.any(|seen| {
                let row = persons[address].and_then(|person| seen.people.iter().position(|p| *p == person));
                let state = row.map(|at| seen.states[at]);
                canceled.contains(&seen.id)
                    || (judged.contains(&seen.id) && state == Some(LetterState::Dropped))
                    || seen.status == CampaignStatus::Canceled
                    || matches!(state, Some(LetterState::Doubt | LetterState::Skipped(SkipReason::Expired)))
                    || (tried.contains(&(sku, address))
                        && state == Some(LetterState::Skipped(SkipReason::RecentlyNotified)))
            })
        });
    }

    /// Who was told that they are on a list is on it, who was told that they left is not (P1).
    fn memberships(&mut self) {
        for sku in 0..SKUS {
            for address in 0..CLIENTS {
                let known = self.model.known(address, sku);
                let Some(running) = &mut self.running else { return };
                let here = is_member(running, address, sku);
                let fits = match known {
                    Known::Unsure => true,
                    Known::Yes => here,
                    Known::No | Known::Never => !here,
                };
                assert!(fits, "seed {}: address {address} on {sku}: told {known:?}, is {here}", self.seed);
            }
        }
    }
}

fn is_member(running: &mut Running, address: usize, sku: usize) -> bool {
    let email = email(address);
    let person = running.directory(move |directory| directory.by_email(&email));
    person.is_some_and(|person| running.list(&list_id(sku), |list| list.subscribed(person) == Some(true)))
}
