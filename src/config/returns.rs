//! `[returns]`: when an address is suppressed after bounces, and which relays may report feedback.
//!
//! Secrets are in the environment, never in the file: `secret_env` names the variable, by default
//! `<RELAY>_RETURNS_SECRET`. A variable may hold several secrets, separated by blanks or commas, during a rotation. A relay
//! without a secret is refused.

use serde::Deserialize;

use super::{ConfigError, duration, millis, wrong};
use crate::http::{ReturnsSettings, Secret};
use restockd_core::directory::EVIDENCE_MAX;

/// `[returns]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ReturnsFile {
    soft_bounces: Option<usize>,
    soft_window: Option<String>,
    ses: SesFile,
    postmark: RelayFile,
    mailgun: TimedFile,
    sendgrid: TimedFile,
    resend: TimedFile,
}

/// `[returns.ses]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SesFile {
    topic_arn: Option<String>,
}

/// `[returns.postmark]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RelayFile {
    secret_env: Option<String>,
}

/// `[returns.mailgun]`, `[returns.sendgrid]`, `[returns.resend]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TimedFile {
    secret_env: Option<String>,
    tolerance: Option<String>,
}

impl ReturnsFile {
    /// After how many soft bounces an address is suppressed.
    pub(super) fn soft_bounces(&self) -> Result<u8, ConfigError> {
        // The directory remembers only so many reports of an address.
        let number = self.soft_bounces.unwrap_or(3);
        let fits = (1..EVIDENCE_MAX).contains(&number);
        let number = fits.then(|| u8::try_from(number).ok()).flatten();
        number.ok_or_else(|| {
            wrong("returns.soft_bounces", format!("it must be from 1 to {}", EVIDENCE_MAX - 1))
        })
    }

    /// The time within which soft bounces are counted.
    pub(super) fn soft_window_ms(&self) -> Result<u64, ConfigError> {
        Ok(millis(duration("returns.soft_window", self.soft_window.as_deref().unwrap_or("30d"))?))
    }

    /// The settings that the HTTP layer needs.
    pub(super) fn settings(
        self,
        env: &impl Fn(&str) -> Option<String>,
    ) -> Result<ReturnsSettings, ConfigError> {
        let secrets = |relay: &str, variable: Option<String>| -> Vec<Secret> {
            let variable = variable.unwrap_or_else(|| format!("{relay}_RETURNS_SECRET"));
            let secrets = env(&variable).unwrap_or_default();
            let secrets = secrets.split([' ', ',']).filter(|secret| !secret.is_empty());
            secrets.map(Secret::new).collect()
        };
        let tolerance = |relay: &str, text: Option<String>, unless: u64| -> Result<u64, ConfigError> {
            let key = format!("returns.{relay}.tolerance");
            Ok(text.map(|text| duration(&key, &text)).transpose()?.map_or(unless, millis))
        };
        let defaults = ReturnsSettings::default();
        if let Some(arn) = self.ses.topic_arn.as_deref()
            && !ReturnsSettings::is_topic(arn)
        {
            let text = format!("{arn:?} is not like arn:aws:sns:eu-west-1:123456789012:returns");
            return Err(wrong("returns.ses.topic_arn", text));
        }
        let settings = ReturnsSettings {
            ses_topic: self.ses.topic_arn,
            postmark: secrets("POSTMARK", self.postmark.secret_env),
            mailgun: secrets("MAILGUN", self.mailgun.secret_env),
            mailgun_tolerance_ms: tolerance(
                "mailgun",
                self.mailgun.tolerance,
                defaults.mailgun_tolerance_ms,
            )?,
            sendgrid: secrets("SENDGRID", self.sendgrid.secret_env),
            sendgrid_tolerance_ms: tolerance(
                "sendgrid",
                self.sendgrid.tolerance,
                defaults.sendgrid_tolerance_ms,
            )?,
            resend: secrets("RESEND", self.resend.secret_env),
            resend_tolerance_ms: tolerance("resend", self.resend.tolerance, defaults.resend_tolerance_ms)?,
            ..defaults
        };
        settings.check().map_err(|reason| wrong("returns", reason))?;
        Ok(settings)
    }
}
