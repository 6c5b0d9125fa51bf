//! A server's reply: its codes, its meaning, and the part of it that may be shown.
//!
//! Invariant: the text shown holds no address, no control character and at most 512 characters.

use std::fmt;

use super::super::redact::{SHOWN_CHARS_MAX, without_addresses};
use super::super::{DeliveryOutcome, DeliveryResult, Diagnostic, FaultSource, SmtpPhase};

pub(super) struct Reply {
    pub(super) code: u16,
    pub(super) lines: Vec<String>,
}

impl Reply {
    pub(super) fn is_positive(&self) -> bool {
        (200..300).contains(&self.code)
    }

    pub(super) fn is_temporary(&self) -> bool {
        (400..500).contains(&self.code)
    }

    pub(super) fn is_permanent(&self) -> bool {
        (500..600).contains(&self.code)
    }

    /// Whether the server hangs up after this reply.
    pub(super) fn closes_connection(&self) -> bool {
        self.code == 421
    }

    /// Whether a temporary refusal is about the sending rate. A full or busy mailbox (x.2.x) and greylisting are about one
    /// letter, whatever their text says.
    pub(super) fn is_throttle(&self) -> bool {
        if !self.is_temporary() {
            return false;
        }
        let text = self.text().to_ascii_lowercase();
        if text.starts_with("4.2.") || text.contains("greylist") || text.contains("graylist") {
            return false;
        }
        let words = || text.split(|c: char| !c.is_ascii_alphabetic());
        matches!(self.code, 421 | 454)
            || (self.code == 451 && text.starts_with("4.7."))
            || text.contains("throttl")
            || text.contains("too many")
            || words().any(|word| matches!(word, "rate" | "ratelimit" | "ratelimited"))
    }

    /// The text without the code.
    pub(super) fn text(&self) -> String {
        self.lines.join(" ")
    }

    /// Code and text, to be shown.
    pub(super) fn shown(&self) -> String {
        presentable(&format!("{} {}", self.code, self.text()))
    }

    /// Code, enhanced code and text apart, for the record.
    pub(super) fn diagnostic(&self) -> Diagnostic {
        let shown = self.shown();
        // The three digits of the code and a blank come first.
        Diagnostic::of_server(self.code, shown.get(4..).unwrap_or_default())
    }

    /// The outcome of a letter that was refused in this phase.
    pub(super) fn refusal(&self, phase: SmtpPhase) -> DeliveryOutcome {
        let end = if self.is_permanent() { DeliveryResult::Failed } else { self.delay() };
        DeliveryOutcome::new(end, phase, self.diagnostic())
    }

    /// The outcome of a letter that was refused because of the shop's settings or conduct: it is deferred.
    pub(super) fn own_fault(&self, phase: SmtpPhase) -> DeliveryOutcome {
        DeliveryOutcome::new(self.delay(), phase, self.diagnostic().at(FaultSource::Shop))
    }

    fn delay(&self) -> DeliveryResult {
        if self.is_throttle() { DeliveryResult::Throttled } else { DeliveryResult::Deferred }
    }
}

/// Shows only what [`Reply::shown`] does, since replies name recipients.
impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

/// Shortens a text, drops control characters and replaces addresses.
pub(super) fn presentable(text: &str) -> String {
    if is_plain(text) {
        return text.trim().to_owned();
    }
    let clean: String =
        text.chars().map(|c| if super::super::address::unprintable(c) { ' ' } else { c }).collect();
    without_addresses(clean.trim()).chars().take(SHOWN_CHARS_MAX).collect()
}

/// Whether nothing has to be replaced: true for most replies, and for all positive ones.
fn is_plain(text: &str) -> bool {
    let odd = |b: u8| !(b == b' ' || b.is_ascii_graphic()) || matches!(b, b'@' | b'%' | b'+');
    text.len() <= SHOWN_CHARS_MAX && !text.bytes().any(odd)
}

#[cfg(test)]
mod tests {
    use super::{Reply, presentable};

    #[test]
    fn no_address_and_no_control_character_is_shown() {
        let cases = [
            ("550 5.1.1 <ann@shop.example>: no such user", "550 5.1.1 <address>: no such user"),
            ("550 ann+x=b@shop.example unknown", "550 <address> unknown"),
            ("ann@a.example,bob@b.example", "<address>,<address>"),
            ("RCPT TO:<änn@b.example> ann\u{7}@c", "RCPT TO:<address> ann <address>"),
            ("„ann@b.example“ nobody", "<address> nobody"),
            ("@", "<address>"),
            ("250 2.0.0 Ok: queued as 4F2", "250 2.0.0 Ok: queued as 4F2"),
        ];
        for (given, expected) in cases {
            assert_eq!(presentable(given), expected);
        }
        assert_eq!(presentable(&"ä".repeat(2_000)).chars().count(), 512);
    }

    #[test]
    fn a_reply_is_recorded_in_its_parts_and_shown_as_a_whole() {
        let cases = [
            (
                550,
                "5.1.1 <ann@shop.example>: no such user",
                Some("5.1.1"),
                "550 5.1.1 <address>: no such user",
            ),
            (550, "", None, "550"),
            (450, "5.1.1 odd", None, "450 5.1.1 odd"),
            (250, " 2.0.0 ok", Some("2.0.0"), "250  2.0.0 ok"),
        ];
        for (code, text, status, shown) in cases {
            let reply = Reply { code, lines: vec![text.to_owned()] };
            let said = reply.diagnostic();
            assert_eq!((said.code, said.to_string().as_str()), (Some(code), shown));
            assert_eq!(said.status.map(|status| status.to_string()).as_deref(), status);
            assert_eq!(said.to_string(), reply.shown());
        }
        let long = Reply { code: 550, lines: vec!["ä".repeat(2_000)] };
        assert_eq!(long.diagnostic().to_string().chars().count(), 512);
    }

    #[test]
    fn throttles_are_told_from_other_delays() {
        let cases = [
            (421, "try later", true),
            (451, "4.7.1 slow down", true),
            (451, "4.3.0 disk", false),
            (451, "4.7.1 Greylisting in action", false),
            (454, "Throttling failure: Maximum sending rate exceeded.", true),
            (450, "4.2.1 The user is receiving mail at a rate that", false),
            (452, "4.5.3 Too many messages", true),
            (450, "your rate is over the limit", true),
            (450, "an operator generated this at corporate", false),
            (550, "rate limit", false),
        ];
        for (code, text, throttle) in cases {
            let reply = Reply { code, lines: vec![text.to_owned()] };
            assert_eq!(reply.is_throttle(), throttle, "{code} {text}");
        }
    }
}
