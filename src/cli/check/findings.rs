//! What a look at a data directory found: plain values, the shape of `check --json`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use restockd_engine::recovery_stats::RecoveryStats;

/// All of it.
#[derive(Debug, Serialize)]
pub(super) struct Findings {
    pub(super) data: PathBuf,
    /// An engine holds the lock: the log's end may be a write in progress.
    pub(super) running: bool,
    /// `whole`, `missing`, `damaged`, or `none yet` where an engine was never started.
    pub(super) secrets: &'static str,
    pub(super) log: Option<LogFindings>,
    pub(super) snapshots: Option<SnapshotFindings>,
    /// What a newer restockd wrote, and which versions are at odds: nothing is damaged then.
    pub(super) newer: Option<String>,
    /// Copies of what was cut or set aside.
    pub(super) copies: Vec<CopyFinding>,
    pub(super) start: StartFindings,
}

/// The log.
#[derive(Debug, Default, Serialize)]
pub(super) struct LogFindings {
    pub(super) segments: u64,
    pub(super) bytes: u64,
    pub(super) records: u64,
    /// Records that verify, by kind, wherever they lie.
    pub(super) kinds: BTreeMap<&'static str, u64>,
    pub(super) first: Option<u64>,
    pub(super) last: Option<u64>,
    pub(super) known_durable: u64,
    /// `clean`, `torn` or `unknown`.
    pub(super) tail: &'static str,
    /// File, offset and bytes of a torn tail.
    pub(super) torn: Option<(PathBuf, u64, u64)>,
    /// Ranges of numbers that an earlier repair gave up.
    pub(super) given_up: Vec<(u64, u64)>,
    pub(super) damage: Option<DamageFinding>,
}

/// A damaged place of the log.
#[derive(Debug, Serialize)]
pub(super) struct DamageFinding {
    pub(super) file: PathBuf,
    pub(super) offset: u64,
    /// The record that should be there.
    pub(super) expected: u64,
    /// Records from it on that are known to have existed.
    pub(super) at_risk: u64,
    pub(super) what: String,
}

/// The snapshots.
#[derive(Debug, Serialize)]
pub(super) struct SnapshotFindings {
    pub(super) current_problem: Option<String>,
    pub(super) generations: Vec<GenerationFinding>,
}

/// One generation.
#[derive(Debug, Clone, Serialize)]
pub(super) struct GenerationFinding {
    pub(super) number: u64,
    /// `newest`, `previous` or `unnamed`.
    pub(super) role: &'static str,
    pub(super) made: String,
    pub(super) bytes: u64,
    pub(super) counts: BTreeMap<String, u64>,
    pub(super) replay_from: u64,
    pub(super) durable: u64,
    pub(super) damage: Option<String>,
    /// That a newer restockd wrote it: nothing is damaged then.
    pub(super) newer: Option<String>,
}

/// A copy of something that was cut.
#[derive(Debug, Serialize)]
pub(super) struct CopyFinding {
    pub(super) path: PathBuf,
    /// Days since an engine first saw it; a start begins to count where this is absent.
    pub(super) days: Option<u64>,
}

/// What a start would do.
#[derive(Debug, Default, Serialize)]
pub(super) struct StartFindings {
    /// The sentence with which it would refuse.
    pub(super) refused: Option<String>,
    /// `snapshot 8`, `log alone` or `nothing yet`.
    pub(super) from: String,
    /// What would be passed over.
    pub(super) passed_over: Vec<String>,
    pub(super) brings_back: Option<RecoveryStats>,
}
