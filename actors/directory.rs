//! The directory's actor: the only author of who people are, what they consent to, which keys
//! were seen.
//!
//! Who writes to me: the Engine (bounded by permits), the campaign actor (one look-up a campaign).
//! What I accept is one record with its whole bag; each list of the bag then writes its own. The
//! answer waits for all of them.

mod returned;
mod words;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use parking_lot::Mutex;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::oneshot;

use super::campaign::{CampaignMessage, Prepared};
use super::context::Context;
use super::list::ListMessage;
use super::receipt::Part;
use super::supervisor::SupervisorMessage;
use super::verbs::EventAnswer;
use crate::domain::campaign::Skip;
use crate::domain::directory::{
    ApiKey, Ask, Directory, DirectoryDecision, DirectoryEvent, DirectoryImage, Ingest, Open, Outcome, Task,
    WhoHashed,
};
use crate::domain::list::How;
use crate::domain::record;
use crate::domain::returns::Report;
use crate::domain::{CampaignId, ListId, Millis, PersonId};
pub use returned::ReturnedSlot;
use words::{in_words, skip_of};

/// Reads the directory without changing it.
pub type ReadDirectory = Box<dyn FnOnce(&Directory) + Send>;

/// What became of one ingest: the wire's answer and what was decided; `None`: no room for its key.
pub type Ingested = Option<(EventAnswer, Outcome)>;

/// What may be asked of the directory.
pub enum DirectoryMessage {
    /// A slice of events; outcomes are put into the slot before the part is done.
    Ingest {
        /// In order.
        items: Vec<Ingest>,
        /// One outcome for each.
        slot: Arc<Mutex<Vec<Ingested>>>,
        /// Done when all is durable.
        part: Part,
    },
    /// Joins and leaves for a person known by number.
    Memberships {
        /// Who.
        person: PersonId,
        /// How it came.
        how: How,
        /// List ids to join or leave.
        bag: Vec<(String, bool)>,
        /// The outcome.
        slot: Arc<Mutex<Vec<Ingested>>>,
        /// Done when all is durable.
        part: Part,
    },
    /// Somebody who was mailed leaves the list (`after_send = "leave"`).
    LeaveAfterSend(PersonId, ListId),
    /// A change about one person; the slot says whether there was anything to change.
    Ask(Ask, Arc<Mutex<bool>>, Part),
    /// A report about an address came back; the slot says what followed, `None` for one taken in before.
    Returned(Box<Report>, ReturnedSlot, Part),
    /// An API key was made.
    MintKey(ApiKey, Part),
    /// An API key stops.
    RevokeKey(String, Part),
    /// Addresses and consent for letters, row and person; the list has the last word.
    LookUp(CampaignId, ListId, Vec<(u32, PersonId)>),
    /// A page of everybody, for a campaign on a list that everybody is on.
    Page(Page),
    /// A campaign on a list that everybody is on begins: the list is told how many that is.
    BeginEverybody(CampaignId, ListId),
    /// A question.
    Read(ReadDirectory),
    /// The state for a snapshot.
    Image(oneshot::Sender<DirectoryImage>),
    /// Sends again what was open when the engine stopped.
    Resume,
}

/// A page of everybody that a campaign asks for.
pub struct Page {
    /// The campaign.
    pub campaign: CampaignId,
    /// Its list.
    pub list: ListId,
    /// The contact number after which it begins.
    pub after: u32,
    /// The last contact number of the audience.
    pub upto: u32,
    /// How many at most.
    pub most: usize,
    /// When the campaign began.
    pub since: Millis,
}

/// The actor.
pub struct DirectoryActor(pub Arc<Context>);

/// Its state.
pub struct DirectoryState {
    pub(super) directory: Directory,
    /// Events whose lists have all answered, put here by the log's thread.
    closed: Arc<Mutex<Vec<u64>>>,
}

impl DirectoryState {
    /// Takes the recovered directory.
    #[must_use]
    pub fn new(directory: Directory) -> Self {
        Self { directory, closed: Arc::default() }
    }

    /// Closes events whose lists have all answered.
    fn close(&mut self) {
        let closed = std::mem::take(&mut *self.closed.lock());
        closed.into_iter().for_each(|event| self.directory.close(event));
    }

