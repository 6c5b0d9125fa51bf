//! `GET /v1/suppressions/export`: the whole list, streamed page by page.
//!
//! ```text
//! ?format=csv (default)    email,address_hash,reason,at,evidence
//! ?format=ndjson           one row of `GET /v1/suppressions` a line
//! ```
//!
//! Only one page is in memory. When the Engine fails, the stream breaks off, which a client notices: the chunked body has
//! no end.

use std::io;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use futures_util::stream;

use super::super::App;
use super::super::auth::Admin;
use super::super::body::Query;
use super::super::error::ApiError;
use super::super::validate::Issue;
use super::{PAGE_MAX, SuppressionJson};

const COLUMNS: [&str; 5] = ["email", "address_hash", "reason", "at", "evidence"];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Csv,
    Lines,
}

/// What of the export is still to come.
enum Rest {
    Header,
    Page(Option<String>),
    Nothing,
}

/// `GET /v1/suppressions/export`.
pub(in super::super) async fn show(
    _: Admin,
    State(app): State<Arc<App>>,
    query: Query,
) -> Result<Response, ApiError> {
    let (format, kind) = match query.get("format").as_deref() {
        None | Some("csv") => (Format::Csv, "text/csv; charset=utf-8"),
        Some("ndjson") => (Format::Lines, "application/x-ndjson"),
        Some(_) => return Err(ApiError::issue(Issue::value(&["format"], "'csv' or 'ndjson'", "string"))),
    };
    let first = if format == Format::Csv { Rest::Header } else { Rest::Page(None) };
    let pages = stream::try_unfold(first, move |rest| {
        let app = Arc::clone(&app);
        async move { next(&app, format, rest).await }
    });
    let mut response = Response::new(Body::from_stream(pages));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    Ok(response)
}

/// The next piece of the export, and what comes after it.
async fn next(app: &App, format: Format, rest: Rest) -> io::Result<Option<(Bytes, Rest)>> {
    let cursor = match rest {
        Rest::Nothing => return Ok(None),
        Rest::Header => return Ok(Some((written(|csv| csv.write_record(COLUMNS))?, Rest::Page(None)))),
        Rest::Page(cursor) => cursor,
    };
    let page = app.engine.suppressions(PAGE_MAX, cursor.as_deref()).await.map_err(io::Error::other)?;
    let rows: Vec<SuppressionJson> = page.rows.into_iter().map(SuppressionJson::from).collect();
    let bytes = match format {
        Format::Csv => written(|csv| rows.iter().try_for_each(|row| csv.write_record(fields(row))))?,
        Format::Lines => {
            let mut bytes = Vec::new();
            for row in &rows {
                serde_json::to_writer(&mut bytes, row)?;
                bytes.push(b'\n');
            }
            Bytes::from(bytes)
        }
    };
    Ok(Some((bytes, page.cursor.map_or(Rest::Nothing, |cursor| Rest::Page(Some(cursor))))))
}

/// The fields of a row, in the order of the columns.
fn fields(row: &SuppressionJson) -> [&str; 5] {
    [
        row.email.as_deref().unwrap_or_default(),
        &row.address_hash,
        row.reason,
        row.at.as_deref().unwrap_or_default(),
        row.evidence.as_deref().unwrap_or_default(),
    ]
}

/// Collects written CSV.
fn written(write: impl FnOnce(&mut csv::Writer<Vec<u8>>) -> csv::Result<()>) -> io::Result<Bytes> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    write(&mut writer).map_err(io::Error::other)?;
    writer.into_inner().map(Bytes::from).map_err(|error| io::Error::other(error.to_string()))
}
