//! What the campaigns answer; reads only.

use super::super::ids::{CampaignId, PersonId};
use super::super::outcome::{Diagnostic, FaultSource};
use super::super::time::Millis;
use super::ledger::{LetterRow, LetterState};
use super::{
    Campaign, CampaignEvent, CampaignStatus, Campaigns, Header, InDoubtPolicy, ReopenReason, Settlement,
    SkipReason,
};

/// A verb on one campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CampaignCommand {
    /// Pending and deferred become skipped.
    Cancel,
    /// Nothing more starts.
    Pause,
    /// Goes on.
    Resume,
    /// Failed letters again.
    RetryFailed,
    /// Letters in doubt again.
    ResendDoubt,
    /// Letters in doubt are given up.
    DropDoubt,
}

/// Why a verb is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CampaignRefusal {
    /// No such campaign.
    Unknown,
    /// Its status does not allow it; the participle for the sentence.
    WrongStatus(CampaignStatus, &'static str),
}

/// What to do with a letter whose address and consent have just been fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextLetter {
    /// Start it: record this first.
    Start(CampaignEvent),
    /// Do not mail: record this.
    Skip(CampaignEvent),
    /// It is no longer to be mailed (settled or noted meanwhile).
    Gone,
}

impl Campaigns {
    /// A rule campaign is told of a restock: opened, opened again, or nothing to do. `None` also
    /// where its key is held by a campaign of another list ([`Campaigns::collides`] says so).
    #[must_use]
    pub fn decide_restock(&self, header: Header, upto: u32, added: u32) -> Option<CampaignEvent> {
        let id = header.id;
        let Some(held) = self.get(id) else {
            return Some(CampaignEvent::Opened { header: Some(header), id, upto, added });
        };
        let looks_again = held
            .ledger
            .rows()
            .any(|row| matches!(row.state, LetterState::Skipped(reason) if reason.may_change()));
        let closed_for_good = matches!(
            held.status,
            CampaignStatus::Canceled | CampaignStatus::Failed | CampaignStatus::Expired
        );
        if held.header.list != header.list
            || closed_for_good
            || (added == 0 && !looks_again && held.upto >= upto)
        {
            return None;
        }
        Some(CampaignEvent::Reopened { id, again: ReopenReason::Restock { upto, added } })
    }

    /// True when the key is held by a campaign of another list.
    #[must_use]
    pub(crate) fn collides(&self, header: &Header) -> bool {
        self.get(header.id).is_some_and(|held| held.header.list != header.list)
    }

