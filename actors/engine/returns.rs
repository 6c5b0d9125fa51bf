//! Whom a report is about, proved; then the directory takes it in.
//!
//! ```text
//! bounce token ─▶ campaign, person ─┐
//! our Message-ID, with an address ──┼─▶ address ─▶ directory: recorded, blocked, noted ─▶ answer
//! our unsubscribe link ─▶ person ───┤
//! an address from a known relay ────┘      nothing of these: skipped, whatever the report says
//! ```
//!
//! Anybody can send a message to the address where bounces go, so a report alone proves nothing.
//! What proves is what only the letter held. The address that is blocked is the one the letter
//! went to, by its Message-ID or the campaign's ledger; a person who has changed it since is not
//! held to account for the old one.

use serde_json::{Value, json};

use super::*;
use crate::domain::returns::{Evidence, Report};
use crate::domain::{CampaignId, Email};
use crate::mail::without_address;
use crate::returns::Claim;
use crate::token::Purpose;

/// Campaigns, the newest first, among which a letter is looked for by its Message-ID.
const CAMPAIGNS_MAX: usize = 10_000;
/// Addresses of a report with which it is looked for.
const ADDRESSES_MAX: usize = 2;

/// What proves whose letter a report is about.
struct Proof {
    campaign: Option<CampaignId>,
    email: Email,
}

impl Engine {
    /// A report that came back about a letter.
    ///
    /// # Errors
    /// When the engine cannot now; the same report again converges.
    pub async fn take_return(&self, input: ReturnInput) -> Answer<ReturnAnswer> {
        let ReturnInput { source, claim, trusted } = input;
        let kind = claim.kind;
        if !kind.is_kept() {
            return Ok(ReturnAnswer::Skipped { kind, reason: "it has no consequence" });
        }
        let permit = self.admit().await?;
        let Some(Proof { campaign, email }) = self.prove(&claim, trusted).await? else {
            let reason = "nothing in it proves whose letter it is about";
            return Ok(ReturnAnswer::Skipped { kind, reason });
        };
        let context = &self.0.context;
        let address = context.secrets.address(&email);
        let asked = email.clone();
        let person = self.ask_directory(move |directory| directory.by_email(&asked)).await?;
        let words = claim.diagnostic.map(|words| {
            let named = claim.addresses.iter().chain([&email]);
            named.fold(words, |words, email| without_address(&words, email.as_str()))
        });
        let report = Report {
            key: context.secrets.hash("return", &[source, &claim.name, &address.to_string()]),
            address,
            person,
            evidence: Evidence {
                kind,
                at: self.now(),
                source: source.to_owned(),
                status: claim.status,
                diagnostic: words,
                campaign,
                message_id: claim.message_id.as_deref().and_then(nameless),
            },
            soft_bounces: context.settings.soft_bounces,
            soft_window_ms: context.settings.soft_window_ms,
        };
        let (reply, answer) = Reply::new(permit);
        context.mailboxes.directory.send(DirectoryMessage::Returned(Box::new(report), reply));
        Ok(match self.answered(answer).await? {
            Some(suppressed) => ReturnAnswer::Taken { kind, person, suppressed },
            None => ReturnAnswer::Duplicate { kind },
        })
    }

    /// Whose letter, if anything proves it.
    async fn prove(&self, claim: &Claim, trusted: bool) -> Answer<Option<Proof>> {
        let secrets = &self.0.context.secrets;
        let token = claim.tokens.iter().find_map(|token| secrets.read_bounce_token(token));
        if let Some((campaign, person)) = token {
            let email = self.address_of(claim, Some(campaign), person).await?;
            return Ok(email.map(|email| Proof { campaign: Some(campaign), email }));
        }
        if let Some(proof) = self.by_message_id(claim).await? {
            return Ok(Some(proof));
        }
        let link = claim.links.iter().find_map(|token| secrets.verify(Purpose::Unsubscribe, token));
        if let Some(link) = link {
            let email = self.address_of(claim, None, link.person).await?;
            return Ok(email.map(|email| Proof { campaign: None, email }));
        }
        let named = claim.addresses.first().filter(|_| trusted);
        Ok(named.map(|email| Proof { campaign: None, email: email.clone() }))
    }

