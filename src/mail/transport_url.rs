//! Reads `RESTOCKD_MAIL`: the transport for letters, with its credentials.
//!
//! | form | meaning |
//! |---|---|
//! | `folder:DIR` | one `.eml` file per letter |
//! | `memory:` | kept in memory, for tests |
//! | `discard:` | rendered and thrown away, for load tests; `discard:unmade` renders none |
//! | `smtp://user:password@host:587` | STARTTLS, required |
//! | `smtps://user:password@host:465` | TLS from the first byte |
//! | `smtp+opportunistic://host:25` | STARTTLS where it is offered, else none; a password only to this machine |
//! | `smtp+insecure://host:25` | no TLS; for a relay on a trusted network, and a password only to this machine |
//!
//! User and password are percent-decoded; a user without a password signs in with a token ([`super::OauthToken`]).
//! Errors never repeat the setting.

use std::fmt;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;

use super::MailError;
use super::mailer::Discard;

/// The kind of transport.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    Folder(PathBuf),
    Memory,
    Discard(Discard),
    Smtp(Relay),
}

/// How the connection to a relay is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Safety {
    /// Plain at first; a server that offers no TLS gets no letter and no password.
    StartTls,
    /// TLS from the first byte.
    Tls,
    /// Plain at first, and for good when the server offers no TLS. When it does, its certificate must be good: after STARTTLS
    /// there is no way back.
    Opportunistic,
    /// No TLS.
    Plain,
}

/// An SMTP server and how to sign in to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Relay {
    pub(super) safety: Safety,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) credentials: Option<Credentials>,
}

/// A user, with a password unless a token replaces it; `Debug` shows neither.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) user: String,
    pub(super) password: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(<secret>)")
    }
}

impl fmt::Display for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, note) = match self.safety {
            Safety::StartTls => ("smtp", "STARTTLS required"),
            Safety::Tls => ("smtps", "TLS"),
            Safety::Opportunistic => ("smtp+opportunistic", "encrypted only where offered"),
            Safety::Plain => ("smtp+insecure", "not encrypted"),
        };
        let signed_in = if self.credentials.is_some() { ", signed in" } else { "" };
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        write!(f, "{scheme}://{host}:{} ({note}{signed_in})", self.port)
    }
}

/// Reads the setting.
pub(super) fn parse(setting: &str) -> Result<Target, MailError> {
    let (scheme, rest) =
        setting.trim().split_once(':').ok_or(MailError::Setting("it names no kind of mailer"))?;
    let safety = match scheme.to_ascii_lowercase().as_str() {
        "folder" => return folder(rest),
        "memory" if rest.is_empty() => return Ok(Target::Memory),
        "discard" if rest.is_empty() => return Ok(Target::Discard(Discard::Made)),
        "discard" if rest == "unmade" => return Ok(Target::Discard(Discard::Unmade)),
        "discard" => return Err(MailError::Setting("only unmade may follow discard:")),
        "memory" => return Err(MailError::Setting("nothing may follow memory:")),
        "smtp" => Safety::StartTls,
        "smtps" => Safety::Tls,
        "smtp+opportunistic" => Safety::Opportunistic,
        "smtp+insecure" => Safety::Plain,
        _ => return Err(MailError::Setting("this kind of mailer is not known")),
    };
    let rest = rest.strip_prefix("//").ok_or(MailError::Setting("// is missing after the colon"))?;
    let (credentials, server) = match rest.rsplit_once('@') {
        Some((credentials, server)) => (Some(credentials), server),
        None => (None, rest),
    };
    let (host, port) = host_and_port(server.strip_suffix('/').unwrap_or(server))?;
    let port = port.unwrap_or(match safety {
        Safety::StartTls => 587,
        Safety::Tls => 465,
        Safety::Opportunistic | Safety::Plain => 25,
    });
    let credentials = credentials.map(sign_in).transpose()?;
    let bare = matches!(safety, Safety::Opportunistic | Safety::Plain);
    if credentials.is_some() && bare && !is_this_machine(&host) {
        return Err(MailError::Setting(
            "a password would cross the wire unprotected; use smtp:// or smtps://",
        ));
    }
    Ok(Target::Smtp(Relay { safety, host, port, credentials }))
}

fn folder(path: &str) -> Result<Target, MailError> {
    if path.is_empty() || path.contains('\0') {
        return Err(MailError::Setting("folder: needs a path"));
    }
    if path.starts_with("//") {
        return Err(MailError::Setting("folder: takes a path and no //, as in folder:./outbox"));
    }
    Ok(Target::Folder(PathBuf::from(path)))
}

fn host_and_port(server: &str) -> Result<(String, Option<u16>), MailError> {
    let (host, port) = if let Some(rest) = server.strip_prefix('[') {
        let (host, after) =
            rest.split_once(']').ok_or(MailError::Setting("the bracket of the host is open"))?;
        host.parse::<std::net::Ipv6Addr>()
            .map_err(|_| MailError::Setting("the host in brackets is no address"))?;
        match after.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None if after.is_empty() => (host, None),
            None => return Err(MailError::Setting("only a port may follow the host")),
        }
    } else {
        let (host, port) = server.split_once(':').map_or((server, None), |(host, port)| (host, Some(port)));
        if host.is_empty() || !host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b)) {
            return Err(MailError::Setting("the host is missing or holds a character that no host has"));
        }
        (host, port)
    };
    let port = match port {
        None => None,
        Some(digits) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
            Some(digits.parse::<u16>().ok().filter(|port| *port > 0))
                .map(|port| port.ok_or(MailError::Setting("the port is not between 1 and 65535")))
                .transpose()?
        }
        Some(_) => return Err(MailError::Setting("the port is not a number")),
    };
    Ok((host.to_owned(), port))
}

fn sign_in(text: &str) -> Result<Credentials, MailError> {
    let (user, password) = match text.split_once(':') {
        Some((user, password)) => (decoded(user)?, Some(decoded(password)?)),
        None => (decoded(text)?, None),
    };
    if user.is_empty() || password.as_deref() == Some("") {
        return Err(MailError::Setting("the user or the password is empty"));
    }
    Ok(Credentials { user, password })
}

fn decoded(text: &str) -> Result<String, MailError> {
    let text = percent_decode_str(text)
        .decode_utf8()
        .map_err(|_| MailError::Setting("user or password are not UTF-8 once decoded"))?;
    if text.chars().any(char::is_control) {
        return Err(MailError::Setting("user or password hold a control character"));
    }
    Ok(text.into_owned())
}

fn is_this_machine(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
