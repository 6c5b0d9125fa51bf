//! Answers that people see: small HTML pages with strict headers.
//!
//! No script, cookie, redirect or referrer (the token is in the URL); caches and search engines keep nothing.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;
use serde_json::{Value, json};

use restockd_engine::{EngineError, RequestRefusal};
use restockd_render::Templates;

use super::error::ApiError;

/// Nothing is loaded, forms go only to this site, and no other page may show this one in a frame.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
const HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_TYPE, "text/html; charset=utf-8"),
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (HeaderName::from_static("x-robots-tag"), "noindex"),
];

/// A page with status 200.
pub(super) fn page(templates: &Templates, name: &str, context: &Value) -> Result<Response, ApiError> {
    templates.page(name, context).map(html).map_err(|error| {
        tracing::error!(page = name, error = %error, "a page does not render");
        ApiError::Internal
    })
}

/// The page after an action was carried out; if it does not render, a plain sentence takes its place.
pub(super) fn done(templates: &Templates, name: &str, context: &Value, sentence: &str) -> Response {
    page(templates, name, context).unwrap_or_else(|_| html(format!("<!doctype html><p>{sentence}</p>")))
}

/// The page of an error, in words for somebody who followed a link.
pub(super) fn error_page(templates: &Templates, error: &ApiError, shop: &str) -> Response {
    let (title, text) = match error {
        ApiError::Engine(EngineError::Refused(RequestRefusal::BadLink)) => {
            ("This link is not valid", "It may be incomplete. Please use the link in your mail once more.")
        }
        ApiError::Engine(EngineError::Refused(_)) | ApiError::TooLarge(_) | ApiError::Broken => {
            ("This did not work", "Please use the link in your mail once more.")
        }
        _ => ("Please try again", "We could not do this right now. Please try again in a moment."),
    };
    let context = json!({"title": title, "text": text, "shop_name": shop});
    error.with_headers(done(templates, "message", &context, text))
}

/// The page of a form that was refused, in words for somebody who pressed a button.
pub(super) fn refused_form(templates: &Templates, error: &ApiError, shop: &str) -> Response {
    let (title, text) = match error {
        ApiError::Often(_) => ("Please wait", "That was asked for too often. Please try again later."),
        ApiError::Invalid(_) => ("This did not work", "Please go back and check the address."),
        ApiError::Unauthorized | ApiError::Engine(EngineError::Refused(_)) => {
            ("This did not work", "This form is not set up. Please tell the shop.")
        }
        _ => ("Please try again", "We could not do this right now. Please try again in a moment."),
    };
    let context = json!({"title": title, "text": text, "shop_name": shop});
    error.with_headers(done(templates, "message", &context, text))
}

fn html(text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
