//! A mail address with an optional display name, checked once so that it can be put into any header.
//!
//! A display name comes from a setting or from a campaign's author and ends up in a header. It is checked here, and nothing
//! else in this crate builds a header's mailbox.
//!
//! Invariants:
//!
//! * the email is at most 254 bytes, one `@`-separated pair without quotes, spaces, brackets or control characters:
//!   it can stand in `RCPT TO:<…>` as it is;
//! * the name has no control, line-separator or bidirectional-override character and at most 200 characters;
//! * `Debug` shows neither.

use std::fmt;
use std::str::FromStr;

use mail_builder::headers::address::Address as Mailbox;

use super::MailError;

const EMAIL_BYTES_MAX: usize = 254;
const NAME_CHARS_MAX: usize = 200;

/// A checked address such as `Corner Shop <shop@example.com>`.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    name: Option<String>,
    email: lettre::Address,
}

impl Address {
    /// Checks a bare mail address.
    pub fn bare(email: &str) -> Result<Address, MailError> {
        Ok(Address { name: None, email: check_email(email)? })
    }

    /// Checks a mail address with a display name; an empty name counts as none.
    pub fn named(name: &str, email: &str) -> Result<Address, MailError> {
        check_name(name)?;
        let name = name.trim();
        Ok(Address { name: (!name.is_empty()).then(|| name.to_owned()), email: check_email(email)? })
    }

    /// The bare mail address, as it goes to the server.
    pub fn email(&self) -> &str {
        self.email.as_ref()
    }

    /// The part of the mail address after the `@`.
    pub fn domain(&self) -> &str {
        self.email.domain()
    }

    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    pub(super) fn mailbox(&self) -> Mailbox<'_> {
        Mailbox::new_address(self.name.as_deref(), self.email())
    }
}

impl FromStr for Address {
    type Err = MailError;

    /// Reads `a@b.example`, `Name <a@b.example>` or `"Quoted, Name" <a@b.example>`.
    fn from_str(text: &str) -> Result<Address, MailError> {
        let text = text.trim();
        let Some(inner) = text.strip_suffix('>') else { return Address::bare(text) };
        let Some((name, email)) = inner.rsplit_once('<') else {
            return Err(MailError::Address("the angle brackets do not match"));
        };
        check_name(name)?;
        Address::named(&unquoted(name.trim()), email)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address(<address>)")
    }
}

fn unquoted(name: &str) -> String {
    let Some(inner) = name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return name.to_owned();
    };
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        out.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    out
}

fn check_name(name: &str) -> Result<(), MailError> {
    if name.chars().any(unprintable) {
        return Err(MailError::Address(
            "the name holds a line break or another character that cannot be seen",
        ));
    }
    if name.chars().count() > NAME_CHARS_MAX {
        return Err(MailError::Address("the name is longer than 200 characters"));
    }
    Ok(())
}

fn check_email(email: &str) -> Result<lettre::Address, MailError> {
    if email.len() > EMAIL_BYTES_MAX {
        return Err(MailError::Address("it is longer than 254 bytes"));
    }
    if email.chars().any(|c| unprintable(c) || c.is_whitespace() || "<>()\",;:\\[]".contains(c)) {
        return Err(MailError::Address(
            "it holds a space, a bracket, a quote or a character that cannot be seen",
        ));
    }
    email.parse().map_err(|_| MailError::Address("it is not of the form name@example.com"))
}

/// Whether a character is a control character, a line separator or a mark that changes the direction of text.
pub(super) fn unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}
