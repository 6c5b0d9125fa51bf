//! The links in every mail: leaving a list, and the preference page.
//!
//! The token is the authentication. GET and HEAD only ever show (mail scanners follow every
//! link); POST does, at the same URL, which is also what a provider's one-click button sends
//! (RFC 8058). Errors are pages, for the reader is a person.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::{Value, json};

use restockd_engine::RequestRefusal;
use restockd_engine::api::{LinkView, PreferencesInput, PreferencesView};

use super::body::{self, Query};
use super::error::ApiError;
use super::form::{FORM_BYTES_MAX, Form};
use super::{App, pages};

/// No token of ours is longer.
const TOKEN_BYTES_MAX: usize = 2048;

/// `GET /v1/email/unsubscribe`: asks.
pub(super) async fn ask(State(app): State<Arc<App>>, query: Query) -> Response {
    let page = async {
        let token = token(&query)?;
        let link = app.engine.link(&token).await?;
        let context = json!({
            "token": token,
            "list_name": list_name(&link),
            "subscribed": link.subscribed,
            "action": action(&token),
            "shop_name": app.engine.shop_name(),
        });
        pages::page(&app.templates, "unsubscribe", &context)
    };
    shown(&app, page.await)
}

/// `POST /v1/email/unsubscribe`: does.
pub(super) async fn unsubscribe(State(app): State<Arc<App>>, query: Query, request: Request) -> Response {
    let page = async {
        let token = token(&query)?;
        let form = form(&app, request).await?;
        let all = form.get("scope") == Some("all");
        let link = app.engine.unsubscribe(&token, all).await?;
        let scope = if all || link.list.is_none() { "all" } else { "list" };
        let context =
            json!({"scope": scope, "list_name": list_name(&link), "shop_name": app.engine.shop_name()});
        Ok(pages::done(&app.templates, "unsubscribed", &context, "You have been unsubscribed."))
    };
    shown(&app, page.await)
}

/// `GET /v1/email/preferences`: shows.
pub(super) async fn preferences(State(app): State<Arc<App>>, query: Query) -> Response {
    let page = async {
        let token = token(&query)?;
        let view = app.engine.preferences(&token).await?;
        pages::page(&app.templates, "preferences", &rows(&app, &token, &view, false))
    };
    shown(&app, page.await)
}

/// `POST /v1/email/preferences`: saves.
pub(super) async fn set_preferences(State(app): State<Arc<App>>, query: Query, request: Request) -> Response {
    let page = async {
        let token = token(&query)?;
        let form = form(&app, request).await?;
        let unsubscribe_all = match form.get("all") {
            Some("stop") => Some(true),
            Some("start") => Some(false),
            _ => None,
        };
        let wanted = PreferencesInput { shown: form.all("shown"), kept: form.all("list"), unsubscribe_all };
        let view = app.engine.set_preferences(&token, wanted).await?;
        let context = rows(&app, &token, &view, true);
        Ok(pages::done(&app.templates, "preferences", &context, "Your choices have been saved."))
    };
    shown(&app, page.await)
}

pub(super) fn shown(app: &App, page: Result<Response, ApiError>) -> Response {
    page.unwrap_or_else(|error| pages::trouble(&app.templates, &error, app.engine.shop_name()))
}

/// The token in the query, if it can be one.
pub(super) fn token(query: &Query) -> Result<String, ApiError> {
    let token = query.get("token").filter(|token| token.len() <= TOKEN_BYTES_MAX);
    token.map(Into::into).ok_or(RequestRefusal::BadLink.into())
}

pub(super) async fn form(app: &App, request: Request) -> Result<Form, ApiError> {
    let (parts, body) = request.into_parts();
    let body = body::read(body, FORM_BYTES_MAX, app.body_timeout).await?;
    Ok(Form::read(&parts.headers, body).await)
}

/// Where a page's form goes: the page's own address, the token in it.
pub(super) fn action(token: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    format!("?{}", query.append_pair("token", token).finish())
}

fn list_name(link: &LinkView) -> Option<&str> {
    link.list.as_ref().map(|(_, name)| name.as_str())
}

fn rows(app: &App, token: &str, view: &PreferencesView, saved: bool) -> Value {
    let rows = view
        .rows
        .iter()
        .map(|(id, name, subscribed)| json!({"id": id.as_str(), "name": name, "subscribed": subscribed}));
    json!({
        "token": token,
        "action": action(token),
        "rows": rows.collect::<Vec<_>>(),
        "unsubscribed_all": view.unsubscribed_all,
        "suppressed": view.suppressed,
        "saved": saved,
        "shop_name": app.engine.shop_name(),
    })
}
