//! The decisions of a list. They read the state and change nothing.

use super::super::ids::{CampaignId, PersonId};
use super::super::keys;
use super::super::product_details::ProductDetails;
use super::super::time::{Day, Millis};
use super::{ChangeSource, Invite, List, ListEvent, MembershipStatus, REMEMBER_MS};

/// A change that is asked of a list.
#[derive(Debug, Clone)]
pub enum ListCommand {
    /// A person joins or leaves: one entry of an event's bag.
    Change {
        /// The number of the directory's event.
        event: u64,
        person: PersonId,
        /// True to join, false to leave.
        join: bool,
        /// When, by the sender's clock, if it named a time.
        timestamp: Option<Millis>,
        source: ChangeSource,
        /// Everybody is on this list unless they opted out, so an opt-out is kept even of a person the list
        /// does not know.
        default_opt_in: bool,
    },
    /// Two people were merged.
    Move {
        /// The number of the directory's event.
        event: u64,
        /// The person who was merged away.
        from: PersonId,
        /// The person who remains.
        to: PersonId,
    },
    /// An event named the product.
    Name {
        /// The newest of the directory's events that the list will have taken in, this one included.
        event: u64,
        /// The new name.
        product: String,
    },
    /// The product is in stock again, or its stock was reported.
    Restock {
        /// The newest of the directory's events that the list will have taken in, this one included.
        event: u64,
        /// The delivery id, hashed with source and SKU.
        key: u128,
        /// Units in stock, if the restock named them.
        quantity: Option<i64>,
        /// The day for which it counts.
        day: Day,
        /// The rule campaign of that day; `None` if the rule is switched off.
        campaign: Option<CampaignId>,
        /// What the restock says of the product beyond its name.
        details: ProductDetails,
    },
    /// A campaign made by hand claims its audience.
    Begin {
        campaign: CampaignId,
        /// For a list that everybody is on: the last contact number, and how many people have an address.
        everybody: Option<(u32, u32)>,
    },
    /// A campaign asks for the next stretch of its audience.
    Invite {
        campaign: CampaignId,
        /// The most people it takes.
        most: usize,
    },
    /// A campaign to a list that everybody is on takes the next contact numbers.
    InvitePage {
        campaign: CampaignId,
        /// The last contact number it takes.
        to: u32,
    },
    /// A campaign needs the list no more.
    Close {
        campaign: CampaignId,
        /// The last ordinal of the audience that the campaign knows of.
        upto: u32,
    },
    /// Time has passed: rows of people who left long ago can go.
    Forget {
        /// Everybody is on this list unless they opted out, so nobody is forgotten: the opt-out would be
        /// lost.
        default_opt_in: bool,
    },
}

/// What a list answers to a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListDecision {
    /// This event is to be recorded and applied.
    New(ListEvent),
    /// Nothing changes. The caller may be told so once all earlier records of the list are durable.
    Nothing,
    /// The restock was counted before, and led to this campaign.
    Duplicate(Option<CampaignId>),
}

impl List {
    /// Decides a command at `at`, the time of the record if there will be one.
    #[must_use]
    pub fn decide(&self, command: &ListCommand, at: Millis) -> ListDecision {
        use ListDecision::{New, Nothing};
        match command {
            ListCommand::Change { event, person, join, timestamp, source, default_opt_in } => {
                self.change(*event, *person, *join, *timestamp, *source, *default_opt_in, at)
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
            // A campaign that asks is not done: a restock may have opened it again after it said that it was.
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
                // The audience has grown since, so the campaign is not done; it will hear of the restock.
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

    /// A person joins or leaves.
    #[expect(clippy::too_many_arguments, reason = "the fields of one command, named where it is built")]
    fn change(
        &self,
        event: u64,
        person: PersonId,
        join: bool,
        timestamp: Option<Millis>,
        source: ChangeSource,
        default_opt_in: bool,
        at: Millis,
    ) -> ListDecision {
        let changed = timestamp.unwrap_or(at).min(at);
        let row = self.row(person);
        if let Some(row) = row {
            let stale = row.event >= event || timestamp.is_some_and(|sent| sent < row.changed);
            let same = (row.status == MembershipStatus::Joined) == join;
            let forgets = source == ChangeSource::Erasure;
            if stale || (same && !forgets) {
                return ListDecision::Nothing;
            }
        }
        if join {
            let ordinal = self.last_ordinal + 1;
            return ListDecision::New(ListEvent::Joined { event, person, ordinal, changed, source });
        }
        if row.is_some() || (default_opt_in && source != ChangeSource::Erasure) {
            return ListDecision::New(ListEvent::Left { event, person, changed, source });
        }
        ListDecision::Nothing
    }

    /// A restock counts once. It leads to a campaign only if members are waiting.
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
        // The campaign of a day hears of every later restock of that day: only its ledger knows whether it
        // skipped somebody who may be mailed now.
        let campaign = campaign.filter(|_| added > 0 || invite.is_some());
        let (upto, details) = (self.last_ordinal, (!details.is_empty()).then(|| details.clone()));
        ListDecision::New(ListEvent::Restocked { event, key, stock, day, campaign, upto, added, details })
    }

    pub(super) fn invite(&self, campaign: CampaignId) -> Option<&Invite> {
        self.invites.iter().find(|invite| invite.campaign == campaign)
    }
}
