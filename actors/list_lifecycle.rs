//! Where a list's actor sits: how it wakes and how it goes to rest.
//!
//! ```text
//!  supervisor ── packed bytes ──▶ seat ── first message: unpacked ──▶ awake ── Rest, no ticket out: packed ──▶ supervisor
//! ```
//!
//! The list unpacks itself for its first message, and packs itself when it is told to rest: what goes back with its
//! termination are a few bytes. So a long list that wakes or rests takes nobody's time but its own.

use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::context::Context;
use super::list::ListState;
use super::messages::ListMessage;
use restockd_core::ListId;
use restockd_core::list::List;
use restockd_records::PackedList;

/// The actor of a list.
pub(crate) struct ListActor(pub Arc<Context>);

/// What travels between the supervisor and the actor: the list packed, if anybody ever spoke of it.
pub(crate) struct ListActivation {
    /// The list's id.
    pub id: ListId,
    /// While it rests.
    pub packed: Option<PackedList>,
    /// While it is awake.
    awake: Option<ListState>,
}

impl ListActivation {
    /// A list at rest, or a new one.
    #[must_use]
    pub(crate) fn new(id: ListId, packed: Option<PackedList>) -> Self {
        Self { id, packed, awake: None }
    }

    /// The list awake.
    fn awake(&mut self) -> Result<&mut ListState, ActorProcessingErr> {
        let list = match self.packed.take() {
            Some(packed) => packed.unpack().inspect_err(|error| {
                tracing::error!(list = self.id.as_str(), %error, "a list at rest does not unpack");
            })?,
            None => List::default(),
        };
        Ok(self.awake.get_or_insert_with(|| ListState::new(self.id.clone(), list)))
    }

    /// The list goes to rest; one that nobody ever spoke of leaves nothing.
    fn rest(&mut self) {
        let awake = self.awake.take().filter(|awake| awake.list.seq() > 0);
        self.packed = awake.map(|awake| PackedList::of(&awake.list));
    }
}

impl Actor for ListActor {
    type Msg = ListMessage;
    type State = ListActivation;
    type Arguments = ListActivation;

    async fn pre_start(
        &self,
        _: ActorRef<ListMessage>,
        seat: ListActivation,
    ) -> Result<ListActivation, ActorProcessingErr> {
        Ok(seat)
    }

    async fn handle(
        &self,
        myself: ActorRef<ListMessage>,
        message: ListMessage,
        seat: &mut ListActivation,
    ) -> Result<(), ActorProcessingErr> {
        if !seat.awake()?.handle(&self.0, message) {
            seat.rest();
            myself.stop(None);
        }
        Ok(())
    }
}
