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

/// The version of all three kinds. Version 1 was never released and is not read.
pub const VERSION: u8 = 2;

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

/// Whose record it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Author<'a> {
    /// The list with this id.
    List(&'a str),
    /// The directory.
    Directory,
    /// The campaign actor.
    Campaigns,
}

/// Why a record cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// A kind or version this binary does not know.
    #[error(
        "a record of kind {kind} is of version {version}, this restockd reads version {VERSION}: start the version that \
         wrote it, or give this one a data directory of its own"
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

/// Whose record it is, without reading all of it.
///
/// # Errors
/// When kind or version are unknown, or a list's record does not begin as one.
pub fn author(kind: u8, version: u8, bytes: &[u8]) -> Result<Author<'_>, EntryError> {
    match (version, kind) {
        (VERSION, 1) => codec::decode_borrowed_prefix(bytes)
            .map(|((_, list), _): ((Stamp, &str), _)| Author::List(list))
            .map_err(|source| EntryError::Malformed { kind, source }),
        (VERSION, 2) => Ok(Author::Directory),
        (VERSION, 3) => Ok(Author::Campaigns),
        _ => Err(EntryError::Unknown { kind, version }),
    }
}

/// Reads a list's record; its id stays where it is.
///
/// # Errors
/// When the version is unknown, or the bytes do not fit.
pub fn read_list(version: u8, bytes: &[u8]) -> Result<(Stamp, &str, ListEvent), EntryError> {
    let kind = 1;
    if version != VERSION {
        return Err(EntryError::Unknown { kind, version });
    }
    codec::decode_borrowed(bytes).map_err(|source| EntryError::Malformed { kind, source })
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
