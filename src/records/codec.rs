//! The only file that uses bincode.
//!
//! The format is bincode 2 with variable-length integers. bincode is finished and no longer maintained
//! (RUSTSEC-2025-0141), so no other file names it: golden files in the tests pin its bytes, and if it must be
//! replaced, only this file changes. It decodes only slices whose checksum has matched, never data from a
//! socket, and bytes that are left over are an error.

use serde::{Deserialize, Serialize};

use crate::kind::Kind;

/// The most memory that a single decode may claim, in bytes.
const LIMIT: usize = 64 << 20;

/// Why bytes do not decode.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// They do not encode a value of this type.
    #[error("the bytes do not decode: {0}")]
    Malformed(String),
    /// So many bytes are left over after the value.
    #[error("{0} bytes are left over after the value")]
    Trailing(usize),
}

/// The settings with which every byte on disk was made.
fn config() -> impl bincode::config::Config {
    bincode::config::standard().with_limit::<LIMIT>()
}

/// Appends the encoding of `value` to `bytes`.
///
/// # Panics
/// Never for the types of this crate: they hold nothing that bincode cannot write (no maps of unknown length,
/// no untagged enums), and memory is the sink.
pub(crate) fn encode_into<T: Serialize>(value: &T, bytes: &mut Vec<u8>) {
    bincode::serde::encode_into_std_write(value, bytes, config())
        .expect("a record type holds only what bincode can write, and memory takes every byte");
}

/// Appends the body of a record or page; returns its kind.
pub(crate) fn body<T: Serialize>(kind: Kind, body: &T, bytes: &mut Vec<u8>) -> Kind {
    encode_into(body, bytes);
    kind
}

/// The error for a kind and version that the table of kinds allows but no code reads, which is a bug of this
/// build.
pub(crate) fn no_body(kind: Kind, version: u8) -> CodecError {
    CodecError::Malformed(format!("nothing reads version {version} of {}", kind.name()))
}

/// Decodes a value that fills `bytes` exactly and may borrow from them.
///
/// # Errors
/// If the bytes do not encode such a value, or some are left over.
pub(crate) fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, CodecError> {
    let (value, rest) = decode_borrowed_prefix(bytes)?;
    if rest.is_empty() { Ok(value) } else { Err(CodecError::Trailing(rest.len())) }
}

/// Decodes a value at the start of `bytes`, from which it may borrow, and returns the bytes after it.
///
/// # Errors
/// If the bytes do not begin with such a value.
pub(crate) fn decode_borrowed_prefix<'a, T: Deserialize<'a>>(
    bytes: &'a [u8],
) -> Result<(T, &'a [u8]), CodecError> {
    let (value, used) = bincode::serde::borrow_decode_from_slice(bytes, config())
        .map_err(|error| CodecError::Malformed(error.to_string()))?;
    Ok((value, bytes.get(used..).unwrap_or_default()))
}
