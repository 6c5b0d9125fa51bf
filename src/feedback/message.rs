//! Messages: which kind of report one is, and where its parts are.
//!
//! ```text
//! multipart/report ┬ text/plain                     for a person; not read
//!                  ├ message/delivery-status        or message/feedback-report
//!                  └ message/rfc822                 or text/rfc822-headers: the letter, or its head
//! ```

use mail_parser::{MessageParser, MessagePart, MimeHeaders, PartType};
use sha2::{Digest, Sha256};

use super::fields::{self, Fields};
use super::{CLAIMS_MAX, NAME_BYTES_MAX, ParsedMessage, UnverifiedReport, arf, dsn};

/// The longest message that is read.
pub const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// A report has about four parts; a message with more heads than this is no report and is not parsed.
const HEADS_MAX: usize = 64;
/// Of a returned letter only the head is read, and of that no more than this.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// What all reports of one message share.
pub(super) struct Shared {
    /// The head of the message itself.
    pub(super) head: Fields,
    /// The head of the returned letter.
    pub(super) letter: Fields,
    pub(super) name: String,
    /// The address that the message was delivered to, where it is known.
    pub(super) envelope: Option<String>,
}

/// Reads a message; `envelope` is the address that it was delivered to, where that is known.
#[must_use]
pub fn read(raw: &[u8], envelope: Option<&str>) -> ParsedMessage {
    if raw.len() > MESSAGE_BYTES_MAX {
        return ParsedMessage::Nothing("the message is too large to be a report");
    }
    if heads(raw) > HEADS_MAX {
        return ParsedMessage::Nothing("the message has too many parts to be a report");
    }
    let Some(message) = MessageParser::default().parse(raw) else {
        return ParsedMessage::Nothing("it is not a message");
    };
    let head = Fields::read(raw.get(..HEAD_BYTES_MAX).unwrap_or(raw));
    if !message.is_content_type("multipart", "report") {
        return ParsedMessage::Nothing(if is_auto_reply(&head) {
            "an automatic reply"
        } else {
            "not a report of a kind that is understood"
        });
    }
    let part = |kinds: &[&str]| message.parts.iter().find(|part| is_one_of(part, kinds));
    let letter = part(&["message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers"]);
    let shared = Shared {
        name: name(&head, raw),
        head,
        letter: letter.map(|part| Fields::read(head_of(part))).unwrap_or_default(),
        envelope: envelope.map(|text| text.chars().take(NAME_BYTES_MAX).collect()),
    };
    let claims = if let Some(part) = part(&["message/feedback-report"]) {
        arf::read(&shared, part.contents())
    } else if let Some(part) = part(&["message/delivery-status", "message/global-delivery-status"]) {
        dsn::read(&shared, part.contents())
    } else {
        return ParsedMessage::Nothing("a report without a part that a machine can read");
    };
    if claims.is_empty() {
        return ParsedMessage::Nothing("a report that says nothing about a letter");
    }
    ParsedMessage::Reports(claims)
}

impl Shared {
    /// A report with everything in the message that may tell whose letter it is about.
    pub(super) fn claim(
        &self,
        kind: restockd_core::feedback::FeedbackKind,
        name: String,
    ) -> UnverifiedReport {
        let mut claim = UnverifiedReport::of(kind, name);
        let carried = ["to", "delivered-to", "x-original-to", "envelope-to", "x-envelope-to"];
        let carried = carried.iter().flat_map(|name| self.head.all(name));
        let returned = ["return-path", "cfbl-feedback-id", "x-envelope-from"];
        let returned = returned.iter().flat_map(|name| self.letter.all(name));
        self.envelope
            .as_deref()
            .into_iter()
            .chain(carried)
            .chain(returned)
            .for_each(|text| claim.search(text));
        self.letter.all("list-unsubscribe").for_each(|text| claim.links.extend(fields::links(text)));
        claim.links.truncate(CLAIMS_MAX);
        let id = self.letter.get("message-id").map(|id| id.trim_matches(['<', '>', ' ']));
        claim.message_id = id.filter(|id| !id.is_empty() && id.len() <= NAME_BYTES_MAX).map(str::to_owned);
        claim
    }
}

impl UnverifiedReport {
    /// Collects possible tokens in a field: in an address, or alone as in a feedback id.
    pub(super) fn search(&mut self, text: &str) {
        let alone = text.split(|c: char| c.is_whitespace() || ":<>;,".contains(c));
        let alone = alone.filter(|word| fields::plain(word)).map(str::to_owned);
        for token in fields::tokens(text).chain(alone) {
            if self.tokens.len() < CLAIMS_MAX && !self.tokens.contains(&token) {
                self.tokens.push(token);
            }
        }
    }
}

/// How many heads of parts the bytes can hold, at most.
fn heads(raw: &[u8]) -> usize {
    const NAME: &[u8] = b"content-type";
    let lines = raw.split(|b| *b == b'\n').filter(|line| line.len() > NAME.len());
    lines
        .filter(|line| {
            line.trim_ascii_start().get(..NAME.len()).is_some_and(|n| n.eq_ignore_ascii_case(NAME))
        })
        .count()
}

/// Whether a part has one of these types.
fn is_one_of(part: &MessagePart<'_>, kinds: &[&str]) -> bool {
    kinds.iter().filter_map(|kind| kind.split_once('/')).any(|(kind, sub)| part.is_content_type(kind, sub))
}

/// The bytes that hold the head of a returned letter.
fn head_of<'a>(part: &'a MessagePart<'_>) -> &'a [u8] {
    let bytes = match &part.body {
        PartType::Message(letter) => letter.raw_message(),
        _ => part.contents(),
    };
    bytes.get(..HEAD_BYTES_MAX).unwrap_or(bytes)
}

/// Whether the message is an automatic answer, such as an absence note.
fn is_auto_reply(head: &Fields) -> bool {
    let submitted = head.get("auto-submitted").is_some_and(|value| !value.eq_ignore_ascii_case("no"));
    submitted
        || ["x-autoreply", "x-autorespond", "x-auto-response-suppress"].iter().any(|n| head.get(n).is_some())
}

/// The report's own name: its Message-ID, else the digest of its body (relays on the way only add to its head).
fn name(head: &Fields, raw: &[u8]) -> String {
    if let Some(id) = head.get("message-id").filter(|id| (3..=NAME_BYTES_MAX).contains(&id.len())) {
        return id.to_owned();
    }
    let blank = raw.windows(2).position(|w| w == b"\n\n").into_iter();
    let blank = blank.chain(raw.windows(4).position(|w| w == b"\r\n\r\n")).min().unwrap_or(0);
    let digest = Sha256::digest(raw.get(blank..).unwrap_or_default());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
