//! The typed requests and answers of the Engine.
//!
//! Plain data, already parsed and bounded by the caller (`http` checks sizes and characters), in which no actor occurs.
//! Reads may be one sync ahead of the disk; an answer that acknowledges a change is given only when it is durable.

use serde_json::{Map, Value};

mod campaigns;
mod export;
mod recipients;
mod returns;
mod suppressions;

pub use campaigns::*;
pub use export::*;
pub use recipients::*;
pub use returns::*;
pub use suppressions::*;

pub use restockd_core::ProductDetails;

use restockd_core::directory::{ConsentEvidence, MembershipProblem};
use restockd_core::{CampaignId, Email, ListId, Millis, PersonId, Sku};

/// The person that an event, a membership or a contact is about. A system event names none.
#[derive(Debug, Clone, Default)]
pub struct Identity {
    /// The address; as strong a name as the user id.
    pub email: Option<Email>,
    /// The shop's own id of the person.
    pub user_id: Option<String>,
    /// A browser's id, the weakest name.
    pub anonymous_id: Option<String>,
}

impl Identity {
    /// True when no name is given.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.email.is_none() && self.user_id.is_none() && self.anonymous_id.is_none()
    }
}

/// `POST /v1/events`, parsed.
#[derive(Debug, Clone, Default)]
pub struct EventInput {
    /// The event's name, such as `product.waitlisted`; never empty.
    pub name: String,
    pub who: Identity,
    /// The product it is about, if it names one.
    pub sku: Option<Sku>,
    /// The product's name, checked by [`restockd_core::text::name_fits`].
    pub product: Option<String>,
    /// Present when the event says that the product is back; without a SKU nothing follows from it.
    pub restock: Option<EventRestock>,
    /// Properties (`contactProperties`) that are merged into the contact, key by key.
    pub contact_properties: Map<String, Value>,
    /// The bag: ids of lists to join (`true`) or leave (`false`), in the order sent. The ids are unchecked text: an
    /// unknown or overlong one changes nothing and is named in `lists_error`.
    pub lists: Vec<(String, bool)>,
    /// The idempotency key, at most 255 bytes; `None` also when an empty one was sent.
    pub key: Option<String>,
    /// When the event happened, by the sender's clock.
    pub timestamp: Option<Millis>,
    /// How the joins in the bag were asked for.
    pub consent: Option<ConsentEvidence>,
}

/// What a restock event says besides the product's name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventRestock {
    /// Units on hand; 0 and below is recorded as stock, and no campaign follows. `None`: not stated.
    pub quantity: Option<i64>,
    pub details: ProductDetails,
}

/// The body of the 202 for an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventAnswer {
    /// False when the key was seen before.
    pub stored: bool,
    /// `userId`, else `anonymousId`, else the contact's id; `None` for a system event.
    pub contact_key: Option<String>,
    /// Why a membership could not be changed, as a short text.
    pub lists_error: Option<String>,
}

impl EventAnswer {
    /// The text of `listsError`, which holds no address and no internals.
    pub(super) fn lists_error(trouble: &MembershipProblem) -> String {
        match trouble {
            MembershipProblem::NoEmail => "no email address is known for this person".to_owned(),
            MembershipProblem::Suppressed => {
                "this address takes no mail (unsubscribed, bounced or complained)".to_owned()
            }
            MembershipProblem::EmailTaken => "this email address belongs to another user".to_owned(),
            MembershipProblem::UnknownLists(lists) => {
                let mut shown: Vec<String> =
                    lists.iter().take(5).map(|list| list.chars().take(60).collect()).collect();
                if lists.len() > shown.len() {
                    shown.push(format!("and {} more", lists.len() - shown.len()));
                }
                format!("unknown lists: {}", shown.join(", "))
            }
        }
    }
}

/// A restock delivery; the caller has checked signature, schema and sizes.
#[derive(Debug, Clone)]
pub struct RestockInput {
    /// The webhook source's id, such as `inventory`; delivery ids are unique within source and SKU.
    pub source: String,
    /// The sender's delivery id, 1 to 255 bytes.
    pub delivery: String,
    pub sku: Sku,
    /// The product's name, if the payload had one; checked by [`restockd_core::text::name_fits`].
    pub product: Option<String>,
    /// Units on hand; 0 and below is recorded as stock, and no campaign follows. `None`: not stated.
    pub quantity: Option<i64>,
    pub details: ProductDetails,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestockAnswer {
    /// The restock counts. The signal, the delivery id and the campaign (if anybody waits) are durable.
    Accepted {
        /// The campaign that is now open for the restock, if any.
        campaign: Option<CampaignId>,
    },
    /// A repeat of a delivery, which changes nothing; the first one is durable.
    Duplicate {
        /// The campaign that the first delivery led to, if any.
        campaign: Option<CampaignId>,
    },
    /// The quantity was 0 or below: the stock was recorded, and the delivery id may be used again.
    SoldOut,
}

/// The body of the 200 for subscribe and unsubscribe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MembershipAnswer {
    pub list: ListId,
    /// Whether the person is on the list now.
    pub subscribed: bool,
    /// The list is joined only by the link in a confirmation mail. Said of everybody, so that it does not tell who is a
    /// member.
    pub pending: bool,
}

/// `PUT /v1/contacts`, parsed.
#[derive(Debug, Clone, Default)]
pub struct ContactInput {
    /// The person, by at least one name.
    pub who: Identity,
    /// Merged into the contact, key by key.
    pub properties: Map<String, Value>,
    /// As in [`EventInput::lists`].
    pub lists: Vec<(String, bool)>,
    /// As in [`EventInput::consent`].
    pub consent: Option<ConsentEvidence>,
}

