//! How records change the campaigns. `apply` cannot fail and is the same function live and at replay.

use std::collections::BTreeSet;
use std::ops::Bound;

use super::super::ids::{CampaignId, PersonId};
use super::super::list::Invitee;
use super::super::outcome::Diagnostic;
use super::super::time::Millis;
use super::ledger::{Deferral, Ledger, LetterState};
use super::{
    Campaign, CampaignEvent, CampaignStatus, Campaigns, Header, Pace, ReopenReason, Settlement, SkipReason,
};

/// How many campaigns housekeeping looks at with each new one.
const SWEEP_STEPS: usize = 4;
/// How long a closed campaign's ledger keeps its index, which the re-notify guard uses: 2 days.
const INDEX_MS: u64 = 2 * 86_400_000;
/// How long a closed campaign's ledger keeps its rows: 30 days.
const LEDGER_MS: u64 = 30 * 86_400_000;
/// How long a closed campaign is remembered: 400 days.
const HEADER_MS: u64 = 400 * 86_400_000;

impl Campaigns {
    /// Applies an event that was recorded at `at`.
    pub fn apply(&mut self, event: &CampaignEvent, at: Millis) {
        self.seq += 1;
        match event {
            CampaignEvent::Scheduled(header) => {
                let later = header.scheduled.is_some_and(|time| time > at);
                self.add(header, if later { CampaignStatus::Scheduled } else { CampaignStatus::Queued }, at);
            }
            CampaignEvent::Opened { header, id, upto, added } => {
                if let Some(header) = header {
                    self.add(header, CampaignStatus::Queued, at);
                }
                self.open_up(*id, *upto, *added, at);
            }
            CampaignEvent::Reopened { id, reason } => self.with(*id, at, |c, at_s| c.reopen(*reason, at_s)),
            CampaignEvent::Paused(id) => self.with(*id, at, |c, _| c.status = CampaignStatus::Paused),
            CampaignEvent::Resumed(id) => self.with(*id, at, |c, _| {
                c.status = if c.started.is_some() { CampaignStatus::Sending } else { CampaignStatus::Queued };
            }),
            CampaignEvent::Canceled(id) => self.with(*id, at, |c, at_s| {
                c.canceled = Some(at);
                c.end(CampaignStatus::Canceled, at, at_s);
            }),
            CampaignEvent::Expired(id) => {
                self.with(*id, at, |c, at_s| c.end(CampaignStatus::Expired, at, at_s))
            }
            CampaignEvent::Failed { id, why } => self.with(*id, at, |c, at_s| {
                c.why = Some(why.clone());
                c.end(CampaignStatus::Failed, at, at_s);
            }),
            CampaignEvent::Started { id, person, ordinal, address, provider } => {
                if let Some(provider) = provider {
                    self.shaping.started_for(provider, at);
                }
                self.start(*id, *person, *ordinal, *address, at);
            }
            CampaignEvent::Unstarted { id, person, ordinal, started, provider, until, diagnostic } => {
                self.pace.give_back(self.rate);
                self.shaping.undo_start(provider.as_deref(), *started, at);
                self.with(*id, at, |c, _| c.pace.give_back(c.header.rate));
                self.put_off(*id, *person, *ordinal, *until, diagnostic, at);
            }
            CampaignEvent::Paced { provider, cut, reply } => {
                self.shaping.paced(provider, *cut, reply.as_deref(), at);
            }
            CampaignEvent::Settled { id, person, ordinal, settlement } => {
                self.letter(*id, *person, *ordinal, at, |c, row, at_s| c.settle(row, settlement, at_s));
            }
            CampaignEvent::Deferred { id, person, ordinal, until, diagnostic } => {
                self.put_off(*id, *person, *ordinal, *until, diagnostic, at);
            }
            CampaignEvent::Dropped(id) => self.with(*id, at, |c, at_s| {
                c.ledger.turn(&[LetterState::Doubt], LetterState::Dropped, at_s);
            }),
            CampaignEvent::RecipientExcluded { id, person, ordinal, reason } => {
                self.letter(*id, *person, *ordinal, at, |c, row, _| {
                    c.ledger.gone.insert(row, *reason);
                });
            }
            CampaignEvent::Swept => self.sweep(at),
            CampaignEvent::Closed { id } => self.with(*id, at, |c, _| {
                c.all_invited();
                c.status = CampaignStatus::Sent;
                c.completed = Some(at);
                if c.header.day.is_none() {
                    c.ledger.addresses.clear();
                }
            }),
        }
    }

    /// Takes in people whom a list has handed over; with `last` it has handed over its whole audience. The
    /// list holds the record of this and tells it again after a restart, so the campaigns write none.
    pub fn apply_invited(&mut self, id: CampaignId, people: &[Invitee], last: bool, at: Millis) {
        self.with(id, at, |campaign, at_s| {
            if campaign.status.is_closed() {
                // The campaign ended while the list was answering: these people count as unreached.
                return;
            }
            for invitee in people {
                if campaign.ledger.upsert(invitee.person, invitee.ordinal, at_s) {
                    campaign.uninvited = campaign.uninvited.saturating_sub(1);
                }
            }
            if last {
                campaign.all_invited();
            }
        });
    }

