//! The messages of all actors: one file for each receiver, with the payloads that travel in them.
//!
//! ```text
//! sender ── context.mailboxes.directory.send(DirectoryMessage::…) ──▶ the arm of the same name in the actor
//! ```
//!
//! Nothing here refers to an actor: messages are made of core types, of the requests and answers of `api`, and of the
//! replies and guards that carry durability. So every actor may import all of them.

mod campaign;
mod confirmation;
mod directory;
mod list;
mod snapshotter;
mod supervisor;

pub use campaign::{Asked, CampaignMessage, CreateRefusal, ReadScheduler, Restocked};
pub use confirmation::Confirmation;
pub use directory::{AudiencePage, Click, DirectoryMessage, Ingested, ReadDirectory};
pub use list::{ListMessage, ReadList};
pub use snapshotter::{RoundFailure, RoundReply, SnapshotterMessage};
pub use supervisor::{Slice, SummaryOrRead, SupervisorMessage};
