//! Every refusal, and the only place where a status code is chosen for one.
//!
//! Clients depend on the shapes: an application error is `{"error":"<text>"}`, a validation error is
//! `{"success":false,"error":{"name":"ZodError","message":"<issues>"}}`, and an error about a webhook's payload carries
//! `details`. Nothing that a client sends leads to a 500: that status means a broken invariant, and its text tells nothing.

use std::borrow::Cow;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use restockd_engine::{EngineError, RequestRefusal};

use super::response;
use super::validate::{Issue, Issues};

/// Why a request was not answered with a 2xx.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// There is no key, or an unknown one.
    #[error("Unauthorized")]
    Unauthorized,
    /// The key is good but has another scope.
    #[error("Forbidden: insufficient scope")]
    Forbidden,
    #[error("Not Found")]
    NoRoute,
    /// The route does not accept the method.
    #[error("Method Not Allowed")]
    NoMethod,
    #[error("Malformed JSON in request body")]
    Malformed,
    /// The body is JSON of another shape.
    #[error("{}", .0.brief())]
    Invalid(Issues),
    /// The request can never succeed; the text says why.
    #[error("{0}")]
    Bad(Cow<'static, str>),
    /// Something that the request names does not exist; the text says what.
    #[error("{0}")]
    Unknown(String),
    /// The body is over its limit, in bytes.
    #[error("request body is over {0} bytes")]
    TooLarge(usize),
    /// A batch holds more items than this limit.
    #[error("a batch holds at most {0} events")]
    TooMany(usize),
    /// An import holds more lines than this limit.
    #[error("an import holds at most {0} lines")]
    TooManyLines(usize),
    #[error("the request body did not arrive in time")]
    Slow,
    /// The body broke off, or its framing is wrong.
    #[error("the request body could not be read")]
    Broken,
    /// This client has as many requests or connections open as it may.
    #[error("too many requests at once from this address")]
    Crowded,
    /// This client asks too often; it may ask again after this many seconds.
    #[error("asked too often; try again later")]
    Often(u64),
    /// No memory is free for another batch.
    #[error("the engine is overloaded; try again in a moment")]
    NoRoom,
    /// Webhook check 1: no source has this id.
    #[error("Unknown webhook source")]
    UnknownSource,
    /// Webhook check 2: the source has no secret.
    #[error("Webhook signature not configured")]
    Unsigned,
    /// Webhook check 3: the signature is missing or wrong.
    #[error("Invalid webhook signature")]
    BadSignature,
    /// A certificate that a signature is checked with could not be fetched.
    #[error("the signing certificate cannot be fetched now; send it again")]
    Unfetched,
    /// Webhook checks 4 and 5: the payload is not what it should be; with details.
    #[error("Invalid payload")]
    Payload(Value),
    /// A handler panicked, or a page could not be rendered.
    #[error("Internal Server Error")]
    Internal,
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl ApiError {
    /// A validation error with one issue.
    pub(super) fn issue(issue: Issue) -> Self {
        Self::Invalid(Issues::of(issue))
    }

    /// The status and, where trying again helps, the seconds to wait.
    pub(super) fn status(&self) -> (StatusCode, Option<u8>) {
        let status = match self {
            Self::Unauthorized | Self::Unsigned | Self::BadSignature => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NoRoute | Self::Unknown(_) | Self::UnknownSource => StatusCode::NOT_FOUND,
            Self::NoMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::Malformed | Self::Invalid(_) | Self::Bad(_) | Self::Broken | Self::Payload(_) => {
                StatusCode::BAD_REQUEST
            }
            Self::TooLarge(_) | Self::TooMany(_) | Self::TooManyLines(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Crowded => return (StatusCode::TOO_MANY_REQUESTS, Some(1)),
            Self::Often(seconds) => {
                return (StatusCode::TOO_MANY_REQUESTS, Some(u8::try_from(*seconds).unwrap_or(u8::MAX)));
            }
            Self::NoRoom | Self::Unfetched => return (StatusCode::SERVICE_UNAVAILABLE, Some(1)),
            Self::Engine(EngineError::Refused(refusal)) => refused(refusal),
            Self::Engine(cannot) => return (StatusCode::SERVICE_UNAVAILABLE, Some(retry_after(cannot))),
        };
        (status, None)
    }

    /// True when the connection should not be used again.
    fn closes(&self) -> bool {
        matches!(self, Self::Slow | Self::Broken | Self::Engine(EngineError::Stopping | EngineError::Lost))
    }

    fn body(&self) -> Value {
        match self {
            Self::Invalid(issues) => {
                json!({"success": false, "error": {"name": "ZodError", "message": issues.text()}})
            }
            Self::Payload(details) => json!({"error": self.to_string(), "details": details}),
            _ => json!({"error": self.to_string()}),
        }
    }

    /// Adds the headers that belong to this error, also to a page that shows it.
    pub(super) fn with_headers(&self, mut response: Response) -> Response {
        let (status, retry) = self.status();
        *response.status_mut() = status;
        let headers = response.headers_mut();
        if let Some(seconds) = retry {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(u16::from(seconds)));
        }
        if matches!(self, Self::Unauthorized) {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if self.closes() {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// The status of a request that can never succeed.
fn refused(refusal: &RequestRefusal) -> StatusCode {
    match refusal {
        RequestRefusal::UnknownList(_)
        | RequestRefusal::UnknownContact
        | RequestRefusal::UnknownCampaign(_)
        | RequestRefusal::UnknownKey(_)
        | RequestRefusal::NotOnList
        | RequestRefusal::BadLink => StatusCode::NOT_FOUND,
        RequestRefusal::UnknownTemplate(_)
        | RequestRefusal::NoEmail
        | RequestRefusal::NoIdentity
        | RequestRefusal::SendAtPast(_)
        | RequestRefusal::Suppressed
        | RequestRefusal::EmailTaken
        | RequestRefusal::BadCursor
        | RequestRefusal::NotAllowed(_) => StatusCode::BAD_REQUEST,
        RequestRefusal::WrongStatus { .. } => StatusCode::CONFLICT,
    }
}

/// Seconds after which the same request may succeed.
fn retry_after(error: &EngineError) -> u8 {
    match error {
        EngineError::DiskFull => 5,
        EngineError::Stopping | EngineError::Lost => 2,
        EngineError::Busy | EngineError::Timeout | EngineError::Refused(_) => 1,
    }
}

impl From<RequestRefusal> for ApiError {
    fn from(refusal: RequestRefusal) -> Self {
        Self::Engine(refusal.into())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        self.with_headers(response::ok(&self.body()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overload_says_when_to_come_back() {
        for (error, seconds) in [
            (EngineError::Busy, "1"),
            (EngineError::DiskFull, "5"),
            (EngineError::Stopping, "2"),
            (EngineError::Lost, "2"),
            (EngineError::Timeout, "1"),
        ] {
            let response = ApiError::from(error).into_response();
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(response.headers()[header::RETRY_AFTER], seconds);
        }
        let stopping = ApiError::from(EngineError::Stopping).into_response();
        assert_eq!(stopping.headers()[header::CONNECTION], "close");
    }

    #[test]
    fn refusals_have_their_documented_status() {
        for (refusal, status) in [
            (RequestRefusal::UnknownList("x".into()), 404),
            (RequestRefusal::UnknownCampaign("x".into()), 404),
            (RequestRefusal::UnknownContact, 404),
            (RequestRefusal::UnknownKey("x".into()), 404),
            (RequestRefusal::NotOnList, 404),
            (RequestRefusal::UnknownTemplate("x".into()), 400),
            (RequestRefusal::NoEmail, 400),
            (RequestRefusal::EmailTaken, 400),
            (RequestRefusal::Suppressed, 400),
            (RequestRefusal::NotAllowed("x".into()), 400),
            (RequestRefusal::WrongStatus { status: "sent".into(), verb: "canceled" }, 409),
        ] {
            assert_eq!(ApiError::from(refusal).status().0.as_u16(), status);
        }
    }
}
