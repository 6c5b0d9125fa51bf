//! The supervisor: knows where each list is, and is the only way to it.
//!
//! ```text
//! absent ──first message──▶ awake ──idle──▶ leaving ──terminated──▶ resting (packed bytes)
//!                             ▲               │ messages wait here, in order      │
//!                             └───────────────┴──────────◀── next message ────────┘
//! ```
//!
//! Invariants: never two actors of one list; messages to a list keep their order, also across its passivation; at most
//! `lists_awake` are awake (the least recently used are passivated first). A list that ends in any other way ends the
//! process: nothing continues from a lost state.
//!
//! There are two tables: an ordered one of all lists by id, with their bytes while they are at rest (32 bytes an entry, so
//! that a million cost little; a look-up takes microseconds and happens twice in a passivation), and a hashed one of the
//! few that are awake.

mod event_watermark;
mod housekeeping;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::sync::oneshot;

pub use event_watermark::EventWatermark;

use super::context::Context;
use super::list_lifecycle::{ListActivation, ListActor};
use super::list_slot::ListSlot;
use super::messages::{ListMessage, Slice, SummaryOrRead, SupervisorMessage};
use restockd_core::list::List;
use restockd_core::{ListId, Millis};
use restockd_records::PackedList;

/// Awake lists looked at to find one that can be passivated for another.
const PASSIVATION_LOOKS: usize = 16;
/// Awake lists looked at in one sweep.
const SWEEP_MOST: usize = 4096;

pub(crate) struct Supervisor(pub Arc<Context>);

pub(crate) struct SupervisorState {
    /// Every list that holds anything, in the order of ids; without bytes while it is awake.
    lists: BTreeMap<ListId, PackedList>,
    /// Lists that are awake or leaving.
    awake: HashMap<ListId, ListSlot>,
    /// Awake lists, roughly least recently used first.
    order: VecDeque<(ListId, Millis)>,
    /// How many lists are leaving.
    leaving: usize,
    heard: EventWatermark,
    walk: housekeeping::Walk,
}

impl Supervisor {
    /// Sends a message to a list, waking it if need be.
    async fn forward(
        &self,
        myself: &ActorRef<SupervisorMessage>,
        state: &mut SupervisorState,
        list: ListId,
        message: ListMessage,
    ) -> Result<(), ActorProcessingErr> {
        match state.awake.get_mut(&list) {
            Some(ListSlot::Awake { actor, used }) => {
                *used = self.0.clock.now();
                self.0.cast(actor, message);
                return Ok(());
            }
            Some(ListSlot::Leaving { stash, .. }) => {
                stash.push_back(message);
                return Ok(());
            }
            None => {}
        }
        let resting = match state.lists.get_mut(&list) {
            // The entry stays, without its bytes.
            Some(packed) => Some(std::mem::take(packed)),
            None => match message {
                // Reading a list that does not exist does not create it.
                ListMessage::Read(read) => {
                    read(&list, &List::default());
                    return Ok(());
                }
                _ => {
                    state.lists.insert(list.clone(), PackedList::default());
                    None
                }
            },
        };
        self.wake(myself, state, ListActivation::new(list, resting), [message]).await
    }

    /// Sends messages to lists; those for one list travel as one message, in the order they came.
    async fn forward_all(
        &self,
        myself: &ActorRef<SupervisorMessage>,
        state: &mut SupervisorState,
        mut messages: Vec<(ListId, ListMessage)>,
    ) -> Result<(), ActorProcessingErr> {
        // The sort is stable: the order within a list stays.
        messages.sort_by(|(one, _), (other, _)| one.cmp(other));
        let mut messages = messages.into_iter().peekable();
        while let Some((list, first)) = messages.next() {
            let next = |(other, _): &(ListId, ListMessage)| *other == list;
            let message = match messages.next_if(next) {
                None => first,
                Some((_, second)) => {
                    let mut all = vec![first, second];
                    while let Some((_, message)) = messages.next_if(next) {
                        all.push(message);
                    }
                    ListMessage::Several(all)
                }
            };
            self.forward(myself, state, list, message).await?;
        }
        Ok(())
    }

