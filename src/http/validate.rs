//! The types and bounds of a request's fields, and the issues for those that do not fit.
//!
//! There are two halves: [`Fields`] takes typed values out of a JSON object and notes each that has another type; the
//! methods of [`Issues`] check what a typed value means (an address, a key, a bag). Both write [`Issue`]s in the form that
//! clients know. Invariant: an issue names a path and types, never a value, so nothing personal gets into an error or a log.

use std::borrow::Cow;
use std::io;

use serde::Serialize;
use serde_json::{Map, Value};

use restockd_core::email::EMAIL_BYTES_MAX;
use restockd_core::text::{self, KEY_BYTES_MAX, NAME_CHARS_MAX};
use restockd_core::{Email, Millis};

use super::error::ApiError;
use super::timestamp;

/// Ids in one bag.
pub(super) const BAG_IDS_MAX: usize = 200;
/// Bytes of one property object, written as JSON.
const PROPERTIES_BYTES_MAX: usize = 16 << 10;
/// Contact properties in one request.
const CONTACT_KEYS_MAX: usize = 100;
/// Issues that are reported; further ones are dropped.
const ISSUES_MAX: usize = 20;

/// One thing that is wrong with a request.
#[derive(Debug, Serialize)]
pub(super) struct Issue {
    code: &'static str,
    path: Vec<String>,
    expected: &'static str,
    received: &'static str,
    message: Cow<'static, str>,
}

impl Issue {
    /// A value of the wrong type, or no value where one is required.
    pub(super) fn kind(path: &[&str], expected: &'static str, received: &'static str) -> Self {
        let message = match received {
            "undefined" => Cow::Borrowed("Required"),
            _ => Cow::Owned(format!("Expected {expected}, received {received}")),
        };
        Self { code: "invalid_type", path: owned(path), expected, received, message }
    }

    /// A text of the wrong form.
    pub(super) fn text(path: &[&str], expected: &'static str, message: &'static str) -> Self {
        Self {
            code: "invalid_string",
            path: owned(path),
            expected,
            received: "string",
            message: message.into(),
        }
    }

    /// Something over its limit.
    pub(super) fn big(path: &[&str], expected: &'static str, received: &'static str, limit: String) -> Self {
        Self { code: "too_big", path: owned(path), expected, received, message: limit.into() }
    }

    /// A value outside a set or a range.
    pub(super) fn value(path: &[&str], expected: &'static str, received: &'static str) -> Self {
        let message = Cow::Owned(format!("Expected {expected}"));
        Self { code: "invalid_value", path: owned(path), expected, received, message }
    }

    /// The issue in one short line.
    fn brief(&self) -> String {
        match self.path.as_slice() {
            [] => self.message.to_string(),
            path => format!("{}: {}", path.join("."), self.message),
        }
    }
}

fn owned(path: &[&str]) -> Vec<String> {
    path.iter().map(|step| (*step).to_owned()).collect()
}

/// All issues of one request.
#[derive(Debug, Default)]
pub struct Issues(Vec<Issue>);

impl Issues {
    pub(super) fn of(issue: Issue) -> Self {
        Self(vec![issue])
    }

    pub(super) fn add(&mut self, issue: Issue) {
        if self.0.len() < ISSUES_MAX {
            self.0.push(issue);
        }
    }

    /// Whether there is an issue with this field already.
    pub(super) fn mentions(&self, field: &str) -> bool {
        self.0.iter().any(|issue| issue.path.first().is_some_and(|step| step == field))
    }

    /// The value if there are no issues, else the error.
    pub(super) fn or<T>(self, value: T) -> Result<T, ApiError> {
        if self.0.is_empty() { Ok(value) } else { Err(ApiError::Invalid(self)) }
    }

    /// All issues as the JSON text that clients know.
    pub(super) fn text(&self) -> String {
        serde_json::to_string_pretty(&self.0).unwrap_or_default()
    }

    /// The first issue in one short line.
    pub(super) fn brief(&self) -> String {
        self.0.first().map_or_else(|| "invalid".to_owned(), Issue::brief)
    }

    /// Checks a required name: plain, not blank, at most 200 characters.
    pub(super) fn name(&mut self, field: &str, value: Option<&str>) {
        match value {
            None => self.add(Issue::kind(&[field], "string", "undefined")),
            Some(name) if name.trim().is_empty() => {
                self.add(Issue::text(&[field], "a name", "must not be empty"));
            }
            Some(name) => self.label(&[field], name),
        }
    }

    /// Checks a text for a person or a header: plain, at most 200 characters.
    pub(super) fn label(&mut self, path: &[&str], value: &str) {
        if !text::plain(value) {
            self.add(Issue::text(path, "plain text", "must not hold control or direction characters"));
        } else if value.chars().count() > NAME_CHARS_MAX {
            let limit = format!("must hold at most {NAME_CHARS_MAX} characters");
            self.add(Issue::big(path, "a name", "string", limit));
        }
    }

    /// Checks a mail address; a blank one counts as none.
    pub(super) fn email(&mut self, field: &str, value: Option<&str>) -> Option<Email> {
        let value = value.filter(|value| !value.trim().is_empty())?;
        let email = Email::parse(value);
        if email.is_none() {
            self.add(if value.trim().len() > EMAIL_BYTES_MAX {
                let limit = format!("must hold at most {EMAIL_BYTES_MAX} bytes");
                Issue::big(&[field], "an email address", "string", limit)
            } else {
                Issue::text(&[field], "an email address", "Invalid email")
            });
        }
        email
    }

