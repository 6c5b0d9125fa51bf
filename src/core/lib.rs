//! The core: the words and the machines of the engine.
//!
//! Every machine has `decide` (reads a command, answers with a record, a duplicate or a refusal)
//! and `apply` (total; the same function live and at replay). Nothing here knows a clock, dice,
//! threads or files: time, ids and limits come in with the command and stand in the record.
//!
//! ```text
//! list        one SKU list: members in join order, restocks seen, who was invited
//! directory   people, consent, keys seen, open events
//! campaign    status, ledger, counters, pace
//! shaping     the pace of each receiving provider
//! scheduler   whether a letter may start: window, providers' queues, connections, alarms, over the campaigns
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
