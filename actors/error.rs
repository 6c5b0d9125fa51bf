//! Why the Engine did not do what it was asked.
//!
//! Two families: the engine could not at the moment (`Busy`, `DiskFull`, `Stopping`, `Lost`, `Timeout`), so the same
//! request with the same key may be sent again; or the request can never succeed as it is (`RequestRefusal`).

use restockd_core::Millis;

/// Why a request cannot succeed as it is, however often it is sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestRefusal {
    /// The list is neither declared nor the list of a SKU.
    #[error("Unknown list: {0}")]
    UnknownList(String),
    /// Only somebody with an address can join or leave a list.
    #[error("this person has no email address, so no list can be joined or left")]
    NoEmail,
    /// The address bounced, its owner complained, or its owner wants no mail.
    #[error("this address takes no mail (unsubscribed, bounced or complained)")]
    Suppressed,
    /// The address belongs to another user id.
    #[error("this email address belongs to another user")]
    EmailTaken,
    /// The request names no person.
    #[error("either email or userId is required")]
    NoIdentity,
    #[error("Contact not found")]
    UnknownContact,
    #[error("this person is not on the list")]
    NotOnList,
    #[error("Unknown template: {0}")]
    UnknownTemplate(String),
    #[error("Unknown campaign: {0}")]
    UnknownCampaign(String),
    /// `sendAt` lies more than a minute in the past.
    #[error("sendAt is in the past: {0}")]
    SendAtPast(Millis),
    /// The campaign's status does not allow the command.
    #[error("Campaign is {status} and cannot be {verb}")]
    WrongStatus {
        status: String,
        /// The command's participle, such as `canceled`.
        verb: &'static str,
    },
    /// The link is forged, made for another purpose, out of date, or about somebody who is gone.
    #[error("this link is not valid")]
    BadLink,
    /// No page ended with this cursor.
    #[error("cursor is not one of a page before")]
    BadCursor,
    #[error("Unknown key: {0}")]
    UnknownKey(String),
    /// Production mode requires more before mail may leave; the text says what.
    #[error("{0}")]
    NotAllowed(String),
}

/// Why a call of the Engine failed.
///
/// Any call may answer any of the first five: they are about the state of the engine, not about the request. After each
/// of them the change may have been made or not, and the same request with the same idempotency key may be sent again:
/// it is made at most once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// All admission permits are taken, or the window of idempotency keys is full.
    #[error("the engine is overloaded; try again in a moment")]
    Busy,
    /// The log cannot make a new segment until there is space.
    #[error("the disk is full; nothing was lost, try again when space is back")]
    DiskFull,
    /// The engine is stopping and admits nothing new.
    #[error("the engine is stopping; try again after the restart")]
    Stopping,
    /// The log failed or an actor died; the process is about to exit and to recover at its next start.
    #[error("the engine lost its log and is restarting; what was not acknowledged may be sent again")]
    Lost,
    /// No answer before the deadline: the change may have been made.
    #[error("no answer in time; send the same request again with the same key")]
    Timeout,
    /// The request itself cannot succeed.
    #[error(transparent)]
    Refused(#[from] RequestRefusal),
}
