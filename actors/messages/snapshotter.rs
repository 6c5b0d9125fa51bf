//! What may be asked of the snapshotter.

use tokio::sync::oneshot;

use super::super::api::SnapshotAnswer;

/// Who waits for a round.
pub type RoundReply = oneshot::Sender<Result<SnapshotAnswer, RoundFailure>>;

/// Why a round came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoundFailure {
    /// The disk has no room for it; it may be asked for again.
    pub no_space: bool,
    /// In words.
    pub why: String,
}

/// What may be asked of the snapshotter.
pub enum SnapshotterMessage {
    /// Run a round, or join the next one if one is under way.
    Round(Option<RoundReply>),
    /// Has enough time passed, or enough log been written?
    Tick,
    /// The round is over.
    Over(Result<SnapshotAnswer, RoundFailure>),
}
