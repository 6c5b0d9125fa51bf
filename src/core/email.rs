//! Mail addresses: checked once when a request comes in, lower-cased, and never printed by accident.
//!
//! Invariants: 3 to 254 bytes; exactly one `@`; a local part of at most 64 bytes of visible ASCII without
//! quotes or special characters; a domain with at least one dot, of labels that hold letters, digits and
//! hyphens (or UTF-8 letters). `Debug` masks the address; only [`Email::as_str`] gives it.

use std::fmt;

/// The longest address, in bytes.
pub const EMAIL_BYTES_MAX: usize = 254;

/// A trimmed, lower-cased and checked mail address.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Email(Box<str>);

impl Email {
    /// Trims, lower-cases and checks. `None` if no mail can be sent to it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() > EMAIL_BYTES_MAX {
            return None;
        }
        let text = text.to_lowercase();
        let (local, domain) = text.rsplit_once('@')?;
        let fits = text.len() <= EMAIL_BYTES_MAX && local_fits(local) && domain_fits(domain);
        fits.then(|| Self(text.into_boxed_str()))
    }

    /// An address as a record holds it. It came from [`Email::parse`] once and is not checked again.
    #[must_use]
    pub fn stored(text: &str) -> Self {
        Self(text.into())
    }

    /// The address in the clear, for the envelope and for indexes only.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part after the `@`.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

/// Whether the local part is a dot-atom of at most 64 bytes.
fn local_fits(local: &str) -> bool {
    !local.is_empty()
        && local.len() <= 64
        && local.split('.').all(|atom| {
            !atom.is_empty()
                && atom.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b))
        })
}

/// Whether the domain has at least two labels of letters, digits and inner hyphens.
fn domain_fits(domain: &str) -> bool {
    let mut labels = 0;
    for label in domain.split('.') {
        labels += 1;
        let fits = !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c == '-' || c.is_alphanumeric());
        if !fits {
            return false;
        }
    }
    let numeric_tail = domain.rsplit('.').next().is_some_and(|l| l.bytes().all(|b| b.is_ascii_digit()));
    labels >= 2 && domain.len() <= 253 && !numeric_tail
}

/// Addresses must never reach a log, so `{:?}` masks them.
impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_trimmed_and_lower_cased() {
        let a = Email::parse("  Ann.Lee+x@Shop.Example \n").map(|e| e.as_str().to_owned());
        assert_eq!(a.as_deref(), Some("ann.lee+x@shop.example"));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let long = format!("{}@x.yz", "a".repeat(65));
        let longer = format!("a@{}.yz", "b".repeat(260));
        for bad in [
            "",
            "a",
            "@",
            "a@",
            "@b.c",
            "a@b",
            "a b@c.de",
            "a@b..c",
            ".a@b.cd",
            "a.@b.cd",
            "a@-b.cd",
            "a@b-.cd",
            "a@b.cd\r\nBcc: x@y.zz",
            "a@b.cd,e@f.gh",
            "<a@b.cd>",
            "a@1.2.3.4",
            "a@b@c.de",
            "\"a b\"@c.de",
            "a@b.c\u{202e}d",
            "a\u{0}@b.cd",
            "ä@b.cd",
            &long,
            &longer,
        ] {
            assert!(Email::parse(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn debug_does_not_tell_the_address() {
        let printed = format!("{:?}", Email::parse("ann@shop.example"));
        assert!(!printed.contains("ann") && !printed.contains("shop"));
    }
}
