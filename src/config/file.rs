//! The shape of the configuration file: one struct per table; unknown keys are errors.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

use super::list::{ListFile, address};
use super::provider::ProviderFile;
use super::returns::ReturnsFile;
use super::{ConfigError, duration, millis, wrong};
use crate::http::{HttpSettings, Scheme, Secret, Source};
use restockd_core::{Rate, Span};
use restockd_engine::RuleSettings;
use restockd_journal::snapshots::Backend;

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    pub(super) mode: Option<String>,
    pub(super) listen: Option<String>,
    pub(super) public_url: Option<String>,
    pub(super) data: Option<PathBuf>,
    pub(super) templates: Option<PathBuf>,
    pub(super) time_zone: Option<String>,
    pub(super) shop_name: Option<String>,
    pub(super) mail: MailFile,
    pub(super) rule: RuleFile,
    pub(super) engine: EngineFile,
    pub(super) http: HttpFile,
    pub(super) list: BTreeMap<String, ListFile>,
    pub(super) source: BTreeMap<String, SourceFile>,
    pub(super) provider: BTreeMap<String, ProviderFile>,
    pub(super) consent: ConsentFile,
    pub(super) returns: ReturnsFile,
}

/// `[mail]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct MailFile {
    pub(super) transport: Option<String>,
    pub(super) from: Option<String>,
    pub(super) rate: Option<String>,
    pub(super) connections: Option<usize>,
    pub(super) letters_per_connection: Option<u32>,
    pub(super) window: Option<usize>,
    pub(super) retry_base: Option<String>,
    pub(super) max_age: Option<String>,
    pub(super) postal_address: Option<String>,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) oauth_token_file: Option<PathBuf>,
    pub(super) redirect_to: Option<String>,
    pub(super) bounce_domain: Option<String>,
    pub(super) feedback_id: Option<String>,
    pub(super) cfbl_address: Option<String>,
    pub(super) dkim: DkimFile,
}

/// `[mail.dkim]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct DkimFile {
    pub(super) domain: Option<String>,
    pub(super) selector: Option<String>,
    pub(super) key_file: Option<PathBuf>,
    pub(super) ed25519_selector: Option<String>,
    pub(super) ed25519_key_file: Option<PathBuf>,
}

/// `[rule]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RuleFile {
    pub(super) enabled: Option<bool>,
    pub(super) template: Option<String>,
    pub(super) subject: Option<String>,
    pub(super) product_url: Option<String>,
    pub(super) image_url: Option<String>,
    pub(super) on_doubt: Option<String>,
    pub(super) rate: Option<String>,
    pub(super) max_age: Option<String>,
    pub(super) renotify_after: Option<String>,
    pub(super) after_send: Option<String>,
}

/// `[engine]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct EngineFile {
    pub(super) lists_awake: Option<usize>,
    pub(super) rest_after: Option<String>,
    pub(super) snapshot_every: Option<String>,
    pub(super) snapshot_every_mib: Option<u64>,
    pub(super) snapshots: Option<String>,
    pub(super) segment_mib: Option<u64>,
    pub(super) permits: Option<usize>,
    pub(super) keys_max: Option<usize>,
}

/// `[http]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct HttpFile {
    pub(super) trusted_proxies: Option<Vec<String>>,
    pub(super) connections_max: Option<usize>,
    pub(super) connections_per_ip: Option<usize>,
}

/// `[consent]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ConsentFile {
    pub(super) keep_address: Option<String>,
    pub(super) confirm_within: Option<String>,
}

/// `[source.<id>]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SourceFile {
    scheme: Option<String>,
    header: Option<String>,
    secret_env: Option<String>,
    accept_prefix: Option<bool>,
    accept_upper_case: Option<bool>,
    fields: BTreeMap<String, String>,
}

impl File {
    /// Whether `mode` is production.
    pub(super) fn production(&self) -> Result<bool, ConfigError> {
        match self.mode.as_deref() {
            None | Some("development") => Ok(false),
            Some("production") => Ok(true),
            Some(other) => Err(wrong("mode", format!("{other:?} is neither development nor production"))),
        }
    }
}

impl EngineFile {
    /// How long a list may be idle before it is passivated.
    pub(super) fn rest_after_ms(&self) -> Result<u64, ConfigError> {
        Ok(milliseconds("engine.rest_after", self.rest_after.as_deref())?.unwrap_or(30_000))
    }

    /// The time between two snapshots.
    pub(super) fn snapshot_every_ms(&self) -> Result<u64, ConfigError> {
        let every = milliseconds("engine.snapshot_every", self.snapshot_every.as_deref())?;
        Ok(every.map_or(300_000, |every| every.max(1000)))
    }

    /// The format of new snapshots.
    pub(super) fn backend(&self) -> Result<Backend, ConfigError> {
        match self.snapshots.as_deref() {
            None | Some("sled") => Ok(Backend::Sled),
            Some("flat") => Ok(Backend::Flat),
            Some(other) => Err(wrong("engine.snapshots", format!("{other:?} is neither sled nor flat"))),
        }
    }
}

