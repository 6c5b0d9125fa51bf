//! What became of one try to deliver one letter, taken apart where it is known: code, status, words, phase, fault.
//!
//! ```text
//! connection ── MAIL ── RCPT ── DATA ── body ── dot          phase: the last step that the server answered
//!      │          └───────── a receiver has seen the letter ──────────┘
//!      └ nobody has: no start at a receiver
//! ```
//!
//! Nothing here is parsed back out of a sentence later on: whoever speaks with the server says what it said. Invariant:
//! words hold no address, and at most 512 characters.

use std::fmt;

use super::status::{BounceClass, Enhanced, class_of, class_of_code};

/// How a try ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryResult {
    /// The server has taken the letter.
    Sent,
    /// The server certainly has not taken it; it may be tried again.
    Deferred,
    /// The same, and the server asks for less.
    Throttled,
    /// It will never be taken.
    Failed,
    /// It may or may not have been taken: nothing was heard after the final dot.
    Unknown,
}

/// The last step of a mail transaction that the server answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SmtpPhase {
    /// None for this letter: no connection, or one that was dead before the reply to MAIL.
    Connection,
    /// MAIL.
    Mail,
    /// RCPT.
    Rcpt,
    /// DATA, and with it whatever was lost within the body.
    Data,
    /// The final dot.
    Dot,
}

/// At whose door a refusal lies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FaultSource {
    /// The letter's or its recipient's: its code says which.
    #[default]
    Letter,
    /// The shop's or its relay's: sender, sign-in, TLS, template, disk. Never held against a recipient.
    Shop,
    /// The test inbox's, to which the letter was redirected. Never held against the recipient it was meant for.
    TestInbox,
}

/// What a server, or the engine itself, said of a letter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostic {
    /// The engine's own words in front, if it has any: what it was doing, or whose reply this is.
    pub context: Option<String>,
    /// The basic code, where a server spoke.
    pub code: Option<u16>,
    /// The enhanced code, where the server gave one that fits the basic one.
    pub status: Option<Enhanced>,
    /// The words after the basic code, for a person: without addresses, at most 512 characters.
    pub words: String,
    /// At whose door it lies.
    pub fault: FaultSource,
}

impl Diagnostic {
    /// Words of the engine's own.
    #[must_use]
    pub fn own(words: impl Into<String>, fault: FaultSource) -> Self {
        Self { words: words.into(), fault, ..Self::default() }
    }

    /// A server's reply by its code and the words after it.
    #[must_use]
    pub fn of_server(code: u16, words: impl Into<String>) -> Self {
        let words = words.into();
        let status = Enhanced::parse(&words).filter(|status| u16::from(status.class) == code / 100);
        Self { code: Some(code), status, words, ..Self::default() }
    }

    /// The same with words of the engine's own in front.
    #[must_use]
    pub fn within(self, context: &str) -> Self {
        let context = match &self.context {
            Some(inner) => format!("{context}: {inner}"),
            None => context.to_owned(),
        };
        Self { context: Some(context), ..self }
    }

    /// The same at another door.
    #[must_use]
    pub fn at(self, fault: FaultSource) -> Self {
        Self { fault, ..self }
    }

    /// True when nothing was said.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.code.is_none() && self.words.is_empty() && self.context.is_none()
    }

    /// What a refusal means for the person behind the address; `None` where it says nothing of them.
    #[must_use]
    pub fn class(&self) -> Option<BounceClass> {
        match (self.fault, self.status, self.code) {
            (FaultSource::Shop | FaultSource::TestInbox, ..) | (_, _, None) => None,
            (FaultSource::Letter, Some(status), _) => Some(class_of(status)),
            (FaultSource::Letter, None, Some(code)) => Some(class_of_code(code)),
        }
    }
}

/// Code and words, as a server would say them, behind the context.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(context) = &self.context {
            write!(f, "{context}: ")?;
        }
        match self.code {
            Some(code) if self.words.is_empty() => write!(f, "{code}"),
            Some(code) => write!(f, "{code} {}", self.words),
            None => f.write_str(&self.words),
        }
    }
}

/// What became of one try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryOutcome {
    /// How it ended.
    pub end: DeliveryResult,
    /// How far it came.
    pub phase: SmtpPhase,
    /// What was said.
    pub diagnostic: Diagnostic,
}

impl DeliveryOutcome {
    /// An end, how far it came, and what was said.
    #[must_use]
    pub fn new(end: DeliveryResult, phase: SmtpPhase, diagnostic: Diagnostic) -> Self {
        Self { end, phase, diagnostic }
    }

    /// True when a receiver has seen the letter: then it counts against paces and ceilings.
    #[must_use]
    pub(crate) fn is_seen(&self) -> bool {
        self.phase > SmtpPhase::Connection
    }

    /// The same in other words; codes, phase and fault stay.
    #[must_use]
    pub fn reworded(mut self, word: impl FnOnce(String) -> String) -> Self {
        self.diagnostic.words = word(std::mem::take(&mut self.diagnostic.words));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_taken_apart_once_and_shown_as_it_was() {
        let said = Diagnostic::of_server(550, "5.1.1 no such mailbox");
        assert_eq!((said.code, said.status.map(|s| s.to_string())), (Some(550), Some("5.1.1".to_owned())));
        assert_eq!(said.to_string(), "550 5.1.1 no such mailbox");
        assert_eq!(said.class(), Some(BounceClass::HardBounce));
        // A status that contradicts the basic code is none.
        assert_eq!(Diagnostic::of_server(450, "5.1.1 odd").status, None);
    }

    #[test]
    fn words_of_our_own_stand_in_front_and_hide_no_code() {
        let said = Diagnostic::of_server(550, "5.1.1 no such mailbox").within("after the letter");
        let said = said.within("the test inbox");
        assert_eq!(said.to_string(), "the test inbox: after the letter: 550 5.1.1 no such mailbox");
        assert_eq!((said.code, said.class()), (Some(550), Some(BounceClass::HardBounce)));
        assert!(Diagnostic::default().is_empty() && !said.is_empty());
    }

    #[test]
    fn a_reply_without_an_enhanced_code_is_judged_by_its_basic_one() {
        let class = |code, words| Diagnostic::of_server(code, words).class();
        assert_eq!(class(550, "5.7.26 not authenticated"), Some(BounceClass::Policy));
        assert_eq!(class(550, "no such user"), Some(BounceClass::SoftBounce));
        assert_eq!(class(554, "rejected"), Some(BounceClass::Policy));
        assert_eq!(class(556, "takes no mail"), Some(BounceClass::HardBounce));
        assert_eq!(class(450, "5.1.1 odd"), Some(BounceClass::Deferred));
        assert_eq!(class(550, ""), Some(BounceClass::SoftBounce));
    }

    #[test]
    fn what_is_not_the_letters_fault_says_nothing_of_a_person() {
        for fault in [FaultSource::Shop, FaultSource::TestInbox] {
            let said = Diagnostic { fault, ..Diagnostic::of_server(550, "5.1.1 no such mailbox") };
            assert_eq!(said.class(), None);
        }
        assert_eq!(Diagnostic::own("the letter cannot be made", FaultSource::Letter).class(), None);
    }
}
