//! The HTTP layer: requests in, calls of the Engine out.
//!
//! One file per noun of the wire (events, lists, contacts, webhooks, campaigns, links, keys, operations); around them,
//! what every request passes:
//!
//! ```text
//! server      accepts, bounds connections        connection  deadlines of one connection
//! middleware  request id, span, panics, headers  auth        key and scope, before the body
//! body        reads it, bounded in size and time validate    typed fields, or issues
//! error       every refusal, with its status     response    every 2xx
//! ```
//!
//! Invariants: only the Engine is called, and nothing is kept between requests; a 2xx is written only after the Engine has
//! acknowledged; nothing that a client sends leads to a 500; no address, query string or key is logged.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{delete, get, post, put};
use ipnet::IpNet;
use tower::util::MapRequestLayer;

use restockd_engine::Engine;
use restockd_render::Templates;

mod auth;
mod batch;
mod body;
mod campaigns;
mod confirm;
mod connection;
mod consent;
mod contacts;
mod error;
mod events;
mod export;
mod feedback;
mod form;
#[cfg(feature = "testing")]
pub mod fuzzing;
mod keys;
mod limiter;
mod limits;
mod links;
mod lists;
mod middleware;
mod operations;
mod pages;
mod product;
mod providers;
mod proxies;
mod public;
mod recipients;
mod response;
mod server;
mod settings;
mod signature;
mod suppressions;
mod timestamp;
mod validate;
mod webhooks;

pub use feedback::{Fetch, Fetching, ReturnsSettings};
pub use proxies::network;
pub use server::Server;
pub use settings::{HttpSettings, KeepAddress, Scheme, Secret, Source, SourceFields};
pub use signature::sign;

use error::ApiError;

/// What the handlers share.
struct App {
    engine: Engine,
    templates: Arc<Templates>,
    sources: HashMap<String, webhooks::Receiver>,
    batches: limits::BodyMemory,
    returns: feedback::FeedbackVerifiers,
    places: Arc<limits::Places>,
    trusted: Vec<IpNet>,
    keep_address: KeepAddress,
    limits: public::Limits,
    body_timeout: Duration,
}

fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/v1/events", post(events::create))
        .route("/v1/events/batch", post(batch::create))
        .route("/v1/lists", get(lists::index))
        .route("/v1/lists/{id}", get(lists::show))
        .route("/v1/lists/{id}/members", get(lists::members))
        .route("/v1/lists/{id}/position", get(lists::position))
        .route("/v1/lists/{id}/subscribe", post(lists::subscribe))
        .route("/v1/lists/{id}/unsubscribe", post(lists::unsubscribe))
        .route("/v1/contacts", put(contacts::put).delete(contacts::erase))
        .route("/v1/contacts/find", get(contacts::find))
        .route("/v1/contacts/export", get(contacts::export))
        .route(
            "/v1/suppressions",
            get(suppressions::index).post(suppressions::create).delete(suppressions::remove),
        )
        .route("/v1/suppressions/import", post(suppressions::import::create))
        .route("/v1/suppressions/export", get(suppressions::export::show))
        .route("/v1/webhooks/{source}", post(webhooks::receive))
        .route("/v1/returns", post(feedback::message))
        .route("/v1/returns/{relay}", post(feedback::relay))
        .route("/v1/campaigns", get(campaigns::index).post(campaigns::create))
        .route("/v1/campaigns/{id}", get(campaigns::show))
        .route("/v1/campaigns/{id}/recipients", get(recipients::index))
        .route("/v1/campaigns/{id}/cancel", post(campaigns::cancel))
        .route("/v1/campaigns/{id}/pause", post(campaigns::pause))
        .route("/v1/campaigns/{id}/resume", post(campaigns::resume))
        .route("/v1/campaigns/{id}/retry-failed", post(campaigns::retry_failed))
        .route("/v1/campaigns/{id}/in-doubt/resend", post(campaigns::resend_doubt))
        .route("/v1/campaigns/{id}/in-doubt/drop", post(campaigns::drop_doubt))
        .route("/v1/email/unsubscribe", get(links::ask).post(links::unsubscribe))
        .route("/v1/email/preferences", get(links::preferences).post(links::set_preferences))
        .route("/v1/email/confirm", get(confirm::ask).post(confirm::confirm))
        .route("/v1/public/join", post(public::join).options(public::preflight))
        .route("/v1/keys", get(keys::index).post(keys::mint))
        .route("/v1/keys/{id}", delete(keys::revoke))
        .route("/v1/providers", get(providers::index))
        .route("/v1/admin/snapshot", post(operations::snapshot))
        .route("/v1/health", get(operations::health))
        .route("/v1/ready", get(operations::ready))
        .fallback(async || ApiError::NoRoute)
        .method_not_allowed_fallback(async || ApiError::NoMethod)
        .route_layer(MapRequestLayer::new(middleware::name_route))
        .with_state(app)
}
