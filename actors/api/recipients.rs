//! Requests and answers about the letters of one campaign.

use restockd_core::{Email, Millis, PersonId};

/// The query of `GET /v1/campaigns/{id}/recipients`.
#[derive(Debug, Clone, Default)]
pub struct RecipientsQuery {
    /// Only rows with this status, in the wire's word.
    pub status: Option<String>,
    /// The ledger row at which to begin.
    pub cursor: u32,
    /// Rows at most, 1 to 1000.
    pub limit: usize,
}

/// One letter of a campaign, as it is shown.
#[derive(Debug, Clone)]
pub struct RecipientView {
    pub id: PersonId,
    /// The person's present address, if there is one.
    pub email: Option<Email>,
    /// pending, started, deferred, sent, failed, skipped or in_doubt.
    pub status: &'static str,
    /// Why it was skipped.
    pub reason: Option<&'static str>,
    /// How often it was started.
    pub attempts: u16,
    /// When it came into this state, to the second.
    pub at: Millis,
    /// The server's last reply, without addresses.
    pub reply: Option<String>,
    /// The class of that reply: delivered, deferred, hard_bounce, soft_bounce, policy or in_doubt.
    pub class: Option<&'static str>,
    /// `None` when the letter was never started.
    pub message_id: Option<String>,
}

#[derive(Debug, Clone)]
pub struct RecipientsPage {
    /// In the order of invitation.
    pub recipients: Vec<RecipientView>,
    /// The row at which the next page begins; `None` at the end.
    pub cursor: Option<u32>,
}
