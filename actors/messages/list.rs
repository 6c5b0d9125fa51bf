//! The messages of a list.

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

pub enum ListMessage {
    /// The list's share of an open event.
    Task {
        /// The directory's counter of the event.
        event: u64,
        /// `None`: an event about no person.
        person: Option<PersonId>,
        how: ChangeSource,
        /// When the event happened, by the sender's clock.
        timestamp: Option<Millis>,
        /// When the directory accepted the event: a restock counts for that day.
        accepted: Millis,
        task: ListTask,
        /// Done when the list's record is durable.
        ack: AckGuard,
    },
    /// Several tasks, carried out in order.
    Several(Vec<ListMessage>),
    /// A restock reported by a webhook.
    Restock {
        /// The newest of the directory's events that lists had been told of; filled in by the supervisor.
        event: u64,
        fact: RestockFact,
        reply: Reply<RestockAnswer>,
    },
    /// A campaign made by hand claims its audience.
    Begin {
        campaign: CampaignId,
        /// On a list that everybody is on: the last contact number, and how many people have an address.
        everybody: Option<(u32, u32)>,
    },
    /// A campaign asks for that many more people of its audience.
    Invite(CampaignId, usize),
    /// A campaign that starts again asks for everybody it was given before.
    InviteAgain(CampaignId),
    /// A page of people for a campaign on a list that everybody is on.
    InvitePage {
        campaign: CampaignId,
        people: Vec<PersonId>,
        /// The last contact number that the page covers (inclusive).
        to: u32,
        /// When the campaign began: people who had left by then are not in its audience.
        since: Millis,
        /// Whether this is the last page.
        last: bool,
    },
    /// Recipients as the directory looked them up; the list marks those who are no longer on it.
    Confirm(CampaignId, Vec<Recipient>),
    /// A campaign has dealt with everybody up to this ordinal.
    Close(CampaignId, u32),
    /// Forgets memberships that ended long ago.
    Forget,
    /// Runs a read-only query.
    Read(ReadList),
    /// Hands over the state for a snapshot.
    Image(oneshot::Sender<(ListId, List)>),
    /// Passivates the list, if no record of it is outstanding.
    Rest,
}
