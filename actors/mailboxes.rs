//! The typed senders, one for each actor.
//!
//! ```text
//! sender ── mailboxes.directory.send(message) ──▶ ractor's mailbox          (the engine)
//!                                            └──▶ a queue that a seed empties (a simulation)
//! ```
//!
//! Actors are spawned with the mailboxes of all, so these open only after all are spawned and before the first message.
//! Messages from one actor to another arrive in the order they were sent, or not at all when the engine is ending.

use std::sync::{Arc, OnceLock};

use ractor::ActorRef;

use super::messages::{
    CampaignMessage, Confirmation, DirectoryMessage, SnapshotterMessage, SupervisorMessage,
};
use restockd_core::Millis;

/// The sender to one actor; clones lead to the same actor.
pub struct Mailbox<M>(Arc<OnceLock<Way<M>>>);

enum Way<M> {
    Actor(ActorRef<M>),
    /// To a function that takes the messages, as in a simulation.
    Function(Box<dyn Fn(M) + Send + Sync>),
}

impl<M> Clone for Mailbox<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M> Default for Mailbox<M> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<M: ractor::Message> Mailbox<M> {
    /// Messages go to this actor from now on; a mailbox opens once.
    pub(crate) fn open_to(&self, actor: ActorRef<M>) {
        self.open(Way::Actor(actor));
    }

    /// Messages are handed to this function from now on; a mailbox opens once.
    pub fn open_with(&self, take: impl Fn(M) + Send + Sync + 'static) {
        self.open(Way::Function(Box::new(take)));
    }

    fn open(&self, way: Way<M>) {
        let opened = self.0.set(way);
        assert!(opened.is_ok(), "a mailbox opens once");
    }

    /// Sends a message. A message to an actor that is gone is dropped: the engine is ending then.
    ///
    /// # Panics
    /// When the mailbox is not open yet: messages start only after all actors are spawned.
    pub fn send(&self, message: M) {
        match self.0.get().expect("a mailbox opens before the first message is sent") {
            Way::Actor(actor) => {
                if actor.cast(message).is_err() {
                    tracing::debug!("a message found its actor gone; the engine is ending");
                }
            }
            Way::Function(take) => take(message),
        }
    }
}

/// The mailboxes of all actors. Lists have none: their messages go through the supervisor.
#[derive(Clone, Default)]
pub struct Mailboxes {
    pub supervisor: Mailbox<SupervisorMessage>,
    pub directory: Mailbox<DirectoryMessage>,
    pub campaign: Mailbox<CampaignMessage>,
    pub snapshotter: Mailbox<SnapshotterMessage>,
    /// The queue of the confirmation workers.
    pub confirmations: Mailbox<Confirmation>,
    /// Sets the campaign actor's alarm: when it rings, and its number.
    pub alarms: Mailbox<(Millis, u64)>,
}

impl Mailboxes {
    /// Sets the alarm: at `then` the campaign actor gets [`CampaignMessage::Alarm`] with this number.
    pub(crate) fn ring_at(&self, then: Millis, number: u64) {
        self.alarms.send((then, number));
    }
}

impl std::fmt::Debug for Mailboxes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mailboxes")
    }
}
