//! The decisions of the directory about events and calls. They read the state and change nothing.
//!
//! Whom a request means: a user id is the strongest name. An address that nobody has goes to the person with
//! that user id; if a person without user id has the address, the two are merged; the address of a person
//! with another user id is not taken.

use super::super::catalog::Catalog;
use super::super::email::Email;
use super::super::ids::{ListId, PersonId};
use super::super::list::ChangeSource;
use super::super::time::Millis;
use super::person::{Person, Props, Undeliverable};
use super::{
    Accepted, Attested, ConsentEvidence, Directory, DirectoryEvent, PersonFact, RestockFact,
    SuppressionReason,
};

/// The names by which a request calls a person.
#[derive(Debug, Clone, Default)]
pub struct HashedIdentity {
    /// The address, and its hash under the engine's key.
    pub email: Option<(Email, u128)>,
    /// The shop's own id for the person.
    pub user_id: Option<String>,
    /// The id that a browser carries.
    pub anonymous_id: Option<String>,
}

/// An event, or a call that changes people and lists in the same way.
#[derive(Debug, Clone)]
pub struct Ingest {
    /// The event's name; empty for a call.
    pub name: String,
    pub who: HashedIdentity,
    /// Properties to set, by name, each as JSON text.
    pub props: Props,
    /// The bag as sent: list ids, not checked yet, with true to join, false to leave.
    pub bag: Vec<(String, bool)>,
    /// The idempotency key, hashed with its scope.
    pub key: Option<u128>,
    pub source: ChangeSource,
    /// When it happened, by the sender's clock.
    pub timestamp: Option<Millis>,
    /// The name of the product, for a SKU list.
    pub product: Option<(ListId, String)>,
    /// The restock that it reports. A key of 0 is replaced by one that is unique to this event.
    pub restock: Option<RestockFact>,
    /// How somebody asked for the lists, as far as it is known.
    pub evidence: Option<Box<ConsentEvidence>>,
    /// Sent with a publishable key, so nobody vouches for it: every join needs a confirmation, and nothing
    /// else changes about a person who is known already.
    pub public: bool,
}

/// Why a membership could not change although the event is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MembershipProblem {
    /// The person has no address.
    NoEmail,
    /// The address is on the suppression list.
    Suppressed,
    /// The address belongs to a person with another user id.
    EmailTaken,
    /// The lists are neither declared nor match a pattern.
    UnknownLists(Vec<String>),
}

/// What the answer to an event or call will say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IngestOutcome {
    /// False if the key was seen before.
    pub stored: bool,
    /// The person it was about, if one is known.
    pub person: Option<PersonId>,
    /// Whether the person is new.
    pub created: bool,
    /// Whether a name was added to a person or two people were merged.
    pub linked: bool,
    /// Why part of it could not be done.
    pub problem: Option<MembershipProblem>,
}

/// The answer of the directory to an event or call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryDecision {
    /// What to record and apply, in this order.
    pub events: Vec<DirectoryEvent>,
    pub outcome: IngestOutcome,
}

/// The person whom a request means.
struct ResolvedPerson {
    id: PersonId,
    created: bool,
    /// A person without user id who turns out to be the same and will be merged.
    absorbs: Option<PersonId>,
    email: Option<Email>,
    user_id: Option<String>,
    anonymous_id: Option<String>,
    email_taken: bool,
}

