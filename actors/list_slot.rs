//! Where a list is that is awake.

use std::collections::VecDeque;

use ractor::ActorRef;

use super::messages::ListMessage;
use restockd_core::Millis;

/// A list that is awake, or on its way to rest.
pub(crate) enum ListSlot {
    /// An actor.
    Awake {
        /// Its reference, held here and nowhere else.
        actor: ActorRef<ListMessage>,
        /// When it was last spoken to.
        used: Millis,
    },
    /// On its way to rest.
    Leaving {
        /// It may have to stay awake after all.
        actor: ActorRef<ListMessage>,
        /// What came meanwhile, in order; bounded by the admission permits that ride in it.
        stash: VecDeque<ListMessage>,
    },
}
