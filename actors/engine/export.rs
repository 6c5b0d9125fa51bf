//! The export of all that is held about one person, for a data subject's request.
//!
//! It holds the contact, the memberships (also ended ones) with their dates and sources, the entry on the suppression
//! list, the evidence of consent, and the letters that the ledgers still hold, under every number the person ever had.

use super::people::contact_view;
use super::suppressions::suppression_view;
use super::*;
use restockd_core::directory::{self, PersonStatus};
use restockd_core::list::MembershipStatus;

/// Contact numbers looked at in one query, so that the directory is not held up.
const LOOKS: u32 = 1 << 16;

impl Engine {
    /// All that is held about a person; `None` when nobody is known by these names.
    pub async fn export(&self, who: Identity) -> EngineResult<Option<PersonExport>> {
        let (who, secrets) = (self.hashed(who), self.0.context.secrets.clone());
        let held = self
            .ask_directory(move |directory| {
                let (id, person) = directory.known(&who).and_then(|id| directory.person(id))?;
                let lists: Vec<ListId> = directory.lists_of(id).cloned().collect();
                let address = person.email.as_ref().map(|email| secrets.address(email));
                let held = address.and_then(|hash| directory.suppression(hash).map(|held| (hash, held)));
                let unconfirmed = directory.waiting(id).map(|held| held.lists.as_slice()).unwrap_or_default();
                let export = PersonExport {
                    contact: contact_view(id, person),
                    unsubscribed: person.unsubscribed,
                    suppression: held.map(|(hash, held)| suppression_view(hash, held, person.email.as_ref())),
                    lists: Vec::new(),
                    consent: directory.consent_records(id).map(|row| consent_view(directory, row)).collect(),
                    pending: unconfirmed.iter().map(|wait| (name(directory, wait.list), wait.at)).collect(),
                    letters: Vec::new(),
                    returns: address.map(|address| directory.evidence(address).to_vec()).unwrap_or_default(),
                };
                Some((export, lists))
            })
            .await?;
        let Some((mut export, lists)) = held else { return Ok(None) };
        let id = export.contact.id;
        for list in lists {
            let row = self.ask_list(list.clone(), move |state| state.row(id).cloned()).await?;
            if let Some(row) = row {
                let subscribed = row.status == MembershipStatus::Joined;
                let (how, joined, changed) = (row.source, row.joined, row.changed);
                export.lists.push(MembershipView { list, subscribed, how, joined, changed });
            }
        }
        export.letters = self.letters_of(self.numbers_of(id).await?).await?;
        Ok(Some(export))
    }

    /// Every number of a person, also those of people who were merged into them.
    async fn numbers_of(&self, id: PersonId) -> EngineResult<Vec<PersonId>> {
        let (mut numbers, mut from) = (vec![id], 1_u32);
        loop {
            let (more, last) = self
                .ask_directory(move |directory| {
                    let last = directory.last_person();
                    let to = last.min(from.saturating_add(LOOKS - 1));
                    let merged = |number: &PersonId| {
                        matches!(directory.status(*number), Some(PersonStatus::Merged(_)))
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

fn name(directory: &Directory, number: u32) -> String {
    directory.list_at(number).map_or_else(String::new, |list| list.as_str().to_owned())
}

fn consent_view(directory: &Directory, row: directory::ConsentView) -> ConsentView {
    ConsentView { list: name(directory, row.list), how: row.how, at: row.at, evidence: row.evidence }
}
