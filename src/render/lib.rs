//! Renders mails and pages from templates, which are compiled once and run within bounds.
//!
//! [`Templates`] holds all of them. [`Templates::prepare`] makes ready what the letters of a campaign share,
//! [`Templates::letter`] renders one of them, [`Templates::page`] renders a page. Errors are [`RenderError`]s: they name file
//! and line.
//!
//! ```text
//!  templates/mail/<key>/{subject.txt, body.txt, body.html}   one mail; <key> may hold slashes
//!  templates/mail/base.{txt,html}                            the frame every built-in mail extends
//!  templates/mail/button.html                                the macro `button(url, text)`
//!  templates/pages/<name>.html, base.html                    what opens behind a link in a mail
//! ```
//!
//! Pure: no clock, no files, no network. The built-in templates are part of the program; a shop's own templates replace them
//! file by file, and a new folder adds a mail.
//!
//! Invariants:
//!
//! * `.html` is escaped, `.txt` is not; data never becomes template source;
//! * a subject is one line; only http and https URLs pass `safe_url`;
//! * a missing value renders as nothing; a template that loops, recurses or writes without end is stopped, so that it
//!   fails alone;
//! * every template is compiled at start: a mistake in one stops the start and is reported with file and line.

mod error;
mod filters;
mod origin;
mod render_cache;
mod sources;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, Write};

use minijinja::value::{Serde, merge_maps};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, context};

pub use error::RenderError;
pub use origin::{Origin, TemplateEntry, TemplateKind};
use render_cache::{CacheLookup, Recorder, RenderCache};

/// The fuel of one template: one unit for each step and for every 64 bytes of output. It is dozens of times what a long
/// preference page needs; some milliseconds and 13 MB at the worst.
const FUEL: u64 = 200_000;
const RECURSION_MAX: usize = 60;
const MAIL_BYTES_MAX: usize = 256 * 1024;
/// The limit of a page; a preference page may list many rows.
const PAGE_BYTES_MAX: usize = 1024 * 1024;
const SUBJECT_CHARS_MAX: usize = 250;
const PARTS: [&str; 3] = ["subject.txt", "body.txt", "body.html"];

/// A rendered mail.
#[derive(Clone, PartialEq, Eq)]
pub struct Rendered {
    /// One line, without control characters.
    pub subject: String,
    /// The plain text body.
    pub text: String,
    /// The HTML body.
    pub html: String,
}

/// Shows sizes only: the text of a mail is a person's and stays out of logs.
impl fmt::Debug for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rendered")
            .field("text_bytes", &self.text.len())
            .field("html_bytes", &self.html.len())
            .finish_non_exhaustive()
    }
}

/// What all letters of a campaign share, made ready once and used for each.
pub struct PreparedCampaign {
    /// The paths of the three templates.
    paths: [String; 3],
    /// The subject, if the campaign sets one.
    subject: Option<String>,
    values: Value,
    cache: RenderCache,
}

/// Shows no text, as [`Rendered`] shows none.
impl fmt::Debug for PreparedCampaign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreparedCampaign").field("paths", &self.paths).finish_non_exhaustive()
    }
}

/// The values that are one recipient's own.
#[derive(Clone, Copy)]
pub struct RecipientValues<'a> {
    /// The contact's properties: name and JSON text.
    pub contact: &'a [(String, String)],
    /// The link that unsubscribes.
    pub unsubscribe_url: &'a str,
    /// The link to the preference page.
    pub preferences_url: &'a str,
}

#[derive(Debug)]
pub struct Templates {
    environment: Environment<'static>,
    keys: BTreeSet<String>,
    /// The paths of the files that the shop's own folder provides.
    given: BTreeSet<String>,
}

impl Templates {
    /// The templates that come with the program.
    ///
    /// # Panics
    ///
    /// Never with the templates of this repository: a test compiles them all.
    pub fn built_in() -> Templates {
        Templates::with_overrides(Vec::new()).expect("the built-in templates compile, as a test makes sure")
    }

    /// The built-in templates, overridden by a shop's own. Each file comes with its path inside the templates folder, such as
    /// `mail/spring-sale/body.html`. Files that are neither `.txt` nor `.html` are ignored.
    pub fn with_overrides(files: Vec<(String, String)>) -> Result<Templates, RenderError> {
        // An error has at least one mistake.
        Templates::examined(files).map_err(|mistakes| {
            mistakes.into_iter().next().unwrap_or_else(|| RenderError::Unknown(String::new()))
        })
    }

