//! How records change a list. `apply` cannot fail and is the same function live and at replay.

use super::super::ids::{CampaignId, PersonId};
use super::super::keys;
use super::super::time::Millis;
use super::{ChangeSource, Invite, List, ListEvent, Membership, MembershipStatus, Signal};

/// The number of rows from which on a list keeps an index from person to row.
pub(super) const INDEX_FROM: usize = 48;

impl List {
    /// Applies an event that was recorded at `at`.
    pub fn apply(&mut self, event: &ListEvent, at: Millis) {
        self.seq += 1;
        self.event = self.event.max(event.heard().unwrap_or(0));
        match event {
            ListEvent::Joined { event, person, ordinal, changed, source } => {
                self.give_up(*person);
                self.push(Membership {
                    person: *person,
                    ordinal: *ordinal,
                    status: MembershipStatus::Joined,
                    source: *source,
                    event: *event,
                    joined: *changed,
                    changed: *changed,
                });
                self.compact();
            }
            ListEvent::Left { event, person, changed, source } => {
                self.leave(*event, *person, *changed, *source)
            }
            ListEvent::Moved { event, from, to } => self.unite(*event, *from, *to),
            ListEvent::Named { product, .. } => self.product = Some(product.clone()),
            ListEvent::Restocked { key, stock, day, campaign, upto, details, .. } => {
                self.details = details.clone().filter(|_| campaign.is_some()).map(Box::new);
                self.signals.retain(|_, signal| at.since(signal.at) < keys::KEEP_MS);
                self.signals.insert(*key, Signal { at, campaign: *campaign });
                self.stock = stock.or(self.stock);
                // Claims of yesterday stay: a restock around midnight may just have opened one again.
                let lately = |invite: &Invite| invite.day.is_some_and(|of| of.0 >= day.0 - 1);
                self.invites.retain(|invite| !invite.closed || lately(invite));
                if let Some(campaign) = campaign {
                    self.claim(*campaign, *upto, Some(*day));
                }
            }
            ListEvent::Stock { quantity, .. } => self.stock = Some(*quantity),
            ListEvent::Begun { campaign, upto, .. } => self.claim(*campaign, *upto, None),
            ListEvent::Invited { campaign, to, .. } => {
                if let Some(invite) = self.invite_mut(*campaign) {
                    invite.invited = invite.invited.max(*to);
                    invite.closed = false;
                }
            }
            ListEvent::Closed { campaign } => {
                if let Some(invite) = self.invite_mut(*campaign) {
                    invite.closed = true;
                }
                // A campaign made by hand is never opened again.
                self.invites.retain(|invite| !invite.closed || invite.day.is_some());
                // A campaign that is done has been opened, and its own record holds the product details.
                if self.invites.iter().all(|invite| invite.closed || invite.day.is_none()) {
                    self.details = None;
                }
            }
            ListEvent::Forgotten { upto } => self.forget(*upto),
        }
    }

    /// A campaign claims every member up to `upto`, for the first time or again.
    fn claim(&mut self, campaign: CampaignId, upto: u32, day: Option<super::Day>) {
        match self.invite_mut(campaign) {
            Some(invite) => {
                invite.upto = invite.upto.max(upto);
                invite.closed = false;
                invite.day = invite.day.or(day);
            }
            None => self.invites.push(Invite {
                campaign,
                upto,
                invited: 0,
                closed: false,
                day,
                moved: Vec::new(),
            }),
        }
    }

    /// A person leaves or opts out; by an erasure the row becomes a hole.
    fn leave(&mut self, event: u64, person: PersonId, changed: Millis, source: ChangeSource) {
        self.note_moved(person);
        let Some(at) = self.place(person) else {
            let ordinal = self.last_ordinal + 1;
            let status = MembershipStatus::Left;
            self.left += 1;
            return self.push(Membership {
                person,
                ordinal,
                status,
                source,
                event,
                joined: changed,
                changed,
            });
        };
        if source == ChangeSource::Erasure {
            return self.give_up(person);
        }
        let (mut joined, mut left) = (self.joined, self.left);
        if let Some(row) = self.rows.get_mut(at) {
            if row.status == MembershipStatus::Joined {
                joined -= 1;
                left += 1;
            }
            (row.status, row.source, row.event, row.changed) =
                (MembershipStatus::Left, source, event, changed);
        }
        (self.joined, self.left) = (joined, left);
    }

