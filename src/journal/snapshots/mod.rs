//! Snapshots: whole generations of packed pages, each written once, verified, then published.
//!
//! The log is the source of truth; a snapshot only saves replaying all of it. So a snapshot can be thrown
//! away at any time before it is published, and after that it is never changed. Nothing that a backend says
//! about its own durability or health is believed: this layer syncs every file and directory itself, keeps
//! its own count and digests, and reads a generation back before it publishes it.
//!
//! [`Generations::open`] opens the directory; [`Generations::begin`] starts a new generation, which takes
//! pages until it is sealed and committed; [`Generations::load`] hands out the pages of the newest good one.
//! Errors are a [`StoreError`]; damage found by a load is in its [`LoadOutcome`].
//!
//! ```text
//! <dir>/                          0700, used by one process at a time
//!   CURRENT                       newest and previous generation, the SHA-256 of each one's MANIFEST, crc
//!   gen-7/                        the previous generation: with all the log it needs, the way back
//!   gen-8/                        the newest one
//!     MANIFEST                    meta, page count, digests, and every file's length and SHA-256, crc
//!     db conf snap.* blobs/…      written by sled
//!     pages.flat                  or by the flat-file backend
//!   gen-9.building/               a generation being made; removed at the next start if that did not finish
//!   gen-8.copy/                   what sled opens in place of gen-8, because opening writes; removed after
//! ```
//!
//! The steps of a new generation, with the fsyncs in their order. After a crash at any step, `CURRENT` names
//! verified data:
//!
//! ```text
//! begin    make gen-9.building                          put … put      pages, in any order
//! seal     close the backend · fsync every file, then every directory, deepest first
//!          hash every file, from the device, into a copy · open the copy, recount, re-digest, compare
//!          MANIFEST, fsync · fsync the directory
//! commit   rename to gen-9 · fsync <dir> · CURRENT.tmp, fsync · rename to CURRENT · fsync <dir>
//!          only now remove gen-7
//! ```
//!
//! Invariants:
//!
//! - `CURRENT` names only generations that were read back whole; a generation is never opened in place.
//! - A page reaches a reader only after the whole generation was counted and digested.
//! - Damage is reported with its file, and never as "there was no snapshot".
//! - The newest two good generations stay, and `replay_floor` is the oldest log record that either of them
//!   needs.
//! - Backends run on threads of their own, under a time limit, with panics caught (the binary must be built
//!   with `panic = "unwind"`): if a backend hangs or panics, that is an error here.
//! - Making or copying a generation leaves room for the log: it stops with `NoSpace` while 96 MiB are still
//!   free.
//!
//! The layers above decide when to make a snapshot, what a page holds, and where the log is cut.

mod backend;
mod building;
mod digest;
mod error;
mod files;
mod flat;
mod generations;
mod inspect;
mod load;
mod manifest;
mod pointer;
mod reader;
mod sled;
mod text;
mod timeout;
mod writer;

pub use backend::Backend;
pub use building::{Building, KEY_BYTES_MAX, Sealed, VALUE_BYTES_MAX};
pub use error::StoreError;
pub use generations::Generations;
pub use inspect::{GenerationInfo, Role};
pub use load::{LoadOutcome, Sink};
pub use manifest::{COUNTS_MAX, Meta};
