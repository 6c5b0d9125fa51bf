//! The actor of one SKU list: the only author of its membership and of the restocks it counted.
//!
//! Who owns me: the supervisor, which alone holds my reference; all messages come through it.
//! What I am between two rests is here; how I come and go is in `seat`. An answer of mine is given by the log, never
//! by me.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::campaign::{CampaignMessage, Prepared};
use super::context::Context;
use super::receipt::Part;
use super::rule;
use super::supervisor::SupervisorMessage;
use super::verbs::RestockAnswer;
use crate::domain::campaign::Skip;
use crate::domain::directory::{RestockFact, Task};
use crate::domain::list::{How, List, ListCommand, ListDecision, ListEvent};
use crate::domain::record;
use crate::domain::{CampaignId, ListId, Millis, Offer, PersonId};

/// Reads a list without changing it.
pub type ReadList = Box<dyn FnOnce(&ListId, &List) + Send>;

/// Where a restock's outcome is put before its part is done.
pub type RestockSlot = Arc<Mutex<Option<RestockAnswer>>>;

/// What may be asked of a list.
pub enum ListMessage {
    /// A share of an open event.
    Task {
        /// The directory's counter of the event.
        event: u64,
        /// Whom it is about.
        person: Option<PersonId>,
        /// How it came.
        how: How,
        /// When, by the sender's clock.
        timestamp: Option<Millis>,
        /// When the directory accepted it: a restock counts for that day.
        accepted: Millis,
        /// What to do.
        task: Task,
        /// Done when durable.
        part: Part,
    },
    /// Several tasks, in order.
    Several(Vec<ListMessage>),
    /// A restock from a webhook.
    Restock {
        /// The newest of the directory's events that went to lists before it; the supervisor says which.
        event: u64,
        /// The signal.
        fact: RestockFact,
        /// What it says of the product beyond its name.
        offer: Offer,
        /// What became of it.
        answer: RestockSlot,
        /// Done when durable.
        part: Part,
    },
    /// A campaign made by hand starts here.
    Begin {
        /// The campaign.
        campaign: CampaignId,
        /// On a list that everybody is on: the last contact number and how many have an address.
        everybody: Option<(u32, u32)>,
    },
    /// A campaign has room for so many more.
    Invite(CampaignId, usize),
    /// A campaign that starts again asks for all it was given.
    InviteAgain(CampaignId),
    /// A page of contact numbers for a campaign on a list that everybody is on.
    InvitePage {
        /// The campaign.
        campaign: CampaignId,
        /// The page.
        people: Vec<PersonId>,
        /// The last contact number it covers.
        to: u32,
        /// When the campaign began: who had said no by then is not of its audience.
        since: Millis,
        /// True when nobody comes after it.
        last: bool,
    },
    /// Recipients that the directory looked up; who is not on the list any more is marked so.
    Confirm(CampaignId, Vec<Prepared>),
    /// A campaign is done with everybody up to this ordinal.
    Close(CampaignId, u32),
    /// Time has passed: who left long ago is forgotten.
    Forget,
    /// A question.
    Read(ReadList),
    /// The state for a snapshot.
    Image(oneshot::Sender<(ListId, List)>),
    /// Go to rest, if nothing is outstanding.
    Rest,
}

/// The state of a list that is awake.
pub struct ListState {
    /// The list's id.
    pub id: ListId,
    /// The machine.
    pub list: List,
    /// Records of mine that are not durable yet.
    tickets: Arc<AtomicUsize>,
}

impl ListState {
    /// A list that wakes up (or is new).
    #[must_use]
    pub fn new(id: ListId, list: List) -> Self {
        Self { id, list, tickets: Arc::default() }
    }

    /// Records and applies an event; the part is done when it is durable.
    fn write(&mut self, context: &Context, event: &ListEvent, at: Millis, part: Part) {
        self.list.apply(event, at);
        self.tickets.fetch_add(1, Ordering::AcqRel);
        let tickets = Arc::clone(&self.tickets);
        let (kind, bytes) = record::of_list(context.stamp(self.list.seq(), at), &self.id, event);
        let record = crate::wal::Record { kind, version: record::VERSION, bytes };
        let ticket = part.ticket();
        context.log.append(
            record,
            Box::new(move |result| {
                tickets.fetch_sub(1, Ordering::AcqRel);
                ticket(result);
            }),
        );
    }

    /// Decides; a panic in deciding is a refusal, since deciding only reads.
    fn decide(&self, command: &ListCommand, at: Millis) -> Option<ListDecision> {
        let decided = catch_unwind(AssertUnwindSafe(|| self.list.decide(command, at)));
        if decided.is_err() {
            tracing::error!("a list refused a command that it could not decide");
        }
        decided.ok()
    }

    /// Carries out a command that nobody but the log answers.
    fn carry(&mut self, context: &Context, command: &ListCommand, part: Part) {
        let at = context.clock.now();
        let decided = self.decide(command, at);
        self.carry_out(context, decided, at, part);
    }

