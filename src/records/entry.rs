//! A record of the log: whose it is, its author's counter, when, and what happened.
//!
//! ```text
//! list        [ seq | at | list id | body ]
//! directory   [ seq | at | body ]
//! campaigns   [ seq | at | body ]
//! ```
//!
//! Kind and version stand outside, in the log's frame, and choose the body.

use restockd_core::campaign::CampaignEvent;
use restockd_core::directory::DirectoryEvent;
use restockd_core::list::ListEvent;
use restockd_core::{ListId, Millis};
use serde::Serialize;

use crate::codec::{self, CodecError};
use crate::error::RecordError;
use crate::kind::{Kind, KindOwner};
use crate::{campaign, directory, list};

/// The author's counter after this record, and the author's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Counts the author's records, from 1.
    pub seq: u64,
    /// When the author decided.
    pub at: Millis,
}

/// A record, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// Of a list.
    List(Stamp, ListId, ListEvent),
    /// Of the directory.
    Directory(Stamp, DirectoryEvent),
    /// Of the campaign actor.
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

/// A record as the log takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The number of its kind.
    pub kind: u8,
    /// The version of its body.
    pub version: u8,
    /// Stamp, list id and body.
    pub bytes: Vec<u8>,
}

/// Most records are not longer than this.
const USUAL_BYTES: usize = 128;

/// Begins a record with what stands before its body.
fn begin(before: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(USUAL_BYTES);
    codec::encode_into(before, &mut bytes);
    bytes
}

fn encoded(kind: Kind, bytes: Vec<u8>) -> Encoded {
    Encoded { kind: kind as u8, version: kind.version(), bytes }
}

/// A list's record.
#[must_use]
pub fn of_list(stamp: Stamp, id: &ListId, event: &ListEvent) -> Encoded {
    let mut bytes = begin(&(stamp.seq, stamp.at.0, id.as_str()));
    encoded(list::write(event, &mut bytes), bytes)
}

/// A record of the directory.
#[must_use]
pub fn of_directory(stamp: Stamp, event: &DirectoryEvent) -> Encoded {
    let mut bytes = begin(&(stamp.seq, stamp.at.0));
    encoded(directory::write(event, &mut bytes), bytes)
}

/// A record of the campaign actor.
#[must_use]
pub fn of_campaign(stamp: Stamp, event: &CampaignEvent) -> Encoded {
    let mut bytes = begin(&(stamp.seq, stamp.at.0));
    encoded(campaign::write(event, &mut bytes), bytes)
}

/// What stands before a list's body, and the body.
fn list_head(bytes: &[u8]) -> Result<(Stamp, &str, &[u8]), CodecError> {
    let ((seq, at, id), body) = codec::decode_borrowed_prefix::<(u64, u64, &str)>(bytes)?;
    Ok((Stamp { seq, at: Millis(at) }, id, body))
}

/// What stands before another author's body, and the body.
fn head(bytes: &[u8]) -> Result<(Stamp, &[u8]), CodecError> {
    let ((seq, at), body) = codec::decode_borrowed_prefix::<(u64, u64)>(bytes)?;
    Ok((Stamp { seq, at: Millis(at) }, body))
}

/// Whose record it is, without reading all of it.
///
/// # Errors
/// When this build does not know kind or version, or a list's record does not begin as one.
pub fn author(kind: u8, version: u8, bytes: &[u8]) -> Result<Author<'_>, RecordError> {
    let kind = record_kind(kind, version)?;
    Ok(match kind.owner() {
        KindOwner::List => Author::List(list_head(bytes).map_err(|source| malformed(kind, source))?.1),
        KindOwner::Directory => Author::Directory,
        KindOwner::Campaigns | KindOwner::Page => Author::Campaigns,
    })
}

/// Reads a list's record; its id stays where it is.
///
/// # Errors
/// When this build does not know kind or version, or the bytes do not fit them.
pub fn read_list(kind: u8, version: u8, bytes: &[u8]) -> Result<(Stamp, &str, ListEvent), RecordError> {
    let kind = record_kind(kind, version)?;
    let read = || {
        let (stamp, id, body) = list_head(bytes)?;
        Ok((stamp, id, list::read(kind, version, body)?))
    };
    read().map_err(|source| malformed(kind, source))
}

/// Reads a record.
///
/// # Errors
/// When this build does not know kind or version, or the bytes do not fit them.
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

/// The kind of a record; a page's number in the log is as unknown as any other.
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
