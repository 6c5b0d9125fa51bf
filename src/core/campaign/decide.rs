//! The decisions about campaigns. They read the state and change nothing.

use super::super::ids::{CampaignId, PersonId};
use super::super::outcome::{Diagnostic, FaultSource};
use super::super::time::Millis;
use super::ledger::{LetterRow, LetterState};
use super::{
    Campaign, CampaignEvent, CampaignStatus, Campaigns, Header, InDoubtPolicy, ReopenReason, Settlement,
    SkipReason,
};

/// A request about one campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CampaignCommand {
    /// Stop it; pending and deferred letters become skipped.
    Cancel,
    /// Start no more letters until it is resumed.
    Pause,
    /// Continue after a pause.
    Resume,
    /// Send the failed letters again.
    RetryFailed,
    /// Send the letters in doubt again.
    ResendDoubt,
    /// Give up the letters in doubt.
    DropDoubt,
}

/// Why a command is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CampaignRefusal {
    /// There is no such campaign.
    Unknown,
    /// Its status does not allow the command; the participle completes "a … campaign cannot be …".
    WrongStatus(CampaignStatus, &'static str),
}

/// What to do with a letter, now that its address and consent are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextLetter {
    /// Send it, after this event is recorded.
    Start(CampaignEvent),
    /// Do not send it; record this event instead.
    Skip(CampaignEvent),
    /// Do nothing: it was settled, or its person may not be mailed any more.
    Gone,
}

impl Campaigns {
    /// What a restock does to its rule campaign: open it, open it again, or `None` for nothing. The answer is
    /// also `None` if a campaign of another list has the same key; `collides` tells the two
    /// apart.
    #[must_use]
    pub fn decide_restock(&self, header: Header, upto: u32, added: u32) -> Option<CampaignEvent> {
        let id = header.id;
        let Some(campaign) = self.get(id) else {
            return Some(CampaignEvent::Opened { header: Some(header), id, upto, added });
        };
        let looks_again = campaign
            .ledger
            .rows()
            .any(|row| matches!(row.state, LetterState::Skipped(reason) if reason.may_change()));
        let closed_for_good = matches!(
            campaign.status,
            CampaignStatus::Canceled | CampaignStatus::Failed | CampaignStatus::Expired
        );
        if campaign.header.list != header.list
            || closed_for_good
            || (added == 0 && !looks_again && campaign.upto >= upto)
        {
            return None;
        }
        Some(CampaignEvent::Reopened { id, reason: ReopenReason::Restock { upto, added } })
    }

    /// Whether a campaign of another list has this key.
    #[must_use]
    pub(crate) fn collides(&self, header: &Header) -> bool {
        self.get(header.id).is_some_and(|campaign| campaign.header.list != header.list)
    }

    /// Decides a command; `Ok(None)` when the campaign already is as the command wants it.
    ///
    /// # Errors
    /// [`CampaignRefusal::Unknown`] if there is no such campaign, [`CampaignRefusal::WrongStatus`] if its
    /// status does not allow the command.
    pub(crate) fn decide_command(
        &self,
        id: CampaignId,
        command: CampaignCommand,
    ) -> Result<Option<CampaignEvent>, CampaignRefusal> {
        let campaign = self.get(id).ok_or(CampaignRefusal::Unknown)?;
        let status = campaign.status;
        let counts = campaign.ledger.counts();
        let wrong = |participle| Err(CampaignRefusal::WrongStatus(status, participle));
        let final_status =
            matches!(status, CampaignStatus::Canceled | CampaignStatus::Failed | CampaignStatus::Expired);
        match command {
            CampaignCommand::Cancel if status.is_closed() => wrong("canceled"),
            CampaignCommand::Cancel => Ok(Some(CampaignEvent::Canceled(id))),
            CampaignCommand::Pause if status == CampaignStatus::Paused => Ok(None),
            CampaignCommand::Pause if status.is_closed() || status == CampaignStatus::Scheduled => {
                wrong("paused")
            }
            CampaignCommand::Pause => Ok(Some(CampaignEvent::Paused(id))),
            CampaignCommand::Resume if status == CampaignStatus::Sending => Ok(None),
            CampaignCommand::Resume if status != CampaignStatus::Paused => wrong("resumed"),
            CampaignCommand::Resume => Ok(Some(CampaignEvent::Resumed(id))),
            CampaignCommand::RetryFailed if final_status => wrong("retried"),
            CampaignCommand::RetryFailed if counts.failed == 0 => Ok(None),
            CampaignCommand::RetryFailed => {
                Ok(Some(CampaignEvent::Reopened { id, reason: ReopenReason::Failed }))
            }
            CampaignCommand::ResendDoubt if final_status => wrong("sent again"),
            CampaignCommand::ResendDoubt if counts.doubt == 0 => Ok(None),
            CampaignCommand::ResendDoubt => {
                Ok(Some(CampaignEvent::Reopened { id, reason: ReopenReason::Doubt }))
            }
            CampaignCommand::DropDoubt if counts.doubt == 0 => Ok(None),
            CampaignCommand::DropDoubt => Ok(Some(CampaignEvent::Dropped(id))),
        }
    }

