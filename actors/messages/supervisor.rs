//! The messages of the supervisor.

use tokio::sync::oneshot;

use super::list::ListMessage;
use restockd_core::ListId;
use restockd_core::list::{List, ListSummary};
use restockd_records::PackedList;

/// A part of the table of lists, for a snapshot.
pub struct Slice {
    /// Passivated lists, as bytes.
    pub resting: Vec<(ListId, PackedList)>,
    /// One answer to come from each list that is awake.
    pub awake: Vec<oneshot::Receiver<(ListId, List)>>,
    /// The id after which the next slice starts; `None` at the end of the table.
    pub next: Option<ListId>,
}

pub enum SupervisorMessage {
    /// A message for a list, which wakes for it.
    ToList(ListId, ListMessage),
    /// Messages for lists, in order; the messages for one list arrive together.
    ToLists(Vec<(ListId, ListMessage)>),
    /// Summaries of these lists without waking any of them, in the order of the request.
    Summaries(Vec<ListId>, oneshot::Sender<Vec<SummaryOrRead>>),
    /// Ids of lists after the given one, in order; the number is the limit.
    Names(Option<ListId>, usize, oneshot::Sender<Vec<ListId>>),
    /// A slice of the table after the given id, for a snapshot; the number is the limit.
    Walk(Option<ListId>, usize, oneshot::Sender<Slice>),
    /// The clock's tick, once a second: passivates idle lists and does a slice of the housekeeping.
    Sweep,
    /// A list could not be passivated, because some of its records are not durable yet.
    StillBusy(ListId),
    /// How many lists are awake, at rest and leaving.
    Census(oneshot::Sender<(usize, usize, usize)>),
}

/// A list's summary: known at once, or still to come.
pub enum SummaryOrRead {
    /// The list is at rest; `None` when there is no such list.
    Now(Option<ListSummary>),
    /// The list is awake and will answer.
    Soon(oneshot::Receiver<ListSummary>),
}