impl Directory {
    /// Decides an event or call at `at`. `None` if no more idempotency keys can be remembered at the moment;
    /// the sender should try again later.
    #[must_use]
    pub fn decide(&self, ingest: &Ingest, catalog: &Catalog, at: Millis) -> Option<DirectoryDecision> {
        let repeat = ingest.key.is_some_and(|key| self.keys.holds(key, at));
        if ingest.key.is_some() && !repeat && !self.keys.has_room(at) {
            return None;
        }
        let found = self.find(&ingest.who).filter(|_| !self.before_erasure(ingest));
        let problem = self.problem(ingest, found.as_ref(), catalog);
        let bag = self.bag(ingest, found.as_ref(), catalog);
        let (bag, asked) = self.part(ingest, found.as_ref(), bag, catalog);
        let outcome = IngestOutcome {
            stored: !repeat,
            person: found.as_ref().map(|found| found.id),
            created: found.as_ref().is_some_and(|found| found.created),
            linked: found.as_ref().is_some_and(|f| {
                f.absorbs.is_some() || (!f.created && (f.email.is_some() || f.user_id.is_some()))
            }),
            problem,
        };
        if repeat && self.told_before(found.as_ref(), &bag) {
            return Some(DirectoryDecision { events: Vec::new(), outcome });
        }
        let mut events = Vec::new();
        if let Some(found) = &found
            && let Some(from) = found.absorbs
        {
            events.push(DirectoryEvent::Merged { from, to: found.id });
        }
        let restock = ingest.restock.clone().filter(|_| !repeat).map(|mut fact| {
            if fact.key == 0 {
                // Without a key, the number of the event's record makes it unique.
                fact.key = u128::from(self.seq + events.len() as u64 + 1);
            }
            Box::new(fact)
        });
        // Nothing is kept about a stranger if no list they ask for can be given.
        let found = found.filter(|_| !ingest.public || !asked.is_empty());
        let attested = (ingest.evidence.is_some() || !asked.is_empty()).then(|| {
            let evidence = ingest.evidence.as_deref().cloned().unwrap_or_default();
            Box::new(Attested { evidence, asked, within_ms: catalog.confirm_within_ms() })
        });
        events.push(DirectoryEvent::Event(Accepted {
            name: ingest.name.clone(),
            key: ingest.key.filter(|_| !repeat),
            source: ingest.source,
            person: found.map(|found| self.fact(found, &ingest.props)),
            bag,
            timestamp: ingest.timestamp,
            product: ingest.product.clone(),
            restock,
            attested,
        }));
        // Somebody who was erased comes back by their own action: the address is theirs again.
        if let Some((_, address)) = &ingest.who.email
            && self.erased(*address).is_some()
            && outcome.person.is_some()
            && !ingest.public
        {
            events.push(DirectoryEvent::Released { address: *address });
        }
        Some(DirectoryDecision { events, outcome })
    }

    /// Why a person gets no mail; `None`: they may be mailed. Broadcasts, the API and the preference page all
    /// ask this one function.
    #[must_use]
    pub fn undeliverable(&self, person: PersonId, address: Option<u128>) -> Option<Undeliverable> {
        let Some((_, row)) = self.person(person) else { return Some(Undeliverable::Erased) };
        if row.email.is_none() {
            return Some(Undeliverable::NoEmail);
        }
        if row.unsubscribed {
            return Some(Undeliverable::Unsubscribed);
        }
        match address.and_then(|hash| self.suppression_reason(hash))? {
            SuppressionReason::Unsubscribed => Some(Undeliverable::Unsubscribed),
            SuppressionReason::Bounced | SuppressionReason::Complained | SuppressionReason::Manual => {
                Some(Undeliverable::Suppressed)
            }
            // An erasure does not stop mail, so `suppression_reason` never answers with it.
            SuppressionReason::Erased => None,
        }
    }

    /// The live person whom a request names; creates nobody.
    #[must_use]
    pub fn known(&self, who: &HashedIdentity) -> Option<PersonId> {
        let user = who.user_id.as_deref().and_then(|user| self.by_user(user));
        let email = || who.email.as_ref().and_then(|(email, _)| self.by_email(email));
        let anonymous = || who.anonymous_id.as_deref().and_then(|id| self.by_anonymous(id));
        user.or_else(email).or_else(anonymous)
    }

