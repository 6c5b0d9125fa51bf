//! The link in a confirmation mail: GET shows what would be joined, POST joins it.
//!
//! As with the other links, GET and HEAD change nothing, because scanners of mail follow every link. Only lists that the
//! page showed and that were left ticked are joined.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::json;

use super::body::Query;
use super::consent::{Client, kept};
use super::links::{action, form, shown, token};
use super::{App, pages};

/// `GET /v1/email/confirm`: shows the lists and asks.
pub(super) async fn ask(State(app): State<Arc<App>>, query: Query) -> Response {
    let page = async {
        let token = token(&query)?;
        let lists = app.engine.confirmation(&token).await?;
        let lists: Vec<_> = lists.iter().map(|(id, name)| json!({"id": id.as_str(), "name": name})).collect();
        let context = json!({"lists": lists, "action": action(&token), "shop_name": app.engine.shop_name()});
        pages::page(&app.templates, "confirm", &context)
    };
    shown(&app, page.await)
}

/// `POST /v1/email/confirm`: joins the lists.
pub(super) async fn confirm(
    State(app): State<Arc<App>>,
    client: Client,
    query: Query,
    request: Request,
) -> Response {
    let page = async {
        let token = token(&query)?;
        let form = form(&app, request).await?;
        let source = kept(client.0, app.keep_address);
        let lists = app.engine.confirm(&token, form.all("list"), source).await?;
        let (title, text) = match lists.is_empty() {
            true => ("Nothing to confirm", "Nothing has changed."),
            false => ("Confirmed", ""),
        };
        let context =
            json!({"title": title, "text": text, "lists": lists, "shop_name": app.engine.shop_name()});
        Ok(pages::done(&app.templates, "confirmed", &context, "It is confirmed."))
    };
    shown(&app, page.await)
}
