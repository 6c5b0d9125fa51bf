//! An entry point for fuzz targets and tests (feature `testing`): an SMTP conversation over a stream whose other end the
//! caller plays.
//!
//! It leaves out name look-up and TCP, and nothing else: greeting, sign-in, transaction, dot, reset and goodbye are the
//! courier's own code.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

use super::smtp::{self, SmtpClient};
use super::transport_url::{self, Target};
use super::{DeliveryOutcome, Letter, MailError, MailOptions};

/// Sends letters to the server at the other end of `stream`, with the given transport setting; one outcome for each letter
/// that was tried.
///
/// # Errors
///
/// When the setting is not one of SMTP.
pub async fn converse(
    setting: &str,
    options: MailOptions,
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    letters: &[Letter],
) -> Result<Vec<DeliveryOutcome>, MailError> {
    let Target::Smtp(relay) = transport_url::parse(setting)? else {
        return Err(MailError::Setting("only a mail server can be spoken with"));
    };
    let post = Arc::new(SmtpClient::new(relay, options)?);
    Ok(smtp::converse(&post, Box::new(stream), letters).await)
}
