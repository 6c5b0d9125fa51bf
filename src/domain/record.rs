//! What stands in the log: whose record, its author's counter, when, and what happened.
//!
//! ```text
//! kind 1  list      [seq | at | list id | ListEvent]
//! kind 2  directory [seq | at | DirectoryEvent]
//! kind 3  campaign  [seq | at | CampaignEvent]
//! ```
//!
//! Kind and version stand outside the encoding, in the log's frame. A record's meaning never
//! changes: enums grow at the end only, and a changed shape is a new version. What is unknown
//! refuses to start; it is never skipped. Golden bytes in the tests pin all of it.

use serde::{Deserialize, Serialize};

use super::campaign::CampaignEvent;
use super::directory::DirectoryEvent;
use super::ids::ListId;
use super::list::ListEvent;
use super::time::Millis;
use crate::codec::{self, CodecError};

/// The version of all three kinds.
pub const VERSION: u8 = 1;

/// The author's counter after this record, and the author's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Counts the author's records, from 1.
    pub seq: u64,
    /// When the author decided.
    pub at: Millis,
}

/// A record, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A list spoke.
    List(Stamp, ListId, ListEvent),
    /// The directory spoke.
    Directory(Stamp, DirectoryEvent),
    /// The campaign actor spoke.
    Campaign(Stamp, CampaignEvent),
}

/// Why a record cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// A kind or version this binary does not know.
    #[error(
        "record kind {kind} version {version} is unknown to this version of restockd; start the newer one"
    )]
    Unknown {
        /// The kind.
        kind: u8,
        /// The version.
        version: u8,
    },
    /// The bytes are not what the kind says.
    #[error("a record of kind {kind} does not decode: {source}")]
    Malformed {
        /// The kind.
        kind: u8,
        /// What the codec said.
        source: CodecError,
    },
}

/// A list's record: kind and bytes.
#[must_use]
pub fn of_list(stamp: Stamp, list: &ListId, event: &ListEvent) -> (u8, Vec<u8>) {
    (1, codec::encode(&(stamp, list, event)))
}

/// A record of the directory: kind and bytes.
#[must_use]
pub fn of_directory(stamp: Stamp, event: &DirectoryEvent) -> (u8, Vec<u8>) {
    (2, codec::encode(&(stamp, event)))
}

/// A record of the campaign actor: kind and bytes.
#[must_use]
pub fn of_campaign(stamp: Stamp, event: &CampaignEvent) -> (u8, Vec<u8>) {
    (3, codec::encode(&(stamp, event)))
}

/// Reads a record.
///
/// # Errors
/// When kind or version are unknown, or the bytes do not fit them.
pub fn read(kind: u8, version: u8, bytes: &[u8]) -> Result<Entry, EntryError> {
    if version != VERSION {
        return Err(EntryError::Unknown { kind, version });
    }
    let malformed = |source| EntryError::Malformed { kind, source };
    match kind {
        1 => codec::decode(bytes)
            .map(|(stamp, list, event)| Entry::List(stamp, list, event))
            .map_err(malformed),
        2 => codec::decode(bytes).map(|(stamp, event)| Entry::Directory(stamp, event)).map_err(malformed),
        3 => codec::decode(bytes).map(|(stamp, event)| Entry::Campaign(stamp, event)).map_err(malformed),
        _ => Err(EntryError::Unknown { kind, version }),
    }
}