    /// The person whom a request means, and whether a merge follows; `None` without any name.
    fn find(&self, who: &HashedIdentity) -> Option<ResolvedPerson> {
        let email = who.email.as_ref().map(|(email, _)| email);
        let by_email = email.and_then(|email| self.by_email(email));
        let by_user = who.user_id.as_deref().and_then(|user| self.by_user(user));
        let by_anonymous = who.anonymous_id.as_deref().and_then(|id| self.by_anonymous(id));
        let has_user = |id| self.person(id).is_some_and(|(_, p)| p.user_id.is_some());
        let mut absorbs = None;
        let mut email_taken = false;
        let known = match (&who.user_id, by_user, by_email) {
            (Some(_), Some(user), Some(other)) if user != other => {
                if has_user(other) {
                    email_taken = true;
                } else {
                    absorbs = Some(other);
                }
                Some(user)
            }
            (_, Some(user), _) => Some(user),
            (Some(_), None, Some(other)) if has_user(other) => {
                email_taken = true;
                None
            }
            (_, _, Some(other)) => Some(other),
            // A known browser that belongs to nobody with another user id or address yet.
            (_, None, None) => by_anonymous.filter(|id| {
                let row = self.person(*id).map(|(_, p)| p);
                let free = |p: &Person| {
                    (email.is_none() || p.email.is_none()) && (who.user_id.is_none() || p.user_id.is_none())
                };
                row.is_some_and(free)
            }),
        };
        if known.is_none() && email.is_none() && who.user_id.is_none() && who.anonymous_id.is_none() {
            return None;
        }
        let id = known.unwrap_or(PersonId(self.last_person() + 1));
        let row = known.and_then(|id| self.person(id)).map(|(_, p)| p);
        let new_email =
            email.filter(|email| !email_taken && row.and_then(|p| p.email.as_ref()) != Some(email));
        let new_user = who.user_id.as_ref().filter(|_| row.is_none_or(|p| p.user_id.is_none()));
        let free_browser = by_anonymous.is_none() && row.is_none_or(|p| p.anonymous_id().is_none());
        Some(ResolvedPerson {
            id,
            created: known.is_none(),
            absorbs,
            email: new_email.cloned(),
            user_id: new_user.cloned(),
            anonymous_id: who.anonymous_id.clone().filter(|_| free_browser),
            email_taken,
        })
    }

    /// The change to a person: only what differs from the present.
    fn fact(&self, found: ResolvedPerson, props: &Props) -> PersonFact {
        let row = self.person(found.id).map(|(_, p)| p);
        let differs = |(name, value): &&(String, String)| row.and_then(|p| p.prop(name)) != Some(value);
        PersonFact {
            id: found.id,
            props: props.iter().filter(differs).cloned().collect(),
            email: found.email,
            user_id: found.user_id,
            anonymous_id: found.anonymous_id,
        }
    }

    /// The part of a bag that can be carried out: known lists, and joins only for a person who may be mailed.
    /// Leaving is always possible.
    fn bag(&self, ingest: &Ingest, found: Option<&ResolvedPerson>, catalog: &Catalog) -> Vec<(ListId, bool)> {
        let Some(found) = found else { return Vec::new() };
        if found.email_taken || !self.has_email(found) {
            return Vec::new();
        }
        let undeliverable = self.unmailable(ingest, found);
        let known = ingest.bag.iter().filter_map(|(id, join)| Some((catalog.find(id)?, *join)));
        known.filter(|(_, join)| !(*join && undeliverable)).collect()
    }

    /// Divides a bag into what is carried out now and the lists that wait for a confirmation. Somebody who is
    /// on a list already need not confirm it, nor somebody who came by a link in one of our mails.
    fn part(
        &self,
        ingest: &Ingest,
        found: Option<&ResolvedPerson>,
        bag: Vec<(ListId, bool)>,
        catalog: &Catalog,
    ) -> (Vec<(ListId, bool)>, Vec<ListId>) {
        let proven = matches!(ingest.source, ChangeSource::Link | ChangeSource::Page);
        let unconfirmed = |list: &ListId| ingest.public || (!proven && catalog.double_opt_in(list));
        let links = found.and_then(|found| self.person(found.id)).map(|(_, row)| row.links.as_slice());
        let member = |list: &ListId| {
            let link = self.list_number(list).and_then(|n| links?.iter().find(|link| link.list() == n));
            link.and_then(|link| link.told()) == Some(true)
        };
        let (mut now, mut asked) = (Vec::with_capacity(bag.len()), Vec::new());
        for (list, join) in bag {
            match (join && unconfirmed(&list), member(&list)) {
                (false, _) if !ingest.public => now.push((list, join)),
                (true, false) => asked.push(list),
                (true, true) if !ingest.public => now.push((list, join)),
                _ => {}
            }
        }
        (now, asked)
    }

