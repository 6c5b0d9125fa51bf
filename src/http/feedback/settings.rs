//! Settings about relays: whose events are taken in, and how they are verified.

use std::fmt;
use std::sync::Arc;

use super::super::settings::Secret;
use super::fetch::{Fetch, Https};

/// The settings of `/v1/returns`; a relay without a secret is refused.
#[derive(Clone)]
pub struct ReturnsSettings {
    /// The ARN of the SNS topic that SES reports to.
    pub ses_topic: Option<String>,
    /// `user:password` as in Postmark's webhook URL.
    pub postmark: Vec<Secret>,
    pub mailgun: Vec<Secret>,
    /// How old Mailgun's signature may be, in milliseconds.
    pub mailgun_tolerance_ms: u64,
    /// SendGrid's public keys, in base64 as SendGrid shows them.
    pub sendgrid: Vec<Secret>,
    /// How old SendGrid's signature may be, in milliseconds.
    pub sendgrid_tolerance_ms: u64,
    /// Resend's secrets, `whsec_…`.
    pub resend: Vec<Secret>,
    /// How old Resend's signature may be, in milliseconds.
    pub resend_tolerance_ms: u64,
    pub fetch: Arc<dyn Fetch>,
}

/// The defaults for ages: Mailgun repeats a delivery for 8 hours and SendGrid for 24, and neither documents whether a repeat
/// is signed anew. So late deliveries are accepted; one seen before changes nothing. Resend signs every attempt.
impl Default for ReturnsSettings {
    fn default() -> Self {
        Self {
            ses_topic: None,
            postmark: Vec::new(),
            mailgun: Vec::new(),
            mailgun_tolerance_ms: 9 * 3_600_000,
            sendgrid: Vec::new(),
            sendgrid_tolerance_ms: 25 * 3_600_000,
            resend: Vec::new(),
            resend_tolerance_ms: 300_000,
            fetch: Arc::new(Https::default()),
        }
    }
}

impl ReturnsSettings {
    /// Checks every secret before the server listens.
    ///
    /// # Errors
    /// When a secret does not have the form that its relay uses; the text does not contain it.
    pub fn check(&self) -> Result<(), String> {
        super::FeedbackVerifiers::new(self.clone()).map(drop).map_err(|error| error.to_string())
    }

    /// Whether the text is the ARN of an SNS topic.
    #[must_use]
    pub fn is_topic(arn: &str) -> bool {
        super::sns::Topic::parse(arn).is_some()
    }
}

impl fmt::Debug for ReturnsSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReturnsSettings").field("ses_topic", &self.ses_topic).finish_non_exhaustive()
    }
}
