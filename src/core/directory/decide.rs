//! What the directory answers; reads only.
//!
//! Who is meant (the table of DESIGN.md's "People"): a user id is the stronger name; an unknown
//! address moves to it; the address of a person without user id makes the two one; the address of
//! another user id is not taken.

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

/// The names a request gives, with the address hashed under the engine's key.
#[derive(Debug, Clone, Default)]
pub struct HashedIdentity {
    /// The address and its hash.
    pub email: Option<(Email, u128)>,
    /// The shop's own id.
    pub user_id: Option<String>,
    /// A browser's id.
    pub anonymous_id: Option<String>,
}

/// An event, or a call that changes people and lists in the same way.
#[derive(Debug, Clone)]
pub struct Ingest {
    /// The event's name; empty for calls.
    pub name: String,
    /// Whom it is about.
    pub who: HashedIdentity,
    /// Properties to set, each as JSON text.
    pub props: Props,
    /// The bag as sent, ids unchecked.
    pub bag: Vec<(String, bool)>,
    /// The key, hashed with its scope.
    pub key: Option<u128>,
    /// How it came.
    pub how: ChangeSource,
    /// When, by the sender's clock.
    pub timestamp: Option<Millis>,
    /// The product's name for a SKU list.
    pub product: Option<(ListId, String)>,
    /// The restock it carries; for one without a key of its own, the key is made at deciding.
    pub restock: Option<RestockFact>,
    /// What is known of how it was asked for.
    pub evidence: Option<Box<ConsentEvidence>>,
    /// From somebody whom nobody vouches for: every join asks for a confirmation, and nothing else
    /// of a person known already changes.
    pub public: bool,
}

/// Why a membership could not be changed although the event is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MembershipProblem {
    /// No address.
    NoEmail,
    /// The address takes no mail.
    Suppressed,
    /// The address belongs to another user id.
    EmailTaken,
    /// Lists that are neither declared nor match a pattern.
    UnknownLists(Vec<String>),
}

/// What the answer to an ingest will say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IngestOutcome {
    /// False for a repeat of the key.
    pub stored: bool,
    /// Whom it was about.
    pub person: Option<PersonId>,
    /// True when the person is new.
    pub created: bool,
    /// True when names or people were joined.
    pub linked: bool,
    /// What could not be done.
    pub trouble: Option<MembershipProblem>,
}

/// What the directory decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryDecision {
    /// What happens, in order: recorded and applied one after the other.
    pub events: Vec<DirectoryEvent>,
    /// What the answer says.
    pub outcome: IngestOutcome,
}

/// Who an ingest is about, found without changing anything.
struct ResolvedPerson {
    id: PersonId,
    created: bool,
    /// Somebody without user id who is the same person.
    absorbs: Option<PersonId>,
    email: Option<Email>,
    user_id: Option<String>,
    anonymous_id: Option<String>,
    email_taken: bool,
}

