//! What confirmation workers carry.

use tokio::sync::oneshot;

use restockd_core::{Email, Millis, PersonId};

/// One mail that asks for a confirmation.
pub struct Confirmation {
    /// To whom.
    pub person: PersonId,
    /// Where to.
    pub email: Email,
    /// The address, hashed: the link is good for it alone.
    pub address: u64,
    /// The newest press that the mail knows of.
    pub round: u64,
    /// What the lists are called.
    pub names: Vec<String>,
    /// True once every press behind it is durable.
    pub gate: oneshot::Receiver<bool>,
    /// When it is sent.
    pub date: Millis,
}
