//! `POST /v1/webhooks/{source}`: signed deliveries that report a restock.
//!
//! There is no key: the signature over the exact raw bytes is the authentication, and nothing is parsed before it is
//! verified. The order of the checks is part of the contract:
//!
//! ```text
//! source known -> secret set -> signature good -> JSON -> schema -> means a restock -> accepted
//!     404            401            401            400     400      200 skipped        200
//! ```

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Map, Value, json};

use restockd_core::Sku;
use restockd_core::text::{key_fits, name_fits};
use restockd_engine::api::{RestockAnswer, RestockInput};

use super::body::{self, BODY_BYTES_MAX, Segment};
use super::error::ApiError;
use super::product::{details, whole};
use super::settings::{Source, SourceFields};
use super::signature::{TAG_BYTES, Verifier};
use super::validate::kind;
use super::{App, response};

/// The only type with a meaning.
const RESTOCK: &str = "restock";

/// How one source's deliveries are verified and read.
pub(super) struct Receiver {
    verifier: Verifier,
    fields: SourceFields,
}

impl Receiver {
    /// The signature of a delivery, before its body is read.
    pub(super) fn tag(&self, headers: &HeaderMap) -> Result<[u8; TAG_BYTES], ApiError> {
        if !self.verifier.configured() {
            return Err(ApiError::Unsigned);
        }
        self.verifier.tag(headers).ok_or(ApiError::BadSignature)
    }

    /// The restock in a body that has this signature; `None` for a delivery of another type.
    pub(super) fn open(
        &self,
        source: String,
        tag: &[u8; TAG_BYTES],
        body: &[u8],
    ) -> Result<Option<RestockInput>, ApiError> {
        if !self.verifier.verify(tag, body) {
            return Err(ApiError::BadSignature);
        }
        let malformed = || ApiError::Payload("Malformed JSON".into());
        let text = std::str::from_utf8(body).map_err(|_| malformed())?;
        let payload = serde_json::from_str(text).map_err(|_| malformed())?;
        read(&self.fields, source, payload).map_err(ApiError::Payload)
    }
}

