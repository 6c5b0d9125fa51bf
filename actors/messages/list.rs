//! What may be asked of a list.

use tokio::sync::oneshot;

use super::super::ack::AckGuard;
use super::super::api::RestockAnswer;
use super::super::reply::Reply;
use restockd_core::directory::{ListTask, RestockFact};
use restockd_core::list::{ChangeSource, List};
use restockd_core::scheduler::Recipient;
use restockd_core::{CampaignId, ListId, Millis, PersonId};

/// Reads a list without changing it.
pub type ReadList = Box<dyn FnOnce(&ListId, &List) + Send>;

/// What may be asked of a list.
pub enum ListMessage {
    /// A share of an open event.
    Task {
        /// The directory's counter of the event.
        event: u64,
        /// Whom it is about.
        person: Option<PersonId>,
        /// How it came.
        how: ChangeSource,
        /// When, by the sender's clock.
        timestamp: Option<Millis>,
        /// When the directory accepted it: a restock counts for that day.
        accepted: Millis,
        /// What to do.
        task: ListTask,
        /// Done when durable.
        ack: AckGuard,
    },
    /// Several tasks, in order.
    Several(Vec<ListMessage>),
    /// A restock from a webhook.
    Restock {
        /// The newest of the directory's events that went to lists before it; the supervisor says which.
        event: u64,
        /// The signal.
        fact: RestockFact,
        /// What became of it.
        reply: Reply<RestockAnswer>,
    },
    /// A campaign made by hand starts here.
    Begin {
        /// The campaign.
        campaign: CampaignId,
        /// On a list that everybody is on: the last contact number and how many have an address.
        everybody: Option<(u32, u32)>,
    },
    /// A campaign has room for so many more.
    Invite(CampaignId, usize),
    /// A campaign that starts again asks for all it was given.
    InviteAgain(CampaignId),
    /// A page of contact numbers for a campaign on a list that everybody is on.
    InvitePage {
        /// The campaign.
        campaign: CampaignId,
        /// The page.
        people: Vec<PersonId>,
        /// The last contact number it covers.
        to: u32,
        /// When the campaign began: who had said no by then is not of its audience.
        since: Millis,
        /// True when nobody comes after it.
        last: bool,
    },
    /// Recipients that the directory looked up; who is not on the list any more is marked so.
    Confirm(CampaignId, Vec<Recipient>),
    /// A campaign is done with everybody up to this ordinal.
    Close(CampaignId, u32),
    /// Time has passed: who left long ago is forgotten.
    Forget,
    /// A question.
    Read(ReadList),
    /// The state for a snapshot.
    Image(oneshot::Sender<(ListId, List)>),
    /// Go to rest, if nothing is outstanding.
    Rest,
}
