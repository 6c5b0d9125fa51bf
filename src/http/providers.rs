//! Receiving providers: the rate at which each is mailed now, and why.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;

use restockd_core::Millis;
use restockd_engine::api::ProviderReport;

use super::auth::Admin;
use super::error::ApiError;
use super::{App, response};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProviderJson<'a> {
    provider: &'a str,
    rate: Option<String>,
    set: Option<String>,
    throttled: bool,
    opens_at: Option<String>,
    connections: u32,
    in_flight: u32,
    set_aside: u64,
    sent_today: u32,
    per_day: Option<u32>,
    ceiling_reached: bool,
    last_throttle: Option<Throttle<'a>>,
}

#[derive(Serialize)]
struct Throttle<'a> {
    at: String,
    reply: &'a str,
}

fn row(view: &ProviderReport) -> ProviderJson<'_> {
    ProviderJson {
        provider: &view.name,
        rate: view.rate.map(|rate| rate.to_string()),
        set: view.set.map(|rate| rate.to_string()),
        throttled: view.throttled,
        opens_at: view.opens_at.map(|at: Millis| at.to_string()),
        connections: view.connections,
        in_flight: view.in_flight,
        set_aside: view.set_aside,
        sent_today: view.today,
        per_day: view.ceiling,
        ceiling_reached: view.ceiling_reached,
        last_throttle: view.last.as_ref().map(|(at, reply)| Throttle { at: at.to_string(), reply }),
    }
}

/// `GET /v1/providers`: providers that were mailed, limited or slowed down, by name.
pub(super) async fn index(_: Admin, State(app): State<Arc<App>>) -> Result<Response, ApiError> {
    #[derive(Serialize)]
    struct Page<'a> {
        providers: Vec<ProviderJson<'a>>,
    }
    let views = app.engine.providers().await?;
    Ok(response::ok(&Page { providers: views.iter().map(row).collect() }))
}
