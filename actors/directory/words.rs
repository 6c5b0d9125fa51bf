//! The directory's words for others: why somebody is away, and what could not be done.

use crate::domain::campaign::Skip;
use crate::domain::directory::{Away, Trouble};

/// The campaign's word for why somebody is away.
pub(super) fn skip_of(away: Away) -> Skip {
    match away {
        Away::Unsubscribed => Skip::Unsubscribed,
        Away::Suppressed => Skip::Suppressed,
        Away::Erased => Skip::Erased,
        Away::NoEmail => Skip::NoEmail,
    }
}

/// The short text of `listsError`: no internals, no address.
pub(super) fn in_words(trouble: &Trouble) -> String {
    match trouble {
        Trouble::NoEmail => "no email address is known for this person".to_owned(),
        Trouble::Suppressed => "this address takes no mail (unsubscribed, bounced or complained)".to_owned(),
        Trouble::EmailTaken => "this email address belongs to another user".to_owned(),
        Trouble::UnknownLists(lists) => {
            let mut shown: Vec<String> =
                lists.iter().take(5).map(|list| list.chars().take(60).collect()).collect();
            if lists.len() > shown.len() {
                shown.push(format!("and {} more", lists.len() - shown.len()));
            }
            format!("unknown lists: {}", shown.join(", "))
        }
    }
}
