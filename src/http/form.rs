//! The form of a page, or of a mail provider's one-click POST.
//!
//! Urlencoded or multipart. A body that is neither, or is broken, counts as an empty form. That is deliberate: the token in
//! the query names the person and the action, and somebody who wants to unsubscribe must not be stopped by a provider's
//! odd encoding. The size is bounded by the body's limit.

use std::io::Cursor;

use axum::body::Bytes;
use axum::http::{HeaderMap, header};
use multer::Multipart;

/// The limit of a form: a page with every list of a person who is on a great many.
pub(super) const FORM_BYTES_MAX: usize = 256 << 10;
/// Fields that are read; further ones are ignored.
const FIELDS_MAX: usize = 4096;

/// The fields, in the order sent.
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads a body according to its content type.
    pub(super) async fn read(headers: &HeaderMap, body: Bytes) -> Self {
        let kind =
            headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        match multer::parse_boundary(kind) {
            Ok(boundary) => Self(parts(boundary, body).await),
            Err(_) => Self(form_urlencoded::parse(&body).into_owned().take(FIELDS_MAX).collect()),
        }
    }

    /// The first value of a name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All values of a name.
    pub(super) fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.clone()).collect()
    }
}

/// The parts of a multipart body, up to the first broken one.
async fn parts(boundary: String, body: Bytes) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    let mut parts = Multipart::with_reader(Cursor::new(body), boundary);
    while let Ok(Some(part)) = parts.next_field().await {
        let name = part.name().unwrap_or_default().to_owned();
        let Ok(value) = part.bytes().await else { break };
        fields.push((name, String::from_utf8_lossy(&value).into_owned()));
        if fields.len() == FIELDS_MAX {
            break;
        }
    }
    fields
}
