//! Everything that can be wrong with mail before a letter is on its way.
//!
//! What goes wrong *on* the way is no error but an [`DeliveryOutcome`](super::DeliveryOutcome). Texts name the setting at fault and
//! never repeat its value: it may hold a password or an address.

use std::path::PathBuf;

/// A mail setting, address or letter that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// `RESTOCKD_MAIL` is not one of the known forms.
    #[error(
        "the mail setting cannot be used: {0}; expected folder:DIR, smtp://user:password@host:port, smtps://…, \
         smtp+opportunistic://host:port, \
         smtp+insecure://host:port, memory: or discard:"
    )]
    Setting(&'static str),
    /// Another mail setting is out of its bounds.
    #[error("the mail setting {name} cannot be used: {reason}")]
    Option {
        /// The setting.
        name: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// An address or its display name is not fit to stand in a header.
    #[error("the mail address cannot be used: {0}")]
    Address(&'static str),
    /// A letter has a part that cannot be sent.
    #[error("the letter cannot be sent: {0}")]
    Letter(&'static str),
    /// The folder for mails cannot be made.
    #[error("the mail folder {} cannot be made", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file with certificate authorities cannot be read.
    #[error("the certificate authorities in {} cannot be used: {reason}", path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// TLS cannot be set up on this machine.
    #[error("TLS cannot be set up")]
    Tls(#[source] tokio_rustls::rustls::Error),
}
