//! What a list's records do to it: total, and the same function live and at replay.

use super::super::ids::{CampaignId, PersonId};
use super::super::keys;
use super::super::time::Millis;
use super::{ChangeSource, Invite, List, ListEvent, Membership, MembershipStatus, Signal};

/// From this many rows on a list keeps an index of who stands where.
pub(super) const INDEX_FROM: usize = 48;

impl List {
    /// Applies a record made at `at`.
    pub fn apply(&mut self, event: &ListEvent, at: Millis) {
        self.seq += 1;
        self.event = self.event.max(event.heard().unwrap_or(0));
        match event {
            ListEvent::Joined { event, person, ordinal, changed, how } => {
                self.give_up(*person);
                self.push(Membership {
                    person: *person,
                    ordinal: *ordinal,
                    standing: MembershipStatus::Joined,
                    how: *how,
                    event: *event,
                    joined: *changed,
                    changed: *changed,
                });
                self.compact();
            }
            ListEvent::Left { event, person, changed, how } => self.leave(*event, *person, *changed, *how),
            ListEvent::Moved { event, from, to } => self.unite(*event, *from, *to),
            ListEvent::Named { product, .. } => self.product = Some(product.clone()),
            ListEvent::Restocked { key, stock, day, campaign, upto, details, .. } => {
                self.details = details.clone().filter(|_| campaign.is_some()).map(Box::new);
                self.signals.retain(|_, signal| at.since(signal.at) < keys::KEEP_MS);
                self.signals.insert(*key, Signal { at, campaign: *campaign });
                self.stock = stock.or(self.stock);
                // Those of yesterday stay: a restock around midnight may just have opened one again.
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
                // A campaign that is done has been opened: from then on its own record says it all.
                if self.invites.iter().all(|invite| invite.closed || invite.day.is_none()) {
                    self.details = None;
                }
            }
            ListEvent::Forgotten { upto } => self.forget(*upto),
        }
    }

    /// A campaign claims everybody up to `upto`, for the first time or once more.
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

    /// Somebody leaves (or says no in advance); by erasure the row is forgotten.
    fn leave(&mut self, event: u64, person: PersonId, changed: Millis, how: ChangeSource) {
        self.note_moved(person);
        let Some(at) = self.place(person) else {
            let ordinal = self.last_ordinal + 1;
            let standing = MembershipStatus::Left;
            self.left += 1;
            return self.push(Membership { person, ordinal, standing, how, event, joined: changed, changed });
        };
        if how == ChangeSource::Erasure {
            return self.give_up(person);
        }
        let (mut joined, mut left) = (self.joined, self.left);
        if let Some(row) = self.rows.get_mut(at) {
            if row.standing == MembershipStatus::Joined {
                joined -= 1;
                left += 1;
            }
            (row.standing, row.how, row.event, row.changed) = (MembershipStatus::Left, how, event, changed);
        }
        (self.joined, self.left) = (joined, left);
    }

    /// Two people become one: a place among the members wins over none, the earlier over the later.
    fn unite(&mut self, event: u64, from: PersonId, to: PersonId) {
        let Some(theirs) = self.row(from).cloned() else { return };
        let ours = self.row(to).cloned();
        self.note_moved(from);
        self.give_up(from);
        let Some(ours) = ours else {
            let event = event.max(theirs.event);
            return self.change_place(Membership { person: to, event, how: ChangeSource::Merge, ..theirs });
        };
        let event = event.max(theirs.event).max(ours.event);
        // `false` wins: who said no under one name is off under both.
        if ours.standing == MembershipStatus::Left || theirs.standing == MembershipStatus::Left {
            let changed = ours.changed.max(theirs.changed);
            return self.leave(event, to, changed, ChangeSource::Merge);
        }
        if theirs.ordinal < ours.ordinal {
            // Every audience that covers the later place covers the earlier: the person is not
            // missing from it, so the later place is not noted as given up.
            self.give_up(to);
            self.change_place(Membership { person: to, event, how: ChangeSource::Merge, ..theirs });
        }
    }

    /// Puts a row back at the place of a hole with the same ordinal.
    fn change_place(&mut self, row: Membership) {
        let at = self.rows.partition_point(|other| other.ordinal < row.ordinal);
        match row.standing {
            MembershipStatus::Joined => self.joined += 1,
            MembershipStatus::Left => self.left += 1,
            MembershipStatus::Gone => {}
        }
        if let Some(places) = &mut self.places {
            places.insert(row.person, at as u32);
        }
        // The campaigns that hold this place go on with the person who has it now.
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
            match row.standing {
                MembershipStatus::Joined => self.joined -= 1,
                MembershipStatus::Left => self.left -= 1,
                MembershipStatus::Gone => {}
            }
            row.standing = MembershipStatus::Gone;
            if let Some(places) = &mut self.places {
                places.remove(&person);
            }
        }
    }

    /// Remembers, for each campaign that covers it, that a member's place is given up.
    fn note_moved(&mut self, person: PersonId) {
        let Some(row) = self.row(person).filter(|row| row.standing == MembershipStatus::Joined) else {
            return;
        };
        let place = (row.ordinal, row.person);
        for invite in self.invites.iter_mut().filter(|invite| place.0 <= invite.upto) {
            invite.moved.push(place);
        }
    }

    /// Adds a row at the end.
    fn push(&mut self, row: Membership) {
        self.last_ordinal = row.ordinal;
        if row.standing == MembershipStatus::Joined {
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

    /// Makes the index of who stands where.
    pub(super) fn index(&mut self) {
        let rows = self.rows.iter().enumerate().filter(|(_, row)| row.standing != MembershipStatus::Gone);
        self.places = Some(rows.map(|(at, row)| (row.person, at as u32)).collect());
    }

    /// Forgets who left up to then.
    fn forget(&mut self, upto: Millis) {
        let old = self.rows.iter().filter(|row| row.is_forgotten(upto));
        let old: Vec<PersonId> = old.map(|row| row.person).collect();
        old.into_iter().for_each(|person| self.give_up(person));
        self.compact();
    }

    /// Drops holes once they are half of a list; places stay as they are.
    fn compact(&mut self) {
        let holes = self.rows.len() - (self.joined + self.left) as usize;
        if self.rows.len() >= INDEX_FROM && holes * 2 > self.rows.len() {
            self.rows.retain(|row| row.standing != MembershipStatus::Gone);
            self.index();
        }
    }

    /// The claim of a campaign, to be changed.
    fn invite_mut(&mut self, campaign: CampaignId) -> Option<&mut Invite> {
        self.invites.iter_mut().find(|invite| invite.campaign == campaign)
    }
}
