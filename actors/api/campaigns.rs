//! What may be asked of campaigns, and what is answered.

use serde_json::{Map, Value};

pub use restockd_core::campaign::{CampaignCommand as CampaignVerb, InDoubtPolicy};
pub use restockd_core::scheduler::{HeldLetters, ProviderReport};
use restockd_core::{CampaignId, ListId, Millis, Span};

/// `POST /v1/campaigns`, parsed. Template and list are checked by the Engine.
#[derive(Debug, Clone, Default)]
pub struct CampaignInput {
    /// Its name; else made from the list.
    pub name: Option<String>,
    /// The list, unchecked text.
    pub list: String,
    /// The template's key; empty for the one that the list has by configuration.
    pub template: String,
    /// For the template.
    pub props: Map<String, Value>,
    /// The sender, else the configured one; checked by the caller.
    pub from: Option<String>,
    /// The subject, else the template's.
    pub subject: Option<String>,
    /// When to start; at once when absent.
    pub send_at: Option<Millis>,
    /// The user's key.
    pub key: Option<String>,
    /// What becomes of letters in doubt.
    pub on_doubt: InDoubtPolicy,
    /// How old a letter may become, if not as old as any.
    pub max_age: Option<Span>,
}

/// The 202 of `POST /v1/campaigns`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CampaignCreated {
    /// The campaign, new or as it was.
    pub id: CampaignId,
    /// Its present status, as on the wire.
    pub status: String,
    /// When it starts, if scheduled.
    pub scheduled_at: Option<Millis>,
    /// Fields in which a repeat differs from the first.
    pub mismatch: Vec<&'static str>,
}

/// A campaign as it is now.
#[derive(Debug, Clone)]
pub struct CampaignView {
    /// Its id.
    pub id: CampaignId,
    /// Its name.
    pub name: String,
    /// As on the wire: scheduled, queued, sending, paused, sent, failed, canceled, expired.
    pub status: String,
    /// The list it reaches.
    pub list: ListId,
    /// The template's key.
    pub template: String,
    /// The subject, where one was given or made by the rule.
    pub subject: Option<String>,
    /// The sender.
    pub from: Option<String>,
    /// Everybody it is for.
    pub total: u64,
    /// Accepted by a mail server.
    pub sent: u64,
    /// Refused for good.
    pub failed: u64,
    /// Put off for a later try.
    pub deferred: u64,
    /// Sent off, outcome unknown.
    pub in_doubt: u64,
    /// On the wire.
    pub started: u64,
    /// Not yet begun.
    pub pending: u64,
    /// What letters wait for that are not on their way; of one campaign alone, empty in a page of many.
    pub held: Vec<HeldLetters>,
    /// Not mailed, by reason.
    pub skipped: Vec<(&'static str, u64)>,
    /// The campaign's own pace as text, if it has one (`100/s`).
    pub rate: Option<String>,
    /// How old a letter of it may become as text, if it says so itself (`4h`).
    pub max_age: Option<String>,
    /// When it was to start.
    pub scheduled_at: Option<Millis>,
    /// When it was canceled.
    pub canceled_at: Option<Millis>,
    /// When it started.
    pub started_at: Option<Millis>,
    /// When it was done.
    pub completed_at: Option<Millis>,
    /// When it was made.
    pub created_at: Millis,
}

/// `GET /v1/campaigns`.
#[derive(Debug, Clone, Default)]
pub struct CampaignsQuery {
    /// Wire names of statuses; empty means all.
    pub status: Vec<String>,
    /// Rows at most, 1 to 200.
    pub limit: usize,
    /// Rows to pass over.
    pub offset: usize,
}
