//! What can be wrong with a template, told to the person who wrote it: file, line, and what.
//!
//! The texts come from the template engine without its debug output, so no value of a contact stands in them.

use minijinja::{Error, ErrorKind};

/// A template that does not compile or does not render.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// There is no such template.
    #[error("unknown template: {0}")]
    Unknown(String),
    /// A file that lies where no template is looked for.
    #[error("{0} is not used: templates lie in mail/<key>/, as mail/*.txt, mail/*.html, or in pages/")]
    Misplaced(String),
    /// A mail needs its subject and both bodies.
    #[error("the mail {key} is not complete: {path} is missing")]
    Incomplete {
        /// The mail.
        key: String,
        /// The missing file.
        path: String,
    },
    /// A mistake in the text of a template.
    #[error("{file}, line {line}: {what}")]
    Mistake {
        /// The file, inside the templates folder.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// A correct template that failed with this data.
    #[error("{file}, line {line}: {what}")]
    Failed {
        /// The file, inside the templates folder.
        file: String,
        /// The line, from 1; 0 when it is not known.
        line: usize,
        /// What went wrong.
        what: String,
    },
}

impl RenderError {
    pub(super) fn mistake(path: &str, error: &Error) -> RenderError {
        let what = said(error);
        RenderError::Mistake { file: path.to_owned(), line: error.line().unwrap_or(1), what }
    }

    pub(super) fn failed(path: &str, error: &Error, limit: usize) -> RenderError {
        let root = innermost(error);
        let what = match root.kind() {
            ErrorKind::WriteFailure => format!("the output is larger than {} KiB", limit / 1024),
            ErrorKind::OutOfFuel => "the template takes too many steps".to_owned(),
            _ => said(root),
        };
        let file = root.name().unwrap_or(path).to_owned();
        RenderError::Failed { file, line: root.line().unwrap_or(0), what }
    }
}

/// The error inside an included or extended template says more than the line that included it.
fn innermost(error: &Error) -> &Error {
    let mut found = error;
    let mut next = std::error::Error::source(error);
    while let Some(source) = next {
        if let Some(inner) = source.downcast_ref::<Error>() {
            found = inner;
        }
        next = source.source();
    }
    found
}

fn said(error: &Error) -> String {
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    }
}