    /// Checks a key or an outside id; an empty one counts as none.
    pub(super) fn key(&mut self, field: &str, value: Option<String>) -> Option<String> {
        let value = value.filter(|value| !value.is_empty())?;
        if value.len() > KEY_BYTES_MAX {
            let limit = format!("must hold at most {KEY_BYTES_MAX} bytes");
            self.add(Issue::big(&[field], "an id", "string", limit));
        } else if !text::key_fits(&value) {
            self.add(Issue::text(&[field], "an id", "must not hold control or direction characters"));
        }
        Some(value)
    }

    /// Checks the number of ids in a bag.
    pub(super) fn bag(&mut self, field: &str, ids: usize) {
        if ids > BAG_IDS_MAX {
            let limit = format!("must hold at most {BAG_IDS_MAX} ids");
            self.add(Issue::big(&[field], "object", "object", limit));
        }
    }

    /// Checks the size of properties.
    pub(super) fn properties(&mut self, field: &str, properties: &Map<String, Value>) {
        let mut counted = Count(0);
        if serde_json::to_writer(&mut counted, properties).is_err() {
            let limit = format!("must hold at most {PROPERTIES_BYTES_MAX} bytes as JSON");
            self.add(Issue::big(&[field], "object", "object", limit));
        }
    }

    /// Checks contact properties: their number, and the length of their names.
    pub(super) fn contact_keys(&mut self, field: &str, properties: &Map<String, Value>) {
        if properties.len() > CONTACT_KEYS_MAX {
            let limit = format!("must hold at most {CONTACT_KEYS_MAX} properties");
            self.add(Issue::big(&[field], "object", "object", limit));
        }
        if properties.keys().any(|key| key.len() > KEY_BYTES_MAX) {
            let limit = format!("a property's name holds at most {KEY_BYTES_MAX} bytes");
            self.add(Issue::big(&[field], "object", "object", limit));
        }
    }

    /// Reads an instant.
    pub(super) fn instant(&mut self, field: &str, value: Option<&str>) -> Option<Millis> {
        let instant = timestamp::parse(value?);
        if instant.is_none() {
            self.add(Issue::text(&[field], "an ISO 8601 time with an offset", "Invalid datetime"));
        }
        instant
    }
}

/// Counts the bytes written, and stops at a limit.
struct Count(usize);

impl io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        if self.0 > PROPERTIES_BYTES_MAX { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The name of a value's type in an issue.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// A JSON object whose fields are taken one by one; `null` counts as absent.
#[derive(Debug)]
pub(super) struct Fields {
    map: Map<String, Value>,
    /// Issues found so far.
    pub(super) issues: Issues,
}

impl Fields {
    /// Reads a body: malformed when it is not JSON, invalid when it is not an object.
    pub(super) fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let text = std::str::from_utf8(body).map_err(|_| ApiError::Malformed)?;
        let value = serde_json::from_str(text).map_err(|_| ApiError::Malformed)?;
        Self::of(value)
    }

    /// The fields of a value that must be an object.
    pub(super) fn of(value: Value) -> Result<Self, ApiError> {
        match value {
            Value::Object(map) => Ok(Self { map, issues: Issues::default() }),
            other => Err(ApiError::issue(Issue::kind(&[], "object", kind(&other)))),
        }
    }

    /// Takes a field of any type.
    pub(super) fn take(&mut self, field: &str) -> Option<Value> {
        self.map.remove(field).filter(|value| !value.is_null())
    }

    fn wrong<T>(&mut self, field: &str, expected: &'static str, value: &Value) -> Option<T> {
        self.issues.add(Issue::kind(&[field], expected, kind(value)));
        None
    }

    /// Takes a string.
    pub(super) fn text(&mut self, field: &str) -> Option<String> {
        match self.take(field)? {
            Value::String(text) => Some(text),
            other => self.wrong(field, "string", &other),
        }
    }

    /// Takes a number.
    pub(super) fn number(&mut self, field: &str) -> Option<f64> {
        match self.take(field)? {
            Value::Number(number) => number.as_f64(),
            other => self.wrong(field, "number", &other),
        }
    }

    /// Takes an object.
    pub(super) fn object(&mut self, field: &str) -> Option<Map<String, Value>> {
        match self.take(field)? {
            Value::Object(map) => Some(map),
            other => self.wrong(field, "object", &other),
        }
    }

    /// Takes a bag of list ids and booleans, bounded.
    pub(super) fn bag(&mut self, field: &str) -> Option<Vec<(String, bool)>> {
        let map = self.object(field)?;
        self.issues.bag(field, map.len());
        let mut bag = Vec::with_capacity(map.len().min(BAG_IDS_MAX));
        for (id, value) in map.into_iter().take(BAG_IDS_MAX) {
            match value {
                Value::Bool(on) => bag.push((id, on)),
                other => self.issues.add(Issue::kind(&[field, &id], "boolean", kind(&other))),
            }
        }
        Some(bag)
    }

    /// Takes properties, bounded.
    pub(super) fn properties(&mut self, field: &str) -> Map<String, Value> {
        let properties = self.object(field).unwrap_or_default();
        self.issues.properties(field, &properties);
        properties
    }
}
