//! What is asked of campaigns from outside: restocks, campaigns by hand, verbs, notes.

use super::super::messages::{DirectoryMessage, ListMessage};
use super::super::verbs::ReturnAnswer;
use super::flow::to_list;
use super::*;
use crate::domain::Email;
use crate::domain::returns::{Proof, Report};

/// How far in the past `sendAt` may lie.
const SEND_AT_PAST_MS: u64 = 60_000;

impl CampaignState {
    /// A restock leads to the campaign of its SKU and day.
    pub(super) fn restocked(&mut self, context: &Context, restocked: &Restocked, part: Option<Part>) {
        let at = context.clock.now();
        let header = header::of_rule(context, restocked);
        let Restocked { campaign: id, upto, added, .. } = *restocked;
        if self.campaigns.collides(&header) {
            return self.beside(context, header, part, at);
        }
        let Some(event) = self.campaigns.decide_restock(&header, upto, added) else {
            if self.campaigns.get(id).is_none_or(|campaign| campaign.status.is_closed()) {
                to_list(context, header.list, ListMessage::Close(id, upto));
            }
            return part.into_iter().for_each(|part| context.barrier(part));
        };
        let (at_start, new) = (part.is_none(), self.campaigns.get(id).is_none());
        self.write(context, &event, at, part);
        if new {
            context.recent.add(id);
        }
        if at_start {
            // The list may have handed over some of them before the restart.
            return self.ask_again(context, id, header.list);
        }
        let runner = self.runners.entry(id).or_insert_with(Runner::fresh);
        runner.all_invited = false;
        self.feed(context, id);
    }

    /// The rule's key is held by a campaign of another list: the rule opens its own beside it.
    fn beside(&mut self, context: &Context, header: Header, part: Option<Part>, at: Millis) {
        tracing::warn!(
            campaign.key = header.key,
            "the rule's key is taken by another list; it opens its own"
        );
        to_list(context, header.list.clone(), ListMessage::Close(header.id, u32::MAX));
        let key = format!("{}#{}", header.key.unwrap_or_default(), header.list);
        let id = context.secrets.campaign(&key);
        let header = Header { id, key: Some(key), day: None, ..header };
        if self.campaigns.get(id).is_some() {
            return part.into_iter().for_each(|part| context.barrier(part));
        }
        self.write(context, &header.asked(), at, part);
        context.recent.add(id);
        self.begin(context, id);
    }

    /// A campaign made by hand; the same key again answers with the one there is.
    pub(super) fn create(
        &mut self,
        context: &Context,
        asked: Asked,
        reply: Reply<Result<Created, CreateRefusal>>,
    ) {
        let at = context.clock.now();
        let id = asked.id;
        let held = self.campaigns.get(id);
        let header = header::by_hand(context, asked, held.map(|held| &held.header));
        if !context.templates.has(&header.template) {
            return reply.when_durable(Err(CreateRefusal::UnknownTemplate(header.template)));
        }
        if let Some(held) = held {
            let (status, scheduled) = (held.status, held.header.scheduled);
            let differs = mismatch(&held.header, &header);
            context.barrier(reply.part());
            return reply.when_durable(Ok(Created { status, scheduled, differs }));
        }
        let scheduled = header.scheduled;
        if let Some(past) = scheduled.filter(|time| at.since(*time) > SEND_AT_PAST_MS) {
            return reply.when_durable(Err(CreateRefusal::SendAtPast(past)));
        }
        let later = scheduled.is_some_and(|time| time > at);
        let status = if later { Status::Scheduled } else { Status::Queued };
        self.write(context, &header.asked(), at, Some(reply.part()));
        context.recent.add(id);
        reply.when_durable(Ok(Created { status, scheduled, differs: Vec::new() }));
        self.runners.insert(id, Runner::fresh());
        if later {
            self.feed(context, id);
        } else {
            self.begin(context, id);
        }
    }

