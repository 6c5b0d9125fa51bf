//! The messages of the directory.

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

/// The result of one ingest: the answer for the client and the decision. `None`: the idempotency key window is full.
pub type Ingested = Option<(EventAnswer, IngestOutcome)>;

pub enum DirectoryMessage {
    /// A slice of events, decided in order.
    Ingest {
        items: Vec<Ingest>,
        /// One result for each item, in the same order.
        reply: Reply<Vec<Ingested>>,
    },
    /// Joins and leaves of a person who is known by number.
    Memberships {
        person: PersonId,
        how: ChangeSource,
        /// List ids to join (`true`) or leave (`false`).
        bag: Vec<(String, bool)>,
        reply: Reply<Ingested>,
    },
    /// Somebody who was mailed leaves the list, as `after_send = "leave"` asks.
    LeaveAfterSend(PersonId, ListId),
    /// Changes about people or addresses; the answer says of each whether it changed anything.
    Command(Vec<DirectoryCommand>, Reply<Vec<bool>>),
    /// Feedback on a letter.
    Returned(Box<FeedbackReport>, Reply<ReturnAnswer>),
    /// Somebody followed the link in a confirmation mail; the answer holds one result for each list.
    Click(Click, Reply<Vec<Ingested>>),
    /// A confirmation worker is done with a mail: the person, the counter that the mail covered, and the outcome.
    Asked(PersonId, u64, restockd_mail::DeliveryOutcome),
    /// The clock's tick, once a second: mails that were put off may be tried again.
    Tick,
    MintPublicKey(PublicKey, Reply<()>),
    MintKey(ApiKey, Reply<()>),
    /// Revokes the API key with this id.
    RevokeKey(String, Reply<()>),
    /// Looks up address and consent for the letters of a campaign, each given as ledger row and person. The result goes
    /// to the list, which confirms that the person is still on it.
    LookUp(CampaignId, ListId, Vec<(u32, PersonId)>),
    /// A page of all people, for a campaign on a list that everybody is on.
    Page(AudiencePage),
    /// Starts a campaign on a list that everybody is on: the list is told how large the audience is.
    BeginEverybody(CampaignId, ListId),
    /// Runs a read-only query.
    Read(ReadDirectory),
    /// Hands over the state for a snapshot.
    Image(oneshot::Sender<DirectoryImage>),
    /// Sends again the tasks of events that were open when the engine stopped.
    Resume,
}

/// A campaign's request for a page of all people.
pub struct AudiencePage {
    pub campaign: CampaignId,
    pub list: ListId,
    /// The contact number after which the page begins (exclusive).
    pub after: u32,
    /// The last contact number of the audience (inclusive).
    pub upto: u32,
    /// Rows at most.
    pub most: usize,
    /// When the campaign began.
    pub since: Millis,
}

/// A click on the link of a confirmation mail.
pub struct Click {
    pub person: PersonId,
    /// The hash of the address that the mail was sent to.
    pub address: u64,
    /// The directory's counter of the newest request that the mail covers.
    pub round: u64,
    /// The ids of the lists that the page showed.
    pub shown: Vec<String>,
    /// How the click was made, kept as evidence of consent.
    pub evidence: ConsentEvidence,
}
