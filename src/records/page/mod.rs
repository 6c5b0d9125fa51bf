//! The pages of a snapshot: the state of all machines in one generation.
//!
//! ```text
//! key    'A' n   the directory's pages, in order    value  [ kind u8 | version u8 | body ]
//!        'B' n   the campaigns' pages, in order     value  [ kind u8 | version u8 | body ]
//!        'L' n   lists, many to a page              value  [ kind u8 | version u8 | pieces ]
//!
//! piece  [ name len u16 | name | last u8 | len u32 | bytes ]        all numbers little end first
//! ```
//!
//! `n` is a big-endian counter, so keys sort in order. A list that is too long for one page goes on in the
//! next ones; `last` is 0 in all its pieces but the last.
//!
//! [`PageWriter`] takes the parts of a snapshot one after another; [`PageReader`] takes the pages back in key
//! order and fills the machines.

mod campaigns;
mod consent;
mod directory;
mod lists;

use restockd_core::ListId;
use restockd_core::campaign::{Campaigns, CampaignsImage};
use restockd_core::directory::{Directory, DirectoryImage};
use restockd_core::list::List;

use crate::codec::CodecError;
use crate::error::RecordError;
use crate::kind::{Kind, KindOwner};
use crate::packed::PackedList;
use lists::{Pieces, Writing};

/// A part of a snapshot, for [`PageWriter::write`].
pub enum Portion {
    Directory(DirectoryImage),
    Campaigns(CampaignsImage),
    /// Passivated lists.
    Resting(Vec<(ListId, PackedList)>),
    /// An active list.
    Awake(ListId, Box<List>),
}

/// How much was written.
#[derive(Debug, Clone, Copy, Default)]
pub struct Written {
    pub lists: u64,
    pub people: u64,
    pub campaigns: u64,
}

/// Turns the parts of a snapshot into pages.
pub struct PageWriter<P> {
    put: P,
    lists: Writing,
    pub written: Written,
}

impl<E, P: FnMut(&[u8], &[u8]) -> Result<(), E>> PageWriter<P> {
    /// Hands each key with its page to `put`.
    pub fn new(put: P) -> Self {
        Self { put, lists: Writing::default(), written: Written::default() }
    }

    /// Writes a part.
    ///
    /// # Errors
    /// The error of `put`.
    pub fn write(&mut self, portion: Portion) -> Result<(), E> {
        match portion {
            Portion::Directory(image) => {
                self.written.people = image.people();
                for (n, page) in (0u32..).zip(image.pages()) {
                    (self.put)(&key(b'A', n), &directory::write(&page))?;
                }
            }
            Portion::Campaigns(image) => {
                self.written.campaigns = image.count() as u64;
                for (n, page) in (0u32..).zip(image.pages()) {
                    (self.put)(&key(b'B', n), &campaigns::write(&page))?;
                }
            }
            Portion::Resting(lists) => {
                for (id, packed) in lists {
                    self.list(&id, &packed)?;
                }
            }
            Portion::Awake(id, list) => self.list(&id, &PackedList::of(&list))?,
        }
        Ok(())
    }

    /// Writes the last page; returns how much was written.
    ///
    /// # Errors
    /// The error of `put`.
    pub fn finish(&mut self) -> Result<Written, E> {
        self.lists.flush(&mut self.put)?;
        Ok(self.written)
    }

    fn list(&mut self, id: &ListId, packed: &PackedList) -> Result<(), E> {
        self.written.lists += 1;
        self.lists.list(id, packed, &mut self.put)
    }
}

/// Reads pages back into the machines.
pub struct PageReader<'a> {
    pub directory: &'a mut Directory,
    pub campaigns: &'a mut Campaigns,
    /// The lists, in the order of the pages.
    pub lists: &'a mut Vec<(ListId, PackedList)>,
    pieces: Pieces,
}

/// Why a page cannot be taken in.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// It cannot be read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// It does not follow from the pages before it.
    #[error("{0}")]
    OutOfTurn(String),
}

impl<'a> PageReader<'a> {
    /// Reads into machines that must be empty.
    pub fn new(
        directory: &'a mut Directory,
        campaigns: &'a mut Campaigns,
        lists: &'a mut Vec<(ListId, PackedList)>,
    ) -> Self {
        Self { directory, campaigns, lists, pieces: Pieces::default() }
    }

    /// Takes in one page; pages come in key order.
    ///
    /// # Errors
    /// [`PageError::Record`] if it was written by another version or does not decode,
    /// [`PageError::OutOfTurn`] if it does not follow from the pages before it.
    pub fn read(&mut self, key: &[u8], value: &[u8]) -> Result<(), PageError> {
        let odd = || PageError::OutOfTurn(format!("a page of unknown kind {:?}", key.first()));
        let (&[number, version], body) = value.split_first_chunk::<2>().ok_or_else(odd)?;
        let kind = Kind::known(number, version)?;
        let malformed = |source: CodecError| RecordError::Malformed { what: kind.name(), source };
        match (key.first(), kind) {
            (Some(b'L'), Kind::PageLists) => self.pieces.read(body, self.lists).map_err(malformed)?,
            (Some(b'A'), kind) if kind.owner() == KindOwner::Page => {
                let page = directory::read(kind, version, body).map_err(malformed)?;
                self.directory.restore(page).map_err(PageError::OutOfTurn)?;
            }
            (Some(b'B'), kind) if kind.owner() == KindOwner::Page => {
                let page = campaigns::read(kind, version, body).map_err(malformed)?;
                self.campaigns.restore(page).map_err(PageError::OutOfTurn)?;
            }
            _ => return Err(odd()),
        }
        Ok(())
    }

    /// Derives what the pages do not hold; call it after the last page.
    ///
    /// # Errors
    /// If the last list has no end.
    pub fn finish(self) -> Result<(), PageError> {
        self.directory.restored();
        self.campaigns.restored();
        match self.pieces.unfinished() {
            Some(id) => {
                Err(PageError::OutOfTurn(format!("the list {:?} has no end in the snapshot", id.as_str())))
            }
            None => Ok(()),
        }
    }
}

/// The key of a page.
fn key(kind: u8, number: u32) -> [u8; 5] {
    let [a, b, c, d] = number.to_be_bytes();
    [kind, a, b, c, d]
}

/// Begins a page with its kind and version.
fn begin(kind: Kind) -> Vec<u8> {
    vec![kind as u8, kind.version()]
}
