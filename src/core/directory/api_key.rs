//! API keys as they are stored: never the secret, only its hash.
//!
//! Publishable keys have a table of their own, so that none can be taken for a key with more rights. They
//! only let people join lists, from named origins and with a confirmation.

use super::super::time::Millis;
use super::Directory;

/// An API key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    pub id: String,
    /// The shop's name for it.
    pub name: String,
    /// True for all rights; false for events, lists, contacts and campaigns only.
    pub admin: bool,
    /// SHA-256 of the secret part.
    pub hash: [u8; 32],
    pub created: Millis,
    /// When it was revoked; `None`: it is valid.
    pub revoked: Option<Millis>,
}

/// A publishable key, which may stand in a web page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    pub id: String,
    /// The shop's name for it.
    pub name: String,
    /// SHA-256 of the whole key.
    pub hash: [u8; 32],
    /// The origins from which a browser may use it, such as `https://shop.example`.
    pub origins: Vec<String>,
    pub created: Millis,
    /// When it was revoked; `None`: it is valid.
    pub revoked: Option<Millis>,
}

impl Directory {
    /// All API keys except the publishable ones, revoked ones included.
    pub fn api_keys(&self) -> impl Iterator<Item = &ApiKey> {
        self.api_keys.values()
    }

    /// All publishable keys, revoked ones included.
    pub fn public_keys(&self) -> impl Iterator<Item = &PublicKey> {
        self.public_keys.values()
    }

    /// Revokes a key of either kind.
    pub(super) fn revoke_key(&mut self, id: &str, at: Millis) {
        if let Some(key) = self.api_keys.get_mut(id) {
            key.revoked = Some(at);
        }
        if let Some(key) = self.public_keys.get_mut(id) {
            key.revoked = Some(at);
        }
    }
}
