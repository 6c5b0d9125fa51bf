//! All that is held about one person, as it is answered.

use super::{ContactView, SuppressionView};
use restockd_core::campaign::LetterState;
use restockd_core::directory::ConsentEvidence;
use restockd_core::list::ChangeSource;
use restockd_core::{CampaignId, ListId, Millis, feedback};

/// `GET /v1/contacts/export`.
#[derive(Debug, Clone)]
pub struct PersonExport {
    /// The contact.
    pub contact: ContactView,
    /// True for somebody who wants no mail at all.
    pub unsubscribed: bool,
    /// The address's entry on the suppression list.
    pub suppression: Option<SuppressionView>,
    /// Memberships, those that ended too.
    pub lists: Vec<MembershipView>,
    /// How the person asked.
    pub consent: Vec<ConsentView>,
    /// Lists that wait for a confirmation, with when it was asked for.
    pub pending: Vec<(String, Millis)>,
    /// Letters, as long as their ledgers are kept.
    pub letters: Vec<LetterView>,
    /// What came back about the address.
    pub returns: Vec<feedback::FeedbackEvidence>,
}

/// A membership.
#[derive(Debug, Clone)]
pub struct MembershipView {
    /// The list.
    pub list: ListId,
    /// False for one that ended.
    pub subscribed: bool,
    /// By what it last changed.
    pub how: ChangeSource,
    /// When the place in line was taken.
    pub joined: Millis,
    /// When it last changed.
    pub changed: Millis,
}

/// Evidence of how a list was asked for.
#[derive(Debug, Clone)]
pub struct ConsentView {
    /// The list's id.
    pub list: String,
    /// The way it was asked for.
    pub how: ChangeSource,
    /// When.
    pub at: Millis,
    /// What is known of it.
    pub evidence: ConsentEvidence,
}

/// A letter of some campaign.
#[derive(Debug, Clone)]
pub struct LetterView {
    /// The campaign.
    pub campaign: CampaignId,
    /// Its list.
    pub list: ListId,
    /// What became of it.
    pub state: LetterState,
    /// How often it was started.
    pub attempts: u16,
    /// When it came to this, to the second.
    pub at: Millis,
}
