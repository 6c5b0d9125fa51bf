//! `[consent]`: what is kept as evidence, and how long a confirmation link works.

use super::{ConfigError, duration, millis, wrong};
use crate::http::KeepAddress;
use restockd_core::DoubleOptIn;

/// The shortest life of a confirmation link: mail takes its time.
const CONFIRM_WITHIN_MS_MIN: u64 = 600_000;

/// The double opt-in settings without any list yet; holds how long confirmation links work.
pub(super) fn double_opt_in(confirm_within: Option<&str>) -> Result<DoubleOptIn, ConfigError> {
    let mut double = DoubleOptIn::default();
    if let Some(text) = confirm_within {
        double.within_ms = millis(duration("consent.confirm_within", text)?);
        if double.within_ms < CONFIRM_WITHIN_MS_MIN {
            return Err(wrong("consent.confirm_within", "a link must work for 10m at least"));
        }
    }
    Ok(double)
}

/// Reads how much of a client's address is kept.
pub(super) fn keep_address(text: Option<&str>) -> Result<KeepAddress, ConfigError> {
    match text {
        None | Some("truncated") => Ok(KeepAddress::Truncated),
        Some("none") => Ok(KeepAddress::None),
        Some("full") => Ok(KeepAddress::Full),
        Some(other) => {
            Err(wrong("consent.keep_address", format!("{other:?} is neither none, truncated nor full")))
        }
    }
}
