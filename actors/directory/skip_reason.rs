//! From the directory's reason why somebody gets no mail to the campaigns' reason.

use restockd_core::campaign::SkipReason;
use restockd_core::directory::Undeliverable;

pub(super) fn skip_of(undeliverable: Undeliverable) -> SkipReason {
    match undeliverable {
        Undeliverable::Unsubscribed => SkipReason::Unsubscribed,
        Undeliverable::Suppressed => SkipReason::Suppressed,
        Undeliverable::Erased => SkipReason::Erased,
        Undeliverable::NoEmail => SkipReason::NoEmail,
    }
}
