//! Verbs about people: contacts, memberships, erasure, export.

use serde_json::{Map, Value, json};

use super::super::directory::DirectoryMessage;
use super::*;
use crate::domain::directory::{Ask, Outcome, Person, Trouble};

impl Engine {
    /// Joins or leaves one list.
    ///
    /// # Errors
    /// When the list is unknown, nobody is named, or the person has no address.
    pub async fn set_membership(&self, list: &str, who: Who, on: bool) -> Answer<MembershipAnswer> {
        let known = self.0.context.catalog.find(list);
        let list = known.ok_or_else(|| Refusal::UnknownList(list.to_owned()))?;
        if who.email.is_none() && who.user_id.is_none() {
            return Err(Refusal::NoIdentity.into());
        }
        let bag = vec![(list.as_str().to_owned(), on)];
        let (_, outcome) = self.call(How::Api, who, Vec::new(), bag).await?;
        match outcome.trouble {
            None => Ok(MembershipAnswer { list, subscribed: on }),
            Some(trouble) => Err(refusal(trouble).into()),
        }
    }

    /// Makes or changes a contact.
    ///
    /// # Errors
    /// When nobody is named or the engine cannot now.
    pub async fn put_contact(&self, input: ContactInput) -> Answer<ContactAnswer> {
        if input.who.is_nobody() {
            return Err(Refusal::NoIdentity.into());
        }
        let props = properties_of(input.properties);
        let (answer, outcome) = self.call(How::Contact, input.who, props, input.lists).await?;
        let id = outcome.person.ok_or(EngineError::Lost)?;
        let (created, linked) = (outcome.created, outcome.linked);
        Ok(ContactAnswer { id, created, linked, lists_error: answer.lists_error })
    }

    /// The contacts by these names.
    ///
    /// # Errors
    /// When the engine cannot now.
    pub async fn find_contacts(&self, who: Who) -> Answer<Vec<ContactView>> {
        let who = self.hashed(who);
        self.ask_directory(move |directory| {
            let known = directory.known(&who).and_then(|id| directory.person(id));
            known.map(|(id, person)| contact_view(id, person)).into_iter().collect()
        })
        .await
    }

    /// Ends every membership and erases the person; false when nobody is known by these names.
    ///
    /// # Errors
    /// When the engine cannot now.
    pub async fn erase(&self, who: Who) -> Answer<bool> {
        let permit = self.admit().await?;
        let Some((person, address)) = self.live(who).await? else { return Ok(false) };
        self.change(Ask::Erase(person, address), permit).await
    }

    /// All that is held about a person.
    ///
    /// # Errors
    /// When the engine cannot now.
    pub async fn export(&self, who: Who) -> Answer<Option<Value>> {
        let who = self.hashed(who);
        let secrets = self.0.context.secrets.clone();
        let held = self
            .ask_directory(move |directory| {
                let (id, person) = directory.known(&who).and_then(|id| directory.person(id))?;
                let lists: Vec<ListId> = directory.lists_of(id).cloned().collect();
                let address = person.email.as_ref().map(|email| secrets.address(email));
                let block = address.and_then(|hash| directory.block(hash));
                Some((
                    id,
                    contact_json(&contact_view(id, person)),
                    lists,
                    person.unsubscribed,
                    (address, block),
                ))
            })
            .await?;
        let Some((id, contact, lists, unsubscribed, (held_address, block))) = held else { return Ok(None) };
        let mut memberships = Vec::new();
        for list in lists {
            let row = self.ask_list(list.clone(), move |state| state.row(id).cloned()).await?;
            if let Some(row) = row {
                memberships.push(json!({
                    "list": list.as_str(),
                    "subscribed": row.standing == crate::domain::list::Standing::Joined,
                    "how": format!("{:?}", row.how).to_lowercase(),
                    "joinedAt": row.joined.to_string(),
                    "changedAt": row.changed.to_string(),
                }));
            }
        }
        let letters = self.letters_of(id).await?;
        let returns = self.returns_of(held_address).await?;
        Ok(Some(json!({
            "contact": contact,
            "unsubscribedFromAll": unsubscribed,
            "suppressed": block.map(|block| format!("{block:?}").to_lowercase()),
            "lists": memberships,
            "letters": letters,
            "returns": returns,
        })))
    }

    /// A call that changes a person and lists as an event does.
    pub(super) async fn call(
        &self,
        how: How,
        who: Who,
        props: Vec<(String, String)>,
        bag: Vec<(String, bool)>,
    ) -> Answer<(EventAnswer, Outcome)> {
        let ingest = Ingest {
            name: String::new(),
            who: self.hashed(who),
            props,
            bag,
            key: None,
            how,
            timestamp: None,
            product: None,
            restock: None,
        };
        let mut outcomes = self.take_in(vec![ingest]).await?;
        outcomes.pop().flatten().ok_or(EngineError::Busy)
    }

    /// The live person by these names, with the hash of their address.
    pub(super) async fn live(&self, who: Who) -> Answer<Option<(PersonId, Option<u128>)>> {
        let who = self.hashed(who);
        let secrets = self.0.context.secrets.clone();
        self.ask_directory(move |directory| {
            let (id, person) = directory.known(&who).and_then(|id| directory.person(id))?;
            Some((id, person.email.as_ref().map(|email| secrets.address(email))))
        })
        .await
    }

    /// A change about one person; true when there was anything to change.
    pub(super) async fn change(&self, ask: Ask, permit: OwnedSemaphorePermit) -> Answer<bool> {
        let changed = Arc::new(Mutex::new(false));
        let (part, done) = waiting(permit);
        let message = DirectoryMessage::Ask(ask, Arc::clone(&changed), part);
        self.0.context.tell(message);
        self.wait(done).await?;
        let changed = *changed.lock();
        Ok(changed)
    }
}

/// A trouble as a refusal.
pub(super) fn refusal(trouble: Trouble) -> Refusal {
    match trouble {
        Trouble::NoEmail => Refusal::NoEmail,
        Trouble::Suppressed => Refusal::Suppressed,
        Trouble::EmailTaken => Refusal::EmailTaken,
        Trouble::UnknownLists(lists) => Refusal::UnknownList(lists.into_iter().next().unwrap_or_default()),
    }
}

/// A person as the wire shows them.
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

/// A contact as JSON, for the export.
fn contact_json(view: &ContactView) -> Value {
    json!({
        "id": view.id.to_string(),
        "externalId": view.external_id,
        "email": view.email.as_ref().map(|email| email.as_str()),
        "properties": view.properties,
        "firstSeenAt": view.first_seen.to_string(),
        "lastSeenAt": view.last_seen.to_string(),
        "createdAt": view.created.to_string(),
        "updatedAt": view.updated.to_string(),
    })
}
