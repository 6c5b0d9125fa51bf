//! Log lines to standard error; `RESTOCKD_LOG` sets the level. No line holds an address or a secret.

use tracing_subscriber::EnvFilter;

/// ractor opens a span for every actor and enters it at every message, which takes a twentieth of an event's time and names
/// nothing in a log line. So its spans are off.
const USUAL: &str = "info,sled=warn,ractor=warn";

/// Starts logging; a second call changes nothing.
pub fn start() {
    let filter = EnvFilter::try_from_env("RESTOCKD_LOG").unwrap_or_else(|_| EnvFilter::new(USUAL));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // An error means that a logger (a test's) is set already.
    let _ = lines.with_target(false).try_init();
}