    /// Carries out what was decided.
    fn carry_out(&mut self, context: &Context, decided: Option<ListDecision>, at: Millis, part: Part) {
        match decided {
            Some(ListDecision::New(event)) => self.write(context, &event, at, part),
            Some(_) => context.barrier(part),
            None => drop(part),
        }
    }

    /// A share of an open event.
    fn task(&mut self, context: &Context, share: Share, task: Task, part: Part) {
        let Share { event, person, how, timestamp, accepted } = share;
        match task {
            Task::Change { list: _, join, product } => {
                let Some(person) = person else { return part.done() };
                let at = context.clock.now();
                let default_opt_in = context.catalog.default_opt_in(&self.id);
                let change = ListCommand::Change { event, person, join, timestamp, how, default_opt_in };
                let decided = self.decide(&change, at);
                // Leaving makes no list where there was none.
                if let Some(product) = product.filter(|_| join || self.list.seq() > 0) {
                    self.name(context, event, product, decided.as_ref(), &part);
                }
                // Word that somebody leaves, older than what the list heard of them since, changes nothing, here or in
                // a campaign. After a restart every open event is heard again.
                let stale =
                    self.list.subscribed(person) == Some(true) && decided == Some(ListDecision::Nothing);
                if !join && !stale {
                    self.note(context, person, how, default_opt_in, &part);
                }
                self.carry_out(context, decided, at, part);
            }
            Task::Move { list: _, from } => {
                let Some(to) = person else { return part.done() };
                if self.list.subscribed(to) == Some(false) {
                    // `false` wins: the place ends instead of moving.
                    self.note(context, from, How::Merge, false, &part);
                }
                self.carry(context, &ListCommand::Move { event, from, to }, part);
            }
            Task::Restock(fact, offer) => {
                let offer = offer.map(|offer| *offer).unwrap_or_default();
                self.restock(context, event, fact, offer, accepted, &RestockSlot::default(), part);
            }
        }
    }

    /// A product name that came with what was decided. Only the last record of an event says that it was heard: a
    /// crash between two of them must not lose the second.
    fn name(
        &mut self,
        context: &Context,
        event: u64,
        product: String,
        then: Option<&ListDecision>,
        part: &Part,
    ) {
        let last = !matches!(then, Some(ListDecision::New(_)));
        let event = if last { event } else { event.saturating_sub(1) };
        self.carry(context, &ListCommand::Name { event, product }, part.split());
    }

    /// Campaigns on this list must know of somebody who leaves before it is acknowledged; which of
    /// them are open (or opened again) only the campaign actor knows.
    fn note(&self, context: &Context, person: PersonId, how: How, default_opt_in: bool, part: &Part) {
        if default_opt_in || self.list.row(person).is_some() {
            let reason = if how == How::Erasure { Skip::Erased } else { Skip::Left };
            let list = Some(self.id.clone());
            let note = CampaignMessage::Note { list, person, reason, part: part.split() };
            context.tell(note);
        }
    }

    /// Who is not on the list at this moment gets no letter, whatever state it was in.
    fn confirm(&self, context: &Context, campaign: CampaignId, mut people: Vec<Prepared>) {
        let default_opt_in = context.catalog.default_opt_in(&self.id);
        for one in people.iter_mut().filter(|one| one.away.is_none()) {
            if !self.list.subscribed(one.live).unwrap_or(default_opt_in) {
                one.away = Some(Skip::Left);
            }
        }
        context.tell(CampaignMessage::Fetched(campaign, people));
    }

    /// A restock signal: the answer waits for its record and for the campaign it leads to. `event` is the directory's
    /// that it came as, or the last one before it.
    #[expect(clippy::too_many_arguments, reason = "the fields of one message, named where it is sent")]
    fn restock(
        &mut self,
        context: &Context,
        event: u64,
        fact: RestockFact,
        offer: Offer,
        accepted: Millis,
        answer: &RestockSlot,
        part: Part,
    ) {
        let at = context.clock.now();
        let settings = &context.settings;
        let day = accepted.day((settings.zone)(accepted, &settings.zone_name));
        let campaign = settings.rule.enabled.then(|| context.secrets.campaign(&rule::key(&self.id, day)));
        let RestockFact { key, quantity, product, .. } = fact;
        let command = ListCommand::Restock { event, key, quantity, day, campaign, offer };
        let decided = self.decide(&command, at);
        // Nothing in stock makes no list where there was none.
        let spoken_of = self.list.seq() > 0 || quantity.is_none_or(|quantity| quantity > 0);
        if let Some(product) = product.filter(|_| spoken_of) {
            self.name(context, event, product, decided.as_ref(), &part);
        }
        match decided {
            Some(ListDecision::New(event)) => {
                match &event {
                    ListEvent::Restocked { campaign: Some(campaign), upto, added, offer, .. } => {
                        let (product, offer) = (self.list.product(), offer.as_ref());
                        let header = rule::header(context, &self.id, product, offer, day, *campaign);
                        let opened = CampaignMessage::Restocked {
                            header,
                            upto: *upto,
                            added: *added,
                            part: Some(part.split()),
                        };
                        *answer.lock() = Some(RestockAnswer::Accepted { campaign: Some(*campaign) });
                        // The log first: a campaign's record never stands before its restock's.
                        self.write(context, &event, at, part);
                        return context.tell(opened);
                    }
                    ListEvent::Stock { .. } => *answer.lock() = Some(RestockAnswer::SoldOut),
                    _ => *answer.lock() = Some(RestockAnswer::Accepted { campaign: None }),
                }
                self.write(context, &event, at, part);
            }
            Some(ListDecision::Duplicate(campaign)) => {
                *answer.lock() = Some(RestockAnswer::Duplicate { campaign });
                if campaign.is_some() {
                    context.tell(CampaignMessage::Fence(part.split()));
                }
                context.barrier(part);
            }
            Some(ListDecision::Nothing) => {
                *answer.lock() = Some(RestockAnswer::SoldOut);
                context.barrier(part);
            }
            None => drop(part),
        }
    }

