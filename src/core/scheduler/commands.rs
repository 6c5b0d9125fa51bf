//! Inputs from outside about campaigns: restocks, campaigns made by hand, commands, changes about people.

use super::super::campaign::{Campaign, CampaignCommand, CampaignEvent, CampaignStatus, Header, SkipReason};
use super::super::ids::{CampaignId, ListId, PersonId};
use super::Scheduler;
use super::input::{Created, Effect, SchedulerReply, Tick};
use super::run::Run;

impl Scheduler {
    /// A restock opens the campaign of its SKU and day, or opens it again.
    pub(super) fn restocked(&mut self, header: Header, upto: u32, added: u32, at_start: bool, now: Tick) {
        let id = header.id;
        if self.campaigns.collides(&header) {
            let (campaign, list, upto) = (id, header.list.clone(), u32::MAX);
            self.effects.push(Effect::Close { campaign, list, upto });
            return self.effects.push(Effect::KeyTaken(Box::new(header)));
        }
        let list = header.list.clone();
        let Some(event) = self.campaigns.decide_restock(header, upto, added) else {
            if self.campaigns.get(id).is_none_or(|campaign| campaign.status.is_closed()) {
                self.effects.push(Effect::Close { campaign: id, list, upto });
            }
            return self.effects.push(Effect::Fence);
        };
        self.record(event, now, true);
        if at_start {
            // The list may have handed over some of these people before the restart.
            return self.ask_again(id, list);
        }
        if let Some(run) = self.run_or(id, Run::fresh) {
            run.all_invited = false;
        }
        self.feed(id, now);
    }

    /// Opens a rule campaign whose key belongs to another list, under a key of its own.
    pub(super) fn open_sibling(&mut self, header: Header, now: Tick) {
        let id = header.id;
        if self.campaigns.get(id).is_some() {
            return self.effects.push(Effect::Fence);
        }
        self.record(CampaignEvent::Scheduled(header), now, true);
        self.begin(id);
    }

    /// A campaign made by hand. The same key again is answered with the campaign that exists.
    pub(super) fn create(&mut self, header: Header, now: Tick) {
        let id = header.id;
        if let Some(existing) = self.campaigns.get(id) {
            let mismatch = mismatch(&existing.header, &header);
            let created = Created { status: existing.status, scheduled: existing.header.scheduled, mismatch };
            self.effects.push(Effect::Answer(SchedulerReply::Created(created)));
            return self.effects.push(Effect::Fence);
        }
        let scheduled = header.scheduled;
        let later = scheduled.is_some_and(|time| time > now.at);
        let status = if later { CampaignStatus::Scheduled } else { CampaignStatus::Queued };
        let created = Created { status, scheduled, mismatch: Vec::new() };
        self.effects.push(Effect::Answer(SchedulerReply::Created(created)));
        self.record(CampaignEvent::Scheduled(header), now, true);
        self.run_or(id, Run::fresh);
        if later {
            self.feed(id, now);
        } else {
            self.begin(id);
        }
    }

    /// A command about one campaign.
    pub(super) fn command(&mut self, id: CampaignId, command: CampaignCommand, now: Tick) {
        let event = match self.campaigns.decide_command(id, command) {
            Err(refusal) => return self.effects.push(Effect::Answer(SchedulerReply::Command(Err(refusal)))),
            Ok(event) => event,
        };
        self.effects.push(Effect::Answer(SchedulerReply::Command(Ok(()))));
        let Some(event) = event else { return self.effects.push(Effect::Fence) };
        // Letters that are sent again invite nobody new.
        let again = matches!(command, CampaignCommand::RetryFailed | CampaignCommand::ResendDoubt);
        self.record(event, now, true);
        match command {
            CampaignCommand::Cancel => self.end(id, now.at),
            CampaignCommand::Pause => self.yield_queues(id, now.at),
            _ => {}
        }
        if again && let Some(run) = self.run_or(id, Run::again) {
            run.inviting = false;
        }
        let queued = self.campaigns.get(id).is_some_and(|campaign| campaign.status == CampaignStatus::Queued);
        if command == CampaignCommand::Resume && queued {
            return self.begin(id);
        }
        self.feed(id, now);
    }

    /// A person may no longer be mailed; from now on no letter to them starts.
    pub(super) fn note(&mut self, list: Option<&ListId>, person: PersonId, reason: SkipReason, now: Tick) {
        let ids = |campaign: &Campaign| campaign.header.id;
        let campaigns: Vec<CampaignId> = match list {
            Some(list) => self.campaigns.open_on(list).map(ids).collect(),
            None => self.campaigns.open().map(ids).collect(),
        };
        for id in campaigns {
            // What was fetched is dropped too: it would be out of date if the letter is opened again.
            let run = self.runs.get_mut(&id);
            let forgotten = run.map(|run| run.forget(person)).unwrap_or_default();
            let numbers = forgotten.into_iter().map(|(_, number)| number);
            for person in std::iter::once(person).chain(numbers) {
                if let Some(event) = self.campaigns.decide_exclusion(id, person, reason) {
                    self.record(event, now, true);
                }
            }
            self.low(id, now);
        }
    }

    /// A person's address changed, or the person was merged away. Their letters at hand are fetched again, so
    /// that none starts with old data.
    pub(super) fn mailbox_changed(&mut self, person: PersonId, now: Tick) {
        let ids: Vec<CampaignId> = self.runs.keys().copied().collect();
        for id in ids {
            let Some(run) = self.runs.get_mut(&id) else { continue };
            let forgotten = run.forget(person);
            let Some(campaign) = self.campaigns.get(id).filter(|_| !forgotten.is_empty()) else { continue };
            // Letters that wait for a provider are fetched again in their turn.
            for (row, _) in forgotten.iter().filter(|(row, _)| !run.held_rows.holds(*row)) {
                run.backlog.put_back(&campaign.ledger, *row);
            }
            self.feed(id, now);
        }
    }
}

/// The fields in which a repeated request differs from the campaign that exists.
fn mismatch(existing: &Header, asked: &Header) -> Vec<&'static str> {
    let differs = [
        (existing.name != asked.name, "name"),
        (existing.list != asked.list, "list"),
        (existing.template != asked.template, "template"),
        (existing.props != asked.props, "props"),
        (existing.from != asked.from, "from"),
        (existing.subject != asked.subject, "subject"),
        (existing.scheduled != asked.scheduled, "sendAt"),
        (existing.on_doubt != asked.on_doubt, "onDoubt"),
        (existing.max_age != asked.max_age, "maxAge"),
    ];
    differs.into_iter().filter(|(differs, _)| *differs).map(|(_, field)| field).collect()
}
