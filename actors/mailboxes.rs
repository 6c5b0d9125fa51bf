//! Where what is said to each actor goes: one typed mailbox an actor.
//!
//! ```text
//! who speaks ── mailboxes.directory.send(message) ──▶ ractor's mailbox          (the engine)
//!                                             └─────▶ a queue that a seed empties (a simulation)
//! ```
//!
//! An actor is spawned with the mailboxes of all in its hands, its own among them, so they open only
//! after all are spawned and before the first message. What one actor says to another arrives in the
//! order it was said, or not at all when the engine is ending.

use std::sync::{Arc, OnceLock};

use ractor::ActorRef;

use super::messages::{
    CampaignMessage, Confirmation, DirectoryMessage, SnapshotterMessage, SupervisorMessage,
};
use restockd_core::Millis;

/// The way to one actor; a clone is the same way.
pub struct Mailbox<M>(Arc<OnceLock<Way<M>>>);

/// Where a mailbox leads.
enum Way<M> {
    /// To an actor.
    Actor(ActorRef<M>),
    /// To whatever else takes messages.
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
    /// From here on what is sent goes to an actor; a mailbox opens once.
    pub(crate) fn open_to(&self, actor: ActorRef<M>) {
        self.open(Way::Actor(actor));
    }

    /// From here on what is sent is handed to a function; a mailbox opens once.
    pub fn open_with(&self, take: impl Fn(M) + Send + Sync + 'static) {
        self.open(Way::Function(Box::new(take)));
    }

    fn open(&self, way: Way<M>) {
        let opened = self.0.set(way);
        assert!(opened.is_ok(), "a mailbox opens once");
    }

    /// Sends a message; one to an actor that is gone is dropped, for the engine is ending then.
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

/// The mailboxes of all actors but the lists, whose only way is the supervisor's.
#[derive(Clone, Default)]
pub struct Mailboxes {
    /// Routes to lists.
    pub supervisor: Mailbox<SupervisorMessage>,
    /// Knows people.
    pub directory: Mailbox<DirectoryMessage>,
    /// Sends.
    pub campaign: Mailbox<CampaignMessage>,
    /// Checkpoints.
    pub snapshotter: Mailbox<SnapshotterMessage>,
    /// Carry mails that ask for a confirmation.
    pub confirmations: Mailbox<Confirmation>,
    /// Whoever keeps the campaign actor's alarm: when it rings, and its number.
    pub alarms: Mailbox<(Millis, u64)>,
}

impl Mailboxes {
    /// When the time has come the campaign actor hears [`CampaignMessage::Alarm`] with this number.
    pub(crate) fn ring_at(&self, then: Millis, number: u64) {
        self.alarms.send((then, number));
    }
}

impl std::fmt::Debug for Mailboxes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mailboxes")
    }
}
