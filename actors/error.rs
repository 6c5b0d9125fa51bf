//! Why the Engine's door said no.
//!
//! Two families: the engine cannot now (`Busy`, `DiskFull`, `Stopping`, `Lost`, `Timeout`: the
//! request may be sent again with the same key), and the request cannot ever (`RequestRefusal`).

use restockd_core::Millis;

/// What a request cannot have, however often it is asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestRefusal {
    /// Neither declared nor matching a pattern.
    #[error("Unknown list: {0}")]
    UnknownList(String),
    /// Membership needs an address.
    #[error("this person has no email address, so no list can be joined or left")]
    NoEmail,
    /// Bounced, complained, or wants no mail.
    #[error("this address takes no mail (unsubscribed, bounced or complained)")]
    Suppressed,
    /// The address belongs to another user id.
    #[error("this email address belongs to another user")]
    EmailTaken,
    /// No name was given at all.
    #[error("either email or userId is required")]
    NoIdentity,
    /// Nobody by that name.
    #[error("Contact not found")]
    UnknownContact,
    /// Not on that list.
    #[error("this person is not on the list")]
    NotOnList,
    /// No such template.
    #[error("Unknown template: {0}")]
    UnknownTemplate(String),
    /// No such campaign.
    #[error("Unknown campaign: {0}")]
    UnknownCampaign(String),
    /// More than a minute in the past.
    #[error("sendAt is in the past: {0}")]
    SendAtPast(Millis),
    /// The campaign's status does not allow the verb.
    #[error("Campaign is {status} and cannot be {verb}")]
    WrongStatus {
        /// Its present status.
        status: String,
        /// The verb's participle, such as `canceled`.
        verb: &'static str,
    },
    /// A link that is forged, for something else, or about someone who is gone.
    #[error("this link is not valid")]
    BadLink,
    /// A cursor that no page ended with.
    #[error("cursor is not one of a page before")]
    BadCursor,
    /// No such key.
    #[error("Unknown key: {0}")]
    UnknownKey(String),
    /// Production mode asks for more before mail may leave.
    #[error("{0}")]
    NotAllowed(String),
}

/// Why the Engine did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// All permits are taken, or the key window is full; ask again.
    #[error("the engine is overloaded; try again in a moment")]
    Busy,
    /// No segment of the log can be made until space returns.
    #[error("the disk is full; nothing was lost, try again when space is back")]
    DiskFull,
    /// SIGTERM was received.
    #[error("the engine is stopping; try again after the restart")]
    Stopping,
    /// The log failed or an actor died; the process is about to exit.
    #[error("the engine lost its log and is restarting; what was not acknowledged may be sent again")]
    Lost,
    /// No answer in time: it may have been done, send it again with the same key.
    #[error("no answer in time; send the same request again with the same key")]
    Timeout,
    /// The request itself.
    #[error(transparent)]
    Refused(#[from] RequestRefusal),
}
