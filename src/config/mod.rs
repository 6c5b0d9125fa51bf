//! Settings: flags override the environment, which overrides the file. An unknown key stops the start.
//!
//! Every setting has a default that works on a laptop: without any configuration the engine runs on 127.0.0.1:8080 and
//! writes mails into `./outbox`. `mode = "production"` requires what the law and mail receivers require: an https public
//! URL, a postal address, a real mail server.

mod consent;
mod file;
mod letters;
mod list;
mod mail;
mod provider;
mod returns;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::http::{HttpSettings, Source};
use restockd_core::keys::KEYS_MAX;
use restockd_core::{Catalog, Millis, Span};
use restockd_engine::Settings;
use restockd_journal::snapshots::Backend;
use restockd_mail::MailOptions;

use file::File;

/// Why the settings cannot be used; each text says what to change.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration {path} cannot be read: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    /// The file is not valid, for example because of an unknown key.
    #[error("the configuration {path} is wrong: {reason}")]
    Parse {
        path: PathBuf,
        /// The place in the file, and what is wrong.
        reason: String,
    },
    #[error("{key}: {reason}")]
    Value {
        /// The name of the setting.
        key: String,
        /// What is wrong and what to do.
        reason: String,
    },
}

/// A [`ConfigError::Value`].
fn wrong(key: impl Into<String>, reason: impl Into<String>) -> ConfigError {
    ConfigError::Value { key: key.into(), reason: reason.into() }
}

/// Flags of the command line; they override everything.
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
    pub data: PathBuf,
    /// The folder of templates that override the built-in ones.
    pub templates: Option<PathBuf>,
    /// The transport's setting, such as `folder:./outbox`; it may hold a password, so it is never printed.
    pub mail: Hidden,
    pub mail_options: MailOptions,
    /// An admin key from the environment.
    pub api_key: Option<Hidden>,
    /// The settings of the actors.
    pub engine: Settings,
    /// The declared lists and their presentations.
    pub catalog: Catalog,
    pub http: HttpSettings,
    /// The length of a log segment, in bytes.
    pub segment_bytes: u64,
    /// The format of new snapshots.
    pub backend: Backend,
    /// Accept records whose time lies in the future.
    pub accept_clock: bool,
    /// Sentences to be logged at start.
    pub warnings: Vec<String>,
}

/// A secret text: `Debug` does not show it.
#[derive(Clone)]
pub struct Hidden(pub String);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// The address to listen on by default.
const LISTEN: &str = "127.0.0.1:8080";

impl Config {
    /// Reads the file (if any), the environment and the flags.
    ///
    /// # Errors
    /// When a key is unknown or a value cannot be used; the text says which and why.
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

    /// Checks the sections in the order of the file and puts the settings together.
    fn build(file: File, env: impl Fn(&str) -> Option<String>, flags: &Flags) -> Result<Self, ConfigError> {
        let production = file.production()?;
        let File { listen, public_url, data, templates, time_zone, shop_name, .. } = file;
        let File { mail, rule, engine, http, list, source, provider, consent, returns, .. } = file;
        let listen = listen_address(flags.listen.clone().or_else(|| env("RESTOCKD_LISTEN")).or(listen))?;
        let public_url = public_address(env("RESTOCKD_PUBLIC_URL").or(public_url), listen)?;
        let mail = mail::read(mail, &env, production, &public_url)?;
        let zone_name = zone(time_zone)?;
        let settings = Settings {
            rule: rule.settings()?,
            zone: offset,
            zone_name,
            rate: mail.rate,
            shaping: provider::plan(provider)?,
            retry: mail.retry,
            renotify_after_ms: rule.renotify_after_ms()?,
            soft_bounces: returns.soft_bounces()?,
            soft_window_ms: returns.soft_window_ms()?,
            leave_after_send: rule.leave_after_send()?,
            window: mail.window,
            lists_awake: engine.lists_awake.unwrap_or(20_000).max(1),
            rest_after_ms: engine.rest_after_ms()?,
            snapshot_every_ms: engine.snapshot_every_ms()?,
            snapshot_every_bytes: engine.snapshot_every_mib.unwrap_or(256).max(1) << 20,
            permits: engine.permits.unwrap_or(8192).clamp(1, 1 << 20),
            deadline_ms: 10_000,
            stop_wait_ms: 25_000,
            keys_max: engine.keys_max.unwrap_or(KEYS_MAX).max(1000),
            public_url,
            from: mail.from,
            shop_name: shop_name.unwrap_or_else(|| "the shop".to_owned()),
            postal_address: mail.postal_address,
            envelope: mail.envelope,
        };
        let mut http = http.settings(listen)?;
        http.sources = sources(source, &env)?;
        http.keep_address = consent::keep_address(consent.keep_address.as_deref())?;
        http.returns = returns.settings(&env)?;
        let catalog = list::catalog(list, consent.confirm_within.as_deref())?;
        let backend = engine.backend()?;
        let data = flags.data.clone().or_else(|| env("RESTOCKD_DATA").map(PathBuf::from)).or(data);
        Ok(Self {
            data: data.unwrap_or_else(|| PathBuf::from("./data")),
            templates,
            mail: Hidden(mail.transport),
            mail_options: mail.options,
            api_key: env("RESTOCKD_API_KEY").map(Hidden),
            engine: settings,
            catalog,
            http,
            segment_bytes: engine.segment_mib.unwrap_or(64).clamp(1, 1024) << 20,
            backend,
            accept_clock: flags.accept_clock,
            warnings: mail.warnings,
        })
    }
}

/// The address to listen on.
fn listen_address(text: Option<String>) -> Result<SocketAddr, ConfigError> {
    let text = text.unwrap_or_else(|| LISTEN.to_owned());
    text.parse().map_err(|_| wrong("listen", format!("{text:?} is not an address such as 127.0.0.1:8080")))
}

/// The address by which shoppers reach the engine, without a slash at its end; by default the one it listens on.
fn public_address(text: Option<String>, listen: SocketAddr) -> Result<String, ConfigError> {
    let text = text.unwrap_or_else(|| format!("http://{listen}"));
    let url = text.trim_end_matches('/').to_owned();
    if !url.starts_with("https://") && !url.starts_with("http://") {
        return Err(wrong("public_url", "it must begin with https:// (http:// in development)"));
    }
    Ok(url)
}

/// The name of a time zone that exists.
fn zone(name: Option<String>) -> Result<String, ConfigError> {
    let name = name.unwrap_or_else(|| "UTC".to_owned());
    match jiff::tz::TimeZone::get(&name) {
        Ok(_) => Ok(name),
        Err(_) => Err(wrong("time_zone", format!("{name:?} is not a zone such as Europe/Berlin"))),
    }
}

/// The webhook sources: the built-in `inventory`, and those that the file adds or changes.
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

/// The offset of a zone from UTC at an instant, in seconds; positive to the east.
fn offset(at: Millis, zone: &str) -> i32 {
    let found = jiff::tz::TimeZone::get(zone).ok();
    let instant = i64::try_from(at.0).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    match (found, instant) {
        (Some(zone), Some(instant)) => zone.to_offset(instant).seconds(),
        _ => 0,
    }
}

/// Reads a span such as `250ms`, `60s`, `5m`, `12h`, `2d` or `0`; `key` names the setting in the error.
pub fn duration(key: &str, text: &str) -> Result<Duration, ConfigError> {
    let bad = || wrong(key, format!("{text:?} is not a span such as 250ms, 60s, 5m, 12h or 2d"));
    Span::parse(text).map(|span| Duration::from_millis(span.0)).ok_or_else(bad)
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
