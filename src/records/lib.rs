//! The bytes of log and snapshots: what each means, by kind and version.
//!
//! ```text
//! log      [ … | kind u8 | version u8 | seq | at | list id, if a list's | body ]     kind and version stand in the frame
//! snapshot [ kind u8 | version u8 | body ]                                           one page
//! ```
//!
//! The machines of `restockd-core` know no byte layout. Here each kind of record and page has a struct of its own for
//! every version of it ever released, and a conversion to and from what the machines speak of.
//!
//! # Rules
//!
//! - What a released version wrote is read by every later one (from 0.2.0 on). A struct that was released never changes;
//!   golden bytes in `golden/` pin it.
//! - A new optional thing is a new version of that one kind: a new struct with an `Option`, `From` the struct before it
//!   (the upcast), one higher number in the table of [`kind`].
//! - A kind or version that this build does not know was written by a newer one, and is refused by both names
//!   ([`RecordError::Newer`]). It is never skipped and never called damage.
//! - Codes of values stand in one table each ([`code`]), so that the order of an enum in the machines means nothing here.
//!
//! Bytes are decoded only where a checksum has vouched for them, never from a socket.

mod campaign;
mod code;
mod codec;
mod directory;
mod entry;
mod error;
#[cfg(test)]
mod golden;
mod keys;
pub mod kind;
#[cfg(test)]
mod laws;
mod list;
mod packed;
pub mod page;
mod report;
#[cfg(any(test, feature = "sample"))]
pub mod sample;
mod shared;

pub use entry::{Author, Encoded, Entry, Stamp, author, of_campaign, of_directory, of_list, read, read_list};
pub use error::RecordError;
pub use kind::{Kind, KindOwner};
pub use packed::PackedList;
