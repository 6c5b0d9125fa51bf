//! The cost of a request that does nothing: bare routes that parse the same bodies and store nothing.
//!
//! `axum::serve` and `serde_json` into a struct, without authentication, middleware or log, in a process of its own: the most
//! that a server built like this one could reach. The storm measures it in turn with the engine, so that each figure has its
//! ratio.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::serve::ListenerExt;
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::Sha256;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "parsed and thrown away: that is the measure")]
struct Event {
    name: String,
    email: Option<String>,
    user_id: Option<String>,
    #[serde(default)]
    event_properties: serde_json::Map<String, serde_json::Value>,
    #[serde(default)]
    lists: HashMap<String, bool>,
    idempotency_key: Option<String>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "parsed and thrown away: that is the measure")]
struct Restock {
    delivery_id: Option<String>,
    r#type: String,
    sku: String,
    product_name: Option<String>,
    quantity: Option<i64>,
}

#[derive(Deserialize)]
struct Batch {
    events: Vec<Event>,
}

/// Serves until it is killed; prints its address on standard error, as the engine does.
pub(super) async fn serve() -> anyhow::Result<()> {
    let secret = std::env::var("INVENTORY_WEBHOOK_SECRET").context("INVENTORY_WEBHOOK_SECRET is not set")?;
    let key = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).context("the secret makes no key")?;
    let app = Router::new()
        .route("/v1/events", post(event))
        .route("/v1/events/batch", post(batch))
        .route("/v1/webhooks/inventory", post(webhook))
        .with_state(Arc::new(key));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.context("cannot listen")?;
    eprintln!("restockd: the ceiling, listening on http://{}, stores nothing", listener.local_addr()?);
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, app).await.context("the ceiling ended")
}

fn json(status: StatusCode, body: impl Into<axum::body::Body>) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.into()).into_response()
}

async fn event(body: Bytes) -> Response {
    match serde_json::from_slice::<Event>(&body) {
        Ok(_) => json(StatusCode::ACCEPTED, r#"{"stored":true,"exits":[],"contactKey":"ct_00000001"}"#),
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}

async fn batch(body: Bytes) -> Response {
    match serde_json::from_slice::<Batch>(&body) {
        Ok(Batch { events }) => {
            let one = r#"{"stored":true,"exits":[],"contactKey":"ct_00000001"}"#;
            json(StatusCode::ACCEPTED, format!("{{\"results\":[{}]}}", vec![one; events.len()].join(",")))
        }
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}

async fn webhook(State(key): State<Arc<Hmac<Sha256>>>, headers: HeaderMap, body: Bytes) -> Response {
    let signature = headers.get("x-signature").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let bytes: Vec<u8> = (0..signature.len() / 2)
        .filter_map(|at| u8::from_str_radix(signature.get(at * 2..at * 2 + 2)?, 16).ok())
        .collect();
    let mac = Hmac::clone(&key).chain_update(&body);
    if mac.verify_slice(&bytes).is_err() {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    match serde_json::from_slice::<Restock>(&body) {
        Ok(_) => json(StatusCode::OK, r#"{"ok":true,"event":"product.restocked","exits":[]}"#),
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}
