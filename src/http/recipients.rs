//! The letters of a campaign: a page of its ledger.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;

use restockd_core::Email;
use restockd_core::campaign::LetterState;
use restockd_engine::api::{RecipientView, RecipientsQuery};

use super::auth::Admin;
use super::body::{Query, Segment};
use super::error::ApiError;
use super::validate::Issue;
use super::{App, response};

/// Rows on a page: the limit, and the default.
const PAGE_MAX: usize = 1000;
const PAGE: usize = 200;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RecipientJson<'a> {
    id: String,
    email: Option<&'a str>,
    status: &'static str,
    reason: Option<&'static str>,
    attempts: u16,
    at: String,
    reply: Option<&'a str>,
    class: Option<&'static str>,
    message_id: Option<&'a str>,
}

fn row(view: &RecipientView) -> RecipientJson<'_> {
    RecipientJson {
        id: view.id.to_string(),
        email: view.email.as_ref().map(Email::as_str),
        status: view.status,
        reason: view.reason,
        attempts: view.attempts,
        at: view.at.to_string(),
        reply: view.reply.as_deref(),
        class: view.class,
        message_id: view.message_id.as_deref(),
    }
}

/// `GET /v1/campaigns/{id}/recipients`.
pub(super) async fn index(
    _: Admin,
    State(app): State<Arc<App>>,
    id: Segment,
    query: Query,
) -> Result<Response, ApiError> {
    #[derive(Serialize)]
    struct Page<'a> {
        recipients: Vec<RecipientJson<'a>>,
        cursor: Option<String>,
    }
    let status = query.get("status").filter(|status| !status.is_empty()).map(|status| status.to_string());
    if status.as_ref().is_some_and(|status| !LetterState::STATUSES.contains(&status.as_str())) {
        return Err(ApiError::issue(Issue::value(&["status"], "a status of a letter", "string")));
    }
    let cursor = query.number("cursor", 0, 0, u32::MAX as usize)?;
    let cursor = u32::try_from(cursor).unwrap_or(u32::MAX);
    let limit = query.number("limit", PAGE, 1, PAGE_MAX)?;
    let asked = RecipientsQuery { status, cursor, limit };
    let page = app.engine.recipients(super::campaigns::fit(&id)?, asked).await?;
    let cursor = page.cursor.map(|cursor| cursor.to_string());
    Ok(response::ok(&Page { recipients: page.recipients.iter().map(row).collect(), cursor }))
}
