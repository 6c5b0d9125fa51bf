//! The domain of restockd: state machines for lists, people and campaigns, and the values they share.
//!
//! This crate decides what happens and holds the resulting state. It knows no clock, randomness, thread, file
//! or byte layout; times, ids and limits come in with a command and are written into the record that results.
//!
//! Each machine has two halves:
//!
//! - `decide` reads the state and a command. It answers with records to write, or says that nothing changes
//!   or why it refuses.
//! - `apply` takes one record and changes the state. It cannot fail, and it is the same function for a new
//!   record and for one that is read back at start. Nothing else changes the state.
//!
//! The caller makes each record durable and gives it to `apply`, in the order in which they were decided.
//! Records may be applied before they are durable, as long as nobody is told of them earlier.
//!
//! ```text
//! list        one SKU list: members in join order, restocks that were counted, invitations to campaigns
//! directory   people, their addresses and consent, API keys, idempotency keys, open events
//! campaign    status, ledger of letters and counters of each campaign
//! shaping     rate and daily ceiling of each receiving provider
//! scheduler   whether a letter may start now, over all campaigns: window, providers' queues, connections
//! ```

pub mod campaign;
pub mod catalog;
pub mod directory;
pub mod email;
pub mod feedback;
pub mod ids;
pub(crate) mod index;
pub mod keys;
pub mod list;
pub mod outcome;
pub mod pace;
pub(crate) mod pages;
pub mod presentation;
pub mod product_details;
pub mod provider;
pub mod retry;
pub mod scheduler;
pub mod shaping;
pub mod span;
pub mod status;
pub mod text;
pub mod time;

pub use catalog::{Catalog, Declared, DoubleOptIn};
pub use email::Email;
pub use ids::{CampaignId, ListId, PersonId, Sku};
pub use pace::{Pace, Rate, RateDecision};
pub use presentation::{Presentation, Presentations, UrlPattern};
pub use product_details::ProductDetails;
pub use provider::Providers;
pub use retry::Retry;
pub use span::Span;
pub use time::{Day, Millis};