impl Directory {
    /// Decides an ingest at `at`. `None` when the key window is full: ask again later.
    #[must_use]
    pub fn decide(&self, ingest: &Ingest, catalog: &Catalog, at: Millis) -> Option<DirectoryDecision> {
        let repeat = ingest.key.is_some_and(|key| self.keys.holds(key, at));
        if ingest.key.is_some() && !repeat && !self.keys.has_room(at) {
            return None;
        }
        let found = self.find(&ingest.who).filter(|_| !self.before_erasure(ingest));
        let trouble = self.trouble(ingest, found.as_ref(), catalog);
        let bag = self.bag(ingest, found.as_ref(), catalog);
        let (bag, asked) = self.part(ingest, found.as_ref(), bag, catalog);
        let outcome = IngestOutcome {
            stored: !repeat,
            person: found.as_ref().map(|found| found.id),
            created: found.as_ref().is_some_and(|found| found.created),
            linked: found.as_ref().is_some_and(|f| {
                f.absorbs.is_some() || (!f.created && (f.email.is_some() || f.user_id.is_some()))
            }),
            trouble,
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
                // No key was given: the event's own counter makes it unique.
                fact.key = u128::from(self.seq + events.len() as u64 + 1);
            }
            Box::new(fact)
        });
        // Nothing is kept of a stranger who asks for nothing that can be given.
        let found = found.filter(|_| !ingest.public || !asked.is_empty());
        let attested = (ingest.evidence.is_some() || !asked.is_empty()).then(|| {
            let evidence = ingest.evidence.as_deref().cloned().unwrap_or_default();
            Box::new(Attested { evidence, asked, within_ms: catalog.confirm_within_ms() })
        });
        events.push(DirectoryEvent::Event(Accepted {
            name: ingest.name.clone(),
            key: ingest.key.filter(|_| !repeat),
            how: ingest.how,
            person: found.map(|found| self.fact(found, &ingest.props)),
            bag,
            timestamp: ingest.timestamp,
            product: ingest.product.clone(),
            restock,
            attested,
        }));
        // A new word of somebody who was erased: their address is their own again.
        if let Some((_, address)) = &ingest.who.email
            && self.erased(*address).is_some()
            && outcome.person.is_some()
            && !ingest.public
        {
            events.push(DirectoryEvent::Released { address: *address });
        }
        Some(DirectoryDecision { events, outcome })
    }

    /// Why a person gets no mail, if so: the one function that broadcast, door and page ask.
    #[must_use]
    pub fn undeliverable(&self, person: PersonId, address: Option<u128>) -> Option<Undeliverable> {
        let Some((_, held)) = self.person(person) else { return Some(Undeliverable::Erased) };
        if held.email.is_none() {
            return Some(Undeliverable::NoEmail);
        }
        if held.unsubscribed {
            return Some(Undeliverable::Unsubscribed);
        }
        match address.and_then(|hash| self.suppression_reason(hash))? {
            SuppressionReason::Unsubscribed => Some(Undeliverable::Unsubscribed),
            SuppressionReason::Bounced | SuppressionReason::Complained | SuppressionReason::Manual => {
                Some(Undeliverable::Suppressed)
            }
            // Not a block of mail: `suppression_reason` never answers with it.
            SuppressionReason::Erased => None,
        }
    }

    /// The live person a request names, without creating one.
    #[must_use]
    pub fn known(&self, who: &HashedIdentity) -> Option<PersonId> {
        let user = who.user_id.as_deref().and_then(|user| self.by_user(user));
        let email = || who.email.as_ref().and_then(|(email, _)| self.by_email(email));
        let anonymous = || who.anonymous_id.as_deref().and_then(|id| self.by_anonymous(id));
        user.or_else(email).or_else(anonymous)
    }

    /// Who is meant, and what that changes.
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
            // A browser that is known and belongs to nobody with another name yet.
            (_, None, None) => by_anonymous.filter(|id| {
                let held = self.person(*id).map(|(_, p)| p);
                let free = |p: &Person| {
                    (email.is_none() || p.email.is_none()) && (who.user_id.is_none() || p.user_id.is_none())
                };
                held.is_some_and(free)
            }),
        };
        if known.is_none() && email.is_none() && who.user_id.is_none() && who.anonymous_id.is_none() {
            return None;
        }
        let id = known.unwrap_or(PersonId(self.last_person() + 1));
        let held = known.and_then(|id| self.person(id)).map(|(_, p)| p);
        let new_email =
            email.filter(|email| !email_taken && held.and_then(|p| p.email.as_ref()) != Some(email));
        let new_user = who.user_id.as_ref().filter(|_| held.is_none_or(|p| p.user_id.is_none()));
        let free_browser = by_anonymous.is_none() && held.is_none_or(|p| p.anonymous_id().is_none());
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

    /// The record of what changes about a person: only what is different.
    fn fact(&self, found: ResolvedPerson, props: &Props) -> PersonFact {
        let held = self.person(found.id).map(|(_, p)| p);
        let differs = |(name, value): &&(String, String)| held.and_then(|p| p.prop(name)) != Some(value);
        PersonFact {
            id: found.id,
            props: props.iter().filter(differs).cloned().collect(),
            email: found.email,
            user_id: found.user_id,
            anonymous_id: found.anonymous_id,
        }
    }

    /// The part of a bag that is carried out: known lists, for somebody who can be mailed (leaving
    /// is always possible).
    fn bag(&self, ingest: &Ingest, found: Option<&ResolvedPerson>, catalog: &Catalog) -> Vec<(ListId, bool)> {
        let Some(found) = found else { return Vec::new() };
        if found.email_taken || !self.has_email(found) {
            return Vec::new();
        }
        let undeliverable = self.unmailable(ingest, found);
        let known = ingest.bag.iter().filter_map(|(id, join)| Some((catalog.find(id)?, *join)));
        known.filter(|(_, join)| !(*join && undeliverable)).collect()
    }

    /// Parts a bag into what is carried out and the lists that wait for a confirmation. Who is on a
    /// list already confirms nothing, and neither does who came by a link in a mail of ours.
    fn part(
        &self,
        ingest: &Ingest,
        found: Option<&ResolvedPerson>,
        bag: Vec<(ListId, bool)>,
        catalog: &Catalog,
    ) -> (Vec<(ListId, bool)>, Vec<ListId>) {
        let proven = matches!(ingest.how, ChangeSource::Link | ChangeSource::Page);
        let unconfirmed = |list: &ListId| ingest.public || (!proven && catalog.double_opt_in(list));
        let links = found.and_then(|found| self.person(found.id)).map(|(_, held)| held.links.as_slice());
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

    /// What the answer has to say about the bag.
    fn trouble(
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

    /// True when the person has, or gets by this, an address.
    fn has_email(&self, found: &ResolvedPerson) -> bool {
        let held = self.person(found.id).is_some_and(|(_, p)| p.email.is_some());
        let absorbed = found.absorbs.and_then(|id| self.person(id)).is_some_and(|(_, p)| p.email.is_some());
        found.email.is_some() || held || absorbed
    }

    /// When the person who had an address was erased, if that is all that is held of it.
    fn erased(&self, address: u128) -> Option<Millis> {
        self.suppression(address)
            .filter(|held| held.why == SuppressionReason::Erased)
            .and_then(|held| held.at)
    }

    /// True for an event of before its person's erasure: it may not bring them back.
    fn before_erasure(&self, ingest: &Ingest) -> bool {
        let erased = ingest.who.email.as_ref().and_then(|(_, hash)| self.erased(*hash));
        erased.zip(ingest.timestamp).is_some_and(|(erased, sent)| sent <= erased)
    }

    /// True when the person takes no mail at all.
    fn unmailable(&self, ingest: &Ingest, found: &ResolvedPerson) -> bool {
        let blocked =
            ingest.who.email.as_ref().is_some_and(|(_, hash)| self.suppression_reason(*hash).is_some());
        let unsubscribed = |id| self.person(id).is_some_and(|(_, p)| p.unsubscribed);
        blocked || unsubscribed(found.id) || found.absorbs.is_some_and(unsubscribed)
    }

    /// True when a repeat changes nothing: no open event of that person, and each list was last
    /// told what the bag says.
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