    /// Records and applies an event of ours, and sends its bag on its way.
    pub(super) fn write(&mut self, context: &Context, event: &DirectoryEvent, at: Millis, part: &Part) {
        self.directory.apply(event, at);
        let seq = self.directory.seq();
        if let DirectoryEvent::Merged { from, .. } = event {
            context.tell(CampaignMessage::Merged(*from));
        }
        context.append(record::of_directory(context.stamp(seq, at), event), part.split());
        if let Some((_, open)) = self.directory.open_event(seq) {
            let open = open.clone();
            self.send(context, seq, open, part.split());
        }
    }

    /// Sends an open event's tasks to its lists; it is closed when all have answered.
    fn send(&self, context: &Context, event: u64, open: Open, part: Part) {
        let closed = Arc::clone(&self.closed);
        let whole = Part::new(move |all| {
            if all {
                closed.lock().push(event);
                part.done();
            }
        });
        for task in open.tasks {
            let list = match &task {
                Task::Change { list, .. } | Task::Move { list, .. } => list.clone(),
                Task::Restock(fact) => fact.list.clone(),
            };
            let message = ListMessage::Task {
                event,
                person: open.person,
                how: open.how,
                timestamp: open.timestamp,
                accepted: open.at,
                task,
                part: whole.split(),
            };
            context.tell(SupervisorMessage::ToList(list, message));
        }
        whole.done();
    }

    /// One event.
    fn ingest(&mut self, context: &Context, item: &Ingest, part: &Part) -> Ingested {
        let at = context.clock.now();
        // Deciding only reads: a panic there is a refusal of this event, not the end.
        let decided = catch_unwind(AssertUnwindSafe(|| self.directory.decide(item, &context.catalog, at)));
        let DirectoryDecision { events, outcome } = decided.unwrap_or_else(|_| {
            tracing::error!("the directory refused an event that it could not decide");
            None
        })?;
        if events.is_empty() {
            context.barrier(part.split());
        }
        for event in &events {
            self.write(context, event, at, part);
        }
        let answer = EventAnswer {
            stored: outcome.stored,
            contact_key: self.contact_key(item, &outcome),
            lists_error: outcome.trouble.as_ref().map(in_words),
        };
        Some((answer, outcome))
    }

    /// `userId`, else `anonymousId`, else the contact's id.
    fn contact_key(&self, item: &Ingest, outcome: &Outcome) -> Option<String> {
        let given = item.who.user_id.clone().or_else(|| item.who.anonymous_id.clone());
        let held = || {
            let (id, person) = self.directory.person(outcome.person?)?;
            Some(person.external_id().map_or_else(|| id.to_string(), str::to_owned))
        };
        given.or_else(held)
    }

    /// Joins and leaves for a person known by number.
    fn memberships(
        &mut self,
        context: &Context,
        person: PersonId,
        how: How,
        bag: Vec<(String, bool)>,
        part: &Part,
    ) -> Ingested {
        let (_, held) = self.directory.person(person)?;
        let email = held.email.clone().map(|email| {
            let hash = context.secrets.address(&email);
            (email, hash)
        });
        let user_id = held.user_id.as_deref().map(str::to_owned);
        let who = WhoHashed { email, user_id, anonymous_id: held.anonymous_id().map(str::to_owned) };
        let (name, props, key) = (String::new(), Vec::new(), None);
        let (timestamp, product, restock) = (None, None, None);
        let item = Ingest { name, who, props, bag, key, how, timestamp, product, restock };
        self.ingest(context, &item, part)
    }

    /// A change about one person; the campaign actor notes it before it is acknowledged.
    fn ask(&mut self, context: &Context, ask: &Ask, part: Part) -> bool {
        let at = context.clock.now();
        let Some(event) = self.directory.decide_ask(ask) else {
            context.barrier(part);
            return false;
        };
        let gone = match &event {
            DirectoryEvent::Erased { person, .. } => Some((*person, Skip::Erased)),
            DirectoryEvent::Unsubscribed { person, on: true, .. } => Some((*person, Skip::Unsubscribed)),
            _ => None,
        };
        self.write(context, &event, at, &part);
        if let Some((person, reason)) = gone {
            let note = CampaignMessage::Note { list: None, person, reason, part: part.split() };
            context.tell(note);
        }
        part.done();
        true
    }

    /// Addresses and consent for a window of letters.
    fn look_up(&self, context: &Context, rows: Vec<(u32, PersonId)>) -> Vec<Prepared> {
        rows.into_iter().map(|(row, person)| self.prepare(context, row, person)).collect()
    }

