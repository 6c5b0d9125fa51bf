//! `[mail]`: the transport and how fast it sends, the sender, and what production asks for.
//!
//! What signs a letter and makes it answerable is in `letters`.

use super::file::MailFile;
use super::{ConfigError, duration, letters, millis, wrong};
use restockd_core::{Rate, Retry};
use restockd_engine::Envelope;
use restockd_mail::{Address, MailOptions};

/// The section, checked.
pub(super) struct Mail {
    /// The transport's setting, such as `folder:./outbox`; it may hold a password.
    pub(super) transport: String,
    pub(super) options: MailOptions,
    pub(super) from: Address,
    /// Empty when none is set.
    pub(super) postal_address: String,
    /// `None`: as fast as the transport takes letters.
    pub(super) rate: Option<Rate>,
    pub(super) retry: Retry,
    /// Letters under way at once.
    pub(super) window: usize,
    pub(super) envelope: Envelope,
    pub(super) warnings: Vec<String>,
}

/// Reads the section; the environment overrides the file.
pub(super) fn read(
    file: MailFile,
    env: &impl Fn(&str) -> Option<String>,
    production: bool,
    public_url: &str,
) -> Result<Mail, ConfigError> {
    let transport = env("RESTOCKD_MAIL").or(file.transport.clone());
    let transport = transport.unwrap_or_else(|| "folder:./outbox".to_owned());
    let smtp = transport.starts_with("smtp");
    let postal_address = file.postal_address.clone().unwrap_or_default();
    let mut warnings = Vec::new();
    if production {
        check_production(smtp, &postal_address, public_url)?;
    } else if smtp && (postal_address.trim().is_empty() || !public_url.starts_with("https://")) {
        warnings.push(
            "mail goes out by SMTP without a postal address or an https public URL; set both, and \
             mode = \"production\" to have them required"
                .to_owned(),
        );
    }
    let from = sender(env("RESTOCKD_MAIL_FROM").or(file.from.clone()), production)?;
    let letters = letters::read(&file, env, production, &from)?;
    warnings.extend(letters.warnings);
    let rate = rate(env("RESTOCKD_MAIL_RATE").or(file.rate), smtp)?;
    let connections = connections(env("RESTOCKD_MAIL_CONNECTIONS"), file.connections)?;
    let retry = retry(env("RESTOCKD_RETRY_BASE").or(file.retry_base), file.max_age)?;
    let mut options = MailOptions {
        connections,
        ca_file: file.ca_file,
        dkim: letters.dkim,
        redirect_to: letters.redirect_to,
        oauth: letters.oauth,
        ..MailOptions::default()
    };
    if let Some(letters) = file.letters_per_connection {
        options.letters_per_connection = letters;
    }
    let window = file.window.unwrap_or(if smtp { 64 } else { 256 }).clamp(1, 4096);
    let envelope = letters.envelope;
    Ok(Mail { transport, options, from, postal_address, rate, retry, window, envelope, warnings })
}

/// What production asks for before any mail may leave.
fn check_production(smtp: bool, postal_address: &str, public_url: &str) -> Result<(), ConfigError> {
    if !public_url.starts_with("https://") {
        return Err(wrong(
            "public_url",
            "production needs an https:// URL, or unsubscribe links do not work",
        ));
    }
    if postal_address.trim().is_empty() {
        return Err(wrong("mail.postal_address", "production needs one; the law wants it in every footer"));
    }
    if !smtp {
        return Err(wrong("mail.transport", "production needs smtp:// or smtps://"));
    }
    Ok(())
}

/// The sender of mails that name none of their own.
fn sender(text: Option<String>, production: bool) -> Result<Address, ConfigError> {
    if production && text.is_none() {
        return Err(wrong("mail.from", "production needs one, such as \"Shop <news@shop.example>\""));
    }
    let text = text.unwrap_or_else(|| "Restock <restock@localhost.localdomain>".to_owned());
    text.parse().map_err(|_| wrong("mail.from", "it must look like \"Shop <news@shop.example>\""))
}

/// Letters over time; by default 100 a second over SMTP and no limit elsewhere.
fn rate(text: Option<String>, smtp: bool) -> Result<Option<Rate>, ConfigError> {
    match text {
        Some(text) => Rate::parse(&text)
            .ok_or_else(|| wrong("mail.rate", format!("{text:?} is not like 100/s, 6000/m or unlimited"))),
        None if smtp => Ok(Rate::parse("100/s").flatten()),
        None => Ok(None),
    }
}

/// Connections to the relay; only the number from the environment is checked here.
fn connections(text: Option<String>, file: Option<usize>) -> Result<Option<usize>, ConfigError> {
    let Some(text) = text else { return Ok(file) };
    match text.parse().ok().filter(|n| (1..=1000).contains(n)) {
        Some(number) => Ok(Some(number)),
        None => Err(wrong("RESTOCKD_MAIL_CONNECTIONS", format!("{text:?} is not a number from 1 to 1000"))),
    }
}

/// When a letter that was put off is tried again, and for how long.
fn retry(base: Option<String>, max_age: Option<String>) -> Result<Retry, ConfigError> {
    let mut retry = Retry::default();
    if let Some(text) = base {
        retry.base_ms = millis(duration("mail.retry_base", &text)?).max(1);
    }
    if let Some(text) = max_age {
        retry.max_age_ms = millis(duration("mail.max_age", &text)?);
    }
    Ok(retry)
}
