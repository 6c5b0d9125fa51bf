//! Contacts: created or changed, found, exported, erased.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use serde_json::{Map, Value, json};

use restockd_core::Email;
use restockd_engine::RequestRefusal;
use restockd_engine::api::{ContactInput, ContactView, Identity};

use super::auth::{Admin, Ingest};
use super::body::{self, BODY_BYTES_MAX, Query};
use super::consent::{self, Client};
use super::error::ApiError;
use super::validate::Fields;
use super::{App, export, response};

/// `PUT /v1/contacts`.
pub(super) async fn put(
    Ingest(key): Ingest,
    client: Client,
    State(app): State<Arc<App>>,
    body: Body,
) -> Result<Response, ApiError> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Put {
        id: String,
        created: bool,
        linked: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        lists_error: Option<String>,
    }
    let body = body::read(body, BODY_BYTES_MAX, app.body_timeout).await?;
    let mut fields = Fields::parse(&body)?;
    let who = who(&mut fields);
    let properties = fields.properties("properties");
    fields.issues.contact_keys("properties", &properties);
    let lists = fields.bag("lists").unwrap_or_default();
    let given = fields.take("consent");
    let consent = consent::read(&mut fields.issues, given);
    let consent = consent::witness(consent, &key, client, app.keep_address);
    let contact = fields.issues.or(ContactInput { who, properties, lists, consent })?;
    named(&contact.who)?;
    let given = app.engine.put_contact(contact).await?;
    Ok(response::ok(&Put {
        id: given.id.to_string(),
        created: given.created,
        linked: given.linked,
        lists_error: given.lists_error,
    }))
}

/// `GET /v1/contacts/find`.
pub(super) async fn find(_: Ingest, State(app): State<Arc<App>>, query: Query) -> Result<Response, ApiError> {
    #[derive(Serialize)]
    struct Found<'a> {
        contacts: Vec<ContactJson<'a>>,
    }
    let who = query.who()?;
    named(&who)?;
    let found = app.engine.find_contacts(who).await?;
    Ok(response::ok(&Found { contacts: found.iter().map(ContactJson::from).collect() }))
}

/// `GET /v1/contacts/export`.
pub(super) async fn export(
    _: Admin,
    State(app): State<Arc<App>>,
    query: Query,
) -> Result<Response, ApiError> {
    let who = query.who()?;
    named(&who)?;
    let held = app.engine.export(who).await?;
    held.map(|held| response::ok(&export::json(&held))).ok_or(RequestRefusal::UnknownContact.into())
}

/// `DELETE /v1/contacts`.
pub(super) async fn erase(_: Ingest, State(app): State<Arc<App>>, body: Body) -> Result<Response, ApiError> {
    let body = body::read(body, BODY_BYTES_MAX, app.body_timeout).await?;
    let mut fields = Fields::parse(&body)?;
    let who = who(&mut fields);
    let who = fields.issues.or(who)?;
    named(&who)?;
    if app.engine.erase(who).await? {
        Ok(response::ok(&json!({"deleted": true})))
    } else {
        Err(RequestRefusal::UnknownContact.into())
    }
}

/// The names that a body gives a person.
fn who(fields: &mut Fields) -> Identity {
    let (email, user_id, anonymous_id) =
        (fields.text("email"), fields.text("userId"), fields.text("anonymousId"));
    Identity {
        email: fields.issues.email("email", email.as_deref()),
        user_id: fields.issues.key("userId", user_id),
        anonymous_id: fields.issues.key("anonymousId", anonymous_id),
    }
}

/// Refuses a request that names nobody.
fn named(who: &Identity) -> Result<(), ApiError> {
    if who.is_empty() { Err(RequestRefusal::NoIdentity.into()) } else { Ok(()) }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ContactJson<'a> {
    id: String,
    external_id: Option<&'a str>,
    email: Option<&'a str>,
    properties: &'a Map<String, Value>,
    first_seen_at: String,
    last_seen_at: String,
    created_at: String,
    updated_at: String,
}

impl<'a> From<&'a ContactView> for ContactJson<'a> {
    fn from(contact: &'a ContactView) -> Self {
        Self {
            id: contact.id.to_string(),
            external_id: contact.external_id.as_deref(),
            email: contact.email.as_ref().map(Email::as_str),
            properties: &contact.properties,
            first_seen_at: contact.first_seen.to_string(),
            last_seen_at: contact.last_seen.to_string(),
            created_at: contact.created.to_string(),
            updated_at: contact.updated.to_string(),
        }
    }
}
