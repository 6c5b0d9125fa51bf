//! How letters come to be ready: invitations from the list, recipients from the directory.

use super::super::messages::{DirectoryMessage, ListMessage, Page, SupervisorMessage};
use super::lanes::common_part;
use super::*;
use std::collections::BTreeSet;

impl CampaignState {
    /// Brings a campaign on by one step: fetch, invite, wait, or close.
    pub(super) fn feed(&mut self, context: &Context, id: CampaignId) {
        let at = context.clock.now();
        let window = context.settings.window;
        self.wake_at(id, None);
        let Some(campaign) = self.campaigns.get_mut(id) else { return };
        let runner = self.runners.entry(id).or_insert_with(Runner::fresh);
        if campaign.status == Status::Scheduled {
            let due = campaign.header.scheduled.unwrap_or(at);
            if due <= at {
                return self.fall_due(context, id, at);
            }
            return self.wake_at(id, Some(due));
        }
        if campaign.status.is_closed() {
            if campaign.ledger.counts().started == 0 {
                self.retire(id);
            }
            return;
        }
        if !campaign.is_sending() || !runner.resumed {
            return;
        }
        let at_hand = runner.at_hand();
        let common = if runner.aside.is_empty() { window } else { common_part(window) };
        if at_hand < common {
            // A row that became pending again may lie before others that are at hand already, or wait aside.
            let wanted = |row| !runner.is_at_hand(row) && !runner.aside.holds(row);
            let rows = campaign.ledger.take_where(at, common - at_hand, wanted).into_iter();
            let people = rows.filter_map(|row| Some((row, campaign.ledger.row(row)?.person)));
            let people: Vec<_> = people.filter(|(row, _)| runner.fetch(*row)).collect();
            if !people.is_empty() {
                let list = campaign.header.list.clone();
                context.mailboxes.directory.send(DirectoryMessage::LookUp(id, list, people));
            } else if !runner.all_invited && !runner.inviting {
                runner.inviting = true;
                let (list, upto) = (campaign.header.list.clone(), campaign.upto);
                if context.catalog.default_opt_in(&list) {
                    let (after, most, since) = (runner.page, window, campaign.started.unwrap_or(at));
                    let page = Page { campaign: id, list, after, upto, most, since };
                    context.mailboxes.directory.send(DirectoryMessage::Page(page));
                } else {
                    // One window ahead of what is at hand: the list's record covers many at once.
                    to_list(context, list, ListMessage::Invite(id, window));
                }
            }
        }
        if runner.all_invited {
            campaign.all_invited();
        }
        let idle = runner.at_hand() == 0 && runner.all_invited;
        let (done, some) = (idle && campaign.is_done(), runner.has_ready());
        // With a full window the letters that go out ask for more by themselves.
        let due = campaign.ledger.next_due().filter(|due| *due > at || runner.at_hand() < common);
        self.wake_at(id, due);
        self.line_up_aside(id, at);
        if done {
            self.close(context, id, at);
        } else if some {
            self.line_up(id);
        }
    }

    /// Sets when a campaign is looked at again by itself.
    fn wake_at(&mut self, id: CampaignId, then: Option<Millis>) {
        let Some(runner) = self.runners.get_mut(&id) else { return };
        if let Some(before) = std::mem::replace(&mut runner.wake, then) {
            self.wakes.remove(&(before, id));
        }
        self.wakes.extend(then.map(|then| (then, id)));
    }

    /// Forgets what is held for a campaign that no longer runs.
    fn retire(&mut self, id: CampaignId) {
        self.wake_at(id, None);
        self.runners.remove(&id);
    }

    /// A campaign ended by decision: what is at hand is let go, and its list is told.
    pub(super) fn end(&mut self, context: &Context, id: CampaignId) {
        if let Some(campaign) = self.campaigns.get(id) {
            to_list(context, campaign.header.list.clone(), ListMessage::Close(id, campaign.upto));
        }
        if let Some(runner) = self.runners.get_mut(&id) {
            runner.clear();
        }
    }