    /// Spawns a list and gives it the messages that waited for it.
    async fn wake(
        &self,
        myself: &ActorRef<SupervisorMessage>,
        state: &mut SupervisorState,
        list: ListActivation,
        messages: impl IntoIterator<Item = ListMessage>,
    ) -> Result<(), ActorProcessingErr> {
        let id = list.id.clone();
        let handler = ListActor(Arc::clone(&self.0));
        let (actor, _) = Actor::spawn_linked(None, handler, list, myself.get_cell()).await?;
        for message in messages {
            self.0.cast(&actor, message);
        }
        let used = self.0.clock.now();
        state.awake.insert(id.clone(), ListSlot::Awake { actor, used });
        state.order.push_back((id, used));
        self.passivate_excess(state);
        Ok(())
    }

    /// Above the limit, passivates the least recently used lists. A list used since it was queued goes to the end of the
    /// queue; only a few are looked at in one call.
    fn passivate_excess(&self, state: &mut SupervisorState) {
        for spared in 0..PASSIVATION_LOOKS {
            if state.awake.len() - state.leaving <= self.0.settings.lists_awake {
                return;
            }
            let Some((id, since)) = state.order.pop_front() else { return };
            match state.awake.get(&id) {
                Some(ListSlot::Awake { used, .. }) if *used > since && spared + 1 < PASSIVATION_LOOKS => {
                    let used = *used;
                    state.order.push_back((id, used));
                }
                Some(ListSlot::Awake { .. }) => self.rest(state, id),
                _ => {}
            }
        }
    }

    /// Tells a list to rest; its messages wait from now on.
    fn rest(&self, state: &mut SupervisorState, id: ListId) {
        if let Some(slot) = state.awake.get_mut(&id)
            && let ListSlot::Awake { actor, .. } = slot
        {
            self.0.cast(actor, ListMessage::Rest);
            *slot = ListSlot::Leaving { actor: actor.clone(), stash: VecDeque::new() };
            state.leaving += 1;
        }
    }

    /// Passivates idle lists; those used since they were queued go to the end of the queue.
    fn sweep(&self, state: &mut SupervisorState) {
        let now = self.0.clock.now();
        for _ in 0..state.order.len().min(SWEEP_MOST) {
            let Some((id, _)) = state.order.pop_front() else { return };
            let Some(ListSlot::Awake { used, .. }) = state.awake.get(&id) else { continue };
            let used = *used;
            if now.since(used) >= self.0.settings.rest_after_ms {
                self.rest(state, id);
            } else {
                state.order.push_back((id, used));
            }
        }
        self.passivate_excess(state);
    }

    /// A list's actor has ended, and hands its state over.
    async fn ended(
        &self,
        myself: &ActorRef<SupervisorMessage>,
        state: &mut SupervisorState,
        list: ListActivation,
    ) -> Result<(), ActorProcessingErr> {
        state.leaving = state.leaving.saturating_sub(1);
        match state.awake.remove(&list.id) {
            Some(ListSlot::Leaving { stash, .. }) if !stash.is_empty() => {
                self.wake(myself, state, list, stash).await
            }
            Some(ListSlot::Leaving { .. }) => {
                match list.packed {
                    Some(packed) => drop(state.lists.insert(list.id, packed)),
                    // It was read and has written nothing, so there is no such list.
                    None => drop(state.lists.remove(&list.id)),
                }
                Ok(())
            }
            _ => Err("a list ended without being told to rest".into()),
        }
    }

    /// A list had records outstanding when told to rest: it stays awake, and gets the messages that waited.
    fn still_busy(&self, state: &mut SupervisorState, id: ListId) {
        if let Some(ListSlot::Leaving { actor, stash }) = state.awake.remove(&id) {
            state.leaving = state.leaving.saturating_sub(1);
            for message in stash {
                self.0.cast(&actor, message);
            }
            let used = self.0.clock.now();
            state.awake.insert(id.clone(), ListSlot::Awake { actor, used });
            state.order.push_back((id, used));
        }
    }
}

impl SupervisorState {
    /// Summaries without waking a list.
    fn summaries(&mut self, context: &Context, lists: Vec<ListId>) -> Vec<SummaryOrRead> {
        let one = |id: ListId| match self.awake.get_mut(&id) {
            Some(ListSlot::Awake { actor, .. }) => {
                let (read, answer) = read_summary();
                context.cast(actor, read);
                answer
            }
            // A leaving list answers no more; it wakes again for this.
            Some(ListSlot::Leaving { stash, .. }) => {
                let (read, answer) = read_summary();
                stash.push_back(read);
                answer
            }
            None => SummaryOrRead::Now(self.lists.get(&id).and_then(|packed| packed.summary().ok())),
        };
        lists.into_iter().map(one).collect()
    }

