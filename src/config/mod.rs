//! Settings: the file, the environment over it, flags over both. Unknown keys stop the start.
//!
//! Every setting has a default that works on a laptop: no configuration at all is a running engine
//! on 127.0.0.1:8080 that writes mails into `./outbox`. `mode = "production"` asks for what the
//! law and receivers ask for: an https public URL, a postal address, a real mail server.

mod consent;
mod file;
mod letters;
mod list;
mod provider;
mod returns;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::http::{HttpSettings, Source};
use restockd_core::keys::KEYS_MAX;
use restockd_core::{Catalog, Millis, Rate, Retry, Span};
use restockd_engine::Settings;
use restockd_journal::snapshots::Backend;
use restockd_mail::{Address, MailOptions};

use file::File;

/// Why the settings do not do; each text says what to change.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration {path} cannot be read: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not what it should be (an unknown key, say).
    #[error("the configuration {path} is wrong: {reason}")]
    Parse {
        /// Which file.
        path: PathBuf,
        /// Where and what.
        reason: String,
    },
    /// A value does not do.
    #[error("{key}: {reason}")]
    Value {
        /// The setting.
        key: String,
        /// What is wrong and what to do.
        reason: String,
    },
}

/// Shorthand for a value that does not do.
fn wrong(key: impl Into<String>, reason: impl Into<String>) -> ConfigError {
    ConfigError::Value { key: key.into(), reason: reason.into() }
}

/// Flags of the command line that override everything.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--data`.
    pub data: Option<PathBuf>,
    /// `--listen`.
    pub listen: Option<String>,
    /// `--accept-clock`.
    pub accept_clock: bool,
}

/// All settings, checked.
#[derive(Debug)]
pub struct Config {
    /// The data directory.
    pub data: PathBuf,
    /// Where overriding templates lie.
    pub templates: Option<PathBuf>,
    /// The mailer's setting (`folder:./outbox`); holds a password perhaps, so it is never printed.
    pub mail: Hidden,
    /// How mail is sent.
    pub mail_options: MailOptions,
    /// An admin key.
    pub api_key: Option<Hidden>,
    /// The actors' settings.
    pub engine: Settings,
    /// Declared lists.
    pub catalog: Catalog,
    /// The door's settings.
    pub http: HttpSettings,
    /// Length of a log segment.
    pub segment_bytes: u64,
    /// What snapshots are written with.
    pub backend: Backend,
    /// Accept records that lie in the future.
    pub accept_clock: bool,
    /// Things worth a line at start.
    pub warnings: Vec<String>,
}

/// A text that is never printed.
#[derive(Clone)]
pub struct Hidden(pub String);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// The default address.
const LISTEN: &str = "127.0.0.1:8080";