    /// Gives a campaign its audience, or a larger one.
    fn open_up(&mut self, id: CampaignId, upto: u32, added: u32, at: Millis) {
        if let Some(campaign) = self.all.get_mut(&id) {
            campaign.upto = upto;
            campaign.uninvited = added;
            campaign.handed_over = false;
            campaign.started = Some(at);
            if campaign.status != CampaignStatus::Paused {
                campaign.status = CampaignStatus::Sending;
            }
        }
    }

    fn add(&mut self, header: &Header, status: CampaignStatus, at: Millis) {
        let campaign = Campaign {
            header: header.clone(),
            status,
            upto: 0,
            uninvited: 0,
            unreached: 0,
            handed_over: false,
            ledger: Ledger::default(),
            pace: Pace::default(),
            created: at,
            started: None,
            completed: None,
            canceled: None,
            why: None,
        };
        self.file(campaign);
        self.sweep(at);
    }

    /// Housekeeping, a few steps with each new campaign and from time to time: an old ledger drops its index,
    /// later its rows, and after 400 days the campaign is forgotten. The counters stay as long as the
    /// campaign.
    fn sweep(&mut self, at: Millis) {
        for id in aged(&self.by_age, &mut self.swept.folded, at, INDEX_MS) {
            if let Some(campaign) = self.all.get_mut(&id).filter(|c| c.status.is_closed()) {
                campaign.ledger.fold();
            }
        }
        for id in aged(&self.by_age, &mut self.swept.emptied, at, LEDGER_MS) {
            if let Some(campaign) = self.all.get_mut(&id).filter(|c| c.status.is_closed()) {
                campaign.ledger.forget();
            }
        }
        let ended = |id: &CampaignId| self.all.get(id).is_none_or(|c| c.status.is_closed());
        let old = self.by_age.iter().take_while(|(made, _)| at.since(*made) > HEADER_MS);
        let old: Vec<_> = old.filter(|(_, id)| ended(id)).take(SWEEP_STEPS).copied().collect();
        for (made, id) in old {
            self.by_age.remove(&(made, id));
            if let Some(campaign) = self.all.remove(&id)
                && let Some(of_list) = self.by_list.get_mut(&campaign.header.list)
            {
                of_list.retain(|other| *other != id);
                if of_list.is_empty() {
                    self.by_list.remove(&campaign.header.list);
                }
            }
        }
    }

    /// Whether housekeeping would find anything to drop at `at`.
    pub(super) fn has_aged(&self, at: Millis) -> bool {
        let aged = |mark: Option<(Millis, CampaignId)>, age_ms| {
            let after = mark.map_or(Bound::Unbounded, Bound::Excluded);
            let next = self.by_age.range((after, Bound::Unbounded)).next();
            next.is_some_and(|(made, _)| at.since(*made) > age_ms)
        };
        let mut old = self.by_age.iter().take_while(|(made, _)| at.since(*made) > HEADER_MS);
        aged(self.swept.folded, INDEX_MS)
            || aged(self.swept.emptied, LEDGER_MS)
            || old.any(|(_, id)| self.all.get(id).is_none_or(|c| c.status.is_closed()))
    }

    /// Adds a campaign to the indexes by id, age and list.
    pub(super) fn file(&mut self, campaign: Campaign) {
        let id = campaign.header.id;
        self.by_age.insert((campaign.created, id));
        let of_list = self.by_list.entry(campaign.header.list.clone()).or_default();
        if !of_list.contains(&id) {
            of_list.push(id);
        }
        self.all.insert(id, campaign);
    }

    /// Changes a campaign; `change` also gets the seconds since the campaign was made.
    fn with(&mut self, id: CampaignId, at: Millis, change: impl FnOnce(&mut Campaign, u32)) {
        if let Some(campaign) = self.all.get_mut(&id) {
            let at_s = campaign.seconds(at);
            change(campaign, at_s);
        }
    }

    /// A letter is handed to a connection.
    fn start(&mut self, id: CampaignId, person: PersonId, ordinal: u32, address: u64, at: Millis) {
        let rate = self.rate;
        self.pace.take(rate, at);
        self.shaping.started(at);
        self.letter(id, person, ordinal, at, |c, row, at_s| {
            c.pace.take(c.header.rate, at);
            c.ledger.addresses.entry(address).or_insert(row);
            let first = c.ledger.first_attempt(row).unwrap_or(at);
            c.ledger.set(row, LetterState::Started, at_s);
            c.ledger.deferrals.insert(row, Deferral { first, until: at });
        });
    }

