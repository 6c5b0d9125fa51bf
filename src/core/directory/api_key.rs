//! API keys as they are held: never the secret, only its hash.
//!
//! Publishable keys stand in a table of their own, so that none can ever be taken for a key that
//! may more: they join lists, from the origins named, and only with a confirmation.

use super::super::time::Millis;
use super::Directory;

/// An API key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its public id.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// True for everything; else events, lists, contacts and campaigns.
    pub admin: bool,
    /// SHA-256 of the secret part.
    pub hash: [u8; 32],
    /// When it was made.
    pub created: Millis,
    /// When it was revoked.
    pub revoked: Option<Millis>,
}

/// A publishable key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// Its public id.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// SHA-256 of the whole key.
    pub hash: [u8; 32],
    /// Where a browser may stand that uses it, such as `https://shop.example`.
    pub origins: Vec<String>,
    /// When it was made.
    pub created: Millis,
    /// When it was revoked.
    pub revoked: Option<Millis>,
}

impl Directory {
    /// All API keys but the publishable ones.
    pub fn api_keys(&self) -> impl Iterator<Item = &ApiKey> {
        self.api_keys.values()
    }

    /// All publishable keys.
    pub fn public_keys(&self) -> impl Iterator<Item = &PublicKey> {
        self.public_keys.values()
    }

    /// A key stops, of whichever kind it is.
    pub(super) fn revoke_key(&mut self, id: &str, at: Millis) {
        if let Some(key) = self.api_keys.get_mut(id) {
            key.revoked = Some(at);
        }
        if let Some(key) = self.public_keys.get_mut(id) {
            key.revoked = Some(at);
        }
    }
}