    /// Two people were merged: a member's place wins over none, and the earlier place over the later.
    fn unite(&mut self, event: u64, from: PersonId, to: PersonId) {
        let Some(theirs) = self.row(from).cloned() else { return };
        let ours = self.row(to).cloned();
        self.note_moved(from);
        self.give_up(from);
        let Some(ours) = ours else {
            let event = event.max(theirs.event);
            return self.change_place(Membership {
                person: to,
                event,
                source: ChangeSource::Merge,
                ..theirs
            });
        };
        let event = event.max(theirs.event).max(ours.event);
        // Off wins: a person who left or opted out under one name is off under both.
        if ours.status == MembershipStatus::Left || theirs.status == MembershipStatus::Left {
            let changed = ours.changed.max(theirs.changed);
            return self.leave(event, to, changed, ChangeSource::Merge);
        }
        if theirs.ordinal < ours.ordinal {
            // Every audience that covers the later place also covers the earlier one, so the person is not
            // missing from it and the later place is not noted as given up.
            self.give_up(to);
            self.change_place(Membership { person: to, event, source: ChangeSource::Merge, ..theirs });
        }
    }

    /// Puts a row in the place of the hole with the same ordinal.
    fn change_place(&mut self, row: Membership) {
        let at = self.rows.partition_point(|other| other.ordinal < row.ordinal);
        match row.status {
            MembershipStatus::Joined => self.joined += 1,
            MembershipStatus::Left => self.left += 1,
            MembershipStatus::Gone => {}
        }
        if let Some(places) = &mut self.places {
            places.insert(row.person, at as u32);
        }
        // Campaigns that noted this place as given up now note it for the person who has it.
        for invite in &mut self.invites {
            invite.moved.retain(|(ordinal, _)| *ordinal != row.ordinal);
        }
        if let Some(hole) = self.rows.get_mut(at) {
            *hole = row;
        }
    }

    /// Turns a person's row into a hole.
    fn give_up(&mut self, person: PersonId) {
        if let Some(at) = self.place(person)
            && let Some(row) = self.rows.get_mut(at)
        {
            match row.status {
                MembershipStatus::Joined => self.joined -= 1,
                MembershipStatus::Left => self.left -= 1,
                MembershipStatus::Gone => {}
            }
            row.status = MembershipStatus::Gone;
            if let Some(places) = &mut self.places {
                places.remove(&person);
            }
        }
    }

    /// Notes that a member gave up their place, in each claim that covers it.
    fn note_moved(&mut self, person: PersonId) {
        let Some(row) = self.row(person).filter(|row| row.status == MembershipStatus::Joined) else {
            return;
        };
        let place = (row.ordinal, row.person);
        for invite in self.invites.iter_mut().filter(|invite| place.0 <= invite.upto) {
            invite.moved.push(place);
        }
    }

    /// Appends a row.
    fn push(&mut self, row: Membership) {
        self.last_ordinal = row.ordinal;
        if row.status == MembershipStatus::Joined {
            self.joined += 1;
        }
        let person = row.person;
        let at = self.rows.push(row);
        if let Some(places) = &mut self.places {
            places.insert(person, at as u32);
        } else if self.rows.len() >= INDEX_FROM {
            self.index();
        }
    }

    /// Builds the index from person to row.
    pub(super) fn index(&mut self) {
        let rows = self.rows.iter().enumerate().filter(|(_, row)| row.status != MembershipStatus::Gone);
        self.places = Some(rows.map(|(at, row)| (row.person, at as u32)).collect());
    }

    /// Drops the rows of people who left at `upto` or before.
    fn forget(&mut self, upto: Millis) {
        let old = self.rows.iter().filter(|row| row.is_forgotten(upto));
        let old: Vec<PersonId> = old.map(|row| row.person).collect();
        old.into_iter().for_each(|person| self.give_up(person));
        self.compact();
    }

    /// Removes the holes once they are half of all rows; ordinals stay as they are.
    fn compact(&mut self) {
        let holes = self.rows.len() - (self.joined + self.left) as usize;
        if self.rows.len() >= INDEX_FROM && holes * 2 > self.rows.len() {
            self.rows.retain(|row| row.status != MembershipStatus::Gone);
            self.index();
        }
    }

    fn invite_mut(&mut self, campaign: CampaignId) -> Option<&mut Invite> {
        self.invites.iter_mut().find(|invite| invite.campaign == campaign)
    }
}
