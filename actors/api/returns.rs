//! Requests and answers about feedback on letters.

use restockd_core::PersonId;
use restockd_core::directory::SuppressionReason;
use restockd_core::feedback::FeedbackKind;
use restockd_feedback::UnverifiedReport;

/// One report about a letter.
#[derive(Debug, Clone)]
pub struct ReturnInput {
    /// The way the report came: `message`, or a relay's name. Report ids are unique within it.
    pub source: &'static str,
    pub claim: UnverifiedReport,
    /// True when the sender of the report was authenticated, so that the address it names is believed.
    pub trusted: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReturnAnswer {
    /// The report is recorded.
    Taken {
        kind: FeedbackKind,
        /// The person who has the reported address now, if anybody.
        person: Option<PersonId>,
        /// The suppression that followed, if any.
        suppressed: Option<SuppressionReason>,
    },
    /// A repeat of a report, which changes nothing; the first one is durable.
    Duplicate { kind: FeedbackKind },
    /// The report was read, and nothing follows from it.
    Skipped { kind: FeedbackKind, reason: &'static str },
}
