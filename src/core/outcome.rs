//! The outcome of one attempt to deliver one letter: result, phase, codes, reply, and who is at fault.
//!
//! ```text
//! connection ── MAIL ── RCPT ── DATA ── body ── dot          phase: the last step that the server answered
//!      │          └───────── a receiver has seen the letter ──────────┘
//!      └ nobody has: no start at a receiver
//! ```
//!
//! The mail layer fills in every part as the server said it, and nothing is parsed back out of a text later.
//! Invariant: `words` holds no address and at most 512 characters.

use std::fmt;

use super::status::{BounceClass, Enhanced, class_of, class_of_code};

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryResult {
    /// The server has taken the letter.
    Sent,
    /// The server has not taken the letter; it may be tried again.
    Deferred,
    /// Like `Deferred`, and the server asks for fewer letters.
    Throttled,
    /// The letter will never be taken.
    Failed,
    /// The letter may have been taken: no answer came after the final dot.
    Unknown,
}

/// The last step of the mail transaction that the server answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SmtpPhase {
    /// No step: there was no connection, or it broke before the reply to MAIL.
    Connection,
    Mail,
    Rcpt,
    /// DATA; also if the connection broke within the body.
    Data,
    Dot,
}

/// Who is at fault for a refusal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FaultSource {
    /// The letter or its recipient; the codes tell which.
    #[default]
    Letter,
    /// The shop or its relay: sender, sign-in, TLS, template, disk. Never held against a recipient.
    Shop,
    /// The test inbox to which the letter was redirected. Never held against the recipient.
    TestInbox,
}

/// What a server, or the engine itself, said about a letter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostic {
    /// The engine's own words, which go first: what it was doing, or whose reply follows.
    pub context: Option<String>,
    /// The basic SMTP code, if a server replied.
    pub code: Option<u16>,
    /// The enhanced status code, if the server gave one that agrees with the basic code.
    pub status: Option<Enhanced>,
    /// The text after the basic code, without addresses, at most 512 characters.
    pub words: String,
    pub fault: FaultSource,
}

impl Diagnostic {
    /// A diagnostic in the engine's own words.
    #[must_use]
    pub fn own(words: impl Into<String>, fault: FaultSource) -> Self {
        Self { words: words.into(), fault, ..Self::default() }
    }

    /// A server's reply: its code and the text after it.
    #[must_use]
    pub fn of_server(code: u16, words: impl Into<String>) -> Self {
        let words = words.into();
        let status = Enhanced::parse(&words).filter(|status| u16::from(status.class) == code / 100);
        Self { code: Some(code), status, words, ..Self::default() }
    }

    /// Puts words of the engine's own in front.
    #[must_use]
    pub fn within(self, context: &str) -> Self {
        let context = match &self.context {
            Some(inner) => format!("{context}: {inner}"),
            None => context.to_owned(),
        };
        Self { context: Some(context), ..self }
    }

    /// Sets who is at fault.
    #[must_use]
    pub fn at(self, fault: FaultSource) -> Self {
        Self { fault, ..self }
    }

    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.code.is_none() && self.words.is_empty() && self.context.is_none()
    }

    /// What a refusal means for the address; `None` if it says nothing about it.
    #[must_use]
    pub fn class(&self) -> Option<BounceClass> {
        match (self.fault, self.status, self.code) {
            (FaultSource::Shop | FaultSource::TestInbox, ..) | (_, _, None) => None,
            (FaultSource::Letter, Some(status), _) => Some(class_of(status)),
            (FaultSource::Letter, None, Some(code)) => Some(class_of_code(code)),
        }
    }
}

/// The context, then code and text as a server would write them.
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

/// The outcome of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryOutcome {
    pub end: DeliveryResult,
    pub phase: SmtpPhase,
    pub diagnostic: Diagnostic,
}

impl DeliveryOutcome {
    #[must_use]
    pub fn new(end: DeliveryResult, phase: SmtpPhase, diagnostic: Diagnostic) -> Self {
        Self { end, phase, diagnostic }
    }

    /// Whether a server has seen the letter; only then it counts against rates and ceilings.
    #[must_use]
    pub(crate) fn is_seen(&self) -> bool {
        self.phase > SmtpPhase::Connection
    }

    /// Changes the words; codes, phase and fault stay.
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
