//! What may be asked of a campaign's ledger, and what is answered.

use restockd_core::{Email, Millis, PersonId};

/// `GET /v1/campaigns/{id}/recipients`.
#[derive(Debug, Clone, Default)]
pub struct RecipientsQuery {
    /// Rows with this status alone, by the wire's word.
    pub status: Option<String>,
    /// The first row to look at.
    pub cursor: u32,
    /// Rows at most, 1 to 1000.
    pub limit: usize,
}

/// One letter of a campaign.
#[derive(Debug, Clone)]
pub struct RecipientView {
    /// Whose.
    pub id: PersonId,
    /// Where to, if the person has an address still.
    pub email: Option<Email>,
    /// pending, started, deferred, sent, failed, skipped, in_doubt.
    pub status: &'static str,
    /// Why it was skipped.
    pub reason: Option<&'static str>,
    /// How often it was started.
    pub attempts: u16,
    /// When it came to this, to the second.
    pub at: Millis,
    /// The server's last words, without addresses.
    pub reply: Option<String>,
    /// What they mean: delivered, deferred, hard_bounce, soft_bounce, policy, in_doubt.
    pub class: Option<&'static str>,
    /// The letter's Message-ID, if it was ever started.
    pub message_id: Option<String>,
}

/// A page of them.
#[derive(Debug, Clone)]
pub struct RecipientsPage {
    /// In the order of invitation.
    pub recipients: Vec<RecipientView>,
    /// Where the next page begins.
    pub cursor: Option<u32>,
}