    /// A verb on a campaign.
    pub(super) fn verb(
        &mut self,
        context: &Context,
        id: CampaignId,
        verb: Verb,
        reply: Reply<Result<(), CampaignRefusal>>,
    ) {
        let at = context.clock.now();
        match self.campaigns.decide_verb(id, verb) {
            Err(refusal) => reply.when_durable(Err(refusal)),
            Ok(None) => {
                context.barrier(reply.part());
                reply.when_durable(Ok(()));
            }
            Ok(Some(event)) => {
                self.write(context, &event, at, Some(reply.part()));
                reply.when_durable(Ok(()));
                if matches!(verb, Verb::Cancel) {
                    self.end(context, id);
                }
                if matches!(verb, Verb::RetryFailed | Verb::ResendDoubt) {
                    // Nobody new is invited by this.
                    let runner = self.runners.entry(id).or_insert_with(Runner::again);
                    runner.inviting = false;
                }
                if matches!(verb, Verb::Resume)
                    && self.campaigns.get(id).is_some_and(|campaign| campaign.status == Status::Queued)
                {
                    return self.begin(context, id);
                }
                self.feed(context, id);
            }
        }
    }

    /// Somebody may no longer be mailed; from here on no letter of theirs starts.
    pub(super) fn note(
        &mut self,
        context: &Context,
        list: Option<&ListId>,
        person: PersonId,
        reason: Skip,
        part: Part,
    ) {
        let at = context.clock.now();
        let ids = |campaign: &crate::domain::campaign::Campaign| campaign.header.id;
        let campaigns: Vec<CampaignId> = match list {
            Some(list) => self.campaigns.open_on(list).map(ids).collect(),
            None => self.campaigns.open().map(ids).collect(),
        };
        for id in campaigns {
            // What was fetched is forgotten with it: it may not serve when the letter opens again.
            let runner = self.runners.get_mut(&id);
            let forgotten = runner.map(|runner| runner.forget(person)).unwrap_or_default();
            let numbers = forgotten.into_iter().map(|(_, number)| number);
            for person in std::iter::once(person).chain(numbers) {
                if let Some(event) = self.campaigns.decide_note(id, person, reason) {
                    self.write(context, &event, at, Some(part.split()));
                }
            }
            self.low(context, id);
        }
        part.done();
    }
}

impl CampaignState {
    /// Two people became one: letters at hand of the one who is no more are fetched again, so that
    /// from here on news of the other reaches them.
    pub(super) fn merged(&mut self, context: &Context, from: PersonId) {
        let ids: Vec<CampaignId> = self.runners.keys().copied().collect();
        for id in ids {
            let Some(runner) = self.runners.get_mut(&id) else { continue };
            let forgotten = runner.forget(from);
            if let Some(campaign) = self.campaigns.get_mut(id).filter(|_| !forgotten.is_empty()) {
                // Who waits for a provider is fetched again in their turn.
                let rows = forgotten.iter().filter(|(row, _)| !runner.aside.holds(*row));
                rows.for_each(|(row, _)| campaign.ledger.put_back(*row));
                self.feed(context, id);
            }
        }
    }
}

impl CampaignState {
    /// A report about a letter goes on to the directory, with the address that the letter went to.
    pub(super) fn returned(&self, context: &Context, mut report: Box<Report>, reply: Reply<ReturnAnswer>) {
        if let Proof::Letter { campaign, person, named, went_to, .. } = &mut report.proof
            && let Some(ledger) = self.campaigns.get(*campaign).map(|campaign| &campaign.ledger)
            && let Some((row, _)) = ledger.find(*person)
        {
            let started = |(_, address): &&(Email, u64)| ledger.started_to(*address) == Some(row);
            *went_to = named.iter().find(started).map(|(email, _)| email.clone());
        }
        context.mailboxes.directory.send(DirectoryMessage::Returned(report, reply));
    }
}

/// The fields in which a repeated request differs from the campaign it made.
fn mismatch(held: &Header, asked: &Header) -> Vec<&'static str> {
    let mut fields = Vec::new();
    let mut note = |differs: bool, field| {
        if differs {
            fields.push(field);
        }
    };
    note(held.name != asked.name, "name");
    note(held.list != asked.list, "list");
    note(held.template != asked.template, "template");
    note(held.props != asked.props, "props");
    note(held.from != asked.from, "from");
    note(held.subject != asked.subject, "subject");
    note(held.scheduled != asked.scheduled, "sendAt");
    note(held.on_doubt != asked.on_doubt, "onDoubt");
    note(held.max_age != asked.max_age, "maxAge");
    fields
}
