//! Plain changes about one person or one address: erasure, no mail at all, the suppression list.
//!
//! None of them carries a bag; the campaign actor notes each that ends mail before it is acknowledged.

use super::super::email::Email;
use super::super::ids::PersonId;
use super::super::outcome::Diagnostic;
use super::{Directory, DirectoryEvent, SuppressionReason};

/// A plain question or change about one person.
#[derive(Debug, Clone)]
pub enum DirectoryCommand {
    /// Everything about them ends.
    Erase(PersonId, Option<u128>),
    /// No mail at all, or mail again.
    Unsubscribe(PersonId, Option<u128>, bool),
    /// An address takes no mail: the address, its hash, why, and how that is known.
    Suppress(Email, u128, SuppressionReason, String),
    /// A letter to this address of this person came to something after which the address takes no more mail.
    Bounced(PersonId, u128, Diagnostic),
    /// An address may be mailed again.
    Release(Email, u128),
}

impl Directory {
    /// Decides a change about one person or address; empty when there is nothing to change.
    #[must_use]
    pub fn decide_command(&self, ask: &DirectoryCommand) -> Vec<DirectoryEvent> {
        match ask {
            DirectoryCommand::Erase(person, address) => {
                let Some((id, held)) = self.person(*person) else { return Vec::new() };
                let suppression_reason = address.and_then(|hash| self.suppression_reason(hash));
                let other = if held.unsubscribed {
                    SuppressionReason::Unsubscribed
                } else {
                    SuppressionReason::Erased
                };
                let keep = address.map(|hash| (hash, suppression_reason.unwrap_or(other)));
                vec![DirectoryEvent::Erased { person: id, keep }]
            }
            DirectoryCommand::Unsubscribe(person, address, on) => {
                let Some((id, held)) = self.person(*person) else { return Vec::new() };
                let suppression_reason = address.and_then(|hash| self.suppression_reason(hash));
                if held.unsubscribed == *on
                    && (*on || suppression_reason != Some(SuppressionReason::Unsubscribed))
                {
                    return Vec::new();
                }
                let mut events =
                    vec![DirectoryEvent::Unsubscribed { person: id, address: *address, on: *on }];
                // The address stands on the list with the moment it was put there.
                if let Some(address) = address.filter(|_| *on && suppression_reason.is_none()) {
                    let (why, person, evidence) = (SuppressionReason::Unsubscribed, Some(id), String::new());
                    events.push(DirectoryEvent::Suppressed { address, why, person, evidence });
                }
                events
            }
            DirectoryCommand::Suppress(email, address, why, evidence) => {
                let person = self.by_email(email);
                self.decide_suppress(person, *address, *why, evidence).into_iter().collect()
            }
            DirectoryCommand::Bounced(person, address, said) => {
                let (why, evidence) = (SuppressionReason::Bounced, said.to_string());
                self.decide_suppress(Some(*person), *address, why, &evidence).into_iter().collect()
            }
            DirectoryCommand::Release(email, address) => self.decide_release(email, *address),
        }
    }
}
