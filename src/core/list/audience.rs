//! The audience of a campaign, in join order. One function serves counting it, handing it over and asking
//! again.

use std::collections::BTreeSet;

use super::super::ids::{CampaignId, PersonId};
use super::{Invite, List, MembershipStatus};

/// A person of an audience, as handed over to the campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invitee {
    pub person: PersonId,
    /// The place by which the person was invited.
    pub ordinal: u32,
    /// False if the person has left that place since the audience was fixed.
    pub here: bool,
}

/// A stretch of an audience.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Invitation {
    /// The people in the stretch, in join order.
    pub people: Vec<Invitee>,
    /// Whether the audience ends with this stretch.
    pub last: bool,
}

impl List {
    /// The first and the last ordinal of a campaign's next stretch, which holds at most `most` people.
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

    /// The people of a stretch that was decided; `None` if the campaign has no claim here.
    #[must_use]
    pub fn invitation(&self, campaign: CampaignId, from: u32, to: u32) -> Option<Invitation> {
        let invite = self.invite(campaign)?;
        let (people, _) = self.stretch(invite, from, to, usize::MAX);
        Some(Invitation { people, last: to >= invite.upto })
    }

    /// Everybody who was handed over to a campaign so far, for a campaign that starts again.
    #[must_use]
    pub fn invited(&self, campaign: CampaignId) -> Option<Invitation> {
        self.invitation(campaign, 0, self.invite(campaign)?.invited)
    }

    /// How many people a later restock of the day adds: members beyond the audience so far who were not in it
    /// with an earlier place.
    pub(super) fn fresh(&self, invite: &Invite) -> u32 {
        let moved: BTreeSet<PersonId> = invite.moved.iter().map(|(_, person)| *person).collect();
        self.members(invite.upto).filter(|row| !moved.contains(&row.person)).count() as u32
    }

    /// The members and given-up places with `from <= ordinal <= to`, in order, at most `most`; and whether
    /// there are more.
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

    /// Of `people`, those whom a campaign to a list that everybody is on may reach: all who did not opt out.
    #[must_use]
    pub fn unless_left(&self, people: &[PersonId]) -> Vec<Invitee> {
        let here = |person| self.row(person).is_none_or(|row| row.status != MembershipStatus::Left);
        people.iter().map(|p| Invitee { person: *p, ordinal: p.0, here: here(*p) }).collect()
    }
}

impl List {
    /// The audience of a campaign made by hand, as claimed or as it would be now: its last ordinal and its
    /// size.
    ///
    /// `everybody` is for a list that everybody is on: the last contact number, and how many people have an
    /// address.
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

    /// The claims of campaigns that are not done here, each with the number of people beyond `known`, the
    /// last ordinal that the campaign knows of. After a crash the campaigns must be told of these again.
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
