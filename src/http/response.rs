//! Successful answers: JSON, written once, straight into the body.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Serialize;

/// Writes `body` as JSON; a body that cannot be written is a broken invariant (500).
fn json<T: Serialize + ?Sized>(status: StatusCode, body: &T) -> Response {
    let mut bytes = Vec::with_capacity(128);
    let written = serde_json::to_writer(&mut bytes, body).is_ok();
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = if written { status } else { StatusCode::INTERNAL_SERVER_ERROR };
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

pub(super) fn ok<T: Serialize + ?Sized>(body: &T) -> Response {
    json(StatusCode::OK, body)
}

pub(super) fn created<T: Serialize + ?Sized>(body: &T) -> Response {
    json(StatusCode::CREATED, body)
}

pub(super) fn accepted<T: Serialize + ?Sized>(body: &T) -> Response {
    json(StatusCode::ACCEPTED, body)
}

/// 503, for a readiness probe.
pub(super) fn unavailable<T: Serialize + ?Sized>(body: &T) -> Response {
    let mut response = json(StatusCode::SERVICE_UNAVAILABLE, body);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}