/// The body of the 200 for `PUT /v1/contacts`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactAnswer {
    pub id: PersonId,
    /// True when there was no such contact before.
    pub created: bool,
    /// True when this call merged two contacts, or gave a contact a new name.
    pub linked: bool,
    /// As in [`EventAnswer`].
    pub lists_error: Option<String>,
}

/// One row of `GET /v1/contacts/find`.
#[derive(Debug, Clone)]
pub struct ContactView {
    pub id: PersonId,
    /// The shop's own id (`externalId` on the wire): `userId`, else `anonymousId`.
    pub external_id: Option<String>,
    pub email: Option<Email>,
    pub properties: Map<String, Value>,
    pub first_seen: Millis,
    pub last_seen: Millis,
    /// When the contact was created.
    pub created: Millis,
    /// When the contact last changed.
    pub updated: Millis,
}

/// The query of `GET /v1/lists`.
#[derive(Debug, Clone, Default)]
pub struct ListsQuery {
    /// Rows at most, 1 to 1,000.
    pub limit: usize,
    /// The `cursor` of the page before.
    pub cursor: Option<String>,
    /// With a person, each row carries `subscribed` and the person's own lists come first.
    pub who: Option<Identity>,
}

/// A list as it is shown.
#[derive(Debug, Clone)]
pub struct ListView {
    pub id: ListId,
    /// For example "Back in stock — Studio chair".
    pub name: String,
    /// From the configuration.
    pub description: Option<String>,
    /// True when everybody with an address is on the list unless they left it.
    pub default_opt_in: bool,
    /// How many people are on the list; on a `default_opt_in` list, how many have joined it explicitly.
    pub members: u64,
    /// Whether the person of the query is on it; `None` when the query names nobody.
    pub subscribed: Option<bool>,
}

#[derive(Debug, Clone, Default)]
pub struct ListsPage {
    pub lists: Vec<ListView>,
    /// Where the next page starts; `None` at the end.
    pub cursor: Option<String>,
}

/// `GET /v1/lists/{id}`.
#[derive(Debug, Clone)]
pub struct ListDetail {
    pub view: ListView,
    /// How many people left and are still remembered.
    pub left: u64,
    /// Units on hand, as last reported.
    pub stock: Option<i64>,
    /// The product's name, as last given.
    pub product: Option<String>,
    /// Campaigns that are running on the list now.
    pub running: Vec<CampaignId>,
}

/// One row of `GET /v1/lists/{id}/members`, in join order.
#[derive(Debug, Clone)]
pub struct MemberView {
    pub id: PersonId,
    /// The shop's own id: `userId`, else `anonymousId`.
    pub external_id: Option<String>,
    pub email: Option<Email>,
    /// The present place in line, counted from 1.
    pub position: u64,
    pub joined: Millis,
}

#[derive(Debug, Clone, Default)]
pub struct MembersPage {
    pub members: Vec<MemberView>,
    /// Where the next page starts; `None` at the end.
    pub cursor: Option<String>,
    /// How many people are on the list.
    pub total: u64,
}

/// `GET /v1/lists/{id}/position`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The place in line, counted from 1.
    pub position: u64,
    /// How many people are on the list.
    pub total: u64,
    pub joined: Millis,
}

/// What an unsubscribe link is for.
#[derive(Debug, Clone)]
pub struct LinkView {
    /// The list that the link leaves, with its name; `None` when it is for all mail.
    pub list: Option<(ListId, String)>,
    /// Whether the person is still on it.
    pub subscribed: bool,
}

/// What a preference page shows.
#[derive(Debug, Clone, Default)]
pub struct PreferencesView {
    /// Each list that the person is or was on: id, name, subscribed.
    pub rows: Vec<(ListId, String, bool)>,
    /// True when the person wants no mail at all.
    pub unsubscribed_all: bool,
    /// True when the address takes no mail, because it bounced or its owner complained.
    pub suppressed: bool,
}

/// The form of a preference page, as sent back.
#[derive(Debug, Clone, Default)]
pub struct PreferencesInput {
    /// Ids of the lists that the page showed.
    pub shown: Vec<String>,
    /// Ids of the lists that are still ticked.
    pub kept: Vec<String>,
    /// `Some(true)`: no mail at all; `Some(false)`: mail again; `None`: unchanged.
    pub unsubscribe_all: Option<bool>,
}

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// May send events, and use lists, contacts and campaigns.
    Ingest,
    /// May do everything.
    Admin,
    /// May only ask for a list, subject to confirmation, from a page of the shop.
    Public,
}

/// A key that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    pub scope: Scope,
    /// The key's public id; `environment` for the one from the environment.
    pub key: String,
}

/// A key without its secret.
#[derive(Debug, Clone)]
pub struct KeyView {
    /// The public part of the key's text.
    pub id: String,
    /// What the operator called it.
    pub name: String,
    pub scope: Scope,
    /// The origins from which a publishable key may be used; empty for an API key.
    pub origins: Vec<String>,
    pub created: Millis,
    /// When it was revoked; `None` while it works.
    pub revoked: Option<Millis>,
}

/// The result of a snapshot round.
#[derive(Debug, Clone, Default)]
pub struct SnapshotAnswer {
    /// The number of the snapshot's generation.
    pub generation: u64,
    pub lists: u64,
    pub people: u64,
    pub campaigns: u64,
    /// How long the round took, in milliseconds.
    pub took_ms: u64,
}

/// Whether new work is admitted, for a load balancer.
#[derive(Debug, Clone, Default)]
pub struct Readiness {
    pub ready: bool,
    /// Why not: `stopping`, `log poisoned` or `disk full`; `None` when ready.
    pub reason: Option<&'static str>,
}
