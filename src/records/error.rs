//! Why a record or a page cannot be read, in sentences that say what to do.

use crate::codec::CodecError;

/// This build, as a person knows it.
pub(crate) const RELEASE: &str = env!("CARGO_PKG_VERSION");

/// Why a record or a page cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// A newer restockd wrote it.
    #[error(
        "{what} of version {found} was written by a newer restockd; this one ({RELEASE}) reads {}: start the version \
         that wrote it",
        known(*.reads)
    )]
    Newer {
        /// The kind, or its number where this build has no name for it.
        what: String,
        /// The version that was found.
        found: u8,
        /// The highest version that this build reads; `None` where it does not know the kind at all.
        reads: Option<u8>,
    },
    /// A build from before the first release wrote it.
    #[error(
        "{what} of version {found} was written by a restockd from before the first release; this one ({RELEASE}) reads \
         version {reads} and later: give it a data directory of its own"
    )]
    Older {
        /// The kind, or its number where this build has no name for it.
        what: String,
        /// The version that was found.
        found: u8,
        /// The lowest version that this build reads.
        reads: u8,
    },
    /// The bytes are not what the kind says.
    #[error("{what} does not decode: {source}")]
    Malformed {
        /// The kind.
        what: &'static str,
        /// What the codec said.
        source: CodecError,
    },
}

impl RecordError {
    /// True when a newer restockd wrote the bytes: nothing is damaged then.
    #[must_use]
    pub fn is_newer(&self) -> bool {
        matches!(self, Self::Newer { .. })
    }
}

fn known(reads: Option<u8>) -> String {
    reads.map_or_else(|| "no such kind".to_owned(), |version| format!("up to version {version}"))
}
