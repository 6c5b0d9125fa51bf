//! DKIM signatures (RFC 6376, RFC 8463), with which a letter proves that it is the shop's.
//!
//! ```text
//! DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=shop.example; s=r1;      one for each key
//!  h=from:from: to:to: subject:subject: … feedback-id; bh=<hash of the body>;
//!  b=<signature over the fields in h, and over this field up to here>
//! From: …
//! ```
//!
//! This is our own because canonicalisation is a page of code, and rustls has brought ring (which signs) along already; the
//! crates that do it bring 60 to 100 packages, among them a resolver or a slow RSA.
//!
//! Invariants:
//!
//! * the keys are read once; a signature costs one private-key operation: about a millisecond for RSA-2048, a twentieth of
//!   that for Ed25519;
//! * the same letter has the same signature: there is no `t=`, and both algorithms are deterministic;
//! * `h=` lists a name once for each field of it, and once more for fields that a forger would add a second time: when such
//!   a field is added, the letter no longer verifies;
//! * the field is folded only at single blanks, so that its relaxed form is known before it is signed.

mod canon;
mod key;

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::MailError;

pub use key::DkimKey;

/// The fields that are signed where they occur, and whether one more of them must break the signature. Relays add fields
/// of the last six names, so one more of those is no forgery.
const SIGNED: [(&str, bool); 14] = [
    ("from", true),
    ("to", true),
    ("subject", true),
    ("date", true),
    ("message-id", true),
    ("reply-to", true),
    ("mime-version", true),
    ("content-type", true),
    ("list-unsubscribe", false),
    ("list-unsubscribe-post", false),
    ("list-id", false),
    ("feedback-id", false),
    ("cfbl-address", false),
    ("cfbl-feedback-id", false),
];
/// The width at which the field is folded.
const COLUMNS: usize = 76;
const DOMAIN_BYTES_MAX: usize = 253;
const SELECTOR_BYTES_MAX: usize = 63;

/// Signs letters for one domain with one or more keys; cheap to share.
#[derive(Clone)]
pub struct Dkim(Arc<Inner>);

struct Inner {
    domain: String,
    keys: Vec<(String, DkimKey)>,
}

impl Dkim {
    /// A signer for `domain`; each key comes with its selector.
    ///
    /// # Errors
    /// When the domain or a selector is not a DNS name, two keys have one selector, or there is no key.
    pub fn new(domain: &str, keys: Vec<(String, DkimKey)>) -> Result<Dkim, MailError> {
        let wrong = |name, reason| Err(MailError::Option { name, reason });
        if keys.is_empty() {
            return wrong("dkim", "it has no key");
        }
        if !is_name(domain, DOMAIN_BYTES_MAX) || !domain.contains('.') {
            return wrong("dkim.domain", "it is not a domain such as shop.example");
        }
        for (n, (selector, _)) in keys.iter().enumerate() {
            if !is_name(selector, SELECTOR_BYTES_MAX) {
                return wrong(
                    "dkim.selector",
                    "it is not a name of letters, digits, dots and hyphens such as r1",
                );
            }
            if keys.iter().take(n).any(|(other, _)| other.eq_ignore_ascii_case(selector)) {
                return wrong("dkim.selector", "two keys cannot have one selector");
            }
        }
        Ok(Dkim(Arc::new(Inner { domain: domain.to_ascii_lowercase(), keys })))
    }

    /// The domain that signs.
    pub fn domain(&self) -> &str {
        &self.0.domain
    }

    /// Whether signing takes so long that it should run on another thread.
    pub(super) fn is_slow(&self) -> bool {
        self.0.keys.iter().any(|(_, key)| key.is_slow())
    }

    /// The name and the value of the TXT record that DNS must have for each key.
    pub fn records(&self) -> Vec<(String, String)> {
        let record = |(selector, key): &(String, DkimKey)| {
            (format!("{selector}._domainkey.{}", self.0.domain), key.record())
        };
        self.0.keys.iter().map(record).collect()
    }

