//! The directory's word for others: why somebody is away.

use restockd_core::campaign::SkipReason;
use restockd_core::directory::Undeliverable;

/// The campaign's word for why somebody is away.
pub(super) fn skip_of(undeliverable: Undeliverable) -> SkipReason {
    match undeliverable {
        Undeliverable::Unsubscribed => SkipReason::Unsubscribed,
        Undeliverable::Suppressed => SkipReason::Suppressed,
        Undeliverable::Erased => SkipReason::Erased,
        Undeliverable::NoEmail => SkipReason::NoEmail,
    }
}
