//! Enhanced status codes (RFC 3463), and what each means for the address.
//!
//! ```text
//!  5   .   1   .  1        2 done · 4 not now · 5 not ever
//! class subject detail     1 address · 2 mailbox · 3 system · 4 network · 5 protocol · 6 content · 7 policy
//! ```
//!
//! One table serves both ways in which a refusal comes: the reply in the mail transaction and the report that
//! comes back later. It is cautious. An address is given up at once only if the code says that nobody reads
//! it; what is the fault of the letter, the host or the sender is never held against the person; a code that
//! says too little counts as soft.

use std::fmt;

/// An enhanced status code, such as 5.1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Enhanced {
    /// 2, 4 or 5.
    pub class: u8,
    /// The second number: the subject.
    pub subject: u16,
    /// The third number: the detail.
    pub detail: u16,
}

/// What a status code means for the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BounceClass {
    /// The letter was taken.
    Delivered,
    /// Not now; another attempt may succeed.
    Deferred,
    /// Nobody reads mail at this address.
    HardBounce,
    /// Refused for good this time, for a reason that may pass or is not told.
    SoftBounce,
    /// Refused because of the sender or the content: never held against the person.
    Policy,
}

impl Enhanced {
    /// The code at the start of a text, such as `5.1.1 (no such user)`; `None` if there is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim_start();
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (code, rest) = text.split_at_checked(end)?;
        if rest.starts_with(|c: char| c.is_alphanumeric() || "-_@:".contains(c)) {
            return None;
        }
        let mut parts = code.split('.');
        let (class, subject, detail) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() || !matches!(class, "2" | "4" | "5") {
            return None;
        }
        Some(Self { class: class.parse().ok()?, subject: number(subject)?, detail: number(detail)? })
    }

    /// The code in an SMTP reply, with or without the basic code before it: `550 5.1.1 no such user`,
    /// `550-5.1.1 no`. `None` if it contradicts the first digit of the basic code.
    #[must_use]
    pub fn of_reply(reply: &str) -> Option<Self> {
        let reply = reply.trim_start();
        let Some(basic) = basic(reply) else { return Self::parse(reply) };
        let found = Self::parse(reply.get(3..)?.trim_start_matches(['-', ' ']))?;
        (u16::from(found.class) == basic / 100).then_some(found)
    }
}

/// As written in replies and reports: `5.1.1`.
impl fmt::Display for Enhanced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

/// What a code means in the reply to a letter.
#[must_use]
pub(crate) fn class_of(status: Enhanced) -> BounceClass {
    match (status.class, status.subject, status.detail) {
        (2, ..) => BounceClass::Delivered,
        (4, ..) => BounceClass::Deferred,
        // no such mailbox or domain, bad syntax; moved without a new address; the domain takes no mail;
        // disabled
        (_, 1, 1 | 2 | 3 | 6 | 10) | (_, 2, 1) => BounceClass::HardBounce,
        // our own address is wrong or not trusted; the next host does not take our kind of mail
        (_, 1, 7..=9) => BounceClass::Policy,
        // too large for the mailbox or the system, or needs a feature that it lacks
        (_, 2, 3) | (_, 3, 3 | 4) => BounceClass::Policy,
        // protocol, content, policy
        (_, 5..=7, _) => BounceClass::Policy,
        _ => BounceClass::SoftBounce,
    }
}

/// What a code means in a report that the letter *failed*. Nothing is tried any more, so what was only put
/// off is a soft bounce, or policy if it was put off because of the sender.
#[must_use]
pub(crate) fn class_of_failed(status: Enhanced) -> BounceClass {
    match class_of(status) {
        BounceClass::Deferred if (5..=7).contains(&status.subject) => BounceClass::Policy,
        // "failed" with a code of success contradicts itself; no address is given up for that
        BounceClass::Deferred | BounceClass::Delivered => BounceClass::SoftBounce,
        other => other,
    }
}

/// What a basic SMTP code means alone. A bare 550 does not say whether the address or the sender is meant.
#[must_use]
pub fn class_of_code(code: u16) -> BounceClass {
    match code {
        200..=399 => BounceClass::Delivered,
        400..=499 => BounceClass::Deferred,
        // the domain says that it takes no mail at all (RFC 7504)
        556 => BounceClass::HardBounce,
        500..=504 | 523 | 530 | 534 | 535 | 538 | 554 | 555 => BounceClass::Policy,
        _ => BounceClass::SoftBounce,
    }
}

/// The basic code at the start of a reply.
fn basic(reply: &str) -> Option<u16> {
    let (code, rest) = reply.split_at_checked(3)?;
    let whole = rest.is_empty() || rest.starts_with([' ', '-']);
    let digits = code.bytes().all(|b| b.is_ascii_digit());
    (whole && digits).then(|| code.parse().ok()).flatten()
}