impl HttpFile {
    /// The settings of this table; sources, consent and returns have tables of their own.
    pub(super) fn settings(self, listen: SocketAddr) -> Result<HttpSettings, ConfigError> {
        let mut http = HttpSettings { listen, ..HttpSettings::default() };
        if let Some(trusted) = self.trusted_proxies {
            let read = |text: &String| {
                crate::http::network(text).ok_or_else(|| {
                    wrong("http.trusted_proxies", format!("{text:?} is no address or network"))
                })
            };
            http.trusted_proxies = trusted.iter().map(read).collect::<Result<_, _>>()?;
        }
        http.connections_max = self.connections_max.unwrap_or(http.connections_max).max(1);
        http.connections_per_ip = self.connections_per_ip.unwrap_or(http.connections_per_ip).max(1);
        Ok(http)
    }
}

/// A span in milliseconds, if there is one.
fn milliseconds(key: &str, text: Option<&str>) -> Result<Option<u64>, ConfigError> {
    text.map(|text| duration(key, text).map(millis)).transpose()
}

impl RuleFile {
    /// How long after a campaign somebody may be mailed about the same list again.
    pub(super) fn renotify_after_ms(&self) -> Result<u64, ConfigError> {
        let after = milliseconds("rule.renotify_after", self.renotify_after.as_deref())?;
        Ok(after.unwrap_or(12 * 3_600_000))
    }

    /// Whether somebody who was mailed leaves the list.
    pub(super) fn leave_after_send(&self) -> Result<bool, ConfigError> {
        match self.after_send.as_deref() {
            None | Some("stay") => Ok(false),
            Some("leave") => Ok(true),
            Some(other) => Err(wrong("rule.after_send", format!("{other:?} is neither stay nor leave"))),
        }
    }

    /// The rule's settings.
    pub(super) fn settings(&self) -> Result<RuleSettings, ConfigError> {
        let mut rule = RuleSettings::default();
        rule.enabled = self.enabled.unwrap_or(rule.enabled);
        rule.template = self.template.clone().unwrap_or(rule.template);
        rule.subject = self.subject.clone().unwrap_or(rule.subject);
        rule.product_url = address("rule.product_url", self.product_url.as_deref())?;
        rule.image_url = address("rule.image_url", self.image_url.as_deref())?;
        rule.resend_doubt = match self.on_doubt.as_deref() {
            None | Some("hold") => false,
            Some("resend") => true,
            Some(other) => {
                return Err(wrong("rule.on_doubt", format!("{other:?} is neither hold nor resend")));
            }
        };
        if let Some(text) = &self.rate {
            rule.rate = Rate::parse(text).ok_or_else(|| {
                wrong("rule.rate", format!("{text:?} is not like 100/s, 6000/m or unlimited"))
            })?;
        }
        if let Some(text) = &self.max_age {
            let age = Span::age(text).ok_or_else(|| {
                wrong("rule.max_age", format!("{text:?} is not a span such as 30m, 4h or 2d"))
            })?;
            rule.max_age = Some(age);
        }
        Ok(rule)
    }
}

impl SourceFile {
    /// The source. Its secrets come from the environment: several, separated by spaces or commas, during a rotation.
    pub(super) fn source(
        self,
        id: &str,
        env: &impl Fn(&str) -> Option<String>,
    ) -> Result<Source, ConfigError> {
        let key = |field: &str| format!("source.{id}.{field}");
        let plain = !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if !plain {
            return Err(wrong(key(""), "a source's id is made of letters, digits, - and _"));
        }
        match self.scheme.as_deref() {
            None | Some("hmac-sha256-hex") => {}
            Some(other) => return Err(wrong(key("scheme"), format!("{other:?} is not hmac-sha256-hex"))),
        }
        let variable = self
            .secret_env
            .unwrap_or_else(|| format!("{}_WEBHOOK_SECRET", id.to_uppercase().replace('-', "_")));
        let secrets = env(&variable).unwrap_or_default();
        let secrets = secrets.split([' ', ',']).filter(|secret| !secret.is_empty());
        let secrets = secrets.map(Secret::new).collect();
        let mut source = Source { id: id.to_owned(), secrets, ..Source::default() };
        source.header = self.header.unwrap_or(source.header).to_ascii_lowercase();
        source.scheme = Scheme::HexSha256 {
            prefix_ok: self.accept_prefix.unwrap_or(false),
            upper_ok: self.accept_upper_case.unwrap_or(false),
        };
        for (field, name) in self.fields {
            let slot = match field.as_str() {
                "delivery_id" => &mut source.fields.delivery_id,
                "type" => &mut source.fields.kind,
                "sku" => &mut source.fields.sku,
                "product_name" => &mut source.fields.product_name,
                "quantity" => &mut source.fields.quantity,
                "product_url" => &mut source.fields.product_url,
                "image_url" => &mut source.fields.image_url,
                "price" => &mut source.fields.price,
                other => return Err(wrong(key("fields"), format!("{other:?} is not a field of a restock"))),
            };
            *slot = name;
        }
        Ok(source)
    }
}
