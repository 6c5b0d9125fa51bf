//! The inputs and effects of the scheduler.

use super::super::campaign::{
    CampaignCommand, CampaignEvent, CampaignRefusal, CampaignStatus, Header, SkipReason,
};
use super::super::directory::Props;
use super::super::email::Email;
use super::super::ids::{CampaignId, ListId, PersonId};
use super::super::list::Invitee;
use super::super::outcome::{DeliveryOutcome, Diagnostic};
use super::super::time::Millis;

/// The time of a step, and whether the disk has room for its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tick {
    /// The time by the engine's clock.
    pub at: Millis,
    /// False if the log has nothing left but its spare room: then no letter starts.
    pub room: bool,
}

/// The recipient of a letter, just fetched from the directory and confirmed by the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// The row in the ledger.
    pub row: u32,
    /// The person, by the number in the ledger.
    pub person: PersonId,
    /// The person's present number, which differs after a merge.
    pub live: PersonId,
    pub email: Option<Email>,
    /// The hash of the address.
    pub address: u128,
    /// The number of the receiving provider; `None` for a domain that is a provider of its own.
    pub provider: Option<u16>,
    /// Why the person must not be mailed; `None`: they may be.
    pub undeliverable: Option<SkipReason>,
    /// The person's properties, for the template.
    pub props: Props,
}

/// Something that has happened, for the scheduler to take in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A restock leads to the campaign of its SKU and day.
    Restocked {
        /// The settings of that campaign.
        header: Header,
        /// The last ordinal of the audience.
        upto: u32,
        /// How many people it adds to the audience.
        added: u32,
        /// Told again after a restart.
        at_start: bool,
    },
    /// The rule campaign with a key of its own, after [`Effect::KeyTaken`].
    Beside(Header),
    /// A request for a campaign made by hand.
    Create(Header),
    /// A command about a campaign.
    Command(CampaignId, CampaignCommand),
    /// A person may no longer be mailed, by the campaigns of one list or of all.
    RecipientExcluded {
        /// The list; `None` for all.
        list: Option<ListId>,
        person: PersonId,
        reason: SkipReason,
    },
    /// A person's address changed, or the person with this number was merged away: their letters at hand are
    /// fetched again.
    MailboxChanged(PersonId),
    /// A list has claimed the audience of a campaign made by hand, after [`Effect::Begin`].
    Begun {
        campaign: CampaignId,
        /// The last ordinal of the audience.
        upto: u32,
        /// The size of the audience.
        added: u32,
    },
    /// The next stretch of an audience, after [`Effect::Invite`] or [`Effect::InvitePage`].
    Invited {
        campaign: CampaignId,
        /// The people, in join order.
        people: Vec<Invitee>,
        /// On a list that everybody is on: the last contact number that was looked at.
        page: Option<u32>,
        /// The audience ends here.
        last: bool,
    },
    /// All of an audience that was handed over before a restart, after [`Effect::InviteAgain`].
    InvitedAgain {
        campaign: CampaignId,
        /// The people, in join order.
        people: Vec<Invitee>,
        /// The audience ends here.
        last: bool,
    },
    /// The recipients of letters, after [`Effect::Fetch`].
    Fetched { campaign: CampaignId, people: Vec<Recipient> },
    /// Whether the campaign's template renders, after [`Effect::TryTemplate`].
    TemplateTried {
        campaign: CampaignId,
        /// The template's error, if it renders for nobody.
        result: Result<(), String>,
    },
    /// A worker has a connection that is past its greeting.
    Connected {
        /// The worker's number (0-based).
        worker: usize,
    },
    /// A worker got no connection.
    Unconnected {
        /// The worker's number (0-based).
        worker: usize,
        /// The reason.
        outcome: DeliveryOutcome,
    },
    /// A letter came back.
    Delivered {
        /// The worker that is free again (0-based).
        worker: usize,
        campaign: CampaignId,
        person: PersonId,
        outcome: DeliveryOutcome,
        /// Whether the connection can carry another letter.
        connected: bool,
    },
    /// The alarm rings, or something outside that was waited for may have changed.
    Tick,
    /// Takes up what a restart left open; the first input.
    Resume,
    /// Start no more letters; [`Effect::Stopped`] follows when nothing is in flight.
    Stop,
}

/// A letter that starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    pub campaign: CampaignId,
    /// The worker whose connection carries it (0-based).
    pub worker: usize,
    pub recipient: Recipient,
    pub email: Email,
    /// The time of the start, for the mail's date.
    pub date: Millis,
}

