//! What the door may be told: addresses, limits, webhook sources.
//!
//! Every limit has a default that bounds memory and time, so that a server with nothing set is a
//! server that cannot be held open or filled up. Secrets never print.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;

use super::feedback::ReturnsSettings;

/// The settings of [`super::Server`].
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Connections open at once; one more is answered 503 and closed.
    pub connections_max: usize,
    /// Connections (behind a trusted proxy: requests) at once from one client address. Loopback
    /// and trusted proxies are exempt. An IPv6 client is its /64.
    pub connections_per_ip: usize,
    /// From the first byte of a request head to its last (a new connection: from the accept).
    pub header_timeout: Duration,
    /// For a whole request body.
    pub body_timeout: Duration,
    /// How long a connection may rest between requests, or not take an answer.
    pub idle_timeout: Duration,
    /// After this a connection is closed behind the request it is serving.
    pub connection_max_age: Duration,
    /// How long a stop waits for open requests.
    pub stop_timeout: Duration,
    /// Peers whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// How much of a client's address is kept as evidence of consent.
    pub keep_address: KeepAddress,
    /// Webhook sources.
    pub sources: Vec<Source>,
    /// Relays that say what comes back.
    pub returns: ReturnsSettings,
    /// Bytes of batch bodies held at once; a batch beyond it is answered 503.
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

/// One sender of webhooks: how it signs, and what it calls its fields.
#[derive(Debug, Clone)]
pub struct Source {
    /// The last part of its path, `/v1/webhooks/{id}`.
    pub id: String,
    /// The header that carries the signature.
    pub header: String,
    /// How the signature is written.
    pub scheme: Scheme,
    /// Secrets that are good now: several while one is rotated, none until it is configured.
    pub secrets: Vec<Secret>,
    /// The payload's field names.
    pub fields: SourceFields,
}

/// The built-in source `inventory`, without a secret (so nothing is accepted from it yet).
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
    /// Nothing.
    None,
    /// The network: `/24`, or `/48` of IPv6.
    #[default]
    Truncated,
    /// All of it.
    Full,
}

/// How a source writes its signature over the exact raw body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// 64 hex digits of HMAC-SHA256.
    HexSha256 {
        /// Whether `sha256=` may stand before the digits.
        prefix_ok: bool,
        /// Whether upper-case digits are taken.
        upper_ok: bool,
    },
}

impl Default for Scheme {
    fn default() -> Self {
        Self::HexSha256 { prefix_ok: false, upper_ok: false }
    }
}

/// What a source calls the things a restock is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFields {
    /// The sender's id of this delivery.
    pub delivery_id: String,
    /// The kind of message; only `restock` means something here.
    pub kind: String,
    /// What came back.
    pub sku: String,
    /// Its name.
    pub product_name: String,
    /// Units on hand.
    pub quantity: String,
    /// Where the product is.
    pub product_url: String,
    /// Where its picture is.
    pub image_url: String,
    /// What it costs.
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

/// A shared secret; it does not print.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<[u8]>);

impl Secret {
    /// Keeps the bytes as they are.
    #[must_use]
    pub fn new(bytes: impl AsRef<[u8]>) -> Self {
        Self(bytes.as_ref().into())
    }

    /// True for nothing but white space: as good as unset.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.0.trim_ascii().is_empty()
    }

    /// The bytes, for the MAC only.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}
