//! The bytes of log records and snapshot pages: one layout for each kind and version.
//!
//! ```text
//! log      [ … | kind u8 | version u8 | seq | at | list id, if a list's | body ]     kind and version are in the frame
//! snapshot [ kind u8 | version u8 | body ]                                           one page
//! ```
//!
//! The machines of `restockd-core` know no byte layout. Here each kind of record or page has one struct for
//! every version of it that was ever released, and a conversion between that struct and the types of the
//! machines.
//!
//! To write, call [`of_list`], [`of_directory`] or [`of_campaign`]: each turns an event of a machine into an
//! [`Encoded`] record. To read, call [`read`]. Both only fail with a [`RecordError`]: for a kind or version
//! from a newer build, for bytes that are not of their layout, or for values that no machine can hold.
//!
//! # Rules
//!
//! - Every later version reads what a released version wrote (from 0.2.0 on). A released struct never
//!   changes; golden bytes in `golden/` pin it.
//! - A new optional field makes a new version of its kind: a new struct with an `Option`, a `From` the struct
//!   before it (the upcast), and the next higher number in the table of [`kind`].
//! - A kind or version that this build does not know was written by a newer build. It is refused with an
//!   error that names both ([`RecordError::Newer`]), never skipped and never called damage.
//! - The number that stands for each value of an enum is in one table (`code`), so the order of an enum in
//!   the machines does not matter here.
//!
//! Bytes are decoded only after their checksum has matched, and never straight from a socket.

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
