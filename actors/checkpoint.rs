//! The pages of a snapshot: how the state of all actors is laid out in one generation.
//!
//! ```text
//! key    'A' n   the directory's pages, in order       value  bincode
//!        'B' n   the campaigns' pages, in order        value  bincode
//!        'L' n   lists, many to a page                 value  [name len u16 | name | last u8 | len u32 | bytes]…
//! ```
//!
//! `n` is a big-endian counter, so that keys come back in order. A list too long for one page
//! goes on in the next ones, `last` being 0 until its end.

use restockd_core::ListId;
use restockd_core::campaign::{CampaignPage, Campaigns, CampaignsImage};
use restockd_core::codec;
use restockd_core::directory::{Directory, DirectoryImage, DirectoryPage};
use restockd_core::list::{List, PackedList};

/// A page of lists is written once it is this long.
const PAGE_BYTES: usize = 60 * 1024;

/// What is handed over in a round.
pub enum Portion {
    /// The directory.
    Directory(DirectoryImage),
    /// All campaigns.
    Campaigns(CampaignsImage),
    /// Lists at rest.
    Resting(Vec<(ListId, PackedList)>),
    /// A list awake.
    Awake(ListId, Box<List>),
}

/// How much of what was written.
#[derive(Debug, Clone, Copy, Default)]
pub struct Written {
    /// Lists.
    pub lists: u64,
    /// Live people.
    pub people: u64,
    /// Campaigns.
    pub campaigns: u64,
}

/// Turns portions into pages.
pub struct PageWriter<P> {
    put: P,
    page: Vec<u8>,
    number: u32,
    /// What has been written so far.
    pub written: Written,
}

impl<E, P: FnMut(&[u8], &[u8]) -> Result<(), E>> PageWriter<P> {
    /// Writes pages by `put`.
    pub fn new(put: P) -> Self {
        Self { put, page: Vec::new(), number: 0, written: Written::default() }
    }

    /// Writes a portion.
    ///
    /// # Errors
    /// What `put` says.
    pub fn write(&mut self, portion: Portion) -> Result<(), E> {
        match portion {
            Portion::Directory(image) => {
                self.written.people = image.people();
                for (n, page) in (0u32..).zip(image.pages()) {
                    (self.put)(&key(b'A', n), &codec::encode(&page))?;
                }
            }
            Portion::Campaigns(image) => {
                self.written.campaigns = image.len() as u64;
                for (n, page) in (0u32..).zip(image.pages()) {
                    (self.put)(&key(b'B', n), &codec::encode(&page))?;
                }
            }
            Portion::Resting(lists) => {
                for (id, packed) in lists {
                    self.list(&id, &packed)?;
                }
            }
            Portion::Awake(id, list) => self.list(&id, &list.pack())?,
        }
        Ok(())
    }

    /// Writes the last page.
    ///
    /// # Errors
    /// What `put` says.
    pub fn finish(&mut self) -> Result<Written, E> {
        self.flush()?;
        Ok(self.written)
    }

    /// One list, over as many pages as it takes.
    fn list(&mut self, id: &ListId, packed: &PackedList) -> Result<(), E> {
        self.written.lists += 1;
        let mut rest = packed.as_bytes();
        loop {
            let room = PAGE_BYTES.saturating_sub(self.page.len()).max(1024);
            let (piece, after) = rest.split_at(rest.len().min(room));
            let name = id.as_str().as_bytes();
            self.page.extend_from_slice(&(name.len() as u16).to_le_bytes());
            self.page.extend_from_slice(name);
            self.page.push(u8::from(after.is_empty()));
            self.page.extend_from_slice(&(piece.len() as u32).to_le_bytes());
            self.page.extend_from_slice(piece);
            if self.page.len() >= PAGE_BYTES {
                self.flush()?;
            }
            if after.is_empty() {
                return Ok(());
            }
            rest = after;
        }
    }

    /// Writes the page in the making.
    fn flush(&mut self) -> Result<(), E> {
        if !self.page.is_empty() {
            (self.put)(&key(b'L', self.number), &self.page)?;
            self.number += 1;
            self.page.clear();
        }
        Ok(())
    }
}

/// Reads pages back into machines.
pub struct PageReader<'a> {
    /// The directory.
    pub directory: &'a mut Directory,
    /// The campaigns.
    pub campaigns: &'a mut Campaigns,
    /// The lists, in the order of the pages.
    pub lists: &'a mut Vec<(ListId, PackedList)>,
    unfinished: Option<(ListId, Vec<u8>)>,
}

impl<'a> PageReader<'a> {
    /// Reads into empty machines.
    pub fn new(
        directory: &'a mut Directory,
        campaigns: &'a mut Campaigns,
        lists: &'a mut Vec<(ListId, PackedList)>,
    ) -> Self {
        Self { directory, campaigns, lists, unfinished: None }
    }

    /// Takes one page, in key order.
    ///
    /// # Errors
    /// When the page is not what its key says.
    pub fn read(&mut self, key: &[u8], value: &[u8]) -> Result<(), String> {
        match key.first() {
            Some(b'A') => {
                let page: DirectoryPage = codec::decode(value).map_err(|error| error.to_string())?;
                self.directory.restore(page)
            }
            Some(b'B') => {
                let page: CampaignPage = codec::decode(value).map_err(|error| error.to_string())?;
                self.campaigns.restore(page)
            }
            Some(b'L') => self.read_lists(value).ok_or_else(|| "a page of lists is malformed".to_owned()),
            other => Err(format!("a page of unknown kind {other:?}")),
        }
    }

    /// Derives what pages do not hold.
    ///
    /// # Errors
    /// When the last list has no end.
    pub fn finish(self) -> Result<(), String> {
        self.directory.restored();
        self.campaigns.restored();
        match self.unfinished {
            Some((id, _)) => Err(format!("the list {:?} has no end in the snapshot", id.as_str())),
            None => Ok(()),
        }
    }

    /// One page of lists.
    fn read_lists(&mut self, mut page: &[u8]) -> Option<()> {
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
                self.lists.push((id, PackedList::from_bytes(&bytes)));
            } else {
                self.unfinished = Some((id, bytes));
            }
            page = rest;
        }
        Some(())
    }
}

/// A page's key.
fn key(kind: u8, number: u32) -> [u8; 5] {
    let [a, b, c, d] = number.to_be_bytes();
    [kind, a, b, c, d]
}
