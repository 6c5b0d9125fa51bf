//! Why a record or page cannot be read, in sentences that say what to do.

use crate::codec::CodecError;

/// The version of this build.
pub(crate) const RELEASE: &str = env!("CARGO_PKG_VERSION");

/// Why a record or page cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// It was written by a newer restockd.
    #[error(
        "{what} of version {found} was written by a newer restockd; this one ({RELEASE}) reads {}: start the version \
         that wrote it",
        known(*.reads)
    )]
    Newer {
        /// The name of the kind, or its number if this build has no name for it.
        what: String,
        /// The version of the record or page.
        found: u8,
        /// The highest version that this build reads; `None`: it does not know the kind.
        reads: Option<u8>,
    },
    /// It was written by a build from before the first release.
    #[error(
        "{what} of version {found} was written by a restockd from before the first release; this one ({RELEASE}) reads \
         version {reads} and later: give it a data directory of its own"
    )]
    Older {
        /// The name of the kind, or its number if this build has no name for it.
        what: String,
        /// The version of the record or page.
        found: u8,
        /// The lowest version that this build reads.
        reads: u8,
    },
    /// Its bytes are not of the layout that its kind and version have.
    #[error("{what} does not decode: {source}")]
    Malformed {
        /// The name of the kind.
        what: &'static str,
        source: CodecError,
    },
}

impl RecordError {
    /// Whether a newer restockd wrote the bytes; then nothing is damaged.
    #[must_use]
    pub fn is_newer(&self) -> bool {
        matches!(self, Self::Newer { .. })
    }
}

fn known(reads: Option<u8>) -> String {
    reads.map_or_else(|| "no such kind".to_owned(), |version| format!("up to version {version}"))
}
