//! What goes into the scheduler and what comes out of it.

use super::super::campaign::{
    CampaignCommand, CampaignEvent, CampaignRefusal, CampaignStatus, Header, SkipReason,
};
use super::super::directory::Props;
use super::super::email::Email;
use super::super::ids::{CampaignId, ListId, PersonId};
use super::super::list::Invitee;
use super::super::outcome::{DeliveryOutcome, Diagnostic};
use super::super::time::Millis;

/// The moment of a step, and whether the disk has room for what it may have to record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tick {
    /// The engine's clock.
    pub at: Millis,
    /// False while the log has no room but its spare: nothing starts then.
    pub room: bool,
}

/// A letter's recipient, just fetched from the directory and confirmed by the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// The ledger's row.
    pub row: u32,
    /// Whose letter, by the ledger's number.
    pub person: PersonId,
    /// The number they have now: two people may have become one since.
    pub live: PersonId,
    /// Where to.
    pub email: Option<Email>,
    /// The address, hashed.
    pub address: u128,
    /// The number of the provider that receives it, if it has a name.
    pub provider: Option<u16>,
    /// Why not, if so.
    pub undeliverable: Option<SkipReason>,
    /// The contact's properties, for the template.
    pub props: Props,
}

/// What happens to the scheduler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A restock leads to the campaign of its SKU and day.
    Restocked {
        /// What the campaign is.
        header: Header,
        /// The last ordinal of the audience.
        upto: u32,
        /// How many that adds.
        added: u32,
        /// Told again after a restart.
        at_start: bool,
    },
    /// The campaign that the rule opens beside one that has its key ([`Effect::KeyTaken`]).
    Beside(Header),
    /// A campaign made by hand.
    Create(Header),
    /// A verb on a campaign.
    Command(CampaignId, CampaignCommand),
    /// Somebody may no longer be mailed: in the campaigns of one list, or in all.
    Noted {
        /// Which; `None` for all.
        list: Option<ListId>,
        /// Who.
        person: PersonId,
        /// Why.
        reason: SkipReason,
    },
    /// Somebody's address is another one, or two people became one: what is at hand of the number is fetched again.
    MailboxChanged(PersonId),
    /// A list knows of a campaign made by hand, and this is its audience.
    Begun {
        /// The campaign.
        campaign: CampaignId,
        /// The last ordinal.
        upto: u32,
        /// How many.
        added: u32,
    },
    /// A stretch of an audience.
    Invited {
        /// The campaign.
        campaign: CampaignId,
        /// Who, in join order.
        people: Vec<Invitee>,
        /// On a list that everybody is on: the last contact number it covers.
        page: Option<u32>,
        /// Nobody comes after them.
        last: bool,
    },
    /// All of an audience that was handed over before a restart.
    InvitedAgain {
        /// The campaign.
        campaign: CampaignId,
        /// Who, in join order.
        people: Vec<Invitee>,
        /// Nobody comes after them.
        last: bool,
    },
    /// Recipients of letters, just looked up.
    Fetched {
        /// The campaign.
        campaign: CampaignId,
        /// Who.
        people: Vec<Recipient>,
    },
    /// Whether the campaign's template makes a letter ([`Effect::TryTemplate`]).
    TemplateTried {
        /// The campaign.
        campaign: CampaignId,
        /// What the template says when it makes none for anybody.
        result: Result<(), String>,
    },
    /// A worker has a connection past its greeting.
    Connected {
        /// Which worker.
        worker: usize,
    },
    /// A worker got no connection.
    Unconnected {
        /// Which worker.
        worker: usize,
        /// Why.
        outcome: DeliveryOutcome,
    },
    /// A letter came back.
    Delivered {
        /// Which worker is free again.
        worker: usize,
        /// The campaign.
        campaign: CampaignId,
        /// Whose letter.
        person: PersonId,
        /// What came of it.
        outcome: DeliveryOutcome,
        /// The connection can carry another letter.
        connected: bool,
    },
    /// The alarm rings, or something that was waited for outside may have changed.
    Tick,
    /// Takes up what a restart left open.
    Resume,
    /// Starts nothing more; [`Effect::Stopped`] follows when nothing is in flight.
    Stop,
}

/// A letter that starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The campaign.
    pub campaign: CampaignId,
    /// The worker whose connection carries it.
    pub worker: usize,
    /// To whom.
    pub recipient: Recipient,
    /// Where to.
    pub email: Email,
    /// When.
    pub date: Millis,
}

