//! What a list answers to a command; reads only.

use super::super::ids::{CampaignId, PersonId};
use super::super::keys;
use super::super::product_details::ProductDetails;
use super::super::time::{Day, Millis};
use super::{ChangeSource, Invite, List, ListEvent, MembershipStatus, REMEMBER_MS};

/// All that may be asked of a list.
#[derive(Debug, Clone)]
pub enum ListCommand {
    /// One entry of an event's bag.
    Change {
        /// The directory's counter of the event.
        event: u64,
        /// Who.
        person: PersonId,
        /// On or off.
        join: bool,
        /// When, by the sender's clock, if it said so.
        timestamp: Option<Millis>,
        /// How.
        how: ChangeSource,
        /// Everybody is on the list unless they left: a no is kept, also of a stranger.
        default_opt_in: bool,
    },
    /// Two people became one.
    Move {
        /// The directory's counter of the event.
        event: u64,
        /// Who is no more.
        from: PersonId,
        /// Who remains.
        to: PersonId,
    },
    /// The latest event that named the product.
    Name {
        /// All of the directory's events up to this one have been heard, this one with it.
        event: u64,
        /// The name.
        product: String,
    },
    /// A restock signal.
    Restock {
        /// All of the directory's events up to this one have been heard, this one with it.
        event: u64,
        /// The delivery id, hashed with source and SKU.
        key: u128,
        /// Units, if said.
        quantity: Option<i64>,
        /// The day it counts for.
        day: Day,
        /// The campaign of that day; `None` when the rule is switched off.
        campaign: Option<CampaignId>,
        /// What it says of the product beyond its name.
        details: ProductDetails,
    },
    /// A campaign made by hand starts.
    Begin {
        /// The campaign.
        campaign: CampaignId,
        /// For a list that everybody is on: the last contact number and how many have an address.
        everybody: Option<(u32, u32)>,
    },
    /// A campaign has room for more.
    Invite {
        /// The campaign.
        campaign: CampaignId,
        /// How many at most.
        most: usize,
    },
    /// A page of a list that everybody is on, by contact number.
    InvitePage {
        /// The campaign.
        campaign: CampaignId,
        /// The last contact number of the page.
        to: u32,
    },
    /// A campaign is done.
    Close {
        /// The campaign.
        campaign: CampaignId,
        /// The last ordinal of the audience it knows of.
        upto: u32,
    },
    /// Time has passed.
    Forget {
        /// Everybody is on the list unless they left: a forgotten no would be a yes.
        default_opt_in: bool,
    },
}

/// What a list decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListDecision {
    /// It happens: record and apply this.
    New(ListEvent),
    /// Nothing changes; whoever asks may be told so once all that was said before is durable.
    Nothing,
    /// The restock delivery was counted before.
    Duplicate(Option<CampaignId>),
}

