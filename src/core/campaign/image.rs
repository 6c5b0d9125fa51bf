//! Campaigns as a snapshot takes them. The image shares the pages of the ledgers, so no row is copied.

use super::super::outcome::Diagnostic;
use super::super::pages::Pages;
use super::super::shaping::ThrottleImage;
use super::super::time::Millis;
use super::ledger::{Deferral, Ledger, LetterRow, LetterState};
use super::{Campaign, CampaignStatus, Campaigns, Header, Pace, SkipReason, Swept};

/// The most rows in one page of a snapshot.
const ROWS: usize = 2048;

/// All campaigns at one moment, for a snapshot.
#[derive(Debug, Clone)]
pub struct CampaignsImage {
    seq: u64,
    pace: Pace,
    swept: Swept,
    throttles: Vec<ThrottleImage>,
    all: Vec<CampaignImage>,
}

/// One campaign at one moment.
#[derive(Debug, Clone)]
pub(crate) struct CampaignImage {
    head: CampaignHead,
    rows: Pages<LetterRow>,
}

/// A campaign without the rows of its ledger. Fields of the same name mean what they do in [`Campaign`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CampaignHead {
    pub header: Header,
    pub status: CampaignStatus,
    pub upto: u32,
    pub uninvited: u32,
    pub unreached: u32,
    pub handed_over: bool,
    pub pace: Pace,
    pub created: Millis,
    pub started: Option<Millis>,
    pub completed: Option<Millis>,
    pub canceled: Option<Millis>,
    pub why: Option<String>,
    /// The times of deferred letters, by row.
    pub deferrals: Vec<(u32, Deferral)>,
    /// The hash of each address to which a letter was started, and the row.
    pub addresses: Vec<(u64, u32)>,
    /// The last server reply to letters that were not accepted, by row.
    pub diagnostics: Vec<(u32, Diagnostic)>,
    /// Letters that must not be tried again, by row.
    pub gone: Vec<(u32, SkipReason)>,
    /// The counters by state, for a ledger that has dropped its rows; `None`: count the rows.
    pub counts: Option<Vec<(LetterState, u64)>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CampaignPage {
    /// What concerns all campaigns together; the first page.
    Totals {
        /// How many records were applied.
        seq: u64,
        pace: Pace,
        swept: Swept,
    },
    /// A campaign without its rows.
    Head(Box<CampaignHead>),
    /// Rows of the campaign whose head came last.
    Rows(Vec<LetterRow>),
    /// Throttles of providers with something to remember.
    Throttles(Vec<ThrottleImage>),
}

impl CampaignsImage {
    #[must_use]
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// All pages, in the order in which [`Campaigns::restore`] takes them.
    pub fn pages(&self) -> impl Iterator<Item = CampaignPage> + '_ {
        let totals =
            std::iter::once(CampaignPage::Totals { seq: self.seq, pace: self.pace, swept: self.swept });
        let throttles =
            self.throttles.chunks(ROWS).map(|throttles| CampaignPage::Throttles(throttles.to_vec()));
        totals.chain(throttles).chain(self.all.iter().flat_map(|campaign| {
            let head = std::iter::once(CampaignPage::Head(Box::new(campaign.head.clone())));
            let rows = (0..campaign.rows.len()).step_by(ROWS).map(|first| {
                CampaignPage::Rows(campaign.rows.iter_from(first).take(ROWS).map(|(_, row)| *row).collect())
            });
            head.chain(rows)
        }))
    }
}

impl Campaigns {
    /// The state at this moment, for a snapshot.
    #[must_use]
    pub fn image(&self) -> CampaignsImage {
        let all = self.by_age.iter().filter_map(|(_, id)| self.all.get(id));
        CampaignsImage {
            seq: self.seq,
            pace: self.pace,
            swept: self.swept,
            throttles: self.shaping.image(),
            all: all.map(Campaign::image).collect(),
        }
    }

    /// Takes in one page; they come in the order of [`CampaignsImage::pages`].
    ///
    /// # Errors
    /// If rows come before the head of any campaign.
    pub fn restore(&mut self, page: CampaignPage) -> Result<(), String> {
        match page {
            CampaignPage::Totals { seq, pace, swept } => {
                (self.seq, self.pace, self.swept) = (seq, pace, swept)
            }
            CampaignPage::Throttles(throttles) => self.shaping.restore(throttles),
            CampaignPage::Head(head) => self.file(Campaign::from_head(*head)),
            CampaignPage::Rows(rows) => {
                let campaign = self.newest_mut()?;
                for row in rows {
                    campaign.ledger.rows.push(row);
                }
            }
        }
        Ok(())
    }

    /// The campaign whose head came last: heads come by age.
    fn newest_mut(&mut self) -> Result<&mut Campaign, String> {
        let last = self.by_age.last().map(|(_, id)| *id);
        last.and_then(|id| self.all.get_mut(&id)).ok_or_else(|| "a page without its campaign".to_owned())
    }

    /// Derives counters and indexes; call it after the last page.
    pub fn restored(&mut self) {
        for campaign in self.all.values_mut() {
            campaign.ledger.derive(!campaign.status.is_closed());
        }
    }
}

impl Campaign {
    fn image(&self) -> CampaignImage {
        let ledger = &self.ledger;
        let forgotten = ledger.rows.is_empty() && ledger.counts.total() > 0;
        CampaignImage {
            rows: ledger.rows.clone(),
            head: CampaignHead {
                header: self.header.clone(),
                status: self.status,
                upto: self.upto,
                uninvited: self.uninvited,
                unreached: self.unreached,
                handed_over: self.handed_over,
                pace: self.pace,
                created: self.created,
                started: self.started,
                completed: self.completed,
                canceled: self.canceled,
                why: self.why.clone(),
                deferrals: ledger.deferrals.iter().map(|(row, deferral)| (*row, *deferral)).collect(),
                addresses: ledger.addresses.iter().map(|(address, row)| (*address, *row)).collect(),
                diagnostics: ledger.diagnostics.iter().map(|(row, said)| (*row, (**said).clone())).collect(),
                gone: ledger.gone.iter().map(|(row, reason)| (*row, *reason)).collect(),
                counts: forgotten.then(|| ledger.counts.by_state()),
            },
        }
    }

    /// A campaign without rows, which follow in pages.
    fn from_head(head: CampaignHead) -> Self {
        let mut ledger = Ledger {
            deferrals: head.deferrals.into_iter().collect(),
            addresses: head.addresses.into_iter().collect(),
            diagnostics: head.diagnostics.into_iter().map(|(row, said)| (row, Box::new(said))).collect(),
            gone: head.gone.into_iter().collect(),
            ..Ledger::default()
        };
        for (state, count) in head.counts.into_iter().flatten() {
            *ledger.counts.of(state) = count;
        }
        Self {
            header: head.header,
            status: head.status,
            upto: head.upto,
            uninvited: head.uninvited,
            unreached: head.unreached,
            handed_over: head.handed_over,
            ledger,
            pace: head.pace,
            created: head.created,
            started: head.started,
            completed: head.completed,
            canceled: head.canceled,
            why: head.why,
        }
    }
}

impl Ledger {
    /// Derives the counters from the rows and, for a campaign that is not closed, the index.
    fn derive(&mut self, live: bool) {
        for row in self.rows.iter() {
            *self.counts.of(row.state) += 1;
        }
        if live {
            self.index();
        }
    }
}
