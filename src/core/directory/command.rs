//! Changes about one person or address that carry no bag: erasure, no mail at all, suppression.
//!
//! The campaign actor is told of each that ends mail before it is acknowledged.

use super::super::email::Email;
use super::super::ids::PersonId;
use super::super::outcome::Diagnostic;
use super::{Directory, DirectoryEvent, SuppressionReason};

/// A change about one person or one address. An address comes with its hash, or as its hash alone.
#[derive(Debug, Clone)]
pub enum DirectoryCommand {
    /// Erase the person; with the hash of the address, if there is one.
    Erase(PersonId, Option<u128>),
    /// Send the person no mail at all (true), or mail again (false).
    Unsubscribe(PersonId, Option<u128>, bool),
    /// Put an address on the suppression list: address, hash, reason, and how that is known, in words without
    /// an address.
    Suppress(Email, u128, SuppressionReason, String),
    /// A letter to this address of this person was answered with the diagnostic; the address may have to be
    /// suppressed.
    Bounced(PersonId, u128, Diagnostic),
    /// Mail an address again.
    Release(Email, u128),
}

impl Directory {
    /// Decides a change; empty if there is nothing to change.
    #[must_use]
    pub fn decide_command(&self, ask: &DirectoryCommand) -> Vec<DirectoryEvent> {
        match ask {
            DirectoryCommand::Erase(person, address) => {
                let Some((id, row)) = self.person(*person) else { return Vec::new() };
                let suppression_reason = address.and_then(|hash| self.suppression_reason(hash));
                let other = if row.unsubscribed {
                    SuppressionReason::Unsubscribed
                } else {
                    SuppressionReason::Erased
                };
                let keep = address.map(|hash| (hash, suppression_reason.unwrap_or(other)));
                vec![DirectoryEvent::Erased { person: id, keep }]
            }
            DirectoryCommand::Unsubscribe(person, address, on) => {
                let Some((id, row)) = self.person(*person) else { return Vec::new() };
                let suppression_reason = address.and_then(|hash| self.suppression_reason(hash));
                if row.unsubscribed == *on
                    && (*on || suppression_reason != Some(SuppressionReason::Unsubscribed))
                {
                    return Vec::new();
                }
                let mut events =
                    vec![DirectoryEvent::Unsubscribed { person: id, address: *address, on: *on }];
                // Entered on the suppression list as well, which keeps the time.
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
