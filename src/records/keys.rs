//! API keys in records and pages: never the secret, only its hash.

use restockd_core::Millis;
use restockd_core::directory::{ApiKey, PublicKey};
use serde::{Deserialize, Serialize};

use crate::shared::Few;

#[derive(Serialize, Deserialize)]
pub(crate) struct ApiKeyV2<'a> {
    id: &'a str,
    name: &'a str,
    admin: bool,
    hash: [u8; 32],
    created: u64,
    revoked: Option<u64>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct PublicKeyV2<'a> {
    id: &'a str,
    name: &'a str,
    hash: [u8; 32],
    #[serde(borrow)]
    origins: Few<&'a str>,
    created: u64,
    revoked: Option<u64>,
}

impl<'a> From<&'a ApiKey> for ApiKeyV2<'a> {
    fn from(key: &'a ApiKey) -> Self {
        let ApiKey { id, name, admin, hash, created, revoked } = key;
        let revoked = revoked.map(|at| at.0);
        Self { id, name, admin: *admin, hash: *hash, created: created.0, revoked }
    }
}

impl From<ApiKeyV2<'_>> for ApiKey {
    fn from(body: ApiKeyV2<'_>) -> Self {
        let ApiKeyV2 { id, name, admin, hash, created, revoked } = body;
        let (id, name, revoked) = (id.to_owned(), name.to_owned(), revoked.map(Millis));
        Self { id, name, admin, hash, created: Millis(created), revoked }
    }
}

impl<'a> From<&'a PublicKey> for PublicKeyV2<'a> {
    fn from(key: &'a PublicKey) -> Self {
        let PublicKey { id, name, hash, origins, created, revoked } = key;
        let origins = origins.iter().map(String::as_str).collect();
        Self { id, name, hash: *hash, origins, created: created.0, revoked: revoked.map(|at| at.0) }
    }
}

impl From<PublicKeyV2<'_>> for PublicKey {
    fn from(body: PublicKeyV2<'_>) -> Self {
        let PublicKeyV2 { id, name, hash, origins, created, revoked } = body;
        let (id, name, revoked) = (id.to_owned(), name.to_owned(), revoked.map(Millis));
        let origins = origins.into_iter().map(str::to_owned).collect();
        Self { id, name, hash, origins, created: Millis(created), revoked }
    }
}