    /// One person, as a letter needs them.
    fn prepare(&self, context: &Context, row: u32, person: PersonId) -> Prepared {
        let held = self.directory.person(person);
        let live = held.map_or(person, |(live, _)| live);
        let email = held.and_then(|(_, held)| held.email.clone());
        let hash = email.as_ref().map(|email| context.secrets.address(email));
        // Who was merged away lives on under the other number: the letter is theirs.
        let away = self.directory.away(person, hash).map(skip_of);
        Prepared {
            row,
            person,
            live,
            email,
            address: hash.unwrap_or_default() as u64,
            away,
            props: held.map(|(_, held)| held.props().to_vec()).unwrap_or_default(),
        }
    }

    /// A page of everybody with an address, handed to the list, which knows who said no.
    fn page(&self, context: &Context, page: Page) {
        let Page { campaign, list, after, upto, most, since } = page;
        let (mut people, mut to) = (Vec::new(), after);
        while to < upto && people.len() < most && to - after < PAGE_LOOKS {
            to += 1;
            let person = PersonId(to);
            if self.directory.person(person).is_some_and(|(id, held)| id == person && held.email.is_some()) {
                people.push(person);
            }
        }
        let page = ListMessage::InvitePage { campaign, people, to, since, last: to >= upto };
        context.tell(SupervisorMessage::ToList(list, page));
    }
}

/// Numbers looked at for one page of everybody.
const PAGE_LOOKS: u32 = 4096;

impl DirectoryState {
    /// Takes in one message.
    pub fn hear(&mut self, context: &Context, message: DirectoryMessage) {
        self.close();
        match message {
            DirectoryMessage::Ingest { items, slot, part } => {
                let outcomes = items.iter().map(|item| self.ingest(context, item, &part)).collect();
                *slot.lock() = outcomes;
                part.done();
            }
            DirectoryMessage::Memberships { person, how, bag, slot, part } => {
                let outcome = self.memberships(context, person, how, bag, &part);
                *slot.lock() = vec![outcome];
                part.done();
            }
            DirectoryMessage::LeaveAfterSend(person, list) => {
                let bag = vec![(list.as_str().to_owned(), false)];
                // Nobody waits for it: after a crash the person is simply still on the list.
                self.memberships(context, person, How::Event, bag, &Part::new(|_| ()));
            }
            DirectoryMessage::Ask(ask, changed, part) => {
                let whole = part.split();
                *changed.lock() = self.ask(context, &ask, part);
                whole.done();
            }
            DirectoryMessage::Returned(report, slot, part) => {
                *slot.lock() = self.returned(context, &report, part);
            }
            DirectoryMessage::MintKey(key, part) => {
                self.write(context, &DirectoryEvent::KeyMinted(key), context.clock.now(), &part);
                part.done();
            }
            DirectoryMessage::RevokeKey(id, part) => {
                self.write(context, &DirectoryEvent::KeyRevoked { id }, context.clock.now(), &part);
                part.done();
            }
            DirectoryMessage::LookUp(campaign, list, rows) => {
                let confirm = ListMessage::Confirm(campaign, self.look_up(context, rows));
                context.tell(SupervisorMessage::ToList(list, confirm));
            }
            DirectoryMessage::Page(page) => self.page(context, page),
            DirectoryMessage::BeginEverybody(campaign, list) => {
                let everybody = Some((self.directory.last_person(), self.directory.mailable()));
                let begin = ListMessage::Begin { campaign, everybody };
                context.tell(SupervisorMessage::ToList(list, begin));
            }
            DirectoryMessage::Read(read) => read(&self.directory),
            DirectoryMessage::Image(reply) => drop(reply.send(self.directory.image())),
            DirectoryMessage::Resume => {
                let open: Vec<(u64, Open)> =
                    self.directory.open().map(|(event, open)| (event, open.clone())).collect();
                for (event, open) in open {
                    if open.how == How::Erasure
                        && let Some(person) = open.person
                    {
                        let part = Part::new(|_| ());
                        let (list, reason) = (None, Skip::Erased);
                        let note = CampaignMessage::Note { list, person, reason, part };
                        context.tell(note);
                    }
                    self.send(context, event, open, Part::new(|_| ()));
                }
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
        state.hear(&self.0, message);
        Ok(())
    }
}
