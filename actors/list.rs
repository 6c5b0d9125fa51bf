//! The actor of one SKU list: the only author of its membership and of the restocks it counted.
//!
//! The supervisor alone holds its reference, and all messages come through it. This file is the list while it is awake;
//! waking and passivation are in `list_lifecycle`. Answers are given by the log when records are durable, never here.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::ack::AckGuard;
use super::api::RestockAnswer;
use super::context::{Context, logged};
use super::messages::{CampaignMessage, ListMessage, Restocked, SupervisorMessage};
use restockd_core::campaign::SkipReason;
use restockd_core::directory::{ListTask, RestockFact};
use restockd_core::list::{ChangeSource, Invitation, List, ListCommand, ListDecision, ListEvent};
use restockd_core::scheduler::{Input, Recipient};
use restockd_core::{CampaignId, ListId, Millis, PersonId};

pub struct ListState {
    pub id: ListId,
    pub list: List,
    /// The number of records that are not durable yet.
    tickets: Arc<AtomicUsize>,
}

impl ListState {
    /// A list that wakes, or a new one.
    #[must_use]
    pub fn new(id: ListId, list: List) -> Self {
        Self { id, list, tickets: Arc::default() }
    }

    /// Records and applies an event; the guard is done when it is durable.
    fn write(&mut self, context: &Context, event: &ListEvent, at: Millis, ack: AckGuard) {
        self.list.apply(event, at);
        self.tickets.fetch_add(1, Ordering::AcqRel);
        let tickets = Arc::clone(&self.tickets);
        let record = restockd_records::of_list(context.stamp(self.list.seq(), at), &self.id, event);
        let ticket = ack.ticket();
        context.log.append(
            logged(record),
            Box::new(move |result| {
                tickets.fetch_sub(1, Ordering::AcqRel);
                ticket(result);
            }),
        );
    }

    /// Decides. A panic in deciding counts as a refusal, since deciding only reads.
    fn decide(&self, command: &ListCommand, at: Millis) -> Option<ListDecision> {
        let decided = catch_unwind(AssertUnwindSafe(|| self.list.decide(command, at)));
        if decided.is_err() {
            tracing::error!("a list refused a command that it could not decide");
        }
        decided.ok()
    }

    /// Decides and commits a command that has no answer of its own.
    fn execute(&mut self, context: &Context, command: &ListCommand, ack: AckGuard) {
        let at = context.clock.now();
        let decided = self.decide(command, at);
        self.commit(context, decided, at, ack);
    }

    /// Records and applies what was decided.
    fn commit(&mut self, context: &Context, decided: Option<ListDecision>, at: Millis, ack: AckGuard) {
        match decided {
            Some(ListDecision::New(event)) => self.write(context, &event, at, ack),
            Some(_) => context.barrier(ack),
            None => drop(ack),
        }
    }

    /// Carries out the list's share of an open event.
    fn task(&mut self, context: &Context, share: Share, task: ListTask, ack: AckGuard) {
        let Share { event, person, how, timestamp, accepted } = share;
        match task {
            ListTask::Change { list: _, join, product } => {
                let Some(person) = person else { return ack.done() };
                let at = context.clock.now();
                let default_opt_in = context.catalog.default_opt_in(&self.id);
                let change =
                    ListCommand::Change { event, person, join, timestamp, source: how, default_opt_in };
                let decided = self.decide(&change, at);
                // A leave does not create a list.
                if let Some(product) = product.filter(|_| join || self.list.seq() > 0) {
                    self.name(context, event, product, decided.as_ref(), &ack);
                }
                // A leave that is older than what the list has heard of the person since changes nothing, here or in a
                // campaign. After a restart every open event is sent again.
                let stale =
                    self.list.subscribed(person) == Some(true) && decided == Some(ListDecision::Nothing);
                if !join && !stale {
                    self.note(context, person, how, default_opt_in, &ack);
                }
                self.commit(context, decided, at, ack);
            }
            ListTask::Move { list: _, from } => {
                let Some(to) = person else { return ack.done() };
                if self.list.subscribed(to) == Some(false) {
                    // The merged person had left, and that wins: the place ends instead of moving.
                    self.note(context, from, ChangeSource::Merge, false, &ack);
                }
                self.execute(context, &ListCommand::Move { event, from, to }, ack);
            }
            ListTask::Restock(fact) => {
                self.restock(context, event, *fact, accepted, ack);
            }
        }
    }

