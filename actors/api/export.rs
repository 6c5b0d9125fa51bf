//! The answer that holds everything about one person.

use super::{ContactView, SuppressionView};
use restockd_core::campaign::LetterState;
use restockd_core::directory::ConsentEvidence;
use restockd_core::list::ChangeSource;
use restockd_core::{CampaignId, ListId, Millis, feedback};

/// `GET /v1/contacts/export`.
#[derive(Debug, Clone)]
pub struct PersonExport {
    pub contact: ContactView,
    /// True when the person wants no mail at all.
    pub unsubscribed: bool,
    /// The entry of the person's address on the suppression list.
    pub suppression: Option<SuppressionView>,
    /// All memberships, also those that ended.
    pub lists: Vec<MembershipView>,
    /// Evidence of how the person asked for each list.
    pub consent: Vec<ConsentView>,
    /// Ids of lists that wait for a confirmation, with the time they were asked for.
    pub pending: Vec<(String, Millis)>,
    /// Letters whose ledgers are still kept.
    pub letters: Vec<LetterView>,
    /// Feedback on letters to the address.
    pub returns: Vec<feedback::FeedbackEvidence>,
}

#[derive(Debug, Clone)]
pub struct MembershipView {
    pub list: ListId,
    /// False when it ended.
    pub subscribed: bool,
    /// The way by which it last changed.
    pub how: ChangeSource,
    /// When the place in line was taken.
    pub joined: Millis,
    pub changed: Millis,
}

/// Evidence of how a list was asked for.
#[derive(Debug, Clone)]
pub struct ConsentView {
    /// The list's id.
    pub list: String,
    pub how: ChangeSource,
    /// When it was asked for.
    pub at: Millis,
    pub evidence: ConsentEvidence,
}

/// One letter to the person.
#[derive(Debug, Clone)]
pub struct LetterView {
    pub campaign: CampaignId,
    /// The list of that campaign.
    pub list: ListId,
    pub state: LetterState,
    /// How often it was started.
    pub attempts: u16,
    /// When it came into this state, to the second.
    pub at: Millis,
}
