//! The Engine's calls about API keys: `rk_<id>_<secret>`, stored as a hash, revoked at once.

use super::*;
use crate::token;
use restockd_core::directory::{ApiKey, PublicKey};

impl Engine {
    /// What the bearer of a key may do; `None` when the key is not good. Secrets are compared in constant time.
    #[must_use]
    pub fn authenticate(&self, bearer: &str) -> Option<Grant> {
        let hash = token::key_hash(bearer);
        if self.0.environment_key.is_some_and(|key| token::same(&key, &hash)) {
            return Some(Grant { scope: Scope::Admin, key: "environment".to_owned() });
        }
        let (id, _) = bearer.strip_prefix("rk_")?.split_once('_')?;
        let keys = self.0.keys.read();
        let key = keys.get(id).filter(|key| key.revoked.is_none())?;
        token::same(&key.hash, &hash).then(|| Grant { scope: scope(key), key: key.id.clone() })
    }

    /// All keys, API keys and publishable ones, without their secrets.
    pub async fn keys(&self) -> EngineResult<Vec<KeyView>> {
        let mut keys: Vec<KeyView> = self.0.keys.read().values().map(key_view).collect();
        keys.extend(self.0.public_keys.read().values().map(public_key_view));
        Ok(keys)
    }

    /// True when no admin or API key works: there is none in the environment, and every minted one was revoked.
    #[must_use]
    pub fn is_keyless(&self) -> bool {
        self.0.environment_key.is_none() && self.0.keys.read().values().all(|key| key.revoked.is_some())
    }

    /// Makes an API key and answers with its text, which is shown this once: only its hash is kept.
    pub async fn mint_key(&self, name: String, scope: Scope) -> EngineResult<(KeyView, String)> {
        let permit = self.admit().await?;
        let (id, text) = new_text::<32>("rk_")?;
        let key = ApiKey {
            id: id.clone(),
            name,
            admin: scope == Scope::Admin,
            hash: token::key_hash(&text),
            created: self.now(),
            revoked: None,
        };
        let (reply, answer) = Reply::new(permit);
        self.0.context.mailboxes.directory.send(DirectoryMessage::MintKey(key.clone(), reply));
        self.answered(answer).await?;
        let view = key_view(&key);
        self.0.keys.write().insert(id, key);
        Ok((view, text))
    }

    /// Revokes a key at once.
    ///
    /// # Errors
    /// When there is no such key.
    pub async fn revoke_key(&self, id: &str) -> EngineResult<KeyView> {
        let permit = self.admit().await?;
        let now = self.now();
        let secret = self.0.keys.write().get_mut(id).map(|key| {
            key.revoked.get_or_insert(now);
            key_view(key)
        });
        let held = secret.or_else(|| {
            self.0.public_keys.write().get_mut(id).map(|key| {
                key.revoked.get_or_insert(now);
                public_key_view(key)
            })
        });
        let held = held.ok_or_else(|| RequestRefusal::UnknownKey(id.to_owned()))?;
        let (reply, answer) = Reply::new(permit);
        self.0.context.mailboxes.directory.send(DirectoryMessage::RevokeKey(id.to_owned(), reply));
        self.answered(answer).await?;
        Ok(held)
    }
}

fn scope(key: &ApiKey) -> Scope {
    if key.admin { Scope::Admin } else { Scope::Ingest }
}

/// The id and the text of a new key, `<prefix><id>_<secret>`, with `SECRET` random bytes in the secret.
pub(super) fn new_text<const SECRET: usize>(prefix: &str) -> EngineResult<(String, String)> {
    let (mut id, mut secret) = ([0; 8], [0; SECRET]);
    getrandom::fill(&mut id).and_then(|()| getrandom::fill(&mut secret)).map_err(|_| EngineError::Busy)?;
    let id = token::hex(&id);
    let text = format!("{prefix}{id}_{}", token::hex(&secret));
    Ok((id, text))
}

/// An API key without its secret.
fn key_view(key: &ApiKey) -> KeyView {
    let ApiKey { id, name, created, revoked, .. } = key.clone();
    KeyView { id, name, scope: scope(key), origins: Vec::new(), created, revoked }
}

/// A publishable key without its secret.
pub(super) fn public_key_view(key: &PublicKey) -> KeyView {
    let PublicKey { id, name, origins, created, revoked, .. } = key.clone();
    KeyView { id, name, scope: Scope::Public, origins, created, revoked }
}
