//! Reports that come back about a letter: their kinds, their proof, and what is kept of them.
//!
//! ```text
//! report ──▶ kind ──▶ nothing      delayed, delivered, an automatic reply, "not spam"
//!                 ├─▶ recorded     policy: ours to mend, never held against the person
//!                 ├─▶ counted      soft bounce: suppressed after so many within a span
//!                 └─▶ suppressed   hard bounce, complaint: at once
//! ```

use super::email::Email;
use super::ids::{CampaignId, PersonId};
use super::status::{BounceClass, Enhanced, class_of_failed};
use super::time::Millis;

/// What a report says about one letter to one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedbackKind {
    /// Nobody reads mail at this address.
    HardBounce,
    /// Refused for a reason that may pass.
    SoftBounce,
    /// Refused because of the sender or the content, so never held against the person.
    Policy,
    /// The person complained, or asked their provider for no more mail.
    Complaint,
    /// Not delivered yet, but still being tried.
    Delayed,
    /// Delivered, or passed on to a system that does not report.
    Delivered,
    /// An automatic reply.
    AutoReply,
    /// The person says that the letter was no spam.
    NotSpam,
}

impl FeedbackKind {
    /// The kind of a letter that failed with this status; without one it is a soft bounce.
    #[must_use]
    pub fn of_failed(status: Option<Enhanced>) -> Self {
        status.map_or(Self::SoftBounce, |status| Self::of_class(class_of_failed(status)))
    }

    /// The kind of a letter that failed, by its bounce class.
    #[must_use]
    pub fn of_class(class: BounceClass) -> Self {
        match class {
            BounceClass::HardBounce => Self::HardBounce,
            BounceClass::Policy => Self::Policy,
            BounceClass::SoftBounce => Self::SoftBounce,
            BounceClass::Deferred => Self::Delayed,
            BounceClass::Delivered => Self::Delivered,
        }
    }

    /// The word for it in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HardBounce => "hard_bounce",
            Self::SoftBounce => "soft_bounce",
            Self::Policy => "policy",
            Self::Complaint => "complaint",
            Self::Delayed => "delayed",
            Self::Delivered => "delivered",
            Self::AutoReply => "auto_reply",
            Self::NotSpam => "not_spam",
        }
    }

    /// Whether evidence of this kind is kept; the other kinds have no consequence.
    #[must_use]
    pub fn is_kept(self) -> bool {
        matches!(self, Self::HardBounce | Self::SoftBounce | Self::Policy | Self::Complaint)
    }
}

/// How one report is remembered. Holds no address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedbackEvidence {
    pub kind: FeedbackKind,
    /// When it was taken in.
    pub at: Millis,
    /// How it came: `message`, or the name of a relay.
    pub source: String,
    /// The enhanced status code, if one was given.
    pub status: Option<Enhanced>,
    /// The server's reply, without addresses.
    pub diagnostic: Option<String>,
    /// The campaign of the letter, if known.
    pub campaign: Option<CampaignId>,
    /// The letter's id: the local part of our Message-ID, or the relay's own id.
    pub message_id: Option<String>,
}

/// The proof that a report is about a letter to a certain person or address. Mere claims are not in here.
#[derive(Clone, PartialEq, Eq)]
pub enum FeedbackProof {
    /// The token in the envelope of this letter alone.
    Letter {
        /// The campaign of the letter.
        campaign: CampaignId,
        /// The person it was sent to, by the number at that time.
        person: PersonId,
        /// The number in the Message-ID that the report names, if it is one of ours.
        message_id: Option<u128>,
        /// The addresses that the report names, each with the part of its hash that a ledger holds.
        named: Vec<(Email, u64)>,
        /// The one of them to which the letter went, after the campaign's ledger was asked.
        went_to: Option<Email>,
    },
    /// A token from an unsubscribe link, which belongs to one person.
    Person(PersonId),
    /// The address itself: proved by the Message-ID of a letter to it, or named by an authenticated sender.
    Address(Email, Option<CampaignId>),
}

/// Addresses must never reach a log, so `{:?}` leaves them out.
impl std::fmt::Debug for FeedbackProof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FeedbackProof")
    }
}

/// A report whose proof was verified, ready to be decided on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedbackReport {
    /// The report's own id.
    pub name: String,
    pub proof: FeedbackProof,
    /// What is kept of it; the decision fills in the campaign.
    pub evidence: FeedbackEvidence,
    /// How many soft bounces suppress an address.
    pub soft_bounces: u8,
    /// The time within which they count, in milliseconds.
    pub soft_window_ms: u64,
}

/// What a decision about a report needs from the layers that hold the secrets and know the format of mails.
pub trait Pseudonymizer {
    /// The keyed hash of an address.
    fn address(&self, email: &Email) -> u128;
    /// The number in the Message-ID of a campaign's letter to an address, of which the ledger holds this part
    /// of the hash.
    fn message_id(&self, campaign: CampaignId, address: u64) -> u128;
    /// The idempotency key of a report about an address, hashed from its source and id.
    fn key(&self, source: &str, name: &str, address: u128) -> u128;
    /// A server's reply without the address.
    fn redact(&self, words: &str, email: &Email) -> String;
}
