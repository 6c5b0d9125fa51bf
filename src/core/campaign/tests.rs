//! What holds of campaigns, by example and by law.

mod audience;
mod laws;
mod letters;
mod verbs;

use super::*;
use crate::ids::PersonId;
use crate::list::Invitee;
use crate::outcome::{Diagnostic, FaultSource};
use crate::scheduler::Backlog;
use crate::time::Day;

/// The start of time in these tests.
const START: Millis = Millis(1_700_000_000_000);
/// An hour in milliseconds.
const HOUR: u64 = 3_600_000;
/// A day in milliseconds.
const DAY: u64 = 24 * HOUR;
/// The re-notify guard of these tests.
const GUARD: u64 = 12 * HOUR;

/// Campaigns that write down what they were told.
struct Desk {
    campaigns: Campaigns,
    records: Vec<(CampaignEvent, Millis)>,
}

/// A rule campaign of a day.
fn rule(id: u128, day: i32) -> Header {
    let list = ListId::parse("restock-x").unwrap();
    Header { key: Some(format!("restock-x-{day}")), ..Header::sample(CampaignId(id), list, Day(day)) }
}

/// A campaign made by hand.
fn manual(id: u128) -> Header {
    Header { rule: false, day: None, key: None, ..rule(id, 0) }
}

/// What a server said.
fn said(words: &str) -> Diagnostic {
    Diagnostic::own(words, FaultSource::Letter)
}

/// All pages of a snapshot.
fn pages(campaigns: &Campaigns) -> Vec<CampaignPage> {
    campaigns.image().pages().collect()
}

/// Campaigns from others' pages.
fn restored(campaigns: &Campaigns) -> Campaigns {
    let mut again = Campaigns::new(campaigns.rate, campaigns.retry);
    for page in pages(campaigns) {
        again.restore(page).unwrap();
    }
    again.restored();
    again
}

impl Desk {
    fn new() -> Self {
        Self { campaigns: Campaigns::new(None, Retry::default()), records: Vec::new() }
    }

    /// A rule campaign with so many people, all handed over.
    fn opened(people: u32) -> Self {
        let mut desk = Self::new();
        desk.restock(&rule(1, 1), people, people, START);
        desk.upsert(1, 1..=people);
        desk.all_invited(1);
        desk
    }

    fn record(&mut self, event: CampaignEvent, at: Millis) {
        self.campaigns.apply(&event, at);
        self.records.push((event, at));
    }

    fn get(&self, id: u128) -> &Campaign {
        self.campaigns.get(CampaignId(id)).unwrap()
    }

    fn restock(&mut self, header: &Header, upto: u32, added: u32, at: Millis) -> bool {
        let event = self.campaigns.decide_restock(header.clone(), upto, added);
        let happens = event.is_some();
        event.into_iter().for_each(|event| self.record(event, at));
        happens
    }

    /// People stand at the place of their own number.
    fn upsert(&mut self, id: u128, people: impl IntoIterator<Item = u32>) {
        self.upsert_at(id, people.into_iter().map(|n| (n, n)));
    }

    /// People with their places are handed over.
    fn upsert_at(&mut self, id: u128, people: impl IntoIterator<Item = (u32, u32)>) {
        let invitee = |(person, ordinal)| Invitee { person: PersonId(person), ordinal, here: true };
        let people: Vec<Invitee> = people.into_iter().map(invitee).collect();
        self.campaigns.apply_invited(CampaignId(id), &people, false, START);
    }

    /// The list has nobody left.
    fn all_invited(&mut self, id: u128) {
        self.campaigns.apply_invited(CampaignId(id), &[], true, START);
    }

    /// The next letters that may be fetched.
    fn take(&self, id: u128, at: Millis, most: usize) -> Vec<u32> {
        let ledger = &self.get(id).ledger;
        let rows = Backlog::of(ledger).take(ledger, at, most, |_| true);
        rows.iter().map(|row| ledger.row(*row).unwrap().person.0).collect()
    }

    /// When the next deferred letter falls due.
    fn next_due(&self, id: u128) -> Option<Millis> {
        self.get(id).ledger.deferred().map(|(until, _)| until).min()
    }

    /// A letter at the moment it could start; each person's address is the person's number.
    fn letter(
        &self,
        id: u128,
        person: u32,
        undeliverable: Option<SkipReason>,
        address: u64,
        at: Millis,
    ) -> NextLetter {
        let (row, _) = self.get(id).ledger.find(PersonId(person)).unwrap();
        self.campaigns.decide_letter(CampaignId(id), row, undeliverable, address, GUARD, at)
    }

    /// A letter starts.
    fn start(&mut self, id: u128, person: u32, at: Millis) {
        match self.letter(id, person, None, u64::from(person), at) {
            NextLetter::Start(event) => self.record(event, at),
            other => panic!("{other:?}"),
        }
    }

    /// A letter is not mailed, and why.
    fn skip(&mut self, id: u128, person: u32, undeliverable: Option<SkipReason>, at: Millis) -> SkipReason {
        match self.letter(id, person, undeliverable, u64::from(person), at) {
            NextLetter::Skip(event) => {
                let CampaignEvent::Settled { settlement: Settlement::Skipped(reason), .. } = event else {
                    panic!("{event:?}")
                };
                self.record(event, at);
                reason
            }
            other => panic!("{other:?}"),
        }
    }

    fn settle(&mut self, id: u128, person: u32, settlement: Settlement, at: Millis) {
        let (id, person, ordinal) = (CampaignId(id), PersonId(person), person);
        self.record(CampaignEvent::Settled { id, person, ordinal, settlement }, at);
    }

    /// A letter is started and accepted.
    fn send(&mut self, id: u128, person: u32, at: Millis) {
        self.start(id, person, at);
        self.settle(id, person, Settlement::Sent, at);
    }

    /// A letter on the wire comes back for a later try (or is given up).
    fn defer(&mut self, id: u128, person: u32, at: Millis) {
        let event = self.campaigns.decide_deferral(CampaignId(id), PersonId(person), said("451"), at);
        self.record(event, at);
    }

    /// A verb; whether anything happens.
    fn command(&mut self, id: u128, command: CampaignCommand) -> Result<bool, CampaignRefusal> {
        let event = self.campaigns.decide_command(CampaignId(id), command)?;
        let happens = event.is_some();
        event.into_iter().for_each(|event| self.record(event, START));
        Ok(happens)
    }

    fn note(&mut self, id: u128, person: u32, reason: SkipReason) -> bool {
        let event = self.campaigns.decide_exclusion(CampaignId(id), PersonId(person), reason);
        let happens = event.is_some();
        event.into_iter().for_each(|event| self.record(event, START));
        happens
    }

    fn state(&self, id: u128, person: u32) -> LetterState {
        self.get(id).ledger.find(PersonId(person)).unwrap().1.state
    }

    /// What a crash leaves: the records.
    fn replay(&self) -> Campaigns {
        let mut campaigns = Campaigns::new(self.campaigns.rate, self.campaigns.retry);
        self.records.iter().for_each(|(event, at)| campaigns.apply(event, *at));
        campaigns
    }

    fn crash(&mut self) {
        self.campaigns = self.replay();
    }
}
