//! Housekeeping: once a day the whole table is walked, a slice a second, and lists forget memberships that ended long ago.
//!
//! The head of a passivated list's bytes says whether it has anything to forget, so only such a list wakes for it. Lists
//! that everybody is on are left out: on them a forgotten leave would count as a join.

use super::*;

/// A walk over the table.
#[derive(Default)]
pub(super) struct Walk {
    /// When it began.
    began: Option<Millis>,
    /// The last list that was looked at.
    after: Option<ListId>,
    /// True when the walk is done.
    over: bool,
}

/// Time from the beginning of a walk to the beginning of the next.
const WALK_EVERY_MS: u64 = 24 * 3_600_000;
/// Slices of a walk, however long the table is: an hour at one a second.
const SLICES: usize = 3600;

impl Supervisor {
    /// Takes the next slice of the walk, or begins a new walk when it is due.
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
    /// The lists of the next slice that may have something to forget.
    fn next_slice(&mut self, context: &Context, now: Millis) -> Vec<ListId> {
        let most = self.lists.len() / SLICES + 1;
        let (mut seen, mut last, mut found) = (0, None, Vec::new());
        for (id, packed) in self.lists.range((behind(self.walk.after.take()), Bound::Unbounded)).take(most) {
            (seen, last) = (seen + 1, Some(id));
            let forgets = match self.awake.get(id) {
                None => packed.forgets(now),
                // An awake list decides itself.
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
