//! The records of the log: what stands before the body, and how a record is written and read.
//!
//! ```text
//! list        [ seq | at | list id | body ]
//! directory   [ seq | at | body ]
//! campaigns   [ seq | at | body ]
//! ```
//!
//! Kind and version are not in these bytes but in the frame of the log. They decide how the body is read.

use restockd_core::campaign::CampaignEvent;
use restockd_core::directory::DirectoryEvent;
use restockd_core::list::ListEvent;
use restockd_core::{ListId, Millis};
use serde::Serialize;

use crate::codec::{self, CodecError};
use crate::error::RecordError;
use crate::kind::{Kind, KindOwner};
use crate::{campaign, directory, list};

/// The number and the time of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Counts the records of one author, from 1.
    pub seq: u64,
    /// The time of the decision, by the engine's clock.
    pub at: Millis,
}

/// A decoded record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    List(Stamp, ListId, ListEvent),
    Directory(Stamp, DirectoryEvent),
    Campaign(Stamp, CampaignEvent),
}

/// The machine that a record belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Author<'a> {
    /// The list with this id.
    List(&'a str),
    Directory,
    Campaigns,
}

/// A record as the log takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The number of its [`Kind`].
    pub kind: u8,
    /// The version of its body.
    pub version: u8,
    /// Stamp, list id and body.
    pub bytes: Vec<u8>,
}

/// Longer than most records.
const USUAL_BYTES: usize = 128;

/// Begins a record with the part before its body.
fn begin(before: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(USUAL_BYTES);
    codec::encode_into(before, &mut bytes);
    bytes
}

fn encoded(kind: Kind, bytes: Vec<u8>) -> Encoded {
    Encoded { kind: kind as u8, version: kind.version(), bytes }
}

/// Writes a record of a list.
#[must_use]
pub fn of_list(stamp: Stamp, id: &ListId, event: &ListEvent) -> Encoded {
    let mut bytes = begin(&(stamp.seq, stamp.at.0, id.as_str()));
    encoded(list::write(event, &mut bytes), bytes)
}

/// Writes a record of the directory.
#[must_use]
pub fn of_directory(stamp: Stamp, event: &DirectoryEvent) -> Encoded {
    let mut bytes = begin(&(stamp.seq, stamp.at.0));
    encoded(directory::write(event, &mut bytes), bytes)
}

/// Writes a record of the campaigns.
#[must_use]
pub fn of_campaign(stamp: Stamp, event: &CampaignEvent) -> Encoded {
    let mut bytes = begin(&(stamp.seq, stamp.at.0));
    encoded(campaign::write(event, &mut bytes), bytes)
}

/// The part before a list's body, and the body.
fn list_head(bytes: &[u8]) -> Result<(Stamp, &str, &[u8]), CodecError> {
    let ((seq, at, id), body) = codec::decode_borrowed_prefix::<(u64, u64, &str)>(bytes)?;
    Ok((Stamp { seq, at: Millis(at) }, id, body))
}

/// The part before any other body, and the body.
fn head(bytes: &[u8]) -> Result<(Stamp, &[u8]), CodecError> {
    let ((seq, at), body) = codec::decode_borrowed_prefix::<(u64, u64)>(bytes)?;
    Ok((Stamp { seq, at: Millis(at) }, body))
}

/// Whose record it is, without decoding all of it.
///
/// # Errors
/// If this build does not know the kind or version, or the record of a list does not begin as one.
pub fn author(kind: u8, version: u8, bytes: &[u8]) -> Result<Author<'_>, RecordError> {
    let kind = record_kind(kind, version)?;
    Ok(match kind.owner() {
        KindOwner::List => Author::List(list_head(bytes).map_err(|source| malformed(kind, source))?.1),
        KindOwner::Directory => Author::Directory,
        KindOwner::Campaigns | KindOwner::Page => Author::Campaigns,
    })
}

/// Reads the record of a list and borrows the list's id from `bytes`.
///
/// # Errors
/// If this build does not know the kind or version, or the bytes are not of its layout.
pub fn read_list(kind: u8, version: u8, bytes: &[u8]) -> Result<(Stamp, &str, ListEvent), RecordError> {
    let kind = record_kind(kind, version)?;
    let read = || {
        let (stamp, id, body) = list_head(bytes)?;
        Ok((stamp, id, list::read(kind, version, body)?))
    };
    read().map_err(|source| malformed(kind, source))
}

/// Reads any record.
///
/// # Errors
/// If this build does not know the kind or version, or the bytes are not of its layout.
pub fn read(kind: u8, version: u8, bytes: &[u8]) -> Result<Entry, RecordError> {
    let kind = record_kind(kind, version)?;
    let read = || match kind.owner() {
        KindOwner::List => {
            let (stamp, id, body) = list_head(bytes)?;
            Ok(Entry::List(stamp, ListId::stored(id), list::read(kind, version, body)?))
        }
        KindOwner::Directory => {
            let (stamp, body) = head(bytes)?;
            Ok(Entry::Directory(stamp, directory::read(kind, version, body)?))
        }
        KindOwner::Campaigns | KindOwner::Page => {
            let (stamp, body) = head(bytes)?;
            Ok(Entry::Campaign(stamp, campaign::read(kind, version, body)?))
        }
    };
    read().map_err(|source| malformed(kind, source))
}

/// The kind of a record. The number of a page is unknown here.
fn record_kind(number: u8, version: u8) -> Result<Kind, RecordError> {
    let kind = Kind::known(number, version)?;
    if kind.owner() == KindOwner::Page {
        let what = format!("a record of kind {number}");
        return Err(RecordError::Newer { what, found: version, reads: None });
    }
    Ok(kind)
}

fn malformed(kind: Kind, source: CodecError) -> RecordError {
    RecordError::Malformed { what: kind.name(), source }
}
