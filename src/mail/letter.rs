//! One letter, and its form on the wire.
//!
//! mail-builder builds the MIME message; this file decides what may go into it. Every value is checked or cleaned *before*
//! it becomes a header, so a line break in product data cannot become a header of its own.
//!
//! Invariants:
//!
//! * the same letter makes the same bytes, boundary included: a repeated attempt is the same message;
//! * the bytes have only CRLF line ends, are dot-stuffed and end in CRLF, so nothing inside them can end the mail;
//! * a text without long lines and special characters is sent as it is (7bit); any other is encoded in the shorter of the
//!   two ways;
//! * `List-Unsubscribe` and `List-Unsubscribe-Post` are set together or not at all (RFC 8058).
//!
//! Left out on purpose: `Precedence` (obsolete) and `Auto-Submitted` (auto-responders honour `List-Id` already, and some
//! filters count it against a mail). DKIM signatures are added later, in `pipeline.rs`.

use std::borrow::Cow;
use std::fmt;

use mail_builder::MessageBuilder;
use mail_builder::headers::content_type::ContentType;
use mail_builder::headers::date::Date;
use mail_builder::headers::raw::Raw;
use mail_builder::mime::MimePart;
use memchr::memchr;

use super::{Address, MailError, address::unprintable};

const URL_BYTES_MAX: usize = 900;
const LIST_ID_BYTES_MAX: usize = 200;
const FEEDBACK_ID_BYTES_MAX: usize = 200;
/// The longest line of a body that is sent without encoding.
const LINE_BYTES_MAX: usize = 900;
const MESSAGE_ID_BYTES_MAX: usize = 240;
/// The last moment of the year 9999: a date's year has four digits.
const DATE_MS_MAX: u64 = 253_402_300_799_000;

/// A rendered letter to one person.
#[derive(Clone, PartialEq, Eq)]
pub struct Letter {
    /// The Message-ID without angle brackets; the same on every attempt.
    pub message_id: String,
    /// The recipient's bare mail address.
    pub to: String,
    pub from: Address,
    /// The address for answers; `None`: the sender's.
    pub reply_to: Option<Address>,
    /// One line; control characters are dropped.
    pub subject: String,
    /// The plain text body.
    pub text: String,
    /// The HTML body.
    pub html: String,
    /// The text between the angle brackets of `List-Id`; characters that are not allowed there are encoded.
    pub list_id: Option<String>,
    /// The URL of one-click unsubscribing (RFC 8058).
    pub unsubscribe_url: Option<String>,
    /// The `Date` header, in milliseconds since 1970.
    pub date_ms: u64,
    /// The envelope's sender, where bounces go; `None`: the sender's address.
    pub envelope_from: Option<String>,
    /// `Feedback-ID`, by which Gmail's Postmaster Tools tell campaigns apart: four words with colons between them.
    pub feedback_id: Option<String>,
    /// Where receivers may report that somebody called this letter spam (RFC 9477).
    pub complaints: Option<Complaints>,
}

/// The values of `CFBL-Address` and `CFBL-Feedback-ID`.
#[derive(Clone, PartialEq, Eq)]
pub struct Complaints {
    /// Where reports go.
    pub address: Address,
    /// An id that a report repeats: it identifies campaign and recipient to this engine, and to nobody else.
    pub id: String,
}

/// A letter's envelope and bytes.
pub(super) struct Packed {
    pub(super) sender: String,
    pub(super) recipient: String,
    /// Headers and body with CRLF line ends, before dot-stuffing.
    pub(super) message: Vec<u8>,
}

impl Packed {
    /// Whether the envelope needs a server that supports SMTPUTF8.
    pub(super) fn needs_utf8(&self) -> bool {
        !self.sender.is_ascii() || !self.recipient.is_ascii()
    }
}

