//! The supervisor's entry for a list that is not at rest.

use std::collections::VecDeque;

use ractor::ActorRef;

use super::messages::ListMessage;
use restockd_core::Millis;

pub(crate) enum ListSlot {
    Awake {
        /// The only reference to the actor.
        actor: ActorRef<ListMessage>,
        /// When the last message was sent to it.
        used: Millis,
    },
    /// The actor was told to rest and has not ended yet.
    Leaving {
        /// It stays awake after all if a record of it is outstanding.
        actor: ActorRef<ListMessage>,
        /// Messages that came meanwhile, in order; bounded by the admission permits that travel in them.
        stash: VecDeque<ListMessage>,
    },
}
