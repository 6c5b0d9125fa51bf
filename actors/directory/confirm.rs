//! Double opt-in: people who asked for a list are mailed a link, and whoever follows the link becomes a member.
//!
//! What is pending is part of the machine (`core::directory::pending`). Here is only what ends with the process: the mails
//! that are under way, and those that a server put off.

use super::super::confirmation::UNDER_WAY_MAX;
use super::super::messages::{Click, Confirmation};
use super::*;
use restockd_core::directory::PendingConfirmation;
use restockd_core::outcome::{DeliveryOutcome, DeliveryResult};

/// People whose mail their server put off. At this number no new mail is begun.
const PUT_OFF_MAX: usize = 1024;
/// Attempts after which a mail is given up; the person may ask again.
const TRIES_MAX: u16 = 8;

/// Confirmation mails between the machine and the server.
#[derive(Default)]
pub(super) struct Mails {
    /// Under way.
    under_way: BTreeSet<PersonId>,
    /// Mails that were put off: until when, after how many attempts, and when the first attempt was.
    put_off: BTreeMap<PersonId, (Millis, u16, Millis)>,
}

impl DirectoryState {
    /// Sends mails to people whose confirmation is pending, as many as may be under way.
    pub(super) fn feed(&mut self, context: &Context) {
        let now = context.clock.now();
        let room = UNDER_WAY_MAX.saturating_sub(self.mails.under_way.len());
        if self.mails.put_off.len() >= PUT_OFF_MAX {
            self.mails.put_off.retain(|_, (until, ..)| *until > now);
        }
        if room == 0 || self.mails.put_off.len() >= PUT_OFF_MAX {
            return;
        }
        let put_off =
            |person: &PersonId| self.mails.put_off.get(person).is_some_and(|(until, ..)| *until > now);
        let free = |person: &PersonId| !self.mails.under_way.contains(person) && !put_off(person);
        let due: Vec<PersonId> = self.directory.due(now).filter(free).take(room).collect();
        for person in due {
            match self.mail(context, person, now) {
                Some(mail) => {
                    self.mails.under_way.insert(person);
                    context.mailboxes.confirmations.send(mail);
                }
                // The person has no address any more, or is gone.
                None => self.asked(context, person, self.directory.seq()),
            }
        }
    }

    /// The mail to a person, if there is anything to confirm and an address.
    fn mail(&self, context: &Context, person: PersonId, now: Millis) -> Option<Confirmation> {
        let (_, held) = self.directory.person(person)?;
        let email = held.email.clone()?;
        let address = context.secrets.address(&email);
        if self.directory.undeliverable(person, Some(address)).is_some() {
            return None;
        }
        let unconfirmed = &self.directory.waiting(person)?.lists;
        let name = |wait: &PendingConfirmation| {
            let list = self.directory.list_at(wait.list)?;
            Some(context.catalog.name(list, wait.product.as_deref()))
        };
        let names = unconfirmed.iter().filter_map(name).collect();
        let (reply, gate) = oneshot::channel();
        context.barrier(AckGuard::new(move |all| _ = reply.send(all)));
        let round = self.directory.seq();
        Some(Confirmation { person, email, address: address as u64, round, names, gate, date: now })
    }

    /// A worker is done with a mail.
    pub(super) fn confirmation_finished(
        &mut self,
        context: &Context,
        person: PersonId,
        round: u64,
        outcome: &DeliveryOutcome,
    ) {
        self.mails.under_way.remove(&person);
        let now = context.clock.now();
        let (tries, first) =
            self.mails.put_off.remove(&person).map_or((1, now), |(_, tries, first)| (tries + 1, first));
        let again = match outcome.end {
            DeliveryResult::Deferred | DeliveryResult::Throttled if tries < TRIES_MAX => {
                context.settings.retry.next(tries, first, now, person.0)
            }
            _ => None,
        };
        match again {
            Some(until) => _ = self.mails.put_off.insert(person, (until, tries, first)),
            None => self.asked(context, person, round),
        }
        self.feed(context);
    }

    /// Records that a mail went out or is given up. Nobody waits for this record: without it the mail is sent again.
    fn asked(&mut self, context: &Context, person: PersonId, round: u64) {
        let at = context.clock.now();
        self.write(
            context,
            &DirectoryEvent::ConfirmationMailed { person, round },
            at,
            &AckGuard::new(|_| ()),
        );
    }

    /// A click joins the lists that its mail covered and its page showed, each with an event of its own.
    pub(super) fn click(&mut self, context: &Context, click: &Click, ack: &AckGuard) -> Vec<Ingested> {
        let lists: Vec<(ListId, Option<Box<str>>)> = pending(&self.directory, context, click)
            .filter(|(list, _)| click.shown.iter().any(|shown| shown == list.as_str()))
            .collect();
        let Some(who) = self.names_of(context, click.person) else { return Vec::new() };
        let mut outcomes = Vec::with_capacity(lists.len());
        for (list, product) in lists {
            let item = Ingest {
                bag: vec![(list.as_str().to_owned(), true)],
                product: product.map(|name| (list, name.into())),
                evidence: Some(Box::new(click.evidence.clone())),
                ..plain(who.clone(), ChangeSource::Link)
            };
            outcomes.push(self.ingest(context, &item, ack));
        }
        outcomes
    }
}

/// The lists that a link confirms: those its mail covered that are still pending, as long as the person has the address
/// that the mail was sent to.
pub fn pending<'a>(
    directory: &'a Directory,
    context: &Context,
    click: &Click,
) -> impl Iterator<Item = (ListId, Option<Box<str>>)> + 'a {
    let held = directory.person(click.person).filter(|(_, held)| {
        held.email.as_ref().is_some_and(|email| context.secrets.address(email) as u64 == click.address)
    });
    let unconfirmed = held.and_then(|(id, _)| directory.waiting(id)).map(|held| held.lists.as_slice());
    let round = click.round;
    let known = unconfirmed.unwrap_or_default().iter().filter(move |wait| wait.since <= round);
    known.filter_map(|wait| Some((directory.list_at(wait.list)?.clone(), wait.product.clone())))
}

/// An ingest with a person and nothing else.
pub(super) fn plain(who: HashedIdentity, how: ChangeSource) -> Ingest {
    Ingest {
        name: String::new(),
        who,
        props: Vec::new(),
        bag: Vec::new(),
        key: None,
        source: how,
        timestamp: None,
        product: None,
        restock: None,
        evidence: None,
        public: false,
    }
}
