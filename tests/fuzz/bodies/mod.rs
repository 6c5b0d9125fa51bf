//! The bodies of the fuzz targets, shared by two drivers: libFuzzer (`targets/`, run by `run.sh`) and `cargo test`
//! (`main.rs`), so that the property that runs for hours is the one that runs in minutes.
//!
//! ```text
//! bytes ──▶ body: builds what a stranger or a bad disk could hand over, with checksums made right where that is
//!           what it takes to get past them ──▶ the engine's own reader ──▶ properties; a panic is a finding
//! ```
//!
//! Each body is total over its bytes and asserts more than "no panic": what may be lost, and what must never be.

#![allow(missing_docs, dead_code, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod batch;
mod disk_log;
mod script;
mod smtp;
mod snapshot;
mod webhook;

pub use script::Dice;

/// A target: its name, its body, and inputs to begin with.
pub struct Target {
    pub name: &'static str,
    pub body: fn(&[u8]),
    pub seeds: fn() -> Vec<Vec<u8>>,
}

pub const TARGETS: [Target; 5] = [
    Target { name: "log", body: disk_log::body, seeds: disk_log::seeds },
    Target { name: "snapshot", body: snapshot::body, seeds: snapshot::seeds },
    Target { name: "webhook", body: webhook::body, seeds: webhook::seeds },
    Target { name: "batch", body: batch::body, seeds: batch::seeds },
    Target { name: "smtp", body: smtp::body, seeds: smtp::seeds },
];

/// The target of that name.
pub fn target(name: &str) -> &'static Target {
    TARGETS.iter().find(|target| target.name == name).unwrap()
}

/// Writes the inputs to begin with into the folder that `FUZZ_SEEDS` names, if it does.
pub fn plant(name: &str) {
    let Ok(folder) = std::env::var("FUZZ_SEEDS") else { return };
    for (at, seed) in (target(name).seeds)().iter().enumerate() {
        std::fs::write(std::path::Path::new(&folder).join(format!("seed-{at}")), seed).unwrap();
    }
}