/// What the scheduler asks to be done; in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Append this record of the campaigns'.
    Record {
        /// Its number, the campaigns' own counter.
        seq: u64,
        /// What happened.
        event: CampaignEvent,
        /// The asker's answer waits for it.
        asked: bool,
        /// It may reach the log together with the next record of the same step.
        along: bool,
    },
    /// The asker's answer waits for everything that was recorded before.
    Fence,
    /// The asker's answer.
    Answer(SchedulerReply),
    /// Append this record, and give the letter to the worker: its final dot waits until the record is durable.
    Start {
        /// The record's number.
        seq: u64,
        /// The record.
        event: CampaignEvent,
        /// The letter.
        letter: Box<Start>,
    },
    /// Bring a worker to a connection on which a letter may start.
    Connect {
        /// Which worker.
        worker: usize,
    },
    /// Try whether the campaign's template makes a letter for this person, or at least for somebody.
    TryTemplate {
        /// The campaign.
        campaign: CampaignId,
        /// To whom its first letter goes.
        first: Box<Recipient>,
    },
    /// Ask the directory, and by it the list, for recipients: row and number.
    Fetch {
        /// The campaign.
        campaign: CampaignId,
        /// Its list.
        list: ListId,
        /// Rows with their people.
        rows: Vec<(u32, PersonId)>,
    },
    /// Ask a list for the next stretch of an audience.
    Invite {
        /// The campaign.
        campaign: CampaignId,
        /// Its list.
        list: ListId,
        /// How many at most.
        most: usize,
    },
    /// Ask for the next page of everybody.
    InvitePage {
        /// The campaign.
        campaign: CampaignId,
        /// Its list, one that everybody is on.
        list: ListId,
        /// The contact number after which it begins.
        after: u32,
        /// The last contact number of the audience.
        upto: u32,
        /// How many at most.
        most: usize,
        /// When the campaign began.
        since: Millis,
    },
    /// Ask a list for all that it has handed over.
    InviteAgain {
        /// The campaign.
        campaign: CampaignId,
        /// Its list.
        list: ListId,
    },
    /// Ask a list for the audience of a campaign made by hand.
    Begin {
        /// The campaign.
        campaign: CampaignId,
        /// Its list.
        list: ListId,
        /// Everybody is on it.
        everybody: bool,
    },
    /// Tell a list that a campaign is done with everybody up to this ordinal.
    Close {
        /// The campaign.
        campaign: CampaignId,
        /// Its list.
        list: ListId,
        /// The ordinal.
        upto: u32,
    },
    /// Who was mailed leaves the list.
    Leave {
        /// Who.
        person: PersonId,
        /// The list.
        list: ListId,
    },
    /// Nobody reads this address.
    Bounced {
        /// Whose it is.
        person: PersonId,
        /// The address, hashed.
        address: u128,
        /// What was said.
        diagnostic: Diagnostic,
    },
    /// The rule's key is held by a campaign of another list; the rule opens its own beside it ([`Input::Beside`]).
    KeyTaken(Box<Header>),
    /// Ring at this time; an alarm that was set for later need not ring.
    Alarm(Millis),
    /// Something that a person should read in the log.
    Say(Notice),
    /// Nothing is in flight any more.
    Stopped,
}

/// The answer to whoever asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchedulerReply {
    /// To [`Input::Create`].
    Created(Created),
    /// To [`Input::Command`].
    Command(Result<(), CampaignRefusal>),
}

/// A campaign that was made, or that was there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// Where it is.
    pub status: CampaignStatus,
    /// When it starts, if not at once.
    pub scheduled: Option<Millis>,
    /// The fields in which the request differs from what is there.
    pub mismatch: Vec<&'static str>,
}

/// What a person should read in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A provider asks for less; its mail is slowed to so many letters a minute.
    Slowed {
        /// The provider's name, or `another` for a domain, which may be one person's.
        provider: String,
        /// Letters a minute from now on.
        per_minute: Option<u32>,
    },
    /// A provider has had its letters of the day; the others wait until midnight (UTC).
    Ceiling {
        /// The provider's name, or `another`.
        provider: String,
        /// Letters a day.
        ceiling: u32,
        /// When it opens.
        until: Millis,
    },
    /// The campaign's template does not render.
    Template {
        /// The campaign.
        campaign: CampaignId,
        /// What it says.
        why: String,
    },
}
