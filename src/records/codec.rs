//! The one home of bincode.
//!
//! bincode 2 with variable-length integers. It is finished and unmaintained (RUSTSEC-2025-0141),
//! so nothing else names it: the bytes are pinned by golden files in the tests, and the day it
//! must go, this file is what changes. It decodes only from slices that a checksum has already
//! vouched for, never from a socket; every decode says how much it used, and what is left over is
//! an error.

use serde::{Deserialize, Serialize};

use crate::kind::Kind;

/// The most a single decode may claim, in bytes.
const LIMIT: usize = 64 << 20;

/// Why bytes were not what they should be.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// Not an encoding of the expected type.
    #[error("the bytes do not decode: {0}")]
    Malformed(String),
    /// More bytes than the value needs.
    #[error("{0} bytes are left over after the value")]
    Trailing(usize),
}

/// The settings every byte on disk was made with.
fn config() -> impl bincode::config::Config {
    bincode::config::standard().with_limit::<LIMIT>()
}

/// Appends the encoding of `value` to `bytes`.
///
/// # Panics
/// Never for our own types: they hold nothing that bincode cannot write (no maps of unknown
/// length, no untagged enums), and the sink is memory.
pub(crate) fn encode_into<T: Serialize>(value: &T, bytes: &mut Vec<u8>) {
    bincode::serde::encode_into_std_write(value, bytes, config())
        .expect("a record type holds only what bincode can write, and memory takes every byte");
}

/// Appends the body of a record or page, and says its kind again.
pub(crate) fn body<T: Serialize>(kind: Kind, body: &T, bytes: &mut Vec<u8>) -> Kind {
    encode_into(body, bytes);
    kind
}

/// A kind and version that the table of kinds lets through and nothing reads: a bug of this build.
pub(crate) fn no_body(kind: Kind, version: u8) -> CodecError {
    CodecError::Malformed(format!("nothing reads version {version} of {}", kind.name()))
}

/// Decodes a value that fills `bytes` exactly and may borrow from them.
///
/// # Errors
/// When the bytes are something else, or too many.
pub(crate) fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, CodecError> {
    let (value, rest) = decode_borrowed_prefix(bytes)?;
    if rest.is_empty() { Ok(value) } else { Err(CodecError::Trailing(rest.len())) }
}

/// Decodes a value that may borrow from the front of `bytes` and returns what follows it.
///
/// # Errors
/// When the bytes are something else.
pub(crate) fn decode_borrowed_prefix<'a, T: Deserialize<'a>>(
    bytes: &'a [u8],
) -> Result<(T, &'a [u8]), CodecError> {
    let (value, used) = bincode::serde::borrow_decode_from_slice(bytes, config())
        .map_err(|error| CodecError::Malformed(error.to_string()))?;
    Ok((value, bytes.get(used..).unwrap_or_default()))
}