impl Config {
    /// Reads file (if any), environment and flags.
    ///
    /// # Errors
    /// When a key is unknown or a value does not do; the text says which and why.
    pub fn load(
        path: Option<&Path>,
        env: impl Fn(&str) -> Option<String>,
        flags: &Flags,
    ) -> Result<Self, ConfigError> {
        let file = match path {
            None => File::default(),
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
                toml::from_str(&text).map_err(|error| ConfigError::Parse {
                    path: path.to_owned(),
                    reason: error.to_string().trim().to_owned(),
                })?
            }
        };
        let env = move |key: &str| env(key).map(|value| value.trim().to_owned()).filter(|v| !v.is_empty());
        Self::build(file, env, flags)
    }

    /// Checks and composes.
    fn build(file: File, env: impl Fn(&str) -> Option<String>, flags: &Flags) -> Result<Self, ConfigError> {
        let mut warnings = Vec::new();
        let production = match file.mode.as_deref() {
            None | Some("development") => false,
            Some("production") => true,
            Some(other) => {
                return Err(wrong("mode", format!("{other:?} is neither development nor production")));
            }
        };
        let listen = flags.listen.clone().or_else(|| env("RESTOCKD_LISTEN")).or(file.listen);
        let listen = listen.unwrap_or_else(|| LISTEN.to_owned());
        let listen: SocketAddr = listen
            .parse()
            .map_err(|_| wrong("listen", format!("{listen:?} is not an address such as 127.0.0.1:8080")))?;
        let public_url = env("RESTOCKD_PUBLIC_URL").or(file.public_url);
        let public_url = public_url.unwrap_or_else(|| format!("http://{listen}"));
        let public_url = public_url.trim_end_matches('/').to_owned();
        if !public_url.starts_with("https://") && !public_url.starts_with("http://") {
            return Err(wrong("public_url", "it must begin with https:// (http:// in development)"));
        }
        let mail_setting = env("RESTOCKD_MAIL")
            .or(file.mail.transport.clone())
            .unwrap_or_else(|| "folder:./outbox".to_owned());
        let smtp = mail_setting.starts_with("smtp");
        let postal_address = file.mail.postal_address.clone().unwrap_or_default();
        if production {
            if !public_url.starts_with("https://") {
                return Err(wrong(
                    "public_url",
                    "production needs an https:// URL, or unsubscribe links do not work",
                ));
            }
            if postal_address.trim().is_empty() {
                return Err(wrong(
                    "mail.postal_address",
                    "production needs one; the law wants it in every footer",
                ));
            }
            if !smtp {
                return Err(wrong("mail.transport", "production needs smtp:// or smtps://"));
            }
        } else if smtp && (postal_address.trim().is_empty() || !public_url.starts_with("https://")) {
            warnings.push(
                "mail goes out by SMTP without a postal address or an https public URL; set both, and \
                 mode = \"production\" to have them required"
                    .to_owned(),
            );
        }
        let from = env("RESTOCKD_MAIL_FROM").or(file.mail.from.clone());
        if production && from.is_none() {
            return Err(wrong("mail.from", "production needs one, such as \"Shop <news@shop.example>\""));
        }
        let from = from.unwrap_or_else(|| "Restock <restock@localhost.localdomain>".to_owned());
        let from: Address =
            from.parse().map_err(|_| wrong("mail.from", "it must look like \"Shop <news@shop.example>\""))?;
        let letters = letters::read(&file.mail, &env, production, &from)?;
        warnings.extend(letters.warnings);
        let rate = env("RESTOCKD_MAIL_RATE").or(file.mail.rate);
        let rate = match rate {
            Some(text) => Rate::parse(&text).ok_or_else(|| {
                wrong("mail.rate", format!("{text:?} is not like 100/s, 6000/m or unlimited"))
            })?,
            None if smtp => Rate::parse("100/s").flatten(),
            None => None,
        };
        let connections = match env("RESTOCKD_MAIL_CONNECTIONS") {
            Some(text) => Some(text.parse().ok().filter(|n| (1..=1000).contains(n)).ok_or_else(|| {
                wrong("RESTOCKD_MAIL_CONNECTIONS", format!("{text:?} is not a number from 1 to 1000"))
            })?),
            None => file.mail.connections,
        };
        let mut retry = Retry::default();
        if let Some(text) = env("RESTOCKD_RETRY_BASE").or(file.mail.retry_base) {
            retry.base_ms = millis(duration("mail.retry_base", &text)?).max(1);
        }
        if let Some(text) = file.mail.max_age {
            retry.max_age_ms = millis(duration("mail.max_age", &text)?);
        }
        let zone_name = file.time_zone.unwrap_or_else(|| "UTC".to_owned());
        if jiff::tz::TimeZone::get(&zone_name).is_err() {
            return Err(wrong("time_zone", format!("{zone_name:?} is not a zone such as Europe/Berlin")));
        }
        let engine = Settings {
            rule: file.rule.settings()?,
            zone: offset,
            zone_name,
            rate,
            shaping: provider::plan(file.provider)?,
            retry,
            renotify_after_ms: match file.rule.renotify_after {
                Some(text) => millis(duration("rule.renotify_after", &text)?),
                None => 12 * 3_600_000,
            },
            soft_bounces: file.returns.soft_bounces()?,
            soft_window_ms: file.returns.soft_window_ms()?,
            leave_after_send: match file.rule.after_send.as_deref() {
                None | Some("stay") => false,
                Some("leave") => true,
                Some(other) => {
                    return Err(wrong("rule.after_send", format!("{other:?} is neither stay nor leave")));
                }
            },
            window: file.mail.window.unwrap_or(if smtp { 64 } else { 256 }).clamp(1, 4096),
            lists_awake: file.engine.lists_awake.unwrap_or(20_000).max(1),
            rest_after_ms: match file.engine.rest_after {
                Some(text) => millis(duration("engine.rest_after", &text)?),
                None => 30_000,
            },
            snapshot_every_ms: match file.engine.snapshot_every {
                Some(text) => millis(duration("engine.snapshot_every", &text)?).max(1000),
                None => 300_000,
            },
            snapshot_every_bytes: file.engine.snapshot_every_mib.unwrap_or(256).max(1) << 20,
            permits: file.engine.permits.unwrap_or(8192).clamp(1, 1 << 20),
            deadline_ms: 10_000,
            stop_wait_ms: 25_000,
            keys_max: file.engine.keys_max.unwrap_or(KEYS_MAX).max(1000),
            public_url,
            from,
            shop_name: file.shop_name.unwrap_or_else(|| "the shop".to_owned()),
            postal_address,
            envelope: letters.envelope,
        };
        let mut http = HttpSettings { listen, ..HttpSettings::default() };
        if let Some(trusted) = file.http.trusted_proxies {
            http.trusted_proxies = trusted
                .iter()
                .map(|text| {
                    crate::http::network(text).ok_or_else(|| {
                        wrong("http.trusted_proxies", format!("{text:?} is no address or network"))
                    })
                })
                .collect::<Result<_, _>>()?;
        }
        http.connections_max = file.http.connections_max.unwrap_or(http.connections_max).max(1);
        http.connections_per_ip = file.http.connections_per_ip.unwrap_or(http.connections_per_ip).max(1);
        http.sources = sources(file.source, &env)?;
        http.keep_address = consent::keep_address(file.consent.keep_address.as_deref())?;
        http.returns = file.returns.settings(&env)?;
        let catalog = list::catalog(file.list, file.consent.confirm_within.as_deref())?;
        let segment_mib = file.engine.segment_mib.unwrap_or(64).clamp(1, 1024);
        let backend = match file.engine.snapshots.as_deref() {
            None | Some("sled") => Backend::Sled,
            Some("flat") => Backend::Flat,
            Some(other) => {
                return Err(wrong("engine.snapshots", format!("{other:?} is neither sled nor flat")));
            }
        };
        let mut mail_options = MailOptions {
            connections,
            ca_file: file.mail.ca_file,
            dkim: letters.dkim,
            redirect_to: letters.redirect_to,
            oauth: letters.oauth,
            ..MailOptions::default()
        };
        if let Some(letters) = file.mail.letters_per_connection {
            mail_options.letters_per_connection = letters;
        }
        Ok(Self {
            data: flags
                .data
                .clone()
                .or_else(|| env("RESTOCKD_DATA").map(PathBuf::from))
                .or(file.data)
                .unwrap_or_else(|| PathBuf::from("./data")),
            templates: file.templates,
            mail: Hidden(mail_setting),
            mail_options,
            api_key: env("RESTOCKD_API_KEY").map(Hidden),
            engine,
            catalog,
            http,
            segment_bytes: segment_mib << 20,
            backend,
            accept_clock: flags.accept_clock,
            warnings,
        })
    }
}

