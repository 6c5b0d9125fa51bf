//! The words of the Engine's door: what may be asked and what is answered.
//!
//! Plain data, already parsed and bounded by the caller (`http/` checks sizes and characters),
//! with no trace of actors in it. Reads may run one sync ahead of the disk; every answer that
//! acknowledges a change is given only when the change is durable.

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

/// Who an event, a membership or a contact is about; all three may be absent (a system event).
#[derive(Debug, Clone, Default)]
pub struct Identity {
    /// The address, an identity beside the user id.
    pub email: Option<Email>,
    /// The shop's own id of the person: the stronger name.
    pub user_id: Option<String>,
    /// A browser's id, the weakest name.
    pub anonymous_id: Option<String>,
}

impl Identity {
    /// True when nobody is named.
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
    /// Whom it is about.
    pub who: Identity,
    /// The product it is about, if it names one.
    pub sku: Option<Sku>,
    /// That product's name (checked by [`restockd_core::text::name_fits`]).
    pub product: Option<String>,
    /// The event says that the product is back; nothing follows without a sku.
    pub restock: Option<EventRestock>,
    /// `contactProperties`: merged into the contact, key by key.
    pub contact_properties: Map<String, Value>,
    /// The bag: list id to join (`true`) or leave (`false`), in the order sent. Ids are unchecked
    /// text: one that is unknown or too long changes nothing and is named in `lists_error`.
    pub lists: Vec<(String, bool)>,
    /// The idempotency key (header over body; empty is none), at most 255 bytes.
    pub key: Option<String>,
    /// When it happened, by the sender's clock, if it said so.
    pub timestamp: Option<Millis>,
    /// What is known of how its joins were asked for.
    pub consent: Option<ConsentEvidence>,
}

/// What an event that is a restock says beyond the product's name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventRestock {
    /// Units on hand, if it said so; 0 and below is recorded as stock and skipped.
    pub quantity: Option<i64>,
    /// What it said of the product.
    pub details: ProductDetails,
}

/// The 202 of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventAnswer {
    /// False for a repeat of the key.
    pub stored: bool,
    /// `userId`, else `anonymousId`, else the contact's id; `None` for a system event.
    pub contact_key: Option<String>,
    /// Why a membership could not be changed, in a short text.
    pub lists_error: Option<String>,
}

impl EventAnswer {
    /// The short text of `listsError`: no internals, no address.
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

/// A restock delivery whose signature, schema and sizes were checked by the caller.
#[derive(Debug, Clone)]
pub struct RestockInput {
    /// The webhook source's id, such as `inventory`; delivery ids are scoped by it and the SKU.
    pub source: String,
    /// The sender's delivery id, 1 to 255 bytes.
    pub delivery: String,
    /// What came back.
    pub sku: Sku,
    /// Its name, if the payload had one (checked by [`restockd_core::text::name_fits`]).
    pub product: Option<String>,
    /// Units on hand, if the payload said so; 0 and below is recorded as stock and skipped.
    pub quantity: Option<i64>,
    /// What the payload said of the product beyond its name.
    pub details: ProductDetails,
}

/// What became of a restock delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestockAnswer {
    /// Counted: signal, dedupe and the campaign it led to (if anybody waits) are durable.
    Accepted {
        /// The campaign that is now open for it, if any.
        campaign: Option<CampaignId>,
    },
    /// The same delivery again: a no-op, as durable as the first.
    Duplicate {
        /// The campaign the first one led to, if any.
        campaign: Option<CampaignId>,
    },
    /// Quantity 0 or below: the stock was noted, the delivery id not used up.
    SoldOut,
}

/// The 200 of subscribe and unsubscribe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MembershipAnswer {
    /// The list.
    pub list: ListId,
    /// What holds now.
    pub subscribed: bool,
    /// The list is joined by a link in a mail only; said of everybody, member or not.
    pub pending: bool,
}

/// `PUT /v1/contacts`, parsed.
#[derive(Debug, Clone, Default)]
pub struct ContactInput {
    /// Whom it is about; at least one name.
    pub who: Identity,
    /// Merged into the contact, key by key.
    pub properties: Map<String, Value>,
    /// As in [`EventInput::lists`].
    pub lists: Vec<(String, bool)>,
    /// As in [`EventInput::consent`].
    pub consent: Option<ConsentEvidence>,
}

/// The 200 of `PUT /v1/contacts`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactAnswer {
    /// The contact.
    pub id: PersonId,
    /// True when it did not exist before.
    pub created: bool,
    /// True when two contacts, or a contact and a new name, were joined by this call.
    pub linked: bool,
    /// As in [`EventAnswer`].
    pub lists_error: Option<String>,
}

/// One row of `GET /v1/contacts/find`.
#[derive(Debug, Clone)]
pub struct ContactView {
    /// The contact's id.
    pub id: PersonId,
    /// The shop's own id (`externalId` on the wire): `userId`, else `anonymousId`.
    pub external_id: Option<String>,
    /// The address.
    pub email: Option<Email>,
    /// All properties.
    pub properties: Map<String, Value>,
    /// When the person was first seen.
    pub first_seen: Millis,
    /// When the person was last heard of.
    pub last_seen: Millis,
    /// When the record was made.
    pub created: Millis,
    /// When the record last changed.
    pub updated: Millis,
}

