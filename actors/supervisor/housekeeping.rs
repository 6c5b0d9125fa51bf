//! Housekeeping: once a day the whole table is walked, a slice a second, and lists forget who left long ago.
//!
//! What a list at rest remembers stands in the head of its bytes, so only one that has somebody to forget wakes for it.
//! Lists that everybody is on are passed over: there a forgotten no would be a yes.

use super::*;

/// A walk over the table.
#[derive(Default)]
pub(super) struct Walk {
    /// When it began.
    began: Option<Millis>,
    /// The last list it has seen.
    after: Option<ListId>,
    /// It has seen all.
    over: bool,
}

/// A walk begins this long after the one before.
const WALK_EVERY_MS: u64 = 24 * 3_600_000;
/// A walk takes so many slices at most, however long the table is: an hour of them.
const SLICES: usize = 3600;

impl Supervisor {
    /// The next slice of the walk, or a new walk when it is time.
    pub(super) async fn tidy(
        &self,
        myself: &ActorRef<SupervisorMessage>,
        state: &mut SupervisorState,
    ) -> Result<(), ActorProcessingErr> {
        let now = self.0.clock.now();
        let due = state.walk.began.is_none_or(|began| now.since(began) >= WALK_EVERY_MS);
        if state.walk.over || state.walk.began.is_none() {
            if !due {
                return Ok(());
            }
            state.walk = Walk { began: Some(now), ..Walk::default() };
        }
        for list in state.next_slice(&self.0, now) {
            self.forward(myself, state, list, ListMessage::Forget).await?;
        }
        Ok(())
    }
}

impl SupervisorState {
    /// The lists of the next slice that may have somebody to forget.
    fn next_slice(&mut self, context: &Context, now: Millis) -> Vec<ListId> {
        let most = self.lists.len() / SLICES + 1;
        let (mut seen, mut last, mut found) = (0, None, Vec::new());
        for (id, packed) in self.lists.range((behind(self.walk.after.take()), Bound::Unbounded)).take(most) {
            (seen, last) = (seen + 1, Some(id));
            let forgets = match self.awake.get(id) {
                None => packed.forgets(now),
                // It looks for itself.
                Some(ListSlot::Awake { .. }) => true,
                Some(ListSlot::Leaving { .. }) => false,
            };
            if forgets && !context.catalog.default_opt_in(id) {
                found.push(id.clone());
            }
        }
        (self.walk.over, self.walk.after) = (seen < most, last.cloned());
        found
    }
}