impl List {
    /// Decides a command at `at`.
    #[must_use]
    pub fn decide(&self, command: &ListCommand, at: Millis) -> ListDecision {
        use ListDecision::{New, Nothing};
        match command {
            ListCommand::Change { event, person, join, timestamp, how, default_opt_in } => {
                self.change(*event, *person, *join, *timestamp, *how, *default_opt_in, at)
            }
            ListCommand::Move { event, from, to } => match self.row(*from) {
                Some(_) if from != to => New(ListEvent::Moved { event: *event, from: *from, to: *to }),
                _ => Nothing,
            },
            ListCommand::Name { event, product } => match &self.product {
                Some(known) if known == product => Nothing,
                _ => New(ListEvent::Named { event: *event, product: product.clone() }),
            },
            ListCommand::Restock { event, key, quantity, day, campaign, details } => {
                self.restock(*event, *key, *quantity, *day, *campaign, details, at)
            }
            ListCommand::Begin { campaign, everybody } => match self.invite(*campaign) {
                Some(_) => Nothing,
                None => {
                    let (upto, added) = self.audience(*campaign, *everybody);
                    New(ListEvent::Begun { campaign: *campaign, upto, added })
                }
            },
            // A campaign that asks is not done (its word that it was and a restock may have crossed).
            ListCommand::Invite { campaign, most } => {
                let Some(invite) = self.invite(*campaign) else { return Nothing };
                let (from, to) = self.next_stretch(invite, *most);
                if from > to && !invite.closed {
                    return Nothing;
                }
                New(ListEvent::Invited { campaign: *campaign, from, to })
            }
            ListCommand::InvitePage { campaign, to } => match self.invite(*campaign) {
                Some(invite) if invite.invited < *to => {
                    New(ListEvent::Invited { campaign: *campaign, from: invite.invited + 1, to: *to })
                }
                _ => Nothing,
            },
            ListCommand::Close { campaign, upto } => match self.invite(*campaign) {
                // An audience that has grown since is not done: the campaign will hear of it.
                Some(invite) if !invite.closed && invite.upto <= *upto => {
                    New(ListEvent::Closed { campaign: *campaign })
                }
                _ => Nothing,
            },
            ListCommand::Forget { default_opt_in } => {
                let upto = Millis(at.0.saturating_sub(REMEMBER_MS));
                let old = || self.rows.iter().any(|row| row.is_forgotten(upto));
                if !default_opt_in && self.left > 0 && old() {
                    New(ListEvent::Forgotten { upto })
                } else {
                    Nothing
                }
            }
        }
    }

    /// One entry of a bag.
    #[expect(clippy::too_many_arguments, reason = "the fields of one command, named where it is built")]
    fn change(
        &self,
        event: u64,
        person: PersonId,
        join: bool,
        timestamp: Option<Millis>,
        how: ChangeSource,
        default_opt_in: bool,
        at: Millis,
    ) -> ListDecision {
        let changed = timestamp.unwrap_or(at).min(at);
        let row = self.row(person);
        if let Some(row) = row {
            let stale = row.event >= event || timestamp.is_some_and(|sent| sent < row.changed);
            let same = (row.standing == MembershipStatus::Joined) == join;
            let forgets = how == ChangeSource::Erasure;
            if stale || (same && !forgets) {
                return ListDecision::Nothing;
            }
        }
        if join {
            let ordinal = self.last_ordinal + 1;
            return ListDecision::New(ListEvent::Joined { event, person, ordinal, changed, how });
        }
        if row.is_some() || (default_opt_in && how != ChangeSource::Erasure) {
            return ListDecision::New(ListEvent::Left { event, person, changed, how });
        }
        ListDecision::Nothing
    }

    /// A restock signal: counted once; a campaign only where somebody waits.
    #[expect(clippy::too_many_arguments, reason = "the fields of one command, named where it is built")]
    fn restock(
        &self,
        event: u64,
        key: u128,
        stock: Option<i64>,
        day: Day,
        campaign: Option<CampaignId>,
        details: &ProductDetails,
        at: Millis,
    ) -> ListDecision {
        if let Some(quantity) = stock.filter(|quantity| *quantity <= 0) {
            let known = self.seq > 0 && self.stock != Some(quantity);
            return if known {
                ListDecision::New(ListEvent::Stock { event, quantity })
            } else {
                ListDecision::Nothing
            };
        }
        if let Some(signal) = self.signals.get(&key).filter(|signal| at.since(signal.at) < keys::KEEP_MS) {
            return ListDecision::Duplicate(signal.campaign);
        }
        let invite = campaign.and_then(|campaign| self.invite(campaign));
        let added = match invite {
            Some(invite) => self.fresh(invite),
            None => self.joined,
        };
        // A campaign of the day is told of every later restock: it may have skipped somebody who
        // is eligible again, which only its ledger knows.
        let campaign = campaign.filter(|_| added > 0 || invite.is_some());
        let (upto, details) = (self.last_ordinal, (!details.is_empty()).then(|| details.clone()));
        ListDecision::New(ListEvent::Restocked { event, key, stock, day, campaign, upto, added, details })
    }

    /// The claim of a campaign.
    pub(super) fn invite(&self, campaign: CampaignId) -> Option<&Invite> {
        self.invites.iter().find(|invite| invite.campaign == campaign)
    }
}