    /// Decides about a letter at the moment when it could start.
    ///
    /// `undeliverable` is the directory's reason against mailing the person, and `address` the hash of the
    /// person's address. The re-notify guard looks back `renotify_ms` milliseconds.
    #[must_use]
    pub fn decide_letter(
        &self,
        id: CampaignId,
        at_row: u32,
        undeliverable: Option<SkipReason>,
        address: u64,
        renotify_ms: u64,
        at: Millis,
    ) -> NextLetter {
        let Some(campaign) = self.get(id).filter(|campaign| campaign.is_sending()) else {
            return NextLetter::Gone;
        };
        let Some(row) = campaign.ledger.row(at_row) else { return NextLetter::Gone };
        if !matches!(row.state, LetterState::Pending | LetterState::Deferred) {
            return NextLetter::Gone;
        }
        if row.state == LetterState::Deferred
            && campaign.ledger.not_before(at_row).is_some_and(|until| until > at)
        {
            // It was queued twice and deferred once more in between: it is not due yet.
            return NextLetter::Gone;
        }
        // It may have reached its maximum age while the campaign was paused, the provider slow, or the engine
        // down.
        let too_old = row.state == LetterState::Deferred
            && campaign
                .ledger
                .first_attempt(at_row)
                .is_some_and(|first| at.since(first) > self.retry(campaign).max_age_ms);
        let skip = undeliverable.or(too_old.then_some(SkipReason::Expired)).or_else(|| {
            let other_row = campaign.ledger.address_started(address, at_row);
            let recently =
                row.attempts == 0 && self.recently_notified(campaign, row.person, address, renotify_ms, at);
            (other_row || recently).then_some(SkipReason::RecentlyNotified)
        });
        let LetterRow { person, ordinal, .. } = row;
        match skip {
            Some(reason) => {
                let settlement = Settlement::Skipped(reason);
                NextLetter::Skip(CampaignEvent::Settled { id, person, ordinal, settlement })
            }
            None => {
                NextLetter::Start(CampaignEvent::Started { id, person, ordinal, address, provider: None })
            }
        }
    }

    /// Decides when a letter that could not be delivered is tried again, or that it is too old.
    #[must_use]
    pub(crate) fn decide_deferral(
        &self,
        id: CampaignId,
        person: PersonId,
        diagnostic: Diagnostic,
        at: Millis,
    ) -> CampaignEvent {
        let campaign = self.get(id);
        let found = campaign.and_then(|c| Some((c, c.ledger.find(person)?)));
        let ordinal = found.map_or(0, |(_, (_, row))| row.ordinal);
        let until = found.and_then(|(campaign, (at_row, row))| {
            let first = campaign.ledger.first_attempt(at_row).unwrap_or(at);
            self.retry(campaign).next(row.attempts, first, at, person.0)
        });
        let gone = found.and_then(|(campaign, (at_row, _))| campaign.ledger.gone.get(&at_row).copied());
        match until.filter(|_| gone.is_none()) {
            Some(until) => CampaignEvent::Deferred { id, person, ordinal, until, diagnostic },
            None => {
                let settlement = Settlement::Skipped(gone.unwrap_or(SkipReason::Expired));
                CampaignEvent::Settled { id, person, ordinal, settlement }
            }
        }
    }

    /// Decides about a letter that came back because its provider asked for less. It keeps its place in the
    /// queue and is tried when the provider's throttle `opens`. After [`KEEPS_PLACE`] attempts it follows its
    /// own retry schedule, since the fault may lie in the letter.
    #[must_use]
    pub(crate) fn decide_throttled(
        &self,
        id: CampaignId,
        person: PersonId,
        diagnostic: Diagnostic,
        opens: Millis,
        at: Millis,
    ) -> CampaignEvent {
        let found = self.get(id).and_then(|campaign| Some((campaign, campaign.ledger.find(person)?)));
        if let Some((campaign, (at_row, row))) = found {
            let first = campaign.ledger.first_attempt(at_row).unwrap_or(at);
            let in_time = opens.since(first) <= self.retry(campaign).max_age_ms;
            if row.attempts < KEEPS_PLACE && in_time && !campaign.ledger.gone.contains_key(&at_row) {
                let (ordinal, until) = (row.ordinal, opens.max(at));
                return CampaignEvent::Deferred { id, person, ordinal, until, diagnostic };
            }
        }
        self.decide_deferral(id, person, diagnostic, at)
    }

    /// Decides about a letter that came back before any server had seen it. It keeps its place in the queue
    /// and goes as soon as there is a connection. After [`KEEPS_PLACE`] attempts it follows its own retry
    /// schedule, since the fault may lie in the letter.
    #[must_use]
    pub(crate) fn decide_unstarted(
        &self,
        id: CampaignId,
        person: PersonId,
        (started, provider): (Millis, Option<String>),
        diagnostic: Diagnostic,
        at: Millis,
    ) -> CampaignEvent {
        let found = self.get(id).and_then(|campaign| campaign.ledger.find(person));
        let (ordinal, attempts) = found.map_or((0, 0), |(_, row)| (row.ordinal, row.attempts));
        let back = |until, diagnostic| {
            let provider = provider.clone();
            CampaignEvent::Unstarted { id, person, ordinal, started, provider, until, diagnostic }
        };
        if attempts < KEEPS_PLACE {
            return back(at, diagnostic);
        }
        match self.decide_deferral(id, person, diagnostic, at) {
            CampaignEvent::Deferred { until, diagnostic, .. } => back(until, diagnostic),
            other => other,
        }
    }

