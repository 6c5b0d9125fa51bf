//! The directory's actor: the only author of who people are, what they consent to, and which keys were seen.
//!
//! Messages come from the Engine (bounded by permits) and the campaign actor (one look-up for each campaign). An accepted
//! event is one record with its whole bag; then each list of the bag writes its own record. The answer waits for all.

mod confirm;
mod feedback;
mod skip_reason;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use parking_lot::Mutex;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::oneshot;

use super::ack::AckGuard;
use super::api::EventAnswer;
use super::context::Context;
use super::messages::{
    AudiencePage, CampaignMessage, DirectoryMessage, Ingested, ListMessage, SupervisorMessage,
};
use super::reply::Reply;
use restockd_core::campaign::SkipReason;
use restockd_core::directory::{
    Directory, DirectoryCommand, DirectoryDecision, DirectoryEvent, HashedIdentity, Ingest, IngestOutcome,
    OpenEvent,
};
use restockd_core::list::ChangeSource;
use restockd_core::scheduler::Recipient;
use restockd_core::{ListId, Millis, PersonId};

pub use confirm::pending;
use skip_reason::skip_of;

pub(crate) struct DirectoryActor(pub Arc<Context>);

pub struct DirectoryState {
    directory: Directory,
    /// The events whose lists have all answered, put here by the log's thread.
    closed: Arc<Mutex<Vec<u64>>>,
    /// The events that the current message has opened; their tasks are sent together at its end.
    opened: Vec<u64>,
    mails: confirm::Mails,
}

impl DirectoryState {
    /// Starts from the recovered directory.
    #[must_use]
    pub fn new(directory: Directory) -> Self {
        Self { directory, closed: Arc::default(), opened: Vec::new(), mails: confirm::Mails::default() }
    }

    /// Closes events whose lists have all answered.
    fn close(&mut self) {
        let closed = std::mem::take(&mut *self.closed.lock());
        closed.into_iter().for_each(|event| self.directory.close(event));
    }

    /// Records and applies an event; the tasks of its bag leave with [`Self::send_opened`].
    fn write(&mut self, context: &Context, event: &DirectoryEvent, at: Millis, ack: &AckGuard) {
        let moved = self.directory.moves(event);
        self.directory.apply(event, at);
        let seq = self.directory.seq();
        for person in moved {
            context.mailboxes.campaign.send(CampaignMessage::MailboxChanged(person, ack.split()));
        }
        context.append(restockd_records::of_directory(context.stamp(seq, at), event), ack.split());
        if self.directory.open_event(seq).is_some() {
            self.opened.push(seq);
        }
    }

    /// Records and applies an event without a bag, and answers when it is durable.
    fn record(&mut self, context: &Context, event: &DirectoryEvent, reply: Reply<()>) {
        let ack = reply.ack();
        self.write(context, event, context.clock.now(), &ack);
        ack.done();
        reply.when_durable(());
    }

    /// Sends the tasks of the events that the current message has opened.
    fn send_opened(&mut self, context: &Context, ack: AckGuard) {
        let opened = std::mem::take(&mut self.opened);
        self.send(context, opened, ack);
    }

    /// Sends the tasks of open events to their lists in one message; the events are closed when all lists have answered.
    fn send(&self, context: &Context, events: Vec<u64>, ack: AckGuard) {
        let opened = events.iter().filter_map(|event| self.directory.open_event(*event));
        let opened: Vec<(u64, &OpenEvent)> = opened.collect();
        let closed = Arc::clone(&self.closed);
        let whole = AckGuard::new(move |all| {
            if all {
                closed.lock().extend(events);
                ack.done();
            }
        });
        let mut tasks = Vec::with_capacity(opened.len());
        for (event, open) in opened {
            for task in &open.tasks {
                let message = ListMessage::Task {
                    event,
                    person: open.person,
                    how: open.source,
                    timestamp: open.timestamp,
                    accepted: open.at,
                    task: task.clone(),
                    ack: whole.split(),
                };
                tasks.push((task.list().clone(), message));
            }
        }
        if !tasks.is_empty() {
            context.mailboxes.supervisor.send(SupervisorMessage::ToLists(tasks));
        }
        whole.done();
    }

    fn ingest(&mut self, context: &Context, item: &Ingest, ack: &AckGuard) -> Ingested {
        let at = context.clock.now();
        // Deciding only reads, so a panic there refuses this event and the actor goes on.
        let decided = catch_unwind(AssertUnwindSafe(|| self.directory.decide(item, &context.catalog, at)));
        let DirectoryDecision { events, outcome } = decided.unwrap_or_else(|_| {
            tracing::error!("the directory refused an event that it could not decide");
            None
        })?;
        if events.is_empty() {
            context.barrier(ack.split());
        }
        for event in &events {
            self.write(context, event, at, ack);
        }
        let answer = EventAnswer {
            stored: outcome.stored,
            contact_key: self.contact_key(item, &outcome),
            lists_error: outcome.problem.as_ref().map(EventAnswer::lists_error),
        };
        Some((answer, outcome))
    }

