//! restockd: a back-in-stock engine in one binary and one data directory.
//!
//! This package is the top layer: it wires the others and listens. Imports go downward only, and the members of the
//! workspace let the compiler hold that:
//!
//! ```text
//! restockd           main, boot, config, overrides, cli    wires everything; imported by nobody
//!                    http                                  parse, authenticate, admit, ask, answer
//! restockd-engine    actors/                               ractor lives here and nowhere else; clock and secrets
//! restockd-journal   src/journal/                          file system, write-ahead log, snapshots
//! restockd-mail      src/mail/                             message, DKIM, SMTP and the other transports
//! restockd-feedback  src/feedback/                         bounces and complaints, read
//! restockd-render    src/render/                           templates of mails and pages
//! restockd-core      src/core/                             the machines: pure
//! ```

pub mod boot;
pub mod cli;
pub mod config;
pub mod http;
pub mod overrides;
pub mod telemetry;
