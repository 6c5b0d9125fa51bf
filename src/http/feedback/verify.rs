//! How relays prove that a delivery is theirs; Amazon's way is in `sns.rs`.
//!
//! | relay | proof | covers |
//! |---|---|---|
//! | Postmark | user and password in its URL | nothing; TLS does |
//! | Mailgun | HMAC-SHA256, hex, in the body | timestamp and token |
//! | SendGrid | ECDSA P-256 | timestamp and body |
//! | Resend | HMAC-SHA256, base64 (Standard Webhooks) | id, timestamp and body |
//!
//! Every comparison takes constant time, and every secret is tried.

use std::io;

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::super::settings::Secret;
use restockd_core::Millis;

/// The DER prefix of a P-256 public key, before its point.
const P256: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// How far ahead of this clock a sender's clock may be.
const AHEAD_MS: u64 = 300_000;
const ID_BYTES_MAX: usize = 128;

/// The value of a header; `None` unless it occurs exactly once.
fn single_header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    value.to_str().ok()
}

/// Whether a Unix time is close enough to now.
fn fresh(seconds: &str, now: Millis, tolerance_ms: u64) -> bool {
    let digits = !seconds.is_empty() && seconds.len() <= 12 && seconds.bytes().all(|b| b.is_ascii_digit());
    let sent = digits.then(|| seconds.parse::<u64>().ok()).flatten();
    sent.map(|seconds| Millis(seconds * 1000))
        .is_some_and(|sent| now.since(sent) <= tolerance_ms && sent.since(now) <= AHEAD_MS)
}

/// HMAC-SHA256 with its key.
fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("hmac takes a key of any length")
}

/// The secrets that are not blank.
fn given(secrets: &[Secret]) -> impl Iterator<Item = &Secret> {
    secrets.iter().filter(|secret| !secret.is_blank())
}

/// An error that names the key that cannot be used.
fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what.to_owned())
}

/// Digests of Postmark's users and passwords.
pub(super) struct Basic(Vec<[u8; 32]>);

impl Basic {
    pub(super) fn new(secrets: &[Secret]) -> io::Result<Self> {
        if given(secrets).any(|secret| !secret.bytes().contains(&b':')) {
            return Err(wrong("postmark: its secret must be user:password"));
        }
        Ok(Self(given(secrets).map(|secret| Sha256::digest(secret.bytes()).into()).collect()))
    }

    pub(super) fn configured(&self) -> bool {
        !self.0.is_empty()
    }

    pub(super) fn verify(&self, headers: &HeaderMap) -> Option<()> {
        let (scheme, given) = single_header(headers, header::AUTHORIZATION.as_str())?.split_once(' ')?;
        let given = STANDARD.decode(given.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
        let given: [u8; 32] = Sha256::digest(&given).into();
        let same = |held: &[u8; 32]| held.iter().zip(&given).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0;
        self.0.iter().fold(false, |good, held| same(held) | good).then_some(())
    }
}

pub(super) struct Mailgun {
    keys: Vec<Hmac<Sha256>>,
    tolerance_ms: u64,
}

/// The part of Mailgun's body that is its proof.
#[derive(Deserialize)]
struct Signed {
    signature: Signature,
}

#[derive(Deserialize)]
struct Signature {
    timestamp: String,
    token: String,
    signature: String,
}

impl Mailgun {
    pub(super) fn new(secrets: &[Secret], tolerance_ms: u64) -> Self {
        Self { keys: given(secrets).map(|secret| keyed(secret.bytes())).collect(), tolerance_ms }
    }

    pub(super) fn configured(&self) -> bool {
        !self.keys.is_empty()
    }

