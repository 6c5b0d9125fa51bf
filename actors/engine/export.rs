//! All that is held about one person, as JSON: what somebody who asks for it is handed.
//!
//! Contact, memberships (also those that ended) with when and how, the entry on the suppression
//! list, what is known of how they asked, and the letters that the ledgers still hold, under every number the person ever had.

use serde_json::{Value, json};

use super::people::contact_view;
use super::suppressions::suppression_view;
use super::*;
use restockd_core::directory::{Evidence, Fate, ProofView, Wait};
use restockd_core::list::Standing;

/// Contact numbers looked at in one turn of the directory.
const LOOKS: u32 = 1 << 16;

impl Engine {
    /// All that is held about a person.
    ///
    /// # Errors
    /// When the engine cannot now.
    pub async fn export(&self, who: Who) -> Answer<Option<Value>> {
        let (who, secrets) = (self.hashed(who), self.0.context.secrets.clone());
        let held = self
            .ask_directory(move |directory| {
                let (id, person) = directory.known(&who).and_then(|id| directory.person(id))?;
                let lists: Vec<ListId> = directory.lists_of(id).cloned().collect();
                let address = person.email.as_ref().map(|email| secrets.address(email));
                let held = address.and_then(|hash| directory.suppression(hash).map(|held| (hash, held)));
                let suppression =
                    held.map(|(hash, held)| suppression_view(hash, held, person.email.as_ref()));
                let consent: Vec<Value> =
                    directory.proofs(id).map(|row| proof_json(directory, &row)).collect();
                let waits = directory.waiting(id).map(|held| held.lists.as_slice()).unwrap_or_default();
                let pending =
                    |wait: &Wait| json!({"list": name(directory, wait.list), "at": wait.at.to_string()});
                let waiting: Vec<Value> = waits.iter().map(pending).collect();
                let contact = contact_view(id, person);
                Some((contact, lists, person.unsubscribed, suppression, consent, waiting, address))
            })
            .await?;
        let Some((contact, lists, unsubscribed, suppression, consent, waiting, address)) = held else {
            return Ok(None);
        };
        let id = contact.id;
        let mut memberships = Vec::new();
        for list in lists {
            let row = self.ask_list(list.clone(), move |state| state.row(id).cloned()).await?;
            if let Some(row) = row {
                memberships.push(json!({
                    "list": list.as_str(),
                    "subscribed": row.standing == Standing::Joined,
                    "how": format!("{:?}", row.how).to_lowercase(),
                    "joinedAt": row.joined.to_string(),
                    "changedAt": row.changed.to_string(),
                }));
            }
        }
        let letters = self.letters_of(self.numbers_of(id).await?).await?;
        let returns = self.returns_of(address).await?;
        Ok(Some(json!({
            "contact": contact_json(&contact),
            "unsubscribedFromAll": unsubscribed,
            "suppression": suppression.map(|held| json!({
                "reason": held.reason.as_str(),
                "at": held.at.map(|at| at.to_string()),
                "evidence": held.evidence,
            })),
            "lists": memberships,
            "consent": consent,
            "pending": waiting,
            "letters": letters,
            "returns": returns,
        })))
    }

    /// Every number a person has or had: those of people who became one with them.
    async fn numbers_of(&self, id: PersonId) -> Answer<Vec<PersonId>> {
        let (mut numbers, mut from) = (vec![id], 1_u32);
        loop {
            let (more, last) = self
                .ask_directory(move |directory| {
                    let last = directory.last_person();
                    let to = last.min(from.saturating_add(LOOKS - 1));
                    let merged = |number: &PersonId| {
                        matches!(directory.fate(*number), Some(Fate::Merged(_)))
                            && directory.person(*number).is_some_and(|(live, _)| live == id)
                    };
                    ((from..=to).map(PersonId).filter(merged).collect::<Vec<_>>(), last)
                })
                .await?;
            numbers.extend(more);
            if last.saturating_sub(from) < LOOKS {
                return Ok(numbers);
            }
            from += LOOKS;
        }
    }
}

/// A list's id by its number.
fn name(directory: &Directory, number: u32) -> &str {
    directory.list_at(number).map_or("", |list| list.as_str())
}

/// Evidence as JSON; what was not given is `null`.
fn proof_json(directory: &Directory, row: &ProofView) -> Value {
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let Evidence { key, source, wording, url } = &row.evidence;
    json!({
        "list": name(directory, row.list),
        "how": format!("{:?}", row.how).to_lowercase(),
        "at": row.at.to_string(),
        "wording": given(wording),
        "url": given(url),
        "source": given(source),
        "key": given(key),
    })
}

/// A contact as JSON.
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
