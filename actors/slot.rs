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
    /// On its way to rest; boxed, since there are few of them and a million lists at rest.
    Leaving(Box<Leaving>),
}

/// A list on its way to rest.
pub struct Leaving {
    /// It may have to stay awake after all.
    pub actor: ActorRef<ListMessage>,
    /// What came meanwhile, in order; bounded by the admission permits that ride in it.
    pub stash: VecDeque<ListMessage>,
}
