//! The engine's parts, each measured by itself.
//!
//! ```text
//! cargo bench --bench parts              all of them, within three minutes
//! cargo bench --bench parts -- list      those whose name has `list` in it
//! cargo test --bench parts              each once, with small sizes, to see that they still work
//! ```
//!
//! | part | what is measured |
//! |---|---|
//! | `list`, `directory`, `campaign` | deciding and applying, the machines alone |
//! | `log` | records made, read, and appended in batches until the real sync is through |
//! | `passivation` | lists passivated and woken, packed by hand and by the real actors |
//! | `events` | the Engine's calls, acknowledged after the sync |
//! | `http` | from bytes to answer, in front of an engine that confirms at once |
//! | `snapshots`, `recovery` | generations written and loaded, the log read back |
//! | `broadcast`, `mail` | a restock until its last letter; templates and MIME alone |
//!
//! What uses a disk does so in a temporary directory that is deleted. `live_engine` is a whole engine, `http_server` a server
//! in front of one without actors and disk. The other benches measure the whole from outside.
#![allow(clippy::unwrap_used, reason = "a bench may panic")]

mod broadcast;
mod campaign;
mod directory;
mod events;
mod http;
mod http_server;
mod list;
mod live_engine;
mod log;
mod mail;
mod passivation;
mod recovery;
mod snapshots;

use restockd_core::Millis;

/// The time of everything here: 2026-03-02T12:00:00Z.
const NOON: Millis = Millis(1_772_452_800_000);

fn main() {
    divan::main();
}

/// The first size when measuring, the second when this is only run as a test.
fn size<T>(measured: T, tried: T) -> T {
    let measures =
        std::env::args().any(|arg| arg == "--bench") && !std::env::args().any(|arg| arg == "--test");
    if measures { measured } else { tried }
}
