//! Reads what a client sends: bodies, path segments, queries.
//!
//! A body is read whole, up to a limit and within a time, and only after everything that can be checked without it was
//! checked (authentication first). Of a body that is too long a little more is read and discarded, so that the client
//! gets to read the 413. The content type is ignored: what is not JSON does not parse.

use std::borrow::Cow;
use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use bytes::BytesMut;
use http_body_util::BodyExt;

use restockd_engine::api::Identity;

use super::error::ApiError;
use super::validate::{Issue, Issues};

pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The limit of all bodies except batches and forms.
pub(super) const BODY_BYTES_MAX: usize = 64 << 10;
/// Bytes of an oversized body that are read and discarded.
const DRAIN_BYTES_MAX: usize = 1 << 20;

/// Reads the whole body, of at most `limit` bytes, in at most `within`.
pub(super) async fn read(body: Body, limit: usize, within: Duration) -> Result<Bytes, ApiError> {
    tokio::time::timeout(within, collect(body, limit)).await.unwrap_or(Err(ApiError::Slow))
}

async fn collect(mut body: Body, limit: usize) -> Result<Bytes, ApiError> {
    if body.size_hint().lower() > limit as u64 {
        drain(body).await;
        return Err(ApiError::TooLarge(limit));
    }
    let mut first = Bytes::new();
    let mut rest: Option<BytesMut> = None;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| ApiError::Broken)?.into_data() else { continue };
        let length = rest.as_ref().map_or(first.len(), BytesMut::len) + data.len();
        if length > limit {
            drain(body).await;
            return Err(ApiError::TooLarge(limit));
        }
        match &mut rest {
            Some(rest) => rest.extend_from_slice(&data),
            None if first.is_empty() => first = data,
            None => {
                let ahead = usize::try_from(body.size_hint().lower()).unwrap_or(0).min(limit - length);
                let mut joined = BytesMut::with_capacity(length + ahead);
                joined.extend_from_slice(&first);
                joined.extend_from_slice(&data);
                rest = Some(joined);
            }
        }
    }
    Ok(rest.map_or(first, BytesMut::freeze))
}

/// Reads and discards the rest of a body, up to a limit.
async fn drain(mut body: Body) {
    let mut read = 0;
    while let Some(Ok(frame)) = body.frame().await {
        read += frame.data_ref().map_or(0, Bytes::len);
        if read > DRAIN_BYTES_MAX {
            break;
        }
    }
}

/// The idempotency key in the header; `None` when it is absent or empty. It has precedence over the body's.
pub(super) fn header_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY).filter(|value| !value.is_empty()) else { return Ok(None) };
    match std::str::from_utf8(value.as_bytes()) {
        Ok(key) => Ok(Some(key.to_owned())),
        Err(_) => {
            Err(ApiError::issue(Issue::text(&[IDEMPOTENCY_KEY.as_str()], "an id", "must be valid UTF-8")))
        }
    }
}

/// The one variable segment of a path, percent-decoded.
pub(super) struct Segment(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let params = RawPathParams::from_request_parts(parts, state).await;
        let params = params.map_err(|_| ApiError::Bad("the path is not valid UTF-8".into()))?;
        let part = params.iter().next().map(|(_, part)| part.to_owned());
        part.map(Self).ok_or(ApiError::NoRoute)
    }
}

/// The query string; of several parameters with one name the first counts.
pub(super) struct Query(String);

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.uri.query().unwrap_or_default().to_owned()))
    }
}

impl Query {
    /// The decoded value of a parameter; `None` when it is absent or empty.
    pub(super) fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        let found = form_urlencoded::parse(self.0.as_bytes()).find(|(key, _)| key == name);
        found.map(|(_, value)| value).filter(|value| !value.is_empty())
    }

    /// A number between two bounds, or the default.
    pub(super) fn number(
        &self,
        name: &str,
        default: usize,
        from: usize,
        to: usize,
    ) -> Result<usize, ApiError> {
        let Some(text) = self.get(name) else { return Ok(default) };
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|n| digits && (from..=to).contains(n));
        number.ok_or_else(|| {
            let limit = format!("must be a whole number from {from} to {to}");
            ApiError::issue(Issue::big(&[name], "integer", "string", limit))
        })
    }

    /// The person that `email` or `userId` names; an empty identity when neither is there.
    pub(super) fn who(&self) -> Result<Identity, ApiError> {
        let mut issues = Issues::default();
        let email = issues.email("email", self.get("email").as_deref());
        let user_id = issues.key("userId", self.get("userId").map(Cow::into_owned));
        issues.or(Identity { email, user_id, anonymous_id: None })
    }
}
