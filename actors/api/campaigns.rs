//! Requests and answers about campaigns.

use serde_json::{Map, Value};

pub use restockd_core::campaign::{CampaignCommand as CampaignVerb, InDoubtPolicy};
pub use restockd_core::scheduler::{HeldLetters, ProviderReport};
use restockd_core::{CampaignId, ListId, Millis, Span};

/// `POST /v1/campaigns`, parsed; the Engine checks template and list.
#[derive(Debug, Clone, Default)]
pub struct CampaignInput {
    /// `None`: the name is made from the list.
    pub name: Option<String>,
    /// The list's id, unchecked text.
    pub list: String,
    /// The template's key; empty for the template that the configuration gives the list.
    pub template: String,
    /// Values for the template.
    pub props: Map<String, Value>,
    /// The sender, checked by the caller; `None` for the configured one.
    pub from: Option<String>,
    /// `None`: the template's own subject.
    pub subject: Option<String>,
    /// `None`: the campaign starts at once.
    pub send_at: Option<Millis>,
    /// The caller's idempotency key.
    pub key: Option<String>,
    pub on_doubt: InDoubtPolicy,
    /// How old a letter may become before it expires; `None` for no limit of the campaign's own.
    pub max_age: Option<Span>,
}

/// The body of the 202 for `POST /v1/campaigns`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CampaignCreated {
    /// The new campaign, or the one that the key already stands for.
    pub id: CampaignId,
    /// The present status, in the wire's word.
    pub status: String,
    /// When it starts; `None` when it is not scheduled.
    pub scheduled_at: Option<Millis>,
    /// Names of the fields in which a repeat differs from the first request.
    pub mismatch: Vec<&'static str>,
}

/// A campaign as it is shown.
#[derive(Debug, Clone)]
pub struct CampaignView {
    pub id: CampaignId,
    pub name: String,
    /// In the wire's word: scheduled, queued, sending, paused, sent, failed, canceled, expired.
    pub status: String,
    /// The list that is the audience.
    pub list: ListId,
    /// The template's key.
    pub template: String,
    /// `None`: the template's own subject.
    pub subject: Option<String>,
    /// `None`: the configured sender.
    pub from: Option<String>,
    /// The size of the audience.
    pub total: u64,
    /// Letters that a mail server accepted.
    pub sent: u64,
    /// Letters that were refused for good.
    pub failed: u64,
    /// Letters that wait for another attempt.
    pub deferred: u64,
    /// Letters in doubt: sent, but nothing was heard after the final dot.
    pub in_doubt: u64,
    /// Letters on the wire.
    pub started: u64,
    /// Letters that were not started yet.
    pub pending: u64,
    /// What keeps letters from starting; filled in for a single campaign, empty in a page of campaigns.
    pub held: Vec<HeldLetters>,
    /// People who are not mailed, counted by reason.
    pub skipped: Vec<(&'static str, u64)>,
    /// The campaign's own rate as text (`100/s`), if it has one.
    pub rate: Option<String>,
    /// The age at which its letters expire, as text (`4h`), if the campaign sets one.
    pub max_age: Option<String>,
    /// When it was to start, if it was scheduled.
    pub scheduled_at: Option<Millis>,
    pub canceled_at: Option<Millis>,
    pub started_at: Option<Millis>,
    pub completed_at: Option<Millis>,
    pub created_at: Millis,
}

/// The query of `GET /v1/campaigns`.
#[derive(Debug, Clone, Default)]
pub struct CampaignsQuery {
    /// Statuses in the wire's words; empty for all.
    pub status: Vec<String>,
    /// Rows at most, 1 to 200.
    pub limit: usize,
    /// Rows to skip.
    pub offset: usize,
}
