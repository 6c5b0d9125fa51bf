//! Who a campaign reaches, in join order: one function for counting, inviting and asking again.

use std::collections::BTreeSet;

use super::super::ids::{CampaignId, PersonId};
use super::{Invite, List, MembershipStatus};

/// Somebody handed to a campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invitee {
    /// Who.
    pub person: PersonId,
    /// The place by which they were invited.
    pub ordinal: u32,
    /// False when they have left that place since the audience was fixed.
    pub here: bool,
}

/// A stretch of an audience.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Invitation {
    /// Who stands in it, in join order.
    pub people: Vec<Invitee>,
    /// True when nobody of the audience is left after it.
    pub last: bool,
}

impl List {
    /// The next stretch for a campaign, with at most `most` people in it: its first and last ordinal.
    pub(super) fn next_stretch(&self, invite: &Invite, most: usize) -> (u32, u32) {
        let from = invite.invited + 1;
        let (people, more) = self.stretch(invite, from, invite.upto, most);
        let to = match people.last() {
            Some(invitee) if more => invitee.ordinal,
            None if more => invite.invited,
            _ => invite.upto,
        };
        (from, to)
    }

    /// The people of a stretch that was decided; `None` for a campaign unknown here.
    #[must_use]
    pub fn invitation(&self, campaign: CampaignId, from: u32, to: u32) -> Option<Invitation> {
        let invite = self.invite(campaign)?;
        let (people, _) = self.stretch(invite, from, to, usize::MAX);
        Some(Invitation { people, last: to >= invite.upto })
    }

    /// Everybody a campaign has been handed so far, for a campaign that starts again.
    #[must_use]
    pub fn invited(&self, campaign: CampaignId) -> Option<Invitation> {
        self.invitation(campaign, 0, self.invite(campaign)?.invited)
    }

    /// How many a later restock of the day adds: members beyond the audience so far who were not
    /// in it under an earlier place.
    pub(super) fn fresh(&self, invite: &Invite) -> u32 {
        let moved: BTreeSet<PersonId> = invite.moved.iter().map(|(_, person)| *person).collect();
        self.members(invite.upto).filter(|row| !moved.contains(&row.person)).count() as u32
    }

    /// Members and given-up places with `from <= ordinal <= to`, in order, at most `most`; and
    /// whether there are more.
    fn stretch(&self, invite: &Invite, from: u32, to: u32, most: usize) -> (Vec<Invitee>, bool) {
        let here = self.members(from.saturating_sub(1)).take_while(|row| row.ordinal <= to);
        let mut here =
            here.map(|row| Invitee { person: row.person, ordinal: row.ordinal, here: true }).peekable();
        let mut moved: Vec<Invitee> = invite
            .moved
            .iter()
            .filter(|(ordinal, _)| (from..=to).contains(ordinal))
            .map(|(ordinal, person)| Invitee { person: *person, ordinal: *ordinal, here: false })
            .collect();
        moved.sort_unstable_by_key(|invitee| invitee.ordinal);
        let mut moved = moved.into_iter().peekable();
        let mut people = Vec::new();
        while people.len() < most {
            let next = match (here.peek(), moved.peek()) {
                (Some(a), Some(b)) if a.ordinal < b.ordinal => here.next(),
                (_, Some(_)) => moved.next(),
                (Some(_), None) => here.next(),
                (None, None) => None,
            };
            match next {
                Some(invitee) => people.push(invitee),
                None => break,
            }
        }
        (people, here.peek().is_some() || moved.peek().is_some())
    }

    /// Of a page of contact numbers, those a campaign on a list that everybody is on may reach:
    /// all but those who said no.
    #[must_use]
    pub fn unless_left(&self, people: &[PersonId]) -> Vec<Invitee> {
        let here = |person| self.row(person).is_none_or(|row| row.standing != MembershipStatus::Left);
        people.iter().map(|p| Invitee { person: *p, ordinal: p.0, here: here(*p) }).collect()
    }
}

impl List {
    /// The audience of a campaign made by hand, as it is claimed or would be now: its last ordinal and how many that is.
    /// `everybody`, on a list that everybody is on: the last contact number and how many have an address.
    #[must_use]
    pub fn audience(&self, campaign: CampaignId, everybody: Option<(u32, u32)>) -> (u32, u32) {
        let claimed = self.invite(campaign);
        match everybody {
            Some((last, mailable)) => {
                (claimed.map_or(last, |invite| invite.upto), mailable.saturating_sub(self.left))
            }
            None => claimed.map_or((self.last_ordinal, self.joined), |invite| {
                let (people, _) = self.stretch(invite, 0, invite.upto, usize::MAX);
                (invite.upto, people.len() as u32)
            }),
        }
    }

    /// The claims that no campaign has said it is done with, with how many of each audience stand
    /// beyond `known` (what the campaign knows of it): what must be told again after a crash.
    pub fn claims(&self, known: impl Fn(CampaignId) -> u32) -> Vec<(Invite, u32)> {
        let open = self.invites.iter().filter(|invite| !invite.closed);
        open.map(|invite| {
            let beyond = known(invite.campaign) + 1;
            let (people, _) = self.stretch(invite, beyond, invite.upto, usize::MAX);
            (invite.clone(), people.len() as u32)
        })
        .collect()
    }
}
