//! Plain changes about one person or one address: erasure, no mail at all, the suppression list.
//!
//! None of them carries a bag; the campaign actor notes each that ends mail before it is acknowledged.

use super::super::email::Email;
use super::super::ids::PersonId;
use super::super::outcome::Diagnostic;
use super::{Block, Directory, DirectoryEvent};

/// A plain question or change about one person.
#[derive(Debug, Clone)]
pub enum Ask {
    /// Everything about them ends.
    Erase(PersonId, Option<u128>),
    /// No mail at all, or mail again.
    Unsubscribe(PersonId, Option<u128>, bool),
    /// An address takes no mail: the address, its hash, why, and how that is known.
    Suppress(Email, u128, Block, String),
    /// A letter to this address of this person came to something after which the address takes no more mail.
    Bounced(PersonId, u128, Diagnostic),
    /// An address may be mailed again.
    Release(Email, u128),
}

impl Directory {
    /// Decides a change about one person or address; empty when there is nothing to change.
    #[must_use]
    pub fn decide_ask(&self, ask: &Ask) -> Vec<DirectoryEvent> {
        match ask {
            Ask::Erase(person, address) => {
                let Some((id, held)) = self.person(*person) else { return Vec::new() };
                let block = address.and_then(|hash| self.block(hash));
                let other = if held.unsubscribed { Block::Unsubscribed } else { Block::Erased };
                let keep = address.map(|hash| (hash, block.unwrap_or(other)));
                vec![DirectoryEvent::Erased { person: id, keep }]
            }
            Ask::Unsubscribe(person, address, on) => {
                let Some((id, held)) = self.person(*person) else { return Vec::new() };
                let block = address.and_then(|hash| self.block(hash));
                if held.unsubscribed == *on && (*on || block != Some(Block::Unsubscribed)) {
                    return Vec::new();
                }
                let mut events =
                    vec![DirectoryEvent::Unsubscribed { person: id, address: *address, on: *on }];
                // The address stands on the list with the moment it was put there.
                if let Some(address) = address.filter(|_| *on && block.is_none()) {
                    let (why, person, evidence) = (Block::Unsubscribed, Some(id), String::new());
                    events.push(DirectoryEvent::Suppressed { address, why, person, evidence });
                }
                events
            }
            Ask::Suppress(email, address, why, evidence) => {
                let person = self.by_email(email);
                self.decide_suppress(person, *address, *why, evidence).into_iter().collect()
            }
            Ask::Bounced(person, address, said) => {
                let (why, evidence) = (Block::Bounced, said.to_string());
                self.decide_suppress(Some(*person), *address, why, &evidence).into_iter().collect()
            }
            Ask::Release(email, address) => self.decide_release(email, *address),
        }
    }
}
