//! Bounces and complaints: what each does to an address, and what is kept of it.
//!
//! ```text
//! report ──▶ decide ──▶ Returned { evidence, suppression? } ──▶ apply ──▶ returns, suppression_reasons, keys
//!                ├────▶ nothing: the same report again
//!                └────▶ nothing: its proof leads to no address
//! ```
//!
//! One decision settles whom a report is about and what follows, so no merge can come between.
//!
//! Invariants: a report counts once, and so does one letter in however many ways it is reported; an address
//! keeps at most [`EVIDENCE_MAX`] pieces of evidence, the newest and the one that blocked it; a complaint
//! replaces every other reason, a bounce replaces none. Erasure leaves evidence only if it blocks the
//! address.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::email::Email;
use super::super::feedback::{FeedbackEvidence, FeedbackKind, FeedbackProof, FeedbackReport, Pseudonymizer};
use super::super::ids::{CampaignId, PersonId};
use super::super::time::Millis;
use super::{Directory, Suppression, SuppressionReason};

/// The most pieces of evidence kept about one address.
pub const EVIDENCE_MAX: usize = 16;

/// Evidence by address hash.
pub(super) type Returns = BTreeMap<u128, Arc<Vec<FeedbackEvidence>>>;

/// A report that was taken in, and its consequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedbackRecord {
    /// The report's own id, hashed; `None` if no more keys could be remembered.
    pub key: Option<u128>,
    /// The hash of the address.
    pub address: u128,
    /// The person who has the address.
    pub person: Option<PersonId>,
    /// The new reason for which the address takes no mail; `None`: no change.
    pub suppression_reason: Option<SuppressionReason>,
    pub evidence: FeedbackEvidence,
}

/// The decision about a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeedbackDecision {
    /// Its proof leads to no address.
    Unproved,
    /// It was taken in before.
    Known,
    New(FeedbackRecord),
}

impl Directory {
    /// Decides whom a report is about and what follows from it.
    #[must_use]
    pub fn decide_feedback(&self, report: &FeedbackReport, keeper: &impl Pseudonymizer) -> FeedbackDecision {
        let Some((email, campaign)) = self.proved(&report.proof, keeper) else {
            return FeedbackDecision::Unproved;
        };
        let address = keeper.address(email);
        let evidence = FeedbackEvidence {
            campaign,
            diagnostic: report.evidence.diagnostic.as_deref().map(|words| keeper.redact(words, email)),
            ..report.evidence.clone()
        };
        let (key, at) = (keeper.key(&evidence.source, &report.name, address), evidence.at);
        if self.keys.holds(key, at)
            || self.evidence(address).iter().any(|known| is_same_report(known, &evidence))
        {
            return FeedbackDecision::Known;
        }
        let new = match evidence.kind {
            FeedbackKind::Complaint => Some(SuppressionReason::Complained),
            FeedbackKind::HardBounce => Some(SuppressionReason::Bounced),
            FeedbackKind::SoftBounce => {
                self.exceeds_soft_bounces(address, &evidence, report).then_some(SuppressionReason::Bounced)
            }
            FeedbackKind::Policy
            | FeedbackKind::Delayed
            | FeedbackKind::Delivered
            | FeedbackKind::AutoReply
            | FeedbackKind::NotSpam => None,
        };
        let reason = self.suppression_reason(address);
        let weighs = |new: &SuppressionReason| match new {
            SuppressionReason::Complained => reason != Some(SuppressionReason::Complained),
            _ => reason.is_none(),
        };
        FeedbackDecision::New(FeedbackRecord {
            // If no more keys can be remembered, it is better to count a report twice than to lose a
            // complaint.
            key: self.keys.has_room(at).then_some(key),
            address,
            person: self.by_email(email),
            suppression_reason: new.filter(weighs),
            evidence,
        })
    }

