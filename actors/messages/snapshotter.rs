//! The messages of the snapshotter.

use tokio::sync::oneshot;

use super::super::api::SnapshotAnswer;

/// Where the result of a round is sent.
pub type RoundReply = oneshot::Sender<Result<SnapshotAnswer, RoundFailure>>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoundFailure {
    /// The disk was full; the round may be asked for again when there is space.
    pub no_space: bool,
    pub why: String,
}

pub enum SnapshotterMessage {
    /// Runs a round; while one is under way, the request joins the next.
    Round(Option<RoundReply>),
    /// The clock's tick, once a second: starts a round if enough time has passed or enough log was written.
    Tick,
    /// The round is over; sent by the snapshotter's own task.
    Over(Result<SnapshotAnswer, RoundFailure>),
}
