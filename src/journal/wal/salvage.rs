//! Finds every record that still verifies, wherever it is: for a check to count, and for a repair to report
//! what it gives up.
//!
//! It also looks behind damage, in the steps of 8 bytes at which frames begin, so what it hands out may have
//! gaps and is no replay. The checksum of a frame starts from the number of its segment; if the header is
//! bad, the number after the segment before it is tried.

use super::bytes::content_end;
use super::error::WalError;
use super::frame;
use super::segment::{self, HEADER_BYTES, Header};
use super::{Lsn, Options, RecordRef};
use crate::disk::Disk;

/// Hands out every record of every segment file whose frame verifies, file by file.
///
/// # Errors
///
/// If the directory or a file cannot be read.
pub fn salvage(
    disk: &dyn Disk,
    options: &Options,
    sink: &mut dyn FnMut(Lsn, &RecordRef<'_>),
) -> Result<(), WalError> {
    let names = match disk.list(&options.dir) {
        Ok(names) => names,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(WalError::io("list", &options.dir, error)),
    };
    let mut number = 0;
    for name in names.iter().filter(|name| segment::parse_name(name).is_some()) {
        let path = options.dir.join(name);
        let bytes = disk.read(&path).map_err(|error| WalError::io("read", &path, error))?;
        number = Header::decode(&bytes, &options.engine).map_or(number + 1, |header| header.number);
        let seed = frame::seed(&options.engine, number);
        let (mut at, stop) = (HEADER_BYTES, content_end(&bytes));
        while at < stop {
            at = match frame::decode(&bytes, at, seed) {
                Ok(frame) => {
                    frame.iter().for_each(|(lsn, record)| sink(lsn, &record));
                    frame.end
                }
                Err(_) => at + 8,
            };
        }
    }
    Ok(())
}