/// `GET /v1/lists`.
#[derive(Debug, Clone, Default)]
pub struct ListsQuery {
    /// Rows at most, 1 to 1,000.
    pub limit: usize,
    /// The `cursor` of the page before.
    pub cursor: Option<String>,
    /// With a person: each row carries `subscribed`, the person's own lists come first.
    pub who: Option<Identity>,
}

/// One list.
#[derive(Debug, Clone)]
pub struct ListView {
    /// Its id.
    pub id: ListId,
    /// Its name ("Back in stock — Studio chair").
    pub name: String,
    /// Its description, when declared.
    pub description: Option<String>,
    /// True when everybody with an address is on it unless they said no.
    pub default_opt_in: bool,
    /// How many are on it (for a `default_opt_in` list: how many said yes in so many words).
    pub members: u64,
    /// With a person: whether that person is on it.
    pub subscribed: Option<bool>,
}

/// A page of lists.
#[derive(Debug, Clone, Default)]
pub struct ListsPage {
    /// The rows.
    pub lists: Vec<ListView>,
    /// Where the next page starts; `None` at the end.
    pub cursor: Option<String>,
}

/// `GET /v1/lists/{id}`.
#[derive(Debug, Clone)]
pub struct ListDetail {
    /// The row as in the page.
    pub view: ListView,
    /// How many left and are still remembered.
    pub left: u64,
    /// Units on hand, as last reported.
    pub stock: Option<i64>,
    /// The product's name, as last given.
    pub product: Option<String>,
    /// Campaigns running on it now.
    pub running: Vec<CampaignId>,
}

/// One row of `GET /v1/lists/{id}/members`, in join order.
#[derive(Debug, Clone)]
pub struct MemberView {
    /// The contact.
    pub id: PersonId,
    /// The shop's own id.
    pub external_id: Option<String>,
    /// The address.
    pub email: Option<Email>,
    /// 1-based place in line at the moment.
    pub position: u64,
    /// When the person joined.
    pub joined: Millis,
}

/// A page of members.
#[derive(Debug, Clone, Default)]
pub struct MembersPage {
    /// The rows.
    pub members: Vec<MemberView>,
    /// Where the next page starts; `None` at the end.
    pub cursor: Option<String>,
    /// How many are on the list.
    pub total: u64,
}

/// `GET /v1/lists/{id}/position`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// 1-based place in line.
    pub position: u64,
    /// How many are on the list.
    pub total: u64,
    /// When the person joined.
    pub joined: Millis,
}

/// What an unsubscribe link is about.
#[derive(Debug, Clone)]
pub struct LinkView {
    /// The list it leaves, with its name; `None` when it is for all mail.
    pub list: Option<(ListId, String)>,
    /// Whether the person is still on it.
    pub subscribed: bool,
}

/// The preference page's facts.
#[derive(Debug, Clone, Default)]
pub struct PreferencesView {
    /// Each list the person is or was on: id, name, subscribed.
    pub rows: Vec<(ListId, String, bool)>,
    /// True when the person wants no mail at all.
    pub unsubscribed_all: bool,
    /// True when the address takes none (it bounced, or its owner complained).
    pub suppressed: bool,
}

/// What the preference page's form says.
#[derive(Debug, Clone, Default)]
pub struct PreferencesInput {
    /// Lists the page showed.
    pub shown: Vec<String>,
    /// Those left ticked.
    pub kept: Vec<String>,
    /// `Some(true)`: no mail at all; `Some(false)`: mail again; `None`: unchanged.
    pub unsubscribe_all: Option<bool>,
}

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Events, lists, contacts, campaigns.
    Ingest,
    /// Everything.
    Admin,
    /// Joining a list, with a confirmation, from a page of the shop's.
    Public,
}

/// A key that was given and is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// What it may do.
    pub scope: Scope,
    /// Its public id; `environment` for the one of the environment.
    pub key: String,
}

/// A key as it may be shown.
#[derive(Debug, Clone)]
pub struct KeyView {
    /// Its public id.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub scope: Scope,
    /// Where a publishable key may be used from.
    pub origins: Vec<String>,
    /// When it was minted.
    pub created: Millis,
    /// When it was revoked.
    pub revoked: Option<Millis>,
}

/// What a checkpoint round did.
#[derive(Debug, Clone, Default)]
pub struct SnapshotAnswer {
    /// The generation's number.
    pub generation: u64,
    /// Lists in it.
    pub lists: u64,
    /// People in it.
    pub people: u64,
    /// Campaigns in it.
    pub campaigns: u64,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// What a load balancer asks.
#[derive(Debug, Clone, Default)]
pub struct Readiness {
    /// True when new work is taken.
    pub ready: bool,
    /// Why not: `stopping`, `log poisoned`, `disk full`.
    pub reason: Option<&'static str>,
}
