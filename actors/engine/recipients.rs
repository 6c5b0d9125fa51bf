//! The letters of a campaign, read from its ledger: what became of each, and why.
//!
//! The class of a server's reply follows from the status codes that were kept, never from its text.

use super::*;
use restockd_core::campaign::{Campaign, LetterRow, LetterState};
use restockd_core::outcome::Diagnostic;
use restockd_core::status::BounceClass;
use restockd_core::{CampaignId, Email};
use restockd_mail::Address;

/// Ledger rows looked at for one page, at most.
const LOOKS: usize = 50_000;

/// A ledger row by number, with the server's reply.
type FoundLetter = (u32, LetterRow, Option<Diagnostic>);

impl Engine {
    /// A page of a campaign's letters.
    ///
    /// # Errors
    /// When there is no such campaign.
    pub async fn recipients(&self, id: &str, query: RecipientsQuery) -> EngineResult<RecipientsPage> {
        let unknown = || RequestRefusal::UnknownCampaign(id.to_owned());
        let id = CampaignId::parse(id).ok_or_else(unknown)?;
        let found =
            self.ask_campaigns(move |campaigns| campaigns.get(id).map(|held| page(held, &query))).await?;
        let (rows, cursor, created, from) = found.ok_or_else(unknown)?;
        let from: Option<Address> = from.and_then(|from| from.parse().ok());
        let from = from.unwrap_or_else(|| self.0.context.settings.from.clone());
        let domain = from.domain().to_owned();
        let people: Vec<PersonId> = rows.iter().map(|(_, row, _)| row.person).collect();
        let emails = self
            .ask_directory(move |directory| {
                let email = |person| directory.person(person).and_then(|(_, held)| held.email.clone());
                people.into_iter().map(email).collect::<Vec<_>>()
            })
            .await?;
        let secrets = &self.0.context.secrets;
        let view = |((_, row, said), email): (FoundLetter, Option<Email>)| {
            let hash = email.as_ref().filter(|_| row.attempts > 0).map(|email| secrets.address(email) as u64);
            RecipientView {
                id: row.person,
                status: row.state.status(),
                reason: row.state.reason(),
                attempts: row.attempts,
                at: Millis(created.0 + u64::from(row.at_s) * 1000),
                class: class(row.state, said.as_ref()),
                reply: said.map(|said| said.to_string()),
                message_id: hash.map(|hash| format!("{}@{domain}", secrets.message(id, hash))),
                email,
            }
        };
        Ok(RecipientsPage { recipients: rows.into_iter().zip(emails).map(view).collect(), cursor })
    }
}

/// The rows of a page, the row where the next page begins, when the campaign was made, and its sender.
fn page(held: &Campaign, query: &RecipientsQuery) -> (Vec<FoundLetter>, Option<u32>, Millis, Option<String>) {
    let limit = query.limit.clamp(1, 1000);
    let (mut rows, mut next) = (Vec::new(), query.cursor);
    for _ in 0..LOOKS {
        let Some(row) = held.ledger.row(next).filter(|_| rows.len() < limit) else { break };
        if query.status.as_deref().is_none_or(|status| status == row.state.status()) {
            rows.push((next, row, held.ledger.diagnostic(next).cloned()));
        }
        next += 1;
    }
    let more = (next as usize) < held.ledger.len();
    (rows, more.then_some(next), held.created, held.header.from.clone())
}

/// The class of a reply to a letter in this state; the engine's own diagnostics have none.
fn class(state: LetterState, said: Option<&Diagnostic>) -> Option<&'static str> {
    match state {
        LetterState::Sent => Some("delivered"),
        LetterState::Deferred => Some("deferred"),
        LetterState::Doubt => Some("in_doubt"),
        LetterState::Failed => match said?.class()? {
            BounceClass::HardBounce => Some("hard_bounce"),
            BounceClass::SoftBounce => Some("soft_bounce"),
            BounceClass::Policy => Some("policy"),
            BounceClass::Delivered | BounceClass::Deferred => None,
        },
        _ => None,
    }
}
