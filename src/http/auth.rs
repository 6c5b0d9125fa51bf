//! Bearer keys and their scopes.
//!
//! [`Ingest`] and [`Admin`] come first among a handler's arguments, so a request without a good key is answered before a
//! byte of its body is read. The Engine knows the keys and compares in constant time; nothing here keeps or prints one.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

use restockd_engine::api::{Grant, Scope};

use super::App;
use super::error::ApiError;

/// Longer than any key this engine makes.
const KEY_BYTES_MAX: usize = 512;

/// A request whose key may use events, lists, contacts and campaigns; holds the key's public id.
pub(super) struct Ingest(pub(super) String);

/// A request whose key may do everything; holds the key's public id.
pub(super) struct Admin(pub(super) String);

fn grant(app: &App, headers: &HeaderMap) -> Result<Grant, ApiError> {
    let key = bearer(headers).ok_or(ApiError::Unauthorized)?;
    app.engine.authenticate(key).ok_or(ApiError::Unauthorized)
}

/// The bearer key of the request; `None` unless there is exactly one.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (scheme, key) = value.to_str().ok()?.split_once(' ')?;
    let key = key.trim();
    let fits = scheme.eq_ignore_ascii_case("bearer") && !key.is_empty() && key.len() <= KEY_BYTES_MAX;
    fits.then_some(key)
}

impl FromRequestParts<Arc<App>> for Ingest {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        grant(app, &parts.headers).map(|grant| Self(grant.key))
    }
}

impl FromRequestParts<Arc<App>> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let grant = grant(app, &parts.headers)?;
        match grant.scope {
            Scope::Admin => Ok(Self(grant.key)),
            Scope::Ingest | Scope::Public => Err(ApiError::Forbidden),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn of(values: &[&'static str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_static(value));
        }
        bearer(&headers).map(str::to_owned)
    }

    #[test]
    fn a_bearer_key_is_one_header_of_the_right_scheme() {
        assert_eq!(of(&["Bearer k"]).as_deref(), Some("k"));
        assert_eq!(of(&["bEaReR   k "]).as_deref(), Some("k"));
        for bad in
            [&[][..], &[""], &["Bearer"], &["Bearer "], &["Basic k"], &["k"], &["Bearer k", "Bearer k"]]
        {
            assert_eq!(of(bad), None, "{bad:?}");
        }
    }
}
