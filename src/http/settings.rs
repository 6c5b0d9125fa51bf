//! Settings of the HTTP layer: addresses, limits, webhook sources.
//!
//! Every limit has a default that bounds memory and time, so that a server without settings cannot be held open or filled
//! up. Secrets are never printed.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;

use super::feedback::ReturnsSettings;

/// The settings of [`super::Server`].
#[derive(Debug, Clone)]
pub struct HttpSettings {
    pub listen: SocketAddr,
    /// Connections open at once; a further one is answered 503 and closed.
    pub connections_max: usize,
    /// Connections (behind a trusted proxy: requests) open at once from one client. Loopback and trusted proxies are exempt.
    /// An IPv6 client is its /64 network.
    pub connections_per_ip: usize,
    /// From the first byte of a request head to its last; on a new connection, from the accept.
    pub header_timeout: Duration,
    /// Time for a whole request body.
    pub body_timeout: Duration,
    /// How long a connection may be idle between requests, or a client may not read its answer.
    pub idle_timeout: Duration,
    /// A connection older than this is closed behind the request it is serving.
    pub connection_max_age: Duration,
    /// How long a stop waits for open requests.
    pub stop_timeout: Duration,
    /// Peers whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// How much of a client's address is kept as evidence of consent.
    pub keep_address: KeepAddress,
    pub sources: Vec<Source>,
    /// Relays whose feedback is taken in.
    pub returns: ReturnsSettings,
    /// Bytes of batch bodies held at once; a batch beyond that is answered 503.
    pub batch_bytes_max: usize,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            connections_max: 1024,
            connections_per_ip: 256,
            header_timeout: Duration::from_secs(5),
            body_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(30),
            connection_max_age: Duration::from_secs(600),
            stop_timeout: Duration::from_secs(25),
            trusted_proxies: Vec::new(),
            keep_address: KeepAddress::default(),
            sources: vec![Source::default()],
            returns: ReturnsSettings::default(),
            batch_bytes_max: 64 << 20,
        }
    }
}

/// A sender of webhooks: how it signs, and what it calls its fields.
#[derive(Debug, Clone)]
pub struct Source {
    /// The last segment of its path, `/v1/webhooks/{id}`.
    pub id: String,
    /// The name of the header with the signature.
    pub header: String,
    pub scheme: Scheme,
    /// Secrets that are valid now: several during a rotation; none means that every delivery is refused.
    pub secrets: Vec<Secret>,
    pub fields: SourceFields,
}

/// The built-in source `inventory`, without a secret.
impl Default for Source {
    fn default() -> Self {
        Self {
            id: "inventory".to_owned(),
            header: "x-signature".to_owned(),
            scheme: Scheme::default(),
            secrets: Vec::new(),
            fields: SourceFields::default(),
        }
    }
}

/// How much of a client's address is kept as evidence of consent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum KeepAddress {
    None,
    /// The network: `/24` of IPv4, `/48` of IPv6.
    #[default]
    Truncated,
    /// The whole address.
    Full,
}

/// The form of a signature over the exact raw body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// 64 hexadecimal digits of HMAC-SHA256.
    HexSha256 {
        /// Whether `sha256=` may precede the digits.
        prefix_ok: bool,
        /// Whether upper-case digits are accepted.
        upper_ok: bool,
    },
}

impl Default for Scheme {
    fn default() -> Self {
        Self::HexSha256 { prefix_ok: false, upper_ok: false }
    }
}

/// The names that a source gives the fields of a restock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFields {
    /// The sender's id of the delivery.
    pub delivery_id: String,
    /// The type of the message; only `restock` has a meaning.
    pub kind: String,
    pub sku: String,
    pub product_name: String,
    /// Units on hand.
    pub quantity: String,
    pub product_url: String,
    pub image_url: String,
    pub price: String,
}

impl Default for SourceFields {
    fn default() -> Self {
        Self {
            delivery_id: "delivery_id".to_owned(),
            kind: "type".to_owned(),
            sku: "sku".to_owned(),
            product_name: "product_name".to_owned(),
            quantity: "quantity".to_owned(),
            product_url: "product_url".to_owned(),
            image_url: "image_url".to_owned(),
            price: "price".to_owned(),
        }
    }
}

/// A shared secret; `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<[u8]>);

impl Secret {
    #[must_use]
    pub fn new(bytes: impl AsRef<[u8]>) -> Self {
        Self(bytes.as_ref().into())
    }

    /// True when it is only white space, which counts as unset.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.0.trim_ascii().is_empty()
    }

    /// The bytes, for computing a MAC.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}
