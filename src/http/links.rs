//! The links in every mail: unsubscribing, and the preference page.
//!
//! The token is the authentication. GET and HEAD only show a page, because mail scanners follow every link; POST to the
//! same URL acts, and is also what a mail provider's one-click button sends (RFC 8058). Errors are pages, since a person
//! reads them.

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

/// Longer than any token.
const TOKEN_BYTES_MAX: usize = 2048;

/// `GET /v1/email/unsubscribe`: shows what the link is for and asks.
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

/// `POST /v1/email/unsubscribe`: unsubscribes.
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

/// `GET /v1/email/preferences`: shows the page.
pub(super) async fn preferences(State(app): State<Arc<App>>, query: Query) -> Response {
    let page = async {
        let token = token(&query)?;
        let view = app.engine.preferences(&token).await?;
        pages::page(&app.templates, "preferences", &rows(&app, &token, &view, false))
    };
    shown(&app, page.await)
}

/// `POST /v1/email/preferences`: saves the form.
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
    page.unwrap_or_else(|error| pages::error_page(&app.templates, &error, app.engine.shop_name()))
}

/// The token in the query; an error unless it has the size of a token.
pub(super) fn token(query: &Query) -> Result<String, ApiError> {
    let token = query.get("token").filter(|token| token.len() <= TOKEN_BYTES_MAX);
    token.map(Into::into).ok_or(RequestRefusal::BadLink.into())
}

pub(super) async fn form(app: &App, request: Request) -> Result<Form, ApiError> {
    let (parts, body) = request.into_parts();
    let body = body::read(body, FORM_BYTES_MAX, app.body_timeout).await?;
    Ok(Form::read(&parts.headers, body).await)
}

/// The URL that a page's form is sent to: the page's own, with the token.
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
