//! How letters come to be at hand: invitations from the list, then recipients from the directory.

use std::collections::BTreeSet;

use super::super::campaign::{Campaign, CampaignEvent, CampaignStatus, Ledger, SkipReason};
use super::super::ids::{CampaignId, ListId};
use super::super::list::Invitee;
use super::super::time::Millis;
use super::Scheduler;
use super::input::{Effect, Notice, Recipient, Tick};
use super::pump::common_part;
use super::run::{Run, Template};

impl Scheduler {
    /// The state of a campaign in this run; if there is none yet, `make` makes it.
    pub(super) fn run_or(&mut self, id: CampaignId, make: fn(&Ledger) -> Run) -> Option<&mut Run> {
        let campaign = self.campaigns.get(id)?;
        Some(self.runs.entry(id).or_insert_with(|| make(&campaign.ledger)))
    }

    /// Brings a campaign on by one step: fetch, invite, wait, or close.
    pub(super) fn feed(&mut self, id: CampaignId, now: Tick) {
        let (at, window) = (now.at, self.setup.window);
        self.wake_at(id, None);
        let Some(campaign) = self.campaigns.get(id) else { return };
        if campaign.status == CampaignStatus::Scheduled {
            return self.fall_due(id, now);
        }
        if campaign.status.is_closed() {
            if campaign.ledger.counts().started == 0 {
                self.retire(id);
            }
            return;
        }
        let run = self.runs.entry(id).or_insert_with(|| Run::fresh(&campaign.ledger));
        if !campaign.is_sending() || !run.resumed {
            return;
        }
        run.backlog.tidy(&campaign.ledger);
        let at_hand = run.at_hand();
        let common = if run.held_rows.is_empty() { window } else { common_part(window) };
        if at_hand < common {
            // A row that became pending again may come before rows that are at hand already, or wait for a
            // provider.
            let Run { backlog, .. } = &mut *run;
            let mut backlog = std::mem::take(backlog);
            let wanted = |row| !run.is_at_hand(row) && !run.held_rows.holds(row);
            let rows = backlog.take(&campaign.ledger, at, common - at_hand, wanted);
            run.backlog = backlog;
            let people = rows.into_iter().filter_map(|row| Some((row, campaign.ledger.row(row)?.person)));
            let rows: Vec<_> = people.filter(|(row, _)| run.fetch(*row)).collect();
            let list = campaign.header.list.clone();
            if !rows.is_empty() {
                self.effects.push(Effect::Fetch { campaign: id, list, rows });
            } else if !run.all_invited && !run.inviting {
                run.inviting = true;
                // One window ahead of what is at hand: the list's record covers many at once.
                self.effects.push(if self.setup.catalog.default_opt_in(&list) {
                    let (after, upto, since) = (run.page, campaign.upto, campaign.started.unwrap_or(at));
                    Effect::InvitePage { campaign: id, list, after, upto, most: window, since }
                } else {
                    Effect::Invite { campaign: id, list, most: window }
                });
            }
        }
        let idle = run.at_hand() == 0 && run.all_invited;
        let (done, some) = (idle && campaign.is_done(), run.fetched_count() > 0);
        // With a full window the letters that go out ask for more by themselves.
        let due = run.backlog.next_due().filter(|due| *due > at || run.at_hand() < common);
        self.wake_at(id, due);
        self.line_up_held(id, at);
        if done {
            self.close(id, now);
        } else if some {
            self.line_up(id);
        }
    }

    /// Sets when a campaign is looked at again by itself.
    pub(super) fn wake_at(&mut self, id: CampaignId, then: Option<Millis>) {
        let Some(run) = self.runs.get_mut(&id) else { return };
        if let Some(before) = std::mem::replace(&mut run.wake, then) {
            self.wakes.remove(&(before, id));
        }
        self.wakes.extend(then.map(|then| (then, id)));
    }

    /// Drops the state of a campaign that no longer runs.
    pub(super) fn retire(&mut self, id: CampaignId) {
        self.wake_at(id, None);
        self.runs.remove(&id);
    }

