//! The transport in memory (`memory:`), which keeps what was delivered.
//!
//! ```text
//!  deliver ──▶ pack ──▶ gate ──▶ kept ──▶ Outcome
//!          script (feature `testing`): refused before the gate, held or answered otherwise behind it
//! ```
//!
//! It is always ready and takes every letter, unless a test scripts it: see `script`.

#[cfg(feature = "testing")]
mod script;

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::{DeliveryOutcome, DeliveryResult, Diagnostic, DurabilityGate, Letter, SmtpPhase};

#[cfg(feature = "testing")]
pub use script::ScriptedReply;

#[derive(Debug, Clone)]
pub struct CapturedMail {
    pub letter: Letter,
    /// Headers and body as they would be on the wire before dot-stuffing.
    pub raw: Vec<u8>,
}

/// Letters in memory; made with a `memory:` mailer and reached through
/// [`Mailer::outbox`](super::Mailer::outbox).
pub struct MemoryTransport {
    mails: Mutex<Vec<CapturedMail>>,
    /// How many letters were ever kept.
    count: watch::Sender<usize>,
    #[cfg(feature = "testing")]
    script: script::Script,
}

impl MemoryTransport {
    pub(super) fn new() -> Arc<MemoryTransport> {
        Arc::new(MemoryTransport {
            mails: Mutex::default(),
            count: watch::Sender::new(0),
            #[cfg(feature = "testing")]
            script: script::Script::new(),
        })
    }

    /// A copy of every letter that is kept, in the order of arrival.
    pub fn mails(&self) -> Vec<CapturedMail> {
        self.mails.lock().clone()
    }

    /// Takes the letters out; [`MemoryTransport::count`] keeps counting them.
    pub fn take(&self) -> Vec<CapturedMail> {
        std::mem::take(&mut self.mails.lock())
    }

    /// How many letters were ever kept.
    pub fn count(&self) -> usize {
        *self.count.borrow()
    }

    /// Waits until at least `count` letters were ever kept.
    pub async fn wait_for(&self, count: usize) {
        // An error would mean that the sender, which `self` owns, is gone.
        let _ = self.count.subscribe().wait_for(|n| *n >= count).await;
    }

    pub(super) async fn ready(&self) -> Result<(), DeliveryOutcome> {
        #[cfg(feature = "testing")]
        self.script.ready().await?;
        Ok(())
    }

    pub(super) fn is_connected(&self) -> bool {
        #[cfg(feature = "testing")]
        return self.script.is_connected();
        #[cfg(not(feature = "testing"))]
        true
    }

    pub(super) async fn deliver(
        &self,
        letter: &Letter,
        raw: Vec<u8>,
        gate: DurabilityGate,
    ) -> DeliveryOutcome {
        #[cfg(feature = "testing")]
        let answer = match self.script.choose(letter) {
            ScriptedReply::Refuse(outcome) => return outcome,
            answer => answer,
        };
        if !gate.await {
            return super::mailer::log_lost(SmtpPhase::Data);
        }
        let said = Diagnostic::of_server(250, "2.0.0 kept in memory");
        let outcome = DeliveryOutcome::new(DeliveryResult::Sent, SmtpPhase::Dot, said);
        #[cfg(feature = "testing")]
        let outcome = match self.script.held(answer).await {
            ScriptedReply::Give(outcome) => return outcome,
            ScriptedReply::Keep(outcome) => outcome,
            _ => outcome,
        };
        self.mails.lock().push(CapturedMail { letter: letter.clone(), raw });
        self.count.send_modify(|n| *n += 1);
        outcome
    }
}

impl fmt::Debug for MemoryTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryTransport").field("count", &self.count()).finish_non_exhaustive()
    }
}
