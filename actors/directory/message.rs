//! What may be asked of the directory.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::super::receipt::Part;
use super::super::verbs::EventAnswer;
use super::confirm::Click;
use super::returned::ReturnedSlot;
use crate::domain::directory::{ApiKey, Ask, Directory, DirectoryImage, Ingest, Outcome, PublicKey};
use crate::domain::list::How;
use crate::domain::returns::Report;
use crate::domain::{CampaignId, ListId, Millis, PersonId};
use crate::mail;

/// Reads the directory without changing it.
pub type ReadDirectory = Box<dyn FnOnce(&Directory) + Send>;

/// What became of one ingest: the wire's answer and what was decided; `None`: no room for its key.
pub type Ingested = Option<(EventAnswer, Outcome)>;

/// What may be asked of the directory.
pub enum DirectoryMessage {
    /// A slice of events; outcomes are put into the slot before the part is done.
    Ingest {
        /// In order.
        items: Vec<Ingest>,
        /// One outcome for each.
        slot: Arc<Mutex<Vec<Ingested>>>,
        /// Done when all is durable.
        part: Part,
    },
    /// Joins and leaves for a person known by number.
    Memberships {
        /// Who.
        person: PersonId,
        /// How it came.
        how: How,
        /// List ids to join or leave.
        bag: Vec<(String, bool)>,
        /// The outcome.
        slot: Arc<Mutex<Vec<Ingested>>>,
        /// Done when all is durable.
        part: Part,
    },
    /// Somebody who was mailed leaves the list (`after_send = "leave"`).
    LeaveAfterSend(PersonId, ListId),
    /// Changes about people or addresses; the slot says of each whether there was anything to change.
    Ask(Vec<Ask>, Arc<Mutex<Vec<bool>>>, Part),
    /// A report about an address came back; the slot says what followed, `None` for one taken in before.
    Returned(Box<Report>, ReturnedSlot, Part),
    /// A click on a link that confirms; the slot says what became of each list.
    Click(Click, Arc<Mutex<Vec<Ingested>>>, Part),
    /// A mail that asks for a confirmation came back: whose, and the directory's counter that it knew of.
    Asked(PersonId, u64, mail::Outcome),
    /// Time has passed: mails that were put off may go.
    Tick,
    /// A publishable key was made.
    MintPublicKey(PublicKey, Part),
    /// An API key was made.
    MintKey(ApiKey, Part),
    /// An API key stops.
    RevokeKey(String, Part),
    /// Addresses and consent for letters, row and person; the list has the last word.
    LookUp(CampaignId, ListId, Vec<(u32, PersonId)>),
    /// A page of everybody, for a campaign on a list that everybody is on.
    Page(Page),
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
pub struct Page {
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
