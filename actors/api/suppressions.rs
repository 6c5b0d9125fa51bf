//! Words about the suppression list.

use restockd_core::directory::SuppressionReason;
use restockd_core::{Email, Millis};

/// One address that takes no mail.
#[derive(Debug, Clone)]
pub struct SuppressionView {
    /// The address, where a contact still has it or the request named it.
    pub email: Option<Email>,
    /// Its keyed hash.
    pub address: u128,
    /// Why.
    pub reason: SuppressionReason,
    /// Since when; `None` where an older version did not keep it.
    pub at: Option<Millis>,
    /// How it is known, if more is than the reason.
    pub evidence: Option<String>,
}

/// A page of the list.
#[derive(Debug, Clone, Default)]
pub struct SuppressionsPage {
    /// The rows; there may be fewer than asked for, and more behind them.
    pub rows: Vec<SuppressionView>,
    /// Where the next page starts; `None` at the end.
    pub cursor: Option<String>,
}