    /// A campaign ended by decision: drops what is at hand, and tells its list.
    pub(super) fn end(&mut self, id: CampaignId, at: Millis) {
        self.tell_closed(id);
        self.yield_queues(id, at);
        if let Some(run) = self.runs.get_mut(&id) {
            run.clear();
        }
    }

    /// If less than half a window is at hand, fetches more while those letters go out.
    pub(super) fn low(&mut self, id: CampaignId, now: Tick) {
        if self.runs.get(&id).is_some_and(|run| run.at_hand() <= self.setup.window / 2) {
            self.feed(id, now);
        }
    }

    /// Adds a campaign to those that may have a letter to start.
    pub(super) fn line_up(&mut self, id: CampaignId) {
        if let Some(run) = self.runs.get_mut(&id).filter(|run| !run.in_line) {
            run.in_line = true;
            self.ready.push_back(id);
        }
    }

    /// Closes a campaign of which no letter is pending, started or deferred.
    fn close(&mut self, id: CampaignId, now: Tick) {
        self.record(CampaignEvent::Closed { id }, now, false);
        self.retire(id);
        self.tell_closed(id);
    }

    /// Tells the list of a campaign that it is done.
    fn tell_closed(&mut self, id: CampaignId) {
        if let Some(campaign) = self.campaigns.get(id) {
            let (list, upto) = (campaign.header.list.clone(), campaign.upto);
            self.effects.push(Effect::Close { campaign: id, list, upto });
        }
    }

    /// Takes in the recipients of letters. Those whose person changed meanwhile are asked for again.
    pub(super) fn fetched(&mut self, id: CampaignId, people: Vec<Recipient>, now: Tick) {
        let (Some(run), Some(campaign)) = (self.runs.get_mut(&id), self.campaigns.get(id)) else { return };
        let again = run.fetched(people);
        // A letter that waits for a provider is fetched again in its turn.
        for row in again.iter().filter(|row| !run.held_rows.holds(**row)) {
            run.backlog.put_back(&campaign.ledger, *row);
        }
        if again.is_empty() {
            self.line_up(id);
        } else {
            self.feed(id, now);
        }
    }

    /// Takes in whether the template renders the campaign's first letter.
    pub(super) fn template_tried(&mut self, id: CampaignId, result: Result<(), String>, now: Tick) {
        let Some(run) = self.runs.get_mut(&id).filter(|run| run.template == Template::Asked) else { return };
        match result {
            Ok(()) => {
                run.template = Template::Good;
                self.line_up(id);
            }
            Err(why) => {
                run.template = Template::Untried;
                if self.campaigns.get(id).is_some_and(|campaign| !campaign.status.is_closed()) {
                    self.effects.push(Effect::Say(Notice::Template { campaign: id, why: why.clone() }));
                    self.record(CampaignEvent::Failed { id, why }, now, false);
                    self.end(id, now.at);
                }
            }
        }
    }

    /// Takes in a stretch of the audience.
    pub(super) fn invited(
        &mut self,
        id: CampaignId,
        people: &[Invitee],
        page: Option<u32>,
        last: bool,
        now: Tick,
    ) {
        if self.campaigns.get(id).is_none_or(|campaign| campaign.status.is_closed()) {
            return;
        }
        self.upsert(id, people, last, now);
        let Some(run) = self.run_or(id, Run::fresh) else { return };
        run.inviting = false;
        run.all_invited = last;
        run.page = page.unwrap_or(run.page);
        self.feed(id, now);
    }

    /// Takes in everybody who was handed over before a restart.
    pub(super) fn invited_again(&mut self, id: CampaignId, people: Vec<Invitee>, last: bool, now: Tick) {
        let Some(campaign) = self.campaigns.get(id).filter(|campaign| !campaign.status.is_closed()) else {
            return;
        };
        // After a merge the place belongs to another number, but is in the ledger already.
        let ledger = &campaign.ledger;
        let places: BTreeSet<u32> = ledger.rows().map(|row| row.ordinal).collect();
        let people: Vec<Invitee> = people
            .into_iter()
            .filter(|invitee| ledger.find(invitee.person).is_some() || !places.contains(&invitee.ordinal))
            .collect();
        self.upsert(id, &people, last, now);
        let Some(run) = self.run_or(id, Run::resuming) else { return };
        run.resumed = true;
        run.all_invited = last;
        self.feed(id, now);
    }

