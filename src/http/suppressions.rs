//! The suppression list: `/v1/suppressions`, for admin keys.
//!
//! A reason is one of `unsubscribed`, `hard_bounce`, `complaint`, `manual`. `erased` is shown where an erasure left a hash,
//! and cannot be given. An answer never contains an address unless the request named it or a contact has it. Import and
//! export have files of their own.

pub(super) mod export;
pub(super) mod import;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use serde_json::json;

use restockd_core::Email;
use restockd_core::directory::SuppressionReason;
use restockd_engine::api::SuppressionView;
use restockd_engine::{EngineError, RequestRefusal};

use super::auth::Admin;
use super::body::{self, BODY_BYTES_MAX, Query};
use super::error::ApiError;
use super::validate::{Fields, Issue, Issues};
use super::{App, response};

/// Rows on a page: the limit, and the default.
const PAGE_MAX: usize = 1000;
/// The possible reasons, for an issue's text.
const REASONS: &str = "'unsubscribed', 'hard_bounce', 'complaint' or 'manual'";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SuppressionJson {
    email: Option<String>,
    address_hash: String,
    reason: &'static str,
    at: Option<String>,
    evidence: Option<String>,
}

impl From<SuppressionView> for SuppressionJson {
    fn from(view: SuppressionView) -> Self {
        Self {
            email: view.email.map(|email| email.as_str().to_owned()),
            address_hash: format!("{:032x}", view.address),
            reason: view.reason.as_str(),
            at: view.at.map(|at| at.to_string()),
            evidence: view.evidence,
        }
    }
}

/// `GET /v1/suppressions`.
pub(super) async fn index(_: Admin, State(app): State<Arc<App>>, query: Query) -> Result<Response, ApiError> {
    #[derive(Serialize)]
    struct Page {
        suppressions: Vec<SuppressionJson>,
        cursor: Option<String>,
    }
    let mut issues = Issues::default();
    let email = issues.email("email", query.get("email").as_deref());
    if let Some(email) = issues.or(email)? {
        let held = app.engine.suppression(email).await?;
        return Ok(response::ok(&Page {
            suppressions: held.into_iter().map(SuppressionJson::from).collect(),
            cursor: None,
        }));
    }
    let limit = query.number("limit", PAGE_MAX, 1, PAGE_MAX)?;
    let page = app.engine.suppressions(limit, query.get("cursor").as_deref()).await.map_err(cursor)?;
    Ok(response::ok(&Page {
        suppressions: page.rows.into_iter().map(SuppressionJson::from).collect(),
        cursor: page.cursor,
    }))
}

/// `POST /v1/suppressions`.
pub(super) async fn create(
    Admin(key): Admin,
    State(app): State<Arc<App>>,
    body: Body,
) -> Result<Response, ApiError> {
    #[derive(Serialize)]
    struct Made {
        #[serde(flatten)]
        row: Option<SuppressionJson>,
        changed: bool,
    }
    let body = body::read(body, BODY_BYTES_MAX, app.body_timeout).await?;
    let (email, reason) = item(Fields::parse(&body)?)?;
    let evidence = format!("API key {key}");
    let changed = app.engine.suppress(vec![(email.clone(), reason)], &evidence).await?.contains(&true);
    let row = app.engine.suppression(email).await?.map(SuppressionJson::from);
    Ok(response::ok(&Made { row, changed }))
}

/// `DELETE /v1/suppressions`.
pub(super) async fn remove(_: Admin, State(app): State<Arc<App>>, body: Body) -> Result<Response, ApiError> {
    let body = body::read(body, BODY_BYTES_MAX, app.body_timeout).await?;
    let mut fields = Fields::parse(&body)?;
    let email = email(&mut fields);
    let email = fields.issues.or(email)?.ok_or(ApiError::Malformed)?;
    if app.engine.release(email).await? {
        Ok(response::ok(&json!({"deleted": true})))
    } else {
        Err(ApiError::Unknown("Suppression not found".to_owned()))
    }
}

/// Reads an address with its reason.
fn item(mut fields: Fields) -> Result<(Email, SuppressionReason), ApiError> {
    let email = email(&mut fields);
    let reason = fields.text("reason");
    let reason = reason_of(&mut fields.issues, reason.as_deref());
    let both = fields.issues.or(email.zip(reason))?;
    both.ok_or(ApiError::Malformed)
}

/// Reads the required address.
fn email(fields: &mut Fields) -> Option<Email> {
    let text = fields.text("email");
    let email = fields.issues.email("email", text.as_deref());
    if email.is_none() && !fields.issues.mentions("email") {
        fields.issues.add(Issue::kind(&["email"], "string", "undefined"));
    }
    email
}

/// Reads a reason; `manual` when none is given.
fn reason_of(issues: &mut Issues, reason: Option<&str>) -> Option<SuppressionReason> {
    let reason = reason.map(str::trim).filter(|reason| !reason.is_empty()).unwrap_or("manual");
    let block = SuppressionReason::parse(reason);
    if block.is_none() {
        issues.add(Issue::value(&["reason"], REASONS, "string"));
    }
    block
}

/// A bad cursor is reported as a mistake of the request.
fn cursor(error: EngineError) -> ApiError {
    match error {
        EngineError::Refused(RequestRefusal::BadCursor) => {
            ApiError::issue(Issue::value(&["cursor"], "the cursor of a page before", "string"))
        }
        error => error.into(),
    }
}
