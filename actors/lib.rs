//! The engine: actors on ractor, which no other crate uses, and the [`Engine`] through which everybody else calls them.
//!
//! [`start()`] recovers a data directory, spawns the actors and returns an [`Engine`]: a handle that is cheap to clone, with
//! one typed, asynchronous method for each request. An answer that acknowledges a change is given only when the change is
//! durable. Errors are [`EngineError`]s: either the engine could not at the moment, or the request is refused.
//! [`Engine::stop`] ends it in order; after a crash the next `start` takes up what was open.
//!
//! ```text
//! Engine ──▶ directory ──▶ supervisor ──▶ lists ──▶ campaign actor ──▶ couriers
//!    │           ▲  ▲            ▲          │  ▲        │  │
//!    │           │  └─ LookUp ───┼──────────┼──┼────────┘  │
//!    └───────────┴── restocks ───┘          └──┴─ Invite ──┘      snapshotter asks all of them
//! ```
//!
//! Actors only cast; no handler waits for another actor or for the disk. Mailboxes are unbounded
//! in ractor, so what may be in them is bounded where it is sent:
//!
//! | mailbox | senders | at most |
//! |---|---|---|
//! | directory | Engine, campaign actor, confirmation workers, tick | permits + one look-up for each running campaign, 256 mails, one tick a second |
//! | confirmation workers | directory | 256 mails that ask for a confirmation |
//! | supervisor, lists | directory, Engine, campaign actor | permits x a bag of 200 + one request for each running campaign |
//! | campaign actor | lists, directory, workers, alarm | one answer for each request, one outcome for each worker, one alarm |
//! | snapshotter | tick, Engine, itself | one tick a second, waiting replies |
//! | log | all authors | the records of the above: permits, plus one window of letters |

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