    /// Takes people into the ledger, one place after another. A person who has left the place meanwhile is
    /// skipped with that reason, unless they hold another place in the audience.
    fn upsert(&mut self, id: CampaignId, people: &[Invitee], last: bool, now: Tick) {
        for invitee in people {
            let Some(campaign) = self.campaigns.get(id) else { return };
            let held = campaign.ledger.find(invitee.person);
            if !invitee.here && held.is_some_and(|(_, row)| row.ordinal != invitee.ordinal) {
                continue;
            }
            self.campaigns.apply_invited(id, std::slice::from_ref(invitee), false, now.at);
            // A person who came back with a new place is looked at again in their row.
            if let (Some((row, _)), Some(run)) = (held, self.runs.get_mut(&id)) {
                run.backlog.rewind(row);
            }
            if !invitee.here
                && let Some(event) = self.campaigns.decide_exclusion(id, invitee.person, SkipReason::Left)
            {
                self.record(event, now, false);
            }
        }
        self.campaigns.apply_invited(id, &[], last, now.at);
    }

    /// A scheduled campaign waits for its time, or its list is asked for the audience.
    fn fall_due(&mut self, id: CampaignId, now: Tick) {
        let Some(campaign) = self.campaigns.get(id) else { return };
        let scheduled = campaign.header.scheduled.unwrap_or(now.at);
        if scheduled > now.at {
            self.run_or(id, Run::fresh);
            return self.wake_at(id, Some(scheduled));
        }
        // Up to a minute late counts as in time, whatever the campaign's age: only a start after a stop is
        // later than that.
        if now.at.since(scheduled) > self.campaigns.retry(campaign).max_age_ms.max(60_000) {
            self.record(CampaignEvent::Expired(id), now, false);
            return self.retire(id);
        }
        self.begin(id);
    }

    /// Asks a list for the audience of a campaign made by hand.
    pub(super) fn begin(&mut self, id: CampaignId) {
        let Some(campaign) = self.campaigns.get(id) else { return };
        let list = campaign.header.list.clone();
        let everybody = self.setup.catalog.default_opt_in(&list);
        self.effects.push(Effect::Begin { campaign: id, list, everybody });
    }

    /// The list's answer: the campaign opens.
    pub(super) fn begun(&mut self, id: CampaignId, upto: u32, added: u32, now: Tick) {
        let waits = |campaign: &Campaign| campaign.started.is_none() && !campaign.status.is_closed();
        if !self.campaigns.get(id).is_some_and(waits) {
            return;
        }
        self.record(CampaignEvent::Opened { header: None, id, upto, added }, now, false);
        self.retire(id);
        self.run_or(id, Run::fresh);
        self.feed(id, now);
    }

    /// After a restart: settles the letters in doubt, and open campaigns ask again for what they were given.
    pub(super) fn resume(&mut self, now: Tick) {
        for event in self.campaigns.decide_doubt(now.at) {
            self.record(event, now, false);
        }
        let open = self.campaigns.open().map(|campaign| {
            let header = &campaign.header;
            (header.id, campaign.status, header.list.clone(), campaign.started.is_some())
        });
        let open: Vec<(CampaignId, CampaignStatus, ListId, bool)> = open.collect();
        for (id, status, list, started) in open {
            if started && !self.setup.catalog.default_opt_in(&list) {
                self.ask_again(id, list);
                continue;
            }
            self.run_or(id, Run::fresh);
            match status {
                // The contact numbers are simply gone through again; the ledger knows whom it has.
                _ if started => self.feed(id, now),
                CampaignStatus::Scheduled => self.feed(id, now),
                CampaignStatus::Queued => self.begin(id),
                _ => {}
            }
        }
    }

    /// Asks a list for everybody whom it has handed over to a campaign. Nothing more is fetched until it
    /// answers; what is being fetched already goes on.
    pub(super) fn ask_again(&mut self, id: CampaignId, list: ListId) {
        if let Some(run) = self.run_or(id, Run::resuming) {
            run.resumed = false;
            self.effects.push(Effect::InviteAgain { campaign: id, list });
        }
    }
}