    /// Decides a verb; `Ok(None)` when it holds already.
    ///
    /// # Errors
    /// When there is no such campaign, or its status does not allow the verb.
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
                Ok(Some(CampaignEvent::Reopened { id, again: ReopenReason::Failed }))
            }
            CampaignCommand::ResendDoubt if final_status => wrong("sent again"),
            CampaignCommand::ResendDoubt if counts.doubt == 0 => Ok(None),
            CampaignCommand::ResendDoubt => {
                Ok(Some(CampaignEvent::Reopened { id, again: ReopenReason::Doubt }))
            }
            CampaignCommand::DropDoubt if counts.doubt == 0 => Ok(None),
            CampaignCommand::DropDoubt => Ok(Some(CampaignEvent::Dropped(id))),
        }
    }

    /// Decides a letter at the moment it could start: `undeliverable` is what the directory said of the
    /// person, `address` the hash of theirs.
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
            // Taken twice, and deferred once more in between: its time has not come.
            return NextLetter::Gone;
        }
        // It may have come to its age while its campaign was paused, its provider slow, or the engine down.
        let too_old = row.state == LetterState::Deferred
            && campaign
                .ledger
                .first_attempt(at_row)
                .is_some_and(|first| at.since(first) > self.retry(campaign).max_age_ms);
        let skip = undeliverable.or(too_old.then_some(SkipReason::Expired)).or_else(|| {
            let other_row = campaign.ledger.address_started(address, at_row);
            let again =
                row.attempts == 0 && self.recently_notified(campaign, row.person, address, renotify_ms, at);
            (other_row || again).then_some(SkipReason::RecentlyNotified)
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

    /// A letter came back for a later try: when, or that it is too old.
    #[must_use]
    pub(crate) fn decide_deferral(
        &self,
        id: CampaignId,
        person: PersonId,
        diagnostic: Diagnostic,
        at: Millis,
    ) -> CampaignEvent {
        let campaign = self.get(id);
        let held = campaign.and_then(|c| Some((c, c.ledger.find(person)?)));
        let ordinal = held.map_or(0, |(_, (_, row))| row.ordinal);
        let until = held.and_then(|(campaign, (at_row, row))| {
            let first = campaign.ledger.first_attempt(at_row).unwrap_or(at);
            self.retry(campaign).next(row.attempts, first, at, person.0)
        });
        let gone = held.and_then(|(campaign, (at_row, _))| campaign.ledger.gone.get(&at_row).copied());
        match until.filter(|_| gone.is_none()) {
            Some(until) => CampaignEvent::Deferred { id, person, ordinal, until, diagnostic },
            None => {
                let settlement = Settlement::Skipped(gone.unwrap_or(SkipReason::Expired));
                CampaignEvent::Settled { id, person, ordinal, settlement }
            }
        }
    }

    /// A provider asked for less and a letter of theirs came back: it keeps its place and is tried when the provider's
    /// lane `opens`. One that has met this too often goes by the letter's own schedule: it may be the letter.
    #[must_use]
    pub(crate) fn decide_throttled(
        &self,
        id: CampaignId,
        person: PersonId,
        diagnostic: Diagnostic,
        opens: Millis,
        at: Millis,
    ) -> CampaignEvent {
        let held = self.get(id).and_then(|campaign| Some((campaign, campaign.ledger.find(person)?)));
        if let Some((campaign, (at_row, row))) = held {
            let first = campaign.ledger.first_attempt(at_row).unwrap_or(at);
            let in_time = opens.since(first) <= self.retry(campaign).max_age_ms;
            if row.attempts < KEEPS_PLACE && in_time && !campaign.ledger.gone.contains_key(&at_row) {
                let (ordinal, until) = (row.ordinal, opens.max(at));
                return CampaignEvent::Deferred { id, person, ordinal, until, diagnostic };
            }
        }
        self.decide_deferral(id, person, diagnostic, at)
    }

    /// A letter that was started came back before any receiver had seen it: it goes again as soon as there is a
    /// connection, in its place; one that has met this too often goes by its own schedule, for it may be the letter.
    #[must_use]
    pub(crate) fn decide_unstarted(
        &self,
        id: CampaignId,
        person: PersonId,
        (started, provider): (Millis, Option<String>),
        diagnostic: Diagnostic,
        at: Millis,
    ) -> CampaignEvent {
        let held = self.get(id).and_then(|campaign| campaign.ledger.find(person));
        let (ordinal, attempts) = held.map_or((0, 0), |(_, row)| (row.ordinal, row.attempts));
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

    /// Housekeeping, if there is something to let go.
    #[must_use]
    pub(crate) fn decide_sweep(&self, at: Millis) -> Option<CampaignEvent> {
        self.has_aged(at).then_some(CampaignEvent::Swept)
    }

    /// Somebody may no longer be mailed: the record for a letter of theirs that has not begun, or
    /// that a later restock of the day would look at again, or that may be tried again.
    #[must_use]
    pub(crate) fn decide_note(
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
        // What may change is asked for again before each start; the rest must be remembered.
        let lasting = !reason.may_change();
        match row.state {
            LetterState::Pending | LetterState::Deferred => Some(settled()),
            LetterState::Skipped(old) => (old.may_change() && lasting).then(settled),
            LetterState::Started | LetterState::Failed | LetterState::Doubt | LetterState::Dropped => {
                let known = campaign.ledger.gone.contains_key(&at_row);
                (lasting && !known).then_some(CampaignEvent::Noted { id, person, ordinal, reason })
            }
            LetterState::Sent => None,
        }
    }

    /// Letters found *started* after a restart: held in doubt, or made ready to go again.
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

    /// True when another rule campaign of the same list mailed the person (or is about to) within
    /// the span before `at`: the guard against a flap across midnight. Skipped and failed letters
    /// are no mail.
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
                // Mailed under a number they had before two people became one; the campaign's end
                // is the latest that may have been.
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

/// Attempts after which a letter that meets throttles alone loses its place before later ones.
pub const KEEPS_PLACE: u16 = 6;

/// Earlier campaigns of a list that the re-notify guard looks into.
const GUARD_LOOKS_BACK: usize = 32;