    /// As [`Templates::with_overrides`], with every mistake and not only the first.
    pub fn examined(files: Vec<(String, String)>) -> Result<Templates, Vec<RenderError>> {
        let mut mistakes = Vec::new();
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Chainable);
        environment.set_recursion_limit(RECURSION_MAX);
        environment.set_fuel(Some(FUEL));
        environment.set_auto_escape_callback(|name| {
            if name.ends_with(".txt") { AutoEscape::None } else { AutoEscape::Html }
        });
        environment.set_formatter(filters::written);
        environment.add_filter("safe_url", filters::safe_url);
        environment.add_filter("one_line", filters::on_one_line);
        environment.add_filter("short", filters::short);
        for (path, source) in sources::BUILT_IN {
            let added = environment.add_template(path, source);
            mistakes.extend(added.err().map(|error| RenderError::mistake(path, &error)));
        }
        let mut given = BTreeSet::new();
        for (path, source) in files {
            let path = path.replace('\\', "/");
            match sources::is_template(&path) {
                Ok(true) => {}
                Ok(false) => continue,
                Err(misplaced) => {
                    mistakes.push(misplaced);
                    continue;
                }
            }
            let source = source.strip_prefix('\u{feff}').unwrap_or(&source).to_owned();
            let added = environment.add_template_owned(path.clone(), source);
            mistakes.extend(added.err().map(|error| RenderError::mistake(&path, &error)));
            given.insert(path);
        }
        let keys = mail_keys(&environment, &given, &mut mistakes);
        if mistakes.is_empty() { Ok(Templates { environment, keys, given }) } else { Err(mistakes) }
    }

    /// Whether there is a mail with this key, such as `ecommerce/back-in-stock`.
    pub fn has(&self, key: &str) -> bool {
        self.keys.contains(key)
    }

    /// The keys of all mails, sorted.
    pub fn keys(&self) -> Vec<String> {
        self.keys.iter().cloned().collect()
    }

    /// Makes ready what all letters of a mail share. If the context has a `subject` that is not empty, it replaces the
    /// template's own; it is taken as text, never as a template.
    pub fn prepare(&self, key: &str, context: &serde_json::Value) -> Result<PreparedCampaign, RenderError> {
        if !self.has(key) {
            return Err(RenderError::Unknown(key.to_owned()));
        }
        let given = context.get("subject").and_then(serde_json::Value::as_str).map(subject_line);
        Ok(PreparedCampaign {
            paths: PARTS.map(|part| format!("mail/{key}/{part}")),
            subject: given.filter(|subject| !subject.is_empty()),
            values: Value::from(Serde(context)),
            cache: RenderCache::default(),
        })
    }

    /// Renders a letter from the shared values and the recipient's own, which have precedence. The bodies see the final
    /// subject.
    pub fn letter(
        &self,
        common: &PreparedCampaign,
        own: RecipientValues<'_>,
    ) -> Result<Rendered, RenderError> {
        let found = common.cache.find(own.contact);
        if let CacheLookup::Stencil(cached) = &found {
            return Ok(cached.fill(own));
        }
        let contact = contact(own.contact);
        let (leave, choose) = (Value::from(own.unsubscribe_url), Value::from(own.preferences_url));
        let whole = self.whole(common, [contact.clone(), leave, choose])?;
        if matches!(found, CacheLookup::Due) {
            let cutter = Recorder::new(contact);
            let marked = self.whole(common, cutter.values()).ok();
            common.cache.keep(&cutter, marked, own, &whole);
        }
        Ok(whole)
    }

    /// Renders the three parts without the cache.
    fn whole(
        &self,
        common: &PreparedCampaign,
        [contact, leave, choose]: [Value; 3],
    ) -> Result<Rendered, RenderError> {
        let [subject_path, text_path, html_path] = &common.paths;
        let own = context! { contact, unsubscribe_url => leave, preferences_url => choose };
        let subject = match &common.subject {
            Some(subject) => subject.clone(),
            None => {
                let values = merge_maps([common.values.clone(), own.clone()]);
                subject_line(&self.render(subject_path, values, MAIL_BYTES_MAX)?)
            }
        };
        // Later maps override earlier ones.
        let values = merge_maps([common.values.clone(), own, context! { subject => subject.as_str() }]);
        Ok(Rendered {
            text: self.render(text_path, values.clone(), MAIL_BYTES_MAX)?,
            html: self.render(html_path, values, MAIL_BYTES_MAX)?,
            subject,
        })
    }

    /// Renders a page: `unsubscribe`, `unsubscribed`, `preferences`, `message` or one of the shop's own.
    pub fn page(&self, name: &str, context: &serde_json::Value) -> Result<String, RenderError> {
        self.render(&format!("pages/{name}.html"), Value::from(Serde(context)), PAGE_BYTES_MAX)
    }

    fn render(&self, path: &str, values: Value, limit: usize) -> Result<String, RenderError> {
        let template =
            self.environment.get_template(path).map_err(|_| RenderError::Unknown(path.to_owned()))?;
        let mut out = Bounded { bytes: Vec::with_capacity(4_096), limit };
        template
            .render_captured_to(values, &mut out)
            .map_err(|error| RenderError::failed(path, &error, limit))?;
        // Templates write only whole strings.
        String::from_utf8(out.bytes).map_err(|_| RenderError::Unknown(path.to_owned()))
    }
}

/// A contact as templates see it.
fn contact(props: &[(String, String)]) -> Value {
    let read = |json: &str| serde_json::from_str::<serde_json::Value>(json).unwrap_or_default();
    let values: BTreeMap<&str, Value> =
        props.iter().map(|(name, json)| (name.as_str(), Value::from(Serde(read(json))))).collect();
    Value::from(values)
}

/// The keys of all mails; a mail without one of its parts is a mistake. A part that does not compile is not missing.
fn mail_keys(
    environment: &Environment<'_>,
    given: &BTreeSet<String>,
    mistakes: &mut Vec<RenderError>,
) -> BTreeSet<String> {
    let compiled = environment.templates().map(|(name, _)| name);
    let names: BTreeSet<&str> = compiled.chain(given.iter().map(String::as_str)).collect();
    let mut keys = BTreeSet::new();
    for name in &names {
        let mail = name.strip_prefix("mail/").and_then(|rest| rest.rsplit_once('/'));
        if let Some((key, part)) = mail
            && PARTS.contains(&part)
        {
            keys.insert(key.to_owned());
        }
    }
    for key in &keys {
        for part in PARTS {
            let path = format!("mail/{key}/{part}");
            if !names.contains(path.as_str()) {
                mistakes.push(RenderError::Incomplete { key: key.clone(), path });
            }
        }
    }
    keys
}

fn subject_line(text: &str) -> String {
    filters::one_line(text).chars().take(SUBJECT_CHARS_MAX).collect()
}

/// Collects output up to a limit.
struct Bounded {
    bytes: Vec<u8>,
    limit: usize,
}

impl Write for Bounded {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + part.len() > self.limit {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        self.bytes.extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
