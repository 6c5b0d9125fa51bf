//! What lists have to do for an accepted event, and the events that stay open until they have done it.

use super::super::ids::{ListId, PersonId};
use super::super::list::ChangeSource;
use super::super::product_details::ProductDetails;
use super::super::time::Millis;

/// A restock that came as an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestockFact {
    pub list: ListId,
    /// The delivery id, hashed with source and SKU.
    pub key: u128,
    /// The product's name, if given.
    pub product: Option<String>,
    /// Units in stock, if given.
    pub quantity: Option<i64>,
    /// What it says of the product beyond its name; may be empty.
    pub details: ProductDetails,
}

/// What one list has to do for an open event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListTask {
    /// A person joins or leaves.
    Change {
        list: ListId,
        /// True to join, false to leave.
        join: bool,
        /// The product's name, if the event gave it.
        product: Option<String>,
    },
    /// A person takes the place of another, who was merged into them.
    Move {
        list: ListId,
        /// The person who was merged away.
        from: PersonId,
    },
    Restock(Box<RestockFact>),
}

/// An accepted event whose lists have not all answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenEvent {
    pub person: Option<PersonId>,
    pub source: ChangeSource,
    /// When it happened, by the sender's clock.
    pub timestamp: Option<Millis>,
    /// When it was accepted.
    pub at: Millis,
    pub tasks: Vec<ListTask>,
}

impl ListTask {
    #[must_use]
    pub fn list(&self) -> &ListId {
        match self {
            Self::Change { list, .. } | Self::Move { list, .. } => list,
            Self::Restock(fact) => &fact.list,
        }
    }
}
