//! The directory's word for others: why somebody is away.

use restockd_core::campaign::Skip;
use restockd_core::directory::Away;

/// The campaign's word for why somebody is away.
pub(super) fn skip_of(away: Away) -> Skip {
    match away {
        Away::Unsubscribed => Skip::Unsubscribed,
        Away::Suppressed => Skip::Suppressed,
        Away::Erased => Skip::Erased,
        Away::NoEmail => Skip::NoEmail,
    }
}
