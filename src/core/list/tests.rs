//! What holds of one list, by example and by law.

mod laws;
mod members;
mod restocks;

use super::*;
use crate::ProductDetails;

/// The start of time in these tests, far from zero.
const START: Millis = Millis(1_700_000_000_000);

/// A day in milliseconds.
const DAY: u64 = 86_400_000;

/// A list that writes down what it was told.
#[derive(Default)]
struct Desk {
    list: List,
    records: Vec<(ListEvent, Millis)>,
    event: u64,
}

impl Desk {
    /// Asks, records and applies; asking alone changes nothing.
    fn ask(&mut self, command: &ListCommand, at: Millis) -> ListDecision {
        let before = state(&self.list);
        let decision = self.list.decide(command, at);
        assert_eq!(before, state(&self.list), "asking changed the list");
        if let ListDecision::New(event) = &decision {
            self.list.apply(event, at);
            self.records.push((event.clone(), at));
        }
        decision
    }

    /// A change by the next event, now.
    fn change(&mut self, person: u32, join: bool, at: Millis) -> ListDecision {
        self.event += 1;
        self.ask(&change(self.event, person, join), at)
    }

    /// A join by the next event.
    fn join(&mut self, person: u32) {
        assert!(matches!(self.change(person, true, START), ListDecision::New(_)));
    }

    /// A leave by the next event.
    fn leave(&mut self, person: u32) {
        assert!(matches!(self.change(person, false, START), ListDecision::New(_)));
    }

    /// Two people become one by the next event.
    fn unite(&mut self, from: u32, to: u32) -> ListDecision {
        self.event += 1;
        let (from, to) = (PersonId(from), PersonId(to));
        self.ask(&ListCommand::Move { event: self.event, from, to }, START)
    }

    /// An erasure by the next event.
    fn erase(&mut self, person: u32) -> ListDecision {
        self.event += 1;
        let mut command = change(self.event, person, false);
        if let ListCommand::Change { source, .. } = &mut command {
            *source = ChangeSource::Erasure;
        }
        self.ask(&command, START)
    }

    /// A restock for a campaign of day 1.
    fn restock(&mut self, key: u128, campaign: u128) -> ListDecision {
        self.ask(&restock(key, 1, campaign), START)
    }

    /// The next stretch for a campaign, recorded.
    fn invite(&mut self, campaign: u128, most: usize) -> Invitation {
        let campaign = CampaignId(campaign);
        match self.ask(&ListCommand::Invite { campaign, most }, START) {
            ListDecision::New(ListEvent::Invited { from, to, .. }) => {
                self.list.invitation(campaign, from, to).unwrap_or_default()
            }
            _ => {
                let last = self.list.invite(campaign).is_none_or(|invite| invite.invited >= invite.upto);
                Invitation { people: Vec::new(), last }
            }
        }
    }

    /// All that is recorded, played on an empty list.
    fn replay(&self) -> List {
        let mut list = List::default();
        self.records.iter().for_each(|(event, at)| list.apply(event, *at));
        list
    }
}

/// One entry of a bag.
fn change(event: u64, person: u32, join: bool) -> ListCommand {
    ListCommand::Change {
        event,
        person: PersonId(person),
        join,
        timestamp: None,
        source: ChangeSource::Event,
        default_opt_in: false,
    }
}

/// A restock signal with stock 5.
fn restock(key: u128, day: i32, campaign: u128) -> ListCommand {
    let (quantity, day, campaign, details) =
        (Some(5), Day(day), Some(CampaignId(campaign)), ProductDetails::default());
    ListCommand::Restock { event: 0, key, quantity, day, campaign, details }
}

/// Who is handed over and still here.
fn here(invitation: &Invitation) -> Vec<u32> {
    invitation.people.iter().filter(|invitee| invitee.here).map(|invitee| invitee.person.0).collect()
}

/// Who is handed over and gone.
fn gone(invitation: &Invitation) -> Vec<u32> {
    invitation.people.iter().filter(|invitee| !invitee.here).map(|invitee| invitee.person.0).collect()
}

/// Members in join order.
fn line(list: &List) -> Vec<u32> {
    list.members(0).map(|row| row.person.0).collect()
}

/// A list in its parts.
fn state(list: &List) -> ListState {
    ListState {
        seq: list.seq,
        event: list.event,
        product: list.product.clone(),
        details: list.details.clone(),
        stock: list.stock,
        last_ordinal: list.last_ordinal,
        joined: list.joined,
        left: list.left,
        invites: list.invites.clone(),
        signals: list.signals.clone(),
        rows: list.kept().cloned().collect(),
    }
}

/// A list that slept: made again from its parts.
fn slept(list: &List) -> List {
    List::from_state(state(list)).unwrap()
}
