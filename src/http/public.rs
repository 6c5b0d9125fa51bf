//! `POST /v1/public/join`: the button of a shop without a back end, with a publishable key.
//!
//! ```text
//! form    key=rk_pub_… & email=… & list=restock-chair-01 [& wording=v3]     urlencoded or multipart
//! json    {"key","email","list","wording"}                                   from a script, by CORS
//! ```
//!
//! Everybody can read such a key, so the checks around it matter: the browser's `Origin` must be one of the key's, every
//! join needs a confirmation by mail, and each client and each address may ask only so often. The answer is the same for
//! everybody: known or unknown, member or not, suppressed or not. A field `website` that people do not see catches robots
//! that fill in every field: they get the same answer, and nothing happens.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use restockd_core::directory::ConsentEvidence;
use restockd_core::{Email, ListId};
use restockd_engine::RequestRefusal;

use super::body::{self, BODY_BYTES_MAX};
use super::consent::{self, Client, kept};
use super::error::ApiError;
use super::form::Form;
use super::limiter::Limiter;
use super::proxies::client_network;
use super::validate::{Fields, Issue, Issues};
use super::{App, pages, response};

/// Longer than any origin and any publishable key.
const NAME_BYTES_MAX: usize = 300;

/// The limits of one client and of one address.
#[derive(Debug)]
pub(super) struct Limits {
    client: Limiter,
    address: Limiter,
}

impl Default for Limits {
    /// Ten a minute from one client, five in ten minutes for one address.
    fn default() -> Self {
        Self { client: Limiter::new(10, 6_000), address: Limiter::new(5, 120_000) }
    }
}

/// Returns the value of a field by its name.
type Field = Box<dyn FnMut(&str) -> Option<String> + Send>;

/// The fields of a form or a script's request.
struct JoinRequest {
    key: String,
    email: Option<Email>,
    list: Option<ListId>,
    wording: String,
    robot: bool,
}

/// `OPTIONS /v1/public/join`: the browser's CORS preflight.
pub(super) async fn preflight(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let Some(origin) = origin(&headers).filter(|origin| app.engine.public_origin(origin)) else {
        return ApiError::Forbidden.into_response();
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let allowed = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "POST"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "content-type"),
        (header::ACCESS_CONTROL_MAX_AGE, "600"),
    ];
    for (name, value) in allowed {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    shared(response, &origin)
}

/// `POST /v1/public/join`.
pub(super) async fn join(State(app): State<Arc<App>>, client: Client, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let page = !is(&parts.headers, "application/json");
    let origin = origin(&parts.headers);
    let joined = asked(&app, client, origin.as_deref(), &parts.headers, body).await;
    let response = match joined {
        Ok(()) if page => {
            let text = "If mail may be sent to your address, one is on its way. Please use the link in it to confirm.";
            let context =
                json!({"title": "Check your mail", "text": text, "shop_name": app.engine.shop_name()});
            pages::done(&app.templates, "message", &context, text)
        }
        Ok(()) => response::accepted(&json!({"accepted": true})),
        Err(error) if page => pages::refused_form(&app.templates, &error, app.engine.shop_name()),
        Err(error) => error.into_response(),
    };
    match origin.filter(|origin| app.engine.public_origin(origin)) {
        Some(origin) => shared(response, &origin),
        None => response,
    }
}

/// Checks in an order that tells a stranger nothing, and asks for the list.
async fn asked(
    app: &App,
    client: Client,
    origin: Option<&str>,
    headers: &HeaderMap,
    body: Body,
) -> Result<(), ApiError> {
    let now = app.engine.now();
    let limited = |result: Result<(), u64>| result.map_err(|ms| ApiError::Often(ms.div_ceil(1000)));
    limited(app.limits.client.take(client_network(client.0), now))?;
    let body = body::read(body, BODY_BYTES_MAX, app.body_timeout).await?;
    let mut issues = Issues::default();
    let asked = read(&mut issues, headers, body).await?;
    let key = origin.and_then(|origin| app.engine.public_key(&asked.key, origin));
    let key = key.ok_or(ApiError::Unauthorized)?;
    let wording = consent::wording(&mut issues, asked.wording);
    let (email, list) = issues.or(asked.email.zip(asked.list))?.ok_or(RequestRefusal::NoIdentity)?;
    if asked.robot {
        return Ok(());
    }
    limited(app.limits.address.take(email.as_str(), now))?;
    let url = origin.unwrap_or_default().to_owned();
    let evidence = ConsentEvidence { key, source: kept(client.0, app.keep_address), wording, url };
    Ok(app.engine.public_join(email, list.as_str(), evidence).await?)
}

/// Reads the fields, whichever way they were sent.
async fn read(
    issues: &mut Issues,
    headers: &HeaderMap,
    body: axum::body::Bytes,
) -> Result<JoinRequest, ApiError> {
    let mut field: Field = if is(headers, "application/json") {
        let mut fields = Fields::parse(&body)?;
        Box::new(move |name| match fields.take(name)? {
            Value::String(text) => Some(text),
            _ => None,
        })
    } else {
        let form = Form::read(headers, body).await;
        Box::new(move |name| form.get(name).map(str::to_owned))
    };
    let (email, list) = (field("email"), field("list"));
    let parsed = issues.email("email", email.as_deref());
    if parsed.is_none() && !issues.mentions("email") {
        issues.add(Issue::kind(&["email"], "string", "undefined"));
    }
    let list = list.as_deref().and_then(ListId::parse);
    if list.is_none() {
        issues.add(Issue::value(&["list"], "the id of a list", "string"));
    }
    let key = field("key").filter(|key| key.len() <= NAME_BYTES_MAX).unwrap_or_default();
    let robot = field("website").is_some_and(|text| !text.trim().is_empty());
    Ok(JoinRequest { key, email: parsed, list, wording: field("wording").unwrap_or_default(), robot })
}

/// The browser's `Origin`; `None` unless there is exactly one.
fn origin(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all(header::ORIGIN).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let origin = value.to_str().ok()?;
    (origin.len() <= NAME_BYTES_MAX).then(|| origin.to_ascii_lowercase())
}

fn is(headers: &HeaderMap, wanted: &str) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(wanted)
}

/// Allows a script of this origin to read the answer.
fn shared(mut response: Response, origin: &str) -> Response {
    if let Ok(origin) = HeaderValue::from_str(origin) {
        response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    response.headers_mut().insert(header::VARY, HeaderValue::from_name(HeaderName::from_static("origin")));
    response
}