    /// The address that a letter went to, with its person and campaign: as the Message-ID or the ledger says,
    /// else the present address of the letter's person.
    fn proved<'a>(
        &'a self,
        proof: &'a FeedbackProof,
        keeper: &impl Pseudonymizer,
    ) -> Option<(&'a Email, Option<CampaignId>)> {
        let current = |person| self.person(person).and_then(|(_, row)| row.email.as_ref());
        match proof {
            FeedbackProof::Address(email, campaign) => Some((email, *campaign)),
            FeedbackProof::Person(person) => Some((current(*person)?, None)),
            FeedbackProof::Letter { campaign, person, message_id, went_to, .. } => {
                let current = current(*person);
                // Two numbers are compared, which takes the same time whatever they are.
                let names = |email: &&Email| {
                    message_id
                        .is_some_and(|id| id == keeper.message_id(*campaign, keeper.address(email) as u64))
                };
                let email = current.filter(names).or(went_to.as_ref()).or(current)?;
                Some((email, Some(*campaign)))
            }
        }
    }

    /// The bounces and complaints about an address, oldest first.
    #[must_use]
    pub fn evidence(&self, address: u128) -> &[FeedbackEvidence] {
        self.returns.get(&address).map(|evidence| evidence.as_slice()).unwrap_or_default()
    }

    /// Whether this soft bounce is the one too many within the window. Several reports about one letter count
    /// once.
    fn exceeds_soft_bounces(
        &self,
        address: u128,
        evidence: &FeedbackEvidence,
        report: &FeedbackReport,
    ) -> bool {
        let now = evidence.at;
        let recent = |e: &&FeedbackEvidence| {
            e.kind == FeedbackKind::SoftBounce && now.since(e.at) < report.soft_window_ms
        };
        let mut letters: Vec<&FeedbackEvidence> = Vec::new();
        for one in self.evidence(address).iter().filter(recent).chain([evidence]) {
            if !letters.iter().any(|other| same_letter(other, one)) {
                letters.push(one);
            }
        }
        letters.len() >= usize::from(report.soft_bounces)
    }

    /// Applies a report.
    pub(super) fn returned(&mut self, returned: &FeedbackRecord, at: Millis) {
        if let Some(key) = returned.key {
            self.keys.insert(key, at);
        }
        if let Some(why) = returned.suppression_reason {
            let FeedbackEvidence { source, status, .. } = &returned.evidence;
            let status = status.map(|status| format!("{status} ")).unwrap_or_default();
            let evidence = format!("{status}by {source}").into();
            let entry = Suppression { why, at: Some(at), person: returned.person, evidence };
            self.suppression_reasons.insert(returned.address, entry);
        }
        let evidence = Arc::make_mut(self.returns.entry(returned.address).or_default());
        if evidence.len() >= EVIDENCE_MAX {
            // The first hard bounce or complaint stays; of the rest the oldest goes.
            let ends =
                |e: &FeedbackEvidence| matches!(e.kind, FeedbackKind::HardBounce | FeedbackKind::Complaint);
            let kept = evidence.iter().position(ends);
            let oldest = (0..evidence.len()).find(|at| Some(*at) != kept).unwrap_or(0);
            evidence.remove(oldest);
        }
        evidence.push(returned.evidence.clone());
    }

    /// Soft bounces are counted from zero after a suppression was lifted.
    pub(super) fn reset_soft_bounces(&mut self, address: u128) {
        let Some(evidence) = self.returns.get_mut(&address) else { return };
        Arc::make_mut(evidence).retain(|e| e.kind != FeedbackKind::SoftBounce);
        if evidence.is_empty() {
            self.returns.remove(&address);
        }
    }

    /// Drops evidence that does not block the address, after an erasure.
    pub(super) fn forget_returns(&mut self, address: u128) {
        if !matches!(
            self.suppression_reason(address),
            Some(SuppressionReason::Bounced | SuppressionReason::Complained)
        ) {
            self.returns.remove(&address);
        }
    }
}

/// Whether two pieces of evidence are the same report under different ids: some relays repeat themselves.
fn is_same_report(known: &FeedbackEvidence, new: &FeedbackEvidence) -> bool {
    known.kind == new.kind
        && known.source == new.source
        && known.message_id.is_some()
        && known.message_id == new.message_id
        && known.status == new.status
}

/// Whether two reports are about one letter.
fn same_letter(a: &FeedbackEvidence, b: &FeedbackEvidence) -> bool {
    let campaign = a.campaign.is_some() && a.campaign == b.campaign;
    campaign || (a.message_id.is_some() && a.message_id == b.message_id)
}
