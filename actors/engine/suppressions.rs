//! The Engine's calls about the suppression list: read, add, release, import in bulk.
//!
//! The list holds hashes. An address is shown only where the contact still has it, or where the request itself names it.
//!
//! ```text
//! pages    h:<hash>  entries in the order of their hashes, then
//!          p:<n>     people who want no mail at all and are on no entry (from older versions)
//! ```

use super::*;
use restockd_core::Email;
use restockd_core::directory::{DirectoryCommand, EVIDENCE_BYTES_MAX, Suppression, SuppressionReason};

/// Contact numbers looked at for one page, at most.
const LOOKS: u32 = 1 << 16;
/// Entries that enter the directory in one message.
const TAKEN_AT_ONCE: usize = 256;

/// Where a page begins.
#[derive(Clone, Copy)]
enum Cursor {
    /// In the entries, after this hash.
    Entries(Option<u128>),
    /// In the people without an entry, after this contact number.
    People(u32),
}

impl Engine {
    /// A page of the suppression list.
    ///
    /// # Errors
    /// When no page ended with the cursor.
    pub async fn suppressions(&self, limit: usize, cursor: Option<&str>) -> EngineResult<SuppressionsPage> {
        let (cursor, secrets) = (read_cursor(cursor)?, self.0.context.secrets.clone());
        let hash = move |email: &Email| secrets.address(email);
        self.ask_directory(move |directory| match cursor {
            Cursor::Entries(after) => {
                let mut rows = Vec::new();
                for (address, held) in directory.suppressions(after).take(limit) {
                    let email = directory.suppressed_email(address, held, &hash);
                    rows.push(suppression_view(address, held, email));
                }
                let next = match rows.last() {
                    Some(last) if rows.len() == limit => format!("h:{:032x}", last.address),
                    _ => "p:0".to_owned(),
                };
                SuppressionsPage { rows, cursor: Some(next) }
            }
            Cursor::People(after) => {
                let (last, mut at, mut rows) = (directory.last_person(), after, Vec::new());
                while at < last && rows.len() < limit && at - after < LOOKS {
                    at += 1;
                    let live = directory.person(PersonId(at)).filter(|(id, _)| *id == PersonId(at));
                    let Some(email) =
                        live.filter(|(_, p)| p.unsubscribed).and_then(|(_, p)| p.email.as_ref())
                    else {
                        continue;
                    };
                    let address = hash(email);
                    if directory.suppression_reason(address).is_none() {
                        let (email, reason) = (Some(email.clone()), SuppressionReason::Unsubscribed);
                        rows.push(SuppressionView { email, address, reason, at: None, evidence: None });
                    }
                }
                SuppressionsPage { rows, cursor: (at < last).then(|| format!("p:{at}")) }
            }
        })
        .await
    }

    /// The entry of one address, if it has one.
    pub async fn suppression(&self, email: Email) -> EngineResult<Option<SuppressionView>> {
        let address = self.0.context.secrets.address(&email);
        self.ask_directory(move |directory| {
            if let Some(held) = directory.suppression(address) {
                return Some(suppression_view(address, held, Some(&email)));
            }
            let person = directory.by_email(&email).and_then(|id| directory.person(id));
            let (email, reason) = (Some(email.clone()), SuppressionReason::Unsubscribed);
            let flagged = person.filter(|(_, held)| held.unsubscribed);
            flagged.map(|_| SuppressionView { email, address, reason, at: None, evidence: None })
        })
        .await
    }

    /// Suppresses addresses; of each, whether that is new. Answered only when the campaigns have noted it.
    ///
    /// # Errors
    /// On an error some of the addresses may be suppressed already; the same request again completes it.
    pub async fn suppress(
        &self,
        items: Vec<(Email, SuppressionReason)>,
        evidence: &str,
    ) -> EngineResult<Vec<bool>> {
        let permit = Arc::new(self.admit().await?);
        let evidence: String = evidence.chars().take(EVIDENCE_BYTES_MAX / 4).collect();
        let mut changed = Vec::with_capacity(items.len());
        for slice in items.chunks(TAKEN_AT_ONCE) {
            let ask = |(email, why): &(Email, SuppressionReason)| {
                let address = self.0.context.secrets.address(email);
                DirectoryCommand::Suppress(email.clone(), address, *why, evidence.clone())
            };
            changed.extend(self.changes(slice.iter().map(ask).collect(), Arc::clone(&permit)).await?);
        }
        Ok(changed)
    }

    /// Removes an address from the suppression list; false when it was not suppressed.
    pub async fn release(&self, email: Email) -> EngineResult<bool> {
        let permit = self.admit().await?;
        let address = self.0.context.secrets.address(&email);
        self.change(DirectoryCommand::Release(email, address), permit).await
    }
}

pub(super) fn suppression_view(address: u128, held: &Suppression, email: Option<&Email>) -> SuppressionView {
    let evidence = (!held.evidence.is_empty()).then(|| held.evidence.to_string());
    SuppressionView { email: email.cloned(), address, reason: held.why, at: held.at, evidence }
}

fn read_cursor(cursor: Option<&str>) -> EngineResult<Cursor> {
    let Some(cursor) = cursor else { return Ok(Cursor::Entries(None)) };
    let hash = |hex: &str| {
        let digits = hex.len() == 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        digits.then(|| u128::from_str_radix(hex, 16).ok()).flatten()
    };
    let entries = cursor.strip_prefix("h:").and_then(hash).map(|hash| Cursor::Entries(Some(hash)));
    let people = cursor.strip_prefix("p:").and_then(|n| n.parse().ok()).map(Cursor::People);
    entries.or(people).ok_or_else(|| RequestRefusal::BadCursor.into())
}
