//! The private keys that sign letters: read once, used for every letter, never shown.
//!
//! | PEM | algorithm |
//! |---|---|
//! | `BEGIN PRIVATE KEY` (PKCS#8), RSA of 2048 to 4096 bits | `rsa-sha256` |
//! | `BEGIN RSA PRIVATE KEY` (PKCS#1), the same | `rsa-sha256` |
//! | `BEGIN PRIVATE KEY` (PKCS#8, with or without the public half), Ed25519 | `ed25519-sha256` (RFC 8463) |
//!
//! Both algorithms are deterministic: the same letter has the same bytes on every attempt.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use sha2::{Digest, Sha256};
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

/// The PKCS#8 prefix of an Ed25519 seed of 32 bytes (RFC 8410, 7).
const ED25519_PKCS8: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
/// The algorithm identifier of RSA in a SubjectPublicKeyInfo (RFC 3279, 2.3.1).
const RSA_ALGORITHM: [u8; 15] = [0x30, 0x0d, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0];

/// A private key; `Debug` shows only its kind.
pub enum DkimKey {
    Rsa(Box<RsaKeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
}

impl DkimKey {
    /// Reads the first private key in a PEM text.
    ///
    /// # Errors
    /// Why the key cannot be used; the text is meant to follow the setting's name.
    pub fn from_pem(pem: &str) -> Result<DkimKey, &'static str> {
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| "it holds no private key in PEM; expected -----BEGIN PRIVATE KEY-----")?;
        match &key {
            PrivateKeyDer::Pkcs1(der) => rsa(RsaKeyPair::from_der(der.secret_pkcs1_der())),
            PrivateKeyDer::Pkcs8(der) => {
                let der = der.secret_pkcs8_der();
                match Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
                    Ok(key) => Ok(DkimKey::Ed25519(Box::new(key))),
                    Err(_) => rsa(RsaKeyPair::from_pkcs8(der)),
                }
            }
            _ => Err(NO_KEY),
        }
    }

    /// A new Ed25519 key as PEM; `None` when the machine has no random bytes.
    pub fn new_ed25519() -> Option<String> {
        let mut seed = [0; 32];
        SystemRandom::new().fill(&mut seed).ok()?;
        let der = BASE64.encode([ED25519_PKCS8.as_slice(), &seed].concat());
        Some(format!("-----BEGIN PRIVATE KEY-----\n{der}\n-----END PRIVATE KEY-----\n"))
    }

    pub fn is_ed25519(&self) -> bool {
        matches!(self, DkimKey::Ed25519(_))
    }

    /// Whether signing takes so long that it should run on another thread.
    pub(super) fn is_slow(&self) -> bool {
        matches!(self, DkimKey::Rsa(_))
    }

    /// The value of the tag `a=`.
    pub(super) fn algorithm(&self) -> &'static str {
        match self {
            DkimKey::Rsa(_) => "rsa-sha256",
            DkimKey::Ed25519(_) => "ed25519-sha256",
        }
    }

    /// Signs the canonical fields; `None` when the machine has no random bytes for RSA's blinding.
    pub(super) fn sign(&self, data: &[u8]) -> Option<Vec<u8>> {
        match self {
            DkimKey::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), data, &mut signature).ok()?;
                Some(signature)
            }
            // RFC 8463, 3: Ed25519 over the SHA-256 of the data
            DkimKey::Ed25519(key) => Some(key.sign(&Sha256::digest(data)).as_ref().to_vec()),
        }
    }

    /// The TXT record that publishes the public key.
    pub(crate) fn record(&self) -> String {
        let (kind, public) = match self {
            DkimKey::Rsa(key) => ("rsa", subject_public_key(key.public().as_ref())),
            DkimKey::Ed25519(key) => ("ed25519", key.public_key().as_ref().to_vec()),
        };
        format!("v=DKIM1; k={kind}; p={}", BASE64.encode(public))
    }
}

/// The error for a private key of another kind.
const NO_KEY: &str = "it is neither an RSA key of 2048 to 4096 bits nor an Ed25519 key";

fn rsa(key: Result<RsaKeyPair, ring::error::KeyRejected>) -> Result<DkimKey, &'static str> {
    key.map(|key| DkimKey::Rsa(Box::new(key))).map_err(|_| NO_KEY)
}

/// A PKCS#1 public key as SubjectPublicKeyInfo, the form that DKIM publishes.
fn subject_public_key(pkcs1: &[u8]) -> Vec<u8> {
    let bits = der(3, &[&[0], pkcs1].concat());
    der(0x30, &[RSA_ALGORITHM.as_slice(), &bits].concat())
}

/// One DER value: tag, length, content.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let significant = length.iter().position(|b| *b != 0).unwrap_or(length.len() - 1);
    let length = length.get(significant..).unwrap_or_default();
    let mut out = vec![tag];
    if content.len() >= 0x80 {
        out.push(0x80 | length.len() as u8);
    }
    out.extend_from_slice(length);
    out.extend_from_slice(content);
    out
}

impl fmt::Debug for DkimKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DkimKey({})", self.algorithm())
    }
}
