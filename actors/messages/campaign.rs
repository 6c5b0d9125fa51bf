//! The messages of the campaign actor.

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
    pub list: ListId,
    pub product: Option<String>,
    /// What the restock said of the product beyond its name.
    pub details: Option<ProductDetails>,
    /// The day, in the shop's time zone, that the campaign's key holds.
    pub day: Day,
    /// The campaign that the list's record of the restock names.
    pub campaign: CampaignId,
    /// The last ordinal of the audience, inclusive.
    pub upto: u32,
    /// How many people the restock adds to the audience.
    pub added: u32,
}

/// A campaign that somebody creates by hand.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Derived from the key, or random without one.
    pub id: CampaignId,
    /// The caller's idempotency key.
    pub key: Option<String>,
    /// `None`: the name is made from the list and the product.
    pub name: Option<String>,
    /// The product's name as the list knows it, used when a name has to be made.
    pub product: Option<String>,
    /// The list that is the audience.
    pub list: ListId,
    /// The template's key; empty for the template that the configuration gives the list.
    pub template: String,
    /// `None`: the template's own subject.
    pub subject: Option<String>,
    /// Values for the template.
    pub props: Map<String, Value>,
    /// `None`: the configured sender.
    pub from: Option<String>,
    pub on_doubt: InDoubtPolicy,
    /// How old a letter may become before it expires; `None` for no limit of the campaign's own.
    pub max_age: Option<Span>,
    /// `None`: the campaign starts at once.
    pub send_at: Option<Millis>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreateRefusal {
    UnknownTemplate(String),
    /// It was to start more than a minute in the past.
    SendAtPast(Millis),
}

pub enum CampaignMessage {
    /// An input for the scheduler whose answer nobody waits for: audiences, recipients, connections, finished letters.
    Input(Input),
    /// A restock opens or extends a rule campaign. The guard is done when that is durable; recovery sends no guard.
    Restocked(Restocked, Option<AckGuard>),
    /// The guard is done when every record written before this message is durable.
    Fence(AckGuard),
    /// Creates a campaign by hand.
    Create(Box<Asked>, Reply<Result<Created, CreateRefusal>>),
    /// Somebody may no longer be mailed, in the campaigns of one list or in all.
    Note {
        /// `None`: in the campaigns of all lists.
        list: Option<ListId>,
        person: PersonId,
        reason: SkipReason,
        /// Done when the note is durable.
        ack: AckGuard,
    },
    /// A person's address has changed, or the person was merged into another: what was looked up for this number
    /// is looked up again. The guard is done when that is noted.
    MailboxChanged(PersonId, AckGuard),
    /// Feedback on a letter, on its way to the directory: the ledger knows which address the letter went to.
    Returned(Box<FeedbackReport>, Reply<ReturnAnswer>),
    /// A command on one campaign.
    Command(CampaignId, CampaignCommand, Reply<Result<(), CampaignRefusal>>),
    /// The alarm with this number rings; the actor ignores all but the newest.
    Alarm(u64),
    /// Runs a read-only query.
    Read(ReadScheduler),
    /// Hands over the state for a snapshot.
    Image(oneshot::Sender<CampaignsImage>),
    /// Starts no more letters, and answers when none is on the wire.
    Stop(oneshot::Sender<()>),
}
