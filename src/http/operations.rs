//! Routes for operators and load balancers: alive, ready, and a snapshot now.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde_json::json;

use super::auth::Admin;
use super::error::ApiError;
use super::{App, response};

/// `GET /v1/health`: the process answers.
pub(super) async fn health() -> Response {
    response::ok(&json!({"ok": true}))
}

/// `GET /v1/ready`: whether new work is admitted.
pub(super) async fn ready(State(app): State<Arc<App>>) -> Response {
    let readiness = app.engine.readiness();
    if readiness.ready {
        return response::ok(&json!({"ready": true}));
    }
    response::unavailable(&json!({"ready": false, "reason": readiness.reason}))
}

/// `POST /v1/admin/snapshot`.
pub(super) async fn snapshot(_: Admin, State(app): State<Arc<App>>) -> Result<Response, ApiError> {
    let round = app.engine.snapshot().await?;
    Ok(response::ok(&json!({
        "generation": round.generation,
        "lists": round.lists,
        "people": round.people,
        "campaigns": round.campaigns,
        "tookMs": round.took_ms,
    })))
}