/// Prepares the sources of the settings.
pub(super) fn receivers(sources: Vec<Source>) -> io::Result<HashMap<String, Receiver>> {
    let mut receivers = HashMap::with_capacity(sources.len());
    for source in sources {
        let verifier = Verifier::new(&source)?;
        let Source { id, fields, .. } = source;
        if receivers.contains_key(&id) {
            let text = format!("two webhook sources are called {id}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        receivers.insert(id, Receiver { verifier, fields });
    }
    Ok(receivers)
}

/// `POST /v1/webhooks/{source}`.
pub(super) async fn receive(
    State(app): State<Arc<App>>,
    source: Result<Segment, ApiError>,
    request: Request,
) -> Result<Response, ApiError> {
    let source = source.map_err(|_| ApiError::UnknownSource)?.0;
    let receiver = app.sources.get(&source).ok_or(ApiError::UnknownSource)?;
    let (parts, body) = request.into_parts();
    let tag = receiver.tag(&parts.headers)?;
    let body = body::read(body, BODY_BYTES_MAX, app.body_timeout).await?;
    let Some(restock) = receiver.open(source, &tag, &body)? else {
        return Ok(skipped("type is not restock"));
    };
    Ok(match app.engine.restock(restock).await? {
        RestockAnswer::Accepted { .. } => {
            response::ok(&json!({"ok": true, "event": "product.restocked", "exits": []}))
        }
        RestockAnswer::Duplicate { .. } => {
            response::ok(&json!({"ok": true, "event": "product.restocked", "exits": [], "duplicate": true}))
        }
        RestockAnswer::SoldOut => skipped("quantity is 0 or below"),
    })
}

fn skipped(reason: &str) -> Response {
    response::ok(&json!({"ok": true, "skipped": true, "reason": reason}))
}

/// The restock in a payload, `None` for another type, or everything that is wrong with it.
fn read(names: &SourceFields, source: String, payload: Value) -> Result<Option<RestockInput>, Value> {
    let Value::Object(map) = payload else {
        let text = format!("Expected object, received {}", kind(&payload));
        return Err(json!({"formErrors": [text], "fieldErrors": {}}));
    };
    let mut reader = Reader { map, wrong: BTreeMap::new() };
    let (of_type, delivery) = (reader.kind(&names.kind), reader.delivery(&names.delivery_id));
    let (sku, product) = (reader.sku(&names.sku), reader.product(&names.product_name));
    let quantity = reader.quantity(&names.quantity);
    let said = |name: &String| reader.map.get(name);
    let details = details(said(&names.product_url), said(&names.image_url), said(&names.price));
    match (reader.wrong.is_empty(), of_type, delivery, sku) {
        (true, Some(of_type), Some(delivery), Some(sku)) => {
            let restock = RestockInput { source, delivery, sku, product, quantity, details };
            Ok((of_type == RESTOCK).then_some(restock))
        }
        _ => Err(json!({"formErrors": [], "fieldErrors": reader.wrong})),
    }
}

/// Takes fields and gathers what is wrong with them.
struct Reader {
    map: Map<String, Value>,
    wrong: BTreeMap<String, Vec<String>>,
}

impl Reader {
    fn say<T>(&mut self, name: &str, text: impl Into<String>) -> Option<T> {
        self.wrong.entry(name.to_owned()).or_default().push(text.into());
        None
    }

    /// A required text.
    fn text(&mut self, name: &str) -> Option<String> {
        match self.map.remove(name) {
            Some(Value::String(text)) => Some(text),
            None => self.say(name, "Required"),
            Some(other) => self.say(name, format!("Expected string, received {}", kind(&other))),
        }
    }

    fn kind(&mut self, name: &str) -> Option<String> {
        self.text(name)
    }

    /// A required text or whole number, as text.
    fn delivery(&mut self, name: &str) -> Option<String> {
        let id = match self.map.remove(name) {
            Some(Value::Number(number)) if number.is_i64() || number.is_u64() => number.to_string(),
            Some(other) => {
                self.map.insert(name.to_owned(), other);
                self.text(name)?
            }
            None => return self.say(name, "Required"),
        };
        if key_fits(&id) {
            Some(id)
        } else {
            self.say(name, "must hold 1 to 255 bytes and no control characters")
        }
    }

    fn sku(&mut self, name: &str) -> Option<Sku> {
        let text = self.text(name)?;
        match Sku::parse(&text) {
            Some(sku) => Some(sku),
            None => self.say(name, "must hold 1 to 128 bytes and no control or direction characters"),
        }
    }

    /// An optional text; blank counts as none.
    fn product(&mut self, name: &str) -> Option<String> {
        match self.map.remove(name)? {
            Value::Null => None,
            Value::String(text) if text.trim_matches(' ').is_empty() => None,
            Value::String(text) if name_fits(&text) => Some(text),
            Value::String(_) => {
                self.say(name, "must hold at most 200 characters and no control or direction characters")
            }
            other => self.say(name, format!("Expected string, received {}", kind(&other))),
        }
    }

    /// An optional whole number: without it there are some units. Anything but a whole number is refused.
    fn quantity(&mut self, name: &str) -> Option<i64> {
        match self.map.remove(name)? {
            Value::Number(number) => match whole(&number) {
                Some(units) => Some(units),
                None => self.say(name, "Expected integer, received number"),
            },
            other => self.say(name, format!("Expected number, received {}", kind(&other))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(payload: &Value) -> Result<Option<RestockInput>, Value> {
        read(&SourceFields::default(), "inventory".to_owned(), payload.clone())
    }

    #[test]
    fn a_restock_is_read_and_another_type_is_not_one() {
        let payload = json!({"delivery_id": 7, "type": "restock", "sku": "c", "product_name": "Chair", "quantity": 3.0});
        let restock = of(&payload).unwrap().unwrap();
        assert_eq!((restock.delivery.as_str(), restock.quantity), ("7", Some(3)));
        assert_eq!(restock.product.as_deref(), Some("Chair"));
        assert!(of(&json!({"delivery_id": "d", "type": "sale", "sku": "c"})).unwrap().is_none());
    }

    #[test]
    fn every_bad_field_is_named() {
        let details = of(&json!({"type": 1, "product_name": "a\nb", "quantity": "3"})).unwrap_err();
        let named: Vec<_> = details["fieldErrors"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(named, ["delivery_id", "product_name", "quantity", "sku", "type"]);
        assert_eq!(details["formErrors"], json!([]));
        for quantity in [json!(1.5), json!(null), json!(true), json!(1e300), json!([])] {
            let details =
                of(&json!({"delivery_id": "d", "type": "restock", "sku": "c", "quantity": quantity}));
            assert!(details.unwrap_err()["fieldErrors"]["quantity"].is_array());
        }
        assert_eq!(of(&json!([])).unwrap_err()["formErrors"], json!(["Expected object, received array"]));
    }
}
