//! Pages of lists: many short lists share a page, a long one takes several.

use restockd_core::ListId;

use super::{begin, key};
use crate::codec::CodecError;
use crate::kind::Kind;
use crate::packed::PackedList;

/// A page is written once it is this long.
const PAGE_BYTES: usize = 60 * 1024;
/// Every piece of a list but the last is at least this long.
const PIECE_BYTES_MIN: usize = 1024;

/// The page that is being made.
#[derive(Default)]
pub(super) struct Writing {
    page: Vec<u8>,
    number: u32,
}

impl Writing {
    /// Writes one list, over as many pages as it takes.
    pub(super) fn list<E>(
        &mut self,
        id: &ListId,
        packed: &PackedList,
        put: &mut impl FnMut(&[u8], &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut rest = packed.as_bytes();
        loop {
            if self.page.is_empty() {
                self.page = begin(Kind::PageLists);
            }
            let room = PAGE_BYTES.saturating_sub(self.page.len()).max(PIECE_BYTES_MIN);
            let (piece, after) = rest.split_at(rest.len().min(room));
            let name = id.as_str().as_bytes();
            self.page.extend_from_slice(&(name.len() as u16).to_le_bytes());
            self.page.extend_from_slice(name);
            self.page.push(u8::from(after.is_empty()));
            self.page.extend_from_slice(&(piece.len() as u32).to_le_bytes());
            self.page.extend_from_slice(piece);
            if self.page.len() >= PAGE_BYTES {
                self.flush(put)?;
            }
            if after.is_empty() {
                return Ok(());
            }
            rest = after;
        }
    }

    /// Writes the page that is being made.
    pub(super) fn flush<E>(&mut self, put: &mut impl FnMut(&[u8], &[u8]) -> Result<(), E>) -> Result<(), E> {
        if !self.page.is_empty() {
            put(&key(b'L', self.number), &self.page)?;
            self.number += 1;
            self.page.clear();
        }
        Ok(())
    }
}

/// Puts the pieces of lists together again.
#[derive(Default)]
pub(super) struct Pieces {
    unfinished: Option<(ListId, Vec<u8>)>,
}

impl Pieces {
    /// The list whose last piece has not come.
    pub(super) fn unfinished(self) -> Option<ListId> {
        self.unfinished.map(|(id, _)| id)
    }

    /// Reads one page.
    pub(super) fn read(
        &mut self,
        page: &[u8],
        lists: &mut Vec<(ListId, PackedList)>,
    ) -> Result<(), CodecError> {
        self.pieces(page, lists).ok_or_else(|| CodecError::Malformed("its pieces do not fit".to_owned()))
    }

    fn pieces(&mut self, mut page: &[u8], lists: &mut Vec<(ListId, PackedList)>) -> Option<()> {
        while !page.is_empty() {
            let (length, rest) = page.split_first_chunk::<2>()?;
            let (name, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
            let (last, rest) = rest.split_first()?;
            let (length, rest) = rest.split_first_chunk::<4>()?;
            let (piece, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
            let id = ListId::parse(std::str::from_utf8(name).ok()?)?;
            let mut bytes = match self.unfinished.take() {
                Some((of, bytes)) if of == id => bytes,
                Some(_) => return None,
                None => Vec::new(),
            };
            bytes.extend_from_slice(piece);
            if *last == 1 {
                lists.push((id, PackedList::from_bytes(&bytes)));
            } else {
                self.unfinished = Some((id, bytes));
            }
            page = rest;
        }
        Some(())
    }
}
