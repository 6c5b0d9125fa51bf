//! How a message gets from one actor to another.
//!
//! ```text
//! who speaks ── tell(message) ──▶ Post ──▶ ractor's mailboxes          (the engine)
//!                                     └──▶ queues that a seed empties  (a simulation)
//! ```
//!
//! Nobody but the post knows where an actor lives, so the conversations can be held in another
//! place with every handler as it is. The one promise: what one actor tells another arrives in
//! the order it was told, or not at all when the engine is ending.

use std::sync::Arc;

use ractor::ActorRef;
use tokio::sync::mpsc;

use super::context::Context;
use super::messages::{
    CampaignMessage, Confirmation, DirectoryMessage, SnapshotterMessage, SupervisorMessage,
};
use crate::domain::Millis;

/// A message with its address.
pub enum Message {
    /// To the supervisor, and by it to a list.
    Supervisor(SupervisorMessage),
    /// To the directory.
    Directory(DirectoryMessage),
    /// To the campaign actor.
    Campaign(CampaignMessage),
    /// To the snapshotter.
    Snapshotter(SnapshotterMessage),
    /// To whoever carries mails that ask for a confirmation.
    Confirmation(Confirmation),
    /// To the campaign actor, when the time has come: the alarm of this number rings.
    Alarm(Millis, u64),
}

impl From<SupervisorMessage> for Message {
    fn from(message: SupervisorMessage) -> Self {
        Self::Supervisor(message)
    }
}

impl From<DirectoryMessage> for Message {
    fn from(message: DirectoryMessage) -> Self {
        Self::Directory(message)
    }
}

impl From<CampaignMessage> for Message {
    fn from(message: CampaignMessage) -> Self {
        Self::Campaign(message)
    }
}

impl From<SnapshotterMessage> for Message {
    fn from(message: SnapshotterMessage) -> Self {
        Self::Snapshotter(message)
    }
}

/// Carries messages.
pub trait Post: Send + Sync {
    /// Carries one; a message to an actor that is gone is dropped, for the engine is ending then.
    fn carry(&self, context: &Context, message: Message);
    /// Ends all actors at once.
    fn kill(&self);
}

/// The engine's post: the references of its four single actors.
#[derive(Clone)]
pub struct Refs {
    /// Routes to lists.
    pub supervisor: ActorRef<SupervisorMessage>,
    /// Knows people.
    pub directory: ActorRef<DirectoryMessage>,
    /// Sends.
    pub campaign: ActorRef<CampaignMessage>,
    /// Checkpoints.
    pub snapshotter: ActorRef<SnapshotterMessage>,
    /// Carry mails that ask for a confirmation.
    pub mailmen: mpsc::Sender<Confirmation>,
}

impl std::fmt::Debug for Refs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Refs")
    }
}

impl Post for Refs {
    fn carry(&self, context: &Context, message: Message) {
        match message {
            Message::Supervisor(message) => context.cast(&self.supervisor, message),
            Message::Directory(message) => context.cast(&self.directory, message),
            Message::Campaign(message) => context.cast(&self.campaign, message),
            Message::Snapshotter(message) => context.cast(&self.snapshotter, message),
            Message::Confirmation(mail) => {
                // The directory lets no more be under way than the queue holds.
                if self.mailmen.try_send(mail).is_err() {
                    tracing::debug!("a mail found nobody to carry it; the engine is ending");
                }
            }
            Message::Alarm(then, generation) => {
                let (clock, campaign) = (context.clock.clone(), self.campaign.clone());
                tokio::spawn(async move {
                    clock.sleep_until(then).await;
                    // Gone only when the engine is.
                    let _ = campaign.cast(CampaignMessage::Alarm(generation));
                });
            }
        }
    }

    fn kill(&self) {
        self.supervisor.kill();
        self.directory.kill();
        self.campaign.kill();
        self.snapshotter.kill();
    }
}

impl Context {
    /// Tells an actor something.
    ///
    /// # Panics
    /// When the post is not open yet: messages start only after all actors are spawned.
    pub fn tell(&self, message: impl Into<Message>) {
        let post = self.post.get().expect("the post opens before the first message is sent");
        post.carry(self, message.into());
    }

    /// Opens the post; false when it was open already.
    pub fn open_post(&self, post: Arc<dyn Post>) -> bool {
        self.post.set(post).is_ok()
    }
}
