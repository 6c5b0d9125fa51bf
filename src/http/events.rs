//! `POST /v1/events`: one event with its bag and its idempotency key.
//!
//! The common case is fast: the body is parsed once, straight into a struct. Only when that fails is it parsed again into a
//! [`Value`], to say precisely what is wrong (or to find that nothing is: a duplicate field is legal JSON, and the last one
//! counts). Both paths end in [`RawEvent::check`], so they cannot disagree about meaning.

use std::fmt;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use restockd_engine::api::{EventAnswer, EventInput, Identity};

use super::auth::Ingest;
use super::body::{self, BODY_BYTES_MAX, IDEMPOTENCY_KEY, header_key};
use super::consent::{self, Client};
use super::error::ApiError;
use super::product;
use super::validate::{BAG_IDS_MAX, Fields, Issues};
use super::{App, response};

/// In a shorter body the properties cannot exceed their own limit.
const PROPERTIES_CHECKED_FROM: usize = 8 << 10;

/// `POST /v1/events`.
pub(super) async fn create(
    Ingest(key): Ingest,
    client: Client,
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let header = header_key(&parts.headers)?;
    let body = body::read(body, BODY_BYTES_MAX, app.body_timeout).await?;
    let text = std::str::from_utf8(&body).map_err(|_| ApiError::Malformed)?;
    let mut event = parse(text, header)?;
    event.consent = consent::witness(event.consent, &key, client, app.keep_address);
    let given = app.engine.ingest(event).await?;
    Ok(response::accepted(&Stored::from(&given)))
}

/// The body of the 202.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stored<'a> {
    stored: bool,
    exits: [(); 0],
    contact_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lists_error: Option<&'a str>,
}

impl<'a> From<&'a EventAnswer> for Stored<'a> {
    fn from(given: &'a EventAnswer) -> Self {
        Self {
            stored: given.stored,
            exits: [],
            contact_key: given.contact_key.as_deref(),
            lists_error: given.lists_error.as_deref(),
        }
    }
}

pub(super) fn parse(text: &str, header_key: Option<String>) -> Result<EventInput, ApiError> {
    // The derived struct would also accept an array, field by field.
    let fast =
        if text.trim_start().starts_with('{') { serde_json::from_str::<RawEvent>(text).ok() } else { None };
    let (event, issues) = match fast {
        Some(event) => (event, Issues::default()),
        None => RawEvent::by_field(text)?,
    };
    event.check(issues, header_key, text.len())
}

/// An event whose fields have the right types; nothing else is checked.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawEvent {
    name: Option<String>,
    email: Option<String>,
    user_id: Option<String>,
    anonymous_id: Option<String>,
    event_properties: Option<Map<String, Value>>,
    contact_properties: Option<Map<String, Value>>,
    value: Option<f64>,
    currency: Option<String>,
    lists: Option<Bag>,
    idempotency_key: Option<String>,
    timestamp: Option<String>,
    consent: Option<Value>,
}

impl RawEvent {
    /// Reads field by field, with an issue for each that has another type.
    fn by_field(text: &str) -> Result<(Self, Issues), ApiError> {
        let mut fields = Fields::parse(text.as_bytes())?;
        let event = Self {
            name: fields.text("name"),
            email: fields.text("email"),
            user_id: fields.text("userId"),
            anonymous_id: fields.text("anonymousId"),
            event_properties: fields.object("eventProperties"),
            contact_properties: fields.object("contactProperties"),
            value: fields.number("value"),
            currency: fields.text("currency"),
            lists: fields.bag("lists").map(|ids| Bag { ids, over: false }),
            idempotency_key: fields.text("idempotencyKey"),
            timestamp: fields.text("timestamp"),
            consent: fields.take("consent"),
        };
        Ok((event, fields.issues))
    }