    /// Less than half a window at hand: fetch more while these go out.
    pub(super) fn low(&mut self, context: &Context, id: CampaignId) {
        let half = context.settings.window / 2;
        if self.runners.get(&id).is_some_and(|runner| runner.at_hand() <= half) {
            self.feed(context, id);
        }
    }

    /// Puts a campaign in line to start letters.
    fn line_up(&mut self, id: CampaignId) {
        if let Some(runner) = self.runners.get_mut(&id)
            && !runner.in_line
        {
            runner.in_line = true;
            self.ready.push_back(id);
        }
    }

    /// Nobody is pending, started or deferred.
    fn close(&mut self, context: &Context, id: CampaignId, at: Millis) {
        self.write(context, &CampaignEvent::Closed { id }, at, None);
        self.retire(id);
        if let Some(campaign) = self.campaigns.get(id) {
            to_list(context, campaign.header.list.clone(), ListMessage::Close(id, campaign.upto));
        }
    }

    /// Recipients just looked up; those of whom there was news meanwhile are asked for again.
    pub(super) fn fetched(&mut self, context: &Context, id: CampaignId, people: Vec<Prepared>) {
        let Some(runner) = self.runners.get_mut(&id) else { return };
        let again = runner.fetched(people);
        if let Some(campaign) = self.campaigns.get_mut(id) {
            let rows = again.iter().filter(|row| !runner.aside.holds(**row));
            rows.for_each(|row| campaign.ledger.put_back(*row));
        }
        if again.is_empty() {
            self.line_up(id);
        } else {
            self.feed(context, id);
        }
    }

    /// A stretch of the audience.
    pub(super) fn invited(
        &mut self,
        context: &Context,
        id: CampaignId,
        people: &[Invitee],
        page: Option<u32>,
        last: bool,
    ) {
        let at = context.clock.now();
        if self.campaigns.get(id).is_none_or(|campaign| campaign.status.is_closed()) {
            return;
        }
        self.take_up(context, id, people, at);
        let runner = self.runners.entry(id).or_insert_with(Runner::fresh);
        runner.inviting = false;
        runner.all_invited = last;
        runner.page = page.unwrap_or(runner.page);
        self.feed(context, id);
    }

    /// All that was handed over before a restart.
    pub(super) fn invited_again(
        &mut self,
        context: &Context,
        id: CampaignId,
        people: Vec<Invitee>,
        last: bool,
    ) {
        let at = context.clock.now();
        let Some(campaign) = self.campaigns.get(id).filter(|campaign| !campaign.status.is_closed()) else {
            return;
        };
        // A place that went to another number when two people became one is in the ledger already.
        let ledger = &campaign.ledger;
        let places: BTreeSet<u32> = ledger.rows().map(|row| row.ordinal).collect();
        let people: Vec<Invitee> = people
            .into_iter()
            .filter(|invitee| ledger.find(invitee.person).is_some() || !places.contains(&invitee.ordinal))
            .collect();
        self.take_up(context, id, &people, at);
        let runner = self.runners.entry(id).or_default();
        runner.resumed = true;
        runner.all_invited = last;
        self.feed(context, id);
    }

    /// Takes people into the ledger, one place after the other; who has left theirs by now is
    /// skipped with that reason, unless they stand there by another place.
    fn take_up(&mut self, context: &Context, id: CampaignId, people: &[Invitee], at: Millis) {
        for invitee in people {
            let Some(campaign) = self.campaigns.get_mut(id) else { return };
            let held = campaign.ledger.find(invitee.person).map(|(_, row)| row.ordinal);
            if !invitee.here && held.is_some_and(|ordinal| ordinal != invitee.ordinal) {
                continue;
            }
            campaign.take_up([(invitee.person, invitee.ordinal)], at);
            if !invitee.here
                && let Some(event) = self.campaigns.decide_note(id, invitee.person, Skip::Left)
            {
                self.write(context, &event, at, None);
            }
        }
    }

    /// The alarm: deferred letters fall due, campaigns come to their time.
    pub(super) fn rung(&mut self, context: &Context) {
        self.alarm_at = None;
        let at = context.clock.now();
        let due: Vec<CampaignId> =
            self.wakes.iter().take_while(|(then, _)| *then <= at).map(|(_, id)| *id).collect();
        for id in due {
            if self.campaigns.get(id).is_some_and(|campaign| campaign.status == Status::Scheduled) {
                self.fall_due(context, id, at);
            } else {
                self.feed(context, id);
            }
        }
    }

