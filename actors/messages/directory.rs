//! What may be asked of the directory.

use tokio::sync::oneshot;

use super::super::api::{EventAnswer, ReturnAnswer};
use super::super::reply::Reply;
use restockd_core::directory::{
    ApiKey, ConsentEvidence, Directory, DirectoryCommand, DirectoryImage, Ingest, IngestOutcome, PublicKey,
};
use restockd_core::feedback::FeedbackReport;
use restockd_core::list::ChangeSource;
use restockd_core::{CampaignId, ListId, Millis, PersonId};

/// Reads the directory without changing it.
pub type ReadDirectory = Box<dyn FnOnce(&Directory) + Send>;

/// What became of one ingest: the wire's answer and what was decided; `None`: no room for its key.
pub type Ingested = Option<(EventAnswer, IngestOutcome)>;

/// What may be asked of the directory.
pub enum DirectoryMessage {
    /// A slice of events.
    Ingest {
        /// In order.
        items: Vec<Ingest>,
        /// One outcome for each.
        reply: Reply<Vec<Ingested>>,
    },
    /// Joins and leaves for a person known by number.
    Memberships {
        /// Who.
        person: PersonId,
        /// How it came.
        how: ChangeSource,
        /// List ids to join or leave.
        bag: Vec<(String, bool)>,
        /// The outcome.
        reply: Reply<Ingested>,
    },
    /// Somebody who was mailed leaves the list (`after_send = "leave"`).
    LeaveAfterSend(PersonId, ListId),
    /// Changes about people or addresses; the answer says of each whether there was anything to change.
    Command(Vec<DirectoryCommand>, Reply<Vec<bool>>),
    /// A report came back about a letter.
    Returned(Box<FeedbackReport>, Reply<ReturnAnswer>),
    /// A click on a link that confirms; the answer says what became of each list.
    Click(Click, Reply<Vec<Ingested>>),
    /// A mail that asks for a confirmation came back: whose, and the directory's counter that it knew of.
    Asked(PersonId, u64, restockd_mail::DeliveryOutcome),
    /// Time has passed: mails that were put off may go.
    Tick,
    /// A publishable key was made.
    MintPublicKey(PublicKey, Reply<()>),
    /// An API key was made.
    MintKey(ApiKey, Reply<()>),
    /// An API key stops.
    RevokeKey(String, Reply<()>),
    /// Addresses and consent for letters, row and person; the list has the last word.
    LookUp(CampaignId, ListId, Vec<(u32, PersonId)>),
    /// A page of everybody, for a campaign on a list that everybody is on.
    Page(AudiencePage),
    /// A campaign on a list that everybody is on begins: the list is told how many that is.
    BeginEverybody(CampaignId, ListId),
    /// A question.
    Read(ReadDirectory),
    /// The state for a snapshot.
    Image(oneshot::Sender<DirectoryImage>),
    /// Sends again what was open when the engine stopped.
    Resume,
}

/// A page of everybody that a campaign asks for.
pub struct AudiencePage {
    /// The campaign.
    pub campaign: CampaignId,
    /// Its list.
    pub list: ListId,
    /// The contact number after which it begins.
    pub after: u32,
    /// The last contact number of the audience.
    pub upto: u32,
    /// How many at most.
    pub most: usize,
    /// When the campaign began.
    pub since: Millis,
}

/// A click on the link in a mail.
pub struct Click {
    /// Whose link.
    pub person: PersonId,
    /// The address it was sent to, hashed.
    pub address: u64,
    /// The newest press that the mail knew of.
    pub round: u64,
    /// The lists that the page showed.
    pub shown: Vec<String>,
    /// Where the click came from.
    pub evidence: ConsentEvidence,
}