    /// Checks what the fields mean; `issues` holds what is wrong already.
    fn check(
        self,
        mut issues: Issues,
        header_key: Option<String>,
        bytes: usize,
    ) -> Result<EventInput, ApiError> {
        if self.name.is_some() || !issues.mentions("name") {
            issues.name("name", self.name.as_deref());
        }
        let email = issues.email("email", self.email.as_deref());
        let user_id = issues.key("userId", self.user_id);
        let anonymous_id = issues.key("anonymousId", self.anonymous_id);
        let key = match header_key {
            Some(key) => issues.key(IDEMPOTENCY_KEY.as_str(), Some(key)),
            None => issues.key("idempotencyKey", self.idempotency_key),
        };
        let timestamp = issues.instant("timestamp", self.timestamp.as_deref());
        let consent = consent::read(&mut issues, self.consent);
        let lists = self.lists.unwrap_or_default();
        issues.bag("lists", lists.ids.len() + usize::from(lists.over));
        let name = self.name.unwrap_or_default();
        let event_properties = self.event_properties.unwrap_or_default();
        let contact_properties = self.contact_properties.unwrap_or_default();
        let said = product::read(&mut issues, &name, &event_properties);
        issues.contact_keys("contactProperties", &contact_properties);
        if bytes > PROPERTIES_CHECKED_FROM {
            issues.properties("eventProperties", &event_properties);
            issues.properties("contactProperties", &contact_properties);
        }
        issues.or(EventInput {
            name,
            who: Identity { email, user_id, anonymous_id },
            sku: said.sku,
            product: said.name,
            restock: said.restock,
            contact_properties,
            lists: lists.ids,
            key,
            timestamp,
            consent,
        })
    }
}

/// The bag in the order sent. Of a duplicate id the last one counts; ids over the limit are dropped.
#[derive(Default)]
struct Bag {
    ids: Vec<(String, bool)>,
    over: bool,
}

impl<'de> Deserialize<'de> for Bag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(BagVisitor)
    }
}

struct BagVisitor;

impl<'de> Visitor<'de> for BagVisitor {
    type Value = Bag;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of booleans")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Bag, A::Error> {
        let mut bag = Bag::default();
        while let Some((id, on)) = map.next_entry::<String, bool>()? {
            let room = bag.ids.len() < BAG_IDS_MAX;
            match bag.ids.iter_mut().find(|(known, _)| *known == id) {
                Some(known) => known.1 = on,
                None if room => bag.ids.push((id, on)),
                None => bag.over = true,
            }
        }
        Ok(bag)
    }
}

#[cfg(test)]
mod tests {
    use super::product::RESTOCKED;
    use super::*;

    fn issue(text: &str) -> String {
        parse(text, None).map_or_else(|error| error.to_string(), |_| "fine".to_owned())
    }

    #[test]
    fn the_documented_event_is_read_whole() {
        let event = parse(
            r#"{"name":"product.waitlisted","email":" A@B.com","userId":"u1","anonymousId":null,
            "eventProperties":{"sku":"chair-01"},"contactProperties":{"a":1},"value":12.5,"currency":"EUR",
            "lists":{"z":true,"a":false},"idempotencyKey":"k","timestamp":"2026-01-01T00:00:00Z","more":[1e2]}"#,
            None,
        );
        let event = event.unwrap();
        assert_eq!(event.who.email.unwrap().as_str(), "a@b.com");
        assert_eq!(event.lists, [("z".to_owned(), true), ("a".to_owned(), false)]);
        assert_eq!(event.key.as_deref(), Some("k"));
        assert_eq!(event.timestamp.unwrap().0, 1_767_225_600_000);
    }

    #[test]
    fn a_field_twice_is_the_last_one_either_way() {
        let event = parse(r#"{"name":"a","name":"b","lists":{"x":true,"x":false}}"#, None).unwrap();
        assert_eq!((event.name.as_str(), &*event.lists), ("b", &[("x".to_owned(), false)][..]));
        let event = parse(r#"{"name":"a","lists":{"x":true,"x":false}}"#, None).unwrap();
        assert_eq!(event.lists, [("x".to_owned(), false)]);
    }

    #[test]
    fn an_array_is_not_an_event() {
        assert_eq!(issue(r#"["product.waitlisted"]"#), "Expected object, received array");
        assert_eq!(issue(r#"{"name":7}"#), "name: Expected string, received number");
        assert_eq!(issue("{}"), "name: Required");
    }

    #[test]
    fn a_restock_event_says_whole_units_of_a_real_sku() {
        let event =
            |properties: &str| issue(&format!(r#"{{"name":"{RESTOCKED}","eventProperties":{properties}}}"#));
        assert_eq!(event(r#"{"sku":"x","quantity":3.0}"#), "fine");
        assert_eq!(event("{}"), "fine");
        for bad in [
            r#"{"sku":7}"#,
            r#"{"sku":""}"#,
            r#"{"quantity":1.5}"#,
            r#"{"quantity":"3"}"#,
            r#"{"quantity":1e300}"#,
        ] {
            assert_ne!(event(bad), "fine", "{bad}");
        }
    }
}
