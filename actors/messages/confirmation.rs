//! The message of the confirmation workers: one mail to send.

use tokio::sync::oneshot;

use restockd_core::{Email, Millis, PersonId};

/// A mail that asks a person to confirm the lists they asked for.
pub struct Confirmation {
    pub person: PersonId,
    pub email: Email,
    /// The hash of `email`; the link in the mail works for this address only.
    pub address: u64,
    /// The directory's counter of the newest request that the mail covers.
    pub round: u64,
    /// The names of the lists, for the mail's text.
    pub names: Vec<String>,
    /// Yields true once every request that the mail covers is durable.
    pub gate: oneshot::Receiver<bool>,
    /// The value of the mail's `Date` header.
    pub date: Millis,
}