    /// A scheduled campaign's time has come: its list is asked for its audience. `None` of the
    /// letters of one that is too late would still be news.
    pub(super) fn fall_due(&mut self, context: &Context, id: CampaignId, at: Millis) {
        let Some(campaign) = self.campaigns.get(id) else { return };
        let scheduled = campaign.header.scheduled.unwrap_or(at);
        // Less than a minute late is in time, whatever its age: only a start after a stop is later.
        if at.since(scheduled) > self.campaigns.retry(campaign).max_age_ms.max(60_000) {
            self.write(context, &CampaignEvent::Expired(id), at, None);
            return self.retire(id);
        }
        self.wake_at(id, None);
        self.begin(context, id);
    }

    /// Asks a list for the audience of a campaign made by hand.
    pub(super) fn begin(&mut self, context: &Context, id: CampaignId) {
        let Some(campaign) = self.campaigns.get(id) else { return };
        let list = campaign.header.list.clone();
        if context.catalog.default_opt_in(&list) {
            context.mailboxes.directory.send(DirectoryMessage::BeginEverybody(id, list));
        } else {
            to_list(context, list, ListMessage::Begin { campaign: id, everybody: None });
        }
    }

    /// The list's answer: the campaign opens.
    pub(super) fn begun(&mut self, context: &Context, id: CampaignId, upto: u32, added: u32) {
        let at = context.clock.now();
        let waits = |campaign: &crate::domain::campaign::Campaign| {
            campaign.started.is_none() && !campaign.status.is_closed()
        };
        if !self.campaigns.get(id).is_some_and(waits) {
            return;
        }
        self.write(context, &CampaignEvent::Opened { header: None, id, upto, added }, at, None);
        self.retire(id);
        self.runners.insert(id, Runner::fresh());
        self.feed(context, id);
    }

    /// After a restart: doubt is settled, open campaigns ask for what they were given.
    pub(super) fn resume(&mut self, context: &Context) {
        let at = context.clock.now();
        for event in self.campaigns.decide_doubt(at) {
            self.write(context, &event, at, None);
        }
        let open: Vec<(CampaignId, Status, ListId, bool)> = self
            .campaigns
            .open()
            .map(|campaign| {
                let header = &campaign.header;
                (header.id, campaign.status, header.list.clone(), campaign.started.is_some())
            })
            .collect();
        for (id, status, list, started) in open {
            match status {
                Status::Scheduled => {
                    self.runners.insert(id, Runner::fresh());
                    self.feed(context, id);
                }
                _ if !started => {
                    self.runners.insert(id, Runner::fresh());
                    if status == Status::Queued {
                        self.begin(context, id);
                    }
                }
                _ if context.catalog.default_opt_in(&list) => {
                    // Its pages are simply walked again; the ledger knows whom it has.
                    self.runners.insert(id, Runner::fresh());
                    self.feed(context, id);
                }
                _ => self.ask_again(context, id, list),
            }
        }
    }

    /// Asks a list for all that it has handed over to a campaign; until it answers nothing more is fetched. What is
    /// being fetched already stays so.
    pub(super) fn ask_again(&mut self, context: &Context, id: CampaignId, list: ListId) {
        self.runners.entry(id).or_default().resumed = false;
        to_list(context, list, ListMessage::InviteAgain(id));
    }

    /// The setting `after_send = "leave"`: who was mailed leaves the list.
    pub(super) fn leave_list(&self, context: &Context, id: CampaignId, person: PersonId) {
        if let Some(campaign) = self.campaigns.get(id).filter(|campaign| campaign.header.rule) {
            // By the directory, as every membership change.
            context
                .mailboxes
                .directory
                .send(DirectoryMessage::LeaveAfterSend(person, campaign.header.list.clone()));
        }
    }
}

/// A message to a list, by way of the supervisor.
pub(super) fn to_list(context: &Context, list: ListId, message: ListMessage) {
    context.mailboxes.supervisor.send(SupervisorMessage::ToList(list, message));
}
