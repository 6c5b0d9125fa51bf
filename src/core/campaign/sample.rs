//! A campaign header for tests.

use super::{Header, InDoubtPolicy};
use crate::ids::{CampaignId, ListId};
use crate::time::Day;

impl Header {
    /// A rule campaign of a list and a day, with every optional setting left out.
    #[must_use]
    pub fn sample(id: CampaignId, list: ListId, day: Day) -> Self {
        Self {
            id,
            key: None,
            name: "x".to_owned(),
            list,
            rule: true,
            day: Some(day),
            template: "t".to_owned(),
            props: "{}".to_owned(),
            subject: None,
            from: None,
            on_doubt: InDoubtPolicy::Hold,
            rate: None,
            scheduled: None,
            max_age: None,
        }
    }
}
