//! The small text files of the snapshots: a title, lines, and a checksum of all that as the last line.
//!
//! ```text
//! restockd manifest 2
//! <field> <value…>
//! crc <8 hex digits, CRC-32 of every byte before this line>
//! ```
//!
//! There is only one spelling: a reader writes what it understood and compares, so a file that it would write
//! otherwise is damaged even if the checksum matches.

use std::fmt::Write as _;
use std::io::Read;
use std::path::Path;

use super::error::StoreError;
use crate::disk::{Disk, Stream};

/// Appends the checksum line to a text.
pub(super) fn close(mut text: String) -> String {
    let crc = crc32fast::hash(text.as_bytes());
    let _ = writeln!(text, "crc {crc:08x}");
    text
}

/// Reads a text file of at most `limit` bytes; checks the checksum line and removes it.
pub(super) fn read(disk: &dyn Disk, path: &Path, limit: u64) -> Result<String, StoreError> {
    let bytes = read_bounded(disk, path, limit)?;
    open(bytes).map_err(|what| StoreError::damaged(path, what))
}

/// Reads a whole file; refuses one that is longer than `limit` bytes.
pub(super) fn read_bounded(disk: &dyn Disk, path: &Path, limit: u64) -> Result<Vec<u8>, StoreError> {
    let file = disk.open_to_read(path).map_err(|e| StoreError::io("open", path, e))?;
    let mut bytes = Vec::new();
    Stream::new(file).take(limit + 1).read_to_end(&mut bytes).map_err(|e| StoreError::io("read", path, e))?;
    if bytes.len() as u64 > limit {
        return Err(StoreError::damaged(path, format!("it is longer than {limit} bytes")));
    }
    Ok(bytes)
}

/// Refuses a text of another version, whatever else it says.
pub(super) fn check_version(path: &Path, text: &str, title: &str, read: u32) -> Result<(), StoreError> {
    let version = text.lines().next().and_then(|line| line.strip_prefix(title)?.parse().ok());
    match version.filter(|version| *version != read) {
        Some(found) => Err(StoreError::Version { path: path.to_path_buf(), found, read }),
        None => Ok(()),
    }
}

/// Checks the checksum line of a text and removes it.
pub(super) fn open(bytes: Vec<u8>) -> Result<String, String> {
    let mut text = String::from_utf8(bytes).map_err(|_| "it is not text".to_owned())?;
    let end = text.trim_end_matches('\n').rfind('\n').map_or(0, |newline| newline + 1);
    let (body, tail) = text.split_at(end);
    let mut expected = String::new();
    let _ = writeln!(expected, "crc {:08x}", crc32fast::hash(body.as_bytes()));
    if tail != expected {
        return Err("its checksum does not hold, it was cut or changed".to_owned());
    }
    text.truncate(end);
    Ok(text)
}

/// Bytes as lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Exactly `N` bytes from hex.
pub(super) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != N * 2 || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; N];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(index * 2..index * 2 + 2)?, 16).ok()?;
    }
    Some(bytes)
}

/// The value in a line that must be the field `name`.
pub(super) fn field<'a>(line: Option<&'a str>, name: &str) -> Option<&'a str> {
    line?.strip_prefix(name)?.strip_prefix(' ')
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "a test may fail by a panic")]
mod tests {
    use super::*;

    #[test]
    fn a_text_opens_only_as_it_was_closed() {
        let text = close("title 1\nfield x\n".to_owned());
        assert_eq!(open(text.clone().into_bytes()).expect("whole"), "title 1\nfield x\n");
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 0x20;
            assert!(open(bytes).is_err(), "byte {at} changed");
            assert!(open(text.as_bytes()[..at].to_vec()).is_err(), "cut at {at}");
        }
        assert!(open(format!("{text}\n").into_bytes()).is_err(), "a line more");
        assert!(open(Vec::new()).is_err());
    }

    #[test]
    fn hex_goes_both_ways_and_no_other() {
        assert_eq!(unhex::<3>(&hex(&[0, 0xab, 0xff])), Some([0, 0xab, 0xff]));
        assert_eq!(unhex::<1>("+1"), Some([1]), "the spelling is checked by the reader, who writes it again");
        assert_eq!(unhex::<1>("abc"), None);
        assert_eq!(unhex::<1>("é"), None);
    }
}
