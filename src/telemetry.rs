//! The log lines: to standard error, level by `RESTOCKD_LOG`, never an address or a secret.

use tracing_subscriber::EnvFilter;

/// ractor opens a span for every actor and enters it at every message: a twentieth of a press, and no line names it.
const USUAL: &str = "info,sled=warn,ractor=warn";

/// Starts writing log lines; a second call changes nothing.
pub fn start() {
    let filter = EnvFilter::try_from_env("RESTOCKD_LOG").unwrap_or_else(|_| EnvFilter::new(USUAL));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // An error means that somebody (a test) has set one already.
    let _ = lines.with_target(false).try_init();
}
