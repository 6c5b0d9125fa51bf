//! Errors in templates, for the person who wrote them: file, line, and what is wrong.
//!
//! The texts come from minijinja without its debug output, so no value of a contact is in them.

use minijinja::{Error, ErrorKind};

/// A template that does not compile or does not render.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    #[error("unknown template: {0}")]
    Unknown(String),
    /// A file is in a place where no template is looked for.
    #[error("{0} is not used: templates lie in mail/<key>/, as mail/*.txt, mail/*.html, or in pages/")]
    Misplaced(String),
    /// A mail lacks its subject or one of its bodies.
    #[error("the mail {key} is not complete: {path} is missing")]
    Incomplete {
        /// The mail's key.
        key: String,
        /// The missing file.
        path: String,
    },
    /// A template does not compile.
    #[error("{file}, line {line}: {what}")]
    Mistake {
        /// The file, relative to the templates folder.
        file: String,
        /// The line, from 1.
        line: usize,
        what: String,
    },
    /// A template that compiles failed with this data.
    #[error("{file}, line {line}: {what}")]
    Failed {
        /// The file, relative to the templates folder.
        file: String,
        /// The line, from 1; 0 when it is not known.
        line: usize,
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

/// The error in an included or extended template, which says more than the line that included it.
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
