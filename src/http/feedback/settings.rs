//! What the door is told about relays: whose events are taken, and how they prove themselves.

use std::fmt;
use std::sync::Arc;

use super::super::settings::Secret;
use super::fetch::{Fetch, Https};

/// The settings of `/v1/returns`; a relay without a secret is refused.
#[derive(Clone)]
pub struct ReturnsSettings {
    /// The SNS topic that SES reports to.
    pub ses_topic: Option<String>,
    /// `user:password` of Postmark's webhook URL.
    pub postmark: Vec<Secret>,
    /// Mailgun's signing keys.
    pub mailgun: Vec<Secret>,
    /// How old Mailgun's signature may be.
    pub mailgun_tolerance_ms: u64,
    /// SendGrid's public keys: base64, as its page shows them.
    pub sendgrid: Vec<Secret>,
    /// How old SendGrid's signature may be.
    pub sendgrid_tolerance_ms: u64,
    /// Resend's secrets, `whsec_…`.
    pub resend: Vec<Secret>,
    /// How old Resend's signature may be.
    pub resend_tolerance_ms: u64,
    /// How Amazon's certificates are fetched.
    pub fetch: Arc<dyn Fetch>,
}

/// Mailgun sends again for 8 hours, SendGrid for 24, and neither says whether it signs anew: what is
/// taken late is taken, and a delivery seen before is a no-op. Resend signs every attempt.
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
    /// Looks at every secret before anything listens.
    ///
    /// # Errors
    /// When one cannot be what its relay proves itself with; the text does not hold it.
    pub fn check(&self) -> Result<(), String> {
        super::FeedbackVerifiers::new(self.clone()).map(drop).map_err(|error| error.to_string())
    }

    /// True for the name of an SNS topic.
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
