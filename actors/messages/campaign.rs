//! What may be asked of the campaign actor, and what comes back to it.

use serde_json::{Map, Value};
use tokio::sync::oneshot;

use super::super::ack::AckGuard;
use super::super::api::ReturnAnswer;
use super::super::reply::Reply;
use restockd_core::campaign::{CampaignCommand, CampaignRefusal, CampaignsImage, InDoubtPolicy, SkipReason};
use restockd_core::feedback::FeedbackReport;
use restockd_core::scheduler::{Created, Input, Scheduler};
use restockd_core::{CampaignId, Day, ListId, Millis, PersonId, ProductDetails, Span};

/// Reads the scheduler and its campaigns without changing them.
pub type ReadScheduler = Box<dyn FnOnce(&Scheduler) + Send>;

/// A restock that leads to the rule's campaign of its list and day.
#[derive(Debug, Clone)]
pub struct Restocked {
    /// The list.
    pub list: ListId,
    /// The product's name, as the list knows it.
    pub product: Option<String>,
    /// What the restock said of it beyond that.
    pub details: Option<ProductDetails>,
    /// The day it counts for.
    pub day: Day,
    /// The campaign that the list's record names.
    pub campaign: CampaignId,
    /// The last ordinal of the audience.
    pub upto: u32,
    /// How many that adds.
    pub added: u32,
}

/// A campaign that somebody asks for by hand.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Its id, from its key or random.
    pub id: CampaignId,
    /// The user's key.
    pub key: Option<String>,
    /// Its name; else made from the list.
    pub name: Option<String>,
    /// The product's name as the list knows it, for a name that is made.
    pub product: Option<String>,
    /// Whom it reaches.
    pub list: ListId,
    /// The template's key; empty for the one that the list has by configuration.
    pub template: String,
    /// The subject, else the template's.
    pub subject: Option<String>,
    /// For the template.
    pub props: Map<String, Value>,
    /// The sender, else the configured one.
    pub from: Option<String>,
    /// What becomes of letters in doubt.
    pub on_doubt: InDoubtPolicy,
    /// How old a letter may become, if not as old as any.
    pub max_age: Option<Span>,
    /// When to start; at once when absent.
    pub send_at: Option<Millis>,
}

/// Why a campaign is not made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreateRefusal {
    /// There is no such template.
    UnknownTemplate(String),
    /// It was to start in the past.
    SendAtPast(Millis),
}

/// What may be asked of the campaign actor.
pub enum CampaignMessage {
    /// What the scheduler asked for and nobody waits for: audiences, recipients, connections, letters that came back.
    Input(Input),
    /// A restock leads to a rule campaign; the part is done when that is durable, and nobody waits for it at start.
    Restocked(Restocked, Option<AckGuard>),
    /// The part is done when all that was said before is durable.
    Fence(AckGuard),
    /// A campaign made by hand.
    Create(Box<Asked>, Reply<Result<Created, CreateRefusal>>),
    /// Somebody may no longer be mailed: in the campaigns of one list, or in all.
    Note {
        /// Which; `None` for all.
        list: Option<ListId>,
        /// Who.
        person: PersonId,
        /// Why.
        reason: SkipReason,
        /// Done when noted and durable.
        ack: AckGuard,
    },
    /// Somebody's address is another one, or they are no more because two people became one: what was fetched of the
    /// number is fetched again. The part is done when that is noted.
    MailboxChanged(PersonId, AckGuard),
    /// A report about a letter, on its way to the directory: the ledger knows which address the letter went to.
    Returned(Box<FeedbackReport>, Reply<ReturnAnswer>),
    /// A verb on a campaign.
    Command(CampaignId, CampaignCommand, Reply<Result<(), CampaignRefusal>>),
    /// The alarm rings; only the newest counts.
    Alarm(u64),
    /// A question.
    Read(ReadScheduler),
    /// The state for a snapshot.
    Image(oneshot::Sender<CampaignsImage>),
    /// Starts nothing more; answers when nothing is on the wire.
    Stop(oneshot::Sender<()>),
}