impl Letter {
    /// Checks every part and builds the message.
    pub(super) fn pack(&self) -> Result<Packed, MailError> {
        let to = Address::bare(&self.to)?;
        let sender = match &self.envelope_from {
            Some(sender) => Address::bare(sender)?.email().to_owned(),
            None => self.from.email().to_owned(),
        };
        check_message_id(&self.message_id)?;
        let subject: String = self.subject.chars().filter(|c| !unprintable(*c)).collect();
        let mut builder = MessageBuilder::new()
            .from(self.from.mailbox())
            .to(to.mailbox())
            .subject(subject)
            .date(Date::new((self.date_ms.min(DATE_MS_MAX) / 1000) as i64))
            .message_id(self.message_id.as_str());
        if let Some(reply_to) = &self.reply_to {
            builder = builder.reply_to(reply_to.mailbox());
        }
        if let Some(list_id) = &self.list_id {
            builder = builder.header("List-Id", Raw::new(format!("<{}>", header_safe(list_id))));
        }
        if let Some(url) = &self.unsubscribe_url {
            check_url(url)?;
            builder = builder
                .header("List-Unsubscribe", Raw::new(format!("<{url}>")))
                .header("List-Unsubscribe-Post", Raw::new("List-Unsubscribe=One-Click"));
        }
        if let Some(id) = &self.feedback_id {
            check_feedback_id(id)?;
            builder = builder.header("Feedback-ID", Raw::new(id.as_str()));
        }
        if let Some(Complaints { address, id }) = &self.complaints {
            check_feedback_id(id)?;
            builder = builder
                .header("CFBL-Address", Raw::new(format!("{}; report=arf", address.email())))
                .header("CFBL-Feedback-ID", Raw::new(id.as_str()));
        }
        // Nobody outside can predict the Message-ID, so no text can contain the boundary.
        let boundary: String = "=_"
            .chars()
            .chain(self.message_id.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }))
            .take(62)
            .collect();
        let alternative = ContentType::new("multipart/alternative").attribute("boundary", boundary);
        let part = |kind, text: &str| {
            let (kind, text) = (ContentType::new(kind).attribute("charset", "utf-8"), visible(text));
            match as_it_is(&text) {
                Some(text) => MimePart::new(kind, text).transfer_encoding("7bit"),
                None => MimePart::new(kind, text.into_owned()),
            }
        };
        let parts = vec![part("text/plain", &self.text), part("text/html", &self.html)];
        // The growth by encoding is a twentieth; the rest is room for headers.
        let mut message = Vec::with_capacity((self.text.len() + self.html.len()) * 9 / 8 + 2048);
        builder.body(MimePart::new(alternative, parts)).serialize(&mut message);
        Ok(Packed { sender, recipient: to.email().to_owned(), message })
    }
}

impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Letter")
            .field("message_id", &self.message_id)
            .field("to", &"<address>")
            .field("text_bytes", &self.text.len())
            .field("html_bytes", &self.html.len())
            .field("date_ms", &self.date_ms)
            .finish_non_exhaustive()
    }
}

fn check_message_id(id: &str) -> Result<(), MailError> {
    let good = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&b))
    };
    match id.split_once('@') {
        Some((left, right)) if id.len() <= MESSAGE_ID_BYTES_MAX && good(left) && good(right) => Ok(()),
        _ => Err(MailError::Letter("its Message-ID is not of the form id@domain")),
    }
}

fn check_url(url: &str) -> Result<(), MailError> {
    let plain = url.bytes().all(|b| b.is_ascii_graphic() && !b"<>\"\\,".contains(&b));
    if (url.starts_with("https://") || url.starts_with("http://")) && plain && url.len() <= URL_BYTES_MAX {
        return Ok(());
    }
    Err(MailError::Letter("its unsubscribe link is not a plain http or https URL of at most 900 characters"))
}

fn check_feedback_id(id: &str) -> Result<(), MailError> {
    let plain = id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b));
    if plain && (1..=FEEDBACK_ID_BYTES_MAX).contains(&id.len()) {
        return Ok(());
    }
    Err(MailError::Letter("its feedback id is not made of letters, digits and - _ . :"))
}

/// Letters, digits, `.`, `-` and `_` stay; any other byte becomes `=XX`, so two lists never share an id.
fn header_safe(id: &str) -> String {
    let mut out = String::with_capacity(id.len());
    for byte in id.bytes() {
        if out.len() + 3 > LIST_ID_BYTES_MAX {
            break;
        }
        if byte.is_ascii_alphanumeric() || b".-_".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("={byte:02X}"));
        }
    }
    out
}

/// A body with CRLF line ends that needs no encoding: ASCII, no line near the limit of 998 characters, none that ends in a
/// blank (which may be lost on the way), and none that a mailbox file would take for the beginning of a letter.
fn as_it_is(text: &str) -> Option<String> {
    let fit = |line: &str| {
        line.len() <= LINE_BYTES_MAX && !line.ends_with([' ', '\t']) && !line.starts_with("From ")
    };
    if !text.is_ascii() {
        return None;
    }
    let mut out = String::with_capacity(text.len() + text.len() / 16 + 64);
    let mut rest = text;
    while !rest.is_empty() {
        let end = memchr(b'\n', rest.as_bytes()).unwrap_or(rest.len());
        let (line, after) = rest.split_at_checked(end)?;
        if !fit(line) {
            return None;
        }
        out.push_str(line);
        out.push_str("\r\n");
        rest = after.strip_prefix('\n').unwrap_or(after);
    }
    Some(out)
}

/// A body without control characters except tabs and line ends, and with line ends of one kind.
fn visible(text: &str) -> Cow<'_, str> {
    // A fast pass byte by byte without branches: most bodies have nothing to remove. 0xC2 begins the upper control characters.
    let odd = |b: u8| (b < b' ') & (b != b'\n') & (b != b'\t') | (b == 0x7f) | (b == 0xc2);
    if !text.bytes().fold(false, |any, b| any | odd(b)) {
        return Cow::Borrowed(text);
    }
    let unix = text.replace("\r\n", "\n").replace('\r', "\n");
    Cow::Owned(unix.replace(|c: char| c.is_control() && c != '\n' && c != '\t', ""))
}
