//! What the campaign actor holds for a campaign that runs: nothing that could not be asked again.

use std::collections::VecDeque;
use std::sync::Arc;

use super::campaign::Prepared;
use super::delivery::Sheet;
use crate::domain::Millis;

/// A running campaign's letters at hand.
#[derive(Debug, Default)]
pub struct Runner {
    /// Fetched and not started.
    pub ready: VecDeque<Prepared>,
    /// Asked of the directory and not answered.
    pub fetching: usize,
    /// The list was asked and has not answered.
    pub inviting: bool,
    /// The list has nobody left of the audience.
    pub all_invited: bool,
    /// On a list that everybody is on: the last contact number asked for.
    pub page: u32,
    /// Stands in the line of campaigns that may start a letter.
    pub in_line: bool,
    /// What the list handed over before a restart is known again.
    pub resumed: bool,
    /// When the next deferred letter falls due, or the campaign its time.
    pub wake: Option<Millis>,
    /// The campaign's part of every letter.
    pub sheet: Option<Arc<Sheet>>,
}

impl Runner {
    /// A campaign that was opened in this run: there is nothing to ask again.
    #[must_use]
    pub fn fresh() -> Self {
        Self { resumed: true, ..Self::default() }
    }
}