    /// The next stretch of an audience, recorded and handed over.
    fn invite(&mut self, context: &Context, campaign: CampaignId, most: usize) {
        let invitation = self.list.invitation(campaign, most).unwrap_or_default();
        self.carry(context, &ListCommand::Invite { campaign, most }, unheard());
        let last = invitation.last || invitation.people.is_empty();
        let invited = CampaignMessage::Invited { campaign, people: invitation.people, page: None, last };
        context.tell(invited);
    }

    /// All that a campaign was given, for one that starts again.
    fn invite_again(&self, context: &Context, campaign: CampaignId) {
        let invitation = self.list.invited(campaign);
        let known = invitation.is_some();
        let invitation = invitation.unwrap_or_default();
        let last = invitation.last || !known;
        let again = CampaignMessage::InvitedAgain { campaign, people: invitation.people, last };
        context.tell(again);
    }

    /// A campaign made by hand claims its audience.
    fn begin(&mut self, context: &Context, campaign: CampaignId, everybody: Option<(u32, u32)>) {
        self.carry(context, &ListCommand::Begin { campaign, everybody }, unheard());
        let (upto, added) = self.list.audience(campaign).unwrap_or_default();
        let added = everybody.map_or(added, |(_, mailable)| mailable.saturating_sub(self.list.left()));
        context.tell(CampaignMessage::Begun { campaign, upto, added });
    }
}

impl ListState {
    /// True when all that was recorded is durable (or lost with the log).
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.tickets.load(Ordering::Acquire) == 0
    }

    /// Takes in one message; false when it was told to rest, and may.
    pub fn hear(&mut self, context: &Context, message: ListMessage) -> bool {
        match message {
            ListMessage::Task { event, person, how, timestamp, accepted, task, part } => {
                self.task(context, Share { event, person, how, timestamp, accepted }, task, part);
            }
            // Tasks, none of which sends a list to rest.
            ListMessage::Several(messages) => messages.into_iter().for_each(|message| {
                self.hear(context, message);
            }),
            ListMessage::Restock { event, fact, offer, answer, part } => {
                self.restock(context, event, fact, offer, context.clock.now(), &answer, part);
            }
            ListMessage::Begin { campaign, everybody } => self.begin(context, campaign, everybody),
            ListMessage::Invite(campaign, most) => self.invite(context, campaign, most),
            ListMessage::InviteAgain(campaign) => self.invite_again(context, campaign),
            ListMessage::InvitePage { campaign, people, to, since, last } => {
                self.carry(context, &ListCommand::InvitePage { campaign, to }, unheard());
                let mut people = self.list.unless_left(&people);
                let late = |person| self.list.row(person).is_some_and(|row| row.changed > since);
                people.retain(|invitee| invitee.here || late(invitee.person));
                context.tell(CampaignMessage::Invited { campaign, people, page: Some(to), last });
            }
            ListMessage::Confirm(campaign, people) => self.confirm(context, campaign, people),
            ListMessage::Close(campaign, upto) => {
                self.carry(context, &ListCommand::Close { campaign, upto }, unheard());
            }
            ListMessage::Forget => {
                let default_opt_in = context.catalog.default_opt_in(&self.id);
                self.carry(context, &ListCommand::Forget { default_opt_in }, unheard());
            }
            ListMessage::Read(read) => read(&self.id, &self.list),
            ListMessage::Image(reply) => drop(reply.send((self.id.clone(), self.list.image()))),
            ListMessage::Rest if self.is_quiet() => return false,
            ListMessage::Rest => context.tell(SupervisorMessage::StillBusy(self.id.clone())),
        }
        true
    }
}

/// The part of a task that stays the same for all its lists.
struct Share {
    event: u64,
    person: Option<PersonId>,
    how: How,
    timestamp: Option<Millis>,
    accepted: Millis,
}

/// A part that nobody waits for.
fn unheard() -> Part {
    Part::new(|_| ())
}
