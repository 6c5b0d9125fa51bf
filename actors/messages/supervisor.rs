//! What may be asked of the supervisor.

use tokio::sync::oneshot;

use super::list::ListMessage;
use restockd_core::ListId;
use restockd_core::list::{List, ListSummary};
use restockd_records::PackedList;

/// A slice of the table, for a snapshot: states at rest, and answers to come from those awake.
pub struct Slice {
    /// Lists at rest.
    pub resting: Vec<(ListId, PackedList)>,
    /// Lists awake hand theirs over themselves.
    pub awake: Vec<oneshot::Receiver<(ListId, List)>>,
    /// Where the next slice starts; `None` at the end.
    pub next: Option<ListId>,
}

/// What may be asked of the supervisor.
pub enum SupervisorMessage {
    /// A message for a list, which wakes for it.
    ToList(ListId, ListMessage),
    /// Messages for lists, in order: those for one list arrive as one.
    ToLists(Vec<(ListId, ListMessage)>),
    /// What can be told of lists without waking them: those asked for, `None` for the unknown.
    Summaries(Vec<ListId>, oneshot::Sender<Vec<SummaryOrRead>>),
    /// The ids after the given one, in order.
    Names(Option<ListId>, usize, oneshot::Sender<Vec<ListId>>),
    /// A slice of the table after the given id, for a snapshot.
    Walk(Option<ListId>, usize, oneshot::Sender<Slice>),
    /// Puts idle lists to rest, and does a little housekeeping.
    Sweep,
    /// A list could not rest: it has records out.
    StillBusy(ListId),
    /// How many lists are awake, resting and leaving.
    Census(oneshot::Sender<(usize, usize, usize)>),
}

/// A list's summary, at once or when the list answers.
pub enum SummaryOrRead {
    /// At rest (or unknown).
    Now(Option<ListSummary>),
    /// Awake: it answers itself.
    Soon(oneshot::Receiver<ListSummary>),
}
