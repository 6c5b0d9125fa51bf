//! Errors in mail settings, addresses and letters, found before a letter is on its way.
//!
//! What happens to a letter *on* its way is a [`DeliveryOutcome`](super::DeliveryOutcome), not an error. Texts name the
//! faulty setting and never repeat its value, which may hold a password or an address.

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
    #[error("the mail setting {name} cannot be used: {reason}")]
    Option { name: &'static str, reason: &'static str },
    /// An address or a display name must not be put into a header.
    #[error("the mail address cannot be used: {0}")]
    Address(&'static str),
    /// A letter has a part that cannot be sent.
    #[error("the letter cannot be sent: {0}")]
    Letter(&'static str),
    /// The folder for mails cannot be made.
    #[error("the mail folder {} cannot be made", path.display())]
    Folder {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// The file of certificate authorities cannot be read.
    #[error("the certificate authorities in {} cannot be used: {reason}", path.display())]
    Authorities { path: PathBuf, reason: String },
    /// TLS cannot be set up on this machine.
    #[error("TLS cannot be set up")]
    Tls(#[source] tokio_rustls::rustls::Error),
}
