//! `POST /v1/suppressions/import`: a list from elsewhere, as CSV or as one JSON object per line.
//!
//! ```text
//! text/csv                 email,reason        the header line names the columns, others are ignored
//!                          ann@shop.example,complaint
//! application/x-ndjson     {"email":"ann@shop.example","reason":"complaint"}
//! ```
//!
//! It has the limits of a batch of events. A bad line fails alone; each result names the line's number and never the
//! address. Nobody becomes a contact through an import: only a hash is kept.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use csv::{ReaderBuilder, StringRecord};
use serde::Serialize;

use restockd_core::directory::SuppressionReason;
use restockd_core::{Email, text};

use super::super::auth::Admin;
use super::super::batch::{BATCH_BYTES_MAX, BATCH_EVENTS_MAX, announced, is_lines};
use super::super::body::{self, BODY_BYTES_MAX};
use super::super::error::ApiError;
use super::super::validate::{Fields, Issues};
use super::super::{App, response};

/// A line: its number, and its content or what is wrong with it.
type Line = (u64, Result<(Email, SuppressionReason), String>);

/// The result of one line.
#[derive(Serialize)]
struct LineResult {
    line: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    changed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// `POST /v1/suppressions/import`.
pub(in super::super) async fn create(
    Admin(key): Admin,
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, ApiError> {
    #[derive(Serialize)]
    struct Results {
        results: Vec<LineResult>,
    }
    let (parts, body) = request.into_parts();
    let csv = match (is_lines(&parts.headers), is_csv(&parts.headers)) {
        (true, _) => false,
        (_, true) => true,
        _ => return Err(ApiError::Bad("the content type must be text/csv or application/x-ndjson".into())),
    };
    let _room = app.batches.take(announced(&body)).await?;
    let body = body::read(body, BATCH_BYTES_MAX, app.body_timeout).await?;
    // Ten thousand lines are parsed on another thread, so that other requests go on.
    let parsed = tokio::task::spawn_blocking(move || if csv { by_row(&body) } else { by_line(&body) });
    let lines = parsed.await.map_err(|_| ApiError::Internal)??;
    let good: Vec<(Email, SuppressionReason)> =
        lines.iter().filter_map(|(_, line)| line.clone().ok()).collect();
    let changed = match good.is_empty() {
        true => Vec::new(),
        false => app.engine.suppress(good, &format!("import by API key {key}")).await?,
    };
    let mut changed = changed.into_iter();
    let outcome = |(line, said): Line| match said {
        Ok(_) => LineResult { line, changed: changed.next(), error: None },
        Err(error) => LineResult { line, changed: None, error: Some(error) },
    };
    Ok(response::ok(&Results { results: lines.into_iter().map(outcome).collect() }))
}

fn is_csv(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("text/csv")
}

/// Reads one JSON object per line.
fn by_line(body: &[u8]) -> Result<Vec<Line>, ApiError> {
    let lines = (1..).zip(body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii));
    let lines = lines.filter(|(_, line)| !line.is_empty());
    let said = |line: &[u8]| {
        if line.len() > BODY_BYTES_MAX {
            return Err(ApiError::TooLarge(BODY_BYTES_MAX));
        }
        super::item(Fields::parse(line)?)
    };
    bounded(lines.map(|(number, line)| (number, said(line).map_err(|error| error.to_string()))))
}

/// Reads CSV with a header line.
fn by_row(body: &[u8]) -> Result<Vec<Line>, ApiError> {
    // With `\r\n`, the reader would give each line the number of the one before.
    let body = text::unix_lines(body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body));
    let mut reader = ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(body.as_slice());
    let header = reader.headers().map_err(|_| ApiError::Bad("the header line is not UTF-8".into()))?;
    let column = |name: &str| header.iter().position(|field| field.eq_ignore_ascii_case(name));
    let (email, reason) = (column("email"), column("reason"));
    let email = email.ok_or_else(|| {
        ApiError::Bad("the first line must name the columns, such as email,reason; there is no email".into())
    })?;
    let said = |row: &StringRecord| {
        let mut issues = Issues::default();
        let address = issues.email("email", row.get(email));
        let block = super::reason_of(&mut issues, reason.and_then(|at| row.get(at)));
        let both = issues.or(address.zip(block)).map_err(|error| error.to_string())?;
        both.ok_or_else(|| "email: Required".to_owned())
    };
    let mut last = 1;
    let rows = reader.records().map(|row| match row {
        Ok(row) => {
            last = row.position().map_or(last + 1, csv::Position::line);
            (last, said(&row))
        }
        Err(error) => {
            last = error.position().map_or(last + 1, csv::Position::line);
            (last, Err("this line is not CSV in UTF-8".to_owned()))
        }
    });
    bounded(rows)
}

/// Refuses more lines than a batch may hold.
fn bounded(lines: impl Iterator<Item = Line>) -> Result<Vec<Line>, ApiError> {
    let lines: Vec<Line> = lines.take(BATCH_EVENTS_MAX + 1).collect();
    if lines.len() > BATCH_EVENTS_MAX { Err(ApiError::TooManyLines(BATCH_EVENTS_MAX)) } else { Ok(lines) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(lines: Result<Vec<Line>, ApiError>) -> Vec<String> {
        let one = |(number, said): Line| match said {
            Ok((email, block)) => format!("{number} {} {}", email.as_str(), block.as_str()),
            Err(error) => format!("{number} ! {error}"),
        };
        lines.unwrap().into_iter().map(one).collect()
    }

    #[test]
    fn csv_is_read_by_its_header_and_each_line_fails_alone() {
        let body = b"\xef\xbb\xbfname,Email,reason\r\nAnn,ANN@x.yz,complaint\r\n\"B,\nob\",bob@x.yz,\r\n,nobody,\n,,manual\nz,c@x.yz,erased\n\xff,d@x.yz,\nshort\n";
        assert_eq!(
            told(by_row(body)),
            [
                "2 ann@x.yz complaint",
                "3 bob@x.yz manual",
                "5 ! email: Invalid email",
                "6 ! email: Required",
                "7 ! reason: Expected 'unsubscribed', 'hard_bounce', 'complaint' or 'manual'",
                "8 ! this line is not CSV in UTF-8",
                "9 ! email: Required",
            ]
        );
        assert!(by_row(b"address\na@x.yz\n").is_err(), "no column is guessed");
    }

    #[test]
    fn lines_of_json_are_numbered_as_they_stand() {
        let body = b"{\"email\":\"a@x.yz\"}\n\n{\"email\":7}\nnot json\n{\"email\":\"b@x.yz\",\"reason\":\"hard_bounce\"}";
        assert_eq!(
            told(by_line(body)),
            [
                "1 a@x.yz manual",
                "3 ! email: Expected string, received number",
                "4 ! Malformed JSON in request body",
                "5 b@x.yz hard_bounce",
            ]
        );
        let many = "{}\n".repeat(BATCH_EVENTS_MAX + 1);
        assert!(by_line(many.as_bytes()).is_err());
    }
}
