//! The mail layer against a real server on a loopback port, and the templates against hostile data.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod fixture;
mod hostile;
mod letters;
mod local;
mod phases;
mod ready;
mod safety;
mod settings;
mod signed;
mod stencils;
mod templates;
mod tokens;
mod torn;
