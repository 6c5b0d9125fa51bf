//! One letter, and its form on the wire.
//!
//! mail-builder builds the MIME; this file owns what may enter it. Every value is checked or cleaned *before* it becomes a
//! header, so a line break in product data cannot become a header of its own.
//!
//! Invariants:
//!
//! * the same letter makes the same bytes, boundary included: an attempt repeated is the same message;
//! * the bytes are CRLF-only and dot-stuffed, and end in CRLF: `.` CRLF after them, and nothing in them, ends the mail;
//! * a text that is fit to travel goes as it is (7bit); any other is encoded in the shorter of the two ways;
//! * `List-Unsubscribe` and `List-Unsubscribe-Post` go together (RFC 8058).
//!
//! Left out on purpose: `Precedence` (obsolete) and `Auto-Submitted` (responders already honour `List-Id`, and some
//! filters count it against a mail). DKIM comes after: `pipeline.rs`.

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
/// Of a line that goes as it is.
const LINE_BYTES_MAX: usize = 900;
const MESSAGE_ID_BYTES_MAX: usize = 240;
/// The last moment of the year 9999; a date's year has four digits.
const DATE_MS_MAX: u64 = 253_402_300_799_000;

/// A letter to one person, rendered and ready to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Letter {
    /// The same on every attempt; without the angle brackets.
    pub message_id: String,
    /// The recipient's bare email.
    pub to: String,
    /// Who writes.
    pub from: Address,
    /// Where answers go, when not to `from`.
    pub reply_to: Option<Address>,
    /// One line; control characters are dropped.
    pub subject: String,
    /// The plain part.
    pub text: String,
    /// The HTML part.
    pub html: String,
    /// What stands between the angle brackets of `List-Id`; characters that may not stand there are encoded.
    pub list_id: Option<String>,
    /// The one-click URL.
    pub unsubscribe_url: Option<String>,
    /// The date of the letter, in milliseconds since 1970.
    pub date_ms: u64,
    /// The envelope's sender, where bounces go; `from` when not given.
    pub envelope_from: Option<String>,
    /// `Feedback-ID`, by which Gmail's Postmaster Tools tell campaigns apart: four words with colons between them.
    pub feedback_id: Option<String>,
    /// Whom receivers may tell that somebody called this letter spam (RFC 9477).
    pub complaints: Option<Complaints>,
}

/// `CFBL-Address` and `CFBL-Feedback-ID`.
#[derive(Clone, PartialEq, Eq)]
pub struct Complaints {
    /// Where reports go.
    pub address: Address,
    /// What a report must carry: it names campaign and recipient to us, and to nobody else.
    pub id: String,
}

/// A letter as the server wants it.
pub(super) struct Packed {
    pub(super) sender: String,
    pub(super) recipient: String,
    /// Headers and body with plain CRLF line ends, as a file would hold them.
    pub(super) message: Vec<u8>,
}

impl Packed {
    /// Whether the envelope needs a server that speaks SMTPUTF8.
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
        // Nobody but us knows the id before the letter is read, so no text can hold the boundary.
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
        // What a letter grows by: a twentieth for its encoding, and its headers.
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

/// A body with CRLF line ends that needs no encoding: ASCII, no line near the 998 characters at which it may be cut, none
/// that ends in a blank, which may be lost on the way, and none that a mailbox file would take for a letter's beginning.
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

/// A body without control characters other than tabs and line ends, and those all of one kind.
fn visible(text: &str) -> Cow<'_, str> {
    // Looked at byte by byte without branches: most bodies have nothing to take out. 0xC2 leads the upper controls.
    let odd = |b: u8| (b < b' ') & (b != b'\n') & (b != b'\t') | (b == 0x7f) | (b == 0xc2);
    if !text.bytes().fold(false, |any, b| any | odd(b)) {
        return Cow::Borrowed(text);
    }
    let unix = text.replace("\r\n", "\n").replace('\r', "\n");
    Cow::Owned(unix.replace(|c: char| c.is_control() && c != '\n' && c != '\t', ""))
}
