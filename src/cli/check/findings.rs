//! The findings of an inspection: plain values, in the shape of `check --json`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use restockd_engine::recovery_stats::RecoveryStats;

#[derive(Debug, Serialize)]
pub(super) struct Findings {
    pub(super) data: PathBuf,
    /// True when an engine holds the lock: the end of the log may then be a write in progress.
    pub(super) running: bool,
    /// `whole`, `missing`, `damaged`, or `none yet` where no engine was ever started.
    pub(super) secrets: &'static str,
    pub(super) log: Option<LogFindings>,
    pub(super) snapshots: Option<SnapshotFindings>,
    /// What a newer restockd wrote, and the two versions; nothing is damaged then.
    pub(super) newer: Option<String>,
    /// What is in quarantine: copies of what was cut or renamed.
    pub(super) copies: Vec<CopyFinding>,
    pub(super) start: StartFindings,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct LogFindings {
    pub(super) segments: u64,
    pub(super) bytes: u64,
    pub(super) records: u64,
    /// Records that verify, counted by kind, wherever they are.
    pub(super) kinds: BTreeMap<&'static str, u64>,
    pub(super) first: Option<u64>,
    pub(super) last: Option<u64>,
    pub(super) known_durable: u64,
    /// `clean`, `torn` or `unknown`.
    pub(super) tail: &'static str,
    /// File, offset and bytes of a torn end.
    pub(super) torn: Option<(PathBuf, u64, u64)>,
    /// Ranges of record numbers that an earlier repair gave up.
    pub(super) given_up: Vec<(u64, u64)>,
    pub(super) damage: Option<DamageFinding>,
}

/// A damaged place in the log.
#[derive(Debug, Serialize)]
pub(super) struct DamageFinding {
    pub(super) file: PathBuf,
    pub(super) offset: u64,
    /// The number of the record that should be there.
    pub(super) expected: u64,
    /// How many records from that one on are known to have existed.
    pub(super) at_risk: u64,
    pub(super) what: String,
}

/// The snapshots.
#[derive(Debug, Serialize)]
pub(super) struct SnapshotFindings {
    pub(super) current_problem: Option<String>,
    pub(super) generations: Vec<GenerationFinding>,
}

/// One generation of the snapshots.
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
    /// Set when a newer restockd wrote it; nothing is damaged then.
    pub(super) newer: Option<String>,
}

/// A copy in quarantine.
#[derive(Debug, Serialize)]
pub(super) struct CopyFinding {
    pub(super) path: PathBuf,
    /// Days since an engine first saw it; `None` before the first start that does.
    pub(super) days: Option<u64>,
}

/// What a start would do.
#[derive(Debug, Default, Serialize)]
pub(super) struct StartFindings {
    /// The error with which it would refuse.
    pub(super) refused: Option<String>,
    /// `snapshot 8`, `log alone` or `nothing yet`.
    pub(super) from: String,
    /// Generations that it would pass over, and why.
    pub(super) passed_over: Vec<String>,
    pub(super) brings_back: Option<RecoveryStats>,
}
