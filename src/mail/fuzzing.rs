//! A test door (feature `testing`): a conversation over a stream that the caller plays the server on.
//!
//! It leaves out what a test cannot play (names, TCP) and nothing else: greeting, sign-in, transaction, dot, reset
//! and goodbye are the courier's own. The fuzz target of the reply path uses it, and tests.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

use super::smtp::{self, SmtpClient};
use super::transport_url::{self, Target};
use super::{DeliveryOutcome, Letter, MailError, MailOptions};

/// Carries letters to the server at the other end of `stream`, as a mail setting says; one outcome for each that
/// was tried.
///
/// # Errors
///
/// The setting is not one of SMTP.
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
