//! `POST /v1/events/batch`: many events in one request, answered in the order sent.
//!
//! A batch has one of two forms: `{"events":[...]}`, or one event per line (`application/x-ndjson`). Items are cut out of
//! the body without building a tree of it. Each is parsed by itself, so a bad one fails alone; the good ones go to the
//! Engine in one call. Memory is bounded: the body by its limit and by the bytes that all batches share, the items by
//! their count. An idempotency key in a header has no meaning here.

use std::fmt;
use std::sync::Arc;

use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use restockd_engine::api::{EventAnswer, EventInput};

use super::auth::Ingest;
use super::body::{self, BODY_BYTES_MAX};
use super::consent::{self, Client};
use super::error::ApiError;
use super::events::{self, Stored};
use super::validate::Issue;
use super::{App, response};

pub(super) const BATCH_BYTES_MAX: usize = 8 << 20;
pub(super) const BATCH_EVENTS_MAX: usize = 10_000;
/// Items parsed before other requests get a turn.
const SLICE: usize = 128;

/// `POST /v1/events/batch`.
pub(super) async fn create(
    Ingest(key): Ingest,
    client: Client,
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let lines = is_lines(&parts.headers);
    let _room = app.batches.take(announced(&body)).await?;
    let body = body::read(body, BATCH_BYTES_MAX, app.body_timeout).await?;
    let items = items(&body, lines)?;
    let mut good = Vec::with_capacity(items.len());
    let mut bad = Vec::with_capacity(items.len());
    for (at, item) in items.into_iter().enumerate() {
        if at % SLICE == SLICE - 1 {
            tokio::task::yield_now().await;
        }
        match parse(item) {
            Ok(mut event) => {
                event.consent = consent::witness(event.consent, &key, client, app.keep_address);
                good.push(event);
                bad.push(None);
            }
            Err(error) => bad.push(Some(error.to_string())),
        }
    }
    let given = if good.is_empty() { Vec::new() } else { app.engine.ingest_batch(good).await? };
    Ok(response::accepted(&Results { results: merge(bad, &given) }))
}

/// Bytes that may come: as declared by the client, or else the limit.
pub(super) fn announced(body: &Body) -> usize {
    let upper = body.size_hint().upper().and_then(|bytes| usize::try_from(bytes).ok());
    upper.map_or(BATCH_BYTES_MAX, |bytes| bytes.min(BATCH_BYTES_MAX))
}

pub(super) fn is_lines(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    ["application/x-ndjson", "application/ndjson", "application/jsonl"]
        .iter()
        .any(|k| essence.eq_ignore_ascii_case(k))
}

/// Cuts a body into its items, not yet parsed.
pub(super) fn items(body: &[u8], lines: bool) -> Result<Vec<&[u8]>, ApiError> {
    if lines { by_line(body) } else { by_field(body) }
}

/// Parses one item.
pub(super) fn parse(item: &[u8]) -> Result<EventInput, ApiError> {
    if item.len() > BODY_BYTES_MAX {
        return Err(ApiError::TooLarge(BODY_BYTES_MAX));
    }
    let text = std::str::from_utf8(item).map_err(|_| ApiError::Malformed)?;
    events::parse(text, None)
}

/// The lines that are not blank.
fn by_line(body: &[u8]) -> Result<Vec<&[u8]>, ApiError> {
    let lines = body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    let lines: Vec<_> = lines.take(BATCH_EVENTS_MAX + 1).collect();
    bounded(lines)
}

/// The items of the field `events`.
fn by_field(body: &[u8]) -> Result<Vec<&[u8]>, ApiError> {
    let text = std::str::from_utf8(body).map_err(|_| ApiError::Malformed)?;
    if !text.trim_start().starts_with('{') {
        let other: Shape = serde_json::from_str(text).map_err(|_| ApiError::Malformed)?;
        return Err(ApiError::issue(Issue::kind(&[], "object", other.0)));
    }
    let Events(events) = serde_json::from_str(text).map_err(|_| ApiError::Malformed)?;
    match events {
        None => Err(ApiError::issue(Issue::kind(&["events"], "array", "undefined"))),
        Some(Items::Other(kind)) => Err(ApiError::issue(Issue::kind(&["events"], "array", kind))),
        Some(Items::Array(items)) => bounded(items.into_iter().map(|item| item.get().as_bytes()).collect()),
    }
}