    /// The housekeeping event, if there is anything to drop.
    #[must_use]
    pub(crate) fn decide_sweep(&self, at: Millis) -> Option<CampaignEvent> {
        self.has_aged(at).then_some(CampaignEvent::Swept)
    }

    /// Decides what to record when a person may no longer be mailed: for a letter that has not begun, that a
    /// later restock of the day would look at again, or that may be tried again.
    #[must_use]
    pub(crate) fn decide_exclusion(
        &self,
        id: CampaignId,
        person: PersonId,
        reason: SkipReason,
    ) -> Option<CampaignEvent> {
        let campaign = self.get(id).filter(|c| !c.status.is_closed() || c.status == CampaignStatus::Sent)?;
        let (at_row, row) = campaign.ledger.find(person)?;
        let ordinal = row.ordinal;
        let settled =
            || CampaignEvent::Settled { id, person, ordinal, settlement: Settlement::Skipped(reason) };
        // Reasons that may change are checked again before each start; the others must be remembered.
        let lasting = !reason.may_change();
        match row.state {
            LetterState::Pending | LetterState::Deferred => Some(settled()),
            LetterState::Skipped(old) => (old.may_change() && lasting).then(settled),
            LetterState::Started | LetterState::Failed | LetterState::Doubt | LetterState::Dropped => {
                let known = campaign.ledger.gone.contains_key(&at_row);
                (lasting && !known).then_some(CampaignEvent::RecipientExcluded {
                    id,
                    person,
                    ordinal,
                    reason,
                })
            }
            LetterState::Sent => None,
        }
    }

    /// Decides about letters that are *started* when the engine starts: they stay in doubt or are sent again,
    /// by the campaign's policy.
    #[must_use]
    pub(crate) fn decide_doubt(&self, at: Millis) -> Vec<CampaignEvent> {
        let mut events = Vec::new();
        for campaign in self.all.values().filter(|c| c.ledger.counts().started > 0) {
            let (id, on_doubt) = (campaign.header.id, campaign.header.on_doubt);
            let words = "the engine stopped before the mail server answered";
            let diagnostic = Diagnostic::own(words, FaultSource::Shop);
            for row in campaign.ledger.rows().filter(|row| row.state == LetterState::Started) {
                let LetterRow { person, ordinal, .. } = *row;
                events.push(match on_doubt {
                    InDoubtPolicy::Resend if !campaign.status.is_closed() => {
                        let diagnostic = diagnostic.clone();
                        CampaignEvent::Deferred { id, person, ordinal, until: at, diagnostic }
                    }
                    _ => {
                        let settlement = Settlement::Doubt { diagnostic: diagnostic.clone() };
                        CampaignEvent::Settled { id, person, ordinal, settlement }
                    }
                });
            }
        }
        events
    }

    /// Whether another rule campaign of the same list mailed the person within `renotify_ms` before `at`, or
    /// is about to. This keeps stock that goes up and down around midnight from mailing twice. Skipped and
    /// failed letters do not count.
    fn recently_notified(
        &self,
        campaign: &Campaign,
        person: PersonId,
        address: u64,
        span_ms: u64,
        at: Millis,
    ) -> bool {
        if !campaign.header.rule || span_ms == 0 {
            return false;
        }
        let of_list = self.by_list.get(&campaign.header.list).map(Vec::as_slice).unwrap_or_default();
        let others = of_list.iter().rev().filter(|other| **other != campaign.header.id);
        let others = others.filter_map(|other| self.get(*other)).filter(|other| other.header.rule);
        others.take(GUARD_LOOKS_BACK).any(|other| {
            let Some((_, row)) = other.ledger.find(person) else {
                // They were mailed under another number, before two people became one. The row is not found
                // by this number, so the campaign's end stands for the latest possible time.
                let latest = other.completed.unwrap_or(at);
                return other.ledger.address_started(address, u32::MAX) && at.since(latest) < span_ms;
            };
            let when = Millis(other.created.0 + u64::from(row.at_s) * 1000);
            match row.state {
                LetterState::Sent | LetterState::Doubt | LetterState::Dropped => at.since(when) < span_ms,
                LetterState::Started | LetterState::Deferred => true,
                LetterState::Pending => !other.status.is_closed() && other.created < campaign.created,
                LetterState::Failed | LetterState::Skipped(_) => false,
            }
        })
    }
}

/// The number of attempts after which a letter that only met throttles loses its place in the queue.
pub const KEEPS_PLACE: u16 = 6;

/// How many earlier campaigns of a list the re-notify guard looks into.
const GUARD_LOOKS_BACK: usize = 32;
