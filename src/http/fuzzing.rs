//! Entry points for fuzz targets (feature `testing`): what the handlers do with a stranger's bytes, without socket or Engine.
//!
//! Each runs the handlers' own code, from the bytes to the Engine's input.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::IntoResponse;

use restockd_engine::api::{EventInput, RestockInput};

use super::error::ApiError;
use super::settings::Source;
use super::{batch, webhooks};

/// The HTTP status with which a request is refused.
pub type Status = u16;

/// Reads a delivery to a source: its restock, or `None` for a delivery of another type. Headers that HTTP does not allow
/// are left out.
///
/// # Errors
///
/// The status of the refusal.
pub fn webhook(
    source: Source,
    headers: &[(&str, &[u8])],
    body: &[u8],
) -> Result<Option<RestockInput>, Status> {
    let id = source.id.clone();
    let receivers = webhooks::receivers(vec![source]).map_err(|_| 0_u16)?;
    let receiver = receivers.get(&id).ok_or(ApiError::UnknownSource).map_err(status)?;
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(*name), HeaderValue::from_bytes(value)) {
            map.append(name, value);
        }
    }
    let tag = receiver.tag(&map).map_err(status)?;
    receiver.open(id, &tag, body).map_err(status)
}

/// Reads a batch: each item is parsed or refused by itself.
///
/// # Errors
///
/// The status with which the whole batch is refused.
pub fn batch(body: &[u8], lines: bool) -> Result<Vec<Result<EventInput, Status>>, Status> {
    let items = batch::items(body, lines).map_err(status)?;
    Ok(items.into_iter().map(|item| batch::parse(item).map_err(status)).collect())
}

fn status(error: ApiError) -> Status {
    error.into_response().status().as_u16()
}