    /// The ids after the given one.
    fn after(&self, after: Option<ListId>, most: usize) -> Vec<ListId> {
        self.lists.range((behind(after), Bound::Unbounded)).take(most).map(|(id, _)| id.clone()).collect()
    }

    /// A slice of the table: each list's state is taken from where it is.
    fn slice(&mut self, context: &Context, after: Option<ListId>, most: usize) -> Slice {
        let mut slice = Slice { resting: Vec::new(), awake: Vec::new(), next: None };
        let mut image = || {
            let (reply, answer) = oneshot::channel();
            slice.awake.push(answer);
            ListMessage::Image(reply)
        };
        let (mut last, mut seen) = (None, 0);
        for (id, packed) in self.lists.range((behind(after), Bound::Unbounded)).take(most) {
            match self.awake.get_mut(id) {
                None => slice.resting.push((id.clone(), packed.clone())),
                Some(ListSlot::Awake { actor, .. }) => context.cast(actor, image()),
                Some(ListSlot::Leaving { stash, .. }) => stash.push_back(image()),
            }
            (last, seen) = (Some(id), seen + 1);
        }
        slice.next = last.filter(|_| seen == most).cloned();
        slice
    }

    /// How many lists are awake, at rest and leaving.
    fn list_counts(&self) -> (usize, usize, usize) {
        (self.awake.len() - self.leaving, self.lists.len() - self.awake.len(), self.leaving)
    }
}

/// The bound that begins after an id.
fn behind(id: Option<ListId>) -> Bound<ListId> {
    id.map_or(Bound::Unbounded, Bound::Excluded)
}

/// A message that asks a list for its summary, and the answer to come.
fn read_summary() -> (ListMessage, SummaryOrRead) {
    let (reply, answer) = oneshot::channel();
    let read = Box::new(move |_: &ListId, list: &List| drop(reply.send(list.summary())));
    (ListMessage::Read(read), SummaryOrRead::Soon(answer))
}

impl Actor for Supervisor {
    type Msg = SupervisorMessage;
    type State = SupervisorState;
    type Arguments = Vec<(ListId, PackedList)>;

    async fn pre_start(
        &self,
        _: ActorRef<SupervisorMessage>,
        resting: Vec<(ListId, PackedList)>,
    ) -> Result<SupervisorState, ActorProcessingErr> {
        Ok(SupervisorState {
            lists: resting.into_iter().collect(),
            awake: HashMap::new(),
            order: VecDeque::new(),
            leaving: 0,
            heard: EventWatermark::default(),
            walk: housekeeping::Walk::default(),
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<SupervisorMessage>,
        message: SupervisorMessage,
        state: &mut SupervisorState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            SupervisorMessage::ToList(list, mut message) => {
                state.heard.pass(&mut message);
                self.forward(&myself, state, list, message).await?;
            }
            SupervisorMessage::ToLists(mut messages) => {
                messages.iter_mut().for_each(|(_, message)| state.heard.pass(message));
                self.forward_all(&myself, state, messages).await?;
            }
            SupervisorMessage::Summaries(lists, reply) => drop(reply.send(state.summaries(&self.0, lists))),
            SupervisorMessage::Names(after, most, reply) => drop(reply.send(state.after(after, most))),
            SupervisorMessage::Walk(after, most, reply) => {
                drop(reply.send(state.slice(&self.0, after, most)));
            }
            SupervisorMessage::Sweep => {
                self.sweep(state);
                self.tidy(&myself, state).await?;
            }
            SupervisorMessage::StillBusy(list) => self.still_busy(state, list),
            SupervisorMessage::Census(reply) => drop(reply.send(state.list_counts())),
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<SupervisorMessage>,
        event: SupervisionEvent,
        state: &mut SupervisorState,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorTerminated(_, Some(mut list), _) => match list.take::<ListActivation>() {
                Ok(list) => self.ended(&myself, state, list).await?,
                Err(_) => self.0.fatal.end("a list ended without its state"),
            },
            SupervisionEvent::ActorTerminated(_, None, _) => self.0.fatal.end("a list was killed"),
            SupervisionEvent::ActorFailed(..) => self.0.fatal.end("a list actor died"),
            _ => {}
        }
        Ok(())
    }
}
