//! The DNS records that a shop needs to send mail with this configuration.
//!
//! ```text
//! r1._domainkey.shop.example.  TXT  v=DKIM1; k=rsa; p=…            each key, exactly
//! bounces.shop.example.       TXT  v=spf1 … -all            the envelope's domain; the relay decides its content
//! _dmarc.shop.example.         TXT  v=DMARC1; p=none; …            the sender's domain, or one above it
//! bounces.shop.example.       MX   10 …                     where bounces arrive, if they have a domain
//! ```

use crate::config::Config;

/// Characters of one string of a TXT record, at most (RFC 1035, 3.3.14).
const STRING_CHARS_MAX: usize = 255;

pub(super) struct Wanted {
    /// Name and value of each key's record.
    pub(super) keys: Vec<(String, String)>,
    /// The domain of the envelope's sender.
    pub(super) envelope: String,
    /// The domain in `From`.
    pub(super) from: String,
    /// The domain where bounces arrive, if one is configured.
    pub(super) bounces: Option<String>,
}

impl Wanted {
    /// The records for a configuration.
    pub(super) fn of(config: &Config) -> Wanted {
        let from = config.engine.from.domain().to_ascii_lowercase();
        let bounces = config.engine.envelope.bounce_domain.as_ref().map(|domain| domain.to_ascii_lowercase());
        Wanted {
            keys: config.mail_options.dkim.as_ref().map(|dkim| dkim.records()).unwrap_or_default(),
            envelope: bounces.clone().unwrap_or_else(|| from.clone()),
            from,
            bounces,
        }
    }

    /// The records as lines of a zone file; what cannot be known is a comment.
    pub(super) fn zone(&self) -> String {
        let mut out = String::from("; DKIM: the keys that letters are signed with\n");
        for (name, value) in &self.keys {
            out.push_str(&line(name, value));
        }
        if self.keys.is_empty() {
            out.push_str("; no key is configured; see restockd dkim new\n");
        }
        out.push_str(
            "; SPF: who may send for the envelope's domain; put in what the relay's manual says (include:… or ip4:…)\n",
        );
        out.push_str(&format!("; {}", line(&self.envelope, "v=spf1 include:RELAY -all")));
        out.push_str("; DMARC: begin with p=none, read the reports, then p=quarantine or p=reject\n");
        let policy = format!("v=DMARC1; p=none; rua=mailto:dmarc@{}", self.from);
        out.push_str(&line(&format!("_dmarc.{}", self.from), &policy));
        if let Some(domain) = &self.bounces {
            out.push_str("; where bounces arrive: the server that takes mail for this domain\n");
            out.push_str(&format!("; {domain}. IN MX 10 SERVER\n"));
        }
        out
    }
}

/// A TXT record as a line of a zone file; a long value is split into strings.
pub(super) fn line(name: &str, value: &str) -> String {
    let mut out = format!("{name}. IN TXT");
    let mut rest = value;
    while !rest.is_empty() {
        let (string, after) = rest.split_at_checked(STRING_CHARS_MAX).unwrap_or((rest, ""));
        out.push_str(&format!(" \"{string}\""));
        rest = after;
    }
    out.push('\n');
    out
}