    /// Records a product name that came with a decision. Only the last record of an event marks the event as done: a crash
    /// between two records must not lose the second.
    fn name(
        &mut self,
        context: &Context,
        event: u64,
        product: String,
        then: Option<&ListDecision>,
        ack: &AckGuard,
    ) {
        let last = !matches!(then, Some(ListDecision::New(_)));
        let event = if last { event } else { event.saturating_sub(1) };
        self.execute(context, &ListCommand::Name { event, product }, ack.split());
    }

    /// Tells the campaigns on this list that somebody leaves, before the leave is acknowledged. Only the campaign actor knows
    /// which campaigns are open.
    fn note(
        &self,
        context: &Context,
        person: PersonId,
        how: ChangeSource,
        default_opt_in: bool,
        ack: &AckGuard,
    ) {
        if default_opt_in || self.list.row(person).is_some() {
            let reason = if how == ChangeSource::Erasure { SkipReason::Erased } else { SkipReason::Left };
            let list = Some(self.id.clone());
            context.mailboxes.campaign.send(CampaignMessage::Note { list, person, reason, ack: ack.split() });
        }
    }

    /// Marks the recipients who are not on the list at this moment: they get no letter, whatever state it was in.
    fn confirm(&self, context: &Context, campaign: CampaignId, mut people: Vec<Recipient>) {
        let default_opt_in = context.catalog.default_opt_in(&self.id);
        for one in people.iter_mut().filter(|one| one.undeliverable.is_none()) {
            if !self.list.subscribed(one.live).unwrap_or(default_opt_in) {
                one.undeliverable = Some(SkipReason::Left);
            }
        }
        context.mailboxes.campaign.send(CampaignMessage::Input(Input::Fetched { campaign, people }));
    }

    /// Takes in a restock signal. The answer waits for its record and for the campaign it leads to; there is no answer when
    /// deciding failed. `event` is the directory's event that it came as, or the last one before it.
    fn restock(
        &mut self,
        context: &Context,
        event: u64,
        fact: RestockFact,
        accepted: Millis,
        ack: AckGuard,
    ) -> Option<RestockAnswer> {
        let at = context.clock.now();
        let settings = &context.settings;
        let day = accepted.day((settings.zone)(accepted, &settings.zone_name));
        let campaign = settings.rule.enabled.then(|| context.secrets.campaign(&self.id.campaign_key(day)));
        let RestockFact { key, quantity, product, details, .. } = fact;
        let command = ListCommand::Restock { event, key, quantity, day, campaign, details };
        let decided = self.decide(&command, at);
        // A report of no stock does not create a list.
        let spoken_of = self.list.seq() > 0 || quantity.is_none_or(|quantity| quantity > 0);
        if let Some(product) = product.filter(|_| spoken_of) {
            self.name(context, event, product, decided.as_ref(), &ack);
        }
        match decided? {
            ListDecision::New(event) => {
                match &event {
                    ListEvent::Restocked { campaign: Some(campaign), upto, added, details, .. } => {
                        let (campaign, upto, added, details) = (*campaign, *upto, *added, details.clone());
                        let (list, product) = (self.id.clone(), self.list.product().map(str::to_owned));
                        let restocked = Restocked { list, product, details, day, campaign, upto, added };
                        let opened = ack.split();
                        // The list's record goes to the log first: a campaign's record never stands before its restock's.
                        self.write(context, &event, at, ack);
                        context.mailboxes.campaign.send(CampaignMessage::Restocked(restocked, Some(opened)));
                        return Some(RestockAnswer::Accepted { campaign: Some(campaign) });
                    }
                    _ => self.write(context, &event, at, ack),
                }
                let sold_out = matches!(event, ListEvent::Stock { .. });
                Some(if sold_out {
                    RestockAnswer::SoldOut
                } else {
                    RestockAnswer::Accepted { campaign: None }
                })
            }
            ListDecision::Duplicate(campaign) => {
                if campaign.is_some() {
                    context.mailboxes.campaign.send(CampaignMessage::Fence(ack.split()));
                }
                context.barrier(ack);
                Some(RestockAnswer::Duplicate { campaign })
            }
            ListDecision::Nothing => {
                context.barrier(ack);
                Some(RestockAnswer::SoldOut)
            }
        }
    }

