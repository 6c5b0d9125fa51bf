//! The campaigns as a snapshot takes them: ledgers share their pages, nothing is copied.

use super::super::outcome::Diagnostic;
use super::super::pages::Pages;
use super::super::shaping::ThrottleImage;
use super::super::time::Millis;
use super::ledger::{Deferral, Ledger, LetterRow, LetterState};
use super::{Campaign, CampaignStatus, Campaigns, Header, Pace, SkipReason, Swept};

/// Rows in a page of a snapshot.
const ROWS: usize = 2048;

/// All campaigns held still.
#[derive(Debug, Clone)]
pub struct CampaignsImage {
    seq: u64,
    pace: Pace,
    swept: Swept,
    throttles: Vec<ThrottleImage>,
    all: Vec<CampaignImage>,
}

/// One campaign held still.
#[derive(Debug, Clone)]
pub(crate) struct CampaignImage {
    head: CampaignHead,
    rows: Pages<LetterRow>,
}

/// A campaign without its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CampaignHead {
    /// What it is.
    pub header: Header,
    /// Where it is.
    pub status: CampaignStatus,
    /// The last ordinal of its audience.
    pub upto: u32,
    /// People of the audience whom the list has not handed over yet.
    pub uninvited: u32,
    /// People of the audience whom the list never handed over because the campaign ended first.
    pub unreached: u32,
    /// The list has said that nobody of the audience is left to hand over.
    pub handed_over: bool,
    /// Its own pace.
    pub pace: Pace,
    /// When it was made.
    pub created: Millis,
    /// When it first had an audience.
    pub started: Option<Millis>,
    /// When it was done.
    pub completed: Option<Millis>,
    /// When it was canceled.
    pub canceled: Option<Millis>,
    /// Why it cannot run.
    pub why: Option<String>,
    /// First attempts and next times of deferred letters, by row.
    pub deferrals: Vec<(u32, Deferral)>,
    /// Addresses started, hashed, and by which row.
    pub addresses: Vec<(u64, u32)>,
    /// What was last said of letters that were not accepted, by row.
    pub diagnostics: Vec<(u32, Diagnostic)>,
    /// Letters that must not be tried again, by row, and why.
    pub gone: Vec<(u32, SkipReason)>,
    /// Counters of a ledger whose rows are gone, by state.
    pub counts: Option<Vec<(LetterState, u64)>>,
}

/// One page of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CampaignPage {
    /// Counter, pace and housekeeping.
    Desk {
        /// Records written.
        seq: u64,
        /// The overall pace.
        pace: Pace,
        /// How far housekeeping has come.
        swept: Swept,
    },
    /// A campaign without its rows.
    Head(Box<CampaignHead>),
    /// Rows of the campaign whose head came last.
    Rows(Vec<LetterRow>),
    /// What providers must not be granted twice.
    Lanes(Vec<ThrottleImage>),
}

impl CampaignsImage {
    /// How many campaigns are in it.
    #[must_use]
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// All pages, in an order that [`Campaigns::restore`] takes.
    pub fn pages(&self) -> impl Iterator<Item = CampaignPage> + '_ {
        let desk = std::iter::once(CampaignPage::Desk { seq: self.seq, pace: self.pace, swept: self.swept });
        let throttles = self.throttles.chunks(ROWS).map(|throttles| CampaignPage::Lanes(throttles.to_vec()));
        desk.chain(throttles).chain(self.all.iter().flat_map(|campaign| {
            let head = std::iter::once(CampaignPage::Head(Box::new(campaign.head.clone())));
            let rows = (0..campaign.rows.len()).step_by(ROWS).map(|first| {
                CampaignPage::Rows(campaign.rows.iter_from(first).take(ROWS).map(|(_, row)| *row).collect())
            });
            head.chain(rows)
        }))
    }
}

impl Campaigns {
    /// Holds all campaigns still for a snapshot.
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

    /// Takes one page back, in order.
    ///
    /// # Errors
    /// When rows come without their campaign.
    pub fn restore(&mut self, page: CampaignPage) -> Result<(), String> {
        match page {
            CampaignPage::Desk { seq, pace, swept } => (self.seq, self.pace, self.swept) = (seq, pace, swept),
            CampaignPage::Lanes(throttles) => self.shaping.restore(throttles),
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

    /// The campaign whose head came last: they come by age.
    fn newest_mut(&mut self) -> Result<&mut Campaign, String> {
        let last = self.by_age.last().map(|(_, id)| *id);
        last.and_then(|id| self.all.get_mut(&id)).ok_or_else(|| "a page without its campaign".to_owned())
    }

    /// Derives counters and indexes once all pages are back.
    pub fn restored(&mut self) {
        for campaign in self.all.values_mut() {
            campaign.ledger.derive(!campaign.status.is_closed());
        }
    }
}

impl Campaign {
    /// Holds the campaign still.
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

    /// A campaign from its head; rows follow.
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
    /// Derives counters and (where letters may still start) the index from the rows.
    fn derive(&mut self, live: bool) {
        for row in self.rows.iter() {
            *self.counts.of(row.state) += 1;
        }
        if live {
            self.index();
        }
    }
}
