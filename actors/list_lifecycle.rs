//! How a list wakes and is passivated.
//!
//! ```text
//!  supervisor ── packed bytes ──▶ activation ── first message: unpacked ──▶ awake ── Rest, no record outstanding: packed ──▶ supervisor
//! ```
//!
//! The list unpacks itself for its first message, and packs itself when it is told to rest; its termination hands a few
//! bytes back. So a long list that wakes or rests takes no other actor's time.

use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::context::Context;
use super::list::ListState;
use super::messages::ListMessage;
use restockd_core::ListId;
use restockd_core::list::List;
use restockd_records::PackedList;

pub(crate) struct ListActor(pub Arc<Context>);

/// A list as it travels between supervisor and actor: packed, active, or (when new) neither.
pub(crate) struct ListActivation {
    pub id: ListId,
    /// While it is at rest.
    pub packed: Option<PackedList>,
    awake: Option<ListState>,
}

impl ListActivation {
    /// A list at rest, or a new one.
    #[must_use]
    pub(crate) fn new(id: ListId, packed: Option<PackedList>) -> Self {
        Self { id, packed, awake: None }
    }

    /// The list unpacked.
    fn awake(&mut self) -> Result<&mut ListState, ActorProcessingErr> {
        let list = match self.packed.take() {
            Some(packed) => packed.unpack().inspect_err(|error| {
                tracing::error!(list = self.id.as_str(), %error, "a list at rest does not unpack");
            })?,
            None => List::default(),
        };
        Ok(self.awake.get_or_insert_with(|| ListState::new(self.id.clone(), list)))
    }

    /// Packs the list; one that holds nothing leaves no bytes.
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
        activation: ListActivation,
    ) -> Result<ListActivation, ActorProcessingErr> {
        Ok(activation)
    }

    async fn handle(
        &self,
        myself: ActorRef<ListMessage>,
        message: ListMessage,
        activation: &mut ListActivation,
    ) -> Result<(), ActorProcessingErr> {
        if !activation.awake()?.handle(&self.0, message) {
            activation.rest();
            myself.stop(None);
        }
        Ok(())
    }
}
