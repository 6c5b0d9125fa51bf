//! The Engine's calls about people: contacts, memberships, erasure.

use serde_json::{Map, Value};

use super::*;
use restockd_core::directory::{ConsentEvidence, DirectoryCommand, IngestOutcome, MembershipProblem, Person};

impl Engine {
    /// Joins (`on`) or leaves one list.
    ///
    /// # Errors
    /// When the list is unknown, nobody is named, or the person has no address.
    pub async fn set_membership(
        &self,
        list: &str,
        who: Identity,
        on: bool,
        consent: Option<ConsentEvidence>,
    ) -> EngineResult<MembershipAnswer> {
        let known = self.0.context.catalog.find(list);
        let list = known.ok_or_else(|| RequestRefusal::UnknownList(list.to_owned()))?;
        if who.email.is_none() && who.user_id.is_none() {
            return Err(RequestRefusal::NoIdentity.into());
        }
        let bag = vec![(list.as_str().to_owned(), on)];
        let (_, outcome) = self.call(ChangeSource::Api, who, Vec::new(), bag, consent).await?;
        match outcome.problem {
            None => {
                // Said of everybody alike: the answer must not tell who is on such a list already.
                let pending = on && self.0.context.catalog.double_opt_in(&list);
                Ok(MembershipAnswer { list, subscribed: on && !pending, pending })
            }
            Some(trouble) => Err(refusal(trouble).into()),
        }
    }

    /// Creates or changes a contact.
    ///
    /// # Errors
    /// When nobody is named.
    pub async fn put_contact(&self, input: ContactInput) -> EngineResult<ContactAnswer> {
        if input.who.is_empty() {
            return Err(RequestRefusal::NoIdentity.into());
        }
        let props = properties_of(input.properties);
        let (answer, outcome) =
            self.call(ChangeSource::Contact, input.who, props, input.lists, input.consent).await?;
        let id = outcome.person.ok_or(EngineError::Lost)?;
        let (created, linked) = (outcome.created, outcome.linked);
        Ok(ContactAnswer { id, created, linked, lists_error: answer.lists_error })
    }

    /// The contact that is known by these names: one or none.
    pub async fn find_contacts(&self, who: Identity) -> EngineResult<Vec<ContactView>> {
        let who = self.hashed(who);
        self.ask_directory(move |directory| {
            let known = directory.known(&who).and_then(|id| directory.person(id));
            known.map(|(id, person)| contact_view(id, person)).into_iter().collect()
        })
        .await
    }

    /// Ends every membership and erases the person; false when nobody is known by these names.
    pub async fn erase(&self, who: Identity) -> EngineResult<bool> {
        let permit = self.admit().await?;
        let Some((person, address)) = self.live(who).await? else { return Ok(false) };
        self.change(DirectoryCommand::Erase(person, address), permit).await
    }

    /// Takes in a change of a person and of lists in the way an event is.
    pub(super) async fn call(
        &self,
        how: ChangeSource,
        who: Identity,
        props: Vec<(String, String)>,
        bag: Vec<(String, bool)>,
        consent: Option<ConsentEvidence>,
    ) -> EngineResult<(EventAnswer, IngestOutcome)> {
        let ingest = Ingest {
            name: String::new(),
            who: self.hashed(who),
            props,
            bag,
            key: None,
            source: how,
            timestamp: None,
            product: None,
            restock: None,
            evidence: consent.map(Box::new),
            public: false,
        };
        let mut outcomes = self.take_in(vec![ingest]).await?;
        outcomes.pop().flatten().ok_or(EngineError::Busy)
    }

    /// The living person who is known by these names, with the hash of their address.
    pub(super) async fn live(&self, who: Identity) -> EngineResult<Option<(PersonId, Option<u128>)>> {
        let who = self.hashed(who);
        let secrets = self.0.context.secrets.clone();
        self.ask_directory(move |directory| {
            let (id, person) = directory.known(&who).and_then(|id| directory.person(id))?;
            Some((id, person.email.as_ref().map(|email| secrets.address(email))))
        })
        .await
    }

    /// Makes a change about one person; true when it changed anything.
    pub(super) async fn change(
        &self,
        ask: DirectoryCommand,
        permit: OwnedSemaphorePermit,
    ) -> EngineResult<bool> {
        Ok(self.changes(vec![ask], permit).await?.contains(&true))
    }

    /// Makes changes in order; of each, whether it changed anything.
    pub(super) async fn changes(
        &self,
        asks: Vec<DirectoryCommand>,
        permit: impl Into<Permit>,
    ) -> EngineResult<Vec<bool>> {
        let (reply, answer) = Reply::new(permit);
        self.0.context.mailboxes.directory.send(DirectoryMessage::Command(asks, reply));
        self.answered(answer).await
    }
}

/// The refusal that stands for a membership problem.
pub(super) fn refusal(trouble: MembershipProblem) -> RequestRefusal {
    match trouble {
        MembershipProblem::NoEmail => RequestRefusal::NoEmail,
        MembershipProblem::Suppressed => RequestRefusal::Suppressed,
        MembershipProblem::EmailTaken => RequestRefusal::EmailTaken,
        MembershipProblem::UnknownLists(lists) => {
            RequestRefusal::UnknownList(lists.into_iter().next().unwrap_or_default())
        }
    }
}

/// A person as `api` shows them.
pub(super) fn contact_view(id: PersonId, person: &Person) -> ContactView {
    let properties: Map<String, Value> = person
        .props()
        .iter()
        .map(|(name, value)| (name.clone(), serde_json::from_str(value).unwrap_or_default()))
        .collect();
    ContactView {
        id,
        external_id: person.external_id().map(str::to_owned),
        email: person.email.clone(),
        properties,
        first_seen: person.created,
        last_seen: person.seen,
        created: person.created,
        updated: person.updated,
    }
}