/// A number of one to three digits.
fn number(text: &str) -> Option<u16> {
    (1..=3).contains(&text.len()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every code of the registry that a receiver may well send, with what follows from it.
    const TABLE: [(&str, BounceClass); 52] = [
        ("2.0.0", BounceClass::Delivered),
        ("2.1.5", BounceClass::Delivered),
        ("4.0.0", BounceClass::Deferred),
        ("4.1.1", BounceClass::Deferred),
        ("4.2.1", BounceClass::Deferred),
        ("4.2.2", BounceClass::Deferred),
        ("4.3.0", BounceClass::Deferred),
        ("4.4.1", BounceClass::Deferred),
        ("4.4.7", BounceClass::Deferred),
        ("4.7.0", BounceClass::Deferred),
        ("4.7.28", BounceClass::Deferred),
        ("4.7.650", BounceClass::Deferred),
        ("5.0.0", BounceClass::SoftBounce),
        ("5.1.0", BounceClass::SoftBounce),
        ("5.1.1", BounceClass::HardBounce),
        ("5.1.2", BounceClass::HardBounce),
        ("5.1.3", BounceClass::HardBounce),
        ("5.1.4", BounceClass::SoftBounce),
        ("5.1.6", BounceClass::HardBounce),
        ("5.1.7", BounceClass::Policy),
        ("5.1.8", BounceClass::Policy),
        ("5.1.9", BounceClass::Policy),
        ("5.1.10", BounceClass::HardBounce),
        ("5.2.0", BounceClass::SoftBounce),
        ("5.2.1", BounceClass::HardBounce),
        ("5.2.2", BounceClass::SoftBounce),
        ("5.2.3", BounceClass::Policy),
        ("5.2.4", BounceClass::SoftBounce),
        ("5.3.0", BounceClass::SoftBounce),
        ("5.3.1", BounceClass::SoftBounce),
        ("5.3.2", BounceClass::SoftBounce),
        ("5.3.3", BounceClass::Policy),
        ("5.3.4", BounceClass::Policy),
        ("5.4.0", BounceClass::SoftBounce),
        ("5.4.1", BounceClass::SoftBounce),
        ("5.4.4", BounceClass::SoftBounce),
        ("5.4.6", BounceClass::SoftBounce),
        ("5.4.7", BounceClass::SoftBounce),
        ("5.4.14", BounceClass::SoftBounce),
        ("5.5.0", BounceClass::Policy),
        ("5.5.2", BounceClass::Policy),
        ("5.5.4", BounceClass::Policy),
        ("5.6.0", BounceClass::Policy),
        ("5.6.7", BounceClass::Policy),
        ("5.7.0", BounceClass::Policy),
        ("5.7.1", BounceClass::Policy),
        ("5.7.8", BounceClass::Policy),
        ("5.7.23", BounceClass::Policy),
        ("5.7.25", BounceClass::Policy),
        ("5.7.26", BounceClass::Policy),
        ("5.7.515", BounceClass::Policy),
        ("5.9.9", BounceClass::SoftBounce),
    ];

    #[test]
    fn every_code_means_what_the_table_says() {
        for (text, class) in TABLE {
            let status = Enhanced::parse(text).unwrap();
            assert_eq!(class_of(status), class, "{text}");
            assert_eq!(status.to_string(), text);
        }
    }

    #[test]
    fn policy_is_never_a_bounce_of_the_person() {
        for detail in 0..=999 {
            let status = Enhanced { class: 5, subject: 7, detail };
            assert_eq!(
                (class_of(status), class_of_failed(status)),
                (BounceClass::Policy, BounceClass::Policy)
            );
            assert_eq!(class_of_failed(Enhanced { class: 4, ..status }), BounceClass::Policy);
        }
    }

    #[test]
    fn a_code_stands_at_the_start_and_is_whole() {
        assert_eq!(Enhanced::parse(" 5.1.1 (bad mailbox)").unwrap().to_string(), "5.1.1");
        assert_eq!(Enhanced::parse("5.7.515, denied").unwrap().detail, 515);
        for bad in
            ["", "5", "5.1", "5.1.", "5..1", "3.1.1", "9.1.1", "5.1.1.1", "5.1.1000", "5.1.x", "x5.1.1"]
        {
            assert_eq!(Enhanced::parse(bad), None, "{bad}");
        }
        for bad in ["5.1.1x", "5.1.1-rc", "5.1.1@b", "5.1.1é", "smtp; 550", "50.1.1"] {
            assert_eq!(Enhanced::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_report_quotes_a_reply_with_its_enhanced_code_behind_the_basic_one() {
        let found = |reply| Enhanced::of_reply(reply).map(|status| status.to_string());
        for (reply, status) in [
            ("550 5.1.1 no such user", "5.1.1"),
            ("550-5.7.26 not authenticated", "5.7.26"),
            ("452 4.2.2 over quota", "4.2.2"),
            ("250 2.0.0 ok", "2.0.0"),
            ("5.1.1 no such user", "5.1.1"),
        ] {
            assert_eq!(found(reply).as_deref(), Some(status), "{reply}");
        }
        // a code that contradicts the reply's first digit is not believed
        for odd in ["450 5.1.1 odd", "550 no such user", "", "é", "55", "5505.1.1 x", "hello"] {
            assert_eq!(found(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_basic_code_alone_says_little() {
        let cases = [
            (250, BounceClass::Delivered),
            (421, BounceClass::Deferred),
            (550, BounceClass::SoftBounce),
            (554, BounceClass::Policy),
            (556, BounceClass::HardBounce),
        ];
        for (code, class) in cases {
            assert_eq!(class_of_code(code), class, "{code}");
        }
    }

    #[test]
    fn tries_that_are_over_make_a_delay_a_soft_bounce() {
        let failed = |text| class_of_failed(Enhanced::parse(text).unwrap());
        assert_eq!(failed("4.4.7"), BounceClass::SoftBounce);
        assert_eq!(failed("4.2.2"), BounceClass::SoftBounce);
        assert_eq!(failed("4.7.1"), BounceClass::Policy);
        assert_eq!(failed("2.0.0"), BounceClass::SoftBounce);
        assert_eq!(failed("5.1.1"), BounceClass::HardBounce);
        assert_eq!(failed("5.0.0"), BounceClass::SoftBounce);
    }
}
