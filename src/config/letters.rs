//! `[mail]`, the rest: DKIM keys, the bounce domain, feedback ids, the test inbox, the sign-in token.
//!
//! A key is given as a file's path or, in the environment, also as the PEM text itself (with `\n` for line ends where a
//! variable must be one line). Keys are read here, once: a key that cannot be used stops the start, and no error or warning
//! repeats it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::file::{DkimFile, MailFile};
use super::{ConfigError, wrong};
use restockd_engine::Envelope;
use restockd_mail::{Address, Dkim, DkimKey, OauthToken};

/// Bytes of a key file, at most: RSA of 4,096 bits takes 3,300.
const KEY_BYTES_MAX: u64 = 64 << 10;

pub(super) struct Letters {
    pub(super) dkim: Option<Dkim>,
    pub(super) redirect_to: Option<Address>,
    pub(super) oauth: Option<OauthToken>,
    pub(super) envelope: Envelope,
    pub(super) warnings: Vec<String>,
}

/// Reads and checks these settings; the environment overrides the file.
pub(super) fn read(
    file: &MailFile,
    env: &impl Fn(&str) -> Option<String>,
    production: bool,
    from: &Address,
) -> Result<Letters, ConfigError> {
    let mut warnings = Vec::new();
    let redirect_to =
        address("mail.redirect_to", env("RESTOCKD_MAIL_REDIRECT_TO").or(file.redirect_to.clone()))?;
    if redirect_to.is_some() {
        if production {
            let why = "production sends to people; take it out, or test without mode = \"production\"";
            return Err(wrong("mail.redirect_to", why));
        }
        warnings.push(
            "mail.redirect_to is set: every letter goes to the test inbox, nobody else gets one".to_owned(),
        );
    }
    let oauth = match (env("RESTOCKD_MAIL_OAUTH_TOKEN"), token_file(file, env)) {
        (Some(_), Some(_)) => {
            return Err(wrong(
                "mail.oauth_token_file",
                "there is RESTOCKD_MAIL_OAUTH_TOKEN too; keep one of the two",
            ));
        }
        (Some(token), None) => Some(OauthToken::Fixed(token)),
        (None, file) => file.map(OauthToken::File),
    };
    let bounce_domain = env("RESTOCKD_MAIL_BOUNCE_DOMAIN").or(file.bounce_domain.clone());
    if let Some(domain) = &bounce_domain
        && Address::bare(&format!("bounce@{domain}")).is_err()
    {
        return Err(wrong(
            "mail.bounce_domain",
            format!("{domain:?} is not a domain such as bounces.shop.example"),
        ));
    }
    let feedback_id = file.feedback_id.clone();
    if let Some(id) = &feedback_id
        && !((5..=15).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric()))
    {
        return Err(wrong(
            "mail.feedback_id",
            format!("{id:?} is not a sender id of 5 to 15 letters and digits"),
        ));
    }
    let cfbl_address = address("mail.cfbl_address", file.cfbl_address.clone())?;
    let dkim = dkim(&file.dkim, env, from, &mut warnings)?;
    let envelope = Envelope { bounce_domain, feedback_id, cfbl_address };
    Ok(Letters { dkim, redirect_to, oauth, envelope, warnings })
}

fn token_file(file: &MailFile, env: &impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    env("RESTOCKD_MAIL_OAUTH_TOKEN_FILE").map(PathBuf::from).or(file.oauth_token_file.clone())
}

fn address(key: &str, text: Option<String>) -> Result<Option<Address>, ConfigError> {
    text.map(|text| Address::bare(&text))
        .transpose()
        .map_err(|_| wrong(key, "it must look like name@shop.example"))
}

/// The signer; `None` when no key is named.
fn dkim(
    file: &DkimFile,
    env: &impl Fn(&str) -> Option<String>,
    from: &Address,
    warnings: &mut Vec<String>,
) -> Result<Option<Dkim>, ConfigError> {
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let mut keys = Vec::new();
    for (edwards, selector, selector_key, key, key_key) in [
        (
            false,
            env("RESTOCKD_DKIM_SELECTOR").or(file.selector.clone()),
            "mail.dkim.selector",
            env("RESTOCKD_DKIM_KEY").or(path(&file.key_file)),
            "mail.dkim.key_file",
        ),
        (
            true,
            env("RESTOCKD_DKIM_ED25519_SELECTOR").or(file.ed25519_selector.clone()),
            "mail.dkim.ed25519_selector",
            env("RESTOCKD_DKIM_ED25519_KEY").or(path(&file.ed25519_key_file)),
            "mail.dkim.ed25519_key_file",
        ),
    ] {
        match (selector, key) {
            (None, None) => {}
            (None, Some(_)) => return Err(wrong(selector_key, "it is missing; a key needs its selector")),
            (Some(_), None) => return Err(wrong(key_key, "it is missing; a selector needs its key")),
            (Some(selector), Some(key)) => {
                let key = DkimKey::from_pem(&pem(key_key, &key, warnings)?);
                let key = key.map_err(|reason| wrong(key_key, reason))?;
                if key.is_ed25519() != edwards {
                    let why = if edwards {
                        "it is an RSA key; name it as mail.dkim.key_file"
                    } else {
                        "it is an Ed25519 key; name it as mail.dkim.ed25519_key_file"
                    };
                    return Err(wrong(key_key, why));
                }
                keys.push((selector, key));
            }
        }
    }
    let own = from.domain().to_owned();
    let named = env("RESTOCKD_DKIM_DOMAIN").or(file.domain.clone());
    if keys.is_empty() {
        return match named {
            None => Ok(None),
            Some(_) => {
                Err(wrong("mail.dkim.key_file", "there is a domain to sign for and no key to sign with"))
            }
        };
    }
    let domain = named.unwrap_or_else(|| own.clone()).to_ascii_lowercase();
    let aligned = |a: &str, b: &str| a == b || a.strip_suffix(b).is_some_and(|rest| rest.ends_with('.'));
    let own = own.to_ascii_lowercase();
    if !aligned(&own, &domain) && !aligned(&domain, &own) {
        warnings.push(format!(
            "letters from {own} are signed for {domain}: DMARC takes no notice of that signature"
        ));
    }
    Dkim::new(&domain, keys).map(Some).map_err(|error| wrong("mail.dkim", error.to_string()))
}

/// The PEM text, given itself or as the path of a file.
fn pem(key: &str, text: &str, warnings: &mut Vec<String>) -> Result<String, ConfigError> {
    if text.contains("-----BEGIN") {
        return Ok(text.replace("\\n", "\n"));
    }
    let path = Path::new(text);
    let unreadable =
        |error: std::io::Error| wrong(key, format!("{} cannot be read: {error}", path.display()));
    let about = std::fs::metadata(path).map_err(unreadable)?;
    if about.len() > KEY_BYTES_MAX {
        return Err(wrong(key, format!("{} is too long for a key", path.display())));
    }
    if about.permissions().mode() & 0o077 != 0 {
        warnings
            .push(format!("{key}: others may read {}; chmod 600 is right for a private key", path.display()));
    }
    std::fs::read_to_string(path).map_err(unreadable)
}
