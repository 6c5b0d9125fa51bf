//! Evidence of consent in a request: the field `consent`, the key, and the client's address.
//!
//! ```text
//! "consent": { "wording": "v3", "url": "https://shop.example/chair", "ip": "203.0.113.7" }
//! ```
//!
//! `wording` names the version of the text that was shown, `url` the page (without query and fragment, which may name a
//! person), and `ip` the shopper's address where the shop's own server sends the event. How much of an address is kept is
//! a setting; it is never logged.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use ipnet::IpNet;
use serde_json::{Map, Value};

use restockd_core::directory::{ConsentEvidence, WORDING_CHARS_MAX, WORDING_URL_BYTES_MAX};
use restockd_core::text;

use super::error::ApiError;
use super::settings::KeepAddress;
use super::validate::{Issue, Issues, kind};

/// The client's address: the peer's, or the one given by trusted proxies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Client(pub(super) IpAddr);

impl<S: Send + Sync> FromRequestParts<S> for Client {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().copied().ok_or(ApiError::Internal)
    }
}

/// The part of an address that is kept; a network is written with its prefix length.
pub(super) fn kept(address: IpAddr, keep: KeepAddress) -> String {
    let address = address.to_canonical();
    match keep {
        KeepAddress::None => String::new(),
        KeepAddress::Full => address.to_string(),
        KeepAddress::Truncated => {
            let bits = if address.is_ipv4() { 24 } else { 48 };
            IpNet::new_assert(address, bits).trunc().to_string()
        }
    }
}

/// Reads the field `consent`. Its `ip` stays in `source` as given until [`witness`] truncates it.
pub(super) fn read(issues: &mut Issues, value: Option<Value>) -> Option<ConsentEvidence> {
    let mut map = match value? {
        Value::Null => return None,
        Value::Object(map) => map,
        other => {
            issues.add(Issue::kind(&["consent"], "object", kind(&other)));
            return None;
        }
    };
    let wording = word(issues, &mut map, "wording").unwrap_or_default();
    let url = word(issues, &mut map, "url").unwrap_or_default();
    let ip = word(issues, &mut map, "ip").unwrap_or_default();
    if ip.len() > 64 || (!ip.is_empty() && ip.parse::<IpAddr>().is_err()) {
        issues.add(Issue::text(&["consent", "ip"], "an ip address", "Invalid ip"));
    }
    Some(ConsentEvidence {
        key: String::new(),
        source: ip,
        wording: self::wording(issues, wording),
        url: self::url(issues, url),
    })
}

/// Checks the version of a wording: short, plain, and no mail address.
pub(super) fn wording(issues: &mut Issues, wording: String) -> String {
    if wording.chars().count() > WORDING_CHARS_MAX {
        let limit = format!("must hold at most {WORDING_CHARS_MAX} characters");
        issues.add(Issue::big(&["consent", "wording"], "a version", "string", limit));
    } else if !text::plain(&wording) || wording.contains('@') {
        issues.add(Issue::text(
            &["consent", "wording"],
            "a version",
            "must be plain text and hold no address",
        ));
    }
    wording
}

/// Checks the address of the page, and cuts query and fragment off.
pub(super) fn url(issues: &mut Issues, url: String) -> String {
    let bare = url.split(['?', '#']).next().unwrap_or_default().to_owned();
    let web = bare.is_empty() || bare.starts_with("https://") || bare.starts_with("http://");
    if bare.len() > WORDING_URL_BYTES_MAX {
        let limit = format!("must hold at most {WORDING_URL_BYTES_MAX} bytes");
        issues.add(Issue::big(&["consent", "url"], "a URL", "string", limit));
    } else if !web || bare.contains('@') || !bare.bytes().all(|byte| byte.is_ascii_graphic()) {
        issues.add(Issue::text(&["consent", "url"], "a URL", "must be an http or https URL without an @"));
    }
    bare
}

/// Adds what the request itself shows: its key, and the client's address where the body names none.
pub(super) fn witness(
    evidence: Option<ConsentEvidence>,
    key: &str,
    client: Client,
    keep: KeepAddress,
) -> Option<ConsentEvidence> {
    let mut evidence = evidence?;
    evidence.source = kept(evidence.source.parse().unwrap_or(client.0), keep);
    evidence.key = key.to_owned();
    Some(evidence)
}

/// Takes a text out of the field.
fn word(issues: &mut Issues, map: &mut Map<String, Value>, field: &str) -> Option<String> {
    match map.remove(field)? {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => {
            issues.add(Issue::kind(&["consent", field], "string", kind(&other)));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_much_of_an_address_is_kept_as_the_settings_say() {
        let of = |ip: &str, keep| kept(ip.parse().unwrap(), keep);
        assert_eq!(of("203.0.113.77", KeepAddress::Truncated), "203.0.113.0/24");
        assert_eq!(of("::ffff:203.0.113.77", KeepAddress::Truncated), "203.0.113.0/24");
        assert_eq!(of("2001:db8:1:2::9", KeepAddress::Truncated), "2001:db8:1::/48");
        assert_eq!(of("2001:db8:1:2::9", KeepAddress::Full), "2001:db8:1:2::9");
        assert_eq!(of("203.0.113.77", KeepAddress::None), "");
    }

    #[test]
    fn a_wording_holds_no_person() {
        let told = |value: Value| {
            let mut issues = Issues::default();
            let evidence = read(&mut issues, Some(value));
            issues.or(evidence).map_err(|error| error.to_string())
        };
        let good =
            serde_json::json!({"wording": "v3", "url": "https://x.yz/a?email=ann@x.yz#b", "ip": "::1"});
        let evidence = told(good).unwrap().unwrap();
        assert_eq!((evidence.url.as_str(), evidence.source.as_str()), ("https://x.yz/a", "::1"));
        for bad in [
            serde_json::json!("v3"),
            serde_json::json!({"wording": 3}),
            serde_json::json!({"wording": "for ann@x.yz"}),
            serde_json::json!({"wording": "x".repeat(101)}),
            serde_json::json!({"url": "javascript:alert(1)"}),
            serde_json::json!({"url": "https://ann@x.yz/"}),
            serde_json::json!({"url": format!("https://x.yz/{}", "x".repeat(500))}),
            serde_json::json!({"ip": "somewhere"}),
        ] {
            assert!(told(bad.clone()).is_err(), "{bad}");
        }
        assert_eq!(told(Value::Null).unwrap(), None);
    }
}
