//! Where one list is.

use std::collections::VecDeque;

use ractor::ActorRef;

use super::list::ListMessage;
use crate::domain::Millis;
use crate::domain::list::PackedList;

/// A list's place in the routing table; no entry means that nobody ever spoke of it.
pub enum Slot {
    /// A few bytes, no task, no mailbox.
    Resting(PackedList),
    /// An actor.
    Awake {
        /// Its reference, held here and nowhere else.
        actor: ActorRef<ListMessage>,
        /// When it was last spoken to.
        used: Millis,
    },
    /// On its way to rest: what comes meanwhile waits, in order.
    Leaving {
        /// It may have to stay awake after all.
        actor: ActorRef<ListMessage>,
        /// What came meanwhile; bounded by the admission permits that ride in it.
        stash: VecDeque<ListMessage>,
    },
}
