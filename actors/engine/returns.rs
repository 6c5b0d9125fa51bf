//! Feedback: finds what proves whose letter a report is about; then the directory decides on it.
//!
//! ```text
//! bounce token ──▶ campaign, person ──▶ campaign actor: the address it went to ─┐
//! bounce token ──▶ campaign, person ──▶ campaign actor: the address it went to ─┐
//! our unsubscribe link ──▶ person ──────────────────────────────────────────────┤   blocked, noted ──▶ answer
//! an address from a known relay ────────────────────────────────────────────────┘
//! nothing of these: skipped, whatever the report says
//! none of these: skipped, whatever the report says
//!
//! Anybody can send a message to the address where bounces go, so a report alone proves nothing. The proof is something
//! that only the letter contained. The address that is suppressed is the one the letter went to, found by the Message-ID
//! or in the campaign's ledger: somebody who has another address by now is not suppressed for a bounce of the old one.
//! No actor is asked beforehand whether a report can be true: the report travels with its proof, and is decided once.

use super::*;
use crate::token::Purpose;
use restockd_core::feedback::{FeedbackEvidence, FeedbackProof, FeedbackReport};
use restockd_feedback::UnverifiedReport;
use restockd_mail::without_address;

/// Addresses of one report that are tried against its Message-ID, at most.
const ADDRESSES_MAX: usize = 2;

impl Engine {
    /// Takes in feedback on a letter; a repeat of the same report changes nothing.
    pub async fn take_feedback(&self, input: ReturnInput) -> EngineResult<ReturnAnswer> {
        let ReturnInput { source, claim, trusted } = input;
        let kind = claim.kind;
        if !kind.is_kept() {
            return Ok(ReturnAnswer::Skipped { kind, reason: "it has no consequence" });
        }
        let permit = self.admit().await?;
        let Some(proof) = self.prove(&claim, trusted).await? else {
            let reason = "nothing in it proves whose letter it is about";
            return Ok(ReturnAnswer::Skipped { kind, reason });
        };
        let context = &self.0.context;
        let words = claim.diagnostic.map(|words| {
            claim.addresses.iter().fold(words, |words, email| without_address(&words, email.as_str()))
        });
        let report = Box::new(FeedbackReport {
            name: claim.name,
            proof,
            evidence: FeedbackEvidence {
                kind,
                at: self.now(),
                source: source.to_owned(),
                status: claim.status,
                diagnostic: words,
                campaign: None,
                message_id: claim.message_id.as_deref().and_then(nameless),
            },
            soft_bounces: context.settings.soft_bounces,
            soft_window_ms: context.settings.soft_window_ms,
        });
        let (reply, answer) = Reply::new(permit);
        if matches!(report.proof, FeedbackProof::Letter { .. }) {
            context.mailboxes.campaign.send(CampaignMessage::Returned(report, reply));
        } else {
            context.mailboxes.directory.send(DirectoryMessage::Returned(report, reply));
        }
        self.answered(answer).await
    }

    /// The proof of whose letter a report is about, if it contains one.
    async fn prove(&self, claim: &UnverifiedReport, trusted: bool) -> EngineResult<Option<FeedbackProof>> {
        let secrets = &self.0.context.secrets;
        let message_id = claim.message_id.as_deref().and_then(number);
        let token = claim.tokens.iter().find_map(|token| secrets.read_bounce_token(token));
        if let Some((campaign, person)) = token {
            let named = claim.addresses.iter().map(|email| (email.clone(), secrets.address(email) as u64));
            let named: Vec<_> = named.collect();
            let is_letter = |(_, address): &&(_, u64)| {
                message_id.is_some_and(|id| id == secrets.message_number(campaign, *address))
            };
            if let Some((email, _)) = named.iter().find(is_letter) {
                return Ok(Some(FeedbackProof::Address(email.clone(), Some(campaign))));
            }
            return Ok(Some(FeedbackProof::Letter { campaign, person, message_id, named, went_to: None }));
        }
        if let Some(message_id) = message_id
            && let Some(proof) = self.by_message_id(message_id, claim).await?
        {
            return Ok(Some(proof));
        }
        let link = claim.links.iter().find_map(|token| secrets.verify(Purpose::Unsubscribe, token));
        if let Some(link) = link {
            return Ok(Some(FeedbackProof::Person(link.person)));
        }
        let named = claim.addresses.first().filter(|_| trusted);
        Ok(named.map(|email| FeedbackProof::Address(email.clone(), None)))
    }

    /// Finds a letter by its Message-ID. That is a keyed hash of campaign and address, so the newest campaigns are tried
    /// with the first addresses of the report, on a thread of its own that holds up no actor.
    async fn by_message_id(
        &self,
        message_id: u128,
        claim: &UnverifiedReport,
    ) -> EngineResult<Option<FeedbackProof>> {
        if claim.addresses.is_empty() {
            return Ok(None);
        }
        let addresses: Vec<_> = claim.addresses.iter().take(ADDRESSES_MAX).cloned().collect();
        let (secrets, recent) = (self.0.context.secrets.clone(), self.0.context.recent.clone());
        let searched = tokio::task::spawn_blocking(move || {
            let campaigns = recent.newest();
            addresses.into_iter().find_map(|email| {
                let address = secrets.address(&email) as u64;
                let is_letter = |campaign: &&_| secrets.message_number(**campaign, address) == message_id;
                let campaign = campaigns.iter().find(is_letter)?;
                Some(FeedbackProof::Address(email, Some(*campaign)))
            })
        });
        searched.await.map_err(|_| EngineError::Lost)
    }
}

/// The number in a Message-ID that may be ours.
fn number(id: &str) -> Option<u128> {
    let local = id.split_once('@').map_or(id, |(local, _)| local);
    (local.len() == 32).then(|| u128::from_str_radix(local, 16).ok()).flatten()
}

/// A report's id without the part that may be an address: what stands before an `@`.
fn nameless(id: &str) -> Option<String> {
    let local = id.split_once('@').map_or(id, |(local, _)| local);
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    (!local.is_empty() && local.len() <= 128 && local.bytes().all(plain)).then(|| local.to_owned())
}