    /// Invites the next people of an audience: records it and hands them to the campaign.
    fn invite(&mut self, context: &Context, campaign: CampaignId, most: usize) {
        let at = context.clock.now();
        let Some(decided) = self.decide(&ListCommand::Invite { campaign, most }, at) else { return };
        let invitation = match &decided {
            ListDecision::New(ListEvent::Invited { from, to, .. }) => {
                self.list.invitation(campaign, *from, *to)
            }
            _ => None,
        };
        self.commit(context, Some(decided), at, detached());
        let Invitation { people, last } = invitation.unwrap_or_default();
        let (last, page) = (last || people.is_empty(), None);
        context.mailboxes.campaign.send(CampaignMessage::Input(Input::Invited {
            campaign,
            people,
            page,
            last,
        }));
    }

    /// Hands a campaign that starts again all the people it was given before.
    fn invite_again(&self, context: &Context, campaign: CampaignId) {
        let invitation = self.list.invited(campaign);
        let known = invitation.is_some();
        let invitation = invitation.unwrap_or_default();
        let last = invitation.last || !known;
        let people = invitation.people;
        context.mailboxes.campaign.send(CampaignMessage::Input(Input::InvitedAgain {
            campaign,
            people,
            last,
        }));
    }

    /// Claims the audience of a campaign made by hand.
    fn begin(&mut self, context: &Context, campaign: CampaignId, everybody: Option<(u32, u32)>) {
        let (upto, added) = self.list.audience(campaign, everybody);
        self.execute(context, &ListCommand::Begin { campaign, everybody }, detached());
        context.mailboxes.campaign.send(CampaignMessage::Input(Input::Begun { campaign, upto, added }));
    }
}

impl ListState {
    /// True when no record is outstanding: each is durable, or lost with the log.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.tickets.load(Ordering::Acquire) == 0
    }

    /// Takes in one message; false when the list was told to rest and may.
    pub fn handle(&mut self, context: &Context, message: ListMessage) -> bool {
        match message {
            ListMessage::Task { event, person, how, timestamp, accepted, task, ack } => {
                self.task(context, Share { event, person, how, timestamp, accepted }, task, ack);
            }
            // Several are always tasks, and no task passivates the list.
            ListMessage::Several(messages) => messages.into_iter().for_each(|message| {
                self.handle(context, message);
            }),
            ListMessage::Restock { event, fact, reply } => {
                let answer = self.restock(context, event, fact, context.clock.now(), reply.ack());
                if let Some(answer) = answer {
                    reply.when_durable(answer);
                }
            }
            ListMessage::Begin { campaign, everybody } => self.begin(context, campaign, everybody),
            ListMessage::Invite(campaign, most) => self.invite(context, campaign, most),
            ListMessage::InviteAgain(campaign) => self.invite_again(context, campaign),
            ListMessage::InvitePage { campaign, people, to, since, last } => {
                self.execute(context, &ListCommand::InvitePage { campaign, to }, detached());
                let mut people = self.list.unless_left(&people);
                let late = |person| self.list.row(person).is_some_and(|row| row.changed > since);
                people.retain(|invitee| invitee.here || late(invitee.person));
                let page = Some(to);
                let invited = Input::Invited { campaign, people, page, last };
                context.mailboxes.campaign.send(CampaignMessage::Input(invited));
            }
            ListMessage::Confirm(campaign, people) => self.confirm(context, campaign, people),
            ListMessage::Close(campaign, upto) => {
                self.execute(context, &ListCommand::Close { campaign, upto }, detached());
            }
            ListMessage::Forget => {
                let default_opt_in = context.catalog.default_opt_in(&self.id);
                self.execute(context, &ListCommand::Forget { default_opt_in }, detached());
            }
            ListMessage::Read(read) => read(&self.id, &self.list),
            ListMessage::Image(reply) => drop(reply.send((self.id.clone(), self.list.image()))),
            ListMessage::Rest if self.is_quiet() => return false,
            ListMessage::Rest => {
                context.mailboxes.supervisor.send(SupervisorMessage::StillBusy(self.id.clone()))
            }
        }
        true
    }
}

/// What is the same in all tasks of one event.
struct Share {
    event: u64,
    person: Option<PersonId>,
    how: ChangeSource,
    timestamp: Option<Millis>,
    accepted: Millis,
}

/// A guard that nobody waits for.
fn detached() -> AckGuard {
    AckGuard::new(|_| ())
}