    /// Why part of the bag cannot be carried out, if so.
    fn problem(
        &self,
        ingest: &Ingest,
        found: Option<&ResolvedPerson>,
        catalog: &Catalog,
    ) -> Option<MembershipProblem> {
        if found.is_some_and(|found| found.email_taken) {
            return Some(MembershipProblem::EmailTaken);
        }
        if ingest.bag.is_empty() {
            return None;
        }
        if self.before_erasure(ingest) {
            return Some(MembershipProblem::Suppressed);
        }
        let Some(found) = found.filter(|found| self.has_email(found)) else {
            return Some(MembershipProblem::NoEmail);
        };
        if ingest.bag.iter().any(|(_, join)| *join) && self.unmailable(ingest, found) {
            return Some(MembershipProblem::Suppressed);
        }
        let unknown = ingest.bag.iter().filter(|(id, _)| catalog.find(id).is_none());
        let unknown: Vec<String> = unknown.map(|(id, _)| id.clone()).collect();
        (!unknown.is_empty()).then_some(MembershipProblem::UnknownLists(unknown))
    }

    /// Whether the person has an address, or gets one by this request.
    fn has_email(&self, found: &ResolvedPerson) -> bool {
        let row = self.person(found.id).is_some_and(|(_, p)| p.email.is_some());
        let absorbed = found.absorbs.and_then(|id| self.person(id)).is_some_and(|(_, p)| p.email.is_some());
        found.email.is_some() || row || absorbed
    }

    /// When the former owner of an address was erased, if nothing else is known of the address.
    fn erased(&self, address: u128) -> Option<Millis> {
        self.suppression(address).filter(|row| row.why == SuppressionReason::Erased).and_then(|row| row.at)
    }

    /// Whether the event happened before the person's erasure, and so must not bring them back.
    fn before_erasure(&self, ingest: &Ingest) -> bool {
        let erased = ingest.who.email.as_ref().and_then(|(_, hash)| self.erased(*hash));
        erased.zip(ingest.timestamp).is_some_and(|(erased, sent)| sent <= erased)
    }

    /// Whether the address may not be mailed at all.
    fn unmailable(&self, ingest: &Ingest, found: &ResolvedPerson) -> bool {
        let blocked =
            ingest.who.email.as_ref().is_some_and(|(_, hash)| self.suppression_reason(*hash).is_some());
        let unsubscribed = |id| self.person(id).is_some_and(|(_, p)| p.unsubscribed);
        blocked || unsubscribed(found.id) || found.absorbs.is_some_and(unsubscribed)
    }

    /// Whether a repeat would change nothing: the person has no open event, and each list was last told what
    /// the bag says.
    fn told_before(&self, found: Option<&ResolvedPerson>, bag: &[(ListId, bool)]) -> bool {
        let Some(found) = found else { return true };
        if found.created
            || found.absorbs.is_some()
            || found.email.is_some()
            || found.user_id.is_some()
            || self.busy.contains_key(&found.id)
        {
            return false;
        }
        let Some((_, person)) = self.person(found.id) else { return false };
        bag.iter().all(|(list, join)| {
            let number = self.list_number(list);
            let link = number.and_then(|n| person.links.iter().find(|link| link.list() == n));
            link.and_then(|link| link.told()) == Some(*join) || (link.is_none() && !*join)
        })
    }
}
