//! Requests and answers about the suppression list.

use restockd_core::directory::SuppressionReason;
use restockd_core::{Email, Millis};

/// An address that takes no mail.
#[derive(Debug, Clone)]
pub struct SuppressionView {
    /// The address, where a contact still has it or the request named it.
    pub email: Option<Email>,
    /// The keyed hash of the address.
    pub address: u128,
    pub reason: SuppressionReason,
    /// When it was suppressed; `None` where an older version did not record it.
    pub at: Option<Millis>,
    /// Where the reason is known from, if anything was recorded.
    pub evidence: Option<String>,
}

/// A page of the list.
#[derive(Debug, Clone, Default)]
pub struct SuppressionsPage {
    /// There may be fewer than asked for even when more pages follow.
    pub rows: Vec<SuppressionView>,
    /// Where the next page starts; `None` at the end.
    pub cursor: Option<String>,
}
