//! restockd: a back-in-stock engine in one binary and one data directory.
//!
//! This package is the top layer: it connects the others and listens. Imports go downward only, and the compiler enforces
//! that, since the layers are members of a workspace:
//!
//! ```text
//! restockd           main, boot, config, overrides, cli   connects everything; imported by nobody
//!                    http                                  parse, authenticate, admit, ask, answer
//! restockd-engine    actors/                              the only user of ractor; clock and secrets
//! restockd-journal   src/journal/                          file system, write-ahead log, snapshots
//! restockd-mail      src/mail/                             message, DKIM, SMTP and the other transports
//! restockd-feedback  src/feedback/                        reads bounces and complaints
//! restockd-render    src/render/                           templates of mails and pages
//! restockd-core      src/core/                             the machines: pure
//! ```

pub mod boot;
pub mod cli;
pub mod config;
pub mod http;
pub mod overrides;
pub mod telemetry;
