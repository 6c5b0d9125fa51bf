//! The built-in templates, and the places where a template may be.

use super::RenderError;

macro_rules! built_in {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../templates/", $path)))),*]
    };
}

/// Path inside `templates/`, and text.
pub(super) const BUILT_IN: &[(&str, &str)] = built_in![
    "mail/base.txt",
    "mail/base.html",
    "mail/button.html",
    "mail/confirm/subject.txt",
    "mail/confirm/body.txt",
    "mail/confirm/body.html",
    "mail/announcement/subject.txt",
    "mail/announcement/body.txt",
    "mail/announcement/body.html",
    "mail/ecommerce/back-in-stock/subject.txt",
    "mail/ecommerce/back-in-stock/body.txt",
    "mail/ecommerce/back-in-stock/body.html",
    "pages/base.html",
    "pages/confirm.html",
    "pages/confirmed.html",
    "pages/message.html",
    "pages/preferences.html",
    "pages/unsubscribe.html",
    "pages/unsubscribed.html",
];

/// Whether a file in a shop's folder is a template. Notes, pictures and hidden files are not. A text file where no template
/// is looked for is a mistake, because its author believes that it is used.
pub(super) fn is_template(path: &str) -> Result<bool, RenderError> {
    let name = path.rsplit('/').next().unwrap_or(path);
    if name.starts_with('.') || !(name.ends_with(".txt") || name.ends_with(".html")) {
        return Ok(false);
    }
    let mut parts = path.split('/');
    let known = matches!(parts.next(), Some("mail" | "pages"));
    let mut inside = 0;
    for part in parts {
        if part.is_empty() || part == "." || part == ".." {
            return Err(RenderError::Misplaced(path.to_owned()));
        }
        inside += 1;
    }
    if known && inside > 0 { Ok(true) } else { Err(RenderError::Misplaced(path.to_owned())) }
}