fn bounded(items: Vec<&[u8]>) -> Result<Vec<&[u8]>, ApiError> {
    if items.len() > BATCH_EVENTS_MAX { Err(ApiError::TooMany(BATCH_EVENTS_MAX)) } else { Ok(items) }
}

#[derive(Serialize)]
struct Results<'a> {
    results: Vec<ItemResult<'a>>,
}

/// The answer for one item.
#[derive(Serialize)]
#[serde(untagged)]
enum ItemResult<'a> {
    Stored(Stored<'a>),
    Bad { error: String },
}

/// Puts the Engine's answers and the failed items into the order sent.
fn merge(bad: Vec<Option<String>>, given: &[EventAnswer]) -> Vec<ItemResult<'_>> {
    let mut given = given.iter();
    let merged = bad.into_iter().map(|bad| match bad {
        Some(error) => ItemResult::Bad { error },
        None => given.next().map_or_else(
            || ItemResult::Bad { error: "no answer; send it again with the same key".to_owned() },
            |answer| ItemResult::Stored(Stored::from(answer)),
        ),
    });
    merged.collect()
}

/// The field `events` of a batch; if it occurs twice, the last one.
struct Events<'a>(Option<Items<'a>>);

/// Its items, at most one over the limit, or the type found in place of an array.
enum Items<'a> {
    Array(Vec<&'a RawValue>),
    Other(&'static str),
}

impl<'de: 'a, 'a> Deserialize<'de> for Events<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EventsVisitor)
    }
}

struct EventsVisitor;

impl<'de> Visitor<'de> for EventsVisitor {
    type Value = Events<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut events = None;
        while let Some(name) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            if name == "events" {
                events = Some(map.next_value_seed(ItemsSeed)?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Events(events))
    }
}

struct ItemsSeed;

impl<'de> DeserializeSeed<'de> for ItemsSeed {
    type Value = Items<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Items<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ItemsSeed {
    type Value = Items<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Items<'de>, A::Error> {
        let mut items = Vec::new();
        while items.len() <= BATCH_EVENTS_MAX {
            match seq.next_element::<&RawValue>()? {
                Some(item) => items.push(item),
                None => return Ok(Items::Array(items)),
            }
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Items::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Items<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Items::Other("object"))
    }

    fn visit_str<E>(self, _: &str) -> Result<Items<'de>, E> {
        Ok(Items::Other("string"))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Items<'de>, E> {
        Ok(Items::Other("boolean"))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Items<'de>, E> {
        Ok(Items::Other("number"))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Items<'de>, E> {
        Ok(Items::Other("number"))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Items<'de>, E> {
        Ok(Items::Other("number"))
    }

    fn visit_unit<E>(self) -> Result<Items<'de>, E> {
        Ok(Items::Other("null"))
    }
}

/// The type of a body that is not an object.
struct Shape(&'static str);

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match deserializer.deserialize_any(ItemsSeed)? {
            Items::Array(_) => "array",
            Items::Other(kind) => kind,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(text: &str) -> Result<usize, String> {
        by_field(text.as_bytes()).map(|items| items.len()).map_err(|error| error.to_string())
    }

    #[test]
    fn items_are_cut_out_of_either_form() {
        assert_eq!(count(r#"{"a":[1],"events":[{"name":"x"},7,[]],"b":null}"#), Ok(3));
        assert_eq!(count(r#"{"events":[1],"ev\u0065nts":[1,2]}"#), Ok(2));
        assert_eq!(by_line(b"{}\r\n\n  {} \n").unwrap().len(), 2);
    }

    #[test]
    fn what_is_no_batch_is_told_apart() {
        assert_eq!(count("{}").unwrap_err(), "events: Required");
        assert_eq!(count(r#"{"events":{"a":1}}"#).unwrap_err(), "events: Expected array, received object");
        assert_eq!(count("[{}]").unwrap_err(), "Expected object, received array");
        for bad in ["", "{", "[", r#"{"events":[}"#, r#"{"events":[1]}x"#] {
            assert_eq!(count(bad).unwrap_err(), "Malformed JSON in request body", "{bad}");
        }
        let many = |n: usize| format!(r#"{{"events":[{}1]}}"#, "1,".repeat(n - 1));
        assert_eq!(count(&many(10_000)), Ok(10_000));
        assert!(count(&many(10_001)).unwrap_err().contains("at most 10000"));
    }
}
