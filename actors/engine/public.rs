//! The Engine's calls for publishable keys: `rk_pub_<id>_<secret>`, readable by everybody who looks at a page.
//!
//! Such a key can ask for a list, subject to confirmation by mail, and can do nothing else. The answer is the same for
//! everybody: known or unknown, member or not, suppressed or not.

use super::keys::{new_text, public_key_view};
use super::*;
use crate::token;
use restockd_core::Email;
use restockd_core::directory::{ConsentEvidence, PublicKey};

/// The prefix of publishable keys.
const PREFIX: &str = "rk_pub_";

impl Engine {
    /// The id of a publishable key, if the key is good and may be used from this origin.
    #[must_use]
    pub fn public_key(&self, text: &str, origin: &str) -> Option<String> {
        let (id, _) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let keys = self.0.public_keys.read();
        let key = keys.get(id).filter(|key| key.revoked.is_none())?;
        let good = token::same(&key.hash, &token::key_hash(text));
        (good && key.origins.iter().any(|known| known == origin)).then(|| key.id.clone())
    }

    /// Whether any publishable key may be used from this origin.
    #[must_use]
    pub fn public_origin(&self, origin: &str) -> bool {
        let keys = self.0.public_keys.read();
        keys.values().any(|key| key.revoked.is_none() && key.origins.iter().any(|known| known == origin))
    }

    /// Makes a publishable key.
    pub async fn mint_public_key(
        &self,
        name: String,
        origins: Vec<String>,
    ) -> EngineResult<(KeyView, String)> {
        let permit = self.admit().await?;
        let (id, text) = new_text::<16>(PREFIX)?;
        let key = PublicKey {
            id: id.clone(),
            name,
            hash: token::key_hash(&text),
            origins,
            created: self.now(),
            revoked: None,
        };
        let (reply, answer) = Reply::new(permit);
        self.0.context.mailboxes.directory.send(DirectoryMessage::MintPublicKey(key.clone(), reply));
        self.answered(answer).await?;
        let view = public_key_view(&key);
        self.0.public_keys.write().insert(id, key);
        Ok((view, text))
    }

    /// Asks for a list on behalf of an address that nothing vouches for; what happened is not told.
    ///
    /// # Errors
    /// When the list is unknown.
    pub async fn public_join(&self, email: Email, list: &str, evidence: ConsentEvidence) -> EngineResult<()> {
        let list = self.find_list(list)?;
        // The list's name goes into a mail to an address that a stranger chose: it must not be a text that the
        // stranger chose as well.
        let summary = self.summaries(vec![list.clone()]).await?.pop().flatten();
        let declared = self.0.context.catalog.declared(&list).is_some();
        if summary.is_none() && !declared && !list.sku().is_some_and(bare) {
            return Err(RequestRefusal::UnknownList(list.as_str().to_owned()).into());
        }
        let product = summary.and_then(|summary| summary.product);
        let who = Identity { email: Some(email), ..Identity::default() };
        let item = Ingest {
            name: String::new(),
            who: self.hashed(who),
            props: Vec::new(),
            bag: vec![(list.as_str().to_owned(), true)],
            key: None,
            source: ChangeSource::Api,
            timestamp: None,
            product: product.map(|name| (list, name)),
            restock: None,
            evidence: Some(Box::new(evidence)),
            public: true,
        };
        self.take_in(vec![item]).await?.pop().flatten().map(drop).ok_or(EngineError::Busy)
    }
}

/// True for a SKU that no mail program takes for a sentence or a link.
fn bare(sku: &str) -> bool {
    sku.len() <= 64 && sku.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}