    fn contact_key(&self, item: &Ingest, outcome: &IngestOutcome) -> Option<String> {
        let given = item.who.user_id.clone().or_else(|| item.who.anonymous_id.clone());
        let held = || {
            let (id, person) = self.directory.person(outcome.person?)?;
            Some(person.external_id().map_or_else(|| id.to_string(), str::to_owned))
        };
        given.or_else(held)
    }

    /// Joins and leaves of a person who is known by number.
    fn memberships(
        &mut self,
        context: &Context,
        person: PersonId,
        how: ChangeSource,
        bag: Vec<(String, bool)>,
        ack: &AckGuard,
    ) -> Ingested {
        let item = Ingest { bag, ..confirm::plain(self.names_of(context, person)?, how) };
        self.ingest(context, &item, ack)
    }

    /// The names of a person who is known by number.
    fn names_of(&self, context: &Context, person: PersonId) -> Option<HashedIdentity> {
        let (_, held) = self.directory.person(person)?;
        let email = held.email.clone().map(|email| {
            let hash = context.secrets.address(&email);
            (email, hash)
        });
        let user_id = held.user_id.as_deref().map(str::to_owned);
        Some(HashedIdentity { email, user_id, anonymous_id: held.anonymous_id().map(str::to_owned) })
    }

    /// Decides a change about one person or address; campaigns note it before it is acknowledged. True when it changed
    /// anything.
    fn ask(&mut self, context: &Context, ask: &DirectoryCommand, ack: &AckGuard) -> bool {
        let at = context.clock.now();
        let events = self.directory.decide_command(ask);
        if events.is_empty() {
            context.barrier(ack.split());
        }
        for event in &events {
            self.write(context, event, at, ack);
            let gone = match event {
                DirectoryEvent::Erased { person, .. } => Some((*person, SkipReason::Erased)),
                DirectoryEvent::Unsubscribed { person, on: true, .. } => {
                    Some((*person, SkipReason::Unsubscribed))
                }
                // A person who has another address by now is mailed there.
                DirectoryEvent::Suppressed { person: Some(person), .. } => self
                    .prepare(context, 0, *person)
                    .undeliverable
                    .map(|undeliverable| (*person, undeliverable)),
                _ => None,
            };
            if let Some((person, reason)) = gone {
                let (list, ack) = (None, ack.split());
                context.mailboxes.campaign.send(CampaignMessage::Note { list, person, reason, ack });
            }
        }
        !events.is_empty()
    }

    /// Address and consent for a window of letters.
    fn look_up(&self, context: &Context, rows: Vec<(u32, PersonId)>) -> Vec<Recipient> {
        rows.into_iter().map(|(row, person)| self.prepare(context, row, person)).collect()
    }

    /// One recipient, with the address and whether they may be mailed.
    fn prepare(&self, context: &Context, row: u32, person: PersonId) -> Recipient {
        let providers = &context.settings.shaping.providers;
        let held = self.directory.person(person);
        let live = held.map_or(person, |(live, _)| live);
        let email = held.and_then(|(_, held)| held.email.clone());
        let hash = email.as_ref().map(|email| context.secrets.address(email));
        // The letter of a person who was merged away goes to the person they became.
        let undeliverable = self.directory.undeliverable(person, hash).map(skip_of);
        Recipient {
            row,
            person,
            live,
            provider: email.as_ref().and_then(|email| providers.of(email.domain())),
            email,
            address: hash.unwrap_or_default(),
            undeliverable,
            props: held.map(|(_, held)| held.props().to_vec()).unwrap_or_default(),
        }
    }

    /// Sends the list a page of all people with an address; the list knows who has left it.
    fn page(&self, context: &Context, page: AudiencePage) {
        let AudiencePage { campaign, list, after, upto, most, since } = page;
        let (mut people, mut to) = (Vec::new(), after);
        while to < upto && people.len() < most && to - after < PAGE_LOOKS {
            to += 1;
            let person = PersonId(to);
            if self.directory.person(person).is_some_and(|(id, held)| id == person && held.email.is_some()) {
                people.push(person);
            }
        }
        let page = ListMessage::InvitePage { campaign, people, to, since, last: to >= upto };
        context.mailboxes.supervisor.send(SupervisorMessage::ToList(list, page));
    }
}

