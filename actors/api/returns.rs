//! Words about what comes back.

use restockd_core::PersonId;
use restockd_core::directory::SuppressionReason;
use restockd_core::feedback::FeedbackKind;
use restockd_feedback::UnverifiedReport;

/// One report that came back about a letter.
#[derive(Debug, Clone)]
pub struct ReturnInput {
    /// The way it came: `message`, or a relay's name; its own name is scoped by it.
    pub source: &'static str,
    /// What it says.
    pub claim: UnverifiedReport,
    /// True when who says it was authenticated, so that the address it names is believed.
    pub trusted: bool,
}

/// What became of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReturnAnswer {
    /// Recorded.
    Taken {
        /// What it says.
        kind: FeedbackKind,
        /// Whose address it is about, if somebody has it now.
        person: Option<PersonId>,
        /// The block that came of it.
        suppressed: Option<SuppressionReason>,
    },
    /// The same report again: a no-op, as durable as the first.
    Duplicate {
        /// What it says.
        kind: FeedbackKind,
    },
    /// Nothing follows from it.
    Skipped {
        /// What it says.
        kind: FeedbackKind,
        /// Why nothing follows.
        reason: &'static str,
    },
}