    pub(super) fn verify(&self, body: &[u8], now: Millis) -> Option<()> {
        let Signed { signature: Signature { timestamp, token, signature } } =
            serde_json::from_slice(body).ok()?;
        let tag = data_encoding::HEXLOWER.decode(signature.as_bytes()).ok()?;
        let fits = !token.is_empty() && token.len() <= ID_BYTES_MAX;
        let good = self.keys.iter().fold(false, |good, key| {
            let mac = key.clone().chain_update(timestamp.as_bytes()).chain_update(token.as_bytes());
            mac.verify_slice(&tag).is_ok() | good
        });
        (good && fits && fresh(&timestamp, now, self.tolerance_ms)).then_some(())
    }
}

pub(super) struct Sendgrid {
    keys: Vec<Vec<u8>>,
    tolerance_ms: u64,
}

impl Sendgrid {
    pub(super) fn new(secrets: &[Secret], tolerance_ms: u64) -> io::Result<Self> {
        let point = |secret: &Secret| {
            let der = STANDARD.decode(secret.bytes().trim_ascii()).ok();
            let point = der.as_deref().and_then(|der| der.strip_prefix(P256.as_slice()));
            let point = point.filter(|point| point.len() == 65).map(<[u8]>::to_vec);
            point.ok_or_else(|| {
                wrong("sendgrid: its secret must be the public key that SendGrid's page shows")
            })
        };
        Ok(Self { keys: given(secrets).map(point).collect::<io::Result<_>>()?, tolerance_ms })
    }

    pub(super) fn configured(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Signature and timestamp; checked before the body is read.
    pub(super) fn tag(&self, headers: &HeaderMap, now: Millis) -> Option<(Vec<u8>, String)> {
        let signature = single_header(headers, "x-twilio-email-event-webhook-signature")?;
        let timestamp = single_header(headers, "x-twilio-email-event-webhook-timestamp")?;
        let signature = STANDARD.decode(signature).ok()?;
        fresh(timestamp, now, self.tolerance_ms).then(|| (signature, timestamp.to_owned()))
    }

    pub(super) fn verify(&self, (signature, timestamp): &(Vec<u8>, String), body: &[u8]) -> Option<()> {
        let signed = [timestamp.as_bytes(), body].concat();
        let good = self.keys.iter().any(|key| {
            let algorithm = &ring::signature::ECDSA_P256_SHA256_ASN1;
            ring::signature::UnparsedPublicKey::new(algorithm, key).verify(&signed, signature).is_ok()
        });
        good.then_some(())
    }
}

pub(super) struct Standard {
    keys: Vec<Hmac<Sha256>>,
    tolerance_ms: u64,
}

/// The headers of a Standard Webhook.
pub(super) struct Tag {
    /// The delivery's id, the same on every attempt.
    pub(super) id: String,
    timestamp: String,
    signatures: Vec<Vec<u8>>,
}

impl Standard {
    pub(super) fn new(secrets: &[Secret], tolerance_ms: u64) -> io::Result<Self> {
        let key = |secret: &Secret| {
            let text = secret.bytes().strip_prefix(b"whsec_".as_slice());
            let bytes = text
                .and_then(|text| STANDARD.decode(text.trim_ascii()).ok())
                .filter(|bytes| bytes.len() >= 16);
            bytes
                .map(|bytes| keyed(&bytes))
                .ok_or_else(|| wrong("resend: its secret must be whsec_ and base64"))
        };
        Ok(Self { keys: given(secrets).map(key).collect::<io::Result<_>>()?, tolerance_ms })
    }

    pub(super) fn configured(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Reads the headers, before the body is read.
    pub(super) fn tag(&self, headers: &HeaderMap, now: Millis) -> Option<Tag> {
        let field = |name: &str| {
            single_header(headers, &format!("svix-{name}"))
                .or_else(|| single_header(headers, &format!("webhook-{name}")))
        };
        let (id, timestamp) = (field("id")?, field("timestamp")?);
        let listed = field("signature")?.split(' ').take(8);
        let signatures = listed.filter_map(|one| STANDARD.decode(one.strip_prefix("v1,")?).ok()).collect();
        let fits = !id.is_empty() && id.len() <= ID_BYTES_MAX && fresh(timestamp, now, self.tolerance_ms);
        fits.then(|| Tag { id: id.to_owned(), timestamp: timestamp.to_owned(), signatures })
    }

    pub(super) fn verify(&self, tag: &Tag, body: &[u8]) -> Option<()> {
        let good = self.keys.iter().fold(false, |good, key| {
            let mac = key.clone().chain_update(tag.id.as_bytes()).chain_update(b".");
            let mac = mac.chain_update(tag.timestamp.as_bytes()).chain_update(b".").chain_update(body);
            tag.signatures.iter().fold(good, |good, one| mac.clone().verify_slice(one).is_ok() | good)
        });
        good.then_some(())
    }
}
