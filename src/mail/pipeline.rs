//! The last step of every letter: redirected to the test inbox if there is one, packed, signed.
//!
//! ```text
//!  Letter ──▶ [redirected] ──▶ pack ──▶ [signed] ──▶ Packed ──▶ transport
//! ```
//!
//! All transports share this step, so that none can bypass the test inbox, and a folder shows what would have been sent.
//!
//! Invariants:
//!
//! * a letter is signed once per attempt, over the bytes that leave; RSA takes too long for a thread that answers requests,
//!   so it runs on another one;
//! * a redirected letter reaches the test inbox only, by envelope and `To`. Its subject begins with `[TEST]`; the real
//!   recipient is named nowhere that the letter did not name it before. Feedback on it concerns no recipient, so it has a
//!   plain envelope sender and asks for no feedback;
//! * a letter that cannot be signed is deferred: it never leaves unsigned.

use std::borrow::Cow;

use super::dkim::Dkim;
use super::letter::Packed;
use super::{
    Address, DeliveryOutcome, DeliveryResult, Diagnostic, FaultSource, Letter, MailOptions, SmtpPhase,
    outcome_without,
};

const TEST_MARK: &str = "[TEST] ";

/// The steps of one mailer.
#[derive(Debug, Default)]
pub(super) struct Pipeline {
    redirect_to: Option<Address>,
    dkim: Option<Dkim>,
}

impl Pipeline {
    pub(super) fn new(options: &MailOptions) -> Pipeline {
        Pipeline { redirect_to: options.redirect_to.clone(), dkim: options.dkim.clone() }
    }

    /// The letter as it leaves, or the outcome that takes its place.
    pub(super) async fn pack(&self, letter: &Letter) -> Result<Packed, DeliveryOutcome> {
        let letter = match &self.redirect_to {
            Some(inbox) => Cow::Owned(redirected(letter, inbox)),
            None => Cow::Borrowed(letter),
        };
        let packed = letter.pack().map_err(|error| {
            let said = Diagnostic::own(error.to_string(), FaultSource::Letter);
            DeliveryOutcome::new(DeliveryResult::Failed, SmtpPhase::Connection, said)
        })?;
        match &self.dkim {
            None => Ok(packed),
            Some(dkim) => sign(dkim, packed).await,
        }
    }

    /// The outcome as recorded for the recipient: refusals by the test inbox are not theirs.
    pub(super) fn judged(&self, outcome: DeliveryOutcome) -> DeliveryOutcome {
        let Some(inbox) = &self.redirect_to else { return outcome };
        let outcome = outcome_without(outcome, inbox.email());
        let fault = match outcome.diagnostic.fault {
            FaultSource::Letter | FaultSource::TestInbox => FaultSource::TestInbox,
            FaultSource::Shop => FaultSource::Shop,
        };
        let diagnostic = outcome.diagnostic.within("the test inbox").at(fault);
        DeliveryOutcome { diagnostic, ..outcome }
    }

    /// What an operator should know besides where letters go.
    pub(super) fn describe(&self) -> String {
        let signed =
            self.dkim.as_ref().map(|dkim| format!(", signed for {}", dkim.domain())).unwrap_or_default();
        let redirected = if self.redirect_to.is_some() { ", ALL LETTERS TO THE TEST INBOX" } else { "" };
        format!("{signed}{redirected}")
    }
}

/// The letter, addressed to the test inbox.
fn redirected(letter: &Letter, inbox: &Address) -> Letter {
    Letter {
        to: inbox.email().to_owned(),
        subject: format!("{TEST_MARK}{}", letter.subject),
        envelope_from: None,
        complaints: None,
        ..letter.clone()
    }
}

/// Puts the signatures before the message.
async fn sign(dkim: &Dkim, mut packed: Packed) -> Result<Packed, DeliveryOutcome> {
    let signed = if dkim.is_slow() {
        let dkim = dkim.clone();
        tokio::task::spawn_blocking(move || signed(&dkim, &mut packed).then_some(packed)).await.ok().flatten()
    } else {
        signed(dkim, &mut packed).then_some(packed)
    };
    signed.ok_or_else(|| {
        let said = Diagnostic::own("the letter could not be signed now", FaultSource::Shop);
        DeliveryOutcome::new(DeliveryResult::Deferred, SmtpPhase::Connection, said)
    })
}

/// Signs; false when that failed.
fn signed(dkim: &Dkim, packed: &mut Packed) -> bool {
    let Some(mut message) = dkim.sign(&packed.message) else { return false };
    message.append(&mut packed.message);
    packed.message = message;
    true
}