    /// The address that a letter to a person went to: as its Message-ID or the ledger says, else the
    /// one they have now.
    async fn address_of(
        &self,
        claim: &Claim,
        campaign: Option<CampaignId>,
        person: PersonId,
    ) -> Answer<Option<Email>> {
        let held = self
            .ask_directory(move |directory| directory.person(person).and_then(|(_, held)| held.email.clone()))
            .await?;
        let Some(campaign) = campaign else { return Ok(held) };
        let candidates: Vec<Email> = held.iter().chain(&claim.addresses).cloned().collect();
        if let Some(email) = candidates.iter().find(|email| self.is_letter(claim, campaign, email)) {
            return Ok(Some(email.clone()));
        }
        let secrets = self.0.context.secrets.clone();
        let started = self
            .ask_campaigns(move |campaigns| {
                let ledger = &campaigns.get(campaign)?.ledger;
                let (row, _) = ledger.find(person)?;
                candidates
                    .into_iter()
                    .find(|email| ledger.started_to(secrets.address(email) as u64) == Some(row))
            })
            .await?;
        Ok(started.or(held))
    }

    /// A letter of ours by its Message-ID: a keyed hash of campaign and address, so the two are
    /// looked for among the newest campaigns and the addresses that the report names first. The work
    /// is done beside the actors, and is bounded: anybody can ask for it.
    async fn by_message_id(&self, claim: &Claim) -> Answer<Option<Proof>> {
        if claim.message_id.as_deref().and_then(number).is_none() || claim.addresses.is_empty() {
            return Ok(None);
        }
        let campaigns: Vec<CampaignId> = self
            .ask_campaigns(|campaigns| campaigns.newest().take(CAMPAIGNS_MAX).map(|c| c.header.id).collect())
            .await?;
        let (engine, claim) = (self.clone(), claim.clone());
        let searched = tokio::task::spawn_blocking(move || {
            let pairs = claim
                .addresses
                .iter()
                .take(ADDRESSES_MAX)
                .flat_map(|e| campaigns.iter().map(move |c| (*c, e)));
            let found =
                pairs.into_iter().find(|(campaign, email)| engine.is_letter(&claim, *campaign, email));
            found.map(|(campaign, email)| Proof { campaign: Some(campaign), email: email.clone() })
        });
        searched.await.map_err(|_| EngineError::Lost)
    }

    /// True when the report's Message-ID is that of this campaign's letter to this address.
    fn is_letter(&self, claim: &Claim, campaign: CampaignId, email: &Email) -> bool {
        let secrets = &self.0.context.secrets;
        let ours = number(&secrets.message(campaign, secrets.address(email) as u64));
        // One comparison of two numbers: it takes as long whatever they are.
        ours.is_some() && ours == claim.message_id.as_deref().and_then(number)
    }

    /// What came back about an address, for the export.
    pub(super) async fn returns_of(&self, address: Option<u128>) -> Answer<Vec<Value>> {
        let Some(address) = address else { return Ok(Vec::new()) };
        self.ask_directory(move |directory| directory.evidence(address).iter().map(evidence_json).collect())
            .await
    }
}

/// The number in a Message-ID of ours.
fn number(id: &str) -> Option<u128> {
    let local = id.split_once('@').map_or(id, |(local, _)| local);
    (local.len() == 32).then(|| u128::from_str_radix(local, 16).ok()).flatten()
}

/// A letter's name without what may be an address: the part before the `@` of an id that is one.
fn nameless(id: &str) -> Option<String> {
    let local = id.split_once('@').map_or(id, |(local, _)| local);
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    (!local.is_empty() && local.len() <= 128 && local.bytes().all(plain)).then(|| local.to_owned())
}

/// Evidence as the wire shows it.
fn evidence_json(evidence: &Evidence) -> Value {
    json!({
        "kind": evidence.kind.as_str(),
        "at": evidence.at.to_string(),
        "source": evidence.source,
        "status": evidence.status.map(|status| status.to_string()),
        "diagnostic": evidence.diagnostic,
        "campaign": evidence.campaign.map(|campaign| campaign.to_string()),
        "messageId": evidence.message_id,
    })
}
