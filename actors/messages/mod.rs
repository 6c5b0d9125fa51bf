//! What is said to each actor: one file a receiver, with the payloads that travel.
//!
//! ```text
//! who speaks ── context.mailboxes.directory.send(DirectoryMessage::…) ──▶ the arm of the same name in the actor
//! ```
//!
//! Nothing in here knows an actor: messages are made of the domain's words, of what the door asks and
//! answers, and of the replies and parts that carry durability. So every actor may import all of them.

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