    /// The fields to put before a message, one for each key; `None` when a key cannot sign now.
    pub(super) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let (fields, body) = canon::split(message);
        let body_hash = BASE64.encode(canon::body_hash(body));
        let names = signed_names(&fields);
        let mut out = Vec::with_capacity(1_200);
        for (selector, key) in &self.0.keys {
            let unsigned = format!(
                "DKIM-Signature: v=1; a={}; c=relaxed/relaxed; d={}; s={selector}; h={}; bh={body_hash}; b=",
                key.algorithm(),
                self.0.domain,
                listed(&names),
            );
            let signature = BASE64.encode(key.sign(&signed_data(&fields, &names, unsigned.as_bytes()))?);
            fold(&unsigned, &signature, &mut out);
        }
        Some(out)
    }
}

/// The names for `h=`, in order.
fn signed_names(fields: &[&[u8]]) -> Vec<&'static str> {
    let mut names = Vec::with_capacity(2 * SIGNED.len());
    for (name, sealed) in SIGNED {
        let present = fields.iter().filter(|field| canon::name(field).eq_ignore_ascii_case(name.as_bytes()));
        names.extend(present.map(|_| name).chain(sealed.then_some(name)));
    }
    names
}

/// The value of `h=`, with a blank between different names, where it may be folded.
fn listed(names: &[&str]) -> String {
    let mut out = String::with_capacity(256);
    for (n, name) in names.iter().enumerate() {
        if n > 0 {
            out.push_str(if names.get(n - 1) == Some(name) { ":" } else { ": " });
        }
        out.push_str(name);
    }
    out
}

/// The data to sign: the named fields (each name takes the last field not yet taken), then the signature's own field as far
/// as it exists, without a line end.
fn signed_data(fields: &[&[u8]], names: &[&str], unsigned: &[u8]) -> Vec<u8> {
    let mut data = Vec::with_capacity(1_500);
    let mut taken = vec![false; fields.len()];
    for name in names {
        let free = |(n, field): (usize, &&[u8])| {
            let fits = canon::name(field).eq_ignore_ascii_case(name.as_bytes());
            (fits && taken.get(n) == Some(&false)).then_some(n)
        };
        let found = fields.iter().enumerate().rev().find_map(free);
        if let Some((field, taken)) = found.and_then(|n| Some((fields.get(n)?, taken.get_mut(n)?))) {
            *taken = true;
            canon::field(field, &mut data);
        }
    }
    canon::field(unsigned, &mut data);
    data.truncate(data.len() - b"\r\n".len());
    data
}

/// Writes the field, folded at blanks, with the signature over as many lines as it needs.
fn fold(unsigned: &str, signature: &str, out: &mut Vec<u8>) {
    let mut column = 0;
    for word in unsigned.split(' ') {
        if column > 0 && column + word.len() >= COLUMNS {
            out.extend_from_slice(b"\r\n ");
            column = 1;
        } else if column > 0 {
            out.push(b' ');
            column += 1;
        }
        out.extend_from_slice(word.as_bytes());
        column += word.len();
    }
    for byte in signature.bytes() {
        if column >= COLUMNS {
            out.extend_from_slice(b"\r\n ");
            column = 1;
        }
        out.push(byte);
        column += 1;
    }
    out.extend_from_slice(b"\r\n");
}

/// Whether it consists of labels (letters, digits, hyphens, underscores) with dots between them.
fn is_name(name: &str, bytes_max: usize) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    name.len() <= bytes_max
        && name.split('.').all(|label| (1..=63).contains(&label.len()) && label.bytes().all(plain))
}

impl PartialEq for Dkim {
    fn eq(&self, other: &Dkim) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Dkim {}

impl fmt::Debug for Dkim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dkim").field("domain", &self.0.domain).field("keys", &self.0.keys).finish()
    }
}

#[cfg(test)]
mod tests;
