//! The flat-file backend, against which sled is checked and which can replace it.
//!
//! ```text
//! pages.flat
//!   "RSTKPAGE" | version 1, u32
//!   per page     key length, u32 | value length, u32 | CRC-32 of both lengths, key and value, u32 | key | value
//!   trailer      0, u32 | 0xffffffff, u32 | pages, u64 | bytes before the trailer, u64
//!                SHA-256 of everything before itself | "PAGESEND"
//! ```
//!
//! All numbers are little-endian. Keys are never empty, so a key length of 0 marks the trailer. Pages are in
//! the order in which they were put. Opening reads the file once, checks all of it, and keeps the keys with
//! the places of their values in memory, so that pages can be visited in order. Opening writes nothing.

use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::backend::{Each, PageReader, PageWriter, SnapshotPage, SnapshotStore};
use super::building::{KEY_BYTES_MAX, VALUE_BYTES_MAX};
use super::error::StoreError;
use crate::disk::{Disk, DiskFile, Stream};

const FILE: &str = "pages.flat";
const HEAD: [u8; 12] = *b"RSTKPAGE\x01\0\0\0";
const END: [u8; 8] = *b"PAGESEND";
const MARK: [u8; 8] = [0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff];
const BUFFER_BYTES: usize = 1 << 20;

pub(super) struct Flat;

impl SnapshotStore for Flat {
    fn create(&self, disk: &Arc<dyn Disk>, dir: &Path) -> Result<Box<dyn PageWriter>, StoreError> {
        let path = dir.join(FILE);
        let file = disk.create(&path).map_err(|e| StoreError::io("create", &path, e))?;
        let file = BufWriter::with_capacity(BUFFER_BYTES, Stream::new(file));
        let mut writer = Writer { path, file, digest: Sha256::new(), bytes: 0, pages: 0 };
        writer.write(&HEAD)?;
        Ok(Box::new(writer))
    }

    fn open(&self, disk: &Arc<dyn Disk>, dir: &Path) -> Result<Box<dyn PageReader>, StoreError> {
        let path = dir.join(FILE);
        let mut file = disk.open_to_read(&path).map_err(|e| StoreError::io("open", &path, e))?;
        let stream = BufReader::with_capacity(BUFFER_BYTES, Stream::new(&mut *file));
        let scan = Scan { digest: Sha256::new(), at: 0, file: stream };
        let mut places = scan.run().map_err(|what| StoreError::damaged(&path, what))?;
        places.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        Ok(Box::new(Reader { path, file, places }))
    }

    fn writes_on_open(&self) -> bool {
        false
    }
}

struct Writer {
    path: PathBuf,
    file: BufWriter<Stream<Box<dyn DiskFile>>>,
    digest: Sha256,
    bytes: u64,
    pages: u64,
}

impl Writer {
    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.digest.update(bytes);
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes).map_err(|e| StoreError::io("write", &self.path, e))
    }
}

impl PageWriter for Writer {
    fn put(&mut self, batch: Vec<SnapshotPage>) -> Result<(), StoreError> {
        for (key, value) in batch {
            let lengths = lengths(&key, &value);
            self.write(&lengths)?;
            self.write(&checksum(&lengths, &key, &value))?;
            self.write(&key)?;
            self.write(&value)?;
            self.pages += 1;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        let (pages, bytes) = (self.pages, self.bytes);
        self.write(&MARK)?;
        self.write(&pages.to_le_bytes())?;
        self.write(&bytes.to_le_bytes())?;
        let digest = self.digest.finalize_reset();
        self.write(&digest)?;
        self.write(&END)?;
        self.file.flush().map_err(|e| StoreError::io("write", &self.path, e))
    }
}

/// Where the value of a page is in the file.
struct Place {
    key: Box<[u8]>,
    at: u64,
    length: usize,
}

/// The reading of the whole file when it is opened.
struct Scan<'a> {
    file: BufReader<Stream<&'a mut (dyn DiskFile + 'static)>>,
    digest: Sha256,
    at: u64,
}

impl Scan<'_> {
    fn run(mut self) -> Result<Vec<Place>, String> {
        if self.take::<12>()? != HEAD {
            return Err("it does not begin as a file of pages".to_owned());
        }
        let mut places = Vec::new();
        let mut page = Vec::new();
        loop {
            let begin = self.at;
            let lengths = self.take::<8>()?;
            if lengths == MARK {
                self.trailer(places.len() as u64, begin)?;
                return Ok(places);
            }
            let [a, b, c, d, e, f, g, h] = lengths;
            let key = u32::from_le_bytes([a, b, c, d]) as usize;
            let value = u32::from_le_bytes([e, f, g, h]) as usize;
            if key == 0 || key > KEY_BYTES_MAX || value > VALUE_BYTES_MAX {
                return Err(format!("the page at byte {begin} has impossible lengths"));
            }
            let crc = self.take::<4>()?;
            page.resize(key + value, 0);
            self.fill(&mut page)?;
            let (key, value) = page.split_at(key);
            if checksum(&lengths, key, value) != crc {
                return Err(format!("the checksum of the page at byte {begin} does not hold"));
            }
            let length = value.len();
            places.push(Place { key: key.into(), at: self.at - length as u64, length });
        }
    }

    fn trailer(&mut self, pages: u64, bytes: u64) -> Result<(), String> {
        let (told_pages, told_bytes) = (self.take::<8>()?, self.take::<8>()?);
        if u64::from_le_bytes(told_pages) != pages || u64::from_le_bytes(told_bytes) != bytes {
            return Err(format!("its trailer does not fit the {pages} pages in {bytes} bytes before it"));
        }
        let digest: [u8; 32] = self.digest.finalize_reset().into();
        if self.take::<32>()? != digest {
            return Err("the digest in its trailer does not hold".to_owned());
        }
        let end = self.take::<8>()? == END && matches!(self.file.read(&mut [0]), Ok(0));
        end.then_some(()).ok_or_else(|| "it does not end where its trailer says".to_owned())
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), String> {
        let at = self.at;
        self.file.read_exact(bytes).map_err(|e| format!("it cannot be read at byte {at}: {e}"))?;
        self.digest.update(&*bytes);
        self.at += bytes.len() as u64;
        Ok(())
    }
}

struct Reader {
    path: PathBuf,
    file: Box<dyn DiskFile>,
    places: Vec<Place>,
}

impl PageReader for Reader {
    fn scan(&mut self, each: &mut Each<'_>) -> Result<(), StoreError> {
        let mut value = Vec::new();
        for place in &self.places {
            value.resize(place.length, 0);
            let read = self.file.read_at(place.at, &mut value);
            read.map_err(|e| StoreError::io("read", &self.path, e))?;
            each(&place.key, &value)?;
        }
        Ok(())
    }
}

fn lengths(key: &[u8], value: &[u8]) -> [u8; 8] {
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes();
    let ([a, b, c, d], [e, f, g, h]) = (length(key), length(value));
    [a, b, c, d, e, f, g, h]
}

fn checksum(lengths: &[u8], key: &[u8], value: &[u8]) -> [u8; 4] {
    let mut crc = crc32fast::Hasher::new();
    crc.update(lengths);
    crc.update(key);
    crc.update(value);
    crc.finalize().to_le_bytes()
}
