//! What comes back about a letter: the words for it, and what is kept of it.
//!
//! ```text
//! report ──▶ Kind ──▶ nothing      delayed, delivered, an automatic reply, "not spam"
//!                 ├─▶ recorded     policy: ours to mend, never held against the person
//!                 ├─▶ counted      soft bounce: so many within a span give the address up
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
    /// Refused for what we are or sent.
    Policy,
    /// The person complained, or asked a provider for no more.
    Complaint,
    /// Still on its way.
    Delayed,
    /// It arrived, or went on to where nobody reports.
    Delivered,
    /// A machine answers for the person.
    AutoReply,
    /// The person says that it was no spam.
    NotSpam,
}

impl FeedbackKind {
    /// The kind of a letter that failed with this status; one that says nothing counts as soft.
    #[must_use]
    pub fn of_failed(status: Option<Enhanced>) -> Self {
        status.map_or(Self::SoftBounce, |status| Self::of_class(class_of_failed(status)))
    }

    /// The kind of a letter that failed, by its class.
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

    /// The word on the wire.
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

    /// True for what is kept; the rest has no consequence.
    #[must_use]
    pub fn is_kept(self) -> bool {
        matches!(self, Self::HardBounce | Self::SoftBounce | Self::Policy | Self::Complaint)
    }
}

/// How one report is remembered; holds no address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedbackEvidence {
    /// What it said.
    pub kind: FeedbackKind,
    /// When it was taken in.
    pub at: Millis,
    /// Which way it came: `message`, or a relay's name.
    pub source: String,
    /// The enhanced status code, if one was given.
    pub status: Option<Enhanced>,
    /// The server's words, without addresses.
    pub diagnostic: Option<String>,
    /// The campaign, where it is known.
    pub campaign: Option<CampaignId>,
    /// The letter's id: our Message-ID's local part, or the relay's own.
    pub message_id: Option<String>,
}

/// What proves whose letter a report is about; what was only claimed is not in here.
#[derive(Clone, PartialEq, Eq)]
pub enum FeedbackProof {
    /// The token that this letter alone had in its envelope.
    Letter {
        /// The campaign that it belongs to.
        campaign: CampaignId,
        /// Whose it was, by the number of then.
        person: PersonId,
        /// The number in its Message-ID, if the report says one of ours.
        message_id: Option<u128>,
        /// The addresses that the report names, each with the half of its hash that a ledger holds.
        named: Vec<(Email, u64)>,
        /// The one of them to which the letter went, once the campaign's ledger was asked.
        went_to: Option<Email>,
    },
    /// A link of ours to stop, which is for one person.
    Person(PersonId),
    /// The address itself: by the Message-ID of a letter to it, or named by somebody who was authenticated.
    Address(Email, Option<CampaignId>),
}

/// A proof holds addresses, which never reach a log by way of `{:?}`.
impl std::fmt::Debug for FeedbackProof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FeedbackProof")
    }
}

/// A report whose proof has been verified, ready to be decided on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedbackReport {
    /// The report's own name.
    pub name: String,
    /// What proves whose it is.
    pub proof: FeedbackProof,
    /// What is kept of it; the campaign is the proof's.
    pub evidence: FeedbackEvidence,
    /// How many soft bounces give an address up.
    pub soft_bounces: u8,
    /// Within how many milliseconds.
    pub soft_window_ms: u64,
}

/// What a decision about a report asks of those who hold the secrets and know what mail looks like.
pub trait Pseudonymizer {
    /// An address, hashed.
    fn address(&self, email: &Email) -> u128;
    /// The number in the Message-ID of a campaign's letter to an address, by the half of its hash that a ledger holds.
    fn message_id(&self, campaign: CampaignId, address: u64) -> u128;
    /// The name of a report about an address, hashed with its source.
    fn key(&self, source: &str, name: &str, address: u128) -> u128;
    /// A server's words without an address.
    fn redact(&self, words: &str, email: &Email) -> String;
}
