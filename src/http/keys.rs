//! API keys: listed, made, revoked. A secret is shown once, in the answer to the request that makes it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use serde_json::Value;

use restockd_engine::api::{KeyView, Scope};

use super::auth::Admin;
use super::body::{self, BODY_BYTES_MAX, Segment};
use super::error::ApiError;
use super::validate::{Fields, Issue, kind};
use super::{App, response};

/// Longer than any key id.
const ID_BYTES_MAX: usize = 256;

/// Origins of one publishable key.
const ORIGINS_MAX: usize = 20;
const ORIGIN_BYTES_MAX: usize = 255;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct KeyJson<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    name: &'a str,
    scope: &'static str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    origins: &'a [String],
    created_at: String,
    revoked_at: Option<String>,
}

fn row<'a>(view: &'a KeyView, key: Option<&'a str>) -> KeyJson<'a> {
    KeyJson {
        id: &view.id,
        key,
        name: &view.name,
        scope: match view.scope {
            Scope::Ingest => "ingest",
            Scope::Admin => "admin",
            Scope::Public => "ingest-public",
        },
        origins: &view.origins,
        created_at: view.created.to_string(),
        revoked_at: view.revoked.map(|at| at.to_string()),
    }
}

/// `GET /v1/keys`.
pub(super) async fn index(_: Admin, State(app): State<Arc<App>>) -> Result<Response, ApiError> {
    #[derive(Serialize)]
    struct Keys<'a> {
        keys: Vec<KeyJson<'a>>,
    }
    let keys = app.engine.keys().await?;
    Ok(response::ok(&Keys { keys: keys.iter().map(|view| row(view, None)).collect() }))
}

/// `POST /v1/keys`.
pub(super) async fn mint(_: Admin, State(app): State<Arc<App>>, body: Body) -> Result<Response, ApiError> {
    let body = body::read(body, BODY_BYTES_MAX, app.body_timeout).await?;
    let mut fields = Fields::parse(&body)?;
    let (name, word) = (fields.text("name"), fields.text("scope"));
    if !fields.issues.mentions("name") {
        fields.issues.name("name", name.as_deref());
    }
    let scope = match word.as_deref() {
        Some("ingest") => Scope::Ingest,
        Some("admin") => Scope::Admin,
        Some("ingest-public") => Scope::Public,
        other => {
            if !fields.issues.mentions("scope") {
                let received = if other.is_some() { "string" } else { "undefined" };
                fields.issues.add(Issue::value(&["scope"], "'ingest', 'ingest-public' or 'admin'", received));
            }
            Scope::Ingest
        }
    };
    let origins = if scope == Scope::Public { origins(&mut fields) } else { Vec::new() };
    let name = fields.issues.or(name.unwrap_or_default())?;
    let (view, key) = match scope {
        Scope::Public => app.engine.mint_public_key(name, origins).await?,
        scope => app.engine.mint_key(name, scope).await?,
    };
    Ok(response::created(&row(&view, Some(&key))))
}

/// The origins from which a publishable key may be used, in the form in which browsers send them.
fn origins(fields: &mut Fields) -> Vec<String> {
    let given = match fields.take("origins") {
        Some(Value::Array(given)) if (1..=ORIGINS_MAX).contains(&given.len()) => given,
        _ => {
            fields.issues.add(Issue::value(&["origins"], "an array of 1 to 20 origins", "undefined"));
            return Vec::new();
        }
    };
    let mut origins = Vec::with_capacity(given.len());
    for origin in given {
        match origin.as_str().and_then(origin_of) {
            Some(origin) => origins.push(origin),
            None => {
                let expected = "an origin such as https://shop.example";
                fields.issues.add(Issue::value(&["origins"], expected, kind(&origin)));
            }
        }
    }
    origins
}

/// An origin in the form in which a browser sends it.
fn origin_of(text: &str) -> Option<String> {
    let text = text.trim().trim_end_matches('/').to_ascii_lowercase();
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
    let fits = !host.is_empty() && text.len() <= ORIGIN_BYTES_MAX && host.bytes().all(plain);
    fits.then_some(text)
}

/// `DELETE /v1/keys/{id}`.
pub(super) async fn revoke(_: Admin, State(app): State<Arc<App>>, id: Segment) -> Result<Response, ApiError> {
    if id.0.len() > ID_BYTES_MAX {
        return Err(ApiError::NoRoute);
    }
    let view = app.engine.revoke_key(&id.0).await?;
    Ok(response::ok(&row(&view, None)))
}