/// Something that the driver must do. Effects are carried out in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Append this record to the log.
    Record {
        /// The number of the record, counted by the campaigns.
        seq: u64,
        event: CampaignEvent,
        /// The answer to the present request waits until the record is durable.
        asked: bool,
        /// The record may be written together with the next one of the same step.
        along: bool,
    },
    /// The answer to the present request waits until all earlier records are durable.
    Fence,
    /// The answer to the present request.
    Answer(SchedulerReply),
    /// Append this record and give the letter to the worker, which sends the final dot only once the record
    /// is durable.
    Start {
        /// The number of the record, counted by the campaigns.
        seq: u64,
        event: CampaignEvent,
        letter: Box<Start>,
    },
    /// Get a worker a connection that is past its greeting.
    Connect {
        /// The worker's number (0-based).
        worker: usize,
    },
    /// Try whether the campaign's template renders for this person, or at least for somebody.
    TryTemplate {
        campaign: CampaignId,
        /// The recipient of the first letter.
        first: Box<Recipient>,
    },
    /// Ask the directory, and through it the list, for recipients.
    Fetch {
        campaign: CampaignId,
        /// The campaign's list.
        list: ListId,
        /// The rows of the ledger, with the person in each.
        rows: Vec<(u32, PersonId)>,
    },
    /// Ask a list for the next stretch of an audience.
    Invite {
        campaign: CampaignId,
        /// The campaign's list.
        list: ListId,
        /// The most people to hand over.
        most: usize,
    },
    /// Ask for the next contact numbers of an audience that is everybody.
    InvitePage {
        campaign: CampaignId,
        /// The campaign's list, one that everybody is on.
        list: ListId,
        /// The contact number after which to begin.
        after: u32,
        /// The last contact number of the audience.
        upto: u32,
        /// The most people to hand over.
        most: usize,
        /// When the campaign began.
        since: Millis,
    },
    /// Ask a list for everybody whom it has handed over so far.
    InviteAgain {
        campaign: CampaignId,
        /// The campaign's list.
        list: ListId,
    },
    /// Ask a list to claim the audience of a campaign made by hand.
    Begin {
        campaign: CampaignId,
        /// The campaign's list.
        list: ListId,
        /// Whether everybody is on the list.
        everybody: bool,
    },
    /// Tell a list that a campaign is done.
    Close {
        campaign: CampaignId,
        /// The campaign's list.
        list: ListId,
        /// The last ordinal of the audience that the campaign knows of.
        upto: u32,
    },
    /// A person who was mailed leaves the list.
    Leave { person: PersonId, list: ListId },
    /// Nobody reads this address.
    Bounced {
        /// The person who has it.
        person: PersonId,
        /// The hash of the address.
        address: u128,
        /// The server's reply.
        diagnostic: Diagnostic,
    },
    /// A campaign of another list has the rule's key. The rule opens its own campaign under another key, with
    /// [`Input::Beside`].
    KeyTaken(Box<Header>),
    /// Send a [`Input::Tick`] at this time. An alarm that was set for later need not ring.
    Alarm(Millis),
    /// Write this to the log for an operator.
    Say(Notice),
    /// Nothing is in flight any more; no effect follows.
    Stopped,
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchedulerReply {
    /// The answer to [`Input::Create`].
    Created(Created),
    /// The answer to [`Input::Command`].
    Command(Result<(), CampaignRefusal>),
}

/// A campaign that was made, or that existed under the same key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    pub status: CampaignStatus,
    /// When it starts; `None`: at once.
    pub scheduled: Option<Millis>,
    /// The fields in which the request differs from the campaign that existed.
    pub mismatch: Vec<&'static str>,
}

/// A message for an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A provider asks for less, and its mail is slowed.
    Slowed {
        /// The provider's name; `another` stands for a domain, which may be that of a single person.
        provider: String,
        /// Letters a minute from now on; `None`: no letters until a pause is over.
        per_minute: Option<u32>,
    },
    /// The ceiling of the day is reached at a provider; its other letters wait until midnight (UTC).
    Ceiling {
        /// The provider's name, or `another`.
        provider: String,
        /// Letters a day.
        ceiling: u32,
        /// When the next day begins.
        until: Millis,
    },
    /// The campaign's template does not render.
    Template {
        campaign: CampaignId,
        /// The template's error.
        why: String,
    },
}
