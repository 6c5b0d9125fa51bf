//! Webhook signatures: HMAC-SHA256 over the exact raw bytes.
//!
//! Signatures are compared in constant time with those of every secret of the source (no early return), and only when the
//! header occurs exactly once and has exactly the length of a signature. The key schedule is computed once, at start.

use std::io;

use axum::http::{HeaderMap, HeaderName};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::settings::{Scheme, Source};

pub(super) const TAG_BYTES: usize = 32;

/// The value of the signature header for a body: HMAC-SHA256 in lower-case hexadecimal.
///
/// # Examples
///
/// ```
/// let header = restockd::http::sign(b"secret", b"{}");
/// assert_eq!(header.len(), 64);
/// ```
#[must_use]
pub fn sign(secret: &[u8], body: &[u8]) -> String {
    let tag = key(secret).chain_update(body).finalize().into_bytes();
    tag.iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|n| char::from_digit(n.into(), 16))
        .collect()
}

/// HMAC with its key schedule computed.
fn key(secret: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(secret).expect("hmac takes a key of any length")
}

/// The keys of one source, and the form of its signatures.
#[derive(Clone)]
pub(super) struct Verifier {
    header: HeaderName,
    scheme: Scheme,
    keys: Vec<Hmac<Sha256>>,
}

impl Verifier {
    /// Prepares a source's secrets; blank ones are ignored.
    pub(super) fn new(source: &Source) -> io::Result<Self> {
        let header = HeaderName::from_bytes(source.header.as_bytes()).map_err(|_| {
            let text = format!("source {}: its signature header is no header name", source.id);
            io::Error::new(io::ErrorKind::InvalidInput, text)
        })?;
        let good = source.secrets.iter().filter(|secret| !secret.is_blank());
        Ok(Self { header, scheme: source.scheme, keys: good.map(|secret| key(secret.bytes())).collect() })
    }

    /// Whether there is a secret to verify with.
    pub(super) fn configured(&self) -> bool {
        !self.keys.is_empty()
    }

    /// The signature in the header; `None` unless there is exactly one and it is well formed.
    pub(super) fn tag(&self, headers: &HeaderMap) -> Option<[u8; TAG_BYTES]> {
        let mut values = headers.get_all(&self.header).iter();
        let (value, None) = (values.next()?.as_bytes(), values.next()) else { return None };
        let Scheme::HexSha256 { prefix_ok, upper_ok } = self.scheme;
        let digits = if prefix_ok { value.strip_prefix(b"sha256=").unwrap_or(value) } else { value };
        unhex(digits, upper_ok)
    }

    /// Whether one of the secrets makes this signature for these bytes.
    pub(super) fn verify(&self, tag: &[u8; TAG_BYTES], body: &[u8]) -> bool {
        self.keys
            .iter()
            .fold(false, |good, key| key.clone().chain_update(body).verify_slice(tag).is_ok() | good)
    }
}

/// Reads exactly 64 hexadecimal digits.
fn unhex(digits: &[u8], upper_ok: bool) -> Option<[u8; TAG_BYTES]> {
    if digits.len() != TAG_BYTES * 2 {
        return None;
    }
    let nibble = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' if upper_ok => Some(digit - b'A' + 10),
        _ => None,
    };
    let mut tag = [0; TAG_BYTES];
    for (byte, pair) in tag.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = nibble(*high)? << 4 | nibble(*low)?;
    }
    Some(tag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::settings::Secret;
    use axum::http::HeaderValue;

    fn check(source: &Source, values: &[&str], body: &[u8]) -> bool {
        let verifier = Verifier::new(source).unwrap();
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("x-signature", HeaderValue::from_str(value).unwrap());
        }
        verifier.tag(&headers).is_some_and(|tag| verifier.verify(&tag, body))
    }

    #[test]
    fn the_published_vector_holds() {
        let tag = sign(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(tag, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }

    #[test]
    fn only_the_exact_form_is_taken() {
        let source = Source { secrets: vec![Secret::new("one"), Secret::new("two")], ..Source::default() };
        let good = sign(b"two", b"body");
        assert!(check(&source, &[&good], b"body") && check(&source, &[&sign(b"one", b"body")], b"body"));
        let (upper, prefixed) = (good.to_uppercase(), format!("sha256={good}"));
        for bad in
            ["", &good[..62], &format!("{good}00"), &upper, &prefixed, &"g".repeat(64), &sign(b"x", b"body")]
        {
            assert!(!check(&source, &[bad], b"body"), "{bad}");
        }
        assert!(!check(&source, &[], b"body") && !check(&source, &[&good, &good], b"body"));
        assert!(!check(&source, &[&good], b"body "));
        let open = Source { scheme: Scheme::HexSha256 { prefix_ok: true, upper_ok: true }, ..source };
        assert!(check(&open, &[&upper], b"body") && check(&open, &[&prefixed], b"body"));
    }

    #[test]
    fn a_blank_secret_is_no_secret() {
        let source = Source { secrets: vec![Secret::new(""), Secret::new(" \n")], ..Source::default() };
        assert!(!Verifier::new(&source).unwrap().configured());
        assert!(!format!("{source:?}").contains('\n'));
    }
}