    /// A letter will be tried again later, unless its person may not be mailed any more or its campaign ended
    /// meanwhile.
    fn put_off(
        &mut self,
        id: CampaignId,
        person: PersonId,
        ordinal: u32,
        until: Millis,
        diagnostic: &Diagnostic,
        at: Millis,
    ) {
        self.letter(id, person, ordinal, at, |c, row, at_s| {
            let first = c.ledger.first_attempt(row).unwrap_or(at);
            // Canceled while the letter was being sent: it is not tried again.
            let ended = c.status.is_closed().then_some(SkipReason::Canceled);
            if let Some(reason) = ended.or_else(|| c.ledger.gone.get(&row).copied()) {
                return c.settle(row, &Settlement::Skipped(reason), at_s);
            }
            c.ledger.set(row, LetterState::Deferred, at_s);
            c.ledger.deferrals.insert(row, Deferral { first, until });
            c.ledger.set_diagnostic(row, diagnostic);
        });
    }

    /// Changes the row of a letter. A person whom the ledger does not hold yet was invited by this record and
    /// gets a row first.
    fn letter(
        &mut self,
        id: CampaignId,
        person: PersonId,
        ordinal: u32,
        at: Millis,
        change: impl FnOnce(&mut Campaign, u32, u32),
    ) {
        self.with(id, at, |campaign, at_s| {
            let row = match campaign.ledger.find(person) {
                Some((row, _)) => {
                    campaign.ledger.change_place(row, ordinal);
                    row
                }
                None => {
                    campaign.uninvited = campaign.uninvited.saturating_sub(1);
                    campaign.ledger.add(person, ordinal, at_s)
                }
            };
            change(campaign, row, at_s);
        });
    }
}

impl Campaign {
    /// Whole seconds from the campaign's creation to `at`.
    #[must_use]
    pub(crate) fn seconds(&self, at: Millis) -> u32 {
        u32::try_from(at.since(self.created) / 1000).unwrap_or(u32::MAX)
    }

    /// The whole audience has been handed over.
    fn all_invited(&mut self) {
        self.uninvited = 0;
        self.handed_over = true;
    }

    /// A letter ended.
    fn settle(&mut self, row: u32, settlement: &Settlement, at_s: u32) {
        match settlement {
            Settlement::Sent => self.ledger.set(row, LetterState::Sent, at_s),
            Settlement::Skipped(reason) => self.ledger.set(row, LetterState::Skipped(*reason), at_s),
            Settlement::Failed { diagnostic } => {
                self.ledger.set(row, LetterState::Failed, at_s);
                self.ledger.set_diagnostic(row, diagnostic);
            }
            Settlement::Doubt { diagnostic } => {
                self.ledger.set(row, LetterState::Doubt, at_s);
                self.ledger.set_diagnostic(row, diagnostic);
            }
        }
    }

    /// Letters become pending again and the campaign goes on; a paused one stays paused.
    fn reopen(&mut self, reason: ReopenReason, at_s: u32) {
        // An old ledger has dropped its index, which is needed again to look letters up.
        if self.ledger.places.is_none() {
            self.ledger.index();
        }
        match reason {
            ReopenReason::Restock { upto, added } => {
                self.upto = self.upto.max(upto);
                self.uninvited += added;
                self.handed_over = false;
                let looks_again =
                    |state| matches!(state, LetterState::Skipped(reason) if reason.may_change());
                self.ledger.reopen(looks_again, at_s);
            }
            ReopenReason::Failed => self.ledger.reopen(|state| state == LetterState::Failed, at_s),
            ReopenReason::Doubt => self.ledger.reopen(|state| state == LetterState::Doubt, at_s),
        }
        if self.status.is_closed() {
            self.status = CampaignStatus::Sending;
            self.completed = None;
        }
    }

    /// Ends the campaign by decision; every letter that was not started is skipped.
    fn end(&mut self, status: CampaignStatus, at: Millis, at_s: u32) {
        let reason =
            if status == CampaignStatus::Expired { SkipReason::Expired } else { SkipReason::Canceled };
        let open = [LetterState::Pending, LetterState::Deferred];
        self.ledger.turn(&open, LetterState::Skipped(reason), at_s);
        self.unreached += self.uninvited;
        self.uninvited = 0;
        self.status = status;
        self.completed = Some(at);
    }
}

/// The next few campaigns, by age, that are older than `age_ms`. Moves the mark past them.
fn aged(
    by_age: &BTreeSet<(Millis, CampaignId)>,
    mark: &mut Option<(Millis, CampaignId)>,
    at: Millis,
    age_ms: u64,
) -> Vec<CampaignId> {
    let after = mark.map_or(Bound::Unbounded, Bound::Excluded);
    let next = by_age.range((after, Bound::Unbounded)).take_while(|(made, _)| at.since(*made) > age_ms);
    let next: Vec<_> = next.take(SWEEP_STEPS).copied().collect();
    *mark = next.last().copied().or(*mark);
    next.into_iter().map(|(_, id)| id).collect()
}
