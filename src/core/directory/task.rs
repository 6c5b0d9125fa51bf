//! What lists have to do for an accepted event, and the events that are open until they have.

use super::super::ids::{ListId, PersonId};
use super::super::list::ChangeSource;
use super::super::product_details::ProductDetails;
use super::super::time::Millis;

/// A restock that came as an event: part of the event's open bag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestockFact {
    /// The SKU list.
    pub list: ListId,
    /// The delivery id, hashed with source and SKU.
    pub key: u128,
    /// The product's name, if given.
    pub product: Option<String>,
    /// Units, if given.
    pub quantity: Option<i64>,
    /// What it says of the product beyond its name; empty where it says nothing.
    pub details: ProductDetails,
}

/// What one list has to do for an open event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListTask {
    /// Join or leave.
    Change {
        /// The list.
        list: ListId,
        /// On or off.
        join: bool,
        /// The product's name, if the event gave it.
        product: Option<String>,
    },
    /// Put one person in the place of another.
    Move {
        /// The list.
        list: ListId,
        /// Who is no more.
        from: PersonId,
    },
    /// Count a restock.
    Restock(Box<RestockFact>),
}

/// An event whose lists have not all answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenEvent {
    /// Whom it is about.
    pub person: Option<PersonId>,
    /// How it came.
    pub how: ChangeSource,
    /// When, by the sender's clock.
    pub timestamp: Option<Millis>,
    /// When it was accepted.
    pub at: Millis,
    /// What its lists have to do.
    pub tasks: Vec<ListTask>,
}

impl ListTask {
    /// The list that has to do it.
    #[must_use]
    pub fn list(&self) -> &ListId {
        match self {
            Self::Change { list, .. } | Self::Move { list, .. } => list,
            Self::Restock(fact) => &fact.list,
        }
    }
}
