//! Lists: which there are, who is on one, joining and leaving.
//!
//! A list's id is in the path, percent-encoded; the Engine decides whether it is known.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use serde::Serialize;

use restockd_core::text::key_fits;
use restockd_core::{Email, ListId};
use restockd_engine::api::{Identity, ListView, ListsQuery};
use restockd_engine::{EngineError, RequestRefusal};

use super::auth::{Admin, Ingest};
use super::body::{self, BODY_BYTES_MAX, Query, Segment};
use super::consent::{self, Client};
use super::error::ApiError;
use super::validate::{Fields, Issue};
use super::{App, response};

/// Rows on a page: the limit, and the default.
const PAGE_MAX: usize = 1000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListJson<'a> {
    id: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    default_opt_in: bool,
    kind: &'static str,
    members: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    subscribed: Option<bool>,
}

impl<'a> From<&'a ListView> for ListJson<'a> {
    fn from(list: &'a ListView) -> Self {
        Self {
            id: list.id.as_str(),
            name: &list.name,
            description: list.description.as_deref(),
            default_opt_in: list.default_opt_in,
            kind: "topic",
            members: list.members,
            subscribed: list.subscribed,
        }
    }
}

/// `GET /v1/lists`.
pub(super) async fn index(
    _: Ingest,
    State(app): State<Arc<App>>,
    query: Query,
) -> Result<Response, ApiError> {
    #[derive(Serialize)]
    struct Page<'a> {
        lists: Vec<ListJson<'a>>,
        cursor: Option<&'a str>,
    }
    let who = query.who()?;
    let asked = ListsQuery {
        limit: query.number("limit", PAGE_MAX, 1, PAGE_MAX)?,
        cursor: query.get("cursor").map(Into::into),
        who: (!who.is_empty()).then_some(who),
    };
    let page = app.engine.lists(asked).await.map_err(|error| match error {
        EngineError::Refused(RequestRefusal::BadCursor) => bad_cursor(),
        error => error.into(),
    })?;
    let lists = page.lists.iter().map(ListJson::from).collect();
    Ok(response::ok(&Page { lists, cursor: page.cursor.as_deref() }))
}

/// `GET /v1/lists/{id}`.
pub(super) async fn show(_: Ingest, State(app): State<Arc<App>>, id: Segment) -> Result<Response, ApiError> {
    #[derive(Serialize)]
    struct Detail<'a> {
        #[serde(flatten)]
        row: ListJson<'a>,
        left: u64,
        stock: Option<i64>,
        product: Option<&'a str>,
        running: Vec<String>,
    }
    let list = app.engine.list(list_id(&id)?).await?;
    Ok(response::ok(&Detail {
        row: ListJson::from(&list.view),
        left: list.left,
        stock: list.stock,
        product: list.product.as_deref(),
        running: list.running.iter().map(ToString::to_string).collect(),
    }))
}

/// `GET /v1/lists/{id}/members`.
pub(super) async fn members(
    _: Admin,
    State(app): State<Arc<App>>,
    id: Segment,
    query: Query,
) -> Result<Response, ApiError> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Member<'a> {
        id: String,
        external_id: Option<&'a str>,
        email: Option<&'a str>,
        position: u64,
        joined_at: String,
    }
    #[derive(Serialize)]
    struct Page<'a> {
        members: Vec<Member<'a>>,
        cursor: Option<&'a str>,
        total: u64,
    }
    let limit = query.number("limit", PAGE_MAX, 1, PAGE_MAX)?;
    let cursor = query.get("cursor").map(|text| text.parse::<u32>()).transpose();
    let cursor = cursor.map_err(|_| bad_cursor())?;
    let page = app.engine.members(list_id(&id)?, cursor, limit).await?;
    let members = page.members.iter().map(|member| Member {
        id: member.id.to_string(),
        external_id: member.external_id.as_deref(),
        email: member.email.as_ref().map(Email::as_str),
        position: member.position,
        joined_at: member.joined.to_string(),
    });
    Ok(response::ok(&Page { members: members.collect(), cursor: page.cursor.as_deref(), total: page.total }))
}

/// `GET /v1/lists/{id}/position`.
pub(super) async fn position(
    _: Ingest,
    State(app): State<Arc<App>>,
    id: Segment,
    query: Query,
) -> Result<Response, ApiError> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Place {
        position: u64,
        total: u64,
        joined_at: String,
    }
    let id = list_id(&id)?;
    let who = query.who()?;
    if who.is_empty() {
        return Err(RequestRefusal::NoIdentity.into());
    }
    let place = app.engine.position(id, who).await?;
    let joined_at = place.joined.to_string();
    Ok(response::ok(&Place { position: place.position, total: place.total, joined_at }))
}

/// `POST /v1/lists/{id}/subscribe`.
pub(super) async fn subscribe(
    Ingest(key): Ingest,
    client: Client,
    State(app): State<Arc<App>>,
    id: Segment,
    body: Body,
) -> Result<Response, ApiError> {
    set(&app, &id, body, Some((key, client))).await
}

/// `POST /v1/lists/{id}/unsubscribe`.
pub(super) async fn unsubscribe(
    _: Ingest,
    State(app): State<Arc<App>>,
    id: Segment,
    body: Body,
) -> Result<Response, ApiError> {
    set(&app, &id, body, None).await
}

/// Joins a list, with the evidence that the request itself shows, or leaves it.
async fn set(
    app: &App,
    id: &Segment,
    body: Body,
    join: Option<(String, Client)>,
) -> Result<Response, ApiError> {
    #[derive(Serialize)]
    struct Set<'a> {
        list: &'a str,
        subscribed: bool,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        pending: bool,
    }
    let id = list_id(id)?;
    let body = body::read(body, BODY_BYTES_MAX, app.body_timeout).await?;
    let mut fields = Fields::parse(&body)?;
    let (email, user_id) = (fields.text("email"), fields.text("userId"));
    let consent = fields.take("consent").filter(|_| join.is_some());
    let consent = consent::read(&mut fields.issues, consent);
    fields.issues.or(())?;
    let on = join.is_some();
    let consent = join.and_then(|(key, client)| consent::witness(consent, &key, client, app.keep_address));
    let given = app.engine.set_membership(id, person(email.as_deref(), user_id)?, on, consent).await?;
    let (subscribed, pending) = (given.subscribed, given.pending);
    Ok(response::ok(&Set { list: given.list.as_str(), subscribed, pending }))
}

/// The person that a form's fields name; these two routes say in plain words what is wrong.
fn person(email: Option<&str>, user_id: Option<String>) -> Result<Identity, ApiError> {
    let user_id = user_id.filter(|id| !id.is_empty());
    if user_id.as_ref().is_some_and(|id| !key_fits(id)) {
        return Err(ApiError::Bad("userId must hold at most 255 bytes and no control characters".into()));
    }
    let email = match email.filter(|email| !email.trim().is_empty()) {
        None => None,
        Some(text) => Some(Email::parse(text).ok_or(ApiError::Bad("email is not a valid address".into()))?),
    };
    let who = Identity { email, user_id, anonymous_id: None };
    if who.is_empty() { Err(RequestRefusal::NoIdentity.into()) } else { Ok(who) }
}

/// The error for a cursor that no page ended with.
fn bad_cursor() -> ApiError {
    ApiError::issue(Issue::value(&["cursor"], "a cursor of a page before", "string"))
}

/// An id that a list could have.
fn list_id(id: &Segment) -> Result<&str, ApiError> {
    match ListId::parse(&id.0) {
        Some(_) => Ok(&id.0),
        None => Err(ApiError::Bad("invalid list id".into())),
    }
}
