//! The actors: ractor lives here and nowhere else.
//!
//! ```text
//! Engine ──▶ directory ──▶ supervisor ──▶ lists ──▶ campaign actor ──▶ couriers
//!    │           ▲  ▲            ▲          │  ▲        │  │
//!    │           │  └─ LookUp ───┼──────────┼──┼────────┘  │
//!    └───────────┴── restocks ───┘          └──┴─ Invite ──┘      snapshotter asks all of them
//! ```
//!
//! Actors only cast; no handler waits for another actor or for the disk. Mailboxes are unbounded
//! in ractor, so what may be in them is bounded at the door:
//!
//! | mailbox | senders | at most |
//! |---|---|---|
//! | directory | Engine, campaign actor, confirmation workers, tick | permits + one look-up a running campaign, 256 mails, one tick a second |
//! | confirmation workers | directory | 256 mails that ask for a confirmation |
//! | supervisor, lists | directory, Engine, campaign actor | permits x a bag of 200 + one question a running campaign |
//! | campaign actor | lists, directory, workers, alarm | one answer a question, one outcome a worker, one alarm |
//! | snapshotter | tick, Engine, itself | one tick a second, waiting replies |
//! | log | all authors | what the above write: permits, plus one window of letters |

pub mod ack;
mod alarm;
pub mod api;
mod background;
pub mod campaign;
pub mod clock;
pub mod confirmation;
pub mod context;
pub mod delivery;
pub mod directory;
pub mod engine;
pub mod error;
pub mod list;
mod list_lifecycle;
mod list_slot;
pub mod mailboxes;
pub mod messages;
pub mod recent;
pub mod recovery;
pub mod recovery_stats;
pub(crate) mod reply;
pub mod snapshotter;
pub mod supervisor;
pub mod template_context;
pub mod token;

pub use context::{Envelope, RuleSettings, Settings};
pub use engine::{Engine, StartError, Started, start};
pub use error::{EngineError, RequestRefusal};
