//! What every request passes before its handler: request id, span, place among its client's requests; and the headers of
//! every answer.
//!
//! The id is the client's if it sends an acceptable one, else a counter behind a random start. The span and the log line at
//! the end name method, route and status, but no path, query, header or address, because any of these may name a person.
//! For the same reason a client's id with an `@` in it is replaced.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use hyper::body::Incoming;
use tower::ServiceExt;
use tracing::field::Empty;
use tracing::{Instrument, Span};

use super::consent::Client;
use super::error::ApiError;
use super::{App, proxies};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest id that is accepted from a client.
const REQUEST_ID_BYTES_MAX: usize = 64;

/// The random start of the ids, different in every process.
static START: LazyLock<u32> = LazyLock::new(|| RandomState::new().hash_one(0_u8) as u32);
static NEXT: AtomicU64 = AtomicU64::new(1);

/// Answers one request.
pub(super) async fn answer(app: &App, router: Router, peer: IpAddr, request: Request<Incoming>) -> Response {
    let id = request_id(request.headers());
    let method = request.method().clone();
    let span = tracing::debug_span!("request", request.id = id.to_str().unwrap_or_default(), http.method = %method, http.route = Empty);
    let mut response = admitted(app, router, peer, request).instrument(span).await;
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, id);
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Takes a place for a client that is known through a proxy, and calls the handlers.
async fn admitted(app: &App, router: Router, peer: IpAddr, request: Request<Incoming>) -> Response {
    #[expect(clippy::disallowed_methods, reason = "a line in the log, nothing is decided by it")]
    let begun = Instant::now();
    let client = proxies::client(peer, request.headers(), &app.trusted);
    let place = if client == peer { None } else { Some(app.places.take(client)) };
    let mut request = request;
    request.extensions_mut().insert(Client(client));
    let response = match place {
        Some(None) => ApiError::Crowded.into_response(),
        _ => guarded(router, request).await,
    };
    let duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::debug!(http.status = response.status().as_u16(), duration_ms, "request answered");
    response
}

/// The handlers' answer, or a 500 where one panicked.
async fn guarded(router: Router, request: Request<Incoming>) -> Response {
    let handled = AssertUnwindSafe(router.oneshot(request.map(Body::new)));
    handled.catch_unwind().await.map_or_else(
        |_panic| {
            tracing::error!("a handler panicked");
            ApiError::Internal.into_response()
        },
        |answered| answered.unwrap_or_else(|never| match never {}),
    )
}

/// Writes the route into the request's span: the pattern in the router, never the path of the request.
pub(super) fn name_route(request: Request) -> Request {
    if let Some(route) = request.extensions().get::<MatchedPath>() {
        Span::current().record("http.route", route.as_str());
    }
    request
}

/// The client's id, or a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let fits = |value: &&HeaderValue| {
        let bytes = value.as_bytes();
        (1..=REQUEST_ID_BYTES_MAX).contains(&bytes.len())
            && bytes.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'@')
    };
    if let Some(value) = headers.get(REQUEST_ID).filter(fits) {
        return value.clone();
    }
    let text = format!("{:08x}-{:x}", *START, NEXT.fetch_add(1, Ordering::Relaxed));
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clients_id_is_kept_only_where_it_is_fit() {
        let mut headers = HeaderMap::new();
        let ours = request_id(&headers);
        assert_ne!(ours, request_id(&headers));
        headers.insert(REQUEST_ID, HeaderValue::from_static("order-17"));
        assert_eq!(request_id(&headers), "order-17");
        let long = "x".repeat(65);
        for bad in ["", "a b", "ann@shop.example", &long] {
            headers.insert(REQUEST_ID, HeaderValue::from_str(bad).unwrap());
            assert_ne!(request_id(&headers).as_bytes(), bad.as_bytes());
        }
    }
}