/// Webhook sources: the built-in `inventory` and whatever the file adds or changes.
fn sources(
    file: std::collections::BTreeMap<String, file::SourceFile>,
    env: &impl Fn(&str) -> Option<String>,
) -> Result<Vec<Source>, ConfigError> {
    let mut sources = Vec::new();
    let mut file = file;
    file.entry("inventory".to_owned()).or_default();
    for (id, settings) in file {
        sources.push(settings.source(&id, env)?);
    }
    Ok(sources)
}

/// Seconds east of UTC of a zone at an instant.
fn offset(at: Millis, zone: &str) -> i32 {
    let found = jiff::tz::TimeZone::get(zone).ok();
    let instant = i64::try_from(at.0).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    match (found, instant) {
        (Some(zone), Some(instant)) => zone.to_offset(instant).seconds(),
        _ => 0,
    }
}

/// Reads `250ms`, `60s`, `5m`, `12h`, `2d`, `0`.
pub fn duration(key: &str, text: &str) -> Result<Duration, ConfigError> {
    let bad = || wrong(key, format!("{text:?} is not a span such as 250ms, 60s, 5m, 12h or 2d"));
    Span::parse(text).map(|span| Duration::from_millis(span.0)).ok_or_else(bad)
}

/// A span in milliseconds.
fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
