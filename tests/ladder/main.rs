//! The ladder: the real binary under violence, against an oracle outside that wrote every acknowledgement down.
//!
//! | file | what is done to it | what must hold |
//! |---|---|---|
//! | `kills` | `kill -9` under full load, also while it starts | all that was acknowledged is there, once |
//! | `calls` | the n-th system call on each file killed, or failed with EIO or ENOSPC | the same; a failed write of the log ends it |
//! | `full` | a disk that is really full, under load, with a kill and a start while it is | 503, `Retry-After`, nothing lost, and on it goes |
//! | `cuts` | the power of a real ext4 is cut under load, after a kill, while it recovers | all that was acknowledged is there, once |
//! | `honest` | nothing: the oracle is told lies | it finds each of them |
//!
//! ```text
//!  load ── request ──▶ engine        oracle: asked ▶ unsure ▶ acknowledged ▶ fsynced file
//!   ▲                    │ letters               │
//!   └── 2xx, lost, 503 ──┤                       ▼
//!                        ▼            restart ▶ check: members in order, restocks, keys,
//!                      sink ─────────────────▶ campaigns, erasures, letters
//! ```
//!
//! The short forms run within minutes, `kills` and `honest` in every `cargo test`; `calls` takes strace, `full` and
//! `cuts` take root, loop devices, `mkfs.ext4` and `cc`, so these are there with the feature `root-tests` only, and
//! fail where something is missing. The long forms:
//!
//! ```text
//! RESTOCKD_KILLS=1000 RESTOCKD_CUTS=1000 RESTOCKD_POINTS=all \
//!     cargo test --release --features root-tests --test ladder -- --nocapture
//! ```
//!
//! Every test prints its seed; `RESTOCKD_SEED` chooses it.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic")]

#[cfg(feature = "root-tests")]
mod calls;
mod check;
#[cfg(feature = "root-tests")]
mod cuts;
mod deeds;
#[cfg(feature = "root-tests")]
mod full;
mod honest;
#[cfg(feature = "root-tests")]
mod image;
mod kills;
mod load;
mod oracle;
mod siege;
#[cfg(feature = "root-tests")]
mod strace;