/// Open events that are sent again in one message.
const RESUMED_TOGETHER: usize = 256;
/// Contact numbers looked at for one page of all people.
const PAGE_LOOKS: u32 = 4096;

impl DirectoryState {
    pub fn handle(&mut self, context: &Context, message: DirectoryMessage) {
        self.close();
        match message {
            DirectoryMessage::Ingest { items, reply } => {
                let ack = reply.ack();
                let outcomes = items.iter().map(|item| self.ingest(context, item, &ack)).collect();
                self.send_opened(context, ack);
                reply.when_durable(outcomes);
                self.feed(context);
            }
            DirectoryMessage::Click(click, reply) => {
                let ack = reply.ack();
                let outcomes = self.click(context, &click, &ack);
                if outcomes.is_empty() {
                    context.barrier(ack.split());
                }
                self.send_opened(context, ack);
                reply.when_durable(outcomes);
            }
            DirectoryMessage::Asked(person, round, outcome) => {
                self.confirmation_finished(context, person, round, &outcome);
            }
            DirectoryMessage::Tick => self.feed(context),
            DirectoryMessage::MintPublicKey(key, reply) => {
                self.record(context, &DirectoryEvent::PublicKeyMinted(key), reply);
            }
            DirectoryMessage::Memberships { person, how, bag, reply } => {
                let ack = reply.ack();
                let outcome = self.memberships(context, person, how, bag, &ack);
                self.send_opened(context, ack);
                reply.when_durable(outcome);
            }
            DirectoryMessage::LeaveAfterSend(person, list) => {
                let bag = vec![(list.as_str().to_owned(), false)];
                // Nobody waits for this: after a crash the person is simply still on the list.
                let ack = AckGuard::new(|_| ());
                self.memberships(context, person, ChangeSource::Event, bag, &ack);
                self.send_opened(context, ack);
            }
            DirectoryMessage::Command(asks, reply) => {
                let ack = reply.ack();
                let changed = asks.iter().map(|ask| self.ask(context, ask, &ack)).collect();
                self.send_opened(context, ack);
                reply.when_durable(changed);
            }
            DirectoryMessage::Returned(report, reply) => self.returned(context, &report, reply),
            DirectoryMessage::MintKey(key, reply) => {
                self.record(context, &DirectoryEvent::KeyMinted(key), reply);
            }
            DirectoryMessage::RevokeKey(id, reply) => {
                self.record(context, &DirectoryEvent::KeyRevoked { id }, reply);
            }
            DirectoryMessage::LookUp(campaign, list, rows) => {
                let confirm = ListMessage::Confirm(campaign, self.look_up(context, rows));
                context.mailboxes.supervisor.send(SupervisorMessage::ToList(list, confirm));
            }
            DirectoryMessage::Page(page) => self.page(context, page),
            DirectoryMessage::BeginEverybody(campaign, list) => {
                let everybody = Some((self.directory.last_person(), self.directory.mailable()));
                let begin = ListMessage::Begin { campaign, everybody };
                context.mailboxes.supervisor.send(SupervisorMessage::ToList(list, begin));
            }
            DirectoryMessage::Read(read) => read(&self.directory),
            DirectoryMessage::Image(reply) => drop(reply.send(self.directory.image())),
            DirectoryMessage::Resume => {
                let erased = self.directory.open().filter(|(_, open)| open.source == ChangeSource::Erasure);
                for person in erased.filter_map(|(_, open)| open.person) {
                    let ack = AckGuard::new(|_| ());
                    let (list, reason) = (None, SkipReason::Erased);
                    context.mailboxes.campaign.send(CampaignMessage::Note { list, person, reason, ack });
                }
                let open: Vec<u64> = self.directory.open().map(|(event, _)| event).collect();
                for events in open.chunks(RESUMED_TOGETHER) {
                    self.send(context, events.to_vec(), AckGuard::new(|_| ()));
                }
                self.feed(context);
            }
        }
    }
}

impl Actor for DirectoryActor {
    type Msg = DirectoryMessage;
    type State = DirectoryState;
    type Arguments = Directory;

    async fn pre_start(
        &self,
        _: ActorRef<DirectoryMessage>,
        directory: Directory,
    ) -> Result<DirectoryState, ActorProcessingErr> {
        Ok(DirectoryState::new(directory))
    }

    async fn handle(
        &self,
        _: ActorRef<DirectoryMessage>,
        message: DirectoryMessage,
        state: &mut DirectoryState,
    ) -> Result<(), ActorProcessingErr> {
        state.handle(&self.0, message);
        Ok(())
    }
}
